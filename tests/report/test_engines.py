"""Engines side by side: what counts as agreement, whose reason it is, and what the shell hears."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from netproof.model import Intent, Measured, Outcome, Specified, judge
from netproof.model.verdict import WRONG
from netproof.report.engines import Agreement, Engines, compare_engines
from netproof.report.engines_html import render_engines
from netproof.report.engines_text import engines_lines, engines_markdown
from netproof.report.record import Cell, Record, RecordedSide, Reviewed, Run, ScenarioResult, Target, Variant

from .browser import CHROMIUM, browser
from .test_html import Outline

PLUS, MINUS, OPEN = Specified.CONNECTED, Specified.DENIED, Specified.UNSPECIFIED
SIDE = RecordedSide(isolated=False, allowed=True)
RUN = Run(netproof="1", command="", started_at="2026-01-01T00:00:00", duration_s=1, interrupted=False, exit_code=0)


def cell(
    scenario: str, says: Specified, does: Measured | None, meant: Intent, reviewed: tuple[str, ...], **at: Any
) -> Cell:
    measured = does or Measured.UNMEASURED
    verdict = judge(meant, says, measured)
    more: dict[str, Any] = {"source": "x/a", "destination": "y/b", "port": 80, **at}
    return Cell(
        scenario=scenario,
        step="applied",
        via="pod",
        protocol="TCP",
        family=4,
        kind="echo",
        intended=meant,
        specified=says,
        measured=measured,
        outcome=Outcome.CONNECTED if measured is Measured.CONNECTED else Outcome.DROPPED,
        verdict=verdict,
        accepted=verdict not in WRONG or bool(reviewed),
        because=f"{scenario} says {says}.",
        egress=SIDE,
        ingress=SIDE,
        attempts=[],
        settled_after_s=None,
        reviewed=list(reviewed),
        **more,
    )


def record(cni: str, cells: dict[str, list[Cell]], skipped: dict[str, str] | None = None) -> Record:
    """One CNI's record; engine -> its cells, or why it was skipped."""
    results = [
        ScenarioResult(
            id=f"s-{engine}",
            claim=f"claim of {engine}",
            source="",
            result="skipped" if engine in (skipped or {}) else "passed",
            reason=(skipped or {}).get(engine, ""),
            duration_s=1,
            variant=Variant(of="s-one", engine=engine),
        )
        for engine in (*cells, *(skipped or {}))
    ]
    entry = Reviewed(
        id="known", kind="documented", scenario="s-two", sentence="It says so.", reason="A reason.", link="x", cells=1
    )
    target = Target(
        cni=cni,
        title=cni,
        scenarios=results,
        cells=[cell for several in cells.values() for cell in several],
        reviewed=[entry],
    )
    return Record(run=RUN, targets=[target])


def both(
    one: Specified,
    two: Specified,
    *,
    does: tuple[Measured | None, Measured | None] = (None, None),
    meant: Intent = Intent.CONNECTED,
    reviewed: tuple[str, ...] = (),
) -> Engines:
    cells = {
        "one": [cell("s-one", one, does[0], meant, reviewed if one.value != meant.value else ())],
        "two": [cell("s-two", two, does[1], meant, reviewed)],
    }
    return compare_engines([("night", record("fake", cells))], ["two", "one"])


@pytest.mark.parametrize(
    ("one", "two", "does", "kind"),
    [
        (PLUS, PLUS, (None, None), Agreement.AGREE),
        (PLUS, PLUS, (Measured.CONNECTED, Measured.CONNECTED), Agreement.AGREE),
        (MINUS, MINUS, (None, None), Agreement.OTHERWISE),
        (PLUS, MINUS, (None, None), Agreement.DIFFER),
        (PLUS, MINUS, (Measured.CONNECTED, Measured.CONNECTED), Agreement.DIFFER),
        (PLUS, PLUS, (Measured.CONNECTED, Measured.DENIED), Agreement.MEASURED),
        (PLUS, OPEN, (None, None), Agreement.OPEN),
        (PLUS, OPEN, (Measured.CONNECTED, Measured.DENIED), Agreement.OPEN),
    ],
)
def test_what_can_be_said_of_a_cell(
    one: Specified, two: Specified, does: tuple[Measured | None, Measured | None], kind: Agreement
) -> None:
    engines = both(one, two, does=does)
    assert [row.kind for row in engines.rows] == [kind]
    assert engines.engines == ("two", "one")
    assert engines.cnis == (("fake",) if does[0] else ())


def test_an_engine_without_cells_agrees_with_nobody() -> None:
    cells = {"one": [cell("s-one", PLUS, Measured.CONNECTED, Intent.CONNECTED, ())]}
    engines = compare_engines([("", record("fake", cells, {"two": "fake enforces no such thing"}))])
    (group,) = engines.groups
    assert [row.kind for row in group.rows] == [Agreement.ALONE]
    assert group.absent == {"two": "skipped: fake enforces no such thing"}
    assert "no cells" in render_engines(engines)
    assert any("fake enforces no such thing" in text for text, _ in engines_lines(engines))


def test_a_scenario_that_has_one_engine_only_is_left_out() -> None:
    cells = {"one": [cell("s-one", PLUS, None, Intent.CONNECTED, ())]}
    assert compare_engines([("", record("fake", cells))]).groups == ()


def test_engines_of_several_cnis_come_together() -> None:
    one, two = (
        record(cni, {engine: [cell(f"s-{engine}", PLUS, does, Intent.CONNECTED, ())]})
        for cni, engine, does in (("a", "one", Measured.CONNECTED), ("b", "two", Measured.DENIED))
    )
    engines = compare_engines([("a.json", one), ("b.json", two)])
    (row,) = engines.rows
    assert row.kind is Agreement.MEASURED
    assert row.answers["two"].odd == (("b", Measured.DENIED),)
    assert row.undeclared
    assert engines.cnis == ("a", "b")
    assert "✕ denied on b" in render_engines(engines)


@pytest.mark.parametrize(
    ("reviewed", "fail_on", "said"),
    [
        (("known",), "undeclared", []),
        ((), "undeclared", ["1 undeclared disagreement between engines"]),
        (("known",), "any", ["1 cell: engines differ"]),
        ((), "none", []),
    ],
)
def test_what_the_shell_hears(reviewed: tuple[str, ...], fail_on: Any, said: list[str]) -> None:
    engines = both(PLUS, MINUS, does=(Measured.CONNECTED, Measured.DENIED), reviewed=reviewed)
    assert engines.failures(fail_on) == said


def test_a_difference_has_its_reason() -> None:
    engines = both(PLUS, MINUS, does=(Measured.CONNECTED, Measured.DENIED), reviewed=("known",))
    (cause,) = engines.causes
    assert cause.entry is not None
    assert (cause.entry.id, dict(cause.cells)) == ("known", {"two": 1})
    page, text = render_engines(engines), engines_markdown(engines)
    for shown in (page, text):
        assert "A reason." in shown
    assert "s-two says denied." in page
    assert "| x/a | y/b:80/TCP by pod address | connected | ≠ denied | connected |" in text


def test_cells_that_say_the_same_are_one_line() -> None:
    cells = {
        engine: [
            cell(f"s-{engine}", PLUS, None, Intent.CONNECTED, (), source=source, port=port)
            for source, port in (("x/a", 80), ("x/b", 80), ("x/a", 81))
        ]
        for engine in ("one", "two")
    }
    (group,) = compare_engines([("", record("fake", cells))]).groups
    assert [line.sources for line in group.lines] == [("x/a", "x/b"), ("x/a",)]


def test_the_page_loads_nothing_and_text_is_never_markup() -> None:
    odd = {"source": "<b>x</b>"}
    cells = {
        engine: [cell(f"s-{engine}", says, None, Intent.CONNECTED, (), **odd)]
        for engine, says in (("one", PLUS), ("two", MINUS))
    }
    page = render_engines(compare_engines([("", record("fake", cells))]))
    outline = Outline(page)
    assert outline.loads == []
    assert len(outline.ids) == len(set(outline.ids))
    assert "<b>x</b>" not in page


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: the page's script is not tested")
def test_the_script_shows_disagreements_first_and_finds_words(tmp_path: Path) -> None:
    cells = {
        engine: [
            cell(f"s-{engine}", PLUS, None, Intent.CONNECTED, ()),
            cell(f"s-{engine}", says, None, Intent.CONNECTED, (), port=81),
        ]
        for engine, says in (("one", PLUS), ("two", MINUS))
    }
    file = tmp_path / "page.html"
    file.write_text(render_engines(compare_engines([("", record("fake", cells))])), encoding="utf-8")
    visible = "[...document.querySelectorAll('tr[data-kind]')].filter((row) => !row.hidden).length"
    with browser() as page:
        page.open(file)
        assert page.run(visible) == 1
        page.open(file, "#kind=agree")
        assert page.run(visible) == 1
        page.run("document.querySelector('[data-kind=\"\"]').click()")
        assert page.run(visible) == 2
        page.open(file, "#kind=&q=y/b:81&theme=dark")
        assert page.run(visible) == 1
        assert page.problems == []
