"""Terminal lines as values: what a caller prints, with a style word for each piece and no colour codes.

Pure functions of the record. Whoever prints decides about colour; `unicode=False` is for terminals that lack it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Literal

from netproof.model import Intent
from netproof.model.verdict import WHOSE
from netproof.report import findings, settling
from netproof.report.findings import RunFinding, Standing, seconds
from netproof.report.output import to_ascii
from netproof.report.record import Cell, Record, Reviewed, Target
from netproof.wording import count

Style = Literal["", "good", "bad", "warn", "dim", "bold"]
Line = tuple[str, Style]

WIDTH = 100
MOST_CELLS = 10
LABEL = 11

STYLES: dict[Standing, Style] = {
    Standing.DIFFERS: "bad",
    Standing.STALE: "bad",
    Standing.UNMEASURED: "warn",
    Standing.DOCUMENTED: "warn",
    Standing.KNOWN: "warn",
    Standing.UNSPECIFIED: "dim",
    Standing.HOLDS: "good",
}


def blocks(
    target: Target, *, scenario: str | None = None, unicode: bool = True, most_cells: int = MOST_CELLS
) -> list[Line]:
    """What is wrong on one CNI: what differs, where, why expected, what was seen, how to reproduce. With `scenario`
    only that scenario's. What reviewed entries declare is not wrong: see `reviewed_lines`."""
    lines: list[Line] = []
    for finding in findings.group(target, scenario):
        if finding.standing not in (Standing.DOCUMENTED, Standing.KNOWN):
            lines.extend(_block(target, finding, most_cells))
            lines.append(("", ""))
    return safe(lines, unicode)


def _block(target: Target, finding: RunFinding, most_cells: int) -> Iterator[Line]:
    style = STYLES[finding.standing]
    word = findings.WORDS[finding.standing]
    yield from wrap_lines(f"{word}  ", f"{finding.scenario}: {finding.headline(findings.name(target))}", style)
    if finding.verdict is None:
        entry = finding.reviewed[0]
        yield from label_lines("declared", f"{entry.file}: {entry.sentence}" if entry.file else entry.sentence)
        yield from _items("where", entry.stale, most_cells)
        yield from label_lines("do", f"remove the entry {entry.id}, or narrow it to the cells that still differ")
        return
    cell = finding.cells[0]
    intended, specified, measured = findings.values(cell)
    yield from label_lines("verdict", f"{finding.verdict}: {WHOSE[finding.verdict]}", style)
    yield from _items("where", [findings.route(cell) for cell in finding.cells], most_cells)
    yield from label_lines("values", f"intended {intended}, specified {specified}, measured {measured}")
    yield from _why(cell, finding)
    yield from label_lines("seen", findings.seen(cell))
    if cell.note:
        yield from label_lines("", cell.note)
    if command := findings.reproduce(cell, findings.commands(target)):
        yield f"  {'reproduce':{LABEL}}{command}", "bold"


def _why(cell: Cell, finding: RunFinding) -> Iterator[Line]:
    reasons = finding.reasons
    yield from label_lines("why", reasons[0] if reasons else "the record gives no reason")
    for text in findings.sides(cell):
        yield from label_lines("", text, "dim")
    if len(reasons) > 1:
        yield from label_lines(
            "", f"(of the first cell; +{count(len(reasons) - 1, 'more reason')} in the report)", "dim"
        )


def _items(label: str, items: list[str], most: int) -> Iterator[Line]:
    for index, item in enumerate(items[:most]):
        yield f"  {label if index == 0 else '':{LABEL}}{item}", ""
    if len(items) > most:
        yield f"  {'':{LABEL}}+{len(items) - most} more", "dim"


def label_lines(label: str, text: str, style: Style = "") -> Iterator[Line]:
    yield from wrap_lines(f"  {label:{LABEL}}", text, style)


def wrap_lines(start: str, text: str, style: Style) -> Iterator[Line]:
    indent = " " * len(start)
    for line in wrap(text, WIDTH, initial_indent=start, subsequent_indent=indent, break_on_hyphens=False) or [start]:
        yield line, style


COLUMNS = (
    "CNI",
    "RESULT",
    "SCENARIOS",
    "HOLD",
    "DOCUMENTED",
    "KNOWN",
    "DIFFER",
    "UNSPECIFIED",
    "UNMEASURED",
    "SLOWEST",
)


def summary(record: Record, *, report: Path | str | None = None, unicode: bool = True) -> list[Line]:
    """The closing table, one row a CNI (`SLOWEST` is its longest time to settle), one sentence a CNI, and last the path
    of the report."""
    words = [findings.word(target) for target in record.targets]
    styles: list[Style] = ["good" if word == "OK" else "warn" if word == "UNMEASURED" else "bad" for word in words]
    lines = table([COLUMNS, *(_row(target) for target in record.targets)], ["dim", *styles])
    for target, style in zip(record.targets, styles, strict=True):
        lines.extend(wrap_lines("", f"{findings.name(target)}: {findings.verdict(target)}", style))
    agreed = findings.agreement(record)
    if agreed:
        same, shared = agreed
        lines.append((f"The CNIs agree on {same:,} of {count(shared, 'cell')} that all of them measured.", ""))
    unstated = sum(cell.intended is Intent.UNSTATED for target in record.targets for cell in target.cells)
    if unstated:
        told = f"Nobody said what is meant of {count(unstated, 'cell')}: specified and measured were compared, no more."
        lines.extend(wrap_lines("", told, "warn"))
    if record.run.interrupted:
        lines.append(("INTERRUPTED: the run was stopped; what is missing was not measured.", "warn"))
    if report is not None:
        lines.append((f"report: {report}", "bold"))
    return safe(lines, unicode)


def _row(target: Target) -> tuple[str, ...]:
    counts = findings.tally(target.cells, target.reviewed)
    scenarios = findings.count_scenarios(target)
    slow = settling.slowest(target)
    return (
        findings.name(target),
        findings.word(target),
        scenarios.words + (f", {scenarios.skipped} skipped" if scenarios.skipped else ""),
        *(
            str(counts[stands])
            for stands in (
                Standing.HOLDS,
                Standing.DOCUMENTED,
                Standing.KNOWN,
                Standing.DIFFERS,
                Standing.UNSPECIFIED,
                Standing.UNMEASURED,
            )
        ),
        seconds(slow[0]) if slow else "-",
    )


def table(rows: Sequence[tuple[str, ...]], styles: Sequence[Style]) -> list[Line]:
    """Aligned columns: names left, and numbers right wherever a column holds nothing else below its head."""
    columns = list(zip(*rows, strict=True))
    widths = [max(len(text) for text in column) for column in columns]
    right = [
        all(not text or text[0].isdigit() or text == "-" for text in column[1:]) and n > 2
        for n, column in enumerate(columns)
    ]
    lines: list[Line] = []
    for row, style in zip(rows, styles, strict=True):
        texts = [f"{text:>{w}}" if r else f"{text:<{w}}" for text, w, r in zip(row, widths, right, strict=True)]
        lines.append(("  ".join(texts).rstrip(), style))
    return lines


def safe(lines: list[Line], unicode: bool) -> list[Line]:
    if unicode:
        return lines
    return [(to_ascii(text), style) for text, style in lines]


def reviewed_lines(record: Record, *, unicode: bool = True) -> list[Line]:
    """The reviewed entries that happened: a chart's documented surprises, then known differences of CNIs."""
    lines: list[Line] = []
    for kind, title in (("documented", "Documented surprises"), ("known-difference", "Known differences")):
        told: dict[str, tuple[Reviewed, set[str], int]] = {}
        for target in record.targets:
            for entry in target.reviewed:
                if entry.kind == kind and entry.cells and not entry.stale:
                    _, names, cells = told.get(entry.id, (entry, set(), 0))
                    told[entry.id] = (entry, names | {target.cni}, cells + entry.cells)
        if told:
            lines.append((f"{title} (reviewed; the report has the cells):", "bold"))
        for identifier, (entry, names, cells) in told.items():
            where = f", {', '.join(sorted(names))}" if len(record.targets) > 1 else ""
            lines.append((f"  {identifier} ({count(cells, 'cell')}{where})", "warn"))
            quote = f"“{entry.sentence}” " if entry.sentence else ""
            lines.extend(wrap_lines("    ", f"{quote}{entry.reason}", ""))
    return safe(lines, unicode)
