"""One intent, several engines: the variants of a chart's scenarios side by side. Pure: records in, one value out.

An engine that has no cell agrees with nobody; the reason stands beside it. Which kind a row is, is decided in `_kind`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Literal

from netproof.model import Intent, Measured, Specified
from netproof.report import findings
from netproof.report.record import Cell, Record, Reviewed
from netproof.wording import count, several

FailOn = Literal["undeclared", "any", "none"]


class Agreement(StrEnum):
    """What can be said of a cell over all engines. The order is the order in which a reader needs them."""

    DIFFER = "differ"
    """The policies of one engine connect it, those of another deny it."""
    MEASURED = "measured"
    """All policies say the same, and a CNI did something else."""
    OPEN = "open"
    """Some engine's API leaves it open."""
    OTHERWISE = "otherwise"
    """All agree, and on something else than what is meant."""
    AGREE = "agree"
    ALONE = "alone"
    """Fewer than two engines have it: nothing to compare with."""


WORDS: Mapping[Agreement, str] = {
    Agreement.DIFFER: "engines differ",
    Agreement.MEASURED: "measured otherwise",
    Agreement.OPEN: "left open",
    Agreement.OTHERWISE: "agree, not as meant",
    Agreement.AGREE: "agree, as meant",
    Agreement.ALONE: "one engine only",
}

LOUD = (Agreement.DIFFER, Agreement.MEASURED, Agreement.OPEN)
"""The kinds that are disagreements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAnswer:
    """What one engine says of a cell: its policies by the API's text, and each CNI's name with what it did."""

    cell: Cell
    seen: tuple[tuple[str, Measured], ...]
    reviewed: tuple[str, ...]
    accepted: bool

    @property
    def specified(self) -> Specified:
        return self.cell.specified

    @property
    def as_meant(self) -> bool:
        return self.specified.value == self.cell.intended.value and not self.odd

    @property
    def odd(self) -> tuple[tuple[str, Measured], ...]:
        """The CNIs that did something else than the policies say."""
        if self.specified is Specified.UNSPECIFIED:
            return ()
        known = (pair for pair in self.seen if pair[1] is not Measured.UNMEASURED)
        return tuple((name, measured) for name, measured in known if measured.value != self.specified.value)

    @property
    def said(self) -> tuple[object, ...]:
        """What makes two answers equal to a reader."""
        return self.specified, self.seen, self.reviewed, self.accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRow:
    """One cell: step and probe, what is meant, and an answer for each engine that has it."""

    step: str
    key: str
    intended: Intent
    answers: Mapping[str, EngineAnswer]
    kind: Agreement

    @property
    def cell(self) -> Cell:
        """Any engine's cell: for what is equal in all of them."""
        return next(iter(self.answers.values())).cell

    @property
    def undeclared(self) -> bool:
        """A disagreement of which some side is declared by no reviewed entry."""
        wrong = [answer for answer in self.answers.values() if not answer.as_meant]
        wrong = [answer for answer in wrong if answer.specified is not Specified.UNSPECIFIED]
        return self.kind in (Agreement.DIFFER, Agreement.MEASURED) and not all(answer.accepted for answer in wrong)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLine:
    """Rows that say the same of one destination: what a reader sees as one."""

    rows: tuple[EngineRow, ...]

    @property
    def head(self) -> EngineRow:
        return self.rows[0]

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.cell.source for row in self.rows))

    @property
    def target(self) -> str:
        """`y/a:80/TCP via its Service`."""
        return findings.route(self.head.cell).partition(" → ")[2]


@dataclass(frozen=True, kw_only=True)
class EngineGroup:
    """The variants of one scenario. `claims`: engine -> its scenario's id and claim; `absent`: engine -> why it has
    no cells here."""

    of: str
    claims: Mapping[str, tuple[str, str]]
    absent: Mapping[str, str]
    rows: tuple[EngineRow, ...]

    @cached_property
    def counts(self) -> Counter[Agreement]:
        return Counter(row.kind for row in self.rows)

    @property
    def claim(self) -> str:
        """Of the scenario that the others are variants of."""
        return next((claim for name, claim in self.claims.values() if name == self.of), "")

    def as_meant(self, engine: str) -> tuple[int, int]:
        """Of an engine's cells: how many are as meant, and how many there are."""
        answers = [row.answers[engine] for row in self.rows if engine in row.answers]
        return sum(answer.as_meant for answer in answers), len(answers)

    @property
    def lines(self) -> list[EngineLine]:
        made: dict[tuple[object, ...], list[EngineRow]] = {}
        for row in self.rows:
            said = tuple((engine, answer.said) for engine, answer in row.answers.items())
            made.setdefault((row.step, findings.route(row.cell).partition(" → ")[2], row.intended, said), []).append(
                row
            )
        lines = [EngineLine(rows=tuple(rows)) for rows in made.values()]
        order = list(Agreement)
        return sorted(lines, key=lambda line: order.index(line.head.kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """Why engines are apart: a reviewed entry (None: nobody declares it), and in which cells it shows."""

    entry: Reviewed | None
    cells: Mapping[str, int]
    """Engine -> how many cells, in which engines disagree, it explains."""
    example: EngineRow
    group: str


@dataclass(frozen=True, kw_only=True)
class Engines:
    """All groups. `cnis` are those that measured something; `sources` the records' names."""

    engines: tuple[str, ...]
    groups: tuple[EngineGroup, ...]
    entries: Mapping[str, Reviewed]
    cnis: tuple[str, ...]
    sources: tuple[str, ...] = ()

    @cached_property
    def rows(self) -> list[EngineRow]:
        return [row for group in self.groups for row in group.rows]

    @cached_property
    def counts(self) -> Counter[Agreement]:
        return Counter(row.kind for row in self.rows)

    @property
    def title(self) -> str:
        return f"One intent, {count(len(self.engines), 'engine')}"

    @cached_property
    def sentences(self) -> list[tuple[str, str]]:
        """The conclusions, each with `good`, `warn` or `bad`."""
        asked = sum(self.counts[kind] for kind in Agreement if kind is not Agreement.ALONE)
        agreed, open_cells = (
            self.counts[Agreement.AGREE] + self.counts[Agreement.OTHERWISE],
            self.counts[Agreement.OPEN],
        )
        said = [
            (
                f"The engines agree on {agreed:,} of {count(asked, 'cell')}, and "
                f"{self.counts[Agreement.AGREE]:,} of these are as meant.",
                "good" if agreed == asked else "warn",
            )
        ]
        if self.counts[Agreement.DIFFER]:
            said.append((f"They differ on {count(self.counts[Agreement.DIFFER], 'cell')}.", "warn"))
        if open_cells:
            said.append((f"{count(open_cells, 'cell', 'are')} left open by some engine's API.", "warn"))
        if self.counts[Agreement.MEASURED]:
            what = count(self.counts[Agreement.MEASURED], "cell")
            said.append((f"In {what} all policies say the same, and a CNI does something else.", "bad"))
        undeclared = sum(row.undeclared for row in self.rows)
        if undeclared:
            said.append((f"{count(undeclared, 'disagreement')} that no reviewed entry declares.", "bad"))
        elif self.counts[Agreement.DIFFER] or self.counts[Agreement.MEASURED]:
            said.append(("Every difference is a documented one; its reason stands below.", "good"))
        if not self.cnis:
            said.append(("Nothing was measured: this is what the policies say by the APIs' text.", "warn"))
        else:
            said.append((f"Measured on {several(self.cnis)}.", "good"))
        return said

    @cached_property
    def causes(self) -> list[Disagreement]:
        """The reasons of all differences, the one of the most cells first."""
        cells: dict[str, Counter[str]] = {}
        first: dict[str, tuple[EngineRow, str]] = {}
        for group in self.groups:
            for row in group.rows:
                if row.kind not in (Agreement.DIFFER, Agreement.MEASURED):
                    continue
                for engine, answer in row.answers.items():
                    wrong = not answer.as_meant and answer.specified is not Specified.UNSPECIFIED
                    for name in (answer.reviewed or ("",)) if wrong else ():
                        cells.setdefault(name, Counter())[engine] += 1
                        first.setdefault(name, (row, group.of))
        found = [
            Disagreement(entry=self.entries.get(name), cells=by, example=first[name][0], group=first[name][1])
            for name, by in cells.items()
        ]
        return sorted(found, key=lambda cause: (cause.entry is not None, -sum(cause.cells.values())))

    def failures(self, fail_on: FailOn) -> list[str]:
        """Why the shell should hear of it, a sentence each."""
        if fail_on == "none":
            return []
        if fail_on == "undeclared":
            number = sum(row.undeclared for row in self.rows)
            return [f"{count(number, 'undeclared disagreement')} between engines"] if number else []
        return [f"{count(self.counts[kind], 'cell')}: {WORDS[kind]}" for kind in LOUD if self.counts[kind]]


def compare_engines(records: Iterable[tuple[str, Record]], order: Sequence[str] = ()) -> Engines:
    """The variants in these records (each with what a reader calls it). `order`: engines in the order in which they
    are shown; others follow."""
    given = list(records)
    tables: dict[str, dict[str, dict[tuple[str, str], list[tuple[str, Cell]]]]] = {}
    claims: dict[str, dict[str, tuple[str, str]]] = {}
    skipped: dict[str, dict[str, str]] = {}
    entries: dict[str, Reviewed] = {}
    cnis: dict[str, None] = {}
    for _, record in given:
        for target in record.targets:
            entries |= {entry.id: entry for entry in target.reviewed}
            variants = {scenario.id: scenario.variant for scenario in target.scenarios if scenario.variant}
            for scenario in target.scenarios:
                if scenario.variant is None:
                    continue
                of, engine = scenario.variant.of, scenario.variant.engine
                claims.setdefault(of, {}).setdefault(engine, (scenario.id, scenario.claim))
                if scenario.result == "skipped":
                    skipped.setdefault(of, {}).setdefault(engine, f"skipped: {scenario.reason}")
            for cell in target.cells:
                if (variant := variants.get(cell.scenario)) is None:
                    continue
                if cell.measured is not Measured.UNMEASURED:
                    cnis[findings.name(target)] = None
                by_key = tables.setdefault(variant.of, {}).setdefault(variant.engine, {})
                by_key.setdefault((cell.step, findings.probe_key(cell)), []).append((findings.name(target), cell))
    engines = sorted({engine for of in claims.values() for engine in of}, key=lambda name: _place(order, name))
    groups = [
        _group(of, engines, claims[of], tables.get(of, {}), skipped.get(of, {})) for of in claims if len(claims[of]) > 1
    ]
    return Engines(
        engines=tuple(engines),
        groups=tuple(groups),
        entries=entries,
        cnis=tuple(cnis),
        sources=tuple(label for label, _ in given if label),
    )


def _place(order: Sequence[str], name: str) -> tuple[int, str]:
    return (order.index(name) if name in order else len(order), name)


def _group(
    of: str,
    engines: Sequence[str],
    claims: Mapping[str, tuple[str, str]],
    tables: Mapping[str, Mapping[tuple[str, str], list[tuple[str, Cell]]]],
    skipped: Mapping[str, str],
) -> EngineGroup:
    keys = dict.fromkeys(key for engine in engines for key in tables.get(engine, {}))
    rows = []
    for step, key in keys:
        answers = {
            engine: _answer(tables[engine][step, key]) for engine in engines if (step, key) in tables.get(engine, {})
        }
        intended = next(iter(answers.values())).cell.intended
        rows.append(EngineRow(step=step, key=key, intended=intended, answers=answers, kind=_kind(answers)))
    absent = {
        engine: skipped.get(engine, "nothing was asked" if engine in claims else "there is no such variant here")
        for engine in engines
        if not tables.get(engine)
    }
    claims = {engine: claims[engine] for engine in engines if engine in claims}
    return EngineGroup(of=of, claims=claims, absent=absent, rows=tuple(rows))


def _answer(found: Sequence[tuple[str, Cell]]) -> EngineAnswer:
    seen = [(name, cell.measured) for name, cell in found if cell.measured is not Measured.UNMEASURED]
    return EngineAnswer(
        cell=found[0][1],
        seen=tuple(seen),
        reviewed=tuple(dict.fromkeys(name for _, cell in found for name in cell.reviewed)),
        accepted=all(cell.accepted for _, cell in found),
    )


def _kind(answers: Mapping[str, EngineAnswer]) -> Agreement:
    given = list(answers.values())
    if len(given) < 2:
        return Agreement.ALONE
    decided = {answer.specified for answer in given} - {Specified.UNSPECIFIED}
    if len(decided) > 1:
        return Agreement.DIFFER
    if any(answer.odd for answer in given):
        return Agreement.MEASURED
    if any(answer.specified is Specified.UNSPECIFIED for answer in given):
        return Agreement.OPEN
    return Agreement.AGREE if all(answer.as_meant for answer in given) else Agreement.OTHERWISE
