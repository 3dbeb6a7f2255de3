"""The container engine restarts while netproof measures. That disturbs everybody's containers on the machine, so it is
done only where somebody says how."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.real.conftest import containers, machine_in, verdicts
from tests.real.faults.conftest import CNI
from tests.real.faults.striking import Row, parts, since, tell, wait_for_parts

pytestmark = pytest.mark.faults

RESTART = "NETPROOF_RESTART_ENGINE"
"""Environment variable: the command that restarts the engine, such as `systemctl restart docker`."""
RUN_TIMEOUT = 900.0


@pytest.mark.skipif(RESTART not in os.environ, reason=f"needs the command that restarts the engine in ${RESTART}")
def test_an_engine_that_restarts_makes_no_wrong_verdict(tmp_path: Path) -> None:
    with machine_in(tmp_path, CNI) as machine:
        code, said, undisturbed = machine.pytest("--cni", CNI, "--keep-cluster", "always", report="undisturbed")
        assert code == 0, said
        environment = undisturbed.targets[0].environment
        assert environment is not None
        began = time.monotonic()
        run = machine.start("--cni", CNI, "--reuse-cluster", environment.cluster, report="restarted")
        wait_for_parts(tmp_path / "restarted", 1, run)
        struck = f"{since(began)}, after scenario {len(parts(tmp_path / 'restarted'))}"
        subprocess.run(["sh", "-c", os.environ[RESTART]], check=True, stdout=subprocess.DEVNULL)
        assert run.poll() is None, "the run ended before the engine had stopped all containers: stop it with kill -9"
        said, _ = run.communicate(timeout=RUN_TIMEOUT)
        (target,) = machine.record(tmp_path / "restarted").targets
        right, found = verdicts(undisturbed.targets[0].cells), verdicts(target.cells)
        wrong = [key for key, was in found.items() if was not in (right[key], "unmeasured")]
        assert "Traceback" not in said
        machine.netproof("clusters", "reap", "--all")
        assert containers(environment.cluster) == []
        tell(
            Row.of(
                "engine-restarted",
                "the container engine restarted, and with it all containers",
                target.cells,
                target.scenarios,
                struck=struck,
                wrong=len(wrong),
                exit=str(run.returncode),
                after="reaped; no container left",
            )
        )
        assert wrong == []
        assert run.returncode in (0, 11), said
