"""What a world offers to policies: labels and near misses, ports, addresses as placeholders. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from netproof.catalogue import topologies
from netproof.model import Probe, Topology

NEAR_KEYS = ("app", "pods")
NEAR_VALUES = ("other", "A")
"""Keys and values that nobody has: selectors by them must select nobody, or everybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """`pod_labels` and `space_labels`: key -> the values that exist. `ports`: number, protocol and name of each."""

    name: str
    topology: Topology
    pod_labels: Mapping[str, Sequence[str]]
    space_labels: Mapping[str, Sequence[str]]
    ports: tuple[tuple[int, str, str | None], ...]

    @property
    def namespaces(self) -> list[str]:
        return [namespace.name for namespace in self.topology.namespaces]

    @property
    def pods(self) -> list[str]:
        return [pod.id for pod in self.topology.pods]

    @property
    def externals(self) -> list[str]:
        return [external.id for external in self.topology.externals]


@cache
def load_vocabulary(name: str) -> Vocabulary:
    """The vocabulary of a world of the catalogue."""
    topology = topologies.load_topology(name)
    ports = {(port.port, port.protocol, port.name) for pod in topology.pods for port in pod.ports}
    return Vocabulary(
        name=name,
        topology=topology,
        pod_labels=_labels([pod.labels for pod in topology.pods]),
        space_labels=_labels([namespace.all_labels for namespace in topology.namespaces]),
        ports=tuple(sorted(ports, key=lambda port: (port[0], port[1], port[2] or ""))),
    )


def _labels(each: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for labels in each:
        for key, value in labels.items():
            values = found.setdefault(key, [])
            if value not in values:
                values.append(value)
    return found


@cache
def list_probes(name: str) -> tuple[Probe, ...]:
    """What is asked of a world: every pod to every other on its TCP and UDP ports, to Services and peers outside, and
    from the nodes. SCTP is left out: not every machine has it."""
    world = topologies.load_topology(name)
    found = []
    for pod in world.pods:
        ports = [
            port for port in pod.ports if port.protocol != "SCTP" and not (port.protocol == "UDP" and port.port == 81)
        ]
        for source in world.pods:
            if source.id != pod.id:
                found += [
                    Probe(source=source.id, destination=pod.id, port=port.port, protocol=port.protocol)
                    for port in ports
                ]
        found += [Probe(source=node.id, destination=pod.id, port=ports[0].port) for node in world.nodes]
    for service in world.services:
        own = {pod.id for pod in world.backends(service)}
        found += [
            Probe(source=pod.id, destination=service.id, port=service.ports[0].port, via="service")
            for pod in world.pods
            if pod.id not in own
        ]
    for external in world.externals:
        found += [
            Probe(source=pod.id, destination=external.id, port=80, protocol=protocol, via="address")
            for pod in world.pods
            for protocol in ("TCP", "UDP")
        ]
    return tuple(found)
