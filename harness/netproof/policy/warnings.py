"""What is allowed by the API and hardly ever meant: selectors that select nothing, port names that nobody has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal, get_args

from netproof.model.topology import DNS_POD, Protocol, Topology
from netproof.policy.groups import Groups
from netproof.policy.rules import PodPeer, Policy, Requirement, Rule, Selector

Kind = Literal["ignored-rules", "unknown-namespace", "no-namespace", "host-pods-only", "no-pod", "unknown-port-name"]
KeyPath = tuple[str | int, ...]
SHORT = 4
"""Letters; of shorter words one letter makes another word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Oddity:
    """One of them: `path` is where it stands in the policy's object, `peer` the selection that it is about."""

    kind: Kind
    policy: Policy
    path: KeyPath
    sentence: str
    peer: PodPeer | None = None
    slip: bool = False
    """One letter is wrong: nearly the same label is there."""


def warnings(policies: Sequence[Policy], topology: Topology) -> list[str]:
    """One sentence for each selector that matches no pod, each namespaceSelector that matches no namespace, each port
    name that no selected pod has (with the nearest label or name that exists), and rules that policyTypes leaves out.
    """
    groups = Groups(topology, (DNS_POD,))
    return list(dict.fromkeys(oddity.sentence for oddity in oddities(policies, groups)))


def oddities(policies: Iterable[Policy], groups: Groups) -> Iterator[Oddity]:
    """The same with their places, in the order of the policies."""
    for policy in policies:
        yield from _of_policy(policy, groups)


def _of_policy(policy: Policy, groups: Groups) -> Iterator[Oddity]:
    root: KeyPath = ("spec",) if policy.place is None else ("specs", policy.place)
    for direction in sorted(policy.ignored):
        sentence = (
            f"the {direction} rules of {policy.ref} have no effect: its {policy.types_key} does not list "
            f"{direction.capitalize()}"
        )
        yield Oddity(kind="ignored-rules", policy=policy, path=(*root, direction), sentence=sentence)
    subjects = groups.select(policy.subject)
    what = f"{policy.subject_key} {policy.subject.pods} in {policy.ref}"
    for kind, sentence, slip in _of_selection(policy.subject, what, policy.ref, groups):
        path: KeyPath = (*root, policy.subject_key)
        yield Oddity(kind=kind, policy=policy, path=path, sentence=sentence, peer=policy.subject, slip=slip)
    for rule in policy.rules:
        at: KeyPath = (*root, rule.list_key or rule.direction, rule.index)
        selected: set[int] = set()
        for place, peer in enumerate(rule.peers or ()):
            if isinstance(peer, PodPeer):
                selected |= groups.select(peer)
                what = f"{rule.peers_key or 'podSelector'} {peer.pods} in {_place(rule)} of {policy.ref}"
                key = rule.peers_key or ("from" if rule.direction == "ingress" else "to")
                path = (*at, key, *((place,) if rule.peers_listed else ()))
                for kind, sentence, slip in _of_selection(peer, what, f"{_place(rule)} of {policy.ref}", groups):
                    yield Oddity(kind=kind, policy=policy, path=path, sentence=sentence, peer=peer, slip=slip)
        members: Iterable[int] = subjects
        if rule.direction == "egress":
            known = rule.peers is not None and all(isinstance(peer, PodPeer) for peer in rule.peers)
            members = selected if known else range(len(groups.groups))
        for number, sentence in _of_ports(rule, policy.ref, members, groups):
            yield Oddity(kind="unknown-port-name", policy=policy, path=(*at, "ports", number), sentence=sentence)


def _place(rule: Rule) -> str:
    return f"{rule.list_key or rule.direction} rule {rule.index + 1}"


def _of_selection(peer: PodPeer, what: str, where: str, groups: Groups) -> Iterator[tuple[Kind, str, bool]]:
    namespaces = groups.select_namespaces(peer)
    if peer.namespace is not None and peer.namespace not in groups.namespaces:
        near = _nearest(peer.namespace, groups.namespaces)
        lost = f"{where} is about namespace {peer.namespace}, which does not exist"
        yield "unknown-namespace", f"{lost}{_hint('nearest namespace', near)}", False
    elif not namespaces:
        labels = {f"{key}={value}" for found in groups.namespaces.values() for key, value in found.items()}
        sought = _sought(peer.namespaces or Selector())
        near = _nearest(sought, labels)
        lost = f"namespaceSelector {peer.namespaces} in {where} matches no namespace"
        yield "no-namespace", f"{lost}{_hint('nearest label', near)}", any(is_slip(sought, one) for one in labels)
    elif not groups.select(peer) and any(
        pod.host_network and pod.namespace in namespaces and peer.pods.matches(pod.labels)
        for pod in groups.pods.values()
    ):
        yield "host-pods-only", f"{what} matches only pods on the host's network, which policies leave alone", False
    elif not groups.select(peer):
        inside = [group for group in groups.groups if group.namespace in namespaces]
        labels = {f"{key}={value}" for group in inside for key, value in group.labels.items() if key[0] != "@"}
        sought = _sought(peer.pods, labels)
        near = _nearest(sought, labels)
        yield (
            "no-pod",
            f"{what} matches no pod{_hint('nearest label', near)}",
            any(is_slip(sought, one) for one in labels),
        )


def _of_ports(rule: Rule, ref: str, selected: Iterable[int], groups: Groups) -> Iterator[tuple[int, str]]:
    if not any(port.name for port in rule.ports or ()):
        return
    members = [groups[index] for index in selected]
    if not members:
        return
    protocols: dict[str | None, list[Protocol]] = defaultdict(list)
    for port in rule.ports or ():
        protocols[port.name].append(port.protocol)
    for place, port in enumerate(rule.ports or ()):
        # A name for every protocol is how dialects write a name alone: one protocol that has it is enough.
        any_protocol = set(protocols[port.name]) == {*get_args(Protocol)}
        meant = protocols[port.name] if any_protocol else [port.protocol]
        if port.name is None or any(group.port(port.name, one) for group in members for one in meant):
            continue
        if any_protocol and port.protocol != meant[0]:
            continue
        others = sorted({other.protocol for group in members for other in group.ports if other.name == port.name})
        names = {other.name for group in members for other in group.ports if other.name and other.protocol in meant}
        hint = f"; its {others[0]} port has that name" if others else _hint("nearest name", _nearest(port.name, names))
        kind = "" if any_protocol else f"{port.protocol} "
        lost = f"no pod that {_place(rule)} of {ref} is about has a {kind}port named {port.name}"
        yield place, f"{lost}{hint}"


def _sought(selector: Selector, present: Iterable[str] = ()) -> str:
    """The `key=value` that is to blame for the selector matching nothing: the first that nobody has, else the first."""
    labels = set(present)
    keys = {label.partition("=")[0] for label in labels}
    sought = [
        (requirement.key, requirement.values[0] if requirement.values else "")
        for requirement in selector.requirements
        if isinstance(requirement, Requirement)
    ]
    for key, value in sought:
        if f"{key}={value}" not in labels and (value or key not in keys):
            return f"{key}={value}"
    return "=".join(sought[0]) if sought else ""


def is_slip(word: str, other: str) -> bool:
    """Whether two labels differ by one letter in their key or in their value (missing, added, wrong, or two exchanged).
    Numbers count things, and short words are easily others."""
    pairs = list(zip(word.partition("=")[::2], other.partition("=")[::2], strict=True))
    wrong = [pair for pair in pairs if pair[0] != pair[1]]
    if len(wrong) != 1 or min(len(text) for text in wrong[0]) < SHORT:
        return False
    one, two = wrong[0]
    start = next((n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    rests = one[start:], two[start:]
    differing = one[start : start + 1] + two[start : start + 1]
    if any(letter.isdigit() for letter in differing):
        return False
    first, second = rests
    exchanged = first[:2] == second[1::-1] and first[2:] == second[2:]
    return exchanged or first[1:] == second[1:] or first[1:] == second or first == second[1:]


def _nearest(word: str, candidates: Iterable[str]) -> str:
    """The candidate most like the word, however unlike; of equals the first by alphabet."""
    scored = [(SequenceMatcher(None, word, candidate).ratio(), candidate) for candidate in sorted(candidates)]
    return max(scored, key=lambda pair: pair[0])[1] if word and scored else ""


def _hint(what: str, near: str) -> str:
    return f"; {what}: {near}" if near else ""
