"""Faults of isolation: whom policies select, in which directions, how several add up, and what a change brings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from netproof.drivers.reference.faults.changes import EVERYTHING, Change, Fault, Policies, Scene, of_rules
from netproof.policy.rules import Direction, PodPeer, Policy, Requirement, Selector

OTHER: dict[Direction, Direction] = {"ingress": "egress", "egress": "ingress"}


def _forget(direction: Direction) -> Change:
    def change(policies: Policies, scene: Scene) -> Policies:
        return tuple(
            replace(
                policy,
                isolates=policy.isolates - {direction},
                rules=tuple(rule for rule in policy.rules if rule.direction != direction),
            )
            for policy in policies
        )

    return change


def _firsts(policies: Policies, scene: Scene) -> Policies:
    firsts: dict[PodPeer, Policy] = {}
    for policy in policies:
        firsts.setdefault(policy.subject, policy)
    return tuple(firsts.values())


def _lasts(policies: Policies, scene: Scene) -> Policies:
    return tuple({policy.subject: policy for policy in policies}.values())


def _as_first_applied(policies: Policies, scene: Scene) -> Policies:
    before = {policy.ref: policy for policy in scene.enforced}
    return tuple(before.get(policy.ref, policy) for policy in policies)


def _updates_add(policies: Policies, scene: Scene) -> Policies:
    before = {policy.ref: policy for policy in scene.enforced}
    return tuple(
        replace(p, rules=tuple(dict.fromkeys((*p.rules, *before[p.ref].rules)))) if p.ref in before else p
        for p in policies
    )


def _each(change: Callable[[Policy], Policy]) -> Change:
    def changed(policies: Policies, scene: Scene) -> Policies:
        return tuple(change(policy) for policy in policies)

    return changed


def _mirrored(policy: Policy) -> Policy:
    return replace(policy, isolates=frozenset(OTHER[direction] for direction in policy.isolates))


def _only_with_rules(policy: Policy) -> Policy:
    return replace(policy, isolates=policy.isolates & {rule.direction for rule in policy.rules})


def _simple_subject(policy: Policy) -> Policy:
    kept = (r for r in policy.subject.pods.requirements if isinstance(r, Requirement) and r.operator == "In")
    pods = Selector(requirements=tuple(r for r in kept if len(r.values) == 1))
    return replace(policy, subject=replace(policy.subject, pods=pods))


def _all_but_first_rule(policy: Policy) -> Policy:
    kept = tuple(rule for rule in policy.rules if rule.index == 0)
    return replace(policy, rules=kept)


FAULTS: dict[str, Fault] = {
    "deny-all-ignored": Fault(
        says="a policy without rules of a direction does not isolate there", policies=_each(_only_with_rules)
    ),
    "enforce-nothing": Fault(says="no policy is enforced", policies=lambda policies, scene: ()),
    "first-policy-only": Fault(
        says="of the policies with one subject only the first counts, instead of their union", policies=_firsts
    ),
    "first-rule-only": Fault(says="only the first rule of a direction counts", policies=_each(_all_but_first_rule)),
    "forget-egress": Fault(says="egress is not enforced", policies=_forget("egress")),
    "forget-ingress": Fault(says="ingress is not enforced", policies=_forget("ingress")),
    "isolate-both": Fault(
        says="every policy isolates for both directions",
        policies=_each(lambda policy: replace(policy, isolates=frozenset(OTHER))),
    ),
    "isolate-the-other-direction": Fault(says="isolation is for the other direction", policies=_each(_mirrored)),
    "last-policy-only": Fault(
        says="of the policies with one subject only the last counts, instead of their union", policies=_lasts
    ),
    "no-peers-as-nobody": Fault(
        says="a rule without peers allows nobody",
        policies=of_rules(lambda rule, _: replace(rule, peers=()) if rule.peers is None else rule),
    ),
    "own-node-never-denied": Fault(
        says="Cilium's deny rules spare the pod's own node",
        policies=_each(lambda policy: replace(policy, denies_own_node=False)),
    ),
    "stale": Fault(says="a policy stays as it was first applied, until it is deleted", policies=_as_first_applied),
    "subject-expressions-ignored": Fault(
        says="of what a policy selects only what matchLabels can say is understood", policies=_each(_simple_subject)
    ),
    "subject-in-all-namespaces": Fault(
        says="a policy selects pods of all namespaces",
        policies=_each(
            lambda policy: replace(policy, subject=PodPeer(pods=policy.subject.pods, namespaces=EVERYTHING))
        ),
    ),
    "subject-is-the-namespace": Fault(
        says="a policy is for all pods of its namespace",
        policies=_each(lambda policy: replace(policy, subject=replace(policy.subject, pods=EVERYTHING))),
    ),
    "updates-add": Fault(says="a replaced policy keeps its old rules", policies=_updates_add),
}
