"""A service map's file, read into its value: names become the services and hosts that they mean, and one that leads
nowhere is an error at its line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from netproof.charts.mapfile import (
    DestinationEntry,
    MapFile,
    PeerEntry,
    PeerPodEntry,
    PortEntry,
    ServiceEntry,
    ServicePortEntry,
    SourceEntry,
)
from netproof.charts.servicemap import DEFAULT_BYSTANDER_PORTS, OUTSIDER, App, Arrow, PeerKind, ServiceMap
from netproof.errors import suggest
from netproof.manifests.validation import validate
from netproof.manifests.yaml_documents import Document, KeyPath, read_document
from netproof.model import External, Pod, Port

Head = ServiceEntry | PeerPodEntry | DestinationEntry | SourceEntry
"""Who an arrow may point to or come from, as the file has it."""


def load_map(path: Path | str) -> ServiceMap:
    """Read a service map. Raises InputError with file, line, key and the nearest name."""
    return read_map(read_document(path))


def read_map(document: Document) -> ServiceMap:
    return _Reader(document, validate(MapFile, document)).read()


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns the names of one file into values, and says where a name leads nowhere."""

    document: Document
    file: MapFile

    def read(self) -> ServiceMap:
        self._unique_names()
        services = tuple(self._app(index, entry) for index, entry in enumerate(self.file.services))
        apps = (*services, *(self._peer_app(entry) for entry in self.file.peers))
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
        lists: list[tuple[KeyPath, Sequence[ServiceEntry | PeerPodEntry | DestinationEntry | SourceEntry]]] = [
            (("services",), self.file.services),
            (("peers",), self.file.peers),
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
        services = {service.name for service in self.file.services}
        for index, peer in enumerate(self.file.peers):
            if peer.name in services:
                raise self.document.error(("peers", index, "name"), f"{peer.name!r} is a service of this map")
            self._unique_ports(("peers", index, "ports"), peer.ports)
        for index, destination in enumerate(external.destinations):
            self._unique_ports(("external", "destinations", index, "ports"), destination.ports)
        for index, bystander in enumerate(self.file.bystanders):
            self._unique_ports(("bystanders", index, "ports"), bystander.ports)

    def _unique_ports(self, path: KeyPath, entries: list[Any]) -> None:
        numbers: set[tuple[int, str]] = set()
        names: set[str] = set()
        carried: set[tuple[int, str]] = set()
        for index, entry in enumerate(entries):
            if (entry.port, entry.protocol) in numbers:
                raise self.document.error((*path, index), f"port {entry.port}/{entry.protocol} stands twice")
            service = getattr(entry, "service", False)
            if service is not False:
                number = (entry.port if service is True else service, entry.protocol)
                if number in carried:
                    raise self.document.error((*path, index), f"the Service has port {number[0]}/{number[1]} twice")
                carried.add(number)
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
        # True means what no list means: all ports of the Service.
        opened = entry.externalIngress
        listed = None if isinstance(opened, bool) else opened
        return App(
            name=entry.name,
            namespace=entry.namespace or self.file.namespace,
            labels=_app_labels(entry),
            ports=_ports(entry.ports),
            service_ports=_ports([port for port in entry.ports if port.service]),
            replicas=entry.replicas,
            ingress=self._arrows((*path, "ingressFrom"), entry.ingressFrom, head=entry),
            egress=self._arrows((*path, "egressTo"), entry.egressTo, head=None),
            external_ports=self._ports_of((*path, "externalIngress"), entry, listed) if opened else (),
            service_numbers=_service_numbers(entry.ports),
            node=entry.node,
        )

    def _peer_app(self, entry: PeerPodEntry) -> App:
        return App(
            name=entry.name,
            namespace=entry.namespace or self.file.namespace,
            labels=_app_labels(entry),
            ports=_ports(entry.ports),
            service_ports=_ports([port for port in entry.ports if port.service]),
            service_numbers=_service_numbers(entry.ports),
            is_peer=True,
            host_network=entry.hostNetwork,
            node=(entry.node or 0) if entry.hostNetwork else entry.node,
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

    def _peer(self, here: KeyPath, kind: PeerKind, name: str, *, source: bool) -> Head:
        external = self.file.external
        known: Sequence[Head]
        if kind == "app":
            known, what = [*self.file.services, *self.file.peers], "service"
        elif source:
            known, what = external.sources, "source in external.sources"
        else:
            known, what = external.destinations, "destination in external.destinations"
        found = next((entry for entry in known if entry.name == name), None)
        if found is None:
            named = (*here, kind) if (*here, kind) in self.document.lines else here
            raise self.document.error(named, f"no {what} is called {name!r}; {suggest(name, [e.name for e in known])}")
        return found

    def _ports_of(self, path: KeyPath, head: Head, wanted: list[int | str] | None) -> tuple[Port, ...]:
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
                    (*path, index), f"{head.name} has no port {reference!r}; {suggest(str(reference), known)}"
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
        placed: list[tuple[KeyPath, App]] = [(self._place(index), app) for index, app in enumerate(apps)]
        others: list[tuple[KeyPath, App | Pod]] = [*placed]
        others += [(("bystanders", index), pod) for index, pod in enumerate(bystanders)]
        for place, app in placed:
            if not app.labels:
                raise self.document.error((*place, "labels"), "without labels its Service selects nothing")
            for path, other in others:
                if other is not app and other.namespace == app.namespace and app.labels.items() <= other.labels.items():
                    raise self.document.error(
                        (*path, "labels"),
                        f"the labels of {app.name} select the pods of {other.name} too; make them differ",
                    )

    def _place(self, index: int) -> KeyPath:
        """Where the file has an app: among the services, or after them among the peers."""
        services = len(self.file.services)
        return ("services", index) if index < services else ("peers", index - services)

    def _unique_pods(self, apps: tuple[App, ...], bystanders: tuple[Pod, ...]) -> None:
        seen: dict[tuple[str, str], str] = {}
        for index, app in enumerate(apps):
            for name in app.pod_names():
                if (app.namespace, name) in seen:
                    raise self.document.error((*self._place(index), "name"), f"two pods would be called {name!r}")
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


def _service_numbers(entries: list[ServicePortEntry]) -> dict[Port, int]:
    ports = zip(_ports(entries), entries, strict=True)
    return {port: int(entry.service) for port, entry in ports if not isinstance(entry.service, bool)}


def _app_labels(entry: ServiceEntry | PeerPodEntry) -> dict[str, str]:
    return {"app": entry.name} if entry.labels is None else entry.labels


def _ports(entries: list[Any]) -> tuple[Port, ...]:
    return tuple(Port(port=entry.port, protocol=entry.protocol, name=entry.name) for entry in entries)
