"""Whether one rule means one end of a packet. A new kind of peer is a class in rules.py and a test here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from netproof.model.topology import Port, ServicePort, Topology
from netproof.policy.addresses import AddressClasses
from netproof.policy.decision import DirectionDecision
from netproof.policy.groups import Groups
from netproof.policy.rules import (
    AnyPeer,
    BothPeer,
    Entity,
    EntityPeer,
    NamePeer,
    NetworkPeer,
    OtherPeer,
    Peer,
    PodPeer,
    Policy,
    PortMatch,
    Requirement,
    Rule,
    Selector,
    ServicePeer,
    leaves,
)


class View(NamedTuple):
    """One way to see the far end of a packet: as a pod (`group`, None for what is no pod), by an `address` (a class),
    on a port. An ipBlock looks at `address`, `block_port` and `named` ports. `far` is what it is (None: not known),
    `names` its DNS names, `dialled` whether one of them was dialled. `behind` is the pod that a Service's address
    leads to."""

    group: int | None
    address: int
    port: int
    block_port: int
    named: bool = True
    far: frozenset[Entity] | None = None
    names: tuple[str, ...] = ()
    dialled: bool = False
    behind: View | None = None
    protocol: str = ""


NODES: frozenset[Entity] = frozenset(("own-node", "other-nodes"))

Test = Callable[[View], bool | None]
"""Whether a peer means a view; None where that is not known."""


class Compiled(NamedTuple):
    """A rule with the tests of its peers. `by_address`: the test looks at addresses, which Services may rewrite."""

    policy: Policy
    rule: Rule
    peers: tuple[tuple[Peer, Test, bool], ...] | None


class Match(NamedTuple):
    """How far a rule matches: `certain` or only perhaps, and the entries by which it does."""

    certain: bool
    peer: Peer | None
    place: int
    port: PortMatch | None


class Matcher:
    """Compiles rules for one topology, and matches them."""

    def __init__(self, groups: Groups, classes: AddressClasses, topology: Topology) -> None:
        self._groups, self._classes, self._topology = groups, classes, topology

    def compile(self, policy: Policy) -> list[Compiled]:
        return [Compiled(policy, rule, self._peers(rule)) for rule in policy.rules]

    def select(self, peer: PodPeer | ServicePeer) -> frozenset[int]:
        """The groups that are meant."""
        return self._groups.select(peer if isinstance(peer, PodPeer) else self._behind(peer))

    def distinguish(self, peers: Iterable[PodPeer | ServicePeer]) -> list[tuple[int, ...]]:
        """For each group which of these peers mean it."""
        chosen: list[list[int]] = [[] for _ in self._groups.groups]
        for place, peer in enumerate(peers):
            for member in self.select(peer):
                chosen[member].append(place)
        return [tuple(places) for places in chosen]

    def match(self, rule: Compiled, subject: int, view: View, protocol: str) -> Match | None:
        if rule.rule.subject is not None and subject not in self.select(rule.rule.subject):
            return None
        if rule.policy.sees_backends and view.behind is not None:
            view = view.behind
        if view.protocol != protocol:
            view = view._replace(protocol=protocol)
        owner = subject if rule.rule.direction == "ingress" else view.group
        names = () if owner is None else self._groups[owner].ports
        ports = rule.rule.ports
        port = _port(ports, protocol, view.port, names)
        fits = ports is None or port is not None
        if rule.peers is None:
            return Match(True, None, 0, port) if fits else None
        perhaps: Match | None = None
        for place, (peer, test, by_address) in enumerate(rule.peers):
            if by_address:
                port = _port(ports, protocol, view.block_port, names if view.named else ())
                fits = ports is None or port is not None
            held = fits and test(view)
            if held is True:
                return Match(True, peer, place, port)
            if held is None:
                perhaps = perhaps or Match(False, peer, place, port)
        return perhaps

    def _peers(self, rule: Rule) -> tuple[tuple[Peer, Test, bool], ...] | None:
        if rule.peers is None:
            return None
        return tuple(
            (peer, self._test(peer), any(isinstance(leaf, NetworkPeer) for leaf in leaves((peer,))))
            for peer in rule.peers
        )

    def _test(self, peer: Peer) -> Test:
        match peer:
            case PodPeer() | ServicePeer():
                return self._pods(peer)
            case NetworkPeer():
                return self._network(peer)
            case EntityPeer():
                entities = peer.entities
                # What is not known of a far end is only which node it is.
                of_nodes = True if entities >= NODES else None
                return lambda view: of_nodes if view.far is None else not entities.isdisjoint(view.far)
            case NamePeer():
                return _name(name_pattern(peer.pattern))
            case BothPeer() | AnyPeer() | OtherPeer():
                tests = [self._test(part) for part in peer.peers]
                together = TOGETHER[type(peer)]
                return lambda view: together([test(view) for test in tests])

    def _pods(self, peer: PodPeer | ServicePeer) -> Test:
        if isinstance(peer, ServicePeer) and peer.ports:
            led_to = self._led_to(peer)
            return lambda view: (view.group, view.port, view.protocol) in led_to
        members = self.select(peer)
        return lambda view: view.group in members

    def _network(self, peer: NetworkPeer) -> Test:
        holds = self._classes.holds
        if not peer.outside:
            return lambda view: holds(peer, view.address)
        return lambda view: _all(
            [None if view.far is None else "outside" in view.far, holds(peer, view.address)],
        )

    def _led_to(self, peer: ServicePeer) -> frozenset[tuple[int | None, int | None, str]]:
        """Group, port and protocol of each end that a Service leads to."""
        service = self._topology.service(f"svc:{peer.namespace}/{peer.name}")
        return frozenset(
            (member, port.target if isinstance(port.target, int) else self._port_of(member, port), port.protocol)
            for port in (service.ports if service else ())
            for member in self.select(peer)
        )

    def _port_of(self, member: int, port: ServicePort) -> int | None:
        return self._groups[member].port(str(port.target), port.protocol)

    def _behind(self, peer: ServicePeer) -> PodPeer:
        service = self._topology.service(f"svc:{peer.namespace}/{peer.name}")
        labels = service.selector if service else {}
        wanted = tuple(Requirement(key=key, operator="In", values=(value,)) for key, value in labels.items())
        # A Service that does not exist, or has no selector, has no pods.
        nobody = (Requirement(key="", operator="In"),)
        return PodPeer(pods=Selector(requirements=wanted or nobody), namespace=peer.namespace)


def _port(
    wanted: tuple[PortMatch, ...] | None, protocol: str, number: int, names: tuple[Port, ...]
) -> PortMatch | None:
    for match in wanted or ():
        if match.protocol != protocol:
            continue
        if match.name is not None:
            if any(port.name == match.name and (port.port, port.protocol) == (number, protocol) for port in names):
                return match
        elif match.first is None or match.first <= number <= (match.last or match.first):
            return match
    return None


def _name(pattern: re.Pattern[str]) -> Test:
    """An address that was not dialled by its name may have been learnt before; nobody knows."""

    def test(view: View) -> bool | None:
        named = any(pattern.fullmatch(name) for name in view.names)
        return named if view.dialled or not named else None

    return test


@lru_cache(maxsize=1024)
def name_pattern(pattern: str) -> re.Pattern[str]:
    """A matchPattern as an expression for names without the last dot (Cilium, matchpattern.go)."""
    text = pattern.lower().rstrip(".")
    if text == "*":
        return re.compile(r".*")
    any_depth = r"([-a-z0-9_]+\.)+" if text.startswith("**.") else ""
    rest = re.escape(text.removeprefix("**.")).replace(r"\*", "[-a-z0-9_]*")
    return re.compile(any_depth + rest)


def _all(found: Sequence[bool | None]) -> bool | None:
    return False if False in found else None if None in found else True


def _any(found: Sequence[bool | None]) -> bool | None:
    return True if True in found else None if None in found else False


def _none(found: Sequence[bool | None]) -> bool | None:
    held = _any(found)
    return None if held is None else not held


TOGETHER: Mapping[type[Peer], Callable[[Sequence[bool | None]], bool | None]] = {
    BothPeer: _all,
    AnyPeer: _any,
    OtherPeer: _none,
}
"""What a peer made of others means, from what they mean."""


def decide_by_rule(side: DirectionDecision, rule: Compiled, match: Match) -> DirectionDecision:
    """The side as this rule decides it."""
    direction, index = rule.rule.direction, rule.rule.index
    preposition = "from" if direction == "ingress" else "to"
    root = "spec" if rule.policy.place is None else f"specs[{rule.policy.place}]"
    at = f"{root}.{rule.rule.list_key or direction}[{index}]"
    place = f"[{match.place}]" if rule.rule.peers_listed else ""
    peer = f"{preposition} anywhere" if match.peer is None else f"{preposition} {match.peer}"
    return replace(
        side,
        allowed=rule.rule.action == "allow",
        policy=rule.policy.ref,
        rule=f"{rule.rule.list_key or direction} rule {index + 1} ({peer}, {match.port or 'every port'})",
        peer="" if match.peer is None else str(match.peer),
        at=at if match.peer is None else f"{at}.{rule.rule.peers_key or preposition}{place}",
    )
