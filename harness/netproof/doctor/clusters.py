"""What real clusters need: the engine, kind and helm, images and upstream's files; and what runs left behind."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from platformdirs import user_cache_path

from netproof.clusters import recipes
from netproof.clusters.recipes import Recipe, UpstreamFile
from netproof.doctor.diagnosis import Diagnosis, missing, ok, warn
from netproof.drivers.kind import docker, state
from netproof.drivers.kind.artifacts import VARIABLE
from netproof.errors import NetproofError
from netproof.wording import count, count_of

CPUS, MEMORY, DISK = 2, 4 << 30, 10 << 30
"""What a cluster of two nodes wants: processors, bytes of memory, bytes of disk."""
PATIENCE = 10.0
"""Seconds that a program or upstream may take to answer."""
PROGRAMS = {
    "kind": (["kind", "version"], missing, "clusters", "install it from https://kind.sigs.k8s.io"),
    "helm": (
        ["helm", "version", "--short"],
        missing,
        "CNIs and charts that come as helm charts",
        "install it from https://helm.sh",
    ),
    "kubectl": (
        ["kubectl", "version", "--client"],
        warn,
        "repeating a probe by hand, and nothing else",
        "install it from https://kubernetes.io/docs/tasks/tools",
    ),
}
"""Program -> how it says its version, how bad it is when it is not there, what needs it, how to come by it."""
SUPERVISOR = "inside.supervisor"
"""A word of the command line of every reference fabric."""


def programs() -> Iterator[Diagnosis]:
    try:
        info = docker.info()
    except NetproofError as error:
        start = (
            "systemctl start docker"
            if shutil.which("docker")
            else "install it from https://docs.docker.com/engine/install"
        )
        yield missing("container engine", str(error).replace("\n", " "), start)
    else:
        yield ok("container engine", f"{info.get('OperatingSystem', 'Docker')}, version {info['ServerVersion']}")
        if docker.cgroup_v1(info):
            yield warn(
                "cgroups",
                "version 1: newer Kubernetes needs a setting, which recipes make",
                "boot with systemd.unified_cgroup_hierarchy=1",
            )
        else:
            yield ok("cgroups", f"version {info.get('CgroupVersion', 2)}")
        yield _enough("processors", int(info.get("NCPU") or 0), CPUS, 1, "")
        yield _enough("memory", int(info.get("MemTotal") or 0), MEMORY, 1 << 30, " GiB")
        root = Path(str(info.get("DockerRootDir") or "/"))
        if root.exists():
            yield _enough(f"disk at {root}", shutil.disk_usage(root).free, DISK, 1 << 30, " GiB free")
    for name, (command, absent, needs, fix) in PROGRAMS.items():
        if shutil.which(name) is None:
            yield absent(name, f"not on the PATH; for {needs}", fix)
        else:
            yield ok(name, _first_line(command))


def _enough(what: str, has: int, least: int, unit: int, word: str) -> Diagnosis:
    shown = f"{has / unit:.0f}{word}"
    return ok(what, shown) if has >= least else warn(what, f"{shown}; a cluster wants {least // unit}{word}")


def _first_line(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not answer ({type(error).__name__})"
    return next(iter((done.stdout or done.stderr).strip().splitlines()), "")


def recipes_here(*, online: bool) -> Iterator[Diagnosis]:
    """A finding for each CNI on real clusters: what it lacks here."""
    found = [recipes.load(recipes.CniVersion(name=name)) for name in recipes.names()]
    wanted = [recipe for recipe in found if recipe.kind is not None]
    images = {recipe.name: images_of(recipe) for recipe in wanted}
    try:
        docker.info()
        here = set(docker.local_images(list(dict.fromkeys(image for some in images.values() for image in some))))
        has_engine = True
    except NetproofError:
        here, has_engine = set(), False
    for recipe in wanted:
        yield of_recipe(recipe, has_engine=has_engine, here=here, online=online)


def of_recipe(recipe: Recipe, *, has_engine: bool, here: set[str], online: bool) -> Diagnosis:
    what = f"{recipe.name} {recipe.version}"
    lacks = [program for program in ("kind", *(["helm"] if recipe.helm else [])) if shutil.which(program) is None]
    if not has_engine:
        lacks.insert(0, "the container engine")
    if lacks:
        return missing(what, f"needs {' and '.join(lacks)}", "see above; `--cni reference` needs none")
    away = [image for image in images_of(recipe) if image not in here]
    files = [source for source in sources_of(recipe) if not any(path.is_file() for path in places(recipe, source))]
    told = (
        [f"{count_of(len(away), len(images_of(recipe)), 'image', 'are')} not in the engine and will be pulled"]
        if away
        else []
    )
    fixes = [f"docker pull {image}" for image in away]
    if files:
        names = ", ".join(recipe.fill(source.path) for source in files)
        told.append(f"not here, and will be fetched: {names}")
    for source in files:
        url = recipe.fill(source.url)
        if online:
            told.append(f"{url} answers" if answers(url) else f"{url} DOES NOT ANSWER")
        fixes.append(f"curl -fL --create-dirs -o {shlex.quote(str(places(recipe, source)[0]))} {shlex.quote(url)}")
    if not told:
        images, files_here = len(images_of(recipe)), len(sources_of(recipe))
        return ok(what, f"{count(images, 'image')} and {count(files_here, 'file')} of upstream's are here")
    return warn(what, "; ".join(told), " && ".join(fixes))


def images_of(recipe: Recipe) -> list[str]:
    node = [recipe.kind.node_image] if recipe.kind else []
    return list(dict.fromkeys([*node, recipe.probe_image, *(recipe.fill(image) for image in recipe.images)]))


def sources_of(recipe: Recipe) -> list[UpstreamFile]:
    found = [source for source in recipe.manifests if isinstance(source, UpstreamFile)]
    return [*found, *([recipe.helm.chart] if recipe.helm else [])]


def places(recipe: Recipe, source: UpstreamFile) -> list[Path]:
    """Where a run looks for a file of upstream's before it fetches it."""
    path = recipe.fill(source.path)
    given = os.environ.get(VARIABLE, "")
    return [*([Path(given).expanduser() / path] if given else []), user_cache_path("netproof") / "artifacts" / path]


def answers(url: str) -> bool:
    """Whether upstream has the file, without taking it."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PATIENCE) as answer:
            return bool(answer.status < 400)
    except OSError:
        return False


def leftovers() -> Iterator[Diagnosis]:
    found = [*_clusters(), *_strays(), *_fabrics()]
    yield from found or [ok("leftovers", "none")]


def _clusters() -> Iterator[Diagnosis]:
    for cluster in state.list_clusters():
        match cluster.state:
            case "kept":
                fix = f"netproof clusters delete {cluster.name}"
                yield warn(cluster.name, f"a kept cluster of {cluster.created}, for --reuse-cluster", fix)
            case "leftover":
                yield warn(cluster.name, f"its run of {cluster.created} has ended", "netproof clusters reap")
            case _:
                yield ok(cluster.name, "in use by a run")


def _strays() -> Iterator[Diagnosis]:
    """Clusters with our names that no record here knows: another user's, or their records were deleted."""
    known = {cluster.name for cluster in state.list_clusters()}
    try:
        names = docker.clusters_of_nodes(timeout=PATIENCE)
    except NetproofError:
        return
    for name in sorted(names - known):
        if name.startswith(f"{state.PREFIX}-"):
            yield warn(name, "a cluster that this user has no record of", f"kind delete cluster --name {name}")


def _fabrics() -> Iterator[Diagnosis]:
    """Supervisors of reference runs whose run is gone. They end with it, so there should be none."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
            parent = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
        except OSError:
            continue
        if SUPERVISOR in command and parent == "1":
            yield warn(f"process {folder.name}", "network namespaces of a killed reference run", f"kill {folder.name}")
