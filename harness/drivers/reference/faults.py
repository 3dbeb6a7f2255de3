"""Deliberate defects (`--fault NAME`), so that a suite can prove that it notices. Each changes what policies mean
on their way to the compiler, and nothing else; adding one is a function and a line in `FAULTS`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import get_args

from harness.errors import InputError
from harness.model import Topology
from harness.model.topology import Protocol
from harness.policy.rules import Direction, NetworkPeer, Peer, PodPeer, Policy, PortMatch, Requirement, Rule, Selector

Policies = tuple[Policy, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a fault may look at beside the policies: who exists, and what was enforced until now."""

    topology: Topology
    enforced: Policies = ()


Fault = Callable[[Policies, Scene], Policies]
EVERYTHING = Selector()


def _rules(policies: Policies, change: Callable[[Rule, Policy], Rule]) -> Policies:
    return tuple(replace(policy, rules=tuple(change(rule, policy) for rule in policy.rules)) for policy in policies)


def _peers(policies: Policies, change: Callable[[Peer, Policy], Sequence[Peer]]) -> Policies:
    def changed(rule: Rule, policy: Policy) -> Rule:
        if rule.peers is None:
            return rule
        return replace(rule, peers=tuple(new for peer in rule.peers for new in change(peer, policy)))

    return _rules(policies, changed)


def _ports(policies: Policies, change: Callable[[PortMatch], Sequence[PortMatch]]) -> Policies:
    def changed(rule: Rule, policy: Policy) -> Rule:
        if rule.ports is None:
            return rule
        return replace(rule, ports=tuple(new for port in rule.ports for new in change(port)))

    return _rules(policies, changed)


def _enforce_nothing(policies: Policies, scene: Scene) -> Policies:
    return ()


def _forget(direction: Direction) -> Fault:
    def fault(policies: Policies, scene: Scene) -> Policies:
        return tuple(
            replace(
                policy,
                isolates=policy.isolates - {direction},
                rules=tuple(rule for rule in policy.rules if rule.direction != direction),
            )
            for policy in policies
        )

    return fault


def _ignore_except(policies: Policies, scene: Scene) -> Policies:
    return _peers(policies, lambda peer, _: [replace(peer, excepts=()) if isinstance(peer, NetworkPeer) else peer])


def _and_as_or(policies: Policies, scene: Scene) -> Policies:
    """`podSelector` and `namespaceSelector` of one peer, read as two peers."""

    def change(peer: Peer, policy: Policy) -> Sequence[Peer]:
        if not isinstance(peer, PodPeer) or peer.namespaces is None or not peer.pods.requirements:
            return [peer]
        own = PodPeer(pods=peer.pods, namespace=policy.subject.namespace)
        return [replace(peer, pods=EVERYTHING), own]

    return _peers(policies, change)


def _allow_all_namespaces(policies: Policies, scene: Scene) -> Policies:
    return _peers(
        policies,
        lambda peer, _: [PodPeer(pods=peer.pods, namespaces=EVERYTHING) if isinstance(peer, PodPeer) else peer],
    )


def _ignore_pod_selector(policies: Policies, scene: Scene) -> Policies:
    return _peers(policies, lambda peer, _: [replace(peer, pods=EVERYTHING) if isinstance(peer, PodPeer) else peer])


def _ignore_expressions(policies: Policies, scene: Scene) -> Policies:
    """Only what `matchLabels` can say is understood."""

    def simple(selector: Selector) -> Selector:
        kept = (
            r for r in selector.requirements if isinstance(r, Requirement) and r.operator == "In" and len(r.values) == 1
        )
        return Selector(requirements=tuple(kept))

    def change(peer: Peer, policy: Policy) -> Sequence[Peer]:
        if not isinstance(peer, PodPeer):
            return [peer]
        namespaces = None if peer.namespaces is None else simple(peer.namespaces)
        return [replace(peer, pods=simple(peer.pods), namespaces=namespaces)]

    return _peers(policies, change)


def _ignore_ports(policies: Policies, scene: Scene) -> Policies:
    return _rules(policies, lambda rule, _: replace(rule, ports=None))


def _ignore_protocol(policies: Policies, scene: Scene) -> Policies:
    return _ports(policies, lambda port: [replace(port, protocol=protocol) for protocol in get_args(Protocol)])


def _ignore_end_port(policies: Policies, scene: Scene) -> Policies:
    return _ports(policies, lambda port: [replace(port, last=port.first)])


def _named_port_of_first_pod(policies: Policies, scene: Scene) -> Policies:
    """The first pod that has a port of the name decides its number for all."""

    def numbers(match: PortMatch) -> Iterator[PortMatch]:
        if match.name is None:
            yield match
            return
        for pod in scene.topology.pods:
            for port in pod.ports:
                if (port.name, port.protocol) == (match.name, match.protocol):
                    yield PortMatch(protocol=match.protocol, first=port.port, last=port.port)
                    return

    return _ports(policies, lambda match: list(numbers(match)))


def _first_policy_only(policies: Policies, scene: Scene) -> Policies:
    """Of the policies with one subject only the first counts, instead of their union."""
    firsts: dict[PodPeer, Policy] = {}
    for policy in policies:
        firsts.setdefault(policy.subject, policy)
    return tuple(firsts.values())


def _stale(policies: Policies, scene: Scene) -> Policies:
    """A policy that exists stays as it was first applied, until it is deleted."""
    before = {policy.ref: policy for policy in scene.enforced}
    return tuple(before.get(policy.ref, policy) for policy in policies)


FAULTS: dict[str, Fault] = {
    "allow-all-namespaces": _allow_all_namespaces,
    "and-as-or": _and_as_or,
    "enforce-nothing": _enforce_nothing,
    "first-policy-only": _first_policy_only,
    "forget-egress": _forget("egress"),
    "forget-ingress": _forget("ingress"),
    "ignore-end-port": _ignore_end_port,
    "ignore-except": _ignore_except,
    "ignore-expressions": _ignore_expressions,
    "ignore-pod-selector": _ignore_pod_selector,
    "ignore-ports": _ignore_ports,
    "ignore-protocol": _ignore_protocol,
    "named-port-of-first-pod": _named_port_of_first_pod,
    "stale": _stale,
}


def _none(policies: Policies, scene: Scene) -> Policies:
    return policies


def find(name: str) -> Fault:
    """The fault of this name; '' is none. Raises InputError that lists the known ones."""
    if not name:
        return _none
    if name not in FAULTS:
        near = get_close_matches(name, FAULTS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"unknown fault {name!r}; {hint}known: {', '.join(FAULTS)}", key="--fault")
    return FAULTS[name]
