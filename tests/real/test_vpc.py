"""Pods routed as on EKS: with policies by Calico, with none, and the control. Every cell is measured with packets."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from netproof.model import Measured
from netproof.report.record import Cell
from tests.real.conftest import Machine, machine_in


@pytest.mark.parametrize(
    ("cni", "hint"),
    [
        ("none", "measure a CNI that has policies"),
        ("vpc-cni", "ENABLE_NETWORK_POLICY=true on the aws-node DaemonSet (VPC CNI 1.14 or later"),
    ],
    ids=["none", "vpc-cni"],
)
def test_what_enforces_nothing_ends_at_the_preflight(tmp_path: Path, cni: str, hint: str) -> None:
    with machine_in(tmp_path, cni) as machine:
        code, said, record = machine.pytest("--cni", cni, report="off")
    assert code == 10, said
    (target,) = record.targets
    assert target.error_code == 10
    assert "accepts NetworkPolicy objects and enforces nothing" in target.error
    assert hint in target.error
    assert target.cells == []
    assert {check.measured for check in target.preflight} == {Measured.CONNECTED}


def test_the_chart_on_routed_pods_with_calico(tmp_path: Path) -> None:
    with machine_in(tmp_path, "vpc-cni+calico") as machine:
        _check_routed_pods(machine)


def _check_routed_pods(machine: Machine) -> None:
    code, said, record = machine.pytest("--cni", "vpc-cni+calico", "--keep-cluster", "always", report="cold")
    assert code == 0, said
    (target,) = record.targets
    assert target.cni == "vpc-cni+calico"
    assert len(target.cells) == 4 * 228
    assert all(cell.accepted for cell in target.cells)
    addresses = {cell.destination: cell.host for cell in target.cells if cell.via == "pod"}

    outward = [cell for cell in target.cells if _is_pod(cell.source) and _seen_outside(cell)]
    assert len(outward) > 50
    assert {(cell.source, cell.seen_source) for cell in outward} <= addresses.items()

    assert target.environment is not None
    nodes = target.environment.nodes
    routes = "".join(_output("docker", "exec", node, "ip", "route") for node in nodes)
    for pod, address in addresses.items():
        namespace, name = pod.split("/")
        interface = f"eni{hashlib.sha1(f'{namespace}.{name}'.encode()).hexdigest()[:11]}"
        assert f"{address} dev {interface} scope link" in routes


def _is_pod(endpoint: str) -> bool:
    return ":" not in endpoint


def _seen_outside(cell: Cell) -> bool:
    return cell.destination.startswith("external:") and cell.measured is Measured.CONNECTED


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
