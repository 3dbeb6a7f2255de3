"""Several CNIs in one run with workers: one is measured after the other, and nobody waits for what does not come."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from contextlib import closing
from pathlib import Path

import pytest

from netproof.clusters.recipes import CniVersion, load
from netproof.drivers import DriverOptions, create
from netproof.errors import ClusterError, NetproofError
from netproof.manifests.data_dirs import data_dir
from netproof.pytest_plugin.handover import Handover, receive
from tests import require

ROOT = data_dir("scenarios").parent

WRONG = """
id: wrong-%d
claim: What is never true, so that the run fails.
source: this test
topology: grid
expect: |
  80/TCP  x/a
  y/a     -
"""


@pytest.fixture
def given() -> Iterator[Handover]:
    with closing(Handover(["calico", "cilium"])) as made:
        yield made


def test_a_worker_waits_until_its_cluster_is_there(given: Handover) -> None:
    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(receive, given.folder, "cilium")
        given.give("calico", {"cluster": "one"})
        assert receive(given.folder, "calico") == receive(given.folder, "calico") == {"cluster": "one"}
        with pytest.raises(Late):
            later.result(0.2)
        given.give("cilium", {"cluster": "two"})
        assert later.result(10) == {"cluster": "two"}


def test_a_cluster_that_did_not_come_up_is_told_to_the_workers(given: Handover) -> None:
    given.refuse("calico", "no engine runs")
    with pytest.raises(NetproofError, match="no engine runs"):
        receive(given.folder, "calico")


def test_who_waits_when_the_run_ends_goes_on_without_a_cluster(given: Handover) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(receive, given.folder, "cilium")
        given.close()
        with pytest.raises(NetproofError, match="ended before its turn"):
            waiting.result(10)
    with pytest.raises(NetproofError, match="ended before its turn"):
        receive(given.folder, "cilium")


def test_who_waits_for_a_controller_that_is_killed_goes_on_without_a_cluster() -> None:
    code = (
        "import time\nfrom netproof.pytest_plugin.handover import Handover\n"
        "made = Handover(['calico'])\nprint(made.folder, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as controller:
        assert controller.stdout is not None
        folder = Path(controller.stdout.readline().strip())
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(receive, folder, "calico")
            controller.kill()
            with pytest.raises(NetproofError, match="ended before its turn"):
                waiting.result(10)
    (folder / "calico").unlink()
    folder.rmdir()


@pytest.fixture
def reference() -> None:
    driver = create(load(CniVersion(name="reference")), DriverOptions(run_id="test"))
    try:
        driver.start(lambda _: None)
    except ClusterError as error:
        require.skip("reference", f"no reference dataplane on this machine: {error}")
    finally:
        driver.stop(keep=False)


def run(*words: str, report: Path) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--cni", "reference,reference@1", "-n", "2"]
    command += ["--report-dir", str(report), *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=240)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.usefixtures("reference")
def test_the_next_cluster_is_made_when_the_one_before_is_removed(tmp_path: Path) -> None:
    code, said = run("--scenario-set", "icmp", report=tmp_path / "out")
    assert code == 0, said
    assert re.findall(r"✓ .*?(cluster|clean-up) ", said) == ["cluster", "clean-up"] * 2
    assert "10 passed" in said


@pytest.mark.usefixtures("reference")
def test_a_run_that_ends_with_its_first_failure_makes_no_other_cluster_and_waits_for_nobody(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("---\n".join(WRONG % number for number in range(2)))
    code, said = run("-x", "--scenario-set", str(wrong), report=tmp_path / "out")
    assert code in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED), said
    assert re.findall(r"✓ .*?(cluster|clean-up) ", said) == ["cluster", "clean-up"]
