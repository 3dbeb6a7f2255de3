"""Faults of ports: numbers, ranges, names and protocols."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import get_args

from netproof.drivers.reference.faults.changes import Fault, Policies, Scene, of_ports, of_rules
from netproof.model.topology import Protocol
from netproof.policy.rules import PortMatch

PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)


def _of_first_pod(policies: Policies, scene: Scene) -> Policies:
    def numbers(match: PortMatch) -> Iterator[PortMatch]:
        if match.name is None:
            yield match
            return
        for pod in scene.topology.pods:
            for port in pod.ports:
                if (port.name, port.protocol) == (match.name, match.protocol):
                    yield PortMatch(protocol=match.protocol, first=port.port, last=port.port)
                    return

    return of_ports(lambda match: list(numbers(match)))(policies, scene)


def _of_any_pod(policies: Policies, scene: Scene) -> Policies:
    def numbers(match: PortMatch) -> list[PortMatch]:
        if match.name is None:
            return [match]
        found = {
            p.port
            for pod in scene.topology.pods
            for p in pod.ports
            if (p.name, p.protocol) == (match.name, match.protocol)
        }
        return [PortMatch(protocol=match.protocol, first=number, last=number) for number in sorted(found)]

    return of_ports(numbers)(policies, scene)


def _exclusive(match: PortMatch) -> Sequence[PortMatch]:
    if match.first is None or match.last is None or match.first == match.last:
        return [match]
    return [replace(match, last=match.last - 1)]


def _swapped(match: PortMatch, old: Protocol, new: Protocol) -> Sequence[PortMatch]:
    return [replace(match, protocol=new) if match.protocol == old else match]


FAULTS: dict[str, Fault] = {
    "end-port-exclusive": Fault(says="endPort is no part of the range", policies=of_ports(_exclusive)),
    "end-port-open": Fault(
        says="a range has no end",
        policies=of_ports(lambda m: [replace(m, last=65535) if m.first != m.last else m]),
    ),
    "first-port-only": Fault(
        says="only the first port of a rule counts",
        policies=of_rules(lambda rule, _: replace(rule, ports=rule.ports[:1] if rule.ports else rule.ports)),
    ),
    "ignore-end-port": Fault(says="endPort is ignored", policies=of_ports(lambda m: [replace(m, last=m.first)])),
    "ignore-ports": Fault(says="ports are ignored", policies=of_rules(lambda rule, _: replace(rule, ports=None))),
    "ignore-protocol": Fault(
        says="protocols are ignored",
        policies=of_ports(lambda match: [replace(match, protocol=protocol) for protocol in PROTOCOLS]),
    ),
    "named-port-any-number": Fault(
        says="a named port means every port",
        policies=of_ports(lambda m: [PortMatch(protocol=m.protocol) if m.name else m]),
    ),
    "named-port-ignored": Fault(
        says="named ports mean no port", policies=of_ports(lambda match: [] if match.name else [match])
    ),
    "named-port-of-any-pod": Fault(
        says="a named port is every number that some pod gives the name", policies=_of_any_pod
    ),
    "named-port-of-any-protocol": Fault(
        says="a named port is looked up whatever its protocol",
        policies=of_ports(lambda m: [replace(m, protocol=p) for p in PROTOCOLS] if m.name else [m]),
    ),
    "named-port-of-first-pod": Fault(
        says="the first pod that has a port of the name decides its number for all", policies=_of_first_pod
    ),
    "no-ports-as-none": Fault(
        says="a rule without ports allows none",
        policies=of_rules(lambda rule, _: replace(rule, ports=()) if rule.ports is None else rule),
    ),
    "no-number-as-none": Fault(
        says="a protocol without a port means no port",
        policies=of_ports(lambda match: [] if match.first is None and match.name is None else [match]),
    ),
    "port-from-there-on": Fault(
        says="a port means all from it on",
        policies=of_ports(lambda m: [replace(m, last=65535) if m.first is not None else m]),
    ),
    "sctp-as-tcp": Fault(says="SCTP is read as TCP", policies=of_ports(lambda m: _swapped(m, "SCTP", "TCP"))),
    "udp-as-tcp": Fault(says="UDP is read as TCP", policies=of_ports(lambda m: _swapped(m, "UDP", "TCP"))),
}
