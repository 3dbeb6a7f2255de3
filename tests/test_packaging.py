"""What is installed: the wheel holds what a run reads, what is imported is declared, and hypothesis may be missing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from netproof.generate.request import EXTRA

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "harness" / "netproof"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PARTS_OF = {"pydantic-core": "pydantic"}
"""Distributions that another one pins and hands on."""
PLUGGED_IN = frozenset({"pytest-xdist"})
"""Used by name as well."""


def canonical(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def imported() -> set[str]:
    """The distributions that netproof imports, wherever in a module."""
    top: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                top |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                top.add(node.module.partition(".")[0])
    # The agent's modules import each other as what lies beside them.
    own = {"netproof"} | {path.stem for path in (PACKAGE / "probing" / "agent").glob("*.py")}
    known = packages_distributions()
    found = {canonical(known[name][0]) for name in top - own - sys.stdlib_module_names}
    return {PARTS_OF.get(name, name) for name in found}


def test_what_is_imported_is_declared_and_nothing_else() -> None:
    declared = {canonical(one) for one in PROJECT["dependencies"]}
    extras = {canonical(one) for extra in PROJECT["optional-dependencies"].values() for one in extra}
    assert imported() | PLUGGED_IN == declared | extras


def test_everything_declared_is_locked() -> None:
    locked = {canonical(line) for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()}
    wanted = {canonical(one) for one in PROJECT["dependencies"]}
    wanted |= {canonical(one) for extra in PROJECT["optional-dependencies"].values() for one in extra}
    assert wanted <= locked


def test_the_licence_is_the_one_that_is_named() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert PROJECT["license"] == "Apache-2.0"
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert text.count("\n") > 190


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "uv", "build", "--wheel", "--offline", "--out-dir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and re.search("network|offline|No module named uv", done.stderr):
        pytest.skip(f"hatchling cannot be had here: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_holds_what_a_run_reads(wheel: zipfile.ZipFile) -> None:
    """Every file below the package that is not code, the recipes and the catalogue."""
    names = set(wheel.namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "harness/netproof", "clusters", "scenarios"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for path in tracked:
        inside = path.removeprefix("harness/") if path.startswith("harness/") else f"netproof/data/{path}"
        assert inside in names
    assert {"netproof/py.typed", "netproof/report/record.schema.json"} <= names
    (licence,) = (name for name in names if name.endswith("/licenses/LICENSE"))
    assert wheel.read(licence) == (ROOT / "LICENSE").read_bytes()


WITHOUT = """
import sys
sys.modules["hypothesis"] = None
from importlib import util
found = util.find_spec
util.find_spec = lambda name, package=None: None if name == "hypothesis" else found(name, package)
from netproof.commands.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("words", "asked"), [(("run", "--generate", "3"), "--generate"), (("refused",), "netproof refused")]
)
def test_without_hypothesis_what_needs_it_is_one_sentence_that_names_the_extra(
    words: tuple[str, ...], asked: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 12
    told = " ".join((done.stdout + done.stderr).split())
    assert told.endswith(f"{asked}: {EXTRA}")
    assert "Traceback" not in told


def test_without_hypothesis_everything_else_is_whole(tmp_path: Path) -> None:
    """A chart on paper, and every module but the generator's; those that run elsewhere are not imported."""
    apart = (
        "netproof.generate",
        "netproof.__main__",
        "netproof.probing.agent",
        "netproof.drivers.reference.inside",
    )
    modules = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in PACKAGE.rglob("*.py")
    ]
    wanted = [name for name in modules if not name.startswith(apart)]
    code = f"import importlib, sys\nsys.modules['hypothesis'] = None\n[importlib.import_module(m) for m in {wanted}]"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, "run", "--scenario-set", "berserk", "--dry-run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
