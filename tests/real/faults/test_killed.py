"""`kill -9` of netproof in every phase: results on disk are valid, the list shows what is left, reaping removes all."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from netproof.drivers.kubernetes.polling import NotYet, poll
from tests.real.conftest import Machine, containers, machine_in, verdicts
from tests.real.faults.conftest import CNI, Ground
from tests.real.faults.striking import Row, Shell, parts, since, tell, wait_for_parts

pytestmark = pytest.mark.faults

PHASES = {"probe pods": ": cluster ", "pre-flight": "✓ probe pods", "scenario": "", "report": "✓ clean-up"}
"""A phase, and the line that tells that the one before has ended."""


@pytest.mark.parametrize("phase", PHASES)
def test_a_run_killed_on_a_kept_cluster_leaves_valid_results_and_the_next_is_whole(ground: Ground, phase: str) -> None:
    name = f"killed-{phase.replace(' ', '-')}"
    report = ground.machine.folder / name
    Shell(cluster=ground.cluster, report=report, folder=report).wait_until_whole()
    began = time.monotonic()
    run = ground.machine.start(*ground.arguments(), report=name)
    _kill(run, report, PHASES[phase])
    struck = since(began)
    found = parts(report)
    assert len(found) == {"scenario": 1, "report": 4}.get(phase, 0)
    if found:
        ground.machine.netproof("report", str(report))
        (target,) = ground.machine.record(report).targets
        assert [scenario.id for scenario in target.scenarios] == [part.scenario.id for part in found]
    listed = ground.machine.netproof("clusters", "list")
    assert ground.cluster in listed
    assert ground.machine.netproof("clusters", "reap") == "nothing to remove\n"
    cells = [cell for part in found for cell in part.cells]
    wrong = [key for key, was in verdicts(cells).items() if was != ground.right[key]]
    after = ground.heal(f"{name}-after")
    row = Row.of(
        name,
        f"`kill -9` of netproof in the phase {phase}",
        cells,
        [part.scenario for part in found],
        struck=struck,
        wrong=len(wrong),
        exit=str(run.returncode),
        after=after,
    )
    tell(row)
    assert not wrong


def _first_process(machine: Machine, run: subprocess.Popen[str]) -> None:
    """kind is at work, and there may be no container yet."""
    _until(lambda: bool(list(machine.folder.glob("state/netproof/clusters/*/kind.log"))), run)


def _first_node(machine: Machine, run: subprocess.Popen[str]) -> None:
    _until(lambda: any(containers(name) for name in machine.clusters()), run)


def _first_result(machine: Machine, run: subprocess.Popen[str]) -> None:
    wait_for_parts(machine.folder / "killed", 1, run)


@pytest.mark.parametrize(
    ("when", "until"),
    [("kind begins", _first_process), ("a node is there", _first_node), ("the first result is there", _first_result)],
    ids=["kind", "node", "scenario"],
)
def test_what_a_killed_run_made_is_listed_and_reaped(
    tmp_path: Path, when: str, until: Callable[[Machine, subprocess.Popen[str]], None], request: pytest.FixtureRequest
) -> None:
    with machine_in(tmp_path, CNI) as machine:
        began = time.monotonic()
        run = machine.start("--cni", CNI, report="killed")
        until(machine, run)
        run.kill()
        run.communicate()
        struck = since(began)
        (name,) = machine.clusters()
        assert "leftover" in machine.netproof("clusters", "list")
        found = parts(tmp_path / "killed")
        assert machine.netproof("clusters", "reap") == f"removed {name}\n"
        assert machine.netproof("clusters", "list") == "no clusters\n"
        assert containers(name) == []
        _until_no_process(name)
        assert containers(name) == []
        row = Row.of(
            f"killed-own-cluster-{request.node.callspec.id}",
            f"`kill -9` of a run that makes its own cluster, as soon as {when}",
            [cell for part in found for cell in part.cells],
            [part.scenario for part in found],
            struck=struck,
            wrong=0,
            exit=str(run.returncode),
            after="listed as leftover; reaped; no container left",
        )
        tell(row)


def _kill(run: subprocess.Popen[str], report: Path, line: str) -> None:
    assert run.stdout
    if line:
        while line not in (said := run.stdout.readline()):
            assert said, f"ended before {line!r}"
    else:
        wait_for_parts(report, 1, run)
    assert run.poll() is None
    run.kill()
    run.communicate()


def _until(there: Callable[[], bool], run: subprocess.Popen[str]) -> None:
    def step() -> None:
        assert run.poll() is None, run.communicate()
        if not there():
            raise NotYet("not yet")

    poll(step, timeout=120, every=0.05, what="the moment to kill the run")


def _until_no_process(name: str) -> None:
    """Nothing that the run started is still at work, which could make containers after the reaping."""

    def step() -> None:
        found = subprocess.run(["pgrep", "-af", "--", name], capture_output=True, text=True, check=False).stdout
        if found:
            raise NotYet(found)

    poll(step, timeout=60, what=f"the end of all processes of {name}")
