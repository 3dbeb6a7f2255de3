"""The wheel as a guest in somebody else's project: real processes, in a folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installed.conftest import Run, install

MAP = """
name: shop
namespace: shop
services:
  - {name: web, ports: [{name: http, port: 80}], ingressFrom: [], egressTo: [{app: db, ports: [5432]}]}
  - {name: db, ports: [{name: sql, port: 5432}], ingressFrom: [{app: web, ports: [5432]}], egressTo: []}
"""
BERSERK = "scenarios/berserk/chart.yaml::berserk-enabled[reference]"


def test_a_run_that_is_not_ours_is_left_alone(run: Run, project: Path) -> None:
    done = run("-q", "-p", "no:cacheprovider")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 passed" in done.stdout
    assert "cni" not in done.stdout
    assert not (project / "reports").exists()


def test_a_run_that_is_not_ours_imports_next_to_nothing(run: Run, project: Path) -> None:
    heavy = "('pydantic', 'yaml', 'rich', 'kubernetes', 'jinja2', 'netproof.catalogue', 'netproof.run.session')"
    (project / "tests" / "test_own.py").write_text(
        f"import sys\ndef test_own():\n    assert not [name for name in {heavy} if name in sys.modules]\n"
    )
    assert run("-q", "-p", "no:hypothesispytest").returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ["--cni", "reference"],
        ["--scenario-set", "berserk"],
        ["--seed", "1"],
        ["--keep-cluster", "never"],
        ["-p", "no:xdist", "--netproof-cni=reference"],
        ["-n", "0", "--cni", "reference"],
    ],
    ids=" ".join,
)
def test_an_option_equal_to_its_default_selects_scenarios(run: Run, words: list[str]) -> None:
    done = run(*words, "--co", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert BERSERK in done.stdout
    assert "test_own" not in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--scenario-set", "isolation", "tests"], 12, "nothing would be measured"),
        (["--cni", "reference", "-k", "nothing"], 5, "4 deselected"),
        (["--service-map", ""], 12, "--service-map: its value is empty"),
        (["--scenario-set", ""], 12, "--scenario-set: its value is empty"),
        (["--cni", "reference", "--report-dir", "/proc/none"], 12, "--report-dir"),
        (["--netproof-scenario-st", "x"], 4, "did you mean --netproof-scenario-set?"),
        (["--keep-cluster", "alwys"], 12, "did you mean 'always'?"),
    ],
    ids=str,
)
def test_nothing_measured_is_no_success(run: Run, words: list[str], code: int, sentence: str) -> None:
    done = run(*words)
    assert done.returncode == code, done.stdout + done.stderr
    assert sentence in done.stdout + done.stderr
    assert "report: " not in done.stdout


def test_a_conftest_may_have_options_of_the_same_names(run: Run, project: Path) -> None:
    (project / "conftest.py").write_text(
        "def pytest_addoption(parser):\n"
        "    parser.addoption('--seed', type=int)\n"
        "    parser.addoption('--dry-run', action='store_true')\n"
    )
    (project / "tests" / "test_own.py").write_text("def test_own(request): assert request.config.option.seed == 7\n")
    done = run("--seed", "7", "--dry-run", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert BERSERK in run("--cni", "reference", "--netproof-seed", "1", "--co", "-q").stdout


def test_beside_pytest_kind(run: Run, environment: Path) -> None:
    if install(environment, "pytest-kind", "pykube-ng").returncode:
        pytest.skip("pytest-kind cannot be installed here: no package registry is reachable")
    assert run("-q").returncode == 0
    done = run("--cni", "reference", "--netproof-keep-cluster", "never", "--co", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert BERSERK in done.stdout


def test_the_users_files_move_no_root_and_an_id_can_be_pasted(run: Run, project: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "map.yaml").write_text(MAP)
    words = ["--service-map", str(elsewhere / "map.yaml"), "--report-dir", str(tmp_path)]
    done = run(*words, "--co")
    assert f"rootdir: {project}\n" in done.stdout, done.stdout + done.stderr
    assert "collected 1 item\n" in done.stdout
    assert "map.yaml::shop[reference]" in run("map.yaml::shop[reference]", *words, "--co", "-q").stdout
    pasted = run(BERSERK, "--co", "-q")
    assert [line for line in pasted.stdout.splitlines() if "::" in line] == [BERSERK]
    assert BERSERK not in run("--cni", "reference", "--deselect", BERSERK, "--co", "-q").stdout


def test_defaults_of_options_in_the_project(run: Run, project: Path) -> None:
    file = project / "pyproject.toml"
    before = file.read_text()
    file.write_text(f'{before}[tool.netproof]\nscenario-set = "isolation"\n')
    assert "/isolation/" in run("--cni", "reference", "--co", "-q").stdout
    assert BERSERK in run("--scenario-set", "berserk", "--co", "-q").stdout
    assert "test_own" in run("--co", "-q").stdout
    file.write_text(f'{before}[tool.netproof]\nscenario-st = "isolation"\n')
    done = run("run", command="netproof")
    assert done.returncode == 12
    assert "pyproject.toml:4: tool.netproof.scenario-st: unknown key; did you mean 'scenario-set'?" in done.stderr
