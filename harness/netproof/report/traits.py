"""Traits: how a CNI behaves, as answers to the questions of `traits.yaml`. Measured by cells, never declared.

Adding a trait is an entry in that file. A question without a cell that answers it is answered "not measured".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from netproof.manifests.validation import StrictModel, validate
from netproof.manifests.yaml_documents import read_document
from netproof.model import Measured
from netproof.report import findings
from netproof.report.findings import seconds
from netproof.report.record import Cell, Record, Target, Trait, Vote
from netproof.wording import count

UNKNOWN = "not measured"

Text = str | list[str] | None


class TraitCells(StrictModel):
    """Cells by their fields: a field takes one value or a list, and one that is left out takes any."""

    scenario: Text = None
    step: Text = None
    source: Text = None
    destination: Text = None
    protocol: Text = None
    via: Text = None
    kind: Text = None
    specified: Text = None
    measured: Text = None
    port: int | list[int] | None = None
    family: int | None = None

    def select(self, cells: Mapping[str, Sequence[Cell]]) -> Iterator[Cell]:
        """The matching ones of cells by scenario, so that a pattern of one scenario reads no other."""
        wanted = [(name, value) for name, value in self if value is not None and name != "scenario"]
        for scenario, found in cells.items():
            if self.scenario is None or _same(scenario, self.scenario):
                yield from (c for c in found if all(_same(getattr(c, name), value) for name, value in wanted))


class TraitSteps(StrictModel):
    """Steps by their names and their scenarios'."""

    scenario: Text = None
    step: Text = None


def _same(value: object, wanted: object) -> bool:
    if isinstance(wanted, list):
        return any(_same(value, one) for one in wanted)
    return value == wanted or (isinstance(wanted, str) and "*" in wanted and fnmatchcase(str(value), wanted))


class Question(StrictModel):
    """One entry of `traits.yaml`: answered by cells and their words, or by the times of all steps."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    question: str
    read: Literal["measured", "outcome", "verdict"] = "measured"
    cells: list[TraitCells] = Field(default_factory=list)
    words: dict[str, str] = Field(default_factory=dict)
    capability: str = ""
    times: Literal["first_correct_s", "settled_after_s", ""] = ""
    steps: TraitSteps | None = None
    """Whose times; without it those of all steps."""

    @model_validator(mode="after")
    def _answerable(self) -> Question:
        if bool(self.times) == bool(self.cells and self.words):
            raise ValueError("a trait is answered by cells with words, or by times")
        return self


class _Questions(StrictModel):
    traits: list[Question]


def read_questions(path: Path) -> tuple[Question, ...]:
    """The entries of a trait file. Raises InputError."""
    return tuple(validate(_Questions, read_document(path)).traits)


@cache
def questions() -> tuple[Question, ...]:
    """The questions of `traits.yaml`, in its order."""
    return read_questions(Path(__file__).with_name("traits.yaml"))


def traits(target: Target, asked: Iterable[Question] | None = None) -> list[Trait]:
    """One answer for each question, in their order; `asked` are those of `traits.yaml` unless told otherwise."""
    cells: dict[str, list[Cell]] = {}
    for cell in target.cells:
        if cell.measured is not Measured.UNMEASURED:
            cells.setdefault(cell.scenario, []).append(cell)
    return [
        _timed(target, question) if question.times else _counted(target, question, cells)
        for question in (questions() if asked is None else asked)
    ]


def of(target: Target) -> list[Trait]:
    """The traits that a record holds, or what its cells say when it was written without any."""
    return target.traits or (traits(target) if target.cells else [])


def add_traits(record: Record) -> Record:
    """The record with the traits of every CNI that measured anything."""
    return record.model_copy(
        update={
            "targets": [
                target.model_copy(update={"traits": traits(target)}) if target.cells else target
                for target in record.targets
            ]
        }
    )


def table(targets: Sequence[Target | None]) -> list[tuple[str, list[Trait | None]]]:
    """For a table with a column a target: each question with the answers. Questions that nobody can answer go last."""
    answers = [{trait.id: trait for trait in of(target)} if target else {} for target in targets]
    rows = {trait.id: trait.question for traits in answers for trait in traits.values()}
    listed = [(question, [traits.get(name) for traits in answers]) for name, question in rows.items()]
    return sorted(listed, key=lambda row: not any(trait and trait.measured for trait in row[1]))


def differ(row: Sequence[Trait | None]) -> bool:
    """Whether those that were measured give different answers; times always differ and never count."""
    answers = {
        tuple(sorted(vote.answer for vote in trait.votes)) for trait in row if trait and trait.measured and trait.votes
    }
    return len(answers) > 1


def _counted(target: Target, question: Question, cells: Mapping[str, Sequence[Cell]]) -> Trait:
    counts: Counter[str] = Counter()
    firsts: dict[str, Cell] = {}
    chosen = {id(cell): cell for pattern in question.cells for cell in pattern.select(cells)}
    for cell in chosen.values():
        word = question.words.get(getattr(cell, question.read))
        if word is not None:
            counts[word] += 1
            firsts.setdefault(word, cell)
    votes = [
        Vote(answer=word, cells=number, scenario=cell.scenario, step=cell.step, cell=findings.probe_key(cell))
        for word, number in counts.most_common()
        for cell in [firsts[word]]
    ]
    if not votes:
        lack = target.capabilities.get(question.capability, "yes")
        return _trait(question, UNKNOWN if lack == "yes" else f"{UNKNOWN}: {lack}", measured=False)
    if len(votes) == 1:
        answer = votes[0].answer
    else:
        answer = ", ".join(f"{vote.answer} in {count(vote.cells, 'cell')}" for vote in votes)
    return _trait(question, answer, measured=True, votes=votes)


def _timed(target: Target, question: Question) -> Trait:
    wanted = question.steps or TraitSteps()
    steps = [
        getattr(step, question.times)
        for scenario in target.scenarios
        if wanted.scenario is None or _same(scenario.id, wanted.scenario)
        for step in scenario.steps
        if wanted.step is None or _same(step.name, wanted.step)
    ]
    times = sorted(time for time in steps if time is not None)
    if not times:
        return _trait(question, UNKNOWN, measured=False)
    middle, late = (times[math.ceil(share * len(times)) - 1] for share in (0.5, 0.95))
    answer = f"p50 {seconds(middle)}, p95 {seconds(late)}, max {seconds(times[-1])} of {count(len(times), 'step')}"
    never = len(steps) - len(times)
    return _trait(question, answer + (f"; never in {never}" if never else ""), measured=True)


def _trait(question: Question, answer: str, *, measured: bool, votes: Sequence[Vote] = ()) -> Trait:
    return Trait(id=question.id, question=question.question, answer=answer, measured=measured, votes=list(votes))
