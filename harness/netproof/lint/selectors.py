"""Rules about selectors and ports that lead nowhere. The sentences come from harness/netproof/policy/warnings.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from netproof.lint.model import Hit, LintInput, LocatedPolicy
from netproof.model.topology import NAME_LABEL
from netproof.policy.rules import PodPeer, PortMatch, Rule
from netproof.policy.warnings import Kind, Oddity

FIXES: Mapping[Kind, str] = {
    "ignored-rules": "add the direction to policyTypes, or remove its rules",
    "unknown-namespace": "correct metadata.namespace, or add the Namespace to what is checked",
    "no-namespace": f"use a label that the namespace has; every namespace has {NAME_LABEL}=<its name>",
    "host-pods-only": "policies leave pods on the host's network alone; select others, or remove it",
    "no-pod": "correct the label, or add the workload to what is checked",
    "unknown-port-name": "use the name or number of a container port, not of a Service port",
}


def odd(*kinds: Kind) -> Callable[[LintInput], Iterator[Hit]]:
    """The check that shows these kinds of oddities."""

    def check(inputs: LintInput) -> Iterator[Hit]:
        for one, oddity in inputs.oddities:
            if oddity.kind in kinds and not _unknowable(oddity, inputs):
                yield Hit(sentence=oddity.sentence, place=one.place(oddity.path), fix=FIXES[oddity.kind])

    return check


def _unknowable(oddity: Oddity, inputs: LintInput) -> bool:
    """Manifests of one application say nothing of the pods of other namespaces."""
    if inputs.inventory.complete or oddity.kind != "no-pod" or oddity.peer is None:
        return False
    populated = {pod.namespace for pod in inputs.inventory.topology.pods}
    return not populated.intersection(inputs.groups.select_namespaces(oddity.peer))


def ports_of_nobody(inputs: LintInput) -> Iterator[Hit]:
    """Names come from the oddities; numbers are judged only where the selected pods declare ports at all."""
    yield from odd("unknown-port-name")(inputs)
    for one in inputs.policies:
        for rule in one.policy.rules:
            members = _reached(one, rule, inputs)
            if not members or not all(inputs.groups[group].ports for group in members):
                continue
            for place, port in enumerate(rule.ports or ()):
                if port.first is not None and not any(_has(inputs, group, port) for group in members):
                    peers = f"{rule.direction} rule {rule.index + 1} of {one.policy.ref}"
                    service, fix = _service_hint(members, port, inputs)
                    yield Hit(
                        sentence=f"no pod that {peers} is about has {port}{service}",
                        place=one.place_of(rule, "ports", place),
                        fix=fix or f"their ports are {_ports(members, inputs)}",
                    )


def _reached(one: LocatedPolicy, rule: Rule, inputs: LintInput) -> set[int]:
    """The groups whose ports a rule means; none where it may mean somebody outside, or somebody unknown."""
    if rule.direction == "ingress":
        return set(inputs.groups.select(one.policy.subject))
    found: set[int] = set()
    for peer in rule.peers or ():
        if not isinstance(peer, PodPeer):
            return set()
        selected = inputs.groups.select(peer)
        if not selected and not inputs.inventory.complete:
            return set()
        found |= selected
    return found


def _has(inputs: LintInput, group: int, port: PortMatch) -> bool:
    first = port.first or 0
    return any(
        own.protocol == port.protocol and first <= own.port <= (port.last or first)
        for own in inputs.groups[group].ports
    )


def _service_hint(members: Iterable[int], port: PortMatch, inputs: LintInput) -> tuple[str, str]:
    """A port of a Service instead of the pod's is the usual slip."""
    pods = [inputs.groups.pods[pod] for group in members for pod in inputs.of_group.get(group, ())]
    for service in inputs.inventory.topology.services:
        behind = [
            pod
            for pod in pods
            if pod.namespace == service.namespace and service.selector.items() <= dict(pod.labels).items()
        ]
        for its in service.ports if behind and service.selector else ():
            if (its.port, its.protocol) == (port.first, port.protocol) and its.target != its.port:
                number = behind[0].port_number(its.target, its.protocol) or its.target
                name = service.id.removeprefix("svc:")
                return (
                    f"; it is a port of Service {name}, which leads to {number} on the pod",
                    f"policies see the port on the pod: write {number}",
                )
    return "", ""


def _ports(members: Iterable[int], inputs: LintInput) -> str:
    found = {f"{port.port}/{port.protocol}" for group in members for port in inputs.groups[group].ports}
    return ", ".join(sorted(found, key=lambda text: int(text.partition("/")[0])))
