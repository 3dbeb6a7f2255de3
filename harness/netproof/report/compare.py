"""Makes a Comparison of records: which sides there are, which is compared with which, and the classes of each row.

Pure: records in, one value out. Which classes a row gets is decided in `_classify` and nowhere else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from netproof.model.verdict import WRONG
from netproof.report import findings
from netproof.report.comparison import (
    ComparedRow,
    ComparedTarget,
    Comparison,
    Key,
    NamedRecord,
    RowClass,
    TargetState,
    is_measured,
)
from netproof.report.record import Cell


def compare(
    sources: Sequence[NamedRecord], *, baseline: Sequence[NamedRecord] = (), expect: Sequence[str] = ()
) -> Comparison:
    """The records side by side. `baseline` are earlier ones; without them the same CNI's record before is the earlier
    one. `expect` names CNIs (`calico`, or `calico@3.28.5` for this version) that must be there: others are missing."""
    sides = _read_targets(sources, baseline=False) + _read_targets(baseline, baseline=True)
    sides += _find_missing(sides, expect)
    order = {cni: place for place, cni in enumerate(dict.fromkeys(side.cni for side in sides))}
    sides.sort(key=lambda side: (order[side.cni], not side.baseline, side.started_at))
    newest = {side.cni: place for place, side in enumerate(sides) if not side.baseline}
    sides = [replace(side, latest=newest.get(side.cni) == place) for place, side in enumerate(sides)]
    sides = _label(sides)
    earlier = {cni: before for cni, place in newest.items() if (before := _before(sides, cni, place)) is not None}
    tables: list[dict[Key, Cell]] = [
        {findings.identity(cell): cell for cell in side.target.cells} if side.target else {} for side in sides
    ]
    frame = Comparison(sides=tuple(sides), rows=(), earlier=earlier, with_baseline=bool(baseline))
    keys = dict.fromkeys(key for table in tables for key in table)
    rows = (ComparedRow(key=key, cells=tuple(table.get(key) for table in tables)) for key in keys)
    return replace(frame, rows=tuple(_classify(row, frame) for row in rows))


def _read_targets(sources: Iterable[NamedRecord], *, baseline: bool) -> list[ComparedTarget]:
    sides = []
    for source in sources:
        for target in source.record.targets:
            state, why = TargetState.MEASURED, ""
            if target.error:
                why = target.error.splitlines()[0]
            elif source.record.run.interrupted:
                why = "the run was interrupted"
            if not target.cells:
                state = TargetState.ENDED_EARLY if why else TargetState.MISSING
                why = why or "its record has no cells"
            sides.append(
                ComparedTarget(
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


def _find_missing(sides: Sequence[ComparedTarget], expect: Sequence[str]) -> list[ComparedTarget]:
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
    return [
        ComparedTarget(label=cni, name=cni, cni=cni, state=TargetState.MISSING, why=why) for cni, why in gone.items()
    ]


def _before(sides: Sequence[ComparedTarget], cni: str, place: int) -> int | None:
    """The newest measured side of a CNI before its latest: a baseline's, else that of an earlier record."""
    older = [n for n, side in enumerate(sides) if n != place and side.cni == cni and side.state is TargetState.MEASURED]
    return max(older, key=lambda n: (sides[n].baseline, sides[n].started_at), default=None)


def _label(sides: Sequence[ComparedTarget]) -> list[ComparedTarget]:
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


def _classify(row: ComparedRow, frame: Comparison) -> ComparedRow:
    new, gone, changed = [], [], []
    classes: set[RowClass] = set()
    for cni, place in frame.latest.items():
        now = row.cells[place]
        before = row.cells[frame.earlier[cni]] if cni in frame.earlier else None
        if cni not in frame.earlier and not frame.with_baseline:
            continue
        if now and now.verdict in WRONG and (not now.accepted if before is None else before.verdict is not now.verdict):
            new.append(cni)
        elif before and now and is_measured(now) and before.verdict in WRONG and now.verdict not in WRONG:
            gone.append(cni)
        elif (
            before
            and now
            and is_measured(before)
            and is_measured(now)
            and findings.values(before) != findings.values(now)
        ):
            changed.append(cni)
        if (
            cni in frame.earlier
            and (now is None) != (before is None)
            and frame.sides[place].state is TargetState.MEASURED
        ):
            classes.add(RowClass.ONLY)
    here = [row.cells[place] for place in frame.latest.values() if frame.sides[place].state is TargetState.MEASURED]
    known = [cell for cell in here if cell and is_measured(cell)]
    classes |= {
        kind for kind, whose in ((RowClass.NEW, new), (RowClass.GONE, gone), (RowClass.CHANGED, changed)) if whose
    }
    if len({cell.measured for cell in known}) > 1:
        classes.add(RowClass.DIFFERS)
    elif len({cell.outcome for cell in known}) > 1:
        classes.add(RowClass.HOW)
    if any(cell and not is_measured(cell) for cell in here):
        classes.add(RowClass.UNMEASURED)
    if any(here) and not all(here):
        classes.add(RowClass.ONLY)
    if not classes:
        measured = sum(is_measured(cell) for cell in row.cells)
        classes.add(RowClass.SAME if measured > 1 else RowClass.ALONE)
    return replace(row, classes=frozenset(classes), new=tuple(new), gone=tuple(gone), changed=tuple(changed))


def _changed(before: Cell, now: Cell) -> bool:
    return is_measured(before) and is_measured(now) and findings.values(before) != findings.values(now)
