"""What goes wrong while a run is under way: no wrong verdict, partial results on disk, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from netproof.catalogue.scenarios import Scenario
from netproof.catalogue.selection import select_scenarios
from netproof.clusters import recipes
from netproof.drivers.reference.driver import ReferenceDriver
from netproof.errors import ClusterError
from netproof.report.record import Record
from netproof.run.place import Place
from netproof.run.progress import Progress
from netproof.run.session import RunOptions, Session
from tests import require

ROOT = Path(__file__).parents[2]


def scenario(identifier: str) -> Scenario:
    return next(s for found in select_scenarios(identifier).values() for s in found)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    options = RunOptions(run_id="test", token="word", report_dir=tmp_path)
    made = Session(recipes.parse_cni("reference")[0], 0, options, Progress(lambda line: None))
    try:
        made.start()
    except ClusterError as error:
        require.skip("reference", str(error))
    return made


def test_the_first_scenarios_baseline_is_taken_beside_the_pre_flight(session: Session) -> None:
    wanted = scenario("isolation-deny-all-ingress")
    session.prepare([wanted.topology], first=wanted)
    phases = [phase.name for phase in session._progress.phases]
    connected = session._deployment.place(wanted.topology).rounds.connected_before
    part = session.measure(wanted, 0)
    session.close()
    assert connected == set(wanted.steps[0].intended)
    assert part.scenario.result == "passed"
    assert [name for name in phases if "baseline" in name] == []


def test_a_pre_flight_that_fails_does_not_wait_for_a_baseline_that_never_connects(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = scenario("isolation-deny-all-ingress")
    never = threading.Event()
    monkeypatch.setattr(Place, "warm", lambda place, probes: never.wait(30))

    def fails() -> None:
        raise ClusterError("the canaries are gone")

    monkeypatch.setattr(session, "_preflight", fails)
    began = time.monotonic()
    with pytest.raises(ClusterError, match="the canaries are gone"):
        session.prepare([wanted.topology], first=wanted)
    session.close()
    never.set()
    assert time.monotonic() - began < 20


def test_an_agent_that_is_killed_makes_its_cells_unmeasured_and_no_other(session: Session) -> None:
    wanted = scenario("isolation-deny-all-ingress")
    session.prepare([wanted.topology])
    driver = session._driver
    assert isinstance(driver, ReferenceDriver)
    first = session.measure(wanted, 0)
    assert first.scenario.result == "passed"
    os.kill(driver._pids["y/a"], signal.SIGKILL)
    second = session.measure(wanted, 1)
    session.close()
    assert second.scenario.result == "error"
    for cell in second.cells:
        touched = "y/a" in (cell.source, cell.destination)
        assert (cell.measured == "unmeasured") == touched, f"{cell.source} {cell.destination} {cell.note}"
    assert {cell.verdict.value for cell in second.cells} == {"holds", "unmeasured"}


def test_a_stopped_agent_is_unmeasured_never_denied(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netproof.probing.client.GRACE", 0.5)
    wanted = scenario("isolation-deny-all-ingress")
    session.prepare([wanted.topology])
    driver = session._driver
    assert isinstance(driver, ReferenceDriver)
    session.measure(wanted, 0)
    os.kill(driver._pids["x/b"], signal.SIGSTOP)
    part = session.measure(wanted, 1)
    os.kill(driver._pids["x/b"], signal.SIGCONT)
    session.close()
    wrong = [cell for cell in part.cells if cell.verdict.value not in ("holds", "unmeasured")]
    assert wrong == []
    assert all(cell.measured == "unmeasured" for cell in part.cells if cell.source == "x/b")


@pytest.mark.parametrize("phase", ["cluster", "probe pods", "pre-flight", "baseline", "isolation-none"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_in_any_phase_reports_and_leaves_nothing(tmp_path: Path, phase: str, how: signal.Signals) -> None:
    """The signal is sent when the phase (or scenario) before has just been told as finished."""
    order = ["", "cluster", "probe pods", "pre-flight", "baseline", "isolation-none"]
    awaited = order[order.index(phase) - 1] if phase != "isolation-none" else "OK         isolation-none"
    command = [sys.executable, "-u", "-m", "netproof.commands.main", "run", "--scenario-set", "isolation"]
    process = subprocess.Popen(
        [*command, "--report-dir", str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    if awaited:
        while awaited not in (line := process.stdout.readline()):
            assert line, f"ended before {awaited!r}: {process.communicate()}"
    else:
        wait_for_child(process.pid)
    process.send_signal(how)
    out, error = process.communicate(timeout=60)
    assert "Traceback" not in out + error
    assert process.returncode == 2, out + error
    if phase == "isolation-none":
        record = Record.model_validate(json.loads((tmp_path / "record.json").read_text()))
        assert record.run.interrupted
        assert record.targets[0].scenarios[0].result == "passed"
        assert "INTERRUPTED" in out
    assert children(process.pid) == []


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in found.splitlines()]
    return [int(row[0]) for row in rows if int(row[1]) == pid]


def wait_for_child(pid: int) -> None:
    deadline = time.monotonic() + 30
    while not children(pid):
        assert time.monotonic() < deadline, "the run started nothing"
