"""One kind cluster from nothing to an API server that answers, and images on its nodes. The steps overlap: the engine
saves images while `kind` starts the nodes, and nodes take them in while kubeadm is still at work."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from netproof.clusters.recipes import KindCluster
from netproof.drivers import programs
from netproof.drivers.kind import docker, state
from netproof.drivers.kubernetes.polling import NotYet, poll
from netproof.errors import ClusterError

IMAGES_MOUNT = "/netproof/images"
LOAD_TIMEOUT = 600.0
CREATE_TIMEOUT = 600.0
"""Seconds; on a slow line most of it is the pull of the node image."""
KUBELET = """\
kind: KubeletConfiguration
apiVersion: kubelet.config.k8s.io/v1beta1
maxPods: 240
"""
"""Each worker of a run has probe pods of its own, and a node's range holds 254 addresses; the default is 110."""
KUBELET_CGROUP_V1 = "failCgroupV1: false\n"

CONTAINERD_STATS = """\
[plugins."io.containerd.cri.v1.runtime"]
  stats_collect_period = "1m"
"""
"""By default it asks each container every second how busy it is, and with 150 probe pods keeps a whole core busy."""


def configuration(kind: KindCluster, images: Path, *, cgroup_v1: bool) -> dict[str, Any]:
    """kind's configuration file. `images`: a folder that all nodes can read.

    Kubelets refuse hosts with cgroup v1 from Kubernetes 1.35 on unless told otherwise (KubeletConfiguration).
    """
    roles = ["control-plane", *(["worker"] * kind.workers)]
    mount = {"hostPath": str(images), "containerPath": IMAGES_MOUNT, "readOnly": True}
    config: dict[str, Any] = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {**kind.networking, "disableDefaultCNI": True},
        "containerdConfigPatches": [CONTAINERD_STATS],
        "nodes": [{"role": role, "extraMounts": [mount]} for role in roles],
    }
    config["kubeadmConfigPatches"] = [KUBELET + (KUBELET_CGROUP_V1 if cgroup_v1 else "")]
    return config


class Creation:
    """A running `kind create cluster`. Its steps may be awaited from different threads."""

    def __init__(self, cluster: state.ClusterState, kind: KindCluster, *, cgroup_v1: bool) -> None:
        programs.require("kind")
        self.cluster = cluster
        self.images = cluster.folder / "images"
        self.images.mkdir(exist_ok=True)
        self._nodes = kind.workers + 1
        self._log = cluster.folder / "kind.log"
        config = cluster.folder / "kind.yaml"
        config.write_text(yaml.safe_dump(configuration(kind, self.images, cgroup_v1=cgroup_v1)), encoding="utf-8")
        command = ["kind", "create", "cluster", "--name", cluster.name, "--config", str(config)]
        command += ["--image", kind.node_image, "--kubeconfig", str(cluster.kubeconfig), "--wait", "0s"]
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        state.remember_maker(cluster, self._process.pid)

    def wait_nodes(self) -> list[str]:
        """Until every node's container runtime answers: their names."""

        def step() -> list[str]:
            self.alive()
            listed = programs.run(["kind", "get", "nodes", "--name", self.cluster.name], purpose="listing nodes")
            nodes = listed.stdout.split()
            if len(nodes) < self._nodes:
                raise NotYet(f"{len(nodes)} of {self._nodes} nodes are there")
            for node in nodes:
                probe = docker.run_in(node, ["ctr", "version"], check=False)
                if probe.returncode:
                    raise NotYet(f"the container runtime of {node} does not answer: {programs.tail(probe.stderr, 2)}")
            return nodes

        return poll(step, timeout=CREATE_TIMEOUT, every=0.5, what=f"starting the nodes of {self.cluster.name}")

    def wait_kubeconfig(self) -> Path:
        """Until kubeadm has written the administrator's kubeconfig, which is well before all nodes have joined."""

        def step() -> Path:
            self.alive()
            got = programs.run(["kind", "get", "kubeconfig", "--name", self.cluster.name], check=False)
            if got.returncode or "clusters:" not in got.stdout:
                raise NotYet("kubeadm has written no kubeconfig yet")
            early = self.cluster.folder / "kubeconfig.early"
            early.touch(mode=0o600)
            early.write_text(got.stdout, encoding="utf-8")
            return early

        return poll(step, timeout=CREATE_TIMEOUT, every=0.5, what=f"kubeadm in {self.cluster.name}")

    def finish(self) -> None:
        """Until `kind` has ended: all nodes have joined and the kubeconfig is written."""
        try:
            self._process.wait(CREATE_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise self._failure(f"kind did not end within {CREATE_TIMEOUT:.0f} s") from None
        self.alive()

    def abort(self) -> None:
        """End it, and with its nodes what still works on them: an import of images would go on for half a minute."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        with contextlib.suppress(ClusterError):  # removing the cluster meets it again, and tells
            docker.remove_containers(docker.containers(f"{docker.LABEL_NODE}={self.cluster.name}"))

    def alive(self) -> None:
        """Raises ClusterError with the last lines of kind's output when it has failed."""
        if self._process.poll():
            raise self._failure(f"kind could not create the cluster {self.cluster.name}")

    def _failure(self, message: str) -> ClusterError:
        log = self._log.read_text(encoding="utf-8", errors="replace")
        if "failed to pull image" in log:
            message += ": its node image is neither in the local engine nor to be had from a registry"
        elif "too many open files" in log:
            message += (
                ": the host's limits of open files or inotify watches are too low; "
                "see \"Pod errors due to 'too many open files'\" among kind's known issues"
            )
        return ClusterError(message, details=programs.tail(log))


def give_images(creation: Creation, images: Sequence[str]) -> None:
    """Bring images of the local engine to every node, as soon as the nodes can take them."""
    if not images:
        return
    tar = creation.images / "images.tar"
    try:
        docker.save_images(images, tar)
        nodes = creation.wait_nodes()
        with ThreadPoolExecutor(len(nodes), thread_name_prefix="netproof-load") as pool:
            list(pool.map(lambda node: _import(creation.cluster.name, node, tar), nodes))
    finally:
        tar.unlink(missing_ok=True)


def _import(cluster: str, node: str, tar: Path) -> None:
    """`kind load image-archive` for one node, but from the folder that the node shares with us: half the work of
    sending it there. An engine that does not run on this machine shares no folder; then it is sent."""
    mounted = f"{IMAGES_MOUNT}/{tar.name}"
    command = ["ctr", "--namespace", "k8s.io", "images", "import", "--local", "--all-platforms"]
    command += ["--digests", "--snapshotter", "overlayfs", mounted]
    if docker.run_in(node, command, timeout=LOAD_TIMEOUT, check=False).returncode:
        programs.run(
            ["kind", "load", "image-archive", str(tar), "--name", cluster, "--nodes", node],
            timeout=LOAD_TIMEOUT,
            purpose=f"loading images into the node {node}",
        )
