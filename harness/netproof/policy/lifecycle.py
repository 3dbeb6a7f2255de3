"""What time adds to what the policies in force mean: for a connection that was open before they came, and for the first
attempts of a pod that is new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from netproof.model.outcome import Specified
from netproof.model.traffic import Probe
from netproof.policy.decision import Decision
from netproof.policy.evaluator import Evaluator

MAY_HAVE_ENDED = "unspecified: an earlier change denied this; the API leaves open whether the connection ended then."
MAY_COME_LATER = "unspecified: a new pod is isolated from its first instruction on, what is allowed may come later."


def decide_probes(
    evaluator: Evaluator, probes: Iterable[Probe], before: Mapping[Probe, Decision]
) -> dict[Probe, Decision]:
    """The decision for each probe. `before` are the decisions of the step before: a kept connection that was open to
    denial then is so for ever. For a new pod's first attempts, denials must hold from its first instant, and "allow
    rules will be applied eventually" (Network Policies, Pod lifecycle)."""
    return {probe: _decide_in_time(probe, evaluator.decide(probe), before.get(probe)) for probe in probes}


def _decide_in_time(probe: Probe, now: Decision, before: Decision | None) -> Decision:
    if probe.kind == "held" and before is not None and before.specified is not Specified.CONNECTED:
        return replace(now, specified=Specified.UNSPECIFIED, because=MAY_HAVE_ENDED)
    isolated = now.egress.isolated or now.ingress.isolated
    if probe.kind == "first" and isolated and now.specified is Specified.CONNECTED:
        return replace(now, specified=Specified.UNSPECIFIED, because=MAY_COME_LATER)
    return now
