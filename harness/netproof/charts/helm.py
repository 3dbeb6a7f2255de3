"""Any helm chart, rendered by the user's own `helm template`: its objects, each with the template that made it.

Nothing is fetched: the chart is a folder or an archive on this machine, and what it depends on is in its `charts/`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from netproof.errors import InputError
from netproof.manifests.load import iterate_objects, set_namespace
from netproof.manifests.yaml_documents import Document, Located, parse_yaml

TIMEOUT = 120.0
"""Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmChart:
    """A chart on this machine and how it is installed. Without a `release` it is called like its folder or archive,
    without a `namespace` it goes to one that is called like the release."""

    path: Path
    values: tuple[Path, ...] = ()
    """Later files win."""
    sets: tuple[str, ...] = ()
    """`key=value`, as helm's --set takes them."""
    release_name: str = ""
    namespace_name: str = ""

    @property
    def release(self) -> str:
        name = re.sub(r"(-v?\d+\.\d+[^/]*)?\.(tgz|tar\.gz)$", "", self.path.resolve().name)
        return self.release_name or re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "chart"

    @property
    def namespace(self) -> str:
        return self.namespace_name or self.release

    @property
    def file(self) -> Path:
        """A file that stands for the chart."""
        return self.path / "Chart.yaml" if self.path.is_dir() else self.path


def render_chart(chart: HelmChart) -> tuple[Located, ...]:
    """What helm makes of the chart, without its tests; every object in the namespace that it would be in. A place names
    the template, and no line: a template's lines are not those of what it renders. Raises InputError, with helm's own
    words where helm refused."""
    found = tuple(_objects(chart, _template(chart)))
    if not found:
        raise InputError("helm renders no object from it; do its values switch everything off?", file=chart.path)
    return found


def _template(chart: HelmChart) -> str:
    if not chart.file.is_file():
        raise InputError("no helm chart: it has no Chart.yaml", file=chart.path, key="--chart")
    if shutil.which("helm") is None:
        raise InputError(
            "charts are rendered by `helm template`, and helm is not on the PATH: install it from https://helm.sh, or "
            "give what it renders by --manifests",
            key="--chart",
        )
    command = ["helm", "template", chart.release, str(chart.path), "--namespace", chart.namespace, "--skip-tests"]
    for flag, words in (("--values", chart.values), ("--set", chart.sets)):
        for word in words:
            command += [flag, str(word)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"`helm template` took longer than {TIMEOUT:.0f} s", file=chart.path) from None
    if done.returncode:
        said = done.stderr.strip().removeprefix("Error: ")
        raise InputError(f"`helm template` refused it: {said}", file=chart.path)
    return done.stdout


def _objects(chart: HelmChart, text: str) -> Iterator[Located]:
    lines = text.splitlines()
    for document in parse_yaml(text, f"{chart.path} (rendered)"):
        source = _source(chart, lines, document.line(()) or 1)
        for one in set_namespace(tuple(iterate_objects(document)), chart.namespace):
            yield replace(one, document=Document(file=source, content=document.content, lines={}))


def _source(chart: HelmChart, lines: list[str], start: int) -> str:
    """The template that helm names above what it made, as a path from here: `chart/templates/api.yaml`."""
    for line in reversed(lines[: start - 1]):
        found = re.match(r"# Source: [^/]+/(.+)", line)
        if found:
            return str(chart.path / found[1])
        if line and not line.startswith("#") and line != "---":
            break
    return str(chart.path)
