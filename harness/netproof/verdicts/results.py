"""What becomes of a scenario: one word and its reasons, from the cells of all its steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from netproof.catalogue.scenarios import Scenario
from netproof.model import Measured
from netproof.report.record import ScenarioResult, StepResult, Variant
from netproof.verdicts.judging import Judged
from netproof.wording import count

Result = Literal["passed", "failed", "skipped", "error", "interrupted"]


def sum_up(judged: Sequence[Judged]) -> tuple[Result, str]:
    """The result of a scenario that was measured to its end, and why. A fault that nobody declared fails it, and one
    that is declared and did not happen; cells that nobody could measure are an error of the harness or the cluster."""
    undeclared = sum(len(one.undeclared) for one in judged)
    stale = sum(len(one.stale) for one in judged)
    unmeasured = sum(cell.measured is Measured.UNMEASURED for one in judged for cell in one.cells)
    reasons = []
    if undeclared:
        reasons.append(f"{count(undeclared, 'cell', 'differ')}, declared by nothing")
    if stale:
        reasons.append(f"{count(stale, 'declared difference')} did not happen")
    result: Result = "failed" if reasons else "error" if unmeasured else "passed"
    if unmeasured:
        reasons.append(f"{count(unmeasured, 'cell')} could not be measured")
    return result, "; ".join(reasons)


def describe_scenario(
    scenario: Scenario,
    result: Result,
    reason: str,
    *,
    duration_s: float = 0.0,
    steps: Sequence[StepResult] = (),
    warnings: Sequence[str] = (),
    reproduce: str = "",
) -> ScenarioResult:
    """A scenario's row in a record. `warnings` come after the scenario's own."""
    return ScenarioResult(
        id=scenario.id,
        claim=scenario.claim,
        source=scenario.source,
        result=result,
        reason=reason,
        duration_s=duration_s,
        steps=list(steps),
        manifests=scenario.policies_text(),
        values=scenario.values,
        warnings=[*scenario.warnings, *warnings],
        reproduce=reproduce,
        variant=Variant(of=scenario.variant_of, engine=scenario.engine) if scenario.engine else None,
    )
