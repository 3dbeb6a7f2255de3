"""What is missing on a denied path: the smallest rules of NetworkPolicies that would allow it, tried before they are
shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from netproof.lint.model import LintInput, LocatedPolicy
from netproof.lint.paths import backends
from netproof.model import Pod, Probe, Specified
from netproof.model.topology import NAME_LABEL
from netproof.policy import Decision, Evaluator, read_policies
from netproof.policy.rules import Direction

SIDES: Mapping[Direction, tuple[str, str]] = {"ingress": ("Ingress", "from"), "egress": ("Egress", "to")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A rule for one side: to be added to `policy`, or in a whole `manifest` of its own where every isolating policy
    selects more pods than this one. `open_ends` are addresses that the user must fill in."""

    direction: Direction
    rule: Mapping[str, Any]
    policy: LocatedPolicy | None
    manifest: Mapping[str, Any]
    open_ends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """`why_not`: what no rule of a NetworkPolicy can change."""

    missing: tuple[Missing, ...] = ()
    why_not: tuple[str, ...] = ()


def advise(inputs: LintInput, probe: Probe, decision: Decision) -> Advice:
    """The rules that would allow a denied path; none for a path that connects or is left open."""
    if decision.specified is not Specified.DENIED:
        return Advice()
    missing: list[Missing] = []
    why_not: list[str] = []
    for direction in ("egress", "ingress"):
        side = decision.egress if direction == "egress" else decision.ingress
        if side.allowed is not False:
            continue
        if side.rule:
            why_not.append(f"{side.rule} of {side.policy} denies it; no rule that allows outweighs that one")
            continue
        missing.append(_missing(inputs, probe, direction, side.isolating))
    if missing and not why_not and _after(inputs, probe, missing) is Specified.DENIED:
        why_not.append("policies of another kind deny it all the same: NetworkPolicies alone cannot allow it")
    return Advice(missing=tuple(missing), why_not=tuple(why_not))


def _missing(inputs: LintInput, probe: Probe, direction: Direction, isolating: Sequence[str]) -> Missing:
    far = list(backends(inputs, probe.destination))
    subject = inputs.groups.pods[probe.source] if direction == "egress" else far[0]
    number = _target(inputs, probe, far)
    other = probe.destination if direction == "egress" else probe.source
    peer, open_ends = _peer(inputs, other, subject.namespace)
    policy_type, key = SIDES[direction]
    rule = {key: [peer], "ports": [{"port": number, "protocol": probe.protocol}]}
    manifest = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": _name(direction, subject, other), "namespace": subject.namespace},
        "spec": {
            "podSelector": {"matchLabels": labels(inputs, [subject])},
            "policyTypes": [policy_type],
            direction: [rule],
        },
    }
    return Missing(
        direction=direction,
        rule=rule,
        policy=_own(inputs, isolating, subject),
        manifest=manifest,
        open_ends=open_ends,
    )


def _own(inputs: LintInput, isolating: Sequence[str], subject: Pod) -> LocatedPolicy | None:
    """The isolating NetworkPolicy that selects pods like this one and no others."""
    group = inputs.groups.of(subject.id)
    for ref in isolating:
        one = inputs.at(ref)
        if one is not None and one.is_network_policy and inputs.groups.select(one.policy.subject) == {group}:
            return one
    return None


def _peer(inputs: LintInput, end: str, own_namespace: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The other end as a peer that means nobody else, and what of it must be filled in."""
    pods = [pod for pod in backends(inputs, end) if not pod.host_network]
    if pods:
        peer: dict[str, Any] = {"podSelector": {"matchLabels": labels(inputs, pods)}}
        if pods[0].namespace != own_namespace:
            peer["namespaceSelector"] = {"matchLabels": {NAME_LABEL: pods[0].namespace}}
        return peer, ()
    name = end.removeprefix("external:")
    address = inputs.inventory.placement.address(end, 6 if ":" in name else 4)
    if address == name:
        return {"ipBlock": {"cidr": _whole(address)}}, ()
    # The addresses of named peers are made up here: only their owner knows them.
    return {"ipBlock": {"cidr": f"<address of {name}>/32"}}, (end,)


def _whole(address: str) -> str:
    return f"{address}/{128 if ':' in address else 32}"


def labels(inputs: LintInput, pods: Sequence[Pod]) -> dict[str, str]:
    """As few labels as possible that these pods of one namespace share and nobody else there has; all that they share
    where no choice tells them apart."""
    mine = {inputs.groups.of(pod.id) for pod in pods}
    shared = dict(set.intersection(*(set(pod.labels.items()) for pod in pods)))
    ordered = {key: shared[key] for key in pods[0].labels if key in shared}
    others = [
        group.labels
        for index, group in enumerate(inputs.groups.groups)
        if group.namespace == pods[0].namespace and index not in mine
    ]
    for size in (1, 2):
        for chosen in combinations(ordered.items(), size):
            if not any(set(chosen) <= set(other.items()) for other in others):
                return dict(chosen)
    return ordered


def _target(inputs: LintInput, probe: Probe, far: Sequence[Pod]) -> int:
    """The port on the pod behind a Service, which is the one that policies see."""
    service = inputs.inventory.topology.service(probe.destination)
    if service is None or service.headless:
        return probe.port
    target = next(p.target for p in service.ports if (p.port, p.protocol) == (probe.port, probe.protocol))
    return (far[0].port_number(target, probe.protocol) if far else None) or probe.port


def _name(direction: Direction, subject: Pod, other: str) -> str:
    words = "".join(c if c.isalnum() else "-" for c in other.rpartition("/")[2].rpartition("external:")[2].lower())
    return f"{subject.name}-{'to' if direction == 'egress' else 'from'}-{words.strip('-')}"[:63].rstrip("-")


def _after(inputs: LintInput, probe: Probe, missing: Sequence[Missing]) -> Specified:
    """What the path is with these rules."""
    manifests = list(_filled(inputs, missing))
    policies = [*(one.policy for one in inputs.policies), *read_policies(manifests)]
    return Evaluator(policies, inputs.inventory.topology, inputs.inventory.placement).decide(probe).specified


def _filled(inputs: LintInput, missing: Sequence[Missing]) -> Iterator[dict[str, Any]]:
    for one in missing:
        manifest = deepcopy(dict(one.manifest))
        for end in one.open_ends:
            rule = manifest["spec"][one.direction][0]
            address = inputs.inventory.placement.address(end)
            rule[SIDES[one.direction][1]] = [{"ipBlock": {"cidr": _whole(address or "0.0.0.0")}}]
        yield manifest
