"""Rules about selectors and ports that lead nowhere. The sentences come from harness/netproof/policy/warnings.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches

from netproof.lint.model import Hit, LintInput, LocatedPolicy, Severity, SourceLocation
from netproof.manifests.workloads import EVERYWHERE
from netproof.model.topology import NAME_LABEL
from netproof.policy.decision import join_names
from netproof.policy.rules import PodPeer, PortMatch, Requirement, Rule, Selector
from netproof.policy.warnings import Kind, Oddity

NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

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
                severity = Severity.ERROR if oddity.slip else None
                place = one.place(oddity.path)
                yield Hit(sentence=oddity.sentence, place=place, fix=FIXES[oddity.kind], severity=severity)

    return check


def _unknowable(oddity: Oddity, inputs: LintInput) -> bool:
    """Manifests of one application say nothing of the pods of other namespaces."""
    if inputs.inventory.complete or oddity.peer is None:
        return False
    if oddity.kind == "no-namespace":
        return _names_another(oddity.peer, inputs)
    if oddity.kind != "no-pod":
        return False
    if inputs.inventory.operated.intersection(inputs.groups.select_namespaces(oddity.peer)):
        return True
    populated = {pod.namespace for pod in inputs.inventory.topology.pods}
    return not populated.intersection(inputs.groups.select_namespaces(oddity.peer))


def _names_another(peer: PodPeer, inputs: LintInput) -> bool:
    """Whether the namespace is meant by its name: one that is not among the manifests may exist all the same, unless it
    is nearly called like one that is."""
    names = [
        value
        for requirement in (peer.namespaces or Selector()).requirements
        if isinstance(requirement, Requirement) and requirement.key == NAME_LABEL and requirement.operator == "In"
        for value in requirement.values
    ]
    own = set(inputs.groups.namespaces) - set(EVERYWHERE)
    return bool(names) and not any(get_close_matches(name, own, n=1, cutoff=0.75) for name in names)


def impossible_namespaces(inputs: LintInput) -> Iterator[Hit]:
    """Namespace labels that no namespace can have: the API server sets the name label to the name."""
    for namespace in inputs.inventory.topology.namespaces:
        said = namespace.labels.get(NAME_LABEL)
        if said is not None and said != namespace.name:
            yield Hit(
                sentence=f"Namespace {namespace.name} is labelled {NAME_LABEL}={said}, and the API server makes that "
                f"{namespace.name}",
                place=SourceLocation(object=f"Namespace {namespace.name}", key=f"metadata.labels.{NAME_LABEL}"),
                fix="remove the label",
            )
    for one in inputs.policies:
        for rule in one.policy.rules:
            for place, peer in enumerate(rule.peers or ()):
                for requirement in _namespace_requirements(peer):
                    wrong = [value for value in requirement.values if not NAMESPACE.fullmatch(value)]
                    if requirement.key == NAME_LABEL and requirement.operator == "In" and wrong:
                        yield Hit(
                            sentence=f"no namespace can be called {join_names(wrong)}, as {rule.direction} rule "
                            f"{rule.index + 1} of {one.policy.ref} has it",
                            place=one.place_of_peer(rule, place),
                            fix="write the namespace's name: lower-case letters, digits and '-'",
                        )


def _namespace_requirements(peer: object) -> Iterator[Requirement]:
    if isinstance(peer, PodPeer) and peer.namespaces is not None:
        yield from (one for one in peer.namespaces.requirements if isinstance(one, Requirement))


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
                        # A port of their Service is surely meant to be theirs.
                        severity=Severity.ERROR if service else None,
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
