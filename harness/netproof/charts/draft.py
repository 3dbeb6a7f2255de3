"""A first draft of a service map, derived from workloads, Services and policies. Every derived line says from what.

It holds what is there and what the policies allow, which is not yet what is meant: a person must review it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from netproof.charts.draft_entries import (
    APART,
    DraftEntry,
    draft_peers,
    draft_services,
    name_object,
    selected_keys,
    tell_apart,
)
from netproof.charts.draftpeers import UnknownPeer, find_peers, namespace_labels
from netproof.charts.map_reader import read_map
from netproof.charts.unmapped import build_topology
from netproof.errors import InputError
from netproof.manifests.yaml_documents import Located, parse_yaml
from netproof.model import External, Namespace, Port, Probe, Topology
from netproof.model.placement import place_on_paper
from netproof.policy import DirectionDecision, Evaluator, Policy, read_understood
from netproof.policy.rules import Direction

OUTSIDE = "outside"
"""The draft's name for outside hosts that the policies do not tell apart."""
KEYS: Mapping[Direction, str] = {"ingress": "ingressFrom", "egress": "egressTo"}

HEADER = """\
# A DRAFT, derived by `netproof map` from {source}.
# It says what is there and what the policies allow. That is not yet what is meant: a person must review every line
# that ends in "derived from", correct it, and then take the remark away. Until then a run against this map
# compares the policies with themselves.
"""


Arrow = tuple[str, tuple[Port, ...], str]
"""The peer's entry, the ports of who is reached, and the rules that allow it."""


def draft_map(objects: Sequence[Located], *, name: str, namespace: str, source: str) -> tuple[str, tuple[str, ...]]:
    """The map's text, which loads as a service map, and what the loaded map is warned of. `namespace` is that of
    objects that name none. Raises InputError when there is no workload."""
    topology = build_topology(objects, namespace)
    if not [pod for pod in topology.pods if not pod.host_network]:
        raise InputError("there is no workload here, and so no service for a map: give the workloads, too", file=source)
    read, unread = read_understood(objects)
    # Of two with one name the later counts.
    policies = list({(policy.ref, policy.place): policy for _, found in read for policy in found}.values())
    peers, unknown = find_peers(policies, topology)
    entries = tell_apart([*draft_services(topology, selected_keys(policies)), *draft_peers(peers, topology)])
    text = "".join(_lines(_Drawing.of(policies, topology, entries, unknown), name_object(name), source))
    try:
        (document,) = parse_yaml(text, "draft")
        return text, (
            *(f"{one.ref} is not understood, and not in the draft: {one.why}" for one in unread),
            *read_map(document).warnings,
        )
    except InputError as error:
        raise InputError(f"no service map can say this: {error}", file=source) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    """All that lines are written from. `none` are directions without restriction, by entry."""

    entries: Sequence[DraftEntry]
    topology: Topology
    namespace: str
    arrows: Mapping[Direction, Mapping[str, Sequence[Arrow] | None]]
    """Direction -> entry -> its arrows; None where no policy restricts it."""
    open_to_outside: Mapping[str, tuple[tuple[Port, ...], str]]
    """Entry -> its ports that outside addresses may reach, and the rules that admit them."""
    destinations: tuple[Port, ...]
    unknown: Sequence[UnknownPeer]

    @classmethod
    def of(
        cls,
        policies: Sequence[Policy],
        topology: Topology,
        entries: Sequence[DraftEntry],
        unknown: Sequence[UnknownPeer],
    ) -> _Drawing:
        invented = tuple(entry.pod for entry in entries if topology.pod(entry.pod.id) is None)
        numbers = dict.fromkeys(number for one in unknown for number in one.ports)
        ports = tuple(Port(port=number) for number in numbers)
        outsider = External(name=OUTSIDE, ports=ports)
        world = replace(
            topology,
            namespaces=topology.namespaces + _made_up(policies, topology),
            pods=topology.pods + invented,
            externals=(outsider,),
        )
        evaluator = Evaluator(policies, world, place_on_paper(world))
        decide = evaluator.decide
        arrows: dict[Direction, dict[str, Sequence[Arrow] | None]] = {"ingress": {}, "egress": {}}
        outside: dict[str, tuple[tuple[Port, ...], str]] = {}
        reached: dict[Port, None] = {}
        for entry in entries:
            if entry.is_peer:
                continue
            # The API leaves open whether selectors mean pods on a node's network: no arrow is derived from that.
            rest = [other for other in entries if other is not entry and not other.pod.host_network]
            if entry.second is not None:
                rest.append(replace(entry, pod=replace(entry.second, ports=entry.pod.ports)))
            into = [
                _arrow(other, [decide(_probe(other, entry, p)).ingress for p in entry.pod.ports], entry)
                for other in rest
            ]
            out = [
                _arrow(other, [decide(_probe(entry, other, p)).egress for p in other.pod.ports], other)
                for other in rest
            ]
            away = [decide(_away(entry, outsider, port)).egress for port in ports]
            beyond = _arrow(replace(entry, name=OUTSIDE), away, replace(entry, pod=replace(entry.pod, ports=ports)))
            admitted = [decide(_in(outsider, entry, port)).ingress for port in entry.pod.ports]
            at_all = decide(_in(outsider, entry, Port(port=1))).ingress
            if _restricts(at_all, *admitted) and not _opens_all(
                evaluator.governing("ingress", entry.pod.id, 4), "ingress"
            ):
                arrows["ingress"][entry.name] = [arrow for arrow in into if arrow]
                allowed = [(p, side) for p, side in zip(entry.pod.ports, admitted, strict=True) if side.allowed]
                if allowed:
                    outside[entry.name] = tuple(port for port, _ in allowed), _rules(side for _, side in allowed)
            else:
                arrows["ingress"][entry.name] = None
            at_all = decide(_away(entry, outsider, Port(port=1))).egress
            if _restricts(at_all, *away) and not _opens_all(evaluator.governing("egress", entry.pod.id, 4), "egress"):
                arrows["egress"][entry.name] = [arrow for arrow in (*out, beyond) if arrow]
                reached |= dict.fromkeys(beyond[1] if beyond else ())
            else:
                arrows["egress"][entry.name] = None
        common = Counter(entry.pod.namespace for entry in entries if not entry.is_peer).most_common(1)[0][0]
        return cls(
            entries=entries,
            topology=world,
            namespace=common,
            arrows=arrows,
            open_to_outside=outside,
            destinations=tuple(reached),
            unknown=unknown,
        )


def _made_up(policies: Sequence[Policy], topology: Topology) -> tuple[Namespace, ...]:
    known = {namespace.name for namespace in topology.namespaces}
    found = namespace_labels(policies).items()
    return tuple(Namespace(name=name, labels=labels) for name, labels in found if name not in known)


def _probe(source: DraftEntry, target: DraftEntry, port: Port) -> Probe:
    return Probe(source=source.pod.id, destination=target.pod.id, port=port.port, protocol=port.protocol)


def _away(source: DraftEntry, outside: External, port: Port) -> Probe:
    return Probe(source=source.pod.id, destination=outside.id, port=port.port, protocol=port.protocol, via="address")


def _in(outside: External, target: DraftEntry, port: Port) -> Probe:
    return Probe(source=outside.id, destination=target.pod.id, port=port.port, protocol=port.protocol)


def _arrow(peer: DraftEntry, sides: Sequence[DirectionDecision], reached: DraftEntry) -> Arrow | None:
    """`sides` belong to the ports of who is reached."""
    allowed = [(port, side) for port, side in zip(reached.pod.ports, sides, strict=True) if side.allowed]
    if not allowed:
        return None
    return peer.name, tuple(port for port, _ in allowed), _rules(side for _, side in allowed)


def _opens_all(policies: Sequence[Policy], direction: Direction) -> bool:
    """Whether a rule lets everything pass, where no other kind of rule can take it back: then nothing is restricted."""
    rules = [rule for policy in policies for rule in policy.rules if rule.direction == direction]
    return all(rule.action == "allow" for rule in rules) and any(
        rule.peers is None and rule.ports is None for rule in rules
    )


def _restricts(*sides: DirectionDecision) -> bool:
    return any(side.isolated or side.allowed is False for side in sides)


def _rules(sides: Iterable[DirectionDecision]) -> str:
    return "; ".join(dict.fromkeys(f"{side.policy}, {side.rule}" for side in sides if side.rule))


def _lines(drawing: _Drawing, name: str, source: str) -> Iterator[str]:
    yield HEADER.format(source=source)
    yield f"name: {_flow(name)}  # derived from how it was called\n"
    yield f"namespace: {_flow(drawing.namespace)}  # derived from most of its workloads\n"
    labelled = {one.name: dict(one.labels) for one in drawing.topology.namespaces if one.labels}
    if labelled:
        yield "namespaceLabels:\n"
        for namespace, labels in labelled.items():
            yield f"  {_flow(namespace)}: {_flow(labels)}  # derived from Namespace {namespace}, or a selector\n"
    yield "services:\n"
    for entry in drawing.entries:
        if not entry.is_peer:
            yield from _service(drawing, entry)
    peers = [entry for entry in drawing.entries if entry.is_peer]
    if peers:
        yield "peers:\n"
        for entry in peers:
            yield from _peer(drawing, entry)
    if drawing.destinations:
        ports = [_plain(port) for port in drawing.destinations]
        yield "external:\n  destinations:\n"
        yield f"    - {_flow({'name': OUTSIDE, 'ports': ports})}"
        yield "  # derived from rules to every address; name the hosts that are meant\n"
    shown = [one.text for one in drawing.unknown if one.shown]
    if shown:
        yield "# Not derived, since a map names hosts and not addresses. List those that are meant under `external`:\n"
        yield from (f"#   {text}\n" for text in dict.fromkeys(shown))


def _head(drawing: _Drawing, entry: DraftEntry) -> Iterator[str]:
    yield f"  - name: {_flow(entry.name)}  # derived from {entry.origin}\n"
    if entry.pod.namespace != drawing.namespace:
        yield f"    namespace: {_flow(entry.pod.namespace)}  # derived from {entry.origin}\n"
    added = f"; {APART} is not: without it these labels select other pods, too" if APART in entry.labels else ""
    yield f"    labels: {_flow(dict(entry.labels))}  # derived from its labels{added}\n"


def _service(drawing: _Drawing, entry: DraftEntry) -> Iterator[str]:
    yield from _head(drawing, entry)
    if not entry.pod.ports:
        yield "    ports: []  # derived from its containers, which declare none\n"
    else:
        yield "    ports:\n"
        for port in entry.pod.ports:
            carried = entry.carried[port]
            served = {} if carried == port.port and carried is not False else {"service": carried}
            how = "no Service carries it" if carried is False else "its Service carries it"
            yield f"      - {_flow({**_plain(port), **served})}  # derived from its containers; {how}\n"
    if entry.second is not None:
        yield "    replicas: 2  # derived from its workload, which may have several pods\n"
    for direction, key in KEYS.items():
        arrows = drawing.arrows[direction][entry.name]
        if arrows is None:
            yield f"    # {key} is absent: derived from the policies, none of which restricts its {direction}\n"
        elif not arrows:
            yield f"    {key}: []  # derived from the policies, which restrict its {direction} and let nobody pass\n"
        else:
            yield f"    {key}:\n"
            for peer, ports, rules in arrows:
                kind = "external" if peer == OUTSIDE else "app"
                references = [_reference(port, ports, _reached(drawing, entry, peer, direction)) for port in ports]
                yield f"      - {_flow({kind: peer, 'ports': references})}  # derived from {rules or 'the policies'}\n"
    if entry.name in drawing.open_to_outside:
        opened, rules = drawing.open_to_outside[entry.name]
        behind = {port for port in entry.pod.ports if entry.carried[port] is not False}
        listed = [_reference(port, opened, entry.pod.ports) for port in opened]
        yield f"    externalIngress: {_flow(True if behind == set(opened) else listed)}  # derived from {rules}\n"


def _peer(drawing: _Drawing, entry: DraftEntry) -> Iterator[str]:
    yield from _head(drawing, entry)
    if entry.pod.host_network:
        yield "    hostNetwork: true  # derived from its pod template\n"
    elif entry.pod.ports:
        yield f"    ports: {_flow([_plain(port) for port in entry.pod.ports])}  # derived from {entry.origin}\n"


def _reached(drawing: _Drawing, entry: DraftEntry, peer: str, direction: Direction) -> tuple[Port, ...]:
    if direction == "ingress":
        return entry.pod.ports
    return next((other.pod.ports for other in drawing.entries if other.name == peer), drawing.destinations)


def _reference(port: Port, allowed: Sequence[Port], known: Sequence[Port]) -> int | str:
    """A number means it under every protocol; where only one of them is allowed, a name says which."""
    shared = [one for one in known if one.port == port.port and one not in allowed]
    return port.name if shared and port.name else port.port


def _plain(port: Port) -> dict[str, Any]:
    name = {"name": port.name} if port.name else {}
    return {**name, "port": port.port, **({"protocol": port.protocol} if port.protocol != "TCP" else {})}


def _flow(value: Any) -> str:
    """On one line, quoted where YAML would read something else."""
    return yaml.safe_dump([value], default_flow_style=True, width=10**6, sort_keys=False).strip()[1:-1]
