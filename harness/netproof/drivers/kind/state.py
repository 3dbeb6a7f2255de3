"""Which clusters are ours: one folder each in the user's state directory, written before the cluster is made, so that
whatever a killed run left behind can be found and removed."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import shutil
import signal
import subprocess
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_state_path

from netproof.drivers import programs
from netproof.drivers.kind import docker
from netproof.drivers.kubernetes.polling import NotYet, poll
from netproof.errors import ClusterError, InputError

PREFIX = "netproof"
MAKER = "maker.json"
END_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterState:
    """What is known of one cluster of ours. The owner is the process that made it; `started` tells it from a later
    process with the same id. `token` is the word that its agents answer to."""

    name: str
    cni: str
    version: str
    run: str
    token: str
    created: str
    host: str
    pid: int
    started: str
    kept: bool = False
    applied: list[dict[str, str]] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    kind: str = ""
    """The version of kind that made it."""

    @property
    def folder(self) -> Path:
        return clusters_dir() / self.name

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterInfo:
    """One line of `netproof clusters list`. `leftover`: its run has ended without removing it."""

    name: str
    cni: str
    version: str
    created: str
    state: Literal["in use", "kept", "leftover"]
    kubeconfig: str


def clusters_dir() -> Path:
    return user_state_path("netproof") / "clusters"


def new(cni: str, version: str, run: str, token: str) -> ClusterState:
    """A cluster with a fresh name, on disk before anything else exists."""
    cluster = ClusterState(
        # Names of containers and of nodes allow no `+`.
        name=f"{PREFIX}-{cni.replace('+', '-')}-{secrets.token_hex(3)}",
        cni=cni,
        version=version,
        run=run,
        token=token or secrets.token_hex(8),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        host=platform.node(),
        pid=os.getpid(),
        started=start_time(os.getpid()),
    )
    write(cluster)
    return cluster


def write(cluster: ClusterState) -> None:
    cluster.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = cluster.folder / "cluster.json.partial"
    partial.write_text(json.dumps(asdict(cluster), indent=2) + "\n", encoding="utf-8")
    partial.replace(cluster.folder / "cluster.json")


def keep(cluster: ClusterState) -> ClusterState:
    kept = replace(cluster, kept=True)
    write(kept)
    return kept


def read(name: str) -> ClusterState | None:
    """What is known of a cluster, or None when there is nothing that can be read."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        content: dict[str, Any] = json.loads((clusters_dir() / name / "cluster.json").read_text(encoding="utf-8"))
        return ClusterState(**content)
    return None


def find(name: str, key: str = "--reuse-cluster") -> ClusterState:
    """What is known of the cluster that the user named by `key`. Raises InputError that lists those there are."""
    cluster = read(name) if name and "/" not in name else None
    if cluster is None or not cluster.kubeconfig.exists():
        known = ", ".join(cluster.name for cluster in list_clusters() if cluster.state == "kept")
        raise InputError(
            f"there is no cluster {name!r} of ours; kept clusters: {known or 'none'} (see `netproof clusters list`)",
            key=key,
        )
    return cluster


def read_all() -> list[ClusterState]:
    found = (read(path.parent.name) for path in sorted(clusters_dir().glob("*/cluster.json")))
    return sorted((cluster for cluster in found if cluster), key=lambda cluster: cluster.created)


def list_clusters() -> list[ClusterInfo]:
    """Our clusters, oldest first. Asks neither the engine nor a cluster."""
    return [
        ClusterInfo(
            name=cluster.name,
            cni=cluster.cni,
            version=cluster.version,
            created=cluster.created,
            state="kept" if cluster.kept else "in use" if is_owned(cluster) else "leftover",
            kubeconfig=str(cluster.kubeconfig),
        )
        for cluster in read_all()
    ]


def reap(*, all: bool = False) -> list[str]:
    """Remove the clusters, and the containers beside them, whose run has ended; with `all` the kept ones too.

    Never touches a cluster of a living run, nor one that is not known here. Returns the names of what was removed;
    raises ClusterError when the engine does not answer or will not remove one of them.
    """
    removed = []
    for cluster in read_all():
        if (all or not cluster.kept) and (cluster.kept or not is_owned(cluster)):
            delete(cluster)
            removed.append(cluster.name)
    return removed


def remember_maker(cluster: ClusterState, pid: int) -> None:
    """Remember the process (leader of its group) that makes the cluster: it may outlive us, and go on making."""
    (cluster.folder / MAKER).write_text(json.dumps([pid, start_time(pid)]), encoding="utf-8")


def _end_making(cluster: ClusterState) -> int:
    """End who still makes the cluster. Gives its process group, in which what it started may still be at work; or 0."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        pid, began = json.loads((cluster.folder / MAKER).read_text(encoding="utf-8"))
        if cluster.host == platform.node() and start_time(pid) == began != "":
            os.kill(pid, signal.SIGKILL)
            return int(pid)
    return 0


def _works(group: int) -> bool:
    """Whether a process of the group still runs; one that nobody has waited for does not."""
    if not Path("/proc/self").exists():
        found = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=False).stdout
        return any(line.split()[0] == str(group) and "Z" not in line for line in found.splitlines())
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended since
            # After the command's name in brackets: state, parent, group (proc_pid_stat(5)).
            state, _, leader = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:3]
            if leader == str(group) and state != "Z":
                return True
    return False


def delete(cluster: ClusterState) -> None:
    """Remove a cluster, the containers beside it, and at last what is known of it."""
    maker = _end_making(cluster)
    problem = None
    try:
        docker.remove_containers(docker.containers(f"{docker.LABEL_CLUSTER}={cluster.name}"))
    except ClusterError as error:
        problem = error

    def end() -> None:
        """The engine finishes the start of a container whose client is killed: its clients must come to their own end,
        which they do when the nodes are gone."""
        works = maker and _works(maker)
        _delete_nodes(cluster)
        if works:
            raise NotYet(f"processes of the group {maker} still make it")

    poll(end, timeout=END_TIMEOUT, what=f"ending what makes the cluster {cluster.name}")
    if problem:
        raise problem
    shutil.rmtree(cluster.folder, ignore_errors=True)


def _delete_nodes(cluster: ClusterState) -> None:
    programs.run(
        ["kind", "delete", "cluster", "--name", cluster.name, "--kubeconfig", str(cluster.kubeconfig)],
        timeout=120,
        purpose=f"deleting the cluster {cluster.name}",
    )


def is_owned(cluster: ClusterState) -> bool:
    """Whether the process that made the cluster still lives. One of another machine counts as owned: who shares a
    home directory between machines must remove it where it was made."""
    if cluster.host != platform.node():
        return True
    return start_time(cluster.pid) == cluster.started != ""


def start_time(pid: int) -> str:
    """When a process started, in words that no later process with its id shares; '' when there is no such process."""
    try:
        # The fields after the command's name in brackets; the 20th of them is starttime (proc_pid_stat(5)).
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        if Path("/proc/self").exists():
            return ""
        done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return done.stdout.strip()
    return "" if fields[0] == "Z" else f"{boot} {fields[19]}"
