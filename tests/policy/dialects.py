"""Policies of other dialects in few words, for the world of example.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import yaml

from netproof.model import Placement, Probe
from netproof.policy import Decision, Evaluator, read_policies

from .example import PLACEMENT, TOPOLOGY, probe

NAMED = replace(PLACEMENT, hostnames={"external:client": "store.example.com"})
KINDS = {True: "CiliumNetworkPolicy", False: "CiliumClusterwideNetworkPolicy"}


def cilium(spec: str, name: str = "shop/p", **more: Any) -> dict[str, Any]:
    """`name` is namespace/name, or a name alone for a clusterwide policy; `spec` the YAML of the spec."""
    namespace, slash, own = name.rpartition("/")
    metadata = {"name": own, **({"namespace": namespace} if slash else {})}
    content = {"spec": yaml.safe_load(spec)} if spec else {}
    return {
        "apiVersion": "cilium.io/v2",
        "kind": KINDS[bool(slash)],
        "metadata": metadata,
        **content,
        **more,
    }


def decide(
    policies: list[dict[str, Any]], asked: str | Probe, *, placement: Placement = NAMED, **more: Any
) -> Decision:
    wanted = asked if isinstance(asked, Probe) else probe(asked, **more)
    return Evaluator(read_policies(policies), TOPOLOGY, placement).decide(wanted)


def api(rules: str) -> str:
    """A spec for the pod shop/api."""
    return f"{{endpointSelector: {{matchLabels: {{app: api}}}}, {rules}}}"


def ui(rules: str) -> str:
    return f"{{endpointSelector: {{matchLabels: {{app: ui}}}}, {rules}}}"


PORT = "toPorts: [{ports: [{port: '8080', protocol: TCP}]}]"
DNS = (
    "{toEndpoints: [{matchLabels: {'k8s:io.kubernetes.pod.namespace': kube-system, k8s-app: kube-dns}}], "
    "toPorts: [{ports: [{port: '53', protocol: ANY}], rules: {dns: [{matchPattern: '*'}]}}]}"
)
STORE = "{toFQDNs: [{matchName: store.example.com}]}"


def cluster(rules: str, name: str = "p", *, tier: str = "Admin", priority: int = 10) -> dict[str, Any]:
    """A ClusterNetworkPolicy for all pods, unless `rules` has a subject of its own."""
    spec = {"tier": tier, "priority": priority, "subject": {"namespaces": {}}, **yaml.safe_load(f"{{{rules}}}")}
    return {
        "apiVersion": "policy.networking.k8s.io/v1alpha2",
        "kind": "ClusterNetworkPolicy",
        "metadata": {"name": name},
        "spec": spec,
    }
