"""kind's configuration and its failures, with programs that only pretend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from netproof.clusters import recipes
from netproof.clusters.recipes import CniVersion, KindCluster
from netproof.drivers import DriverOptions, create
from netproof.drivers.kind import cluster, docker, state
from netproof.drivers.programs import run
from netproof.errors import ClusterError

Programs = Callable[..., Callable[[], list[str]]]
KIND = KindCluster(node_image="kindest/node:v1", workers=2, networking={"podSubnet": "10.1.0.0/16"})
INFO = 'case "$1" in info) echo \'{"ServerVersion": "27", "CgroupVersion": "2"}\';; image) echo "[]";; esac'


def test_kind_is_told_to_install_no_cni() -> None:
    config = cluster.configuration(KIND, Path("/images"), cgroup_v1=False)
    assert config["networking"] == {"podSubnet": "10.1.0.0/16", "disableDefaultCNI": True}
    assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker", "worker"]


@pytest.mark.parametrize(("cgroup_v1", "more"), [(True, {"failCgroupV1": False}), (False, {})])
def test_kubelets_take_many_pods_and_are_told_to_accept_cgroup_v1_only_where_it_is(
    cgroup_v1: bool, more: dict[str, bool]
) -> None:
    (patch,) = cluster.configuration(KIND, Path("/images"), cgroup_v1=cgroup_v1)["kubeadmConfigPatches"]
    assert yaml.safe_load(patch) == {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "maxPods": 240,
        **more,
    }


@pytest.mark.parametrize(
    ("answer", "expected"), [({"CgroupVersion": "1"}, True), ({"CgroupVersion": "2"}, False), ({}, False)]
)
def test_the_engine_says_which_cgroup(answer: dict[str, str], expected: bool) -> None:
    assert docker.cgroup_v1(answer) is expected


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("echo 'Cannot connect to the Docker daemon' >&2; exit 1", "start Docker(.|\n)*Cannot connect"),
        ('echo \'{"ServerErrors": ["permission denied"]}\'', "this user may use it(.|\n)*permission denied"),
    ],
)
def test_an_engine_that_does_not_answer(programs: Programs, body: str, words: str) -> None:
    programs(docker=body)
    with pytest.raises(ClusterError, match=words):
        docker.info()


@pytest.mark.parametrize("program", ["docker", "kind", "helm"])
def test_a_missing_program_says_where_to_get_it(program: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match=f"`{program}` is not on the PATH: install"):
        run([program])


def test_a_failed_creation_shows_kinds_words_and_leaves_nothing(programs: Programs, tmp_path: Path) -> None:
    refusal = "echo 'ERROR: failed to create cluster: failed to pull image x' >&2; exit 1"
    calls = programs(kind=f'case "$1" in create) {refusal};; get) exit 1;; esac', docker=INFO)
    calico = recipes.load(CniVersion(name="calico"))
    artifact = tmp_path / "calico" / calico.version / "calico-vxlan.yaml"
    artifact.parent.mkdir(parents=True)
    artifact.write_text("{apiVersion: v1, kind: Namespace, metadata: {name: x}}")
    driver = create(calico, DriverOptions(run_id="r", artifacts=str(tmp_path)))
    with pytest.raises(ClusterError, match=r"node image is neither in the local engine(.|\n)*failed to pull image x"):
        driver.start(lambda _: None)
    assert [call.split()[:3] for call in calls() if call.startswith("kind delete")] == [["kind", "delete", "cluster"]]
    assert state.list_clusters() == []
    driver.stop(keep=False)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("docker.io/calico/node:v1", "calico/node:v1"),
        ("calico/node", "calico/node:latest"),
        ("quay.io/cilium/cilium:v1", "quay.io/cilium/cilium:v1"),
        ("docker.io/library/python:3", "python:3"),
        ("localhost:5000/a", "localhost:5000/a:latest"),
    ],
)
def test_images_are_named_as_the_engine_lists_them(image: str, expected: str) -> None:
    assert docker.short(image) == expected


def test_images_that_the_engine_lacks_are_left_to_the_kubelet(programs: Programs) -> None:
    found = '[{"Id": "sha256:1", "RepoTags": ["calico/node:v1"], "RepoDigests": ["calico/node@sha256:2"]}]'
    programs(docker=f"echo '{found}'; echo 'No such image: other:v1' >&2; exit 1")
    assert docker.local_images(["docker.io/calico/node:v1", "other:v1"]) == {"docker.io/calico/node:v1": "sha256:2"}
