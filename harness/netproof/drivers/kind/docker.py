"""The container engine, by its own program. Every other module asks it through here; only what starts an outside peer
(peers.py) speaks with it by testcontainers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from netproof.drivers import programs
from netproof.errors import ClusterError

LABEL_CLUSTER = "netproof.cluster"
"""The label of every container that we start beside a cluster; its value is the cluster's name."""
LABEL_RUN = "netproof.run"
LABEL_PEER = "netproof.peer"
"""The endpoint id of a peer outside the cluster."""
LABEL_AGENT = "netproof.agent"
"""Which agent a peer runs: a digest of its source."""
LABEL_NODE = "io.x-k8s.kind.cluster"
"""kind's own label of a node; its value is the cluster's name."""
NETWORK = "kind"
"""The engine's network that kind puts its nodes on."""


def info() -> Mapping[str, Any]:
    """What the engine says of itself (`docker info`). Raises ClusterError when it does not run."""
    done = programs.run(
        ["docker", "info", "--format", "{{json .}}"], check=False, purpose="asking the container engine"
    )
    try:
        found: Mapping[str, Any] = json.loads(done.stdout or "{}")
    except ValueError:
        found = {}
    if done.returncode or found.get("ServerErrors") or not found.get("ServerVersion"):
        why = programs.tail("\n".join(found.get("ServerErrors") or []) or done.stderr, 3)
        raise ClusterError(
            "the container engine does not answer: start Docker (and see that this user may use it), "
            "or choose `--cni reference`, which needs none",
            details=why,
        )
    return found


def cgroup_v1(found: Mapping[str, Any]) -> bool:
    return str(found.get("CgroupVersion", "2")) == "1"


def local_images(images: Sequence[str]) -> dict[str, str]:
    """Those images that the local engine has: name -> digest, or image id for one that never saw a registry."""
    if not images:
        return {}
    done = programs.run(["docker", "image", "inspect", *images], check=False, purpose="looking for local images")
    found: dict[str, str] = {}
    for image in json.loads(done.stdout or "[]"):
        digest = next(iter(image.get("RepoDigests") or []), "").partition("@")[2]
        for tag in image.get("RepoTags") or []:
            found[tag] = digest or image["Id"]
    return {image: found[tag] for image in images if (tag := short(image)) in found}


def short(image: str) -> str:
    """The name as the engine lists it: without the default registry, with a tag."""
    name = image.removeprefix("docker.io/").removeprefix("library/")
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"


def save_images(images: Sequence[str], target: Path) -> None:
    programs.run(
        ["docker", "save", "--output", str(target), *images], timeout=600, purpose="saving images from the engine"
    )


def run_in(
    container: str,
    command: Sequence[str],
    *,
    privileged: bool = False,
    timeout: float = 60,
    check: bool = True,
    purpose: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a command in a container to its end; `privileged` as root, with more rights than the container has."""
    rights = ["--privileged", "--user", "0"] if privileged else []
    return programs.run(["docker", "exec", *rights, container, *command], timeout=timeout, check=check, purpose=purpose)


def exec_command(container: str, command: Sequence[str]) -> list[str]:
    """What a person types to run a command in a container."""
    return ["docker", "exec", container, *command]


def attach_command(container: str) -> list[str]:
    """The program whose standard streams are those of a container's main process."""
    return ["docker", "attach", "--sig-proxy=false", container]


def clusters_of_nodes(*, timeout: float = 60) -> set[str]:
    """The names of kind's clusters, ours and others: whose nodes are here, running or not."""
    form = f'{{{{.Label "{LABEL_NODE}"}}}}'
    command = ["docker", "ps", "--all", "--filter", f"label={LABEL_NODE}", "--format", form]
    return set(programs.run(command, timeout=timeout, purpose="listing kind's nodes").stdout.split())


def is_kind_node(name: str, addresses: Collection[str]) -> bool:
    """Whether a container of that name, with one of the addresses, is one of kind's nodes."""
    form = f'{{{{index .Config.Labels "{LABEL_NODE}"}}}}'
    form += "{{range .NetworkSettings.Networks}} {{.IPAddress}}{{end}}"
    done = programs.run(["docker", "inspect", "--format", form, name], check=False)
    cluster, *found = done.stdout.strip("\n").split(" ")
    return done.returncode == 0 and bool(cluster) and not set(found).isdisjoint(addresses)


def containers(*labels: str) -> list[str]:
    """Ids of the containers, running or not, that carry all of the labels (`key` or `key=value`)."""
    filters = [word for label in labels for word in ("--filter", f"label={label}")]
    return programs.run(["docker", "ps", "--all", "--quiet", *filters], purpose="listing containers").stdout.split()


def remove_containers(ids: Sequence[str]) -> None:
    if ids:
        programs.run(["docker", "rm", "--force", "--volumes", *ids], timeout=120, purpose="removing containers")


def inspect_containers(ids: Sequence[str]) -> list[dict[str, Any]]:
    """What the engine knows of them. One that is gone by now, since another worker replaces its own, is left out."""
    if not ids:
        return []
    done = programs.run(["docker", "inspect", *ids], purpose="inspecting containers", check=False)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)
    except ValueError:
        raise ClusterError("inspecting containers failed", details=programs.tail(done.stderr)) from None
    return found
