"""How long scenarios took to settle, and whose longest time it is: for tables of times in every report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netproof.report.record import StepResult, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """How a scenario settled, over all its steps: the slowest times (seconds; None when a step never got there)."""

    first_correct_s: float | None
    settled_after_s: float | None
    rounds: int
    flaps: int


def sum_up(steps: Iterable[StepResult]) -> Settling | None:
    """None for a scenario without a measured step."""
    steps = list(steps)
    if not steps:
        return None
    return Settling(
        first_correct_s=_slowest(step.first_correct_s for step in steps),
        settled_after_s=_slowest(step.settled_after_s for step in steps),
        rounds=sum(step.rounds for step in steps),
        flaps=sum(step.flaps for step in steps),
    )


def _slowest(times: Iterable[float | None]) -> float | None:
    longest = 0.0
    for time in times:
        if time is None:
            return None
        longest = max(longest, time)
    return longest


def slowest(target: Target) -> tuple[float, str] | None:
    """The longest time to settle (seconds) and its scenario."""
    times = [
        (step.settled_after_s, scenario.id)
        for scenario in target.scenarios
        for step in scenario.steps
        if step.settled_after_s is not None
    ]
    return max(times, default=None)
