"""The rule about policies that add nothing: without them every decision stays, as far as the pods are known.

Only NetworkPolicies are compared: they form one union, so one is superfluous exactly where others isolate the same
pods and allow at least as much. That is decided rule by rule: a rule that only several others together cover counts as
needed, so nothing is reported that matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network

from netproof.lint.blocks import ambiguous_blocks
from netproof.lint.model import Hit, LintInput, LocatedPolicy
from netproof.policy.decision import join_names
from netproof.policy.groups import Groups
from netproof.policy.rules import Direction, NetworkPeer, Peer, PodPeer, PortMatch, Rule

HOOK = "helm.sh/hook"


def adds_nothing(inputs: LintInput) -> Iterator[Hit]:
    """The last one first: of two equal policies the later one is superfluous, and then the earlier one is not."""
    candidates = [one for one in inputs.policies if one.is_network_policy and not _comes_or_goes(one)]
    kept = {one.policy.ref for one in candidates}
    for one in reversed(candidates):
        needed = _stand_ins(one, inputs, kept)
        if needed is not None:
            kept.discard(one.policy.ref)
            do = "isolate the same pods and allow" if len(needed) > 1 else "isolates the same pods and allows"
            yield Hit(
                sentence=f"{one.policy.ref} changes no decision: {join_names(sorted(needed))} {do} all that it allows",
                place=one.place(("metadata", "name")),
                fix="remove it, or correct the rule that was meant to add something",
            )


def _comes_or_goes(one: LocatedPolicy) -> bool:
    """A policy of a helm hook is there before the others, or without them; one whose blocks are ambiguous may mean
    something else to its CNI."""
    annotations = one.located.content["metadata"].get("annotations") or {}
    return HOOK in annotations or bool(ambiguous_blocks(one))


def _stand_ins(one: LocatedPolicy, inputs: LintInput, kept: set[str]) -> set[str] | None:
    """The policies that do all that this one does; None when something would be lost."""
    policy = one.policy
    if not policy.subject.pods.requirements and not policy.rules:
        # A namespace's default deny also guards the pods that are not there yet.
        return None
    found: set[str] = set()
    for direction in sorted(policy.isolates):
        unions = list(_unions(one, direction, inputs, kept))
        if not unions:
            return None
        for others in unions:
            isolating = [other for other in others if direction in other.policy.isolates]
            if not isolating:
                return None
            used = set()
            for rule in policy.rules:
                if rule.direction == direction:
                    by = next((other for other in others if _allows(other, rule, inputs.groups)), None)
                    if by is None:
                        return None
                    used.add(by.policy.ref)
            found |= used or {isolating[0].policy.ref}
    return found


def _unions(
    one: LocatedPolicy, direction: Direction, inputs: LintInput, kept: set[str]
) -> Iterator[list[LocatedPolicy]]:
    """For each kind of pod that the policy selects, the other policies that govern it; without pods, those that select
    the same or everything."""
    if not inputs.has("pods"):
        subject = one.policy.subject
        yield [
            other
            for other in inputs.policies
            if other is not one
            and other.policy.ref in kept
            and other.policy.subject.namespace == subject.namespace
            and other.policy.subject.pods.requirements in ((), subject.pods.requirements)
        ]
        return
    seen = set()
    for group in inputs.groups.select(one.policy.subject):
        governing = [
            other
            for other in inputs.governing[direction].get(group, ())
            if other is not one and other.policy.ref in kept
        ]
        key = tuple(other.policy.ref for other in governing)
        if key not in seen:
            seen.add(key)
            yield governing


def _allows(other: LocatedPolicy, rule: Rule, groups: Groups) -> bool:
    return any(
        wide.direction == rule.direction and _ports(wide, rule) and _peers(wide, rule, groups)
        for wide in other.policy.rules
    )


def _peers(wide: Rule, narrow: Rule, groups: Groups) -> bool:
    if wide.peers is None:
        return True
    if narrow.peers is None:
        return False
    return all(any(_peer(one, other, groups) for one in wide.peers) for other in narrow.peers)


def _peer(wide: Peer, narrow: Peer, groups: Groups) -> bool:
    if wide == narrow:
        return True
    if isinstance(wide, PodPeer) and isinstance(narrow, PodPeer):
        selected = groups.select(narrow)
        return bool(selected) and selected <= groups.select(wide)
    if isinstance(wide, NetworkPeer) and isinstance(narrow, NetworkPeer):
        return _block(wide, narrow)
    return False


def _block(wide: NetworkPeer, narrow: NetworkPeer) -> bool:
    inner, outer = _Range.of(narrow.cidr), _Range.of(wide.cidr)
    excepts = [_Range.of(text) for text in narrow.excepts]
    return outer.holds(inner) and all(
        any(own.holds(lost) for own in excepts) or not (lost.holds(inner) or inner.holds(lost))
        for lost in map(_Range.of, wide.excepts)
    )


@dataclass(frozen=True, slots=True)
class _Range:
    version: int
    first: int
    last: int

    @classmethod
    def of(cls, cidr: str) -> _Range:
        network = ip_network(cidr)
        return cls(network.version, int(network.network_address), int(network.broadcast_address))

    def holds(self, other: _Range) -> bool:
        return self.version == other.version and self.first <= other.first and other.last <= self.last


def _ports(wide: Rule, narrow: Rule) -> bool:
    if wide.ports is None:
        return True
    if narrow.ports is None:
        return False
    return all(any(_port(one, other) for one in wide.ports) for other in narrow.ports)


def _port(wide: PortMatch, narrow: PortMatch) -> bool:
    if wide.protocol != narrow.protocol:
        return False
    if wide == narrow or (wide.first is None and wide.name is None):
        return True
    if wide.first is None or narrow.first is None:
        return False
    return wide.first <= narrow.first and (narrow.last or narrow.first) <= (wide.last or wide.first)
