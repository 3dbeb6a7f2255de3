"""Manifests of an application -> who exists, and where as far as they say: the pods of its workloads, Services,
namespaces, nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from netproof.manifests.callbacks import Callback, callbacks_of
from netproof.manifests.fields import labels_at, list_at, namespace_of
from netproof.manifests.pods import FoundPod, is_workload, pods_of
from netproof.manifests.services import KUBERNETES, FoundService, host_ports, services_of
from netproof.manifests.yaml_documents import Located
from netproof.model import Namespace, Node, Placement, Pod, Service, Topology
from netproof.model.placement import place_on_paper
from netproof.model.topology import API_SERVER

EVERYWHERE = ("default", "kube-system", "kube-public", "kube-node-lease")
"""Namespaces that every cluster has."""

PODLESS_GROUPS = frozenset(
    {"cert-manager.io", "cilium.io", "projectcalico.org", "networking.istio.io", "security.istio.io"}
)
PODLESS_KINDS = frozenset({"ServiceMonitor", "PodMonitor", "PrometheusRule", "Probe", "ScaledObject", "ExternalSecret"})
"""Custom resources of which nobody makes pods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workloads:
    """What an application's manifests say of who exists, and where. `names_namespaces`: they hold Namespaces, so that
    the labels of these are known. `api_clients`: pod id -> why it is taken to talk to the API server. `by_address`: the
    address of a pod or Service -> its id; `by_node_name`: a node's name -> its id. `resolvers`: pod id -> its own DNS
    servers, where it does not use the cluster's. `operated`: namespaces that hold objects of which operators may make
    pods."""

    topology: Topology
    placement: Placement
    names_namespaces: bool = False
    api_clients: Mapping[str, str] = field(default_factory=dict)
    by_address: Mapping[str, str] = field(default_factory=dict)
    by_node_name: Mapping[str, str] = field(default_factory=dict)
    resolvers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    callbacks: tuple[Callback, ...] = ()
    operated: frozenset[str] = frozenset()


def read_workloads(
    objects: Sequence[Located],
    namespace: str = "default",
    *,
    pod_ranges: Sequence[str] = (),
    service_ranges: Sequence[str] = (),
) -> Workloads:
    """Pods, Services and namespaces of these manifests. `namespace` is that of objects that name none. What has no
    address there has one of the ranges, where they are given. Raises InputError."""
    namespaces = {name: Namespace(name=name) for name in EVERYWHERE}
    clients: dict[str, str] = {}
    names_namespaces = False
    bound = _bound(objects, namespace)
    for one in objects:
        if one.content["kind"] == "Namespace":
            name = one.content["metadata"]["name"]
            namespaces[name] = Namespace(name=name, labels=labels_at(one, ("metadata", "labels")))
            names_namespaces = True
    pods = list(pods_of(objects, namespace))
    for pod in pods:
        why = _talks_to_api(pod.spec, pod.pod, bound)
        if why:
            clients[pod.pod.id] = why
    nodes = {name: Node(index=index).id for index, name in enumerate(sorted({pod.node for pod in pods} - {""}))}
    by_address = {address: pod.pod.id for pod in pods if not pod.pod.host_network for address in pod.addresses}
    services = list(services_of(objects, namespace, by_address))
    if not any(one.service.id == KUBERNETES.id for one in services):
        services.append(FoundService(service=KUBERNETES, external=(API_SERVER,)))
    externals = {external.id: external for one in services for external in one.external}
    topology = Topology(
        namespaces=tuple(namespaces.values()),
        pods=tuple(pod.pod for pod in pods),
        services=(*(one.service for one in services), *host_ports([pod.pod for pod in pods])),
        externals=tuple(externals.values()),
        nodes=tuple(Node(index=index) for index in range(max(len(nodes), 1))),
    )
    return Workloads(
        topology=topology,
        placement=_placement(topology, pods, services, nodes, (pod_ranges, service_ranges)),
        names_namespaces=names_namespaces,
        api_clients=clients,
        by_address={**by_address, **{address: one.service.id for one in services for address in one.all_addresses}},
        by_node_name=nodes,
        resolvers={pod.pod.id: found for pod in pods if (found := _resolvers(pod.spec)) is not None},
        callbacks=tuple(callbacks_of(objects)),
        operated=frozenset(namespace_of(one, namespace) for one in objects if _may_make_pods(one)),
    )


def _resolvers(spec: Mapping[str, Any]) -> tuple[str, ...] | None:
    """None: the pod asks the cluster's DNS. Nothing: the resolvers of its node, which nobody knows here."""
    policy = spec.get("dnsPolicy")
    if policy == "Default":
        return ()
    config = spec.get("dnsConfig")
    listed = config.get("nameservers") if isinstance(config, Mapping) else None
    if policy == "None" and isinstance(listed, list):
        return tuple(str(address) for address in listed)
    return None


def _may_make_pods(one: Located) -> bool:
    """A custom resource may stand for pods that its operator makes (a Kafka, a Prometheus)."""
    group, slash, _ = str(one.content["apiVersion"]).partition("/")
    kind = str(one.content["kind"])
    is_custom = bool(slash) and "." in group and not group.endswith((".k8s.io", ".cilium.io", ".projectcalico.org"))
    return is_custom and group not in PODLESS_GROUPS and kind not in PODLESS_KINDS and not is_workload(one)


def _placement(
    topology: Topology,
    pods: Sequence[FoundPod],
    services: Sequence[FoundService],
    nodes: Mapping[str, str],
    ranges: tuple[Sequence[str], Sequence[str]],
) -> Placement:
    """Addresses as far as they are stated; nobody runs on a node that is not named."""
    made_up = place_on_paper(topology)
    of_pods, of_services = (tuple(texts) for texts in ranges)
    addresses = {**made_up.addresses, **{one.id: (one.name,) for one in topology.externals}}
    addresses.pop(API_SERVER.id, None)
    for pod in pods:
        if pod.node and pod.node_addresses:
            addresses[nodes[pod.node]] = pod.node_addresses
        if pod.addresses:
            addresses[pod.pod.id] = pod.addresses
        elif not pod.pod.host_network and of_pods:
            addresses[pod.pod.id] = of_pods
        elif pod.pod.host_network and pod.node:
            addresses[pod.pod.id] = addresses[nodes[pod.node]]
    for one in (*made_up.dns_pods,):
        addresses[one.id] = of_pods or addresses[one.id]
    for service in services:
        stated = service.addresses or of_services
        addresses[service.service.id] = stated or addresses[service.service.id]
    node_ports = {(one.id, port, protocol): port for one, port, protocol in _host_ports(topology)}
    return replace(
        made_up,
        addresses=addresses,
        node_ports={**made_up.node_ports, **node_ports},
        node_of={pod.pod.id: nodes[pod.node] for pod in pods if pod.node},
    )


def _host_ports(topology: Topology) -> Iterator[tuple[Service, int, str]]:
    for service in topology.services:
        if service.node_port and service.backends:
            yield from ((service, port.port, port.protocol) for port in service.ports)


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
