"""Three matrices in, cells with verdicts out. The only place where intended, specified and measured meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from netproof.catalogue.scenarios import Scenario, Step
from netproof.clusters.reviews import FAULTS, KINDS, Reviews
from netproof.model import Intent, Matrix, Measured, Placement, Probe, Specified, Verdict, judge
from netproof.policy import Decision, DirectionDecision, Evaluator, read_policies
from netproof.probing import Settled
from netproof.report import record
from netproof.wording import link_docs


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The cells of one step, and what the reviewed entries said of them."""

    cells: list[record.Cell]
    reviewed: list[record.Reviewed]

    @property
    def undeclared(self) -> list[record.Cell]:
        return [cell for cell in self.cells if not cell.accepted]

    @property
    def stale(self) -> list[str]:
        return [f"{entry.id}: {line}" for entry in self.reviewed for line in entry.stale]


MAY_HAVE_ENDED = "unspecified: an earlier change denied this; the API leaves open whether the connection ended then."
MAY_COME_LATER = "unspecified: a new pod is isolated from its first instruction on, what is allowed may come later."


def decide(step: Step, placement: Placement, before: Mapping[Probe, Decision] | None = None) -> dict[Probe, Decision]:
    """What a step's policies mean for each of its probes. `before` are the decisions of the step before it: a kept
    connection that was open to denial then is so for ever. For a new pod's first attempts, denials must hold from its
    first instant, and "allow rules will be applied eventually" (Network Policies, Pod lifecycle)."""
    evaluator = Evaluator(read_policies(step.policies), step.topology, placement)
    decisions = {probe: evaluator.decide(probe) for probe in step.intended}
    for probe in decisions.keys() & (before or {}).keys():
        if probe.kind == "held" and before and before[probe].specified is not Specified.CONNECTED:
            decisions[probe] = replace(decisions[probe], specified=Specified.UNSPECIFIED, because=MAY_HAVE_ENDED)
    for probe, decision in decisions.items():
        isolated = decision.egress.isolated or decision.ingress.isolated
        if probe.kind == "first" and isolated and decision.specified is Specified.CONNECTED:
            decisions[probe] = replace(decision, specified=Specified.UNSPECIFIED, because=MAY_COME_LATER)
    return decisions


def as_specified(step: Step, decisions: Mapping[Probe, Decision]) -> Step:
    """A generated step, whose cells mean what its policies do: it asks if dataplane and evaluator agree."""
    meant = {
        probe: Intent.DENIED if decision.specified is Specified.DENIED else Intent.CONNECTED
        for probe, decision in decisions.items()
    }
    return replace(step, intended=Matrix(meant))


def expect_measured(
    decisions: Mapping[Probe, Decision], known: Reviews, scenario: str, step: str
) -> dict[Probe, Measured]:
    """What a settled matrix must show so that measuring need not go on: the specified value, or its opposite where a
    reviewed known difference says so."""
    found = {}
    for probe, decision in decisions.items():
        if decision.specified is Specified.UNSPECIFIED:
            continue
        connects = decision.specified is Specified.CONNECTED
        if known.declared(scenario, step, probe):
            connects = not connects
        found[probe] = Measured.CONNECTED if connects else Measured.DENIED
    return found


def judge_step(
    scenario: Scenario,
    step: Step,
    decisions: Mapping[Probe, Decision],
    settled: Settled,
    reviews: Iterable[Reviews],
    *,
    reproduce: Callable[[Probe, str], str],
) -> Judged:
    """The verdict of every cell of a step. `reproduce` gives the command that repeats a probe to an address by hand."""
    reviews = list(reviews)
    verdicts: dict[Probe, Verdict] = {}
    cells = []
    for probe, intended in step.intended.cells.items():
        decision, reading = decisions[probe], settled.readings[probe]
        verdict = verdicts[probe] = judge(intended, decision.specified, reading.measured)
        declared = {r.fault: r.declared(scenario.id, step.name, probe) for r in reviews}
        faults = FAULTS[verdict]
        cells.append(
            record.Cell(
                scenario=scenario.id,
                step=step.name,
                source=probe.source,
                destination=probe.destination,
                via=probe.via,
                protocol=probe.protocol,
                port=probe.port,
                family=probe.family,
                kind=probe.kind,
                intended=intended,
                specified=decision.specified,
                measured=reading.measured,
                outcome=reading.outcome,
                verdict=verdict,
                accepted=all(declared.get(fault) for fault in faults),
                because=decision.because,
                egress=_side(decision.egress),
                ingress=_side(decision.ingress),
                attempts=[
                    record.RecordedAttempt(at_s=a.at_s, outcome=a.outcome, count=a.count, ms=a.ms, detail=a.detail)
                    for a in settled.attempts[probe]
                ],
                settled_after_s=settled.since_s.get(probe),
                host=reading.host,
                seen_source=reading.seen_source,
                note=reading.detail,
                reproduce=reproduce(probe, reading.host) if faults and reading.host else "",
                reviewed=[entry for fault in sorted(faults) for entry in declared.get(fault, [])],
            )
        )
    entries = []
    for kind in reviews:
        for identifier, (count, gone) in kind.stale(scenario.id, step.name, verdicts.items()).items():
            entry = kind.entry(identifier)
            entries.append(
                record.Reviewed(
                    id=identifier,
                    kind=KINDS[kind.fault],
                    scenario=scenario.id,
                    sentence=entry.sentence,
                    reason=entry.reason,
                    link=link_docs(entry.link),
                    cells=count,
                    stale=gone,
                    file=kind.file_of(identifier),
                )
            )
    return Judged(cells=cells, reviewed=entries)


def _side(side: DirectionDecision) -> record.RecordedSide:
    return record.RecordedSide(
        isolated=side.isolated, isolating=list(side.isolating), allowed=bool(side.allowed), rule=side.rule
    )
