"""What the evaluator says of one probe, and the sentences that tell a chart author why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netproof.model.outcome import Specified
from netproof.policy.rules import Direction
from netproof.wording import count


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionDecision:
    """One end of a probe: egress is the source's side, ingress the destination's."""

    isolated: bool
    isolating: tuple[str, ...] = ()
    """The policies that isolate the pod in this direction, as `NetworkPolicy namespace/name`."""
    allowed: bool | None
    """None: the API leaves it open, `reason` says why."""
    policy: str = ""
    """The policy whose rule decided; empty when no rule did."""
    rule: str = ""
    """That rule in words: `egress rule 2 (to pods app=meta, port 9500/TCP)`. Rules count from 1."""
    peer: str = ""
    """The peer of that rule that matched, in words; empty when the rule names none."""
    at: str = ""
    """Where the peer (or else the rule) stands in its object: `spec.egress[1].to[0]`. Places count from 0."""
    rules: int = 0
    """How many rules of this direction the isolating policies have."""
    reason: str = ""
    """Why it is open or always allowed; for a denial, the rule that came nearest."""
    depends: bool = False
    """It is open only since nobody says where pods run: it is allowed from the pod's own node and from no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the policies mean for one probe. Of several pods behind a Service, the sides are those of the first."""

    specified: Specified
    because: str
    egress: DirectionDecision
    ingress: DirectionDecision

    @property
    def depends(self) -> bool:
        """It is left open only since nobody says where pods run: it connects on one node and nowhere else."""
        open_sides = [side for side in (self.egress, self.ingress) if side.allowed is None]
        return self.specified is Specified.UNSPECIFIED and bool(open_sides) and all(one.depends for one in open_sides)


def combine_specified(egress: DirectionDecision, ingress: DirectionDecision) -> Specified:
    """Both sides are needed; a side that denies decides even when the other one is open."""
    allowed = (egress.allowed, ingress.allowed)
    if False in allowed:
        return Specified.DENIED
    return Specified.UNSPECIFIED if None in allowed else Specified.CONNECTED


def combine_directions(
    egress: DirectionDecision, ingress: DirectionDecision, source: str, destination: str, port: str
) -> Decision:
    """Both sides as one decision. `port` is `9500/TCP`."""
    return Decision(
        specified=combine_specified(egress, ingress),
        because=explain_decision(egress, ingress, source, destination, port),
        egress=egress,
        ingress=ingress,
    )


def leave_open(
    reason: str, egress: DirectionDecision | None = None, ingress: DirectionDecision | None = None
) -> Decision:
    """What the API leaves open for this reason."""
    unknown = DirectionDecision(isolated=False, allowed=None, reason=reason)
    return Decision(
        specified=Specified.UNSPECIFIED,
        because=f"unspecified: {reason}.",
        egress=egress or unknown,
        ingress=ingress or unknown,
    )


def explain_decision(
    egress: DirectionDecision, ingress: DirectionDecision, source: str, destination: str, port: str
) -> str:
    """The sides that decided, in a sentence each. `port` is `9500/TCP`."""
    told = [
        (egress, _sentence(egress, "egress", source, destination, port)),
        (ingress, _sentence(ingress, "ingress", destination, source, port)),
    ]
    match combine_specified(egress, ingress):
        case Specified.DENIED:
            told = [(side, text) for side, text in told if side.allowed is False]
        case Specified.UNSPECIFIED:
            told = [(side, text) for side, text in told if side.allowed is None]
        case Specified.CONNECTED:
            pass
    return " ".join(text for _, text in told)


def _sentence(side: DirectionDecision, direction: Direction, subject: str, peer: str, port: str) -> str:
    if side.allowed is None:
        return f"unspecified at {direction}: {side.reason}."
    if side.allowed:
        return f"{direction}: {_allowing(side, direction, subject)}."
    if side.rule:
        return f"denied at {direction}: {side.rule} of {side.policy} denies this."
    several = len(side.isolating) > 1
    their = "their" if several else "its"
    rules = f"{count(side.rules, f'{direction} rule')}"
    if side.rules == 0:
        nothing = f"{'have' if several else 'has'} no {direction} rule"
    elif side.rules == 1:
        nothing = f"{their} only {direction} rule does not allow {peer} on {port}"
    else:
        nothing = f"none of {their} {rules} allows {peer} on {port}"
    near = f" ({side.reason})" if side.reason else ""
    verb = "isolate" if several else "isolates"
    return f"denied at {direction}: {join_names(side.isolating)} {verb} {subject} and {nothing}{near}."


def _allowing(side: DirectionDecision, direction: Direction, subject: str) -> str:
    if side.reason:
        return side.reason
    if not side.rule:
        return f"no policy isolates {subject}"
    if not side.isolated:
        return f"{side.rule} of {side.policy} allows this"
    of = "its" if side.isolating == (side.policy,) else ""
    named = f"its {side.rule}" if of else f"{side.rule} of {side.policy}"
    return f"{subject} is isolated by {join_names(side.isolating)}; {named} allows this"


def join_names(names: Sequence[str], most: int = 3) -> str:
    """`a`, `a and b`, `a, b and c`, `a, b, c and 4 more`."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
