"""Recipes: one folder a CNI under `clusters/`, read into values. Data decides how a CNI is installed, not code.

A variant is a small overlay on a CNI's recipe, `clusters/<cni>/variants/<variant>/recipe.yaml`; its name is
`<cni>+<variant>` everywhere, and its folder has what a CNI's folder has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from netproof.errors import InputError
from netproof.manifests.data_dirs import data_dir
from netproof.manifests.merging import merge_mappings
from netproof.manifests.validation import StrictModel, validate
from netproof.manifests.yaml_documents import read_document

VARIANTS = "variants"


class Patch(StrictModel):
    """A change to one object of a file. `object` is its `Kind/name`; `patch` is merged into it by Kubernetes' rules for
    strategic merge patches, as far as netproof.drivers.kind.patches has them."""

    object: str
    patch: dict[str, Any]


class UpstreamFile(StrictModel):
    """A file of upstream's: `path` below the artifact directory, `url` where upstream publishes it."""

    path: str
    url: str
    patches: list[Patch] = Field(default_factory=list)


class LocalFile(StrictModel):
    """A file of ours: `local` below `clusters/`. It may hold `{version}` and `{probe_image}`."""

    local: str


class HelmRelease(StrictModel):
    """A chart of upstream's, rendered by `helm template`."""

    chart: UpstreamFile
    release: str
    namespace: str
    values: dict[str, Any] = Field(default_factory=dict)


class Ready(StrictModel):
    """What must be rolled out before pods are deployed, as `namespace/name`."""

    daemonsets: list[str] = Field(default_factory=list)
    deployments: list[str] = Field(default_factory=list)
    timeout: float = 240


class Settle(StrictModel):
    """When a matrix counts as settled: `rounds` equal rounds in a row that span `seconds`; measured on to `limit`
    seconds while it disagrees with what is specified. Rounds start `every` seconds apart, and large ones so far apart
    that no more than `rate` probes a second are sent, and spread over half of that time: probing must not take the
    processor from the CNI that it watches, nor from itself, since connect times decide how long silence is waited for.
    `floor` and `ceiling` bound the time-out for silence."""

    rounds: int = 3
    every: float = 0.1
    rate: float = 1200.0
    seconds: float = 1.0
    limit: float = 15.0
    floor: float = 0.25
    ceiling: float = 2.0


class KindCluster(StrictModel):
    """What `kind create cluster` is told."""

    node_image: str
    workers: int = Field(default=1, ge=0)
    networking: dict[str, Any] = Field(default_factory=dict)
    """kind's own `networking` section: address ranges, ipFamily, kubeProxyMode."""


class StateCommand(StrictModel):
    """A command that shows a dataplane's state: run in `container` of each pod of `namespace/label selector`."""

    pods: str
    container: str
    command: list[str]


class Recipe(StrictModel):
    """How one CNI is brought up. `{version}` in a path, an address or an image stands for `version` without its `v`."""

    name: str
    """The CNI's name; the whole name in the loaded recipe of a variant."""
    title: str
    driver: Literal["reference", "kind"]
    version: str
    """As upstream writes it in its tags, with or without `v`."""
    enforces: bool = True
    """False for what is known to enforce nothing: then nothing but the pre-flight's pods is deployed at first."""
    hint: str = ""
    """What to switch on when this CNI turns out to enforce nothing."""
    kind: KindCluster | None = None
    routed: bool = False
    """Whether packets leave the nodes with their pods' own addresses: then outside peers are given routes to pods."""
    manifests: list[UpstreamFile | LocalFile] = Field(default_factory=list)
    helm: HelmRelease | None = None
    images: list[str] = Field(default_factory=list)
    probe_image: str = "python:3.11-slim-bookworm"
    ready: Ready = Ready()
    settle: Settle = Settle()
    dialects: list[str] = Field(default_factory=lambda: ["networking.k8s.io/v1"])
    known_differences: list[str] = Field(default_factory=list)
    """Files below `clusters/` that count besides the `known-differences.yaml` of its own folder: another CNI's, whose
    policies these are."""
    generate_without: list[str] = Field(default_factory=list)
    """What generated policies do without here (netproof/generate): what the known differences of this CNI are about."""
    logs: dict[str, str] = Field(default_factory=dict)
    """Whose logs are evidence: container name -> `namespace/label selector` of the pods that have it."""
    state: dict[str, StateCommand] = Field(default_factory=dict)
    """What shows the dataplane's state, as evidence: file name without its ending -> how to look."""

    def not_enforced(self, manifests: Iterable[Mapping[str, Any]]) -> str:
        """A sentence about the first object of an API that this CNI does not enforce, or ''. The API server may accept
        such an object all the same, and then nothing happens."""
        for version, kind in sorted({(manifest["apiVersion"], manifest["kind"]) for manifest in manifests}):
            if not {version, f"{version}/{kind}"} & {*self.dialects, "v1"}:
                return f"{self.name} enforces no {kind} of {version}; it enforces {', '.join(self.dialects)}"
        return ""

    def fill(self, text: str) -> str:
        """The text with its version and probe image filled in."""
        return text.replace("{version}", self.version.removeprefix("v")).replace("{probe_image}", self.probe_image)


@dataclass(frozen=True, slots=True, kw_only=True)
class CniVersion:
    """One `--cni` word: `name` or `name@version`, where `name` is `cni` or `cni+variant`."""

    name: str
    version: str | None = None

    @property
    def cni(self) -> str:
        return self.name.partition("+")[0]

    @property
    def variant(self) -> str:
        return self.name.partition("+")[2]


def names() -> list[str]:
    """The CNIs that have a recipe, each followed by its variants."""
    return [name for cni in _cnis() for name in (cni, *(f"{cni}+{variant}" for variant in variants(cni)))]


def variants(cni: str) -> list[str]:
    return sorted(path.parent.name for path in (data_dir("clusters") / cni / VARIANTS).glob("*/recipe.yaml"))


def _cnis() -> list[str]:
    return sorted(path.parent.name for path in data_dir("clusters").glob("*/recipe.yaml"))


def parse_cni(word: str) -> list[CniVersion]:
    """`calico,vpc-cni+calico@3.28.5` -> what is wanted, in order. Raises InputError that lists what is known."""
    wanted = []
    for part in filter(None, (p.strip() for p in word.split(","))):
        name, _, version = part.partition("@")
        one = CniVersion(name=name, version=version or None)
        if one.cni not in _cnis():
            raise _unknown(f"unknown CNI {one.cni!r}", one.cni, _cnis(), names())
        if name not in names():
            whole = [f"{one.cni}+{variant}" for variant in variants(one.cni)]
            raise _unknown(f"{one.cni} has no variant {one.variant!r}", name, whole, whole)
        recipe = load(replace(one, version=None))
        if one.version and one.version.removeprefix("v") != recipe.version.removeprefix("v") and not _versioned(recipe):
            raise InputError(f"{name} has one version only, {recipe.version}: leave out @{version}", key="--cni")
        wanted.append(one)
    if not wanted:
        raise InputError(f"names no CNI; known: {', '.join(names())}", key="--cni")
    return wanted


def _unknown(message: str, word: str, candidates: list[str], known: list[str]) -> InputError:
    near = get_close_matches(word, candidates, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return InputError(f"{message}; {hint}known: {', '.join(known) or 'none'}", key="--cni")


def load(wanted: CniVersion) -> Recipe:
    """The recipe of a CNI or variant, at the version wanted (default: the recipe's own). Raises InputError."""
    base = read_document(recipe_path(wanted.cni))
    recipe = validate(Recipe, base)
    if wanted.variant:
        overlay = read_document(recipe_path(wanted.name))
        if "name" in overlay.content:
            raise overlay.error(("name",), f"a variant is named by its folder: {wanted.name}")
        content = merge_mappings(base.content, overlay.content) | {"name": wanted.name}
        # The base is valid, so whatever is wrong now is in the overlay, and its lines say where.
        recipe = validate(Recipe, replace(overlay, content=content))
    if not wanted.version:
        return recipe
    prefix = "v" if recipe.version.startswith("v") else ""
    return recipe.model_copy(update={"version": prefix + wanted.version.removeprefix("v")})


def recipe_path(name: str) -> Path:
    """The recipe of a CNI, or the overlay of a variant."""
    cni, _, variant = name.partition("+")
    folder = data_dir("clusters") / cni
    return (folder / VARIANTS / variant if variant else folder) / "recipe.yaml"


def known_differences(recipe: Recipe) -> list[Path]:
    """The files of known differences, whether they exist or not: its own folder's first. What a CNI is known for does
    not count for its variants unless their overlays say so."""
    own = recipe_path(recipe.name).parent / "known-differences.yaml"
    return [own, *(data_dir("clusters") / file for file in recipe.known_differences)]


def _versioned(recipe: Recipe) -> bool:
    """Whether its files differ by version at all."""
    return "{version}" in recipe.model_dump_json(include={"manifests", "helm", "images"})
