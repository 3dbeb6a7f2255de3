"""A report directory is whole or says why not."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from netproof.errors import InputError, NetproofError
from netproof.report import writer
from netproof.report.record import load
from netproof.report.traits import add_traits
from netproof.report.writer import default_directory, ensure_writable, is_default, write_report

from .example import example

RECORD = example("calico")
ONE, TWO = "20260101-120000-calico", "20260102-120000-calico"
"""Names as runs choose them."""


def test_all_files_are_there_and_evidence_stays(tmp_path: Path) -> None:
    directory = tmp_path / "reports" / "one"
    (directory / "evidence").mkdir(parents=True)
    (directory / "evidence" / "ruleset.txt").write_text("table inet netproof")
    assert write_report(RECORD, directory) == directory / "report.html"
    assert sorted(path.name for path in directory.iterdir()) == [
        *("badge.json", "conformance.yaml", "evidence", "junit.xml", "record.json", "report.html", "summary.md"),
    ]
    assert (directory / "evidence" / "ruleset.txt").read_text() == "table inet netproof"
    assert load(directory / "record.json") == add_traits(RECORD)


def test_latest_points_to_the_newest_with_a_relative_link(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    for name in (ONE, TWO, ONE):  # a report that is drawn again is not the newest
        write_report(RECORD, reports / name)
    assert (reports / "latest").readlink() == Path(TWO)
    assert not list(reports.glob(".latest*"))
    assert (reports / ".gitignore").read_text().endswith("\n*\n")


def test_nothing_is_written_beside_a_directory_that_the_user_chose(tmp_path: Path) -> None:
    for chosen in (tmp_path / "one", tmp_path / "reports" / "nightly", tmp_path / "out" / ONE):
        write_report(RECORD, chosen)
        assert [path.name for path in chosen.parent.iterdir() if not path.is_dir()] == []


def test_the_default_directory_is_known_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_default(default_directory("calico,cilium"))
    assert not is_default(Path("reports"))
    assert not is_default(Path("mine"))


def test_a_gitignore_of_the_users_is_kept(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / ".gitignore").write_text("mine")
    write_report(RECORD, tmp_path / "reports" / ONE)
    assert (tmp_path / "reports" / ".gitignore").read_text() == "mine"


def test_that_a_directory_can_be_written_is_found_without_leaving_anything(tmp_path: Path) -> None:
    ensure_writable(tmp_path / "reports" / "one")
    assert list(tmp_path.iterdir()) == []
    ensure_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_found_before_a_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "dir" / "report.html").mkdir(parents=True)
    for wrong, why in (
        (tmp_path / "file", "File exists"),
        (tmp_path / "file" / "one", "File exists"),
        (tmp_path / "dir", "report.html is a directory"),
        (Path("/proc/netproof"), "No such file or directory"),
        (tmp_path / ("n" * 300), "File name too long"),
    ):
        with pytest.raises(InputError, match=f"the report cannot be written here: {why}; choose another --report-dir"):
            ensure_writable(wrong)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_forbidden_directory_is_found_before_a_run(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="Permission denied"):
        ensure_writable(tmp_path / "one")


def test_a_real_file_named_latest_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "latest").write_text("mine")
    write_report(RECORD, tmp_path / "reports" / ONE)
    assert (tmp_path / "reports" / "latest").read_text() == "mine"


def test_no_symlinks_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "not here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    assert write_report(RECORD, tmp_path / "reports" / ONE).exists()


def test_a_full_disk_keeps_the_record_and_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(writer.DRAWN, "report.html", full)
    with pytest.raises(NetproofError) as caught:
        write_report(RECORD, tmp_path / "one")
    assert not isinstance(caught.value, InputError)
    assert str(caught.value) == (
        f"no space left to write the report to {tmp_path / 'one'}; record.json is whole. Free some space, then draw it "
        f"again with `netproof report {tmp_path / 'one' / 'record.json'}`"
    )
    assert load(tmp_path / "one" / "record.json") == add_traits(RECORD)


def test_a_failed_write_leaves_the_old_file_and_no_scraps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "record.json").write_text("old")

    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(NetproofError):
        write_report(RECORD, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]
    assert (tmp_path / "record.json").read_text() == "old"


def test_a_file_in_the_way_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="the report cannot be written here"):
        write_report(RECORD, tmp_path / "file" / "one")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_forbidden_directory_is_an_input_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="Permission denied"):
        write_report(RECORD, tmp_path / "one")
