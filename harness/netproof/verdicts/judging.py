"""Three matrices in, cells with verdicts out. The only place where intended, specified and measured meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from netproof.catalogue.scenarios import Scenario
from netproof.clusters.reviews import FAULTS, KINDS, Reviews
from netproof.model import Probe, Verdict, judge
from netproof.policy import DirectionDecision
from netproof.probing import Settled
from netproof.report import record
from netproof.verdicts.decisions import DecidedStep
from netproof.wording import link_docs


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One step: what its policies mean, its cells, and what the reviewed entries said of them."""

    decided: DecidedStep
    cells: list[record.Cell]
    reviewed: list[record.Reviewed]

    @property
    def undeclared(self) -> list[record.Cell]:
        return [cell for cell in self.cells if not cell.accepted]

    @property
    def stale(self) -> list[str]:
        return [f"{entry.id}: {line}" for entry in self.reviewed for line in entry.stale]


def _repeat_nothing(probe: Probe, host: str) -> str:
    return ""


def judge_step(
    scenario: Scenario,
    decided: DecidedStep,
    settled: Settled,
    reviews: Sequence[Reviews] = (),
    *,
    reproduce: Callable[[Probe, str], str] = _repeat_nothing,
) -> Judged:
    """The verdict of every cell of a step. `reproduce` gives the command that repeats a probe to an address by hand."""
    step = decided.step
    verdicts: dict[Probe, Verdict] = {}
    cells = []
    for probe, intended in step.intended.cells.items():
        decision, reading = decided.decisions[probe], settled.readings[probe]
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
                egress=_record_side(decision.egress),
                ingress=_record_side(decision.ingress),
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
    entries = [
        record_entry(kind, identifier, scenario.id, cells=count, stale=gone)
        for kind in reviews
        for identifier, (count, gone) in kind.stale(scenario.id, step.name, verdicts.items()).items()
    ]
    return Judged(decided=decided, cells=cells, reviewed=entries)


def record_entry(
    reviews: Reviews, identifier: str, scenario: str, *, cells: int, stale: Sequence[str] = ()
) -> record.Reviewed:
    """A reviewed entry that declares so many cells of a scenario; `stale` of its cells show no fault any more."""
    entry = reviews.entry(identifier)
    return record.Reviewed(
        id=identifier,
        kind=KINDS[reviews.fault],
        scenario=scenario,
        sentence=entry.sentence,
        reason=entry.reason,
        link=link_docs(entry.link),
        cells=cells,
        stale=list(stale),
        file=reviews.file_of(identifier),
    )


def _record_side(side: DirectionDecision) -> record.RecordedSide:
    return record.RecordedSide(
        isolated=side.isolated, isolating=list(side.isolating), allowed=bool(side.allowed), rule=side.rule
    )
