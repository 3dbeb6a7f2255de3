"""Reviewed entries: strict both ways, and readable when wrong."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import pytest

from netproof.catalogue.reading import read_scenarios
from netproof.catalogue.selection import list_files
from netproof.clusters import reviews
from netproof.errors import InputError
from netproof.manifests.data_dirs import data_dir
from netproof.model import Probe, Verdict

KNOWN = sorted(data_dir("clusters").glob("*/known-differences.yaml"))

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


def test_an_entry_that_matches_no_cell_is_told(file: Path) -> None:
    cells = [(probe("x/z"), Verdict.HOLDS)]
    count, told = reviews.load(file, "cni").stale("chart-enabled", "applied", cells)["over-wide"]
    assert count == 0
    assert told == ["no cell matches source=['x/a', 'x/c'], destination=x/b, port=443"]


def test_an_entry_whose_cells_were_not_measured_is_neither_confirmed_nor_stale(file: Path) -> None:
    cells = [(probe("x/a"), Verdict.UNMEASURED), (probe("x/c"), Verdict.UNMEASURED)]
    assert reviews.load(file, "cni").stale("chart-enabled", "applied", cells)["over-wide"] == (0, [])


ONE_CAUSE = """
- id: covers-pods
  cells:
    - {scenario: chart-*, step: applied, source: x/a}
    - {scenario: [other, another], source: [x/a, x/c]}
  reason: the CIDR covers pods
  link: docs/x.md
"""


def test_one_cause_shows_in_several_scenarios_by_different_cells(tmp_path: Path) -> None:
    path = tmp_path / "known-differences.yaml"
    path.write_text(ONE_CAUSE)
    found = reviews.load(path, "cni")
    assert found.declared("chart-enabled", "applied", probe("x/a")) == ["covers-pods"]
    assert found.declared("chart-enabled", "later", probe("x/a")) == []
    assert found.declared("chart-enabled", "applied", probe("x/c")) == []
    assert found.declared("another", "later", probe("x/c")) == ["covers-pods"]
    only_c = [(probe("x/c"), Verdict.CNI_DIFFERENCE)]
    assert found.stale("other", "applied", only_c) == {"covers-pods": (1, [])}
    assert found.stale("chart-enabled", "later", only_c) == {}
    assert found.stale("chart-enabled", "applied", only_c)["covers-pods"][0] == 0


def test_an_entry_that_names_no_scenario_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "known-differences.yaml"
    path.write_text(ONE_CAUSE.replace("scenario: chart-*, ", ""))
    with pytest.raises(InputError, match="name the scenarios") as caught:
        reviews.load(path, "cni")
    assert f"{path}:2" in str(caught.value)


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


def test_entries_of_several_files_keep_their_own_file(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(FILE.replace("id: ", "id: other-"))
    found = reviews.load_all([tmp_path / "none.yaml", file, other], "cni", "1.19.0")
    assert [(entry.id, found.file_of(entry.id)) for entry in found.entries] == [
        ("over-wide", str(file)),
        ("other-over-wide", str(other)),
    ]
    with pytest.raises(InputError, match=f"the id over-wide stands in {file} too"):
        reviews.load_all([file, file], "cni")


def test_no_file_declares_nothing(tmp_path: Path) -> None:
    assert reviews.load(tmp_path / "none.yaml", "cni").entries == ()


@pytest.mark.parametrize("path", KNOWN, ids=lambda path: path.parent.name)
def test_a_known_difference_is_about_scenarios_that_exist_and_has_its_evidence(path: Path) -> None:
    """A run notices a pattern that matches no cell, but not one whose scenario is never run."""
    catalogue = [scenario.id for file in list_files() for scenario in read_scenarios(file)]
    for entry in reviews.load(path, "cni").entries:
        for pattern in entry.cells:
            named = pattern.scenario or entry.scenarios or []
            for wanted in [named] if isinstance(named, str) else named:
                assert fnmatch.filter(catalogue, wanted), f"{entry.id}: no scenario is named {wanted}"
        evidence = (data_dir("clusters").parent / entry.evidence).read_text(encoding="utf-8")
        assert entry.id in evidence
        assert "Images compiled from the projects' source modules at this version." in evidence
        assert entry.link.startswith("https://")
        assert entry.versions
