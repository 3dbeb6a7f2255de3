"""Scenarios on paper: nothing was measured, and what the policies mean on made-up addresses is judged all the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from netproof import __version__
from netproof.catalogue.scenarios import Scenario
from netproof.model import Verdict, judge_on_paper
from netproof.probing import Settled
from netproof.report.record import Cell, Record, Run, Target
from netproof.verdicts.decisions import decide_on_paper
from netproof.verdicts.judging import Judged, judge_step, record_entry
from netproof.verdicts.results import describe_scenario

WHY = "nothing was measured: this is on paper"


def judge_unmeasured(scenario: Scenario, why: str) -> Iterator[Judged]:
    """Each step with its cells, of which nothing was measured: `why`."""
    for decided in decide_on_paper(scenario):
        yield judge_step(scenario, decided, Settled.nothing(decided.decisions, why))


def record_scenarios(scenarios: Iterable[Scenario]) -> Record:
    """What was meant and what the policies say, cell by cell; where they differ, the documented surprises."""
    target = Target(cni="", title="on paper")
    for scenario in scenarios:
        _add(target, scenario)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    run = Run(netproof=__version__, command="", started_at=now, duration_s=0.0, interrupted=False, exit_code=0)
    return Record(run=run, targets=[target])


def _add(target: Target, scenario: Scenario) -> None:
    documented = scenario.documented
    cells: list[Cell] = []
    for judged in judge_unmeasured(scenario, WHY):
        for probe, cell in zip(judged.decided.step.intended, judged.cells, strict=True):
            wrong = judge_on_paper(cell.intended, cell.specified) is Verdict.POLICY_DEFECT
            declared = documented.declared(scenario.id, judged.decided.step.name, probe) if wrong else []
            cells.append(cell.model_copy(update={"reviewed": declared, "accepted": bool(declared) or not wrong}))
    target.cells.extend(cells)
    for name in dict.fromkeys(name for cell in cells for name in cell.reviewed):
        count = sum(name in cell.reviewed for cell in cells)
        target.reviewed.append(record_entry(documented, name, scenario.id, cells=count))
    target.scenarios.append(describe_scenario(scenario, "error", WHY))
