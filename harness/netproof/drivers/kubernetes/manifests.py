"""A topology as Kubernetes objects. Pure: no cluster is asked. Pods satisfy Pod Security *restricted*, so that the same
manifests also run on clusters that enforce it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netproof.model import Manifest, Namespace, Pod, Service, Topology
from netproof.probing.spec import agent_spec, first_attempts, serve_command

MANAGED = "netproof.dev/managed"
RUN = "netproof.dev/run"
"""Of namespaces an annotation, never a label: a CNI may derive a pod's identity from its namespace's labels, and take
its time when they change (Cilium: up to 30 s)."""
SPEC = "netproof.dev/spec"
"""Annotation of a namespace: the hash of what was deployed in it."""
FIRST = "netproof.dev/first-attempts"
"""Annotation of a pod that was made for its first attempts: a run that ended meanwhile left it behind."""
SYSCTLS = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}
CONTAINER = "agent"
AGENT_PATH = "/netproof/agent.pyz"
USER = 65534
CPU = "3m"
"""What a probe pod asks for. Pods that ask for nothing share the least weight that there is: where the CNI's agent is
busy with a change they stood still for up to 0.4 s. As many as a node takes (240) must fit beside its own pods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One namespace with all that belongs in it, in the order of application: accounts and sources, services, pods."""

    namespace: Manifest
    basis: tuple[Manifest, ...]
    services: tuple[Manifest, ...]
    pods: tuple[Manifest, ...]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What all pods of a run share. `nodes`: node names, first the one that index 0 means."""

    run: str
    token: str
    image: str
    agent: bytes
    nodes: Sequence[str]


def node_order(nodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names that node indexes 0, 1, … stand for: workers first, in natural order, then control planes.

    So index 0 is a plain worker wherever there is one, and probes between the first two indexes always cross nodes.
    """

    def key(node: Mapping[str, Any]) -> tuple[bool, int, str]:
        name = node["metadata"]["name"]
        labels = node["metadata"].get("labels") or {}
        return "node-role.kubernetes.io/control-plane" in labels, len(name), name

    return [node["metadata"]["name"] for node in sorted(nodes, key=key)]


def deployments(topology: Topology, terms: Terms) -> list[Deployment]:
    """One for each namespace of the topology."""
    return [
        _deployment(
            namespace,
            [pod for pod in topology.pods if pod.namespace == namespace.name],
            [service for service in topology.services if service.namespace == namespace.name],
            terms,
        )
        for namespace in topology.namespaces
    ]


def node_deployment(namespace: str, count: int, terms: Terms) -> Deployment:
    """Pods in the network namespace of each of the first `count` nodes: they only send probes and listen nowhere."""
    pods = [
        Pod(namespace=namespace, name=node_pod(index), node=index, host_network=True)
        for index in range(min(count, len(terms.nodes)))
    ]
    names = {pod.name: f"node:{pod.node}" for pod in pods}
    return _deployment(Namespace(name=namespace), pods, [], terms, names)


def node_pod(index: int) -> str:
    return f"node-{index}"


def _deployment(
    namespace: Namespace,
    pods: Sequence[Pod],
    services: Sequence[Service],
    terms: Terms,
    agent_names: Mapping[str, str] | None = None,
) -> Deployment:
    source = f"netproof-agent-{hashlib.sha256(terms.agent).hexdigest()[:10]}"
    accounts = sorted({"default", *(pod.service_account for pod in pods)})
    basis = [_account(namespace.name, account) for account in accounts]
    archive = {Path(AGENT_PATH).name: base64.b64encode(terms.agent).decode()}
    basis.append(_object("v1", "ConfigMap", namespace.name, source, binaryData=archive))
    service_objects = [_service(service) for service in services]
    pod_objects = [_pod(pod, (agent_names or {}).get(pod.name, pod.id), source, terms) for pod in pods]
    labels = {**namespace.labels, MANAGED: "true"}
    if any(pod.host_network for pod in pods):
        labels["pod-security.kubernetes.io/enforce"] = "privileged"
    spec = json.dumps([labels, basis, service_objects, pod_objects], sort_keys=True)
    digest = hashlib.sha256(spec.encode()).hexdigest()[:16]
    return Deployment(
        namespace={
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": namespace.name,
                "labels": labels,
                "annotations": {SPEC: digest, RUN: terms.run},
            },
        },
        basis=tuple(basis),
        services=tuple(service_objects),
        pods=tuple(pod_objects),
        digest=digest,
    )


def _object(api_version: str, kind: str, namespace: str, name: str, **content: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"namespace": namespace, "name": name}, **content}


def _account(namespace: str, name: str) -> Manifest:
    return _object("v1", "ServiceAccount", namespace, name, automountServiceAccountToken=False)


def _pod(pod: Pod, agent_name: str, source: str, terms: Terms) -> Manifest:
    spec = agent_spec(agent_name, terms.token, pod.ports, **first_attempts(pod))
    security: dict[str, Any] = {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER}
    security["seccompProfile"] = {"type": "RuntimeDefault"}
    if not pod.host_network:
        # Allowed by *restricted*; lets an ordinary user listen on port 80 and ping, whatever the runtime's defaults.
        security["sysctls"] = [{"name": name, "value": value} for name, value in SYSCTLS.items()]
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": terms.image,
        "imagePullPolicy": "IfNotPresent",
        "command": serve_command(AGENT_PATH, spec),
        "stdin": True,
        "ports": [
            {"containerPort": port.port, "protocol": port.protocol, **({"name": port.name} if port.name else {})}
            for port in pod.ports
        ],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "resources": {"requests": {"cpu": CPU}},
        "volumeMounts": [{"name": "agent", "mountPath": "/netproof", "readOnly": True}],
    }
    manifest = _object("v1", "Pod", pod.namespace, pod.name)
    manifest["metadata"]["labels"] = dict(pod.labels)
    if pod.first:
        manifest["metadata"]["annotations"] = {FIRST: "true"}
    manifest["spec"] = {
        "nodeName": terms.nodes[pod.node % len(terms.nodes)],
        "hostNetwork": pod.host_network,
        "dnsPolicy": "ClusterFirstWithHostNet" if pod.host_network else "ClusterFirst",
        "serviceAccountName": pod.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # Not 0: the API server would forget such a pod before its containers end, and a stream to the next pod of that
        # name could reach them.
        "terminationGracePeriodSeconds": 1,
        "tolerations": [{"operator": "Exists"}],
        "securityContext": security,
        "containers": [container],
        "volumes": [{"name": "agent", "configMap": {"name": source}}],
    }
    return manifest


def _service(service: Service) -> Manifest:
    spec: dict[str, Any] = {
        "selector": dict(service.selector),
        "type": "NodePort" if service.node_port else "ClusterIP",
        "ipFamilyPolicy": "PreferDualStack",
        "ports": [
            {
                "name": port.name or f"{port.protocol.lower()}-{port.port}",
                "port": port.port,
                "targetPort": port.target,
                "protocol": port.protocol,
            }
            for port in service.ports
        ],
    }
    if service.headless:
        spec["clusterIP"] = "None"
    if service.node_port:
        spec["externalTrafficPolicy"] = service.external_traffic_policy
    return _object("v1", "Service", service.namespace, service.name, spec=spec)
