"""Whatever standard output is, a command does its work: ASCII only, a pipe whose reader has gone, closed, or full."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from netproof.report.output import to_ascii
from netproof.report.record import load
from netproof.report.writer import write_report
from tests.report.example import example
from tests.require import needs_reference

NETPROOF = shlex.join([sys.executable, "-m", "netproof.commands.main"])

COMMANDS = (
    "compare RECORD",
    "compare RECORD --markdown -",
    "explain RECORD 'berserk/ui->*'",
    "check --chart berserk",
    "matrix --chart berserk",
    "engines --chart stageset",
    "coverage",
    "refused --count 5",
    "mutate --list",
    "cnis",
    "doctor",
    "clusters list",
    "--help",
)


def shell(command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), **variables}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_report(example(), tmp_path / "RECORD")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_survives_its_standard_output(folder: Path, command: str) -> None:
    line = f"{NETPROOF} {command}"
    whole = shell(line, folder, PYTHONIOENCODING="ascii")
    assert whole.returncode in (0, 11)  # 11: `doctor`, where the reference driver cannot run
    assert "Traceback" not in whole.stderr
    assert whole.stdout
    piped = shell(f"{line} | head -1", folder, PYTHONIOENCODING="ascii")
    assert (piped.returncode, piped.stderr) == (whole.returncode, whole.stderr)
    assert piped.stdout == whole.stdout.partition("\n")[0] + "\n"


def test_standard_output_may_be_closed(folder: Path) -> None:
    for command in ("compare RECORD", "cnis", "matrix --chart berserk"):
        done = shell(f"{NETPROOF} {command} >&-", folder)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_is_lost_on_a_full_disk_is_no_success(folder: Path) -> None:
    done = shell(f"{NETPROOF} matrix --chart berserk --format json > /dev/full", folder)
    assert (done.returncode, done.stderr) == (3, "netproof: standard output: No space left on device\n")


@needs_reference
@pytest.mark.parametrize(
    "how",
    ["| head -1", ">&-", "> /dev/full", "2>&1 | head -1", "| true"],
    ids=["head", "closed", "full", "both", "true"],
)
def test_a_run_keeps_its_report_whatever_becomes_of_its_output(folder: Path, how: str) -> None:
    scenario = "--scenario-set ipblock-except-ingress"
    shell(f"{NETPROOF} run {scenario} --report-dir out {how}", folder, PYTHONIOENCODING="ascii")
    record = load(folder / "out" / "record.json")
    assert not record.run.interrupted
    assert [scenario.result for scenario in record.targets[0].scenarios] == ["passed"]
    assert (folder / "out" / "report.html").exists()


def test_every_sign_of_the_reports_has_a_word_in_ascii() -> None:
    assert to_ascii("a → b … “x” ✓ ≠ ✅") == 'a -> b ... "x" OK != OK'
    assert to_ascii("漢") == "?"


def test_a_report_directory_that_cannot_be_written_is_found_before_anything_starts(folder: Path) -> None:
    (folder / "file").write_text("")
    done = shell(f"{NETPROOF} run --scenario-set ipblock-except-ingress --report-dir file/here", folder)
    assert (done.returncode, done.stdout) == (12, "")
    assert "the report cannot be written here: File exists; choose another --report-dir" in done.stderr
