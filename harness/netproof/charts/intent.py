"""The intended matrix: every cell that a map is asked about, and what its table wants of each.

It reads the map alone. A policy, a values file or a rule that a chart renders never reaches this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from netproof.charts.servicemap import App, Arrow, ServiceMap
from netproof.manifests.load import Directions
from netproof.model import Intent, Matrix, Port, Probe
from netproof.model.topology import DNS_PORTS, DNS_SERVICE


def add_telemetry(service_map: ServiceMap, collector: str, port: int) -> ServiceMap:
    """The map of a chart that sends telemetry to one of its own services: each app reaches it, and it admits every pod
    of its namespace."""
    head = tuple(p for p in service_map.app(collector).ports if (p.port, p.protocol) == (port, "TCP"))
    arrow = Arrow(kind="app", name=collector, ports=head)

    def widen(app: App) -> App:
        egress = None if app.egress is None else (*app.egress, arrow)
        return replace(app, egress=egress, open_to_namespace=head if app.name == collector else ())

    return replace(service_map, apps=tuple(widen(app) for app in service_map.apps))


def build_intended(service_map: ServiceMap, side: Directions = "both", *, restricted: bool = True) -> Matrix[Intent]:
    """What the map wants. Side `ingress` asks only whether the destination lists the source, `egress` only whether the
    source lists the destination. Not `restricted` (a chart's policies are switched off): nothing is meant to be denied.
    """
    table = _IntentTable.of(service_map)
    return Matrix(
        {
            probe: Intent.CONNECTED if not restricted or table.wants(probe, side) else Intent.DENIED
            for probe in list_probes(service_map)
        }
    )


def list_probes(service_map: ServiceMap) -> Iterator[Probe]:
    """The cells of a map, in a fixed order. No pod is asked about itself, neither directly nor by its own Service."""
    pods = _pods(service_map)
    for app in service_map.apps:
        for source in app.pod_names():
            yield from _from_app(service_map, app, f"{app.namespace}/{source}")
    for bystander in service_map.bystanders:
        for app in service_map.services:
            yield from _to_app(bystander.id, app)
    for name in service_map.outside_sources:
        for app in service_map.services:
            for port in app.service_ports:
                yield Probe(
                    source=f"external:{name}",
                    destination=app.id,
                    port=app.service_number(port),
                    protocol=port.protocol,
                    via="nodeport",
                )
    for node in ("node:0", "node:1"):
        for pod, app in pods.items():
            for port in app.ports if not app.is_peer else ():
                yield Probe(source=node, destination=pod, port=port.port, protocol=port.protocol)


def _from_app(service_map: ServiceMap, app: App, source: str) -> Iterator[Probe]:
    for target in service_map.services if app.is_peer else service_map.apps:
        yield from _to_app(source, target, by_service=target is not app)
    if app.is_peer:
        return
    for bystander in service_map.bystanders:
        for port in bystander.ports:
            yield Probe(source=source, destination=bystander.id, port=port.port, protocol=port.protocol)
    for external in service_map.outside_destinations:
        for port in external.ports:
            yield Probe(source=source, destination=external.id, port=port.port, protocol=port.protocol, via="address")
    for port in DNS_PORTS:
        yield Probe(
            source=source,
            destination=DNS_SERVICE.id,
            port=port.port,
            protocol=port.protocol,
            via="service",
            kind="lookup",
        )


def _to_app(source: str, app: App, *, by_service: bool = True) -> Iterator[Probe]:
    for name in app.pod_names():
        pod = f"{app.namespace}/{name}"
        if pod != source:
            for port in app.ports:
                yield Probe(source=source, destination=pod, port=port.port, protocol=port.protocol)
    for port in app.service_ports if by_service else ():
        number = app.service_number(port)
        yield Probe(source=source, destination=app.id, port=number, protocol=port.protocol, via="service")


@dataclass(frozen=True, slots=True)
class _IntentTable:
    """The map's table, indexed by the ids that probes use."""

    apps: Mapping[str, App]
    """Pod ids and Service ids."""
    bystanders: Mapping[str, str]
    """Pod id -> namespace."""
    hosts: Mapping[str, tuple[App, ...]]
    """Node id -> the peers on that node's own network, whose address is the node's."""

    @classmethod
    def of(cls, service_map: ServiceMap) -> _IntentTable:
        return cls(
            {**_pods(service_map), **{app.id: app for app in service_map.apps}},
            {pod.id: pod.namespace for pod in service_map.bystanders},
            {
                f"node:{index}": tuple(app for app in service_map.apps if app.host_network and app.node == index)
                for index in (0, 1)
            },
        )

    def wants(self, probe: Probe, side: Directions) -> bool:
        source, target = self.apps.get(probe.source), self.apps.get(probe.destination)
        if target is not None and probe.via in ("service", "nodeport"):
            probe = replace(probe, port=target.container_port(probe.port, probe.protocol))
        leaves = source is None or _leaves(source, target, probe)
        enters = target is None or self._enters(source, target, probe)
        return {"both": leaves and enters, "egress": leaves, "ingress": enters}[side]

    def _enters(self, source: App | None, target: App, probe: Probe) -> bool:
        if target.ingress is None:
            return True
        namespace = source.namespace if source else self.bystanders.get(probe.source)
        if namespace is None:
            # A node counts as outside: behind `externalTrafficPolicy: Cluster` outside traffic arrives from one.
            if _has(target.external_ports, probe):
                return True
            if any(self._enters(host, target, probe) for host in self.hosts.get(probe.source, ())):
                return True
            kind, name = "external", probe.source.removeprefix("external:")
        else:
            if namespace == target.namespace and _has(target.open_to_namespace, probe):
                return True
            kind, name = "app", source.name if source else ""
        return any(arrow.covers(kind, name, probe.port, probe.protocol) for arrow in target.ingress)


def _leaves(source: App, target: App | None, probe: Probe) -> bool:
    if source.egress is None or probe.destination == DNS_SERVICE.id:
        return True
    kind, name = ("app", target.name) if target else ("external", probe.destination.removeprefix("external:"))
    return any(arrow.covers(kind, name, probe.port, probe.protocol) for arrow in source.egress)


def _has(ports: tuple[Port, ...], probe: Probe) -> bool:
    return any((port.port, port.protocol) == (probe.port, probe.protocol) for port in ports)


def _pods(service_map: ServiceMap) -> dict[str, App]:
    return {f"{app.namespace}/{name}": app for app in service_map.apps for name in app.pod_names()}
