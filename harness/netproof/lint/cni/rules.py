"""Rules about the CNI that is to enforce the policies. All that is known of a CNI comes from its folder in `clusters/`.

A known difference names the features of policies that it shows in (`lint` in known-differences.yaml); a feature is a
function here that finds it, and knows no CNI.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from netproof.lint.model import DIRECTIONS, Hit, LintInput, LocatedPolicy, SourceLocation
from netproof.lint.shapes import blocks, covered
from netproof.model.manifest import describe_object

Spot = tuple[LocatedPolicy, SourceLocation]


def _blocks_over_pods(inputs: LintInput) -> Iterator[Spot]:
    for one, rule, place, block in blocks(inputs):
        if covered(block, inputs):
            yield one, one.place_of_peer(rule, place)


def _blocks_of_everything(inputs: LintInput) -> Iterator[Spot]:
    for one, rule, place, block in blocks(inputs):
        if block.cidr.endswith("/0") and not block.outside:
            yield one, one.place_of_peer(rule, place)


def _blocks_with_named_ports(inputs: LintInput) -> Iterator[Spot]:
    for one, rule, _, _ in blocks(inputs):
        for place, port in enumerate(rule.ports or ()):
            if port.name is not None:
                yield one, one.place_of(rule, "ports", place)


def _rules_without_type(inputs: LintInput) -> Iterator[Spot]:
    for one in inputs.policies:
        for direction in DIRECTIONS:
            if direction in one.policy.ignored:
                yield one, one.place_of_list(direction)


def _excepts(inputs: LintInput) -> Iterator[Spot]:
    for one, rule, place, block in blocks(inputs):
        if block.excepts:
            yield one, one.place_of_peer(rule, place)


def _ports(inputs: LintInput, *, sctp: bool) -> Iterator[Spot]:
    for one in inputs.policies:
        for rule in one.policy.rules:
            for place, port in enumerate(rule.ports or ()):
                if port.protocol == "SCTP" if sctp else port.last not in (None, port.first):
                    yield one, one.place_of(rule, "ports", place)


FEATURES: Mapping[str, Callable[[LintInput], Iterator[Spot]]] = {
    "block-over-pods": _blocks_over_pods,
    "block-of-everything": _blocks_of_everything,
    "block-with-named-port": _blocks_with_named_ports,
    "block-with-except": _excepts,
    "rules-without-type": _rules_without_type,
    "port-range": lambda inputs: _ports(inputs, sctp=False),
    "sctp": lambda inputs: _ports(inputs, sctp=True),
}
"""What a known difference may name in its `lint` -> where policies have it."""


def known_differences(inputs: LintInput) -> Iterator[Hit]:
    """One for each policy and each reviewed entry that its features bring up, at the first place."""
    for cni in inputs.cnis:
        for known in cni.known:
            first: dict[str, Spot] = {}
            for feature in known.features:
                for spot in FEATURES[feature](inputs):
                    first.setdefault(spot[0].policy.ref, spot)
            for _, place in first.values():
                yield Hit(
                    sentence=f"{cni.name} {cni.version} is known to differ here ({known.id}): {known.sentence}",
                    place=place,
                    fix=f"do not rely on it with this CNI; see {known.link}",
                )


def foreign_dialects(inputs: LintInput) -> Iterator[Hit]:
    # One object may hold several policies.
    found = [*(one.located for one in inputs.policies), *(one.located for one in inputs.unread)]
    objects = {id(one): one for one in found}
    for cni in inputs.cnis:
        for located in objects.values():
            ref = describe_object(located.content)
            version, kind = located.content["apiVersion"], located.content["kind"]
            if not {version, f"{version}/{kind}"} & set(cni.dialects):
                yield Hit(
                    sentence=f"{cni.name} does not enforce {ref}: {kind} of {version} is not among its dialects "
                    f"({', '.join(cni.dialects)})",
                    place=SourceLocation(
                        file=located.document.file, line=located.line(("apiVersion",)), object=ref, key="apiVersion"
                    ),
                    fix="write it in a dialect that this CNI enforces, or use a CNI that enforces this one",
                )


def enforces_nothing(inputs: LintInput) -> Iterator[Hit]:
    for cni in inputs.cnis:
        if not cni.enforces and inputs.policies:
            yield Hit(
                sentence=f"{cni.name} enforces no policy at all: every connection stays open",
                place=inputs.policies[0].place(),
                fix=cni.hint or "use a CNI that enforces policies",
            )
