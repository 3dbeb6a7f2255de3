"""The main job on the real CNIs: cold, then again on the kept cluster. Every cell is measured with packets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from harness.report.record import Cell
from tests.real.conftest import Machine, image_missing

BERSERK = ["berserk-enabled", "berserk-ingress-side", "berserk-egress-side", "berserk-disabled"]

OVER_WIDE = {
    "calico": ("connected", "connected", "policy-defect"),
    "cilium": ("connected", "denied", "masked-defect"),
}
"""0.0.0.0/0 covers pods by the API's text; Cilium takes it as the world outside, and so hides the defect."""


@pytest.mark.parametrize("cni", ["calico", "cilium"])
def test_the_chart_cold_and_again_on_the_kept_cluster(machine: Machine, cni: str) -> None:
    if image := image_missing(cni):
        pytest.skip(f"{image} is not in the local engine")
    code, said, record = machine.pytest("--cni", cni, "--keep-cluster", "always", report="cold")
    assert code == 0, said
    (target,) = record.targets
    assert [scenario.id for scenario in target.scenarios] == BERSERK
    assert Counter(cell.scenario for cell in target.cells) == dict.fromkeys(BERSERK, 228)
    assert {cell.measured.value for cell in target.cells} == {"connected", "denied"}
    assert all(cell.accepted for cell in target.cells)
    assert all(check.measured is check.expected for check in target.preflight)
    assert target.environment is not None
    assert len(target.environment.nodes) == 2
    for name in ("report.html", "junit.xml", "summary.md"):
        assert (machine.folder / "cold" / name).stat().st_size > 1000

    over_wide = next(
        (cell.specified.value, cell.measured.value, cell.verdict.value)
        for cell in target.cells
        if (cell.scenario, cell.source, cell.destination, cell.port)
        == ("berserk-enabled", "berserk/ui", "berserk-neighbour/neighbour", 443)
    )
    assert over_wide == OVER_WIDE[cni]

    name = target.environment.cluster
    assert name in machine.netproof("clusters", "list")
    code, said, again = machine.pytest("--cni", cni, "--reuse-cluster", name, report="again")
    assert code == 0, said
    assert verdicts(again.targets[0].cells) == verdicts(target.cells)


def key(cell: Cell) -> tuple[str, ...]:
    return cell.scenario, cell.source, cell.destination, cell.via, cell.protocol, str(cell.port)


def verdicts(cells: Sequence[Cell]) -> dict[tuple[str, ...], str]:
    return {key(cell): cell.verdict.value for cell in cells}
