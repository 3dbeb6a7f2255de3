"""Who exists: namespaces, pods, services, nodes and peers outside the cluster, as values.

An *endpoint id* is a string that names one of them everywhere (cells, matrices, records): `namespace/name` for a pod,
`svc:namespace/name` for a Service, `external:name` for a peer outside the cluster, `node:0`, `node:1` … for nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

Protocol = Literal["TCP", "UDP", "SCTP"]
Family = Literal[4, 6]

NAME_LABEL = "kubernetes.io/metadata.name"
"""The label that the API server sets on every namespace (Namespace automatic labelling)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_labels(self) -> Mapping[str, str]:
        """Its own labels and the name label, which the API server sets whatever a manifest says."""
        return {**self.labels, NAME_LABEL: self.name}


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A container port: a number that a probe pod listens on, and the name that policies may use for it."""

    port: int
    protocol: Protocol = "TCP"
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAttempt:
    """What a new pod tries at its first instruction, by TCP: to reach `port` of `host`; or with `back`, to be reached
    itself on its port `back` by the agent that it asks on `port` of `host`. `host` may be a placeholder."""

    host: str
    port: int
    back: int = 0


FIRST_SECONDS = 1.5
"""How long a new pod goes on with its first attempts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A probe pod. `node` is the index of the node it should run on; with fewer nodes it is taken modulo.

    `service_account` is what dialects can select on; `host_network` pods have their node's address; a pod of a higher
    `incarnation` replaces the one of the same name. A pod with `first` attempts makes them before all else, and is
    ready only afterwards. `workload` is the id of what it is one of several pods of, where that is known; `host_ports`
    are its ports that are ports of its node, too, and those. `on_any_node`: nobody says where it runs, so that `node`
    is where a driver puts it, and unknown on paper.
    """

    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    node: int = 0
    host_network: bool = False
    service_account: str = "default"
    incarnation: int = 0
    first: tuple[FirstAttempt, ...] = ()
    workload: str = ""
    host_ports: tuple[tuple[Port, int], ...] = ()
    on_any_node: bool = False

    @property
    def id(self) -> str:
        return f"{self.namespace}/{self.name}"

    def port_number(self, target: int | str, protocol: str) -> int | None:
        """The number behind a Service's target: itself, or the container port of that name and protocol, if any."""
        if isinstance(target, int):
            return target
        return next((p.port for p in self.ports if (p.name, p.protocol) == (target, protocol)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """`target` is a container port number, or the name of one."""

    port: int
    target: int | str
    protocol: Protocol = "TCP"
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Where a Service without a selector leads: the id of a pod or outside host, and its ports, called like the
    Service's (EndpointSlice)."""

    to: str
    ports: tuple[Port, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A Service. With `node_port` it is of type NodePort with `externalTrafficPolicy: Local` unless told otherwise. One
    without a selector leads to `backends`. `external_name`: it is only another name for that one."""

    namespace: str
    name: str
    selector: Mapping[str, str]
    ports: tuple[ServicePort, ...]
    node_port: bool = False
    external_traffic_policy: Literal["Local", "Cluster"] = "Local"
    headless: bool = False
    backends: tuple[Backend, ...] = ()
    external_name: str = ""

    @property
    def id(self) -> str:
        return f"svc:{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """A peer outside the cluster: a source, a destination on its `ports`, or both."""

    name: str
    ports: tuple[Port, ...] = ()

    @property
    def id(self) -> str:
        return f"external:{self.name}"


API_SERVER = External(name="kube-apiserver", ports=(Port(port=6443, name="https"),))
"""The API server of a cluster of which nobody says where that is: on a node, or outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node as a source or destination of probes (its own network namespace)."""

    index: int

    @property
    def id(self) -> str:
        return f"node:{self.index}"


DNS_NAMESPACE = Namespace(name="kube-system")
DNS_PORTS = (Port(port=53, protocol="UDP", name="dns"), Port(port=53, protocol="TCP", name="dns-tcp"))
DNS_LABELS: Mapping[str, str] = {"k8s-app": "kube-dns"}
DNS_SERVICE = Service(
    namespace="kube-system",
    name="kube-dns",
    selector=DNS_LABELS,
    ports=(
        ServicePort(port=53, target="dns", protocol="UDP", name="dns"),
        ServicePort(port=53, target="dns-tcp", protocol="TCP", name="dns-tcp"),
    ),
)
"""The cluster's DNS. Every cluster has it and no topology lists it; its pods are in the Placement."""
DNS_POD = Pod(namespace=DNS_NAMESPACE.name, name="coredns", labels=DNS_LABELS, ports=DNS_PORTS)
"""A pod behind it, where no cluster tells which there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Everything that a scenario's probes can start from or go to. The cluster's DNS is always there beside it.
    `pod_ranges`: where pods' addresses are on paper, if that is known; a driver gives them its own."""

    namespaces: tuple[Namespace, ...] = ()
    pods: tuple[Pod, ...] = ()
    services: tuple[Service, ...] = ()
    externals: tuple[External, ...] = ()
    nodes: tuple[Node, ...] = ()
    pod_ranges: tuple[str, ...] = ()

    def namespace(self, name: str) -> Namespace:
        return next(namespace for namespace in self.namespaces if namespace.name == name)

    def pod(self, endpoint: str) -> Pod | None:
        return next((pod for pod in self.pods if pod.id == endpoint), None)

    def labels(self, endpoint: str) -> tuple[Mapping[str, str], Mapping[str, str]] | None:
        """A pod's own labels and its namespace's; None where there is no such pod."""
        pod = self.pod(endpoint)
        if pod is None:
            return None
        return pod.labels, next((n.labels for n in self.namespaces if n.name == pod.namespace), {})

    def service(self, endpoint: str) -> Service | None:
        if endpoint == DNS_SERVICE.id:
            return DNS_SERVICE
        return next((service for service in self.services if service.id == endpoint), None)

    def backends(self, service: Service) -> tuple[Pod, ...]:
        """The pods behind a Service, in the order of the topology."""
        wanted = service.selector.items()
        return tuple(
            pod for pod in self.pods if pod.namespace == service.namespace and wanted <= dict(pod.labels).items()
        )

    def endpoints(self) -> Iterator[str]:
        """The ids of all that can send a probe: pods, nodes, externals."""
        for group in (self.pods, self.nodes, self.externals):
            for endpoint in group:
                yield endpoint.id
