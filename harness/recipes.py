"""Recipes: one folder a CNI under `clusters/`, read into values. Data decides how a CNI is installed, not code."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.errors import InputError
from harness.files import Strict, data_dir, read_yaml, validate


class Source(Strict):
    """A file of upstream's: `path` below the artifact directory, `url` where upstream publishes it."""

    path: str
    url: str


class Helm(Strict):
    """A chart of upstream's, rendered by `helm template`."""

    chart: Source
    release: str
    namespace: str
    values: dict[str, Any] = Field(default_factory=dict)


class Ready(Strict):
    """What must be rolled out before pods are deployed, as `namespace/name`."""

    daemonsets: list[str] = Field(default_factory=list)
    deployments: list[str] = Field(default_factory=list)
    timeout: float = 240


class Settle(Strict):
    """When a matrix counts as settled: `rounds` equal rounds in a row that span `seconds`; measured on to `limit`
    seconds while it disagrees with what is specified. `floor` and `ceiling` bound the time-out for silence."""

    rounds: int = 3
    seconds: float = 1.0
    limit: float = 15.0
    floor: float = 0.25
    ceiling: float = 2.0


class KindCluster(Strict):
    """What `kind create cluster` is told."""

    node_image: str
    workers: int = Field(default=1, ge=0)
    networking: dict[str, Any] = Field(default_factory=dict)
    """kind's own `networking` section: address ranges, ipFamily, kubeProxyMode."""


class Look(Strict):
    """A command that shows a dataplane's state: run in `container` of each pod of `namespace/label selector`."""

    pods: str
    container: str
    command: list[str]


class Recipe(Strict):
    """How one CNI is brought up. `{version}` in a path, an address or an image stands for `version` without its `v`."""

    name: str
    title: str
    driver: Literal["reference", "kind"]
    version: str
    """As upstream writes it in its tags, with or without `v`."""
    enforces: bool = True
    hint: str = ""
    """What to switch on when this CNI turns out to enforce nothing."""
    kind: KindCluster | None = None
    manifests: list[Source] = Field(default_factory=list)
    helm: Helm | None = None
    images: list[str] = Field(default_factory=list)
    probe_image: str = "python:3.11-slim-bookworm"
    ready: Ready = Ready()
    settle: Settle = Settle()
    dialects: list[str] = Field(default_factory=lambda: ["networking.k8s.io/v1"])
    logs: dict[str, str] = Field(default_factory=dict)
    """Whose logs are evidence: container name -> `namespace/label selector` of the pods that have it."""
    state: dict[str, Look] = Field(default_factory=dict)
    """What shows the dataplane's state, as evidence: file name without its ending -> how to look."""

    def fill(self, text: str) -> str:
        """The text with its version filled in."""
        return text.replace("{version}", self.version.removeprefix("v"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One `--cni` word: `name` or `name@version`."""

    name: str
    version: str | None = None


def names() -> list[str]:
    """The CNIs that have a recipe."""
    return sorted(path.parent.name for path in data_dir("clusters").glob("*/recipe.yaml"))


def parse_cni(word: str) -> list[Wanted]:
    """`calico,cilium@1.20.2` -> what is wanted, in order. Raises InputError that lists the known names."""
    wanted = []
    for part in filter(None, (p.strip() for p in word.split(","))):
        name, _, version = part.partition("@")
        if name not in names():
            near = get_close_matches(name, names(), n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise InputError(f"unknown CNI {name!r}; {hint}known: {', '.join(names())}", key="--cni")
        wanted.append(Wanted(name=name, version=version or None))
    if not wanted:
        raise InputError(f"names no CNI; known: {', '.join(names())}", key="--cni")
    return wanted


def load(wanted: Wanted) -> Recipe:
    """The recipe of a CNI, at the version wanted (default: the recipe's own)."""
    recipe = validate(Recipe, read_yaml(recipe_path(wanted.name))[0])
    if not wanted.version:
        return recipe
    prefix = "v" if recipe.version.startswith("v") else ""
    return recipe.model_copy(update={"version": prefix + wanted.version.removeprefix("v")})


def recipe_path(name: str) -> Path:
    return data_dir("clusters") / name / "recipe.yaml"
