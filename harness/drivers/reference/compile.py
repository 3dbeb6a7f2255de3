"""Policies on a topology -> one nftables table, loaded in one transaction. Pure. Services are in nat.py, in a table of
their own, which changes only with the topology.

Two base chains see each forwarded packet after Services were translated: first the source's egress, then the
destination's ingress. `accept` ends one side, `drop` ends the packet. Only packets of a connection's original direction
are judged, all of them: a changed policy applies to connections that exist, and replies are never judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from harness.drivers.reference import nat, ranges
from harness.drivers.reference.nat import ADDRESS_TYPE, IP, declare_set
from harness.model import Placement, Pod, Topology
from harness.policy.rules import Direction, NetworkPeer, Peer, PodPeer, Policy, PortMatch, Rule

PRIORITY: dict[Direction, str] = {"egress": "filter - 10", "ingress": "filter"}
SUBJECT: dict[Direction, str] = {"egress": "saddr", "ingress": "daddr"}
PEER: dict[Direction, str] = {"egress": "daddr", "ingress": "saddr"}
VERDICTS = {"allow": "accept", "deny": "drop"}


def ruleset(policies: Sequence[Policy], topology: Topology, placement: Placement) -> str:
    """The policies' table as text for `nft -f`. `topology` holds the cluster's DNS too."""
    compiler = _Compiler(policies, topology, placement)
    lines = list(compiler.free_pairs())
    for direction in PRIORITY:
        lines += compiler.direction(direction)
    return _table("netproof", lines)


def services(topology: Topology, placement: Placement) -> str:
    """The Services' table."""
    return _table("netproof-services", nat.chains(topology, placement))


def _table(name: str, lines: Sequence[str]) -> str:
    body = "\n".join(f"\t{line}" if line else "" for line in lines)
    return f"table inet {name}\ndelete table inet {name}\ntable inet {name} {{\n{body}\n}}\n"


class _Compiler:
    def __init__(self, policies: Sequence[Policy], topology: Topology, placement: Placement) -> None:
        self._policies = sorted(policies, key=lambda policy: policy.precedence)
        self._placement = placement
        self._namespaces = {namespace.name: namespace.all_labels for namespace in topology.namespaces}
        self._pods = [pod for pod in topology.pods if not pod.host_network]
        """Pods on their node's network are nodes: no policy selects them, as subject or as peer."""
        self._families = sorted({ranges.family(a) for group in placement.addresses.values() for a in group})

    def free_pairs(self) -> Iterator[str]:
        """Traffic that no policy may stop: between a pod and the node it runs on, and of a pod with itself."""
        for family in self._families:
            pairs = []
            for pod in self._pods:
                node = self._address(self._placement.node_of[pod.id], family)
                own = self._address(pod.id, family)
                pairs += [f"{own} . {own}", f"{own} . {node}", f"{node} . {own}"]
            kind = ADDRESS_TYPE[family]
            yield from declare_set(f"free{family}", f"{kind} . {kind}", pairs)

    def direction(self, direction: Direction) -> Iterator[str]:
        policies = [policy for policy in self._policies if _concerns(policy, direction)]
        subjects = {policy.ref: self._selected(policy.subject) for policy in policies}
        isolated: dict[str, str] = {}
        for policy in policies:
            names = [line for rule in policy.rules for line in self._rule(direction, rule, subjects[policy.ref])]
            yield from _block(f"chain {_policy_chain(direction, policy)} {{", names)
        for pod in self._pods:
            mine = [policy for policy in policies if pod in subjects[policy.ref]]
            if mine:
                isolated[pod.id] = f"{direction}/{pod.id}"
                yield from _block(f"chain {isolated[pod.id]} {{", self._pod(direction, mine))
        yield from _block(f"chain {direction} {{", self._base(direction, isolated))

    def _pod(self, direction: Direction, policies: Sequence[Policy]) -> Iterator[str]:
        """Equal precedence is one union; who is isolated by a union gets no further than it."""
        for _, union in groupby(policies, key=lambda policy: policy.precedence):
            members = list(union)
            for policy in members:
                yield f"jump {_policy_chain(direction, policy)}"
            if any(direction in policy.isolates for policy in members):
                yield "counter drop"
                return

    def _base(self, direction: Direction, isolated: dict[str, str]) -> Iterator[str]:
        yield f"type filter hook forward priority {PRIORITY[direction]}; policy accept;"
        yield "ct state established ct direction reply accept"
        yield "ct state related accept"
        for family in self._families:
            ip = IP[family]
            yield f"{ip} saddr . {ip} daddr @free{family} accept"
            jumps = [f"{self._address(pod, family)} : jump {chain}" for pod, chain in isolated.items()]
            if jumps:
                yield f"{ip} {SUBJECT[direction]} vmap {{ {', '.join(jumps)} }}"

    def _rule(self, direction: Direction, rule: Rule, subjects: Sequence[Pod]) -> Iterator[str]:
        if rule.direction != direction:
            return
        ends = f'counter {VERDICTS[rule.action]} comment "rule {rule.index}"'
        numbered = [""] if rule.ports is None else list(_numbered(rule.ports))
        for match in self._peers(direction, rule.peers, self._families):
            yield from (" ".join(filter(None, (match, ports, ends))) for ports in numbered)
        destinations = subjects if direction == "ingress" else self._pods
        for family in self._families:
            for ports in self._named(rule.ports or (), destinations, family):
                for match in self._peers(direction, rule.peers, [family]):
                    yield " ".join(filter(None, (match, ports, ends)))

    def _peers(self, direction: Direction, peers: Sequence[Peer] | None, families: Sequence[int]) -> Iterator[str]:
        if peers is None:
            yield ""
            return
        for family in families:
            found = ranges.union(r for peer in peers for r in self._ranges(peer, family))
            if found:
                yield f"{IP[family]} {PEER[direction]} {{ {ranges.text(found, family)} }}"

    def _ranges(self, peer: Peer, family: int) -> Iterable[ranges.Range]:
        if isinstance(peer, NetworkPeer):
            if ranges.family(peer.cidr) != family:
                return []
            return ranges.without(ranges.network(peer.cidr), map(ranges.network, peer.excepts))
        return [ranges.network(self._address(pod.id, family)) for pod in self._selected(peer)]

    def _named(self, ports: Sequence[PortMatch], destinations: Sequence[Pod], family: int) -> Iterator[str]:
        """A named port is the number that each destination pod gives the name."""
        for protocol in dict.fromkeys(match.protocol for match in ports if match.name is not None):
            names = {match.name for match in ports if match.protocol == protocol and match.name is not None}
            pairs = [
                f"{self._address(pod.id, family)} . {port.port}"
                for pod in destinations
                for port in pod.ports
                if port.protocol == protocol and port.name in names
            ]
            if pairs:
                yield f"{IP[family]} daddr . {protocol.lower()} dport {{ {', '.join(dict.fromkeys(pairs))} }}"

    def _selected(self, peer: PodPeer) -> list[Pod]:
        def in_namespace(name: str) -> bool:
            if peer.namespace is not None:
                return name == peer.namespace
            return peer.namespaces is not None and peer.namespaces.matches(self._namespaces[name])

        return [pod for pod in self._pods if in_namespace(pod.namespace) and peer.pods.matches(pod.labels)]

    def _address(self, endpoint: str, family: int) -> str:
        return next(a for a in self._placement.addresses[endpoint] if ranges.family(a) == family)


def _concerns(policy: Policy, direction: Direction) -> bool:
    return direction in policy.isolates or any(rule.direction == direction for rule in policy.rules)


def _numbered(ports: Sequence[PortMatch]) -> Iterator[str]:
    """One match a protocol: all its ports, or a set of numbers."""
    for protocol in dict.fromkeys(match.protocol for match in ports if match.name is None):
        of_protocol = [match for match in ports if match.protocol == protocol and match.name is None]
        spans = [(m.first, m.first if m.last is None else m.last) for m in of_protocol if m.first is not None]
        if len(spans) < len(of_protocol):
            yield f"meta l4proto {protocol.lower()}"
        else:
            merged = ranges.union(spans)
            numbers = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in merged)
            yield f"{protocol.lower()} dport {{ {numbers} }}"


def _policy_chain(direction: Direction, policy: Policy) -> str:
    return f"{direction}/" + re.sub(r"[^A-Za-z0-9/_.-]", "/", policy.ref)


def _block(head: str, lines: Iterable[str]) -> Iterator[str]:
    yield head
    yield from (f"\t{line}" for line in lines)
    yield "}"
