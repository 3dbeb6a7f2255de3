"""The engine `clusterNetworkPolicy`: ClusterNetworkPolicy of policy.networking.k8s.io/v1alpha2, in the Baseline tier,
below any NetworkPolicy. The first rule that matches decides; nothing is denied without a Deny rule."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from netproof.charts.stageset.order import ALLOWLIST, deny_order
from netproof.charts.stageset.subject import DEFAULT_DENY, Subject
from netproof.charts.stageset.values import Rule, StagesetValues
from netproof.errors import InputError
from netproof.model.topology import NAME_LABEL

API_VERSION, KIND = "policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy"
ENGINE = "clusterNetworkPolicy"
MOST_RULES = 25
"""ClusterNetworkPolicySpec.ingress and egress: "A maximum of 25 rules is allowed in this block"."""

ALL_PODS: Rule = {"namespaces": {}}
ALL_ADDRESSES: Rule = {"networks": ["0.0.0.0/0", "::/0"]}


def render(subject: Subject, values: StagesetValues) -> tuple[Rule, ...]:
    """The allowlist, and the default-deny when it is enabled. The passthrough lists come before the chart's rules, so
    that a Deny or Pass there counts. Raises InputError when there are more rules than the API takes."""
    spec: Rule = {
        "tier": "Baseline",
        "priority": ALLOWLIST[ENGINE],
        "subject": {
            "pods": {
                "namespaceSelector": {"matchLabels": {NAME_LABEL: subject.namespace}},
                "podSelector": {"matchLabels": dict(subject.labels)},
            }
        },
        "ingress": [
            *deepcopy(list(values.own_ingress)),
            *(
                {"name": name, "action": "Accept", "from": [deepcopy(ALL_PODS)], "protocols": [_port("tcp", port)]}
                for name, port in values.open_ports
            ),
            _deny("from", ALL_PODS),
        ],
    }
    egress = [*deepcopy(list(values.own_egress)), *_dns(values)]
    if values.egress.enabled:
        egress.append(_deny("to", ALL_PODS, ALL_ADDRESSES))
    if egress:
        spec["egress"] = egress
    _check_limits(spec)
    allowlist = {"apiVersion": API_VERSION, "kind": KIND, "metadata": subject.cluster_metadata(), "spec": spec}
    if not values.default_deny:
        return (allowlist,)
    deny: Rule = {
        "tier": "Baseline",
        "priority": deny_order(ENGINE, values.order),
        "subject": {"namespaces": {"matchLabels": {NAME_LABEL: subject.namespace}}},
        "ingress": [_deny("from", ALL_PODS)],
    }
    if values.egress.enabled:
        deny["egress"] = [_deny("to", ALL_PODS, ALL_ADDRESSES)]
    return (
        allowlist,
        {"apiVersion": API_VERSION, "kind": KIND, "metadata": subject.cluster_metadata(DEFAULT_DENY), "spec": deny},
    )


def may_reach_api_server(values: StagesetValues) -> bool:
    """Whether some egress rule could be the API server's: accepted, or left to the cluster's default, by address."""
    return any(
        rule.get("action") in ("Accept", "Pass")
        and any({"networks", "nodes"} & peer.keys() for peer in rule.get("to") or ())
        for rule in values.own_egress
    )


def _dns(values: StagesetValues) -> list[Rule]:
    if not (values.egress.enabled and values.egress.dns):
        return []
    return [
        {
            "name": "dns",
            "action": "Accept",
            "to": [{"namespaces": {"matchLabels": {NAME_LABEL: values.egress.dns_namespace}}}],
            "protocols": [_port("udp", 53), _port("tcp", 53)],
        }
    ]


def _deny(peers: str, *everybody: Rule) -> Rule:
    return {"name": "deny-all-else", "action": "Deny", peers: deepcopy(list(everybody))}


def _port(protocol: str, number: int) -> dict[str, Any]:
    return {protocol: {"destinationPort": {"number": number}}}


def _check_limits(spec: Rule) -> None:
    for direction in ("ingress", "egress"):
        count = len(spec.get(direction, ()))
        if count > MOST_RULES:
            raise InputError(
                f"a ClusterNetworkPolicy takes at most {MOST_RULES} {direction} rules, and with the chart's own there "
                f"are {count}",
                key=f"networkPolicy.{ENGINE}.{direction}",
            )
