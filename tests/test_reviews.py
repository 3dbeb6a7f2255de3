"""Reviewed entries: strict both ways, and readable when wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import reviews
from harness.errors import InputError
from harness.model import Probe, Verdict

FILE = """
- id: over-wide
  scenarios: [chart-*]
  cells:
    - {source: [x/a, x/c], destination: x/b, port: 443}
  reason: the CIDR covers pods
  link: docs/x.md
- id: only-new
  scenarios: [chart-enabled]
  cells: [{source: x/d}]
  reason: since 1.20
  link: docs/y.md
  versions: ">=1.20"
"""


def probe(source: str, port: int = 443) -> Probe:
    return Probe(source=source, destination="x/b", port=port)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "known-differences.yaml"
    path.write_text(FILE)
    return path


def test_an_entry_declares_the_cells_that_all_its_keys_match(file: Path) -> None:
    found = reviews.load(file, "cni", "1.20.2")
    assert found.declared("chart-enabled", "applied", probe("x/a")) == ["over-wide"]
    assert found.declared("chart-enabled", "applied", probe("x/a", port=80)) == []
    assert found.declared("other", "applied", probe("x/a")) == []


def test_an_entry_of_another_version_does_not_count(file: Path) -> None:
    assert [entry.id for entry in reviews.load(file, "cni", "1.19.0").entries] == ["over-wide"]
    assert [entry.id for entry in reviews.load(file, "cni", "1.20.2").entries] == ["over-wide", "only-new"]


@pytest.mark.parametrize(
    ("verdict", "policy_gone", "cni_gone"),
    [
        (Verdict.HOLDS, True, True),
        (Verdict.POLICY_DEFECT, False, True),
        (Verdict.CNI_DIFFERENCE, True, False),
        (Verdict.MASKED_DEFECT, False, False),
        (Verdict.UNSPECIFIED, True, True),
    ],
)
def test_a_declared_fault_that_does_not_happen_is_told(
    file: Path, verdict: Verdict, policy_gone: bool, cni_gone: bool
) -> None:
    cells = [(probe("x/a"), verdict), (probe("x/c"), verdict)]
    for fault, gone in (("policy", policy_gone), ("cni", cni_gone)):
        count, told = reviews.load(file, fault).stale("chart-enabled", "applied", cells)["over-wide"]  # type: ignore[arg-type]
        assert count == 2
        assert len(told) == (2 if gone else 0)


def test_an_entry_that_matches_nothing_measured_is_told(file: Path) -> None:
    cells = [(probe("x/a"), Verdict.UNMEASURED), (probe("x/c"), Verdict.UNMEASURED)]
    count, told = reviews.load(file, "cni").stale("chart-enabled", "applied", cells)["over-wide"]
    assert count == 0
    assert told == ["no measured cell matches source=['x/a', 'x/c'], destination=x/b, port=443"]


def test_a_misspelt_key_names_file_line_and_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "known-differences.yaml"
    path.write_text(FILE.replace("  reason: since", "  raeson: since"))
    with pytest.raises(InputError) as caught:
        reviews.load(path, "cni")
    assert f"{path}:11" in str(caught.value)
    assert "did you mean 'reason'?" in str(caught.value)


def test_an_unreadable_version_range_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "known-differences.yaml"
    path.write_text(FILE.replace(">=1.20", "since 1.20"))
    with pytest.raises(InputError, match="not a version range") as caught:
        reviews.load(path, "cni")
    assert f"{path}:13" in str(caught.value)


def test_no_file_declares_nothing(tmp_path: Path) -> None:
    assert reviews.load(tmp_path / "none.yaml", "cni").entries == ()
