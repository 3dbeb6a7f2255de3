"""The record as one HTML file that opens from anywhere: no outside resource, no server, nothing to install.

This module only decides what the page says and in which order; how it looks and what moves is
`templates/`, and what it shares with other pages is `page`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from netproof.model import Verdict
from netproof.report import findings, settling, traits
from netproof.report.columns import encode
from netproof.report.findings import RunFinding, Standing, seconds
from netproof.report.page import anchor, draw, slug
from netproof.report.record import Cell, Record, Reviewed, ScenarioResult, Target, Vote
from netproof.wording import several

FULL = 40
"""Findings drawn as whole blocks for each standing; the ones after that are one line each."""
LINES = 100
CELLS = 12
NOSCRIPT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One finding as the page shows it: merged over the CNIs on which exactly the same cells went wrong."""

    id: str
    finding: RunFinding
    targets: tuple[Target, ...]
    firsts: tuple[Cell, ...]
    """The first cell of each target: the evidence that is shown."""

    @property
    def headline(self) -> str:
        return self.finding.headline(several([findings.name(target) for target in self.targets]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A reviewed entry and the findings that it declares."""

    entry: Reviewed
    blocks: list[Block]

    @property
    def cells(self) -> int:
        return sum(len(block.finding.cells) * len(block.targets) for block in self.blocks)

    @property
    def targets(self) -> list[str]:
        return list(dict.fromkeys(target.cni for block in self.blocks for target in block.targets))


def render_html(record: Record) -> str:
    """The whole page. The matrix and the evidence of its cells are drawn by the script, all else is in the HTML."""
    blocks = _blocks(record)
    measured = sum(len(target.cells) for target in record.targets)
    return draw(
        "report",
        encode(record),
        version=record.run.netproof,
        globals={
            "cell_link": cell_link,
            "texts": _texts,
            "dots": _dots,
            "vote_link": lambda place, vote: vote_link(record.targets[place], vote),
            "traits_differ": traits.differ,
            "FULL": FULL,
            "LINES": LINES,
            "CELLS": CELLS,
        },
        record=record,
        measured=measured,
        run=record.run,
        names=several([findings.name(target) for target in record.targets]) or "no CNI",
        agreement=findings.agreement(record),
        traits=traits.table(record.targets) if measured else [],
        faults=[block for block in blocks if block.finding.standing in (Standing.DIFFERS, Standing.STALE)],
        unmeasured=[block for block in blocks if block.finding.standing is Standing.UNMEASURED],
        declared={
            "documented": _declared(blocks, Standing.DOCUMENTED),
            "known": _declared(blocks, Standing.KNOWN),
        },
        stopped=[(target, scenario) for target in record.targets for scenario in _stopped(target)],
        scenarios=_scenarios(record),
        slowest=max((slow[0] for target in record.targets if (slow := settling.slowest(target))), default=0),
        longest_run=max((sum(phase.duration_s for phase in target.phases) for target in record.targets), default=0)
        or 1,
        noscript=[(target, cell) for target in record.targets for cell in _not_holding(target)][:NOSCRIPT],
    )


def cell_link(target: Target, cell: Cell) -> str:
    """The anchor of a cell: the same on every run, so that it can be put into an issue."""
    return anchor(scenario=cell.scenario, step=cell.step, cni=target.cni, cell=findings.probe_key(cell))


def vote_link(target: Target, vote: Vote) -> str:
    """The anchor of the first cell that gave an answer."""
    return anchor(scenario=vote.scenario, step=vote.step, cni=target.cni, cell=vote.cell)


def _blocks(record: Record) -> list[Block]:
    merged: dict[tuple[object, ...], list[tuple[Target, RunFinding]]] = {}
    for target in record.targets:
        for finding in findings.group(target):
            cells = tuple(findings.probe_key(cell) for cell in finding.cells)
            measured = finding.cells[0].measured if finding.cells else target.cni
            entries = tuple(entry.id for entry in finding.reviewed)
            where = (finding.standing, finding.scenario, finding.step, finding.destination, finding.verdict)
            merged.setdefault((*where, measured, entries, cells), []).append((target, finding))
    taken: set[str] = set()
    blocks = []
    for group in sorted(merged.values(), key=lambda group: findings.ORDER.index(group[0][1].standing)):
        finding = group[0][1]
        base = slug("finding", finding.scenario, finding.step, finding.destination, finding.verdict or finding.standing)
        number = 1
        while (name := base if number == 1 else f"{base}-{number}") in taken:
            number += 1
        taken.add(name)
        targets = tuple(target for target, _ in group)
        firsts = tuple(other.cells[0] for _, other in group if other.cells)
        blocks.append(Block(id=name, finding=finding, targets=targets, firsts=firsts))
    return blocks


def _declared(blocks: Iterable[Block], standing: Standing) -> list[Declared]:
    """By the entry that decides the standing: what the chart documents and a CNI declares is the CNI's."""
    kind = "documented" if standing is Standing.DOCUMENTED else "known-difference"
    groups: dict[str, tuple[Reviewed, list[Block]]] = {}
    for block in blocks:
        if block.finding.standing is standing:
            entry = next((entry for entry in block.finding.reviewed if entry.kind == kind), None)
            entry = entry or next(iter(block.finding.reviewed), None) or _nameless(kind)
            groups.setdefault(entry.id, (entry, []))[1].append(block)
    return [Declared(entry=entry, blocks=found) for entry, found in groups.values()]


def _nameless(kind: Any) -> Reviewed:
    return Reviewed(
        id="",
        kind=kind,
        scenario="",
        sentence="Accepted without a reviewed entry in this record",
        reason="",
        link="",
        cells=0,
    )


def _stopped(target: Target) -> list[ScenarioResult]:
    return [scenario for scenario in target.scenarios if scenario.result in ("error", "interrupted")]


def _not_holding(target: Target) -> list[Cell]:
    return [cell for cell in target.cells if cell.verdict is not Verdict.HOLDS]


def _scenarios(record: Record) -> list[tuple[str, list[tuple[Target, ScenarioResult]]]]:
    """Scenario ids in the order of the record, each with its result on every CNI that has one."""
    table: dict[str, list[tuple[Target, ScenarioResult]]] = {}
    for target in record.targets:
        for scenario in target.scenarios:
            table.setdefault(scenario.id, []).append((target, scenario))
    return list(table.items())


def _texts(rows: Sequence[tuple[Target, ScenarioResult]], field: str) -> list[tuple[str, str]]:
    """The different texts of a field over CNIs: (whose, text), one entry when all are equal."""
    texts: dict[str, list[str]] = {}
    for target, scenario in rows:
        value = getattr(scenario, field)
        texts.setdefault("\n".join(value) if isinstance(value, list) else value, []).append(target.cni)
    texts.pop("", None)
    alone = len(texts) == 1
    return [("" if alone else ", ".join(cnis), text) for text, cnis in texts.items()]


def _dots(target: Target, longest: float) -> list[tuple[str, str]]:
    """Times to settle as places on a line (percent of the longest) with their words; equal places are one dot."""
    places: dict[str, list[str]] = {}
    for scenario in target.scenarios:
        for step in scenario.steps:
            if step.settled_after_s is not None:
                place = f"{100 * step.settled_after_s / longest:.1f}"
                places.setdefault(place, []).append(f"{scenario.id}, {step.name}: {seconds(step.settled_after_s)}")
    return [(place, several(words)) for place, words in places.items()]
