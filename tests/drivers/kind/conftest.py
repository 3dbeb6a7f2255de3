from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, so that no test sees or touches the user's clusters and downloads."""
    for name in ("STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.delenv("NETPROOF_ARTIFACTS", raising=False)
    return tmp_path


Calls = Callable[[], list[str]]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Calls]:
    """Puts programs of a few lines of shell on the PATH; gives what they were called with."""
    folder = tmp_path / "bin"
    folder.mkdir()
    log = tmp_path / "calls"
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def install(**bodies: str) -> Calls:
        for name, body in bodies.items():
            script = folder / name
            script.write_text(f'#!/bin/sh\necho "{name} $*" >> {log}\n{body}\n', encoding="utf-8")
            script.chmod(0o755)
        return lambda: log.read_text(encoding="utf-8").splitlines() if log.exists() else []

    return install


ARTIFACTS = os.environ.get("NETPROOF_ARTIFACTS", "")


@pytest.fixture
def artifact_directory() -> str:
    """What the environment names for real clusters; the tests themselves run without it."""
    return ARTIFACTS
