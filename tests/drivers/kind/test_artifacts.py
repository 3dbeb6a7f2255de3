"""Where a CNI's files come from, and what a user reads when they come from nowhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from netproof.clusters import recipes
from netproof.clusters.recipes import CniVersion, LocalFile, Patch, Recipe
from netproof.drivers.kind import artifacts
from netproof.errors import ClusterError, InputError

CALICO, CILIUM = (recipes.load(CniVersion(name=name)).version for name in ("calico", "cilium"))
CALICO_FILE = f"calico/{CALICO}/calico-vxlan.yaml"
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
---
# nothing here
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: kube-system}}
"""


@pytest.fixture
def calico() -> Recipe:
    return recipes.load(CniVersion(name="calico"))


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", fail)


def store(root: Path, path: str = CALICO_FILE, text: str = CRD) -> Path:
    (root / path).parent.mkdir(parents=True)
    (root / path).write_text(text)
    return root


def test_a_file_of_the_artifact_directory_is_used_and_its_hash_recorded(calico: Recipe, tmp_path: Path) -> None:
    root = store(tmp_path / "artifacts")
    objects, applied = artifacts.render(calico, artifacts.resolve(calico, str(root)), kubernetes="v1.36.3")
    assert [item["kind"] for item in objects] == ["CustomResourceDefinition", "ConfigMap"]
    assert [(one.source, one.sha256) for one in applied] == [(CALICO_FILE, hashlib.sha256(CRD.encode()).hexdigest())]


def test_the_environment_names_the_directory_too(
    calico: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETPROOF_ARTIFACTS", str(store(tmp_path / "artifacts")))
    assert artifacts.resolve(calico, "").manifests[0].path.is_file()


def test_the_cache_is_used_without_asking_upstream(calico: Recipe, tmp_path: Path) -> None:
    store(tmp_path / "cache" / "netproof" / "artifacts")
    assert artifacts.resolve(calico, "").manifests[0].source.startswith("https://raw.githubusercontent.com/")


def test_a_file_that_is_nowhere_names_both_ways(calico: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ClusterError) as caught:
        artifacts.resolve(calico, str(tmp_path))
    message = str(caught.value)
    assert "--artifacts DIR or NETPROOF_ARTIFACTS" in message
    assert f"{CALICO}/manifests/calico-vxlan.yaml (no route to host)" in message
    assert f"is not in the artifact directory {tmp_path}" in message


def test_an_artifact_directory_that_is_none(calico: Recipe) -> None:
    with pytest.raises(InputError, match="--artifacts: /nowhere is not a directory"):
        artifacts.resolve(calico, "/nowhere")


def test_another_version_fills_every_path(tmp_path: Path) -> None:
    other = recipes.load(CniVersion(name="calico", version="3.30.1"))
    assert other.version == "v3.30.1"
    assert other.fill(other.images[0]) == "calico/cni:v3.30.1"
    with pytest.raises(ClusterError, match=r"calico/v3\.30\.1/calico-vxlan\.yaml"):
        artifacts.resolve(other, str(tmp_path))


def test_what_is_no_manifest_is_said_so(calico: Recipe, tmp_path: Path) -> None:
    root = store(tmp_path / "artifacts", text="<html>not found</html>")
    with pytest.raises(ClusterError, match=r"calico-vxlan\.yaml is not a file of Kubernetes objects"):
        artifacts.render(calico, artifacts.resolve(calico, str(root)), kubernetes="v1.36.3")


def test_our_own_files_are_filled_and_recorded_by_their_place() -> None:
    plain = recipes.load(CniVersion(name="vpc-cni"))
    objects, applied = artifacts.render(plain, artifacts.resolve(plain, ""), kubernetes="v1.36.3")
    (daemons,) = [item for item in objects if item["kind"] == "DaemonSet"]
    assert daemons["spec"]["template"]["spec"]["containers"][0]["image"] == plain.probe_image
    assert [one.source for one in applied] == ["clusters/vpc-cni/plugin.yaml", "clusters/shared/routes.yaml"]


def test_our_own_file_that_is_missing_names_the_recipe() -> None:
    broken = recipes.load(CniVersion(name="none")).model_copy(update={"manifests": [LocalFile(local="none/gone.yaml")]})
    with pytest.raises(InputError, match=r"none/recipe\.yaml: manifests: there is no none/gone\.yaml below clusters/"):
        artifacts.resolve(broken, "")


def test_a_patched_file_is_recorded_as_upstream_made_it_and_as_it_was_applied(calico: Recipe, tmp_path: Path) -> None:
    root = store(tmp_path / "artifacts")
    source = calico.manifests[0].model_copy(
        update={"patches": [Patch(object="ConfigMap/a", patch={"data": {"mode": "none"}})]}
    )
    recipe = calico.model_copy(update={"manifests": [source]})
    objects, applied = artifacts.render(recipe, artifacts.resolve(recipe, str(root)), kubernetes="v1.36.3")
    assert objects[1]["data"] == {"mode": "none"}
    assert [one.name for one in applied] == ["calico-vxlan.yaml", "calico-vxlan.yaml, patched"]
    assert applied[0].sha256 == hashlib.sha256(CRD.encode()).hexdigest() != applied[1].sha256


def test_a_chart_is_rendered_with_the_recipes_values(tmp_path: Path, programs) -> None:  # type: ignore[no-untyped-def]
    calls = programs(helm="echo '{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: kube-system}}'")
    cilium = recipes.load(CniVersion(name="cilium"))
    root = store(tmp_path / "artifacts", f"cilium/{CILIUM}/cilium-{CILIUM}.tgz", "chart")
    objects, applied = artifacts.render(cilium, artifacts.resolve(cilium, str(root)), kubernetes="v1.36.3")
    assert [item["metadata"]["name"] for item in objects] == ["c"]
    assert len(applied) == 2
    (call,) = calls()
    assert call.startswith("helm template cilium ")
    assert "--namespace kube-system" in call
    assert "--kube-version v1.36.3" in call
