"""One kept Calico cluster, on which every fault strikes, and what it says undisturbed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.real.conftest import Machine, machine_in, verdicts

CNI = "calico"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A kept cluster and the verdicts of an undisturbed run on it."""

    machine: Machine
    cluster: str
    right: dict[tuple[str, ...], str]

    def arguments(self) -> tuple[str, ...]:
        return "--cni", CNI, "--reuse-cluster", self.cluster

    def heal(self, report: str) -> str:
        """The next run is whole again: in words for the table."""
        code, said, record = self.machine.pytest(*self.arguments(), report=report)
        assert code == 0, said
        assert verdicts(record.targets[0].cells) == self.right
        return f"whole again, {record.run.duration_s:.0f} s"


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with machine_in(tmp_path_factory.mktemp("faults"), CNI) as machine:
        code, said, record = machine.pytest("--cni", CNI, "--keep-cluster", "always", report="undisturbed")
        assert code == 0, said
        environment = record.targets[0].environment
        assert environment is not None
        yield Ground(machine=machine, cluster=environment.cluster, right=verdicts(record.targets[0].cells))
