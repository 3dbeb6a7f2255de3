"""One path in words: whether it connects, what isolates each end, which rule decides, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import yaml

from netproof.lint.allow import Missing, advise
from netproof.lint.model import LintInput
from netproof.lint.paths import siblings
from netproof.manifests.yaml_documents import parse_key_path
from netproof.model import Probe, Specified
from netproof.policy import DirectionDecision

WORDS = {Specified.CONNECTED: "connects", Specified.DENIED: "denied", Specified.UNSPECIFIED: "left open by the API"}


def explain_path(inputs: LintInput, probe: Probe) -> Iterator[str]:
    decision = inputs.evaluator.decide(probe)
    yield f"{probe}: {WORDS[decision.specified]}"
    yield ""
    yield from _side("egress", probe.source, decision.egress, inputs)
    yield from _side("ingress", probe.destination.removeprefix("svc:"), decision.ingress, inputs)
    yield from ("", decision.because)
    yield from _replicas(inputs, probe, decision.specified)
    found = advise(inputs, probe, decision)
    yield from (line for why in found.why_not for line in ("", why))
    for missing in found.missing if not found.why_not else ():
        yield from ("", *_missing(missing))


def _replicas(inputs: LintInput, probe: Probe, specified: Specified) -> Iterator[str]:
    """What is otherwise for other pods of the same workloads, which may have labels of their own."""
    told = False
    for source in (probe.source, *siblings(inputs, probe.source)):
        for destination in (probe.destination, *siblings(inputs, probe.destination)):
            other = replace(probe, source=source, destination=destination)
            if source == destination or other == probe:
                continue
            decision = inputs.evaluator.decide(other)
            if decision.specified is not specified:
                yield from () if told else ("", "Their workloads have other pods, for which it is otherwise:")
                told = True
                yield f"  {other}: {WORDS[decision.specified]}. {decision.because}"


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
