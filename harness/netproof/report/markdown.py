"""The record as `summary.md`, made for a CI job summary: the verdict first, then what to look at."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netproof.model.verdict import WHOSE
from netproof.report import findings, settling, traits
from netproof.report.findings import RunFinding, Standing, seconds
from netproof.report.record import Record, Target
from netproof.wording import count

MOST_FINDINGS = 20
"""Findings written out for each CNI; a job summary may have 1 MiB, and nobody reads more."""
MOST_CELLS = 10


def render_markdown(record: Record) -> str:
    """GitHub-flavoured Markdown: verdict lines, a table of CNIs, findings, settle times."""
    lines = ["# netproof", ""]
    lines += [
        f"- **{findings.word(target)}** {plain(findings.name(target))}: {plain(findings.verdict(target))}"
        for target in record.targets
    ]
    if record.run.interrupted:
        lines += ["", "> **Interrupted.** The run was stopped; what is missing here was not measured."]
    agreed = findings.agreement(record)
    if agreed:
        lines += ["", f"The CNIs agree on {agreed[0]:,} of {count(agreed[1], 'cell')} that all of them measured."]
    lines += ["", *_table(record)]
    for target in record.targets:
        lines += _findings(target)
    lines += traits_table([findings.name(target) for target in record.targets], record.targets)
    lines += _settling(record)
    run = record.run
    seed = f", seed {run.seed}" if run.seed is not None else ""
    lines += [
        "",
        f"netproof {run.netproof}, {run.started_at}, {seconds(run.duration_s)}{seed}: {code(run.command)}",
        "",
    ]
    return "\n".join(lines)


def _table(record: Record) -> list[str]:
    shown = (
        Standing.HOLDS,
        Standing.DOCUMENTED,
        Standing.KNOWN,
        Standing.DIFFERS,
        Standing.UNSPECIFIED,
        Standing.UNMEASURED,
    )
    lines = [
        "| CNI | result | scenarios passed | failed | skipped | " + " | ".join(shown) + " | slowest to settle |",
        "|---|---|" + "--:|" * (len(shown) + 4),
    ]
    for target in record.targets:
        counts = findings.tally(target.cells, target.reviewed)
        scenarios = findings.count_scenarios(target)
        slow = settling.slowest(target)
        cells = [
            findings.name(target),
            findings.word(target),
            *(str(number) for number in (scenarios.passed, scenarios.failed, scenarios.skipped)),
            *(str(counts[stands]) for stands in shown),
            f"{seconds(slow[0])} ({slow[1]})" if slow else "",
        ]
        lines.append("| " + " | ".join(plain(cell) for cell in cells) + " |")
    return lines


def _findings(target: Target) -> list[str]:
    found = findings.group(target)
    if not found and not target.error:
        return []
    lines = ["", f"## {plain(findings.name(target))}"]
    if target.error:
        lines += ["", _fence(target.error)]
    full = [finding for finding in found if finding.standing not in (Standing.DOCUMENTED, Standing.KNOWN)]
    for finding in full[:MOST_FINDINGS]:
        lines += _finding(target, finding)
    if len(full) > MOST_FINDINGS:
        lines += ["", f"+{count(len(full) - MOST_FINDINGS, 'more finding')} in report.html"]
    for stands, title in ((Standing.DOCUMENTED, "documented surprises"), (Standing.KNOWN, "known differences")):
        lines += _declared(target, [finding for finding in found if finding.standing is stands], title)
    return lines


def _finding(target: Target, finding: RunFinding) -> list[str]:
    word = findings.WORDS[finding.standing]
    lines = ["", f"### {word}: {plain(finding.headline(findings.name(target)))}", ""]
    if finding.verdict is None:
        entry = finding.reviewed[0]
        lines.append(f"Declared in {code(entry.file or entry.id)}: {plain(entry.sentence)}")
        return [*lines, "", *(f"- {plain(cell)}" for cell in entry.stale[:MOST_CELLS])]
    cell = finding.cells[0]
    intended, specified, measured = findings.values(cell)
    lines += [
        f"- scenario: {code(finding.scenario)}" + (f", step {plain(finding.step)}" if finding.step else ""),
        f"- verdict: **{finding.verdict}**, the work of {plain(WHOSE[finding.verdict])}",
        f"- intended {intended}, specified {specified}, measured {measured}",
        f"- why: {plain(finding.reasons[0]) if finding.reasons else 'the record gives no reason'}",
        *(f"  - {plain(text)}" for text in findings.sides(cell)),
        f"- seen: {plain(findings.seen(cell))}",
    ]
    if cell.note:
        lines.append(f"- note: {plain(cell.note)}")
    lines.append("- cells:")
    lines += [f"  - {plain(findings.route(cell))}" for cell in finding.cells[:MOST_CELLS]]
    if len(finding.cells) > MOST_CELLS:
        lines.append(f"  - +{len(finding.cells) - MOST_CELLS} more")
    if command := findings.reproduce(cell, findings.commands(target)):
        lines += ["", _fence(command, "sh")]
    return lines


def _declared(target: Target, found: list[RunFinding], title: str) -> list[str]:
    if not found:
        return []
    cells = sum(len(finding.cells) for finding in found)
    lines = ["", f"<details><summary>{count(cells, 'cell')}: {title}</summary>", ""]
    entries = {entry.id: entry for finding in found for entry in finding.reviewed}
    lines += [f"> {plain(entry.sentence)} ({plain(entry.reason)})\n" for entry in entries.values()]
    for finding in found[: MOST_FINDINGS * 2]:
        text = finding.headline(findings.name(target))
        lines.append(f"- {code(finding.scenario)}: {plain(text)} ({count(len(finding.cells), 'cell')})")
    if len(found) > MOST_FINDINGS * 2:
        lines.append(f"- +{len(found) - MOST_FINDINGS * 2} more")
    return [*lines, "", "</details>"]


def traits_table(names: Sequence[str], targets: Sequence[Target | None]) -> list[str]:
    """The answered traits as a table with a column a target; those whose answers differ are bold."""
    rows = [(question, row) for question, row in traits.table(targets) if any(t and t.measured for t in row)]
    if not rows:
        return []
    lines = ["", "## Traits", "", f"| question | {' | '.join(plain(name) for name in names)} |"]
    lines.append("|---" * (len(names) + 1) + "|")
    for question, row in rows:
        answers = [plain(trait.answer if trait else "missing") for trait in row]
        if traits.differ(row):
            answers = [f"**{answer}**" for answer in answers]
        lines.append(f"| {plain(question)} | {' | '.join(answers)} |")
    return lines


def _settling(record: Record) -> list[str]:
    rows = []
    for target in record.targets:
        for scenario in target.scenarios:
            times = settling.sum_up(scenario.steps)
            if times:
                cells = (
                    seconds(times.first_correct_s),
                    seconds(times.settled_after_s),
                    str(times.rounds),
                    str(times.flaps),
                )
                rows.append(
                    (
                        times.settled_after_s,
                        f"| {plain(findings.name(target))} | {plain(scenario.id)} | {' | '.join(cells)} |",
                    )
                )
    if not rows:
        return []
    rows.sort(key=lambda row: -(row[0] if row[0] is not None else float("inf")))
    lines = [
        "",
        "## Time to settle",
        "",
        "| CNI | scenario | first correct | settled | rounds | flaps |",
        "|---|---|--:|--:|--:|--:|",
    ]
    lines += [row for _, row in rows[:MOST_FINDINGS]]
    if len(rows) > MOST_FINDINGS:
        lines += ["", f"The {MOST_FINDINGS} slowest of {len(rows)}."]
    return lines


_SPECIAL = re.compile(r"([\\`*_\[\]<>|])")


def plain(text: str) -> str:
    """Plain text inside Markdown: one line, nothing of it read as markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if "`" in text else ""
    return f"{fence}{space}{' '.join(text.split())}{space}{fence}"


def _fence(text: str, language: str = "") -> str:
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
