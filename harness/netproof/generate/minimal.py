"""From a generated scenario that disagrees to the smallest one that still does, saved as a file that replays."""

from __future__ import annotations

import time
from bisect import bisect
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any, Protocol

from netproof.catalogue.scenarios import Scenario
from netproof.errors import InputError, NetproofError
from netproof.generate import documents
from netproof.generate.shrinking import shrink
from netproof.manifests.data_dirs import display_path
from netproof.model import Probe, Specified
from netproof.report.record import Cell
from netproof.verdicts.decisions import decide_on_paper
from netproof.wording import count

SECONDS, TRIES = 300.0, 200
"""How long, and how often on the driver, a disagreement is made smaller."""
HURRY = 5.0
"""Seconds that a candidate has to agree after all; what is left in the end has as long as every scenario."""


class Disagrees(Protocol):
    """Whether the last step's probe is specified so and measured otherwise on the driver, after `at_most` seconds. It
    once was `late` seconds after the change."""

    def __call__(
        self, scenario: Scenario, probe: Probe, specified: Specified, *, late: float, at_most: float
    ) -> bool: ...


def find(
    scenario: Scenario, wrong: Sequence[Cell], disagrees: Disagrees, *, folder: Path, cni: str
) -> tuple[Path, str]:
    """The path of the saved file, and what to tell of it. `wrong` are the cells that disagree. On Ctrl-C the smallest
    so far is saved, too."""
    draft = scenario.draft or {}
    cell = _choose_cell(scenario, wrong)
    steps = [step.name for step in scenario.steps]
    kept = {**draft, "steps": draft["steps"][: steps.index(cell.step) + 1]}
    asked = cell.probe
    late = cell.settled_after_s or 0.0
    origin = scenario.source.removeprefix("generated, ")
    tries = 0
    trouble = ""
    disagreeing: list[Mapping[str, Any]] = []

    def still(candidate: Mapping[str, Any], at_most: float = HURRY) -> bool:
        nonlocal tries, trouble
        if trouble:
            return False
        try:
            made = documents.scenario(candidate, scenario.id, origin, scenario.select, [asked])
            *_, last = decide_on_paper(made)
            if last.decisions[asked].specified is not cell.specified:
                return False
        except InputError:
            # Without that part it is no valid object, or no step.
            return False
        if tries >= TRIES:
            trouble = f"{count(TRIES, 'try', 'were')} over"
            return False
        tries += 1
        try:
            found = disagrees(made, asked, cell.specified, late=late, at_most=late + at_most)
        except NetproofError as error:
            trouble = str(error).splitlines()[0]
            return False
        if found:
            disagreeing.append(candidate)
        return found

    small: Mapping[str, Any] = kept
    how = "nothing can be left out"
    path = folder / f"{scenario.id}.yaml"
    try:
        if not still(kept, inf):
            how = trouble or "did not happen again when this cell was asked alone; not made smaller"
        else:
            small, minimal = shrink(kept, still, time.monotonic() + SECONDS)
            if trouble or not minimal:
                how = f"made smaller until {trouble or f'{SECONDS:.0f} s were over'}"
            elif not still(small, inf):
                # Some of them agreed in the end, only later: the smallest that does not, looked for by halves.
                held = bisect(disagreeing, False, lo=1, key=lambda candidate: not still(candidate, inf))
                small, how = disagreeing[held - 1], "what is smaller agreed in the end, only later"
    except KeyboardInterrupt:
        small = disagreeing[-1] if disagreeing else kept
        raise
    finally:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(_write_draft(small, scenario, origin, cell, cni), encoding="utf-8")
    rest = f" (and {count(len(wrong) - 1, 'more cell')})" if len(wrong) > 1 else ""
    return (
        path,
        f"{asked}: specified {cell.specified}, measured {cell.measured}{rest}; {how}, {count(tries, 'try')}: "
        f"{display_path(path)}",
    )


def _choose_cell(scenario: Scenario, wrong: Sequence[Cell]) -> Cell:
    """Of the first step that disagrees, a cell that is easy to repeat: between pods, by TCP."""
    steps = [step.name for step in scenario.steps]
    return min(
        wrong,
        key=lambda cell: (
            steps.index(cell.step),
            cell.via != "pod",
            cell.source.startswith("node:"),
            cell.protocol != "TCP",
            cell.source.partition("/")[0] != cell.destination.partition("/")[0],
        ),
    )


def _write_draft(draft: Mapping[str, Any], scenario: Scenario, origin: str, cell: Cell, cni: str) -> str:
    asked = cell.probe
    made = documents.scenario(draft, scenario.id, origin, scenario.select, [asked])
    meant = [decided.decisions[asked].specified for decided in decide_on_paper(made)]
    meant[-1] = cell.specified
    content = documents.document(draft, scenario.id, origin, [documents.table({asked: value}) for value in meant])
    head = (
        f"{cni}: {asked}: specified {cell.specified}, measured {cell.measured}\n{cell.because}\n"
        "The table is the evaluator's: hold it against the API's text before this becomes a scenario."
    )
    return documents.text(content, head)
