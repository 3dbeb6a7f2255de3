"""The verbs of `netproof` that read records, as a shell sees them: what they print, and their exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from netproof.commands.main import main
from netproof.report.record import Record, load
from netproof.report.writer import write_report
from tests.report.example import example
from tests.report.test_compare import leak, night, small


def written(directory: Path, record: Record) -> Path:
    directory.mkdir(parents=True)
    (directory / "record.json").write_text(record.model_dump_json(), encoding="utf-8")
    return directory / "record.json"


def test_compare_prints_a_table_and_ends_well_without_a_baseline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(written(tmp_path / "one", example()))]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("SIDE")
    assert "DIFFERS BETWEEN CNIS" in shown


def test_new_differences_end_with_13_unless_told_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = str(written(tmp_path / "before", night(small(), 20)))
    now = str(written(tmp_path / "now", night(small(leak), 21)))
    assert main(["compare", now, "--baseline", before]) == 13
    assert capsys.readouterr().err == "netproof: 1 new difference\n"
    assert main(["compare", now, "--baseline", before, "--fail-on", "none"]) == 0
    assert main(["compare", now, "--baseline", now]) == 0
    assert main(["compare", now, "--baseline", now, "--fail-on", "any"]) == 13
    assert main(["compare", before, now]) == 0
    assert main(["compare", before, now, "--fail-on", "new"]) == 13


def test_a_missing_cni_is_shown_and_fails_only_any(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = str(written(tmp_path / "now", small()))
    assert main(["compare", now, "--expect", "calico, cilium"]) == 0
    assert "cilium is missing: no record has it. Nothing is known about it." in capsys.readouterr().out
    assert main(["compare", now, "--expect", "calico,cilium", "--fail-on", "any"]) == 13


def test_a_directory_stands_for_the_records_below_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path / "night" / "calico", example("calico"))
    written(tmp_path / "night" / "cilium", example("cilium"))
    page, text = tmp_path / "out" / "compare.html", tmp_path / "out" / "compare.md"
    assert main(["compare", str(tmp_path / "night"), "--html", str(page), "--markdown", str(text)]) == 0
    assert "Where calico 3.28.5 and cilium 1.17.2 differ" in page.read_text(encoding="utf-8")
    assert text.read_text(encoding="utf-8").startswith("# Where calico 3.28.5 and cilium 1.17.2 differ")
    assert capsys.readouterr().err == f"written: {page}\nwritten: {text}\n"


def test_markdown_can_go_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(written(tmp_path / "one", example())), "--markdown", "-"]) == 0
    assert capsys.readouterr().out.startswith("# Where calico 3.28.5 and cilium 1.17.2 differ")


@pytest.mark.parametrize("content", ["{", '{"schema_version": 1}'])
def test_what_is_no_record_is_an_input_error(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    (tmp_path / "bad.json").write_text(content)
    assert main(["compare", str(tmp_path / "bad.json")]) == 12
    assert capsys.readouterr().err.startswith(f"netproof: {tmp_path / 'bad.json'}")
    assert main(["compare", str(tmp_path / "none.json")]) == 12


def test_an_empty_directory_is_an_input_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = str(written(tmp_path / "now", small()))
    (tmp_path / "empty").mkdir()
    assert main(["compare", now, "--baseline", str(tmp_path / "empty")]) == 12
    assert "--baseline: there is no record.json in this directory" in capsys.readouterr().err


def test_report_draws_a_record_again_and_several_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = written(tmp_path / "night" / "calico", example("calico"))
    assert main(["report", str(one)]) == 0
    assert capsys.readouterr().out == f"{one.parent / 'report.html'}\n"
    written(tmp_path / "night" / "cilium", example("cilium"))
    assert main(["report", str(tmp_path / "night")]) == 12
    assert "several records become one report" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "night"), "--report-dir", str(tmp_path / "all")]) == 0
    merged = load(tmp_path / "all" / "record.json")
    assert [target.cni for target in merged.targets] == ["calico", "cilium"]
    assert merged.run.exit_code == 1


def test_a_record_drawn_by_a_run_can_be_compared_with_itself(tmp_path: Path) -> None:
    write_report(example(), tmp_path / "run")
    assert main(["compare", str(tmp_path / "run"), "--baseline", str(tmp_path / "run"), "--fail-on", "new"]) == 0


def test_explain_tells_one_cell_on_each_cni(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = written(tmp_path / "run", example())
    folder = tmp_path / "run" / "evidence" / "cilium" / "berserk-enabled"
    folder.mkdir(parents=True)
    (folder / "state.txt").write_text("berserk/meta is enforced\n")
    command = ["explain", str(record.parent), "node:1->berserk/meta:9500/TCP", "--scenario", "berserk-enabled"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "on calico 3.28.5" in shown
    assert "state.txt: 1 line about this cell" in shown
    assert main([*command, "--cni", "calico"]) == 0
    assert "cilium 1.17.2" not in capsys.readouterr().out


def test_explain_lists_several_as_commands_and_names_near_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = str(written(tmp_path / "run", example()))
    assert main(["explain", record, "node:1->berserk/meta:9500/TCP"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("4 cells match; explain one of them:\n  netproof explain ")
    assert "'node:1->berserk/meta:9500/TCP via pod' --scenario berserk-disabled" in shown
    assert main(["explain", record, "node:1->berserk/mta:9500/TCP"]) == 12
    assert "the nearest are\n  node:1->berserk/meta:9500/TCP via pod" in capsys.readouterr().err
    assert main(["explain", record, "nonsense"]) == 12
