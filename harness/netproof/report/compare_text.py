"""A Comparison in a terminal and in Markdown: sentences, sides, and a line for each group that differs."""

from __future__ import annotations

from netproof.report import findings
from netproof.report.compare_groups import ComparedGroup, group_rows
from netproof.report.comparison import LOUD, WORDS, ComparedTarget, Comparison, RowClass, TargetState
from netproof.report.findings import Standing
from netproof.report.markdown import code, plain, traits_table
from netproof.report.terminal import Line, Style, safe, table, wrap_lines
from netproof.wording import count, several

MOST_LINES = 15
MOST_BULLETS = 40
STYLES: dict[str, Style] = {"good": "good", "bad": "bad", "warn": "warn"}
KINDS: dict[RowClass, Style] = {
    RowClass.NEW: "bad",
    RowClass.GONE: "good",
    RowClass.DIFFERS: "warn",
    RowClass.UNMEASURED: "warn",
}
COLUMNS = ("SIDE", "WHEN", "RESULT", "SCENARIOS", "CELLS", "DIFFER", "UNMEASURED")


def compare_lines(comparison: Comparison, *, unicode: bool = True) -> list[Line]:
    """What `netproof compare` prints."""
    rows = [_row(side) for side in comparison.sides]
    lines: list[Line] = table([COLUMNS, *rows], ["dim", *(_style(side) for side in comparison.sides)])
    lines.append(("", ""))
    for sentence, stands in comparison.sentences:
        lines += wrap_lines("", sentence, STYLES[stands])
    for kind in LOUD:
        if kind is RowClass.ONLY or not comparison.counts[kind]:
            continue
        groups = group_rows(comparison, kind)
        lines += [
            ("", ""),
            (f"{WORDS[kind].upper()}  {count(comparison.counts[kind], 'cell')}", KINDS.get(kind, "bold")),
        ]
        for group in groups[:MOST_LINES]:
            lines += wrap_lines("  ", f"{group.scenario}: {group.headline}{_tail(group)}", "")
        if len(groups) > MOST_LINES:
            lines.append((f"  +{len(groups) - MOST_LINES} more; --html FILE has them all", "dim"))
    if comparison.counts[RowClass.ONLY]:
        lines += [
            ("", ""),
            (f"{WORDS[RowClass.ONLY].upper()}  {count(comparison.counts[RowClass.ONLY], 'cell')}", "bold"),
        ]
        absent = _absent(comparison)
        lines += [line for words in absent[:MOST_LINES] for line in wrap_lines("  ", words, "")]
        if len(absent) > MOST_LINES:
            lines.append((f"  +{len(absent) - MOST_LINES} more", "dim"))
    return safe(lines, unicode)


def compare_markdown(comparison: Comparison) -> str:
    """The same for a CI job's summary."""
    marks = {"good": "✅", "bad": "❌", "warn": "⚠️"}
    lines = [f"# {plain(comparison.title)}", ""]
    lines += [f"- {marks[stands]} {plain(sentence)}" for sentence, stands in comparison.sentences]
    lines += ["", f"| {' | '.join(name.lower() for name in COLUMNS)} |", "|---|---|---|---|--:|--:|--:|"]
    lines += [f"| {' | '.join(plain(cell) for cell in _row(side))} |" for side in comparison.sides]
    for kind in LOUD:
        if kind is RowClass.ONLY or not comparison.counts[kind]:
            continue
        groups = group_rows(comparison, kind)
        lines += ["", f"## {_title(kind)}: {count(comparison.counts[kind], 'cell')}", ""]
        lines += [
            f"- {code(group.scenario)}: {plain(group.headline + _tail(group))}" for group in groups[:MOST_BULLETS]
        ]
        if len(groups) > MOST_BULLETS:
            lines.append(f"- +{len(groups) - MOST_BULLETS} more")
    if comparison.counts[RowClass.ONLY]:
        lines += ["", f"## {_title(RowClass.ONLY)}: {count(comparison.counts[RowClass.ONLY], 'cell')}", ""]
        lines += [f"- {plain(words)}" for words in _absent(comparison)[:MOST_BULLETS]]
    lines += traits_table([side.label for side in comparison.sides], [side.target for side in comparison.sides])
    return "\n".join([*lines, ""])


def _tail(group: ComparedGroup) -> str:
    words = [word for word in (group.verdict, group.declared and f"declared by {', '.join(group.declared)}") if word]
    cells = count(len(group.rows), "cell")
    return f" ({'; '.join([cells, *words])})"


def _absent(comparison: Comparison) -> list[str]:
    """One sentence for each set of sides and reasons: which scenarios are not on all of them."""
    made: dict[tuple[str, ...], dict[str, int]] = {}
    for row in comparison.rows:
        if RowClass.ONLY in row.classes:
            gaps = tuple(
                f"{comparison.absence(side, row.key[0])} on {side.label}"
                for side, cell in zip(comparison.sides, row.cells, strict=True)
                if cell is None and side.state is TargetState.MEASURED
            )
            scenarios = made.setdefault(gaps, {})
            scenarios[row.key[0]] = scenarios.get(row.key[0], 0) + 1
    return [
        f"{', '.join(gaps)}: {several(list(names), 6)} ({count(sum(names.values()), 'cell')})"
        for gaps, names in made.items()
    ]


def _row(side: ComparedTarget) -> tuple[str, ...]:
    label = f"{side.label} (baseline)" if side.baseline else side.label
    if side.target is None or side.state is not TargetState.MEASURED:
        return (label, side.night, side.state.upper(), side.why, "", "", "")
    counts = findings.tally(side.target.cells, side.target.reviewed)
    numbers = (len(side.target.cells), counts[Standing.DIFFERS], counts[Standing.UNMEASURED])
    return (
        *(label, side.night, findings.word(side.target), findings.count_scenarios(side.target).words),
        *(f"{number:,}" for number in numbers),
    )


def _style(side: ComparedTarget) -> Style:
    if side.target is None or side.state is not TargetState.MEASURED:
        return "bad"
    return {"OK": "good", "UNMEASURED": "warn"}.get(findings.word(side.target), "bad")  # type: ignore[return-value]


def _title(kind: RowClass) -> str:
    return WORDS[kind][0].upper() + WORDS[kind][1:]
