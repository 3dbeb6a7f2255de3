"""Manifests of an application -> the topology that they make: a pod for each workload, Services, namespaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netproof.manifests.fields import labels_at, list_at, mapping_at, namespace_of, port_number, protocol_of
from netproof.manifests.pods import pods_of
from netproof.manifests.yaml_documents import KeyPath, Located
from netproof.model import Namespace, Node, Pod, Service, ServicePort, Topology

EVERYWHERE = ("default", "kube-system", "kube-public", "kube-node-lease")
"""Namespaces that every cluster has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workloads:
    """What an application's manifests say of who exists. `names_namespaces`: they hold Namespaces, so that the labels
    of these are known. `api_clients`: pod id -> why it is taken to talk to the API server."""

    topology: Topology
    names_namespaces: bool = False
    api_clients: Mapping[str, str] = field(default_factory=dict)


def read_workloads(objects: Sequence[Located], namespace: str = "default") -> Workloads:
    """Pods, Services and namespaces of these manifests. `namespace` is that of objects that name none. Raises
    InputError."""
    namespaces = {name: Namespace(name=name) for name in EVERYWHERE}
    services: list[Service] = []
    clients: dict[str, str] = {}
    names_namespaces = False
    bound = _bound(objects, namespace)
    for one in objects:
        kind = one.content["kind"]
        if kind == "Namespace":
            name = one.content["metadata"]["name"]
            namespaces[name] = Namespace(name=name, labels=labels_at(one, ("metadata", "labels")))
            names_namespaces = True
        elif kind == "Service":
            services += _service(one, namespace)
    found = list(pods_of(objects, namespace))
    for pod in found:
        why = _talks_to_api(pod.spec, pod.pod, bound)
        if why:
            clients[pod.pod.id] = why
    topology = Topology(
        namespaces=tuple(namespaces.values()),
        pods=tuple(pod.pod for pod in found),
        services=tuple(services),
        nodes=(Node(index=0),),
    )
    return Workloads(topology=topology, names_namespaces=names_namespaces, api_clients=clients)


def _service(one: Located, namespace: str) -> Iterator[Service]:
    spec = mapping_at(one, ("spec",))
    if spec.get("type") == "ExternalName":
        return
    ports = []
    for index, entry in enumerate(list_at(one, ("spec", "ports"))):
        here: KeyPath = ("spec", "ports", index)
        number = port_number(one, (*here, "port"), entry.get("port") if isinstance(entry, Mapping) else None)
        target = entry.get("targetPort", number)
        ports.append(
            ServicePort(port=number, target=target, protocol=protocol_of(one, here, entry), name=entry.get("name"))
        )
    yield Service(
        namespace=namespace_of(one, namespace),
        name=one.content["metadata"]["name"],
        selector=labels_at(one, ("spec", "selector")),
        ports=tuple(ports),
        node_port=spec.get("type") in ("NodePort", "LoadBalancer"),
        headless=spec.get("clusterIP") == "None",
    )


def _bound(objects: Sequence[Located], namespace: str) -> dict[tuple[str, str], str]:
    """Service accounts (namespace, name) that a binding gives rights to -> that binding."""
    found = {}
    for one in objects:
        if one.content["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        binding = f"{one.content['kind']} {one.content['metadata']['name']}"
        for subject in list_at(one, ("subjects",)):
            if isinstance(subject, Mapping) and subject.get("kind") == "ServiceAccount":
                key = (subject.get("namespace") or namespace_of(one, namespace), str(subject.get("name")))
                found[key] = binding
    return found


def _talks_to_api(spec: Mapping[str, Any], pod: Pod, bound: Mapping[tuple[str, str], str]) -> str:
    if spec.get("automountServiceAccountToken") is False:
        return ""
    binding = bound.get((pod.namespace, pod.service_account))
    if binding:
        return f"{binding} gives rights to its service account {pod.service_account}"
    return "it mounts its service account's token" if spec.get("automountServiceAccountToken") is True else ""
