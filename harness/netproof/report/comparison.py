"""Several records side by side, as one value: CNIs, versions, nights. What it says is drawn by others.

A *side* is one CNI of one record. What the record does not have stays absent here, with the reason, and is never taken
for agreement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Literal

from netproof.model import Measured
from netproof.report.record import Cell, Record, Reviewed, ScenarioResult, Target
from netproof.wording import agree, count, several

FailOn = Literal["new", "any", "none"]
Key = tuple[str, str, str]


class RowClass(StrEnum):
    """What can be said of a cell over all sides. The order is the order in which a reader needs them."""

    NEW = "new"
    """A fault that the same CNI's earlier record does not show; where that lacks the cell, only an undeclared one."""
    GONE = "gone"
    """The earlier record shows a fault, this one measured and found none."""
    DIFFERS = "differs"
    """One CNI connected, another one denied."""
    CHANGED = "changed"
    """Since the earlier record it measures something else, or other policies are meant, and neither is a fault's."""
    UNMEASURED = "unmeasured"
    ONLY = "only"
    """Some of the sides that were measured do not have this cell."""
    HOW = "how"
    """All deny it, but not in the same way: dropped or rejected."""
    ALONE = "alone"
    """Fewer than two sides measured it: nothing to compare with."""
    SAME = "same"


WORDS: Mapping[RowClass, str] = {
    RowClass.NEW: "new since",
    RowClass.GONE: "gone since",
    RowClass.DIFFERS: "differs between CNIs",
    RowClass.CHANGED: "changed since",
    RowClass.UNMEASURED: "unmeasured",
    RowClass.ONLY: "only in some",
    RowClass.HOW: "denied in another way",
    RowClass.ALONE: "nothing to compare with",
    RowClass.SAME: "same",
}

LOUD = (RowClass.NEW, RowClass.GONE, RowClass.DIFFERS, RowClass.CHANGED, RowClass.UNMEASURED, RowClass.ONLY)
"""The classes that "only rows that differ" shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRecord:
    """A record and what a reader calls it (its file)."""

    label: str
    record: Record


class TargetState(StrEnum):
    MEASURED = "measured"
    ENDED_EARLY = "ended early"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedTarget:
    """One CNI of one record. `why` says why nothing, or not everything, was measured. A missing one has no target."""

    label: str
    """What tells it from the others: its name, and its night where that is needed."""
    name: str
    """The CNI and its version."""
    cni: str
    state: TargetState
    why: str = ""
    source: str = ""
    started_at: str = ""
    baseline: bool = False
    latest: bool = False
    """The newest of its CNI that is no baseline: what differences between CNIs are read from."""
    target: Target | None = None

    @property
    def night(self) -> str:
        """When its run started, to the minute."""
        return self.started_at[:16].replace("T", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRow:
    """One cell over all sides, in their order; None where a side does not have it. `new` and `gone` name CNIs."""

    key: Key
    cells: tuple[Cell | None, ...]
    classes: frozenset[RowClass] = frozenset()
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def cell(self) -> Cell:
        """Any side's cell: for what is equal on all of them."""
        return next(cell for cell in reversed(self.cells) if cell)


def is_measured(cell: Cell | None) -> bool:
    return cell is not None and cell.measured is not Measured.UNMEASURED


@dataclass(frozen=True, kw_only=True)
class Comparison:
    sides: tuple[ComparedTarget, ...]
    rows: tuple[ComparedRow, ...]
    earlier: Mapping[str, int]
    """For each CNI the place of the side that its latest is compared with, where there is one."""
    with_baseline: bool

    @cached_property
    def latest(self) -> dict[str, int]:
        """For each CNI the place of its newest side."""
        return {side.cni: place for place, side in enumerate(self.sides) if side.latest}

    @cached_property
    def counts(self) -> Counter[RowClass]:
        return Counter(kind for row in self.rows for kind in row.classes)

    @property
    def missing(self) -> tuple[ComparedTarget, ...]:
        """The CNIs of which nothing is known now."""
        return tuple(side for side in self.sides if side.latest and side.state is not TargetState.MEASURED)

    @cached_property
    def agreement(self) -> tuple[int, int] | None:
        """Of the cells that every measured CNI measured: on how many they agree. None with fewer than two CNIs."""
        places = [place for place in self.latest.values() if self.sides[place].state is TargetState.MEASURED]
        if len(places) < 2:
            return None
        shared = [[row.cells[place] for place in places] for row in self.rows]
        values = [
            {cell.measured for cell in cells if cell} for cells in shared if all(is_measured(cell) for cell in cells)
        ]
        return sum(1 for value in values if len(value) == 1), len(values)

    @cached_property
    def undeclared(self) -> tuple[ComparedRow, ...]:
        """New faults that no reviewed entry declares."""
        return tuple(
            row
            for row in self.rows
            if any((cell := row.cells[self.latest[cni]]) is not None and not cell.accepted for cni in row.new)
        )

    @cached_property
    def stale(self) -> tuple[tuple[ComparedTarget, Reviewed], ...]:
        """Reviewed entries whose differences stopped to happen since the earlier record."""
        found = []
        for cni, place in self.latest.items():
            before = self.sides[self.earlier[cni]].target if cni in self.earlier else None
            if not self.with_baseline and before is None:
                continue
            was = {(entry.id, line) for entry in (before.reviewed if before else ()) for line in entry.stale}
            target = self.sides[place].target
            for entry in target.reviewed if target else ():
                fresh = [line for line in entry.stale if (entry.id, line) not in was]
                if fresh:
                    found.append((self.sides[place], entry.model_copy(update={"stale": fresh})))
        return tuple(found)

    @property
    def title(self) -> str:
        """`Where calico 3.28.5 and cilium 1.20.2 differ`, or what changed on a single CNI."""
        measured = [self.sides[n] for n in self.latest.values() if self.sides[n].state is TargetState.MEASURED]
        names = [side.name for side in measured]
        if len(names) == 1 and measured[0].cni in self.earlier:
            before, now = self.sides[self.earlier[measured[0].cni]], measured[0]
            if before.name != now.name:
                return f"What changed from {before.name} to {now.name}"
            return f"What changed on {now.name} since {before.night}"
        return (
            f"Where {several(names, 5)} differ"
            if len(names) > 1
            else f"{''.join(names) or 'Nothing'}, compared with nothing"
        )

    @property
    def sentences(self) -> list[tuple[str, Literal["good", "bad", "warn"]]]:
        """What a reader must know, most urgent first, each with how it stands."""
        said: list[tuple[str, Literal["good", "bad", "warn"]]] = [
            (f"{side.label} is {side.state}: {side.why}. Nothing is known about it.", "bad") for side in self.missing
        ]
        if self.earlier or self.with_baseline:
            new, undeclared, gone = self.counts[RowClass.NEW], len(self.undeclared), self.counts[RowClass.GONE]
            since = self._since()
            if new:
                declared = f", {undeclared:,} of them undeclared" if undeclared != new else ""
                said.append((f"{count(new, 'new difference')} since {since}{declared}.", "bad"))
            else:
                said.append((f"No new difference since {since}.", "good"))
            if gone:
                said.append((f"{count(gone, 'difference')} of {since} did not happen this time.", "warn"))
        for side, entry in self.stale:
            many, differ = count(len(entry.stale), "cell"), agree(len(entry.stale), "differ")
            said.append((f"{entry.id} declares {many} that no longer {differ} on {side.label}.", "bad"))
        if self.agreement:
            same, shared = self.agreement
            text = f"The CNIs agree on {same:,} of {count(shared, 'cell')} that all of them measured."
            said.append((text, "good" if same == shared and not self.missing else "warn"))
        return said

    def _since(self) -> str:
        nights = list(dict.fromkeys(self.sides[place].night for place in self.earlier.values()))
        return several(nights) if nights else "the baseline, which has none of these CNIs"

    def failures(self, fail_on: FailOn) -> list[str]:
        """Why the shell should hear of it, a sentence each. `any` counts what the baseline had, and missing CNIs."""
        if fail_on == "none":
            return []
        if fail_on == "new":
            sentences = [count(len(self.undeclared), "new difference")] if self.undeclared else []
            stale = sum(len(entry.stale) for _, entry in self.stale)
            return sentences + (
                [f"{count(stale, 'declared difference')} that no longer {agree(stale, 'happen')}"] if stale else []
            )
        sentences = [f"{side.label} is {side.state}" for side in self.missing]
        for place in self.latest.values():
            if target := self.sides[place].target:
                wrong = sum(not cell.accepted for cell in target.cells)
                stale = sum(len(entry.stale) for entry in target.reviewed)
                sentences += [f"{count(wrong, 'undeclared difference')} on {self.sides[place].label}"] if wrong else []
                sentences += [f"{count(stale, 'stale declaration')} on {self.sides[place].label}"] if stale else []
        return sentences

    def absence(self, side: ComparedTarget, scenario: str) -> str:
        """Why a side has no such cell, in words."""
        if side.state is not TargetState.MEASURED:
            return str(side.state)
        result = self.result(side, scenario)
        if result is None:
            return "not run"
        return result.result if result.result in ("skipped", "error", "interrupted") else "not asked"

    def result(self, side: ComparedTarget, scenario: str) -> ScenarioResult | None:
        return self._results.get((side.label, scenario))

    @cached_property
    def _results(self) -> dict[tuple[str, str], ScenarioResult]:
        return {
            (side.label, scenario.id): scenario
            for side in self.sides
            if side.target
            for scenario in side.target.scenarios
        }

    @cached_property
    def scenarios(self) -> dict[str, Counter[RowClass]]:
        """Every scenario that a side has, with the classes of its rows."""
        found: dict[str, Counter[RowClass]] = {name: Counter() for _, name in self._results}
        for row in self.rows:
            found.setdefault(row.key[0], Counter()).update(row.classes)
        return found
