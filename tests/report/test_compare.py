"""Comparing records: what is new, gone, different between CNIs, and what is missing and agrees with nobody."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netproof.model import Intent, Measured, Outcome, Specified, Verdict, judge
from netproof.model.verdict import WRONG
from netproof.report.compare import compare
from netproof.report.compare_groups import group_rows
from netproof.report.compare_text import compare_lines, compare_markdown
from netproof.report.comparison import Comparison, NamedRecord, RowClass, TargetState
from netproof.report.record import Cell, Record, Run, ScenarioResult, Target

from .example import edited, example

TODAY = example()
CALICO, CILIUM = example("calico"), example("cilium")


def night(record: Record, day: int) -> Record:
    return record.model_copy(
        update={"run": record.run.model_copy(update={"started_at": f"2026-11-{day:02}T03:00:00Z"})}
    )


def only(*records: Record, baseline: tuple[Record, ...] = (), expect: tuple[str, ...] = ()) -> Comparison:
    named = [NamedRecord(label=f"{n}/record.json", record=record) for n, record in enumerate(records)]
    return compare(
        named, baseline=[NamedRecord(label="before.json", record=record) for record in baseline], expect=expect
    )


def small(change: Callable[[Cell], dict[str, object]] = lambda _: {}, *, cni: str = "calico") -> Record:
    """One scenario of the example with its holding cells only, each changed as `change` says and judged again."""
    cells = []
    for cell in CALICO.targets[0].cells:
        if cell.scenario == "berserk-enabled" and cell.verdict is Verdict.HOLDS:
            new = cell.model_copy(update=change(cell))
            verdict = judge(new.intended, new.specified, new.measured)
            cells.append(new.model_copy(update={"verdict": verdict, "accepted": verdict not in WRONG or new.accepted}))
    return edited(CALICO, cni=cni, cells=cells, reviewed=[], scenarios=CALICO.targets[0].scenarios[:1])


def leak(cell: Cell) -> dict[str, object]:
    """query:9510 from meta gets through."""
    if (cell.source, cell.destination, cell.port) == ("berserk/meta", "berserk/query", 9510):
        return {"measured": Measured.CONNECTED, "outcome": Outcome.CONNECTED, "accepted": False}
    return {}


def declared_leak(cell: Cell) -> dict[str, object]:
    return {**leak(cell), "accepted": True, "reviewed": ["known-1"]} if leak(cell) else {}


def test_two_cnis_differ_where_one_connects_and_the_other_denies() -> None:
    found = only(TODAY)
    assert [side.label for side in found.sides] == ["calico 3.28.5", "cilium 1.17.2"]
    differing = [row for row in found.rows if RowClass.DIFFERS in row.classes]
    assert differing
    for row in differing:
        assert {cell.measured for cell in row.cells if cell} == {Measured.CONNECTED, Measured.DENIED}
    group = next(group for group in group_rows(found, RowClass.DIFFERS) if group.rows[0].cell.source == "node:1")
    assert group.headline == "node:1 → berserk/meta:9500: denied on calico 3.28.5, connected on cilium 1.17.2"
    same, shared = found.agreement or (0, 0)
    assert shared - same == len(differing)
    assert found.title == "Where calico 3.28.5 and cilium 1.17.2 differ"


def test_equal_records_agree_and_nothing_is_new() -> None:
    found = only(small(), baseline=(small(),))
    assert set(found.counts) == {RowClass.SAME}
    assert found.failures("new") == []
    assert found.failures("any") == []


def test_a_new_fault_is_new_and_a_vanished_one_is_gone() -> None:
    before, now = night(small(), 20), night(small(leak), 21)
    found = only(now, baseline=(before,))
    (row,) = (row for row in found.rows if row.new)
    assert row.new == ("calico",)
    assert row.cell.verdict is Verdict.CNI_DIFFERENCE
    assert found.failures("new") == ["1 new difference"]
    (group,) = group_rows(found, RowClass.NEW)
    assert group.headline == "berserk/meta → berserk/query:9510: was denied, now connected on calico 3.28.5"
    back = only(night(small(), 22), baseline=(now,))
    assert [row.gone for row in back.rows if row.gone] == [("calico",)]
    assert back.failures("new") == []


def test_the_same_cnis_record_before_is_the_earlier_one_whatever_the_order_of_the_files() -> None:
    found = only(night(small(leak), 21), night(small(), 19), night(small(), 20))
    assert [side.night[:10] for side in found.sides] == ["2026-11-19", "2026-11-20", "2026-11-21"]
    assert found.sides[found.earlier["calico"]].night.startswith("2026-11-20")
    assert found.counts[RowClass.NEW] == 1
    assert found.title == "What changed on calico 3.28.5 since 2026-11-20 03:00"


def test_a_declared_new_difference_is_shown_and_fails_nothing() -> None:
    found = only(small(declared_leak), baseline=(small(),))
    assert found.counts[RowClass.NEW] == 1
    assert found.failures("new") == []
    assert group_rows(found, RowClass.NEW)[0].declared == ("known-1",)
    assert "1 new difference since 2026-11-21 03:12, 0 of them undeclared." in dict(found.sentences)


def test_a_fault_in_a_cell_that_the_earlier_record_lacks_is_new_unless_it_is_declared() -> None:
    before = small()
    target = before.targets[0]
    before = edited(before, cells=[cell for cell in target.cells if not leak(cell)])
    assert only(small(leak), baseline=(before,)).failures("new") == ["1 new difference"]
    found = only(small(declared_leak), baseline=(before,))
    assert found.counts[RowClass.NEW] == 0
    assert found.counts[RowClass.ONLY] == 1


def test_a_difference_that_the_night_before_had_fails_only_any() -> None:
    found = only(small(leak), baseline=(small(leak),))
    assert found.counts[RowClass.NEW] == 0
    assert found.failures("new") == []
    assert found.failures("any") == ["1 undeclared difference on calico 3.28.5 (0/record.json)"]
    assert found.failures("none") == []


@pytest.mark.parametrize("expect", [("calico", "cilium"), ("calico@3.28.5", "cilium@1.17.2")])
def test_a_missing_cni_is_missing_and_agrees_with_nobody(expect: tuple[str, ...]) -> None:
    found = only(CALICO, expect=expect)
    (missing,) = found.missing
    assert (missing.state, missing.why) == (TargetState.MISSING, "no record has it")
    assert found.agreement is None
    assert found.counts[RowClass.SAME] == 0
    assert all(row.cells[found.sides.index(missing)] is None for row in found.rows)
    assert any("is missing" in sentence and stands == "bad" for sentence, stands in found.sentences)
    assert found.failures("new") == []
    assert f"{missing.label} is missing" in found.failures("any")


def test_a_cni_of_the_baseline_that_no_record_has_is_missing() -> None:
    found = only(CALICO, baseline=(night(TODAY, 20),))
    assert [(side.label, side.why) for side in found.missing] == [
        ("cilium", "it was there on 2026-11-20 03:00, no record has it now"),
    ]


def test_a_cni_that_ended_early_is_no_agreement_and_its_older_record_does_not_stand_in() -> None:
    dead = edited(night(CALICO, 22), cells=[], scenarios=[], error="calico did not come up\nmore", error_code=11)
    found = only(night(CALICO, 21), CILIUM, dead)
    assert [(side.state, side.why) for side in found.missing] == [(TargetState.ENDED_EARLY, "calico did not come up")]
    assert found.agreement is None
    assert found.counts[RowClass.DIFFERS] == 0


def test_unmeasured_is_neither_equal_nor_different() -> None:
    def lost(cell: Cell) -> dict[str, object]:
        return {"measured": Measured.UNMEASURED, "outcome": Outcome.ERROR} if leak(cell) else {}

    found = only(small(), small(lost, cni="cilium"))
    assert found.counts[RowClass.UNMEASURED] == 1
    assert found.counts[RowClass.DIFFERS] == 0
    same, shared = found.agreement or (0, 0)
    assert same == shared == len(found.rows) - 1
    gone = only(small(lost), baseline=(small(leak),))
    assert gone.counts[RowClass.GONE] == 0


def test_denied_in_another_way_is_said_apart() -> None:
    def reject(cell: Cell) -> dict[str, object]:
        return {"outcome": Outcome.REJECTED} if cell.measured is Measured.DENIED else {}

    found = only(small(), small(reject, cni="cilium"))
    assert found.counts[RowClass.HOW] > 0
    assert found.counts[RowClass.DIFFERS] == 0
    assert "dropped on calico 3.28.5, rejected on" in group_rows(found, RowClass.HOW)[0].headline


def test_other_policies_are_a_change_and_no_new_difference() -> None:
    def meant(cell: Cell) -> dict[str, object]:
        if leak(cell):
            return {"intended": Intent.CONNECTED, "specified": Specified.CONNECTED, **leak(cell)}
        return {}

    found = only(small(meant), baseline=(small(),))
    assert found.counts[RowClass.CHANGED] == 1
    assert found.counts[RowClass.NEW] == 0


def test_a_skipped_scenario_says_why_it_is_not_there() -> None:
    skipped = ScenarioResult(id="berserk-enabled", claim="", source="", result="skipped", duration_s=0)
    rest = [cell for cell in CILIUM.targets[0].cells if cell.scenario != "berserk-enabled"]
    found = only(small(), edited(CILIUM, cells=rest, scenarios=[skipped]))
    side = next(side for side in found.sides if side.cni == "cilium")
    assert found.absence(side, "berserk-enabled") == "skipped"
    assert found.absence(side, "no-such-scenario") == "not run"


def test_a_declaration_that_became_stale_is_new() -> None:
    entry = CILIUM.targets[0].reviewed[-1]
    before = edited(CILIUM, reviewed=[*CILIUM.targets[0].reviewed[:-1], entry.model_copy(update={"stale": []})])
    assert entry.stale
    assert only(CILIUM, baseline=(before,)).failures("new") == ["1 declared difference that no longer happens"]
    assert only(CILIUM, baseline=(CILIUM,)).failures("new") == []


def test_labels_tell_sides_apart_as_far_as_needed() -> None:
    same = only(CALICO, CALICO, CILIUM)
    assert [side.label for side in same.sides] == [
        *("calico 3.28.5 (0/record.json)", "calico 3.28.5 (1/record.json)", "cilium 1.17.2"),
    ]
    assert [side.label for side in only(night(CALICO, 1), night(CALICO, 2)).sides] == [
        *("calico 3.28.5 of 2026-11-01", "calico 3.28.5 of 2026-11-02"),
    ]


def test_no_records_are_no_agreement() -> None:
    run = Run(
        netproof="0.1.0", command="x", started_at="2026-11-21T03:00:00Z", duration_s=0, interrupted=True, exit_code=2
    )
    empty = Record(run=run, targets=[Target(cni="calico", title="Calico")])
    found = only(empty)
    assert [side.state for side in found.sides] == [TargetState.ENDED_EARLY]
    assert found.agreement is None


def test_the_terminal_says_missing_first_and_lists_by_class() -> None:
    found = only(night(small(leak), 21), baseline=(night(small(), 20),), expect=("antrea",))
    text = "\n".join(line for line, _ in compare_lines(found, unicode=False))
    assert text.index("antrea is missing: no record has it. Nothing is known about it.") < text.index(
        "NEW SINCE  1 cell"
    )
    assert "berserk-enabled: berserk/meta -> berserk/query:9510: was denied, now connected on calico 3.28.5" in text
    assert text.isascii()


def test_markdown_is_a_table_and_lists() -> None:
    text = compare_markdown(only(TODAY, expect=("antrea",)))
    assert text.startswith("# Where calico 3.28.5 and cilium 1.17.2 differ\n\n- ❌ antrea is missing")
    assert "| antrea |  | MISSING | no record has it |  |  |  |" in text
    assert "## Differs between cnis" not in text
    assert "## Differs between CNIs: " in text
