"""Real clusters with real CNIs, where a container engine runs. Each run has a state directory of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from netproof.clusters import recipes
from netproof.report.record import Cell, Record
from tests import require

ROOT = Path(__file__).parent.parent.parent
LIMIT = 900.0
"""Seconds for one whole run: far beyond what it takes, so that a hang fails instead of stopping the suite."""


def why_not() -> str:
    """Why no cluster can be made here, or ''."""
    missing = [tool for tool in ("docker", "kind", "helm") if shutil.which(tool) is None]
    if missing:
        return f"not installed here: {', '.join(missing)}"
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        return "no container engine runs here"
    return ""


class Machine:
    """Runs netproof as a user would, in a state directory that only this test uses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"XDG_STATE_HOME": str(folder / "state"), "COLUMNS": "120"}
        self.environment.pop("PYTEST_ADDOPTS", None)
        for name in [name for name in self.environment if name.startswith("PYTEST_XDIST")]:
            del self.environment[name]

    def pytest(self, *arguments: str, report: str) -> tuple[int, str, Record]:
        """Exit code, output and record of a run."""
        done = self._run(self._command(report, arguments))
        return done.returncode, done.stdout + done.stderr, self.record(self.folder / report)

    def start(self, *arguments: str, report: str) -> subprocess.Popen[str]:
        """A run that goes on meanwhile."""
        return subprocess.Popen(
            self._command(report, arguments),
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _command(self, report: str, arguments: tuple[str, ...]) -> list[str]:
        where = str(self.folder / report)
        return [sys.executable, "-u", "-m", "pytest", "-p", "no:cacheprovider", "--report-dir", where, *arguments]

    def clusters(self) -> list[str]:
        """The names of all clusters that runs made here and that are not removed."""
        return sorted(path.parent.name for path in self.folder.glob("state/netproof/clusters/*/cluster.json"))

    def netproof(self, *arguments: str) -> str:
        done = self._run([sys.executable, "-m", "netproof.commands.main", *arguments])
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def record(self, where: Path) -> Record:
        return Record.model_validate(json.loads((where / "record.json").read_text()))

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=LIMIT, check=False
        )


@contextmanager
def machine_in(folder: Path, cni: str) -> Iterator[Machine]:
    """Skips where no cluster with this CNI can be made; afterwards nothing that was made may be left."""
    if reason := why_not() or image_missing(cni):
        require.skip(cni, reason)
    made = Machine(folder)
    try:
        yield made
    finally:
        names = made.clusters()
        made.netproof("clusters", "reap", "--all")
    assert [left for name in names for left in containers(name)] == []


def containers(cluster: str) -> list[str]:
    """The containers, running or not, that are a cluster's nodes or stand beside it."""
    found = []
    for label in ("netproof.cluster", "io.x-k8s.kind.cluster"):
        command = ["docker", "ps", "--all", "--filter", f"label={label}={cluster}", "--format", "{{.Names}}"]
        found += subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return found


def image_missing(cni: str) -> str:
    """What an engine lacks of a recipe, or '': without a network an image cannot be had."""
    recipe = recipes.load(recipes.CniVersion(name=cni))
    for image in [recipe.probe_image, *recipe.images, *([recipe.kind.node_image] if recipe.kind else [])]:
        name = recipe.fill(image)
        if subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False).returncode:
            return f"{name} is not in the local engine"
    return ""


def key(cell: Cell) -> tuple[str, ...]:
    return cell.scenario, cell.source, cell.destination, cell.via, cell.protocol, str(cell.port)


def verdicts(cells: Sequence[Cell]) -> dict[tuple[str, ...], str]:
    return {key(cell): cell.verdict.value for cell in cells}
