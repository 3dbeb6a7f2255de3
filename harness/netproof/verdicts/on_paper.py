"""Scenarios on paper: the record of a run that measured nothing, with what the policies mean on made-up addresses."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from netproof import __version__
from netproof.catalogue.scenarios import Scenario
from netproof.clusters.reviews import KINDS
from netproof.model import Probe, Specified
from netproof.model.placement import place_on_paper
from netproof.policy import Decision
from netproof.probing import Settled
from netproof.report.record import Cell, Record, Reviewed, Run, ScenarioResult, Target, Variant
from netproof.verdicts.judging import decide, judge_step
from netproof.wording import link_docs

WHY = "nothing was measured: this is on paper"


def record_scenarios(scenarios: Iterable[Scenario]) -> Record:
    """What was meant and what the policies say, cell by cell; where they differ, the documented surprises."""
    target = Target(cni="", title="on paper")
    for scenario in scenarios:
        _add(target, scenario)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    run = Run(netproof=__version__, command="", started_at=now, duration_s=0.0, interrupted=False, exit_code=0)
    return Record(run=run, targets=[target])


def _add(target: Target, scenario: Scenario) -> None:
    decisions: dict[Probe, Decision] = {}
    cells: list[Cell] = []
    for step in scenario.fill(place_on_paper(scenario.topology)).steps:
        decisions = decide(step, place_on_paper(step.topology), decisions)
        nothing = Settled.nothing(decisions, WHY)
        judged = judge_step(scenario, step, decisions, nothing, (), reproduce=lambda probe, host: "")
        for probe, cell in zip(step.intended, judged.cells, strict=True):
            wrong = decisions[probe].specified not in (Specified.UNSPECIFIED, cell.intended.value)
            declared = scenario.documented.declared(scenario.id, step.name, probe) if wrong else []
            cells.append(cell.model_copy(update={"reviewed": declared, "accepted": bool(declared) or not wrong}))
    target.cells.extend(cells)
    for name in dict.fromkeys(name for cell in cells for name in cell.reviewed):
        entry = scenario.documented.entry(name)
        target.reviewed.append(
            Reviewed(
                id=name,
                kind=KINDS[scenario.documented.fault],
                scenario=scenario.id,
                sentence=entry.sentence,
                reason=entry.reason,
                link=link_docs(entry.link),
                cells=sum(name in cell.reviewed for cell in cells),
            )
        )
    target.scenarios.append(
        ScenarioResult(
            id=scenario.id,
            claim=scenario.claim,
            source=scenario.source,
            result="error",
            reason=WHY,
            duration_s=0.0,
            manifests=scenario.policies_text(),
            values=scenario.values,
            warnings=list(scenario.warnings),
            variant=Variant(of=scenario.variant_of, engine=scenario.engine) if scenario.engine else None,
        )
    )
