"""A recipe's files: ours beside the recipes; upstream's own from the artifact directory if there is one, else from
upstream into the user's cache. Nothing else is ever fetched, and what was applied is recorded with its SHA-256."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from platformdirs import user_cache_path

from netproof.clusters.recipes import LocalFile, Patch, Recipe, UpstreamFile, recipe_path
from netproof.drivers import Applied, programs
from netproof.drivers.kind.patches import apply_patches
from netproof.errors import ClusterError, InputError
from netproof.manifests.data_dirs import data_dir, display_path
from netproof.model import Manifest

DOWNLOAD_TIMEOUT = 60.0
VARIABLE = "NETPROOF_ARTIFACTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One file on this machine, where it came from, and what to change in its objects. `ours`: it has placeholders."""

    path: Path
    source: str
    sha256: str
    patches: tuple[Patch, ...] = ()
    ours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifacts:
    """All files of a recipe: manifests in their order, and the chart if there is one."""

    manifests: tuple[Artifact, ...]
    chart: Artifact | None


def resolve(recipe: Recipe, directory: str) -> Artifacts:
    """Find or fetch every file that a recipe names. `directory`: what the user gave as `--artifacts`, or ''.

    Raises InputError when the artifact directory is none, ClusterError when a file is to be had in no way.
    """
    root = _root(directory)
    return Artifacts(
        manifests=tuple(
            _ours(recipe, source) if isinstance(source, LocalFile) else _find(recipe, source, root)
            for source in recipe.manifests
        ),
        chart=_find(recipe, recipe.helm.chart, root) if recipe.helm else None,
    )


def _root(directory: str) -> Path | None:
    given = directory or os.environ.get(VARIABLE, "")
    if not given:
        return None
    root = Path(given).expanduser()
    if not root.is_dir():
        raise InputError(f"{given} is not a directory", key="--artifacts" if directory else VARIABLE)
    return root


def _ours(recipe: Recipe, source: LocalFile) -> Artifact:
    path = data_dir("clusters") / source.local
    if not path.is_file():
        raise InputError(f"there is no {source.local} below clusters/", file=recipe_path(recipe.name), key="manifests")
    return _artifact(path, display_path(path), ours=True)


def _find(recipe: Recipe, source: UpstreamFile, root: Path | None) -> Artifact:
    path, url = recipe.fill(source.path), recipe.fill(source.url)
    if root and (root / path).is_file():
        return _artifact(root / path, path, source.patches)
    cached = user_cache_path("netproof") / "artifacts" / path
    if not cached.is_file():
        try:
            _download(url, cached)
        except OSError as error:
            reason = getattr(error, "reason", None) or error
            where = (
                f"is not in the artifact directory {root}" if root else "needs an artifact directory or the internet"
            )
            raise ClusterError(
                f"{recipe.title} {recipe.version}: {path} {where}, and could not be fetched from {url} ({reason}). "
                f"Either give a directory that has {path} by --artifacts DIR or {VARIABLE}, "
                f"or let this machine reach {url}"
            ) from None
    return _artifact(cached, url, source.patches)


def _artifact(path: Path, source: str, patches: Sequence[Patch] = (), *, ours: bool = False) -> Artifact:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Artifact(path=path, source=source, sha256=sha256, patches=tuple(patches), ours=ours)


def _download(url: str, target: Path) -> None:
    if not url.startswith("https://"):
        raise OSError("only https:// is fetched")
    with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT) as answer:
        content = answer.read()
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(partial).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(partial).unlink()
        raise


def render(recipe: Recipe, files: Artifacts, *, kubernetes: str) -> tuple[list[Manifest], list[Applied]]:
    """The objects that the recipe's files hold, and what to record of them. `kubernetes`: the cluster's version."""
    objects: list[Manifest] = []
    applied: list[Applied] = []
    for artifact in files.manifests:
        text = artifact.path.read_text(encoding="utf-8")
        found = list(_objects(recipe.fill(text) if artifact.ours else text, str(artifact.path)))
        applied.append(Applied(name=artifact.path.name, source=artifact.source, sha256=artifact.sha256))
        if artifact.patches:
            found = apply_patches(found, artifact.patches, f"{artifact.path.name} of {recipe.title} {recipe.version}")
            name = f"{artifact.path.name}, patched"
            applied.append(Applied(name=name, source=artifact.source, sha256=_digest(json.dumps(found))))
        objects.extend(found)
    if files.chart and recipe.helm:
        text = _template(recipe, files.chart, kubernetes)
        objects.extend(_objects(text, files.chart.path.name))
        applied += [
            Applied(name=files.chart.path.name, source=files.chart.source, sha256=files.chart.sha256),
            Applied(name=f"{recipe.helm.release}, rendered", source=files.chart.source, sha256=_digest(text)),
        ]
    return objects, applied


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _template(recipe: Recipe, chart: Artifact, kubernetes: str) -> str:
    helm = recipe.helm
    assert helm is not None
    with tempfile.TemporaryDirectory(prefix="netproof-helm-") as folder:
        values = Path(folder) / "values.json"
        values.write_text(json.dumps(helm.values), encoding="utf-8")
        command = ["helm", "template", helm.release, str(chart.path), "--namespace", helm.namespace]
        command += ["--values", str(values), "--kube-version", kubernetes, "--include-crds"]
        return programs.run(command, purpose=f"rendering the chart {chart.path.name}").stdout


def _objects(text: str, name: str) -> Iterator[dict[str, Any]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for document in yaml.load_all(text, Loader=loader):
            if not document:
                continue
            yield from document["items"] if document.get("kind") == "List" else (document,)
    except (yaml.YAMLError, AttributeError, KeyError) as error:
        raise ClusterError(f"{name} is not a file of Kubernetes objects: {error}") from None
