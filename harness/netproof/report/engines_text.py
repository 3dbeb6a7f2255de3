"""Engines side by side in a terminal and in Markdown: conclusions, a table of intents, and why engines differ."""

from __future__ import annotations

from netproof.report.engines import LOUD, WORDS, Agreement, Disagreement, EngineAnswer, EngineGroup, EngineLine, Engines
from netproof.report.markdown import code, plain
from netproof.report.terminal import Line, Style, safe, table, wrap_lines
from netproof.wording import count, several

MOST_LINES = 30
STYLES: dict[str, Style] = {"good": "good", "bad": "bad", "warn": "warn"}
MARKS = {"good": "✅", "bad": "❌", "warn": "⚠️"}


def engines_lines(engines: Engines, *, unicode: bool = True) -> list[Line]:
    """What `netproof engines` prints."""
    rows = [_row(engines, group) for group in engines.groups]
    head = ("INTENT", "CELLS", *engines.engines, "AGREE", "DIFFER", "OPEN")
    lines: list[Line] = table([head, *rows], ["dim", *(_style(group) for group in engines.groups)])
    lines.append(("as meant, of each engine's cells; how many engines agree on, differ on and leave open", "dim"))
    lines.append(("", ""))
    for sentence, stands in engines.sentences:
        lines += wrap_lines("", sentence, STYLES[stands])
    if engines.causes:
        lines += [("", ""), ("WHY THEY DIFFER", "bold")]
    for cause in engines.causes[:MOST_LINES]:
        lines += wrap_lines("  ", f"{_name(cause)}: {_where(cause)}", "bad" if cause.entry is None else "warn")
        lines += wrap_lines("    ", _why(cause), "")
    for group in engines.groups:
        for engine, reason in group.absent.items():
            lines += wrap_lines("  ", f"{group.of}: {engine} has no cells: {reason}", "dim")
    return safe(lines, unicode)


def engines_markdown(engines: Engines) -> str:
    """The same for a CI job's summary, with the cells that differ."""
    lines = [f"# {plain(engines.title)}", ""]
    lines += [f"- {MARKS[stands]} {plain(sentence)}" for sentence, stands in engines.sentences]
    head = ["intent", "cells", *engines.engines, "agree", "differ", "left open"]
    lines += ["", f"| {' | '.join(head)} |", "|---|" + "--:|" * (len(head) - 1)]
    lines += [f"| {' | '.join(plain(word) for word in _row(engines, group))} |" for group in engines.groups]
    lines += ["", "Each engine's column says how many of its cells are as meant."]
    if engines.causes:
        lines += ["", "## Why they differ", ""]
    for cause in engines.causes:
        lines.append(f"- {code(_name(cause))}, {plain(_where(cause))}: {plain(_why(cause))}")
    for group in engines.groups:
        loud = [line for line in group.lines if line.head.kind in LOUD]
        if not loud:
            continue
        lines += ["", f"## {group.of}", "", *_claims(group), ""]
        head = ["from", "to", "meant", *engines.engines]
        lines += [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        lines += [_cells(engines, line) for line in loud[:MOST_LINES]]
        if len(loud) > MOST_LINES:
            lines += ["", f"+{len(loud) - MOST_LINES} more"]
    return "\n".join([*lines, ""])


def describe_answer(answer: EngineAnswer | None, intended: str) -> str:
    """An answer in words: `denied`, `≠ connected` where it is not as meant, and who measured otherwise."""
    if answer is None:
        return "–"
    word = {"unspecified": "left open"}.get(answer.specified, str(answer.specified))
    mark = "≠ " if answer.specified not in ("unspecified", intended) else ""
    odd = "".join(f", {measured} on {name}" for name, measured in answer.odd)
    return f"{mark}{word}{odd}"


def _claims(group: EngineGroup) -> list[str]:
    return [f"- {engine}: {plain(claim)} ({code(name)})" for engine, (name, claim) in group.claims.items()]


def _cells(engines: Engines, line: EngineLine) -> str:
    head = line.head
    answers = [describe_answer(head.answers.get(engine), head.intended) for engine in engines.engines]
    texts = [several(line.sources, 4), line.target, str(head.intended), *answers]
    return f"| {' | '.join(plain(text) for text in texts)} |"


def _row(engines: Engines, group: EngineGroup) -> tuple[str, ...]:
    each = []
    for engine in engines.engines:
        good, asked = group.as_meant(engine)
        each.append(f"{good}/{asked}" if asked else "-")
    agree = group.counts[Agreement.AGREE] + group.counts[Agreement.OTHERWISE]
    differ = group.counts[Agreement.DIFFER] + group.counts[Agreement.MEASURED]
    return (group.of, f"{len(group.rows)}", *each, f"{agree}", f"{differ}", f"{group.counts[Agreement.OPEN]}")


def _style(group: EngineGroup) -> Style:
    return "warn" if any(group.counts[kind] for kind in LOUD) else ""


def _name(cause: Disagreement) -> str:
    return cause.entry.id if cause.entry else "undeclared"


def _where(cause: Disagreement) -> str:
    return several([f"{engine} ({count(cells, 'cell')})" for engine, cells in cause.cells.items()], 4)


def _why(cause: Disagreement) -> str:
    if cause.entry:
        return cause.entry.reason
    answers = "; ".join(f"{engine} {answer.specified}" for engine, answer in cause.example.answers.items())
    return f"no reviewed entry declares it, such as {describe_example(cause)} in {cause.group}: {answers}"


def describe_example(cause: Disagreement) -> str:
    line = EngineLine(rows=(cause.example,))
    return f"{line.sources[0]} → {line.target}"


__all__ = ["WORDS", "describe_answer", "describe_example", "engines_lines", "engines_markdown"]
