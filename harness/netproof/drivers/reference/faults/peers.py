"""Faults of peers: selectors of pods and namespaces, and blocks of addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_network
from typing import Literal

from netproof.drivers.reference.faults.changes import (
    EVERYTHING,
    NOBODY,
    Fault,
    Policies,
    Scene,
    of_peers,
    of_pods,
    of_rules,
    of_selectors,
)
from netproof.policy.rules import BothPeer, Combination, NetworkPeer, Peer, PodPeer, Policy, Requirement, Rule, Selector


def _and_as_or(peer: Peer, policy: Policy) -> Sequence[Peer]:
    if not isinstance(peer, PodPeer) or peer.namespaces is None or not peer.pods.requirements:
        return [peer]
    return [replace(peer, pods=EVERYTHING), PodPeer(pods=peer.pods, namespace=policy.subject.namespace)]


def _simple(selector: Selector) -> Selector:
    lines = (
        r for r in selector.requirements if isinstance(r, Requirement) and r.operator == "In" and len(r.values) == 1
    )
    return Selector(requirements=tuple(lines))


def _either(selector: Selector) -> Selector:
    if len(selector.requirements) < 2:
        return selector
    options = tuple(Selector(requirements=(line,)) for line in selector.requirements)
    return Selector(requirements=(Combination(kind="any", options=options),))


def _without_expressions(peer: PodPeer, policy: Policy) -> PodPeer:
    namespaces = None if peer.namespaces is None else _simple(peer.namespaces)
    return replace(peer, pods=_simple(peer.pods), namespaces=namespaces)


def _any_line(peer: PodPeer, policy: Policy) -> PodPeer:
    namespaces = None if peer.namespaces is None else _either(peer.namespaces)
    return replace(peer, pods=_either(peer.pods), namespaces=namespaces)


def _no_namespaces(peer: PodPeer, policy: Policy) -> PodPeer:
    return peer if peer.namespaces is None else PodPeer(pods=peer.pods, namespace=policy.subject.namespace)


def _empty_means_own(peer: PodPeer, policy: Policy) -> PodPeer:
    empty = peer.namespaces is not None and not peer.namespaces.requirements
    return PodPeer(pods=peer.pods, namespace=policy.subject.namespace) if empty else peer


def _together(rule: Rule, policy: Policy) -> Rule:
    return replace(rule, peers=(BothPeer(peers=rule.peers),)) if rule.peers and len(rule.peers) > 1 else rule


def _widened(peer: Peer, policy: Policy) -> Sequence[Peer]:
    if not isinstance(peer, NetworkPeer):
        return [peer]
    network = ip_network(peer.cidr, strict=False)
    return [replace(peer, cidr=str(network.supernet(new_prefix=24)))] if network.prefixlen > 24 else [peer]


def _first_address(peer: Peer, policy: Policy) -> Sequence[Peer]:
    if not isinstance(peer, NetworkPeer):
        return [peer]
    first = ip_network(peer.cidr, strict=False).network_address
    return [replace(peer, cidr=f"{first}/{first.max_prefixlen}")]


def _subtracted(policies: Policies, scene: Scene) -> Policies:
    """What one block excepts, no other peer or policy may allow."""

    def denials(policy: Policy) -> list[Rule]:
        return [
            replace(rule, action="deny", peers=tuple(NetworkPeer(cidr=cidr) for cidr in peer.excepts), ports=None)
            for rule in policy.rules
            for peer in rule.peers or ()
            if isinstance(peer, NetworkPeer) and peer.excepts
        ]

    return tuple(replace(policy, rules=(*denials(policy), *policy.rules)) for policy in policies)


def _operator(old: str, new: Literal["In", "NotIn", "Exists", "DoesNotExist"]) -> Fault:
    return Fault(
        says=f"the operator {old} is read as {new}",
        policies=of_selectors(lambda line: [replace(line, operator=new)] if line.operator == old else [line]),
    )


def _needs_key(line: Requirement) -> Sequence[Requirement]:
    return [line, Requirement(key=line.key, operator="Exists")] if line.operator == "NotIn" else [line]


def _needs_value(line: Requirement) -> Sequence[Requirement]:
    without = Requirement(key=line.key, operator="NotIn", values=("",))
    return [line, without] if line.operator == "Exists" else [line]


def _block_fault(says: str, **fields: object) -> Fault:
    return Fault(
        says=says,
        policies=of_peers(lambda peer, _: [replace(peer, **fields) if isinstance(peer, NetworkPeer) else peer]),  # type: ignore[arg-type]
    )


FAULTS: dict[str, Fault] = {
    "allow-all-namespaces": Fault(
        says="peers mean pods of all namespaces",
        policies=of_pods(lambda peer, _: PodPeer(pods=peer.pods, namespaces=EVERYTHING)),
    ),
    "and-as-or": Fault(
        says="podSelector and namespaceSelector of one peer are two peers", policies=of_peers(_and_as_or)
    ),
    "block-as-address": Fault(says="a block is its first address", policies=of_peers(_first_address)),
    "block-ignored": Fault(
        says="ipBlock peers mean nobody",
        policies=of_peers(lambda peer, _: [] if isinstance(peer, NetworkPeer) else [peer]),
    ),
    "block-widened": Fault(says="blocks smaller than /24 become /24", policies=of_peers(_widened)),
    "blocks-mean-no-pods": _block_fault("ipBlocks hold no addresses of pods and nodes", outside=True),
    "both-selectors-ignored": Fault(
        says="the namespaceSelector beside a podSelector is ignored",
        policies=of_pods(lambda peer, policy: _no_namespaces(peer, policy) if peer.pods.requirements else peer),
    ),
    "does-not-exist-as-exists": _operator("DoesNotExist", "Exists"),
    "empty-namespace-selector-means-own": Fault(
        says="an empty namespaceSelector means the policy's own namespace", policies=of_pods(_empty_means_own)
    ),
    "empty-pod-selector-means-nobody": Fault(
        says="an empty podSelector of a peer means no pod",
        policies=of_pods(
            lambda peer, _: (
                replace(peer, pods=NOBODY) if not peer.pods.requirements and peer.namespaces is None else peer
            )
        ),
    ),
    "except-for-everybody": Fault(says="what a block excepts, nothing else may allow", policies=_subtracted),
    "exists-as-does-not-exist": _operator("Exists", "DoesNotExist"),
    "exists-needs-value": Fault(says="Exists does not hold for an empty value", policies=of_selectors(_needs_value)),
    "first-except-only": Fault(
        says="only the first except counts",
        policies=of_peers(
            lambda peer, _: [replace(peer, excepts=peer.excepts[:1]) if isinstance(peer, NetworkPeer) else peer]
        ),
    ),
    "first-peer-only": Fault(
        says="only the first peer of a rule counts",
        policies=of_rules(lambda rule, _: replace(rule, peers=rule.peers[:1] if rule.peers else rule.peers)),
    ),
    "first-value-only": Fault(
        says="only the first value of In and NotIn counts",
        policies=of_selectors(lambda line: [replace(line, values=line.values[:1])]),
    ),
    "ignore-except": _block_fault("except is ignored", excepts=()),
    "ignore-expressions": Fault(
        says="of peers' selectors only what matchLabels can say is understood", policies=of_pods(_without_expressions)
    ),
    "ignore-namespace-selector": Fault(
        says="namespaceSelector is ignored: own namespace only", policies=of_pods(_no_namespaces)
    ),
    "ignore-pod-selector": Fault(
        says="podSelector of peers is ignored", policies=of_pods(lambda peer, _: replace(peer, pods=EVERYTHING))
    ),
    "lines-as-or": Fault(says="of a selector's lines one is enough", policies=of_pods(_any_line)),
    "not-in-as-in": _operator("NotIn", "In"),
    "not-in-needs-key": Fault(says="NotIn does not hold for a missing key", policies=of_selectors(_needs_key)),
    "peers-together": Fault(says="several peers of a rule must all mean the far end", policies=of_rules(_together)),
}
