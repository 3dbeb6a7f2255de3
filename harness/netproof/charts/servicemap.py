"""A service map as a value that the rest of this room works on; map_reader.py reads it from its file.

Nothing here knows of policies: what the map says is the intended matrix's only source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from netproof.model import External, Namespace, Node, Pod, Port, Service, ServicePort, Topology

OUTSIDER = "outsider"
"""The outside host that no list names: a source, and a destination on the ports of all declared destinations."""

DEFAULT_BYSTANDER_PORTS = (443, 5432)
"""An in-cluster web server and database of somebody else: what a too wide CIDR reaches by accident. The ports of the
map's external destinations come on top."""

PeerKind = Literal["app", "external"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """A peer (`kind`, `name`) and the ports of the arrow's head: the one who is reached."""

    kind: PeerKind
    name: str
    ports: tuple[Port, ...]
    line: int | None = None

    def covers(self, kind: str, name: str, port: int, protocol: str) -> bool:
        return (self.kind, self.name) == (kind, name) and any(
            (p.port, p.protocol) == (port, protocol) for p in self.ports
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A service of the map, or one of its peers (`is_peer`): somebody else's pod. `ingress` or `egress` None:
    unrestricted; empty: none. `ports` and `service_ports` are container ports. `node` None: where its turn is."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    ports: tuple[Port, ...]
    service_ports: tuple[Port, ...]
    replicas: int = 1
    ingress: tuple[Arrow, ...] | None = None
    egress: tuple[Arrow, ...] | None = None
    external_ports: tuple[Port, ...] = ()
    """Ports that outside sources are meant to reach."""
    open_to_namespace: tuple[Port, ...] = ()
    """Ports that every pod of the service's namespace is meant to reach, listed in the map or not."""
    service_numbers: Mapping[Port, int] = field(default_factory=dict)
    """Where the Service carries a container port under another number."""
    is_peer: bool = False
    host_network: bool = False
    node: int | None = None

    @property
    def id(self) -> str:
        return f"svc:{self.namespace}/{self.name}"

    def service_number(self, port: Port) -> int:
        """The number under which the Service carries this container port."""
        return self.service_numbers.get(port, port.port)

    def container_port(self, number: int, protocol: str) -> int:
        """The container port behind a port of the Service."""
        found = (p for p in self.service_ports if (self.service_number(p), p.protocol) == (number, protocol))
        return next((port.port for port in found), number)

    def pod_names(self) -> tuple[str, ...]:
        """One pod is called like its service; more have an index, since AWS matches policies by such prefixes."""
        if self.replicas == 1:
            return (self.name,)
        return tuple(f"{self.name}-{index}" for index in range(self.replicas))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceMap:
    """The map as a value. `apps` are its services, then its peers; `bystanders` are pods that it has no arrow for;
    `node` of all pods is set by `topology`."""

    name: str
    namespace: str
    apps: tuple[App, ...]
    destinations: tuple[External, ...]
    sources: tuple[str, ...]
    bystanders: tuple[Pod, ...]
    namespace_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def app(self, name: str) -> App:
        return next(app for app in self.apps if app.name == name)

    @property
    def services(self) -> tuple[App, ...]:
        """The apps without the peers."""
        return tuple(app for app in self.apps if not app.is_peer)

    @property
    def outside_sources(self) -> tuple[str, ...]:
        return (*self.sources, OUTSIDER)

    @property
    def outside_destinations(self) -> tuple[External, ...]:
        ports = dict.fromkeys(replace(port, name=None) for external in self.destinations for port in external.ports)
        return (*self.destinations, External(name=OUTSIDER, ports=tuple(ports)))

    def topology(self) -> Topology:
        """One pod a replica; they alternate between two nodes in the map's order, but for those whose node is given.
        Bystanders do so among themselves."""
        planned = [(app, name) for app in self.apps for name in app.pod_names()]
        apps = [
            Pod(
                namespace=app.namespace,
                name=name,
                labels=app.labels,
                ports=app.ports,
                node=index % 2 if app.node is None else app.node,
                host_network=app.host_network,
            )
            for index, (app, name) in enumerate(planned)
        ]
        others = (replace(pod, node=index % 2) for index, pod in enumerate(self.bystanders))
        pods = (*apps, *others)
        names = dict.fromkeys([self.namespace, *(pod.namespace for pod in pods)])
        return Topology(
            namespaces=tuple(Namespace(name=name, labels=self.namespace_labels.get(name, {})) for name in names),
            pods=pods,
            services=tuple(
                Service(
                    namespace=app.namespace,
                    name=app.name,
                    selector=app.labels,
                    ports=tuple(
                        ServicePort(port=app.service_number(p), target=p.port, protocol=p.protocol, name=p.name)
                        for p in app.service_ports
                    ),
                    node_port=not app.is_peer,
                )
                for app in self.apps
                if app.service_ports
            ),
            externals=self._externals(),
            nodes=(Node(index=0), Node(index=1)),
        )

    def _externals(self) -> tuple[External, ...]:
        named = {external.name: external for external in self.outside_destinations}
        for source in self.sources:
            named.setdefault(source, External(name=source))
        return tuple(named.values())
