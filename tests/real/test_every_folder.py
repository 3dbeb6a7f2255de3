"""Every folder of the catalogue alone on a real CNI, as many workers as a run takes by itself. Long, so that only
`make every-folder` runs it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from netproof.catalogue.selection import select_scenarios
from tests.real.conftest import Machine, machine_in

pytestmark = pytest.mark.every_folder

CNIS = {"cilium": "cilium+cnp", "clusternetworkpolicy": "cilium+cnp"}
"""Folders of policies that the others' CNI does not have."""
OTHERS = "calico+apiserver"
FOLDERS = sorted(
    {path.parent.name for path in select_scenarios("all")}, key=lambda name: (name in CNIS, name != "stageset", name)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A cluster that stays for all folders of a CNI."""

    machine: Machine
    arguments: tuple[str, ...]


@pytest.fixture(scope="module")
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    cni: str = request.param
    with machine_in(tmp_path_factory.mktemp("every-folder"), cni) as machine:
        words = ("--cni", cni, "--keep-cluster", "always", "--scenario-set", "isolation-deny-all-ingress")
        code, said, record = machine.pytest(*words, report="first")
        assert code == 0, said
        environment = record.targets[0].environment
        assert environment is not None
        yield Kept(machine=machine, arguments=("--cni", cni, "--reuse-cluster", environment.cluster))


@pytest.mark.parametrize(
    ("kept", "folder"), [(CNIS.get(folder, OTHERS), folder) for folder in FOLDERS], indirect=["kept"], scope="module"
)
def test_a_folder_alone_is_measured_in_full(kept: Kept, folder: str) -> None:
    code, said, record = kept.machine.pytest(*kept.arguments, "--scenario-set", folder, report=folder)
    (target,) = record.targets
    results = Counter(scenario.result for scenario in target.scenarios)
    print(f"{folder}: {record.run.duration_s:.0f} s, {dict(results)}, {len(target.cells)} cells")
    unmeasured = {cell.scenario: cell.note for cell in target.cells if cell.measured == "unmeasured"}
    assert unmeasured == {}, said
    assert set(results) <= {"passed", "skipped"}, said
    assert len(target.scenarios) == sum(len(found) for path, found in select_scenarios(folder).items()), said
    assert code == 0, said
