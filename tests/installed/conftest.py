"""The wheel in an environment of its own, which sees the libraries of this one; and a project of somebody else's."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


def _do(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=180)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment with the wheel. Skips where the wheel's build tool cannot be had."""
    folder = tmp_path_factory.mktemp("installed")
    built = _do(sys.executable, "-m", "uv", "build", "--quiet", "--wheel", "--out-dir", str(folder))
    if built.returncode:
        pytest.skip(f"no wheel can be built here (is the package registry reachable?): {built.stderr[-200:]}")
    made = folder / "venv"
    _do(sys.executable, "-m", "venv", "--without-pip", str(made)).check_returncode()
    paths = {"base": str(made), "platbase": str(made)}
    packages = Path(sysconfig.get_path("purelib", "venv" if "venv" in sysconfig.get_scheme_names() else None, paths))
    # The editable install of this environment must not be seen: its .pth file is not read from a path in another one.
    (packages / "libraries.pth").write_text("\n".join(one for one in site.getsitepackages() if Path(one).is_dir()))
    (wheel,) = folder.glob("*.whl")
    install(made, str(wheel)).check_returncode()
    return made


def install(environment: Path, *packages: str) -> subprocess.CompletedProcess[str]:
    python = str(environment / "bin" / "python")
    return _do(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--python", python, *packages)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of the user's: a test, strict options, and a folder that is called like our source root."""
    folder = tmp_path / "project"
    (folder / "tests").mkdir(parents=True)
    (folder / "harness").mkdir()
    (folder / "harness" / "__init__.py").write_text("")
    (folder / "pyproject.toml").write_text('[tool.pytest]\naddopts = ["--strict-markers", "--strict-config"]\n')
    (folder / "tests" / "test_own.py").write_text("import harness\ndef test_own(): pass\n")
    return folder


@pytest.fixture
def run(environment: Path, project: Path) -> Run:
    """Runs pytest (or another command of the environment) in the project, as its user would."""

    def start(*words: str, command: str = "pytest", **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "PYTHONPATH", "NETPROOF_"))}
        line = [str(environment / "bin" / "python"), "-m", "netproof" if command == "netproof" else "pytest", *words]
        return subprocess.run(
            line, cwd=project, env=kept | variables, capture_output=True, text=True, check=False, timeout=120
        )

    return start
