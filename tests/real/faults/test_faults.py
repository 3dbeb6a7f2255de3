"""Each fault of the table strikes while netproof measures: no wrong verdict, a valid record, and a next run that is
whole again. Long, so only `make faults` runs it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from netproof.report.record import Cell, ScenarioResult
from tests.real.conftest import verdicts
from tests.real.faults.conftest import Ground
from tests.real.faults.striking import Fault, Row, Shell, faults, parts, since, tell, wait_for_parts

pytestmark = pytest.mark.faults

RUN_TIMEOUT = 900.0


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: fault.name)
def test_a_fault_makes_no_wrong_verdict(ground: Ground, fault: Fault, tmp_path: Path) -> None:
    with _disk(ground.machine.folder / fault.name, fault.disk) as disk:
        report = disk / "report"
        shell = Shell(cluster=ground.cluster, report=report, folder=tmp_path)
        shell.wait_until_whole()
        began = time.monotonic()
        run = ground.machine.start(*ground.arguments(), report=f"{fault.name}/report")
        try:
            wait_for_parts(report, 1, run)
            before = shell.run(fault.seen).stdout.strip()
            struck = f"{since(began)}, after scenario {len(parts(report))}"
            shell.do(fault.strike)
            try:
                shell.wait_until_seen(fault.seen, before)
                if fault.lift_when == "next":
                    wait_for_parts(report, len(parts(report)) + 1, run)
                else:
                    said, _ = run.communicate(timeout=RUN_TIMEOUT)
            finally:
                if fault.lift:
                    shell.do(fault.lift)
            if fault.lift_when == "next":
                said, _ = run.communicate(timeout=RUN_TIMEOUT)
        finally:
            run.kill()
            run.communicate()
        (ground.machine.folder / f"{fault.name}.txt").write_text(said, encoding="utf-8")
        cells, scenarios = _measured(ground, report)
        wrong = {key: was for key, was in verdicts(cells).items() if was not in (ground.right[key], "unmeasured")}
        shell.wait_until_whole()
        after = ground.heal(f"{fault.name}-after")
        tell(
            Row.of(
                fault.name,
                fault.what,
                cells,
                scenarios,
                struck=struck,
                wrong=len(wrong),
                exit=str(run.returncode),
                after=after,
            )
        )
        assert wrong == {}
        assert run.returncode in fault.exits, said
        assert "Traceback" not in said
        lost = [cell for cell in cells if cell.verdict.value == "unmeasured"]
        assert [cell for cell in lost if fault.touches not in cell.source + cell.destination] == []


def _measured(ground: Ground, report: Path) -> tuple[list[Cell], list[ScenarioResult]]:
    """From the record; where it could not be written, it is drawn from what is on disk."""
    if not (report / "record.json").exists():
        assert parts(report)
        ground.machine.netproof("report", str(report))
    (target,) = ground.machine.record(report).targets
    return target.cells, target.scenarios


@contextmanager
def _disk(folder: Path, size: str) -> Iterator[Path]:
    """A folder, or a small disk of its own."""
    folder.mkdir()
    if not size:
        yield folder
        return
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk for the reports")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "netproof-faults", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
