"""A service map as its author writes it (YAML), and as a value that the rest of this room works on.

Nothing here knows of policies: what the map says is the intended matrix's only source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, model_validator

from harness.files import Document, KeyPath, Strict, nearest, read_one, validate
from harness.model import External, Namespace, Node, Pod, Port, Service, ServicePort, Topology
from harness.model.topology import Protocol

OUTSIDER = "outsider"
"""The outside host that no list names: a source, and a destination on the ports of all declared destinations."""

DEFAULT_BYSTANDER_PORTS = (443, 5432)
"""An in-cluster web server and database of somebody else: what a too wide CIDR reaches by accident. The ports of the
map's external destinations come on top."""


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", value):
        raise ValueError(
            f"{value!r} cannot name an object: lower-case letters, digits and '-', starting with a letter, at most 63"
        )
    return value


def _port_name(value: str) -> str:
    if not re.fullmatch(r"(?=.*[a-z])[a-z0-9](-?[a-z0-9])*", value) or len(value) > 15:
        raise ValueError(f"{value!r} cannot name a port: lower-case letters, digits and '-', at most 15")
    return value


def _port_number(value: object) -> object:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
        raise ValueError(f"a port number from 1 to 65535 is expected (got {value!r})")
    return value


def _port_reference(value: object) -> object:
    return value if isinstance(value, str) else _port_number(value)


def _labels(value: dict[str, str]) -> dict[str, str]:
    for key, text in value.items():
        prefix, _, word = key.rpartition("/")
        good = re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", word)
        if not good or len(prefix) > 253 or not re.fullmatch(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", text):
            raise ValueError(f"{key!r}: {text!r} is not a label that Kubernetes accepts")
    return value


def _port_as_mapping(value: object) -> object:
    return value if isinstance(value, dict) else {"port": value}


def _destination_as_mapping(value: object) -> object:
    """`s3:443` and `s3` are short for `{external: s3, ports: [443]}` and `{external: s3}`."""
    if not isinstance(value, str):
        return value
    name, colon, port = value.partition(":")
    if not colon:
        return {"external": name}
    return {"external": name, "ports": [int(port) if port.isdecimal() else port]}


def _source_as_mapping(value: object) -> object:
    if isinstance(value, str):
        raise ValueError(f"write {{app: {value}}} for a service, or {{external: {value}}} for an outside source")
    return value


Name = Annotated[str, AfterValidator(_name)]
PortName = Annotated[str, AfterValidator(_port_name)]
PortNumber = Annotated[int, BeforeValidator(_port_number)]
PortReference = Annotated[int | str, BeforeValidator(_port_reference)]
Labels = Annotated[dict[str, str], AfterValidator(_labels)]


class PortEntry(Strict):
    name: PortName | None = None
    port: PortNumber
    protocol: Protocol = "TCP"


class ServicePortEntry(PortEntry):
    service: StrictBool = True
    """False: a container port that the Service does not carry; it is reached by pod address only."""


AnyPort = Annotated[PortEntry, BeforeValidator(_port_as_mapping)]
AnyServicePort = Annotated[ServicePortEntry, BeforeValidator(_port_as_mapping)]


class PeerEntry(Strict):
    """The other end of an arrow. Absent `ports`: all ports of the Service or external destination that is reached."""

    app: str | None = None
    external: str | None = None
    ports: Annotated[list[PortReference], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_peer(self) -> PeerEntry:
        if (self.app is None) == (self.external is None):
            raise ValueError("name one peer: either `app` or `external`")
        return self


class ServiceEntry(Strict):
    name: Name
    namespace: Name | None = None
    labels: Labels | None = None
    ports: list[AnyServicePort]
    replicas: Annotated[int, Field(strict=True, ge=1, le=50)] = 1
    ingressFrom: list[Annotated[PeerEntry, BeforeValidator(_source_as_mapping)]] | None = None
    egressTo: list[Annotated[PeerEntry, BeforeValidator(_destination_as_mapping)]] | None = None
    externalIngress: StrictBool = False


class DestinationEntry(Strict):
    name: Name
    ports: Annotated[list[AnyPort], Field(min_length=1)]


class SourceEntry(Strict):
    name: Name


class ExternalEntry(Strict):
    destinations: list[DestinationEntry] = Field(default_factory=list)
    sources: list[SourceEntry] = Field(default_factory=list)


class BystanderEntry(Strict):
    name: Name
    namespace: Name | None = None
    labels: Labels = Field(default_factory=dict)
    ports: list[AnyPort] = Field(default_factory=list)


class MapFile(Strict):
    """A service map's file."""

    name: Name
    namespace: Name
    namespaceLabels: dict[Name, Labels] = Field(default_factory=dict)
    services: Annotated[list[ServiceEntry], Field(min_length=1)]
    external: ExternalEntry = Field(default_factory=ExternalEntry)
    bystanders: list[BystanderEntry] = Field(default_factory=list)


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
    """A service of the map. `ingress` or `egress` None: unrestricted; empty: none."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    ports: tuple[Port, ...]
    service_ports: tuple[Port, ...]
    replicas: int = 1
    ingress: tuple[Arrow, ...] | None = None
    egress: tuple[Arrow, ...] | None = None
    external_ingress: bool = False
    open_to_namespace: tuple[Port, ...] = ()
    """Ports that every pod of the service's namespace is meant to reach, listed in the map or not."""

    @property
    def id(self) -> str:
        return f"svc:{self.namespace}/{self.name}"

    def pod_names(self) -> tuple[str, ...]:
        """One pod is called like its service; more have an index, since AWS matches policies by such prefixes."""
        if self.replicas == 1:
            return (self.name,)
        return tuple(f"{self.name}-{index}" for index in range(self.replicas))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceMap:
    """The map as a value. `bystanders` are pods that it has no arrow for; `node` of all pods is set by `topology`."""

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
    def outside_sources(self) -> tuple[str, ...]:
        return (*self.sources, OUTSIDER)

    @property
    def outside_destinations(self) -> tuple[External, ...]:
        ports = dict.fromkeys(replace(port, name=None) for external in self.destinations for port in external.ports)
        return (*self.destinations, External(name=OUTSIDER, ports=tuple(ports)))

    def topology(self) -> Topology:
        """One pod a replica; pods alternate between two nodes in the map's order."""
        planned = [
            Pod(namespace=app.namespace, name=name, labels=app.labels, ports=app.ports)
            for app in self.apps
            for name in app.pod_names()
        ]
        pods = tuple(replace(pod, node=index % 2) for index, pod in enumerate([*planned, *self.bystanders]))
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
                        ServicePort(port=p.port, target=p.port, protocol=p.protocol, name=p.name)
                        for p in app.service_ports
                    ),
                    node_port=True,
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


def load_map(path: Path | str) -> ServiceMap:
    """Read a service map. Raises InputError with file, line, key and the nearest name."""
    return read_map(read_one(path))


def read_map(document: Document) -> ServiceMap:
    return _Reader(document, validate(MapFile, document)).read()


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns the names of one file into values, and says where a name leads nowhere."""

    document: Document
    file: MapFile

    def read(self) -> ServiceMap:
        self._unique_names()
        apps = tuple(self._app(index, entry) for index, entry in enumerate(self.file.services))
        bystanders = self._bystanders(apps)
        self._unique_pods(apps, bystanders)
        self._unique_labels(apps, bystanders)
        return ServiceMap(
            name=self.file.name,
            namespace=self.file.namespace,
            apps=apps,
            destinations=tuple(
                External(name=entry.name, ports=_ports(entry.ports)) for entry in self.file.external.destinations
            ),
            sources=tuple(entry.name for entry in self.file.external.sources),
            bystanders=bystanders,
            namespace_labels=self.file.namespaceLabels,
            warnings=self._one_sided(apps),
        )

    def _unique_names(self) -> None:
        external = self.file.external
        lists: list[tuple[KeyPath, Sequence[ServiceEntry | DestinationEntry | SourceEntry]]] = [
            (("services",), self.file.services),
            (("external", "destinations"), external.destinations),
            (("external", "sources"), external.sources),
        ]
        for path, entries in lists:
            seen: set[str] = set()
            for index, entry in enumerate(entries):
                here: KeyPath = (*path, index, "name")
                if entry.name in seen:
                    raise self.document.error(here, f"{entry.name!r} stands twice in this list")
                if path[0] == "external" and entry.name == OUTSIDER:
                    raise self.document.error(
                        here, f"{OUTSIDER!r} is the outside host that no map lists; choose another"
                    )
                if path[0] == "services" and entry.name == "global":
                    raise self.document.error(here, "'global' is a block of the values; choose another name")
                seen.add(entry.name)
        for index, service in enumerate(self.file.services):
            self._unique_ports(("services", index, "ports"), service.ports)
        for index, destination in enumerate(external.destinations):
            self._unique_ports(("external", "destinations", index, "ports"), destination.ports)
        for index, bystander in enumerate(self.file.bystanders):
            self._unique_ports(("bystanders", index, "ports"), bystander.ports)

    def _unique_ports(self, path: KeyPath, entries: list[Any]) -> None:
        numbers: set[tuple[int, str]] = set()
        names: set[str] = set()
        for index, entry in enumerate(entries):
            if (entry.port, entry.protocol) in numbers:
                raise self.document.error((*path, index), f"port {entry.port}/{entry.protocol} stands twice")
            if entry.name in names:
                raise self.document.error((*path, index, "name"), f"the port name {entry.name!r} stands twice")
            numbers.add((entry.port, entry.protocol))
            names.update([entry.name] if entry.name else [])

    def _app(self, index: int, entry: ServiceEntry) -> App:
        path: KeyPath = ("services", index)
        if entry.externalIngress and entry.ingressFrom is None:
            raise self.document.error(
                (*path, "externalIngress"),
                "says nothing while `ingressFrom` is absent (unrestricted); list ingressFrom, [] for no pod",
            )
        return App(
            name=entry.name,
            namespace=entry.namespace or self.file.namespace,
            labels=_app_labels(entry),
            ports=_ports(entry.ports),
            service_ports=_ports([port for port in entry.ports if port.service]),
            replicas=entry.replicas,
            ingress=self._arrows((*path, "ingressFrom"), entry.ingressFrom, head=entry),
            egress=self._arrows((*path, "egressTo"), entry.egressTo, head=None),
            external_ingress=entry.externalIngress,
        )

    def _arrows(
        self, path: KeyPath, entries: list[PeerEntry] | None, *, head: ServiceEntry | None
    ) -> tuple[Arrow, ...] | None:
        """`head`: the service that all these arrows point to (ingressFrom), or None when each points to its peer."""
        if entries is None:
            return None
        arrows = []
        for index, entry in enumerate(entries):
            here = (*path, index)
            kind: PeerKind = "app" if entry.app is not None else "external"
            peer = self._peer(here, kind, entry.app or entry.external or "", source=head is not None)
            ports = self._ports_of((*here, "ports"), head or peer, entry.ports)
            arrows.append(Arrow(kind=kind, name=peer.name, ports=ports, line=self.document.line(here)))
        return tuple(arrows)

    def _peer(
        self, here: KeyPath, kind: PeerKind, name: str, *, source: bool
    ) -> ServiceEntry | DestinationEntry | SourceEntry:
        external = self.file.external
        known: Sequence[ServiceEntry | DestinationEntry | SourceEntry]
        if kind == "app":
            known, what = self.file.services, "service"
        elif source:
            known, what = external.sources, "source in external.sources"
        else:
            known, what = external.destinations, "destination in external.destinations"
        found = next((entry for entry in known if entry.name == name), None)
        if found is None:
            named = (*here, kind) if (*here, kind) in self.document.lines else here
            raise self.document.error(named, f"no {what} is called {name!r}; {nearest(name, [e.name for e in known])}")
        return found

    def _ports_of(
        self, path: KeyPath, head: ServiceEntry | DestinationEntry | SourceEntry, wanted: list[int | str] | None
    ) -> tuple[Port, ...]:
        entries = [] if isinstance(head, SourceEntry) else list(head.ports)
        if wanted is None:
            return _ports([port for port in entries if not isinstance(port, ServicePortEntry) or port.service])
        found: list[PortEntry] = []
        for index, reference in enumerate(wanted):
            matching = [port for port in entries if reference in (port.port, port.name)]
            if not matching:
                known = [
                    str(port.name or port.port) if isinstance(reference, str) else str(port.port) for port in entries
                ]
                raise self.document.error(
                    (*path, index), f"{head.name} has no port {reference!r}; {nearest(str(reference), known)}"
                )
            found += [port for port in matching if port not in found]
        return _ports(found)

    def _bystanders(self, apps: tuple[App, ...]) -> tuple[Pod, ...]:
        if self.file.bystanders:
            return tuple(
                Pod(
                    namespace=entry.namespace or self.file.namespace,
                    name=entry.name,
                    labels=entry.labels or {"app": entry.name},
                    ports=_ports(entry.ports),
                )
                for entry in self.file.bystanders
            )
        outside = [replace(port, name=None) for d in self.file.external.destinations for port in _ports(d.ports)]
        ports = tuple(dict.fromkeys([*(Port(port=number) for number in DEFAULT_BYSTANDER_PORTS), *outside]))
        taken = {name for app in apps for name in app.pod_names()} | {app.labels.get("app", "") for app in apps}
        stranger = next(name for name in ("stranger", *(f"stranger-{n}" for n in range(2, 99))) if name not in taken)
        admitted = next((arrow.name for app in apps for arrow in app.ingress or () if arrow.kind == "app"), None)
        # With the labels of somebody who is let in, the neighbour also shows a selector that forgets namespaces.
        labels = next((app.labels for app in apps if app.name == admitted), {"app": "neighbour"})
        other = f"{self.file.namespace[:53].rstrip('-')}-neighbour"
        return (
            Pod(namespace=self.file.namespace, name=stranger, labels={"app": stranger}, ports=ports),
            Pod(namespace=other, name="neighbour", labels=labels, ports=ports),
        )

    def _unique_labels(self, apps: tuple[App, ...], bystanders: tuple[Pod, ...]) -> None:
        others: list[tuple[KeyPath, App | Pod]] = [(("services", index), app) for index, app in enumerate(apps)]
        others += [(("bystanders", index), pod) for index, pod in enumerate(bystanders)]
        for index, app in enumerate(apps):
            if not app.labels:
                raise self.document.error(("services", index, "labels"), "without labels its Service selects nothing")
            for path, other in others:
                if other is not app and other.namespace == app.namespace and app.labels.items() <= other.labels.items():
                    raise self.document.error(
                        (*path, "labels"),
                        f"the labels of {app.name} select the pods of {other.name} too; make them differ",
                    )

    def _unique_pods(self, apps: tuple[App, ...], bystanders: tuple[Pod, ...]) -> None:
        seen: dict[tuple[str, str], str] = {}
        for index, app in enumerate(apps):
            for name in app.pod_names():
                if (app.namespace, name) in seen:
                    raise self.document.error(("services", index, "name"), f"two pods would be called {name!r}")
                seen[app.namespace, name] = app.name
        for index, pod in enumerate(bystanders):
            if (pod.namespace, pod.name) in seen:
                raise self.document.error(("bystanders", index, "name"), f"two pods would be called {pod.name!r}")
            seen[pod.namespace, pod.name] = pod.name

    def _one_sided(self, apps: tuple[App, ...]) -> tuple[str, ...]:
        """Arrows that one end lists and the other end, being restricted, does not: such a pair is not intended."""
        by_name = {app.name: app for app in apps}
        found = []
        for app in apps:
            for arrow in app.egress or ():
                for port in arrow.ports if arrow.kind == "app" else ():
                    target = by_name[arrow.name]
                    if target.ingress is not None and not _listed(target.ingress, app.name, port):
                        found.append(
                            f"{self.document.file}:{arrow.line}: {app.name} lists egress to {target.name}:{port.port}, "
                            f"but ingressFrom of {target.name} does not list {app.name}: not intended"
                        )
            for arrow in app.ingress or ():
                for port in arrow.ports if arrow.kind == "app" else ():
                    source = by_name[arrow.name]
                    if source.egress is not None and not _listed(source.egress, app.name, port):
                        found.append(
                            f"{self.document.file}:{arrow.line}: {app.name}:{port.port} admits {source.name}, but "
                            f"egressTo of {source.name} does not list it: not intended"
                        )
        return tuple(found)


def _listed(arrows: tuple[Arrow, ...], name: str, port: Port) -> bool:
    return any(arrow.covers("app", name, port.port, port.protocol) for arrow in arrows)


def _app_labels(entry: ServiceEntry) -> dict[str, str]:
    return {"app": entry.name} if entry.labels is None else entry.labels


def _ports(entries: list[Any]) -> tuple[Port, ...]:
    return tuple(Port(port=entry.port, protocol=entry.protocol, name=entry.name) for entry in entries)
