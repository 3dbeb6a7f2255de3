"""The main job on the real CNIs: cold, again on the kept cluster, shared by workers, and with a probe pod evicted while
it measures. Every cell is measured with packets."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from harness.drivers.kind.polling import NotYet, poll
from harness.report.record import Cell, Record
from tests.real.conftest import Machine, image_missing, machine_in

BERSERK = ["berserk-enabled", "berserk-ingress-side", "berserk-egress-side", "berserk-disabled"]
CELLS = 228
"""Of each of these scenarios."""

OVER_WIDE = {
    "calico": ("connected", "connected", "policy-defect"),
    "cilium": ("connected", "denied", "masked-defect"),
}
"""0.0.0.0/0 covers pods by the API's text; Cilium takes it as the world outside, and so hides the defect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cold:
    """A first run, whose cluster was kept."""

    cni: str
    machine: Machine
    code: int
    said: str
    record: Record

    @property
    def cluster(self) -> str:
        environment = self.record.targets[0].environment
        assert environment is not None
        return environment.cluster


@pytest.fixture(scope="module", params=["calico", "cilium"])
def cold(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cold]:
    cni: str = request.param
    with machine_in(tmp_path_factory.mktemp(cni)) as machine:
        if image := image_missing(cni):
            pytest.skip(f"{image} is not in the local engine")
        code, said, record = machine.pytest("--cni", cni, "--keep-cluster", "always", report="cold")
        yield Cold(cni=cni, machine=machine, code=code, said=said, record=record)


def test_cold(cold: Cold) -> None:
    assert cold.code == 0, cold.said
    (target,) = cold.record.targets
    assert [scenario.id for scenario in target.scenarios] == BERSERK
    assert Counter(cell.scenario for cell in target.cells) == dict.fromkeys(BERSERK, CELLS)
    assert {cell.measured.value for cell in target.cells} == {"connected", "denied"}
    assert all(cell.accepted for cell in target.cells)
    assert all(check.measured is check.expected for check in target.preflight)
    assert target.environment is not None
    assert len(target.environment.nodes) == 2
    for name in ("report.html", "junit.xml", "summary.md"):
        assert (cold.machine.folder / "cold" / name).stat().st_size > 1000

    over_wide = next(
        (cell.specified.value, cell.measured.value, cell.verdict.value)
        for cell in target.cells
        if (cell.scenario, cell.source, cell.destination, cell.port)
        == ("berserk-enabled", "berserk/ui", "berserk-neighbour/neighbour", 443)
    )
    assert over_wide == OVER_WIDE[cold.cni]


@pytest.mark.parametrize("cold", ["calico"], indirect=True, scope="module")
def test_an_evicted_pod_makes_no_wrong_verdict_and_the_next_run_heals_it(cold: Cold) -> None:
    """The pod goes while the second scenario is measured; what it sends or serves can then only be unmeasured."""
    assert cold.cluster in cold.machine.netproof("clusters", "list")
    arguments = ("--cni", cold.cni, "--reuse-cluster", cold.cluster)
    run = cold.machine.start(*arguments, report="evicted")
    first = cold.machine.folder / "evicted" / "parts"
    poll(lambda: _must(any(first.glob(f"scenario-*-{BERSERK[0]}.json"))), timeout=120, what="the first scenario")
    _kubectl(cold.cluster, "delete", "pod", "-n", "berserk", "query", "--grace-period=0", "--force")
    said, _ = run.communicate(timeout=600)
    assert run.returncode in (0, 11), said
    evicted = cold.machine.record(cold.machine.folder / "evicted").targets[0]
    right = verdicts(cold.record.targets[0].cells)
    wrong = {
        key: verdict for key, verdict in verdicts(evicted.cells).items() if verdict not in (right[key], "unmeasured")
    }
    assert wrong == {}
    lost = [cell for cell in evicted.cells if cell.verdict.value == "unmeasured"]
    assert all("query" in cell.source + cell.destination for cell in lost)
    assert {cell.scenario for cell in lost} >= {BERSERK[2], BERSERK[3]}

    code, said, again = cold.machine.pytest(*arguments, report="again")
    assert code == 0, said
    assert verdicts(again.targets[0].cells) == right


@pytest.mark.parametrize("cold", ["cilium"], indirect=True, scope="module")
def test_again_on_the_kept_cluster(cold: Cold) -> None:
    code, said, again = cold.machine.pytest("--cni", cold.cni, "--reuse-cluster", cold.cluster, report="again")
    assert code == 0, said
    assert verdicts(again.targets[0].cells) == verdicts(cold.record.targets[0].cells)


@pytest.mark.parametrize("cold", ["calico"], indirect=True, scope="module")
def test_workers_share_the_kept_cluster(cold: Cold) -> None:
    code, said, shared = cold.machine.pytest(
        "--cni", cold.cni, "--reuse-cluster", cold.cluster, "-n", "2", report="shared"
    )
    assert code == 0, said
    assert verdicts(shared.targets[0].cells) == verdicts(cold.record.targets[0].cells)


def _must(there: bool) -> None:
    if not there:
        raise NotYet("not yet")


def _kubectl(cluster: str, *words: str) -> None:
    node = f"{cluster}-control-plane"
    command = ["docker", "exec", node, "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", *words]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def key(cell: Cell) -> tuple[str, ...]:
    return cell.scenario, cell.source, cell.destination, cell.via, cell.protocol, str(cell.port)


def verdicts(cells: Sequence[Cell]) -> dict[tuple[str, ...], str]:
    return {key(cell): cell.verdict.value for cell in cells}
