"""What a fault is, and the ways in which one changes rules, peers, selectors and ports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from netproof.model import Topology
from netproof.policy.rules import Combination, Peer, PodPeer, Policy, PortMatch, Requirement, Rule, Selector

Policies = tuple[Policy, ...]
EVERYTHING = Selector()
NOBODY = Selector(requirements=(Requirement(key="", operator="In"),))
"""No label has an empty key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a fault may look at beside the policies: who exists, and what was enforced until now."""

    topology: Topology
    enforced: Policies = ()


Change = Callable[[Policies, Scene], Policies]


def unchanged(policies: Policies, scene: Scene) -> Policies:
    return policies


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`says` in a sentence what goes wrong. `policies`: what they become on their way to the compiler. `world`: what is
    believed of who exists, from what is true and what was seen first. `rules`: what becomes of the compiled rules."""

    says: str
    policies: Change = unchanged
    world: Callable[[Topology, Topology], Topology] = lambda now, first: now
    rules: Callable[[str], str] = str

    def __call__(self, policies: Policies, scene: Scene) -> Policies:
        return self.policies(policies, scene)


def of_rules(change: Callable[[Rule, Policy], Rule]) -> Change:
    def changed(policies: Policies, scene: Scene) -> Policies:
        return tuple(replace(p, rules=tuple(change(rule, p) for rule in p.rules)) for p in policies)

    return changed


def of_peers(change: Callable[[Peer, Policy], Sequence[Peer]]) -> Change:
    """`change` gives what one peer becomes: several, one or none."""

    def changed(rule: Rule, policy: Policy) -> Rule:
        if rule.peers is None:
            return rule
        return replace(rule, peers=tuple(new for peer in rule.peers for new in change(peer, policy)))

    return of_rules(changed)


def of_pods(change: Callable[[PodPeer, Policy], PodPeer]) -> Change:
    return of_peers(lambda peer, policy: [change(peer, policy) if isinstance(peer, PodPeer) else peer])


def of_ports(change: Callable[[PortMatch], Sequence[PortMatch]]) -> Change:
    def changed(rule: Rule, policy: Policy) -> Rule:
        if rule.ports is None:
            return rule
        return replace(rule, ports=tuple(new for port in rule.ports for new in change(port)))

    return of_rules(changed)


def of_selectors(change: Callable[[Requirement], Sequence[Requirement]]) -> Change:
    """`change` gives what one line of a selector becomes: in peers, and in what policies are for."""

    def selector(old: Selector) -> Selector:
        lines: list[Requirement | Combination] = []
        for line in old.requirements:
            lines += change(line) if isinstance(line, Requirement) else [line]
        return Selector(requirements=tuple(lines))

    def pods(peer: PodPeer) -> PodPeer:
        namespaces = None if peer.namespaces is None else selector(peer.namespaces)
        return replace(peer, pods=selector(peer.pods), namespaces=namespaces)

    def changed(policies: Policies, scene: Scene) -> Policies:
        in_peers = of_pods(lambda peer, _: pods(peer))(policies, scene)
        return tuple(replace(policy, subject=pods(policy.subject)) for policy in in_peers)

    return changed
