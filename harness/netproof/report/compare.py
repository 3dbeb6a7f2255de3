"""Several records side by side: CNIs, versions, nights. Pure: records in, one Comparison out, which others draw.

A *side* is one CNI of one record. What the record does not have stays absent here, with the reason, and is never taken
for agreement. Which classes a row gets is decided in `_classes` and nowhere else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Literal

from netproof.model import Measured
from netproof.model.verdict import WRONG
from netproof.report import findings
from netproof.report.record import Cell, Record, Reviewed, ScenarioResult, Target

FailOn = Literal["new", "any", "none"]
Key = tuple[str, str, str]


class Class(StrEnum):
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


WORDS: Mapping[Class, str] = {
    Class.NEW: "new since",
    Class.GONE: "gone since",
    Class.DIFFERS: "differs between CNIs",
    Class.CHANGED: "changed since",
    Class.UNMEASURED: "unmeasured",
    Class.ONLY: "only in some",
    Class.HOW: "denied in another way",
    Class.ALONE: "nothing to compare with",
    Class.SAME: "same",
}

LOUD = (Class.NEW, Class.GONE, Class.DIFFERS, Class.CHANGED, Class.UNMEASURED, Class.ONLY)
"""The classes that "only rows that differ" shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A record and what a reader calls it (its file)."""

    label: str
    record: Record


class State(StrEnum):
    MEASURED = "measured"
    ENDED_EARLY = "ended early"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One CNI of one record. `why` says why nothing, or not everything, was measured. A missing one has no target."""

    label: str
    """What tells it from the others: its name, and its night where that is needed."""
    name: str
    """The CNI and its version."""
    cni: str
    state: State
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
class Row:
    """One cell over all sides, in their order; None where a side does not have it. `new` and `gone` name CNIs."""

    key: Key
    cells: tuple[Cell | None, ...]
    classes: frozenset[Class] = frozenset()
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def cell(self) -> Cell:
        """Any side's cell: for what is equal on all of them."""
        return next(cell for cell in reversed(self.cells) if cell)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows of one scenario, step and destination that say the same: for lists that people read."""

    kind: Class
    cni: str
    """Whose change it is; '' when it is between CNIs."""
    rows: tuple[Row, ...]
    values: tuple[tuple[Side, str], ...]
    """What each side that matters here measured, in words."""
    declared: tuple[str, ...] = ()
    verdict: str = ""

    @property
    def scenario(self) -> str:
        return self.rows[0].key[0]

    @property
    def step(self) -> str:
        return self.rows[0].key[1]

    @property
    def headline(self) -> str:
        """`x/b → y/a:80: connected on calico 3.28.5, denied on cilium 1.20.2`; of a change `was denied, now connected
        on cilium`."""
        who = findings.several(list(dict.fromkeys(row.cell.source for row in self.rows)))
        where = findings.place([row.cell for row in self.rows])
        if self.cni:
            now = f"now {self.values[-1][1]} on {self.values[-1][0].name}"
            return f"{who} → {where}: {f'was {self.values[0][1]}, ' if len(self.values) > 1 else ''}{now}"
        by: dict[str, list[str]] = {}
        for side, value in self.values:
            by.setdefault(value, []).append(side.name)
        what = ", ".join(f"{value} on {findings.several(names)}" for value, names in by.items())
        return f"{who} → {where}: {what}"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    sides: tuple[Side, ...]
    rows: tuple[Row, ...]
    earlier: Mapping[str, int]
    """For each CNI the place of the side that its latest is compared with, where there is one."""
    with_baseline: bool

    @cached_property
    def latest(self) -> dict[str, int]:
        """For each CNI the place of its newest side."""
        return {side.cni: place for place, side in enumerate(self.sides) if side.latest}

    @cached_property
    def counts(self) -> Counter[Class]:
        return Counter(kind for row in self.rows for kind in row.classes)

    @property
    def missing(self) -> tuple[Side, ...]:
        """The CNIs of which nothing is known now."""
        return tuple(side for side in self.sides if side.latest and side.state is not State.MEASURED)

    @cached_property
    def agreement(self) -> tuple[int, int] | None:
        """Of the cells that every measured CNI measured: on how many they agree. None with fewer than two CNIs."""
        places = [place for place in self.latest.values() if self.sides[place].state is State.MEASURED]
        if len(places) < 2:
            return None
        shared = [[row.cells[place] for place in places] for row in self.rows]
        values = [{cell.measured for cell in cells if cell} for cells in shared if all(_known(cell) for cell in cells)]
        return sum(1 for value in values if len(value) == 1), len(values)

    @cached_property
    def undeclared(self) -> tuple[Row, ...]:
        """New faults that no reviewed entry declares."""
        return tuple(
            row
            for row in self.rows
            if any((cell := row.cells[self.latest[cni]]) is not None and not cell.accepted for cni in row.new)
        )

    @cached_property
    def stale(self) -> tuple[tuple[Side, Reviewed], ...]:
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
        measured = [self.sides[n] for n in self.latest.values() if self.sides[n].state is State.MEASURED]
        names = [side.name for side in measured]
        if len(names) == 1 and measured[0].cni in self.earlier:
            before, now = self.sides[self.earlier[measured[0].cni]], measured[0]
            if before.name != now.name:
                return f"What changed from {before.name} to {now.name}"
            return f"What changed on {now.name} since {before.night}"
        return (
            f"Where {findings.several(names, 5)} differ"
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
            new, undeclared, gone = self.counts[Class.NEW], len(self.undeclared), self.counts[Class.GONE]
            since = self._since()
            if new:
                declared = f", {undeclared:,} of them undeclared" if undeclared != new else ""
                said.append((f"{findings.count(new, 'new difference')} since {since}{declared}.", "bad"))
            else:
                said.append((f"No new difference since {since}.", "good"))
            if gone:
                said.append((f"{findings.count(gone, 'difference')} of {since} did not happen this time.", "warn"))
        for side, entry in self.stale:
            many = findings.count(len(entry.stale), "cell")
            said.append((f"{entry.id} declares {many} that no longer differ on {side.label}.", "bad"))
        if self.agreement:
            same, shared = self.agreement
            text = f"The CNIs agree on {same:,} of {findings.count(shared, 'cell')} that all of them measured."
            said.append((text, "good" if same == shared and not self.missing else "warn"))
        return said

    def _since(self) -> str:
        nights = list(dict.fromkeys(self.sides[place].night for place in self.earlier.values()))
        return findings.several(nights) if nights else "the baseline, which has none of these CNIs"

    def failures(self, fail_on: FailOn) -> list[str]:
        """Why the shell should hear of it, a sentence each. `any` counts what the baseline had, and missing CNIs."""
        if fail_on == "none":
            return []
        if fail_on == "new":
            sentences = [findings.count(len(self.undeclared), "new difference")] if self.undeclared else []
            stale = sum(len(entry.stale) for _, entry in self.stale)
            return sentences + (
                [f"{findings.count(stale, 'declared difference')} that no longer happen{'s' if stale == 1 else ''}"]
                if stale
                else []
            )
        sentences = [f"{side.label} is {side.state}" for side in self.missing]
        for place in self.latest.values():
            if target := self.sides[place].target:
                wrong = sum(not cell.accepted for cell in target.cells)
                stale = sum(len(entry.stale) for entry in target.reviewed)
                sentences += (
                    [f"{findings.count(wrong, 'undeclared difference')} on {self.sides[place].label}"] if wrong else []
                )
                sentences += (
                    [f"{findings.count(stale, 'stale declaration')} on {self.sides[place].label}"] if stale else []
                )
        return sentences

    def absence(self, side: Side, scenario: str) -> str:
        """Why a side has no such cell, in words."""
        if side.state is not State.MEASURED:
            return str(side.state)
        result = self.result(side, scenario)
        if result is None:
            return "not run"
        return result.result if result.result in ("skipped", "error", "interrupted") else "not asked"

    def result(self, side: Side, scenario: str) -> ScenarioResult | None:
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
    def scenarios(self) -> dict[str, Counter[Class]]:
        """Every scenario that a side has, with the classes of its rows."""
        found: dict[str, Counter[Class]] = {name: Counter() for _, name in self._results}
        for row in self.rows:
            found.setdefault(row.key[0], Counter()).update(row.classes)
        return found

    def groups(self, kind: Class) -> list[Group]:
        """The rows of a class as a reader wants them: what says the same of one destination is one group. What no
        reviewed entry declares comes first."""
        made: dict[tuple[object, ...], list[Row]] = {}
        about: dict[tuple[object, ...], tuple[str, tuple[tuple[Side, str], ...], tuple[str, ...], str]] = {}
        for row in self.rows:
            if kind not in row.classes:
                continue
            for cni, places in self._views(row, kind):
                values = tuple((self.sides[place], self._value(row, place)) for place in places)
                whose = row.cells[places[0 if kind is Class.GONE else -1]] if cni else None
                declared = tuple(whose.reviewed) if whose else ()
                verdict = f"{'was ' if kind is Class.GONE else ''}{whose.verdict}" if whose else ""
                texts = tuple(value for _, value in values)
                destination = row.cell.destination.removeprefix("svc:")
                key = (cni, *row.key[:2], destination, texts, declared, verdict)
                made.setdefault(key, []).append(row)
                about[key] = cni, values, declared, verdict
        groups = [
            Group(kind=kind, rows=tuple(rows), cni=cni, values=values, declared=declared, verdict=verdict)
            for key, rows in made.items()
            for cni, values, declared, verdict in [about[key]]
        ]
        return sorted(groups, key=lambda group: bool(group.declared))

    def _views(self, row: Row, kind: Class) -> list[tuple[str, list[int]]]:
        whose = {Class.NEW: row.new, Class.GONE: row.gone, Class.CHANGED: row.changed}.get(kind)
        if whose is None:
            return [("", [*self.latest.values()])]
        return [(cni, [*([self.earlier[cni]] if cni in self.earlier else []), self.latest[cni]]) for cni in whose]

    def _value(self, row: Row, place: int) -> str:
        cell = row.cells[place]
        if cell is None:
            return f"not there ({self.absence(self.sides[place], row.key[0])})"
        how = {Class.HOW, Class.UNMEASURED} & row.classes and cell.measured is Measured.DENIED
        return str(cell.outcome) if how else str(cell.measured)


def compare(sources: Sequence[Source], *, baseline: Sequence[Source] = (), expect: Sequence[str] = ()) -> Comparison:
    """The records side by side. `baseline` are earlier ones; without them the same CNI's record before is the earlier
    one. `expect` names CNIs (`calico`, or `calico@3.28.5` for this version) that must be there: others are missing."""
    sides = _sides(sources, baseline=False) + _sides(baseline, baseline=True)
    sides += _missing(sides, expect)
    order = {cni: place for place, cni in enumerate(dict.fromkeys(side.cni for side in sides))}
    sides.sort(key=lambda side: (order[side.cni], not side.baseline, side.started_at))
    newest = {side.cni: place for place, side in enumerate(sides) if not side.baseline}
    sides = [replace(side, latest=newest.get(side.cni) == place) for place, side in enumerate(sides)]
    sides = _labelled(sides)
    earlier = {cni: before for cni, place in newest.items() if (before := _before(sides, cni, place)) is not None}
    tables: list[dict[Key, Cell]] = [
        {findings.identity(cell): cell for cell in side.target.cells} if side.target else {} for side in sides
    ]
    frame = Comparison(sides=tuple(sides), rows=(), earlier=earlier, with_baseline=bool(baseline))
    keys = dict.fromkeys(key for table in tables for key in table)
    rows = (Row(key=key, cells=tuple(table.get(key) for table in tables)) for key in keys)
    return replace(frame, rows=tuple(_classes(row, frame) for row in rows))


def _sides(sources: Iterable[Source], *, baseline: bool) -> list[Side]:
    sides = []
    for source in sources:
        for target in source.record.targets:
            state, why = State.MEASURED, ""
            if target.error:
                why = target.error.splitlines()[0]
            elif source.record.run.interrupted:
                why = "the run was interrupted"
            if not target.cells:
                state = State.ENDED_EARLY if why else State.MISSING
                why = why or "its record has no cells"
            sides.append(
                Side(
                    label=findings.name(target),
                    name=findings.name(target),
                    cni=target.cni,
                    state=state,
                    why=why,
                    source=source.label,
                    started_at=source.record.run.started_at,
                    baseline=baseline,
                    target=target,
                )
            )
    return sides


def _missing(sides: Sequence[Side], expect: Sequence[str]) -> list[Side]:
    """What was expected, or was there in the baseline, and is in none of the records."""
    there = {side.cni for side in sides if not side.baseline}
    named = there | {side.cni.partition("@")[0] for side in sides if not side.baseline}
    named |= {side.name.replace(" v", "@").replace(" ", "@") for side in sides if not side.baseline}
    gone = {cni: "no record has it" for cni in expect if cni.replace("@v", "@") not in named | {cni} & there}
    gone |= {
        side.cni: f"it was there on {side.night}, no record has it now"
        for side in sides
        if side.baseline and side.cni not in there
    }
    return [Side(label=cni, name=cni, cni=cni, state=State.MISSING, why=why) for cni, why in gone.items()]


def _before(sides: Sequence[Side], cni: str, place: int) -> int | None:
    """The newest measured side of a CNI before its latest: a baseline's, else that of an earlier record."""
    older = [n for n, side in enumerate(sides) if n != place and side.cni == cni and side.state is State.MEASURED]
    return max(older, key=lambda n: (sides[n].baseline, sides[n].started_at), default=None)


def _labelled(sides: Sequence[Side]) -> list[Side]:
    """Labels that tell the sides apart: name and version, then the night, then the minute, then the file."""
    fuller = (
        lambda side: side.label,
        lambda side: f"{side.label} of {side.started_at[:10]}",
        lambda side: f"{side.label} of {side.night}",
        lambda side: f"{side.label} of {side.started_at[:19].replace('T', ' ')}",
        lambda side: f"{side.label} ({side.source})",
    )
    labels = [""] * len(sides)
    left = list(range(len(sides)))
    for word in fuller:
        texts = {place: word(sides[place]) for place in left}
        often = Counter(texts.values())
        for place in left:
            labels[place] = texts[place]
        left = [place for place in left if often[texts[place]] > 1]
    for number, place in enumerate(left, 1):
        labels[place] += f" #{number}"
    return [replace(side, label=label) for side, label in zip(sides, labels, strict=True)]


def _known(cell: Cell | None) -> bool:
    return cell is not None and cell.measured is not Measured.UNMEASURED


def _classes(row: Row, frame: Comparison) -> Row:
    new, gone, changed = [], [], []
    classes: set[Class] = set()
    for cni, place in frame.latest.items():
        now = row.cells[place]
        before = row.cells[frame.earlier[cni]] if cni in frame.earlier else None
        if cni not in frame.earlier and not frame.with_baseline:
            continue
        if now and now.verdict in WRONG and (not now.accepted if before is None else before.verdict is not now.verdict):
            new.append(cni)
        elif before and now and _known(now) and before.verdict in WRONG and now.verdict not in WRONG:
            gone.append(cni)
        elif before and now and _known(before) and _known(now) and findings.values(before) != findings.values(now):
            changed.append(cni)
        if cni in frame.earlier and (now is None) != (before is None) and frame.sides[place].state is State.MEASURED:
            classes.add(Class.ONLY)
    here = [row.cells[place] for place in frame.latest.values() if frame.sides[place].state is State.MEASURED]
    known = [cell for cell in here if cell and _known(cell)]
    classes |= {kind for kind, whose in ((Class.NEW, new), (Class.GONE, gone), (Class.CHANGED, changed)) if whose}
    if len({cell.measured for cell in known}) > 1:
        classes.add(Class.DIFFERS)
    elif len({cell.outcome for cell in known}) > 1:
        classes.add(Class.HOW)
    if any(cell and not _known(cell) for cell in here):
        classes.add(Class.UNMEASURED)
    if any(here) and not all(here):
        classes.add(Class.ONLY)
    if not classes:
        measured = sum(_known(cell) for cell in row.cells)
        classes.add(Class.SAME if measured > 1 else Class.ALONE)
    return replace(row, classes=frozenset(classes), new=tuple(new), gone=tuple(gone), changed=tuple(changed))
