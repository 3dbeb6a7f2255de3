"""Policies on a topology -> one nftables table, loaded in one transaction. Pure. Services are in nat.py, in a table of
their own, which changes only with the topology.

Two base chains see each forwarded packet after Services were translated: first the source's egress, then the
destination's ingress. `accept` ends one side, `drop` ends the packet. Only packets of a connection's original direction
are judged, all of them: a changed policy applies to connections that exist, and replies are never judged.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, product
from typing import get_args

from netproof.drivers.reference import nat, ranges
from netproof.drivers.reference.nat import ADDRESS_TYPE, IP, declare_set
from netproof.model import Placement, Pod, Service, Topology
from netproof.model.topology import Protocol
from netproof.policy.matching import NODES, name_pattern
from netproof.policy.rules import (
    NAMESPACE,
    SERVICE_ACCOUNT,
    UNION_ORDER,
    AnyPeer,
    BothPeer,
    Direction,
    Entity,
    EntityPeer,
    NamePeer,
    NetworkPeer,
    OtherPeer,
    Peer,
    PodPeer,
    Policy,
    PortMatch,
    Rule,
    ServicePeer,
    leaves,
)

PRIORITY: dict[Direction, str] = {"egress": "filter - 10", "ingress": "filter"}
SUBJECT: dict[Direction, str] = {"egress": "saddr", "ingress": "daddr"}
PEER: dict[Direction, str] = {"egress": "daddr", "ingress": "saddr"}
VERDICTS = {"allow": "accept", "deny": "drop", "pass": "return"}

LONGEST_CHAIN = 200


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
        self._topology = topology
        self._nodes = [endpoint for endpoint in placement.addresses if endpoint.startswith("node:")]
        self._learning = {
            pod.id
            for policy in policies
            if any(rule.learns_names for rule in policy.rules)
            for pod in self._selected(policy.subject)
        }
        self._closable = {
            pod.id
            for policy in policies
            if policy.denies_own_node and any(rule.action == "deny" for rule in policy.rules)
            for pod in self._selected(policy.subject)
        }
        self._families = sorted({ranges.family(a) for group in placement.addresses.values() for a in group})

    def free_pairs(self) -> Iterator[str]:
        """Traffic that no policy may stop: between a pod and its node, and of a pod with itself. Where a deny
        rule may name the node, the pod's own chain lets in what no such rule denies."""
        judged = {
            pod.id for policy in self._policies if policy.judges_own_node for pod in self._selected(policy.subject)
        }
        for family in self._families:
            pairs = []
            for pod in self._pods:
                node = self._address(self._placement.node_of[pod.id], family)
                own = self._address(pod.id, family)
                pairs.append(f"{own} . {own}")
                pairs += [] if pod.id in judged else [f"{own} . {node}"]
                pairs += [] if pod.id in self._closable else [f"{node} . {own}"]
            kind = ADDRESS_TYPE[family]
            yield from declare_set(f"free{family}", f"{kind} . {kind}", pairs)

    def direction(self, direction: Direction) -> Iterator[str]:
        policies = [policy for policy in self._policies if _concerns(policy, direction)]
        subjects = {policy.ref: self._selected(policy.subject) for policy in policies}
        isolated: dict[str, str] = {}
        for policy in policies:
            if _shared(policy):
                lines = [line for rule in policy.rules for line in self._rule(direction, rule, subjects[policy.ref])]
                yield from _block(f"chain {_policy_chain(direction, policy)} {{", lines)
        for pod in self._pods:
            mine = [policy for policy in policies if pod in subjects[policy.ref]]
            if mine:
                isolated[pod.id] = _chain_name(f"{direction}/{pod.id}")
                yield from self._pod(isolated[pod.id], direction, mine, pod)
        yield from _block(f"chain {direction} {{", self._base(direction, isolated))

    def _pod(self, name: str, direction: Direction, policies: Sequence[Policy], pod: Pod) -> Iterator[str]:
        """A chain for each tier, so that `pass` can leave it; the only tier's chain is the pod's own."""
        tiers = [list(tier) for _, tier in groupby(policies, key=lambda policy: policy.precedence[0])]
        names = [f"{name}/{place}" for place in range(len(tiers))] if len(tiers) > 1 else [name]
        for chain, tier in zip(names, tiers, strict=True):
            yield from _block(f"chain {chain} {{", self._tier(direction, tier, pod))
        if len(tiers) > 1:
            yield from _block(f"chain {name} {{", (f"jump {chain}" for chain in names))

    def _tier(self, direction: Direction, policies: Sequence[Policy], pod: Pod) -> Iterator[str]:
        """Level by level of precedence; who is isolated by a tier gets no further than its end, but by `pass`."""
        for _, group in groupby(policies, key=lambda policy: policy.precedence):
            level = list(group)
            if all(_shared(policy) for policy in level):
                yield from (f"jump {_policy_chain(direction, policy)}" for policy in level)
                continue
            rules = [rule for policy in level for rule in policy.rules]
            if not level[0].ordered:
                rules.sort(key=lambda rule: UNION_ORDER[rule.action])
            mine = [rule for rule in rules if rule.subject is None or pod in self._selected(rule.subject)]
            yield from (line for rule in mine for line in self._rule(direction, rule, [pod]))
        if any(direction in policy.isolates for policy in policies):
            if direction == "ingress" and pod.id in self._closable:
                node = self._placement.node_of[pod.id]
                yield from (f"{IP[family]} saddr {self._address(node, family)} accept" for family in self._families)
            yield "counter drop"

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
        yield from (f"{match} {ends}" for match in self._led_to(rule))
        for match in self._peers(direction, rule.peers, self._families, subjects):
            yield from (" ".join(filter(None, (match, ports, ends))) for ports in numbered)
        destinations = subjects if direction == "ingress" else self._pods
        for family in self._families:
            for ports in self._named(rule.ports or (), destinations, family):
                for match in self._peers(direction, rule.peers, [family], subjects):
                    yield " ".join(filter(None, (match, ports, ends)))

    def _peers(
        self, direction: Direction, peers: Sequence[Peer] | None, families: Sequence[int], subjects: Sequence[Pod]
    ) -> Iterator[str]:
        if peers is None:
            yield ""
            return
        peers = [peer for peer in peers if not (isinstance(peer, ServicePeer) and peer.ports)]
        for family in families:
            found = ranges.union(r for peer in peers for r in self._ranges(peer, family, subjects))
            if found:
                yield f"{IP[family]} {PEER[direction]} {{ {ranges.text(found, family)} }}"

    def _ranges(self, peer: Peer, family: int, subjects: Sequence[Pod]) -> Iterable[ranges.Range]:
        match peer:
            case BothPeer():
                return ranges.common([self._ranges(part, family, subjects) for part in peer.peers], family)
            case AnyPeer():
                return [r for part in peer.peers for r in self._ranges(part, family, subjects)]
            case OtherPeer():
                return ranges.others((r for part in peer.peers for r in self._ranges(part, family, subjects)), family)
            case NetworkPeer():
                return self._network(peer, family) if ranges.family(peer.cidr) == family else []
            case EntityPeer():
                return [r for entity in peer.entities for r in self._entity(entity, family, subjects)]
            case _:
                return self._of(self._members(peer, subjects), family)

    def _network(self, peer: NetworkPeer, family: int) -> list[ranges.Range]:
        inside = ranges.without(ranges.network(peer.cidr), map(ranges.network, peer.excepts))
        return ranges.common([inside, self._outside(family)], family) if peer.outside else inside

    def _members(self, peer: PodPeer | ServicePeer | NamePeer, subjects: Sequence[Pod]) -> Iterable[str]:
        """The endpoints that are meant."""
        match peer:
            case PodPeer():
                return [pod.id for pod in self._selected(peer)]
            case ServicePeer():
                return [pod.id for pod in self._behind(peer)[1]]
            case NamePeer():
                learnt = all(pod.id in self._learning for pod in subjects)
                names = self._placement.hostnames.items() if learnt else ()
                return [end for end, name in names if name_pattern(peer.pattern).fullmatch(name)]

    def _entity(self, entity: Entity, family: int, subjects: Sequence[Pod]) -> Iterable[ranges.Range]:
        own = {self._placement.node_of[pod.id] for pod in subjects}
        match entity:
            case "pods":
                return self._of([pod.id for pod in self._pods], family)
            case "own-node":
                return self._of(own, family)
            case "other-nodes":
                return self._of([node for node in self._nodes if node not in own], family)
            case "api-server":
                return self._of([self._placement.api_server], family)
            case "outside":
                return self._outside(family)

    def _outside(self, family: int) -> list[ranges.Range]:
        return ranges.others(self._of([*(pod.id for pod in self._pods), *self._nodes], family), family)

    def _of(self, endpoints: Iterable[str], family: int) -> list[ranges.Range]:
        return [ranges.network(self._address(endpoint, family)) for endpoint in endpoints]

    def _behind(self, peer: ServicePeer) -> tuple[Service | None, Sequence[Pod]]:
        service = self._topology.service(f"svc:{peer.namespace}/{peer.name}")
        return service, self._topology.backends(service) if service and service.selector else ()

    def _led_to(self, rule: Rule) -> Iterator[str]:
        """The addresses and ports behind Services, of the protocols that the rule is about."""
        protocols = get_args(Protocol) if rule.ports is None else dict.fromkeys(match.protocol for match in rule.ports)
        services = [self._behind(peer) for peer in rule.peers or () if isinstance(peer, ServicePeer) and peer.ports]
        for family, protocol in product(self._families, protocols):
            pairs = [
                f"{self._address(pod.id, family)} . {number}"
                for service, pods in services
                for pod in pods
                for port in (service.ports if service else ())
                if port.protocol == protocol and (number := pod.port_number(port.target, protocol)) is not None
            ]
            if pairs:
                yield f"{IP[family]} daddr . {protocol.lower()} dport {{ {', '.join(dict.fromkeys(pairs))} }}"

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

        return [pod for pod in self._pods if in_namespace(pod.namespace) and peer.pods.matches(_seen(pod))]

    def _address(self, endpoint: str, family: int) -> str:
        return next(a for a in self._placement.addresses[endpoint] if ranges.family(a) == family)


def _seen(pod: Pod) -> Mapping[str, str]:
    """What selectors see of a pod."""
    return {**pod.labels, NAMESPACE: pod.namespace, SERVICE_ACCOUNT: pod.service_account}


def _shared(policy: Policy) -> bool:
    """Whether its rules are the same for all its subjects, and may be asked in any order: then it has one chain."""
    return all(
        rule.action == "allow"
        and rule.subject is None
        and not any(
            isinstance(leaf, NamePeer) or (isinstance(leaf, EntityPeer) and len(NODES & leaf.entities) == 1)
            for leaf in leaves(rule.peers or ())
        )
        for rule in policy.rules
    )


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
    return _chain_name(f"{direction}/" + re.sub(r"[^A-Za-z0-9/_.-]", "/", policy.ref))


def _chain_name(text: str) -> str:
    """Names of objects have up to 253 characters and a namespace before them; nft takes 255 in all."""
    if len(text) <= LONGEST_CHAIN:
        return text
    return f"{text[:LONGEST_CHAIN]}/{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _block(head: str, lines: Iterable[str]) -> Iterator[str]:
    yield head
    yield from (f"\t{line}" for line in lines)
    yield "}"
