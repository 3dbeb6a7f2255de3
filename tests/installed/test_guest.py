"""The wheel as a guest in somebody else's project: real processes, in a folder of their own."""

from __future__ import annotations

import os
import subprocess
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


def ids(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The node ids that `--collect-only -q` prints."""
    return [line for line in done.stdout.splitlines() if "::" in line]


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
        (["--fault", "forget-ingres", "--cni", "reference"], 12, "did you mean forget-ingress?"),
        (["--cni", "reference", "--seed"], 4, "expected one argument"),
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


def test_beside_pytest_kind(run: Run, environment: Path, tmp_path: Path) -> None:
    libraries = tmp_path / "libraries"
    if install(environment, "--target", str(libraries), "pytest-kind", "pykube-ng").returncode:
        pytest.skip("pytest-kind cannot be installed here: no package registry is reachable")
    done = run("--keep-cluster", "tests", PYTHONPATH=str(libraries))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "plugins: kind-" in done.stdout
    words = ["--cni", "reference", "--keep-cluster", "--netproof-keep-cluster", "never", "--co", "-q"]
    assert BERSERK in ids(run(*words, PYTHONPATH=str(libraries)))


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
    assert ids(pasted) == [BERSERK]
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


def test_how_many_workers_is_the_same_whichever_plugin_is_loaded_first(run: Run, project: Path) -> None:
    """Of our choice, and the user's, which comes first; what is debugged or only rendered has the process alone."""
    (project / "conftest.py").write_text(
        "def pytest_report_header(config):\n    return f'workers: {len(config.option.tx)}, {config.option.dist}'\n"
    )
    many = ["--co", "-q", "-v", "--scenario-set", "peers,ports"]
    for order in (["-p", "xdist"], ["-p", "netproof", "-p", "xdist"]):
        done = run(*order, *many)
        assert "workers: 5, load" in done.stdout or "workers: 6, load" in done.stdout, done.stdout[:900] + done.stderr
    for words in (["-n", "0"], ["--pdb"], ["-n", "2", "--dry-run"]):
        assert "workers: 0, no" in run(*many, *words).stdout, words
    assert "workers: 2, load" in run("--netproof-scenario-set=peers", "-n2", "--co", "-q", "-v").stdout


def test_a_failure_stops_and_is_selected_again(run: Run, project: Path) -> None:
    words = ["--cni", "reference", "--fault", "own-node-judged", "--netproof-report-dir", "there", "-q"]
    done = run(*words, "-x", "-p", "no:xdist")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed" in done.stdout
    assert "stopping after 1 failures" in done.stdout
    (failed,) = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("DIFFERS")]
    assert (project / "there" / "report.html").exists()
    assert not (project / "reports").exists()
    assert ids(run("--cni", "reference", "--lf", "--co", "-q")) == [failed]
    first, *others = ids(run("--cni", "reference", "--ff", "--co", "-q"))
    assert (first, len(others)) == (failed, 3)
    assert ids(run("--lf", "--co", "-q")) == ["tests/test_own.py::test_own"]


def test_beside_a_plugin_with_an_option_of_the_same_name(run: Run, project: Path) -> None:
    (project / "kindlike.py").write_text(
        "def pytest_addoption(parser):\n    parser.getgroup('kind').addoption('--keep-cluster', action='store_true')\n"
    )
    own = run("-p", "kindlike", "--keep-cluster", "-q", PYTHONPATH=str(project))
    assert (own.returncode, "1 passed" in own.stdout) == (0, True), own.stdout + own.stderr
    words = ["-p", "kindlike", "--keep-cluster", "--cni", "reference", "--netproof-keep-cluster", "never"]
    both = run(*words, "--co", "-q", PYTHONPATH=str(project))
    assert BERSERK in both.stdout, both.stdout + both.stderr


def test_a_repeated_option_accumulates(run: Run) -> None:
    words = ["--cni", "reference", "--cni", "calico", "--cni", "reference", "--co", "-q"]
    listed = run(*words, "--scenario-set", "berserk-enabled", "--scenario-set", "berserk-disabled")
    found = [one.rpartition("::")[2] for one in ids(listed)]
    assert found == [f"berserk-{one}[{cni}]" for cni in ("reference", "calico") for one in ("disabled", "enabled")]


def test_neither_an_encoding_nor_a_closed_pipe_loses_a_run_and_the_users_folders_are_not_looked_through(
    run: Run, project: Path, tmp_path: Path, environment: Path
) -> None:
    elsewhere = tmp_path / "elsewhere" / "maps"
    elsewhere.mkdir(parents=True)
    (elsewhere / "map.yaml").write_text(MAP)
    (elsewhere.parent / "latest").symlink_to("latest")  # one that nobody can follow
    words = ["--service-map", str(elsewhere / "map.yaml"), "--report-dir"]
    plain = run(*words, "plain", "-v", PYTHONIOENCODING="ascii", LANG="C")
    assert plain.returncode == 0, plain.stdout + plain.stderr
    assert "1/1 OK" in plain.stdout
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "PYTHONPATH", "NETPROOF_"))}
    for program, name in (("pytest", "cut"), ("netproof run", "cut-too")):
        line = f"{environment}/bin/python -m {program} {' '.join(words)} {name} | head -1; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", line], cwd=project, env=kept, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    for name in ("plain", "cut", "cut-too"):
        assert {"report.html", "record.json", "junit.xml"} <= {file.name for file in (project / name).iterdir()}
        assert not (project / name / ".gitignore").exists()
    assert not (project / "reports").exists()


def test_the_fixture_measures_in_the_users_own_test(run: Run, project: Path) -> None:
    (project / "map.yaml").write_text(MAP)
    (project / "shut.yaml").write_text(
        "apiVersion: networking.k8s.io/v1\n"
        "kind: NetworkPolicy\n"
        "metadata: {name: shut, namespace: shop}\n"
        "spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}\n"
    )
    (project / "tests" / "test_net.py").write_text(
        "def test_only_web_reaches_db(netproof):\n"
        "    netproof.deploy('map.yaml')\n"
        "    assert netproof.connects('shop/db', 'shop/web', 80)\n"
        "    netproof.apply('shut.yaml')\n"
        "    assert netproof.connects('shop/web', 'shop/db', 5432)\n"
        "    assert not netproof.connects('shop/db', 'shop/web', 80)\n"
    )
    done = run("--cni", "reference", "tests", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests/test_net.py::test_only_web_reaches_db[reference] PASSED" in done.stdout
    assert "2 passed" in done.stdout
    assert (project / "reports" / "latest" / "report.html").exists()
    assert (project / "reports" / ".gitignore").exists()
