"""Traits are read from measured cells, and a question without such a cell is not answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from netproof.errors import InputError
from netproof.model import Measured, Outcome
from netproof.report import traits
from netproof.report.html import render_html
from netproof.report.markdown import render_markdown
from netproof.report.record import Cell, Target, Trait
from netproof.report.traits import Question, of, questions, read_questions, table

from .example import edited, example

RECORD = example()
CALICO = RECORD.targets[0]


def cell(**changes: object) -> Cell:
    first = next(cell for cell in CALICO.cells if cell.measured is Measured.DENIED)
    return first.model_copy(update=changes)


def answers(*cells: Cell, **changes: object) -> dict[str, Trait]:
    target = CALICO.model_copy(update={"cells": list(cells), **changes})
    return {trait.id: trait for trait in traits.traits(target)}


def test_the_committed_questions_are_readable_and_have_ids_of_their_own() -> None:
    asked = questions()
    assert len({question.id for question in asked}) == len(asked)
    assert {
        "denied-tcp",
        "established-after-deny",
        "own-node-to-pod",
        "hairpin-isolated",
        "ipv6",
        "sctp",
        "settled",
    } <= {question.id for question in asked}
    assert all(question.question.endswith("?") for question in asked)


def test_every_scenario_that_a_question_names_is_in_the_catalogue() -> None:
    from netproof.catalogue.selection import select_scenarios

    known = {scenario.id for found in select_scenarios("all").values() for scenario in found}
    named = {p.scenario for question in questions() for p in question.cells if isinstance(p.scenario, str)}
    assert not {name for name in named if not any(Path(one).match(name) for one in known)}


def test_drop_or_reject() -> None:
    assert answers(cell(outcome=Outcome.DROPPED))["denied-tcp"].answer == "dropped in silence"
    twice = [cell(outcome=Outcome.REJECTED), cell(outcome=Outcome.REJECTED)]
    rejected = answers(*twice, cell(outcome=Outcome.DROPPED))["denied-tcp"]
    assert rejected.answer == "rejected at once in 2 cells, dropped in silence in 1 cell"
    assert [(vote.answer, vote.cells) for vote in rejected.votes] == [
        *(("rejected at once", 2), ("dropped in silence", 1)),
    ]


def test_unmeasured_cells_never_answer() -> None:
    lost = cell(measured=Measured.UNMEASURED, outcome=Outcome.ERROR, kind="held", specified="unspecified")
    found = answers(lost)
    assert found["established-after-deny"].answer == "not measured"
    assert not found["established-after-deny"].measured


@pytest.mark.parametrize(("measured", "word"), [("connected", "it goes on"), ("denied", "it is cut")])
def test_established_connections_are_read_from_held_cells(measured: str, word: str) -> None:
    held = cell(kind="held", specified="unspecified", measured=measured)
    assert answers(held, cell())["established-after-deny"].answer == word
    allowed = cell(kind="held", specified="connected", measured="connected")
    assert answers(allowed)["established-after-deny"].answer == "not measured"


def test_what_the_kernel_lacks_is_the_reason() -> None:
    found = answers(cell(), capabilities={"SCTP": "no (no SCTP socket)", "IPv6": "yes"})
    assert found["sctp"].answer == "not measured: no (no SCTP socket)"
    assert found["ipv6"].answer == "not measured"


def test_times_are_percentiles_of_all_steps_and_never_is_said() -> None:
    step = CALICO.scenarios[0].steps[0]
    steps = [step.model_copy(update={"settled_after_s": n / 100, "first_correct_s": None}) for n in range(1, 101)]
    scenario = CALICO.scenarios[0].model_copy(update={"steps": steps})
    found = answers(cell(), scenarios=[scenario])
    assert found["settled"].answer == "p50 0.50 s, p95 0.95 s, max 1.00 s of 100 steps"
    assert found["first-correct"].answer == "not measured"
    half = [step, step.model_copy(update={"first_correct_s": None})]
    some = answers(cell(), scenarios=[scenario.model_copy(update={"steps": half})])
    assert some["first-correct"].answer == "p50 0.31 s, p95 0.31 s, max 0.31 s of 1 step; never in 1"


def test_a_target_without_cells_has_no_traits_and_answers_with_none() -> None:
    dead = Target(cni="antrea", title="Antrea")
    assert of(dead) == []
    assert all(row[1] is None for _, row in table([CALICO, dead]))


def test_answers_that_differ_are_marked_and_times_are_not() -> None:
    def one(answer: str) -> Trait:
        vote = {"answer": answer, "cells": 1, "scenario": "s", "step": "", "cell": "c"}
        return Trait.model_validate({"id": "x", "question": "?", "answer": answer, "measured": True, "votes": [vote]})

    unknown = Trait(id="x", question="?", answer="not measured", measured=False)
    assert traits.differ([one("yes"), one("no")])
    assert not traits.differ([one("yes"), one("yes"), unknown, None])
    time = Trait(id="x", question="?", answer="p50 1 s", measured=True)
    assert not traits.differ([time, time.model_copy(update={"answer": "p50 2 s"})])


def test_they_are_drawn_in_the_page_and_in_markdown() -> None:
    denied = [one for one in RECORD.targets[1].cells if one.measured is Measured.DENIED]
    other = [one.model_copy(update={"outcome": Outcome.REJECTED}) for one in denied]
    record = RECORD.model_copy(update={"targets": [CALICO, RECORD.targets[1].model_copy(update={"cells": other})]})
    page = render_html(record)
    assert "What happens to a TCP connection that is denied?" in page
    assert 'class="apart"' in page
    assert "| What happens to a TCP connection that is denied? | **dropped in silence** | **rejected at once** |" in (
        render_markdown(record)
    )
    assert 'id="traits"' not in render_html(edited(example("calico"), cells=[]))


@pytest.mark.parametrize(
    "text",
    [
        "traits: [{id: x, question: why?, words: {a: b}}]",
        "traits: [{id: x, question: why?, cells: [{colour: red}], words: {connected: a}}]",
        "traits: [{id: x, question: why?, times: settled_after_s, cells: [{port: 80}], words: {connected: a}}]",
    ],
)
def test_a_question_that_nothing_answers_is_an_input_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "traits.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=r"traits\.yaml"):
        read_questions(file)


def test_a_pattern_takes_stars_lists_and_numbers() -> None:
    pattern = Question.model_validate(
        {
            "id": "x",
            "question": "?",
            "cells": [{"scenario": "berserk-*", "port": [1, 2], "kind": ["echo", "held"]}],
            "words": {"denied": "no"},
        }
    ).cells[0]

    def taken(**changes: object) -> bool:
        one = cell(**changes)
        return list(pattern.select({one.scenario: [one]})) == [one]

    assert taken(port=1)
    assert not taken(port=3)
    assert not taken(port=1, kind="lookup")
    assert not taken(port=1, scenario="stageset")
