"""One path in words: whether it connects, what isolates each end, which rule decides, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import yaml

from netproof.lint.allow import Missing, advise
from netproof.lint.model import LintInput
from netproof.lint.paths import in_service_range, siblings
from netproof.manifests.yaml_documents import parse_key_path
from netproof.model import Probe, Specified
from netproof.policy import Decision, DirectionDecision
from netproof.policy.decision import join_names

WORDS = {Specified.CONNECTED: "connects", Specified.DENIED: "denied", Specified.UNSPECIFIED: "left open by the API"}
DEPENDS = "depends on the node: it connects from the pod's own node only"


def explain_path(inputs: LintInput, probe: Probe) -> Iterator[str]:
    decision = _decide(inputs, probe)
    yield f"{probe}: {_word(decision)}"
    yield from _unread(inputs, probe)
    yield ""
    yield from _side("egress", probe.source, decision.egress, inputs)
    yield from _side("ingress", probe.destination.removeprefix("svc:"), decision.ingress, inputs)
    yield from ("", decision.because)
    yield from _replicas(inputs, probe, decision.specified)
    found = advise(inputs, probe, decision)
    yield from (line for why in found.why_not for line in ("", why))
    for missing in found.missing if not found.why_not else ():
        yield from ("", *_missing(missing))


def _decide(inputs: LintInput, probe: Probe) -> Decision:
    decision = inputs.evaluator.decide(probe)
    address = probe.destination.removeprefix("external:")
    if not in_service_range(inputs, address) or (decision.egress.allowed is False and not decision.egress.rules):
        return decision
    because = (
        f"unspecified: {address} is a Service's address, and that Service is not among the manifests. Policies act on "
        "the pods behind it, and the API leaves open whether an ipBlock sees its address."
    )
    return replace(decision, specified=Specified.UNSPECIFIED, because=because)


def _word(decision: Decision) -> str:
    return DEPENDS if decision.depends else WORDS[decision.specified]


def _unread(inputs: LintInput, probe: Probe) -> Iterator[str]:
    """The policies that nobody understands and that may be about one of the ends."""
    ends = {probe.source.partition("/")[0], probe.destination.removeprefix("svc:").partition("/")[0]}
    found = [
        one
        for one in inputs.unread
        if one.located.content["metadata"].get("namespace") in {None, *ends}
        or one.located.content["kind"].startswith(("Global", "Cluster"))
    ]
    if found:
        many = "policy is" if len(found) == 1 else "policies are"
        named = join_names([f"{one.ref} ({one.located.content['apiVersion']})" for one in found])
        yield f"But {len(found)} {many} not understood here and may change it: {named}"


def _replicas(inputs: LintInput, probe: Probe, specified: Specified) -> Iterator[str]:
    """What is otherwise for other pods of the same workloads, which may have labels of their own."""
    told = False
    for source in (probe.source, *siblings(inputs, probe.source)):
        for destination in (probe.destination, *siblings(inputs, probe.destination)):
            other = replace(probe, source=source, destination=destination)
            if source == destination or other == probe:
                continue
            decision = _decide(inputs, other)
            if decision.specified is not specified:
                yield from () if told else ("", "Their workloads have other pods, for which it is otherwise:")
                told = True
                yield f"  {other}: {_word(decision)}. {decision.because}"


def _side(direction: str, end: str, side: DirectionDecision, inputs: LintInput) -> Iterator[str]:
    if not side.isolated and side.allowed is not None:
        yield f"{direction} of {end}: {side.reason or 'no policy isolates it'}"
        return
    isolating = ", ".join(_where(ref, "", inputs) for ref in side.isolating)
    yield f"{direction} of {end}: isolated by {isolating or 'nobody'}"
    if side.allowed is None:
        yield f"  left open: {side.reason}"
    elif side.rule:
        yield f"  {'allowed' if side.allowed else 'denied'} by {side.rule} of {_where(side.policy, side.at, inputs)}"
    else:
        several = f"none of {side.rules} rules allows" if side.rules > 1 else "no rule allows"
        yield f"  {several} it{f'; {side.reason}' if side.reason else ''}"


def _where(ref: str, key: str, inputs: LintInput) -> str:
    one = inputs.at(ref)
    return f"{ref} ({one.place(parse_key_path(key))})" if one else ref


def _missing(missing: Missing) -> Iterator[str]:
    fill = " Fill in the address." if missing.open_ends else ""
    if missing.policy is not None:
        place = missing.policy.place(("spec", missing.direction))
        yield f"Missing: a rule under spec.{missing.direction} of {missing.policy.policy.ref} ({place}).{fill}"
        shown = yaml.safe_dump([missing.rule], sort_keys=False)
    else:
        yield (
            f"Missing: an {missing.direction} rule. No NetworkPolicy isolates this pod alone, so it comes as a policy "
            f"of its own.{fill}"
        )
        shown = yaml.safe_dump(missing.manifest, sort_keys=False)
    yield ""
    yield from shown.rstrip().splitlines()
