"""Rows of a Comparison as groups: for lists that people read, in a terminal, in Markdown and on a page."""

from __future__ import annotations

from dataclasses import dataclass

from netproof.model import Measured
from netproof.report import findings
from netproof.report.comparison import ComparedRow, ComparedTarget, Comparison, RowClass
from netproof.wording import several


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedGroup:
    """Rows of one scenario, step and destination that say the same: for lists that people read."""

    kind: RowClass
    cni: str
    """Whose change it is; '' when it is between CNIs."""
    rows: tuple[ComparedRow, ...]
    values: tuple[tuple[ComparedTarget, str], ...]
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
        who = several(list(dict.fromkeys(row.cell.source for row in self.rows)))
        where = findings.place([row.cell for row in self.rows])
        if self.cni:
            now = f"now {self.values[-1][1]} on {self.values[-1][0].name}"
            return f"{who} → {where}: {f'was {self.values[0][1]}, ' if len(self.values) > 1 else ''}{now}"
        by: dict[str, list[str]] = {}
        for side, value in self.values:
            by.setdefault(value, []).append(side.name)
        what = ", ".join(f"{value} on {several(names)}" for value, names in by.items())
        return f"{who} → {where}: {what}"


def group_rows(comparison: Comparison, kind: RowClass) -> list[ComparedGroup]:
    """The rows of a class as a reader wants them: what says the same of one destination is one group. What no
    reviewed entry declares comes first."""
    made: dict[tuple[object, ...], list[ComparedRow]] = {}
    about: dict[tuple[object, ...], tuple[str, tuple[tuple[ComparedTarget, str], ...], tuple[str, ...], str]] = {}
    for row in comparison.rows:
        if kind not in row.classes:
            continue
        for cni, places in _views(comparison, row, kind):
            values = tuple((comparison.sides[place], _value(comparison, row, place)) for place in places)
            whose = row.cells[places[0 if kind is RowClass.GONE else -1]] if cni else None
            declared = tuple(whose.reviewed) if whose else ()
            verdict = f"{'was ' if kind is RowClass.GONE else ''}{whose.verdict}" if whose else ""
            texts = tuple(value for _, value in values)
            destination = row.cell.destination.removeprefix("svc:")
            key = (cni, *row.key[:2], destination, texts, declared, verdict)
            made.setdefault(key, []).append(row)
            about[key] = cni, values, declared, verdict
    groups = [
        ComparedGroup(kind=kind, rows=tuple(rows), cni=cni, values=values, declared=declared, verdict=verdict)
        for key, rows in made.items()
        for cni, values, declared, verdict in [about[key]]
    ]
    return sorted(groups, key=lambda group: bool(group.declared))


def _views(comparison: Comparison, row: ComparedRow, kind: RowClass) -> list[tuple[str, list[int]]]:
    whose = {RowClass.NEW: row.new, RowClass.GONE: row.gone, RowClass.CHANGED: row.changed}.get(kind)
    if whose is None:
        return [("", [*comparison.latest.values()])]
    return [
        (cni, [*([comparison.earlier[cni]] if cni in comparison.earlier else []), comparison.latest[cni]])
        for cni in whose
    ]


def _value(comparison: Comparison, row: ComparedRow, place: int) -> str:
    cell = row.cells[place]
    if cell is None:
        return f"not there ({comparison.absence(comparison.sides[place], row.key[0])})"
    how = {RowClass.HOW, RowClass.UNMEASURED} & row.classes and cell.measured is Measured.DENIED
    return str(cell.outcome) if how else str(cell.measured)
