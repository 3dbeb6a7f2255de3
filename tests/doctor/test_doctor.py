"""`netproof doctor`: its words, its exit code, and what it says on machines that lack something."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from netproof import doctor
from netproof.clusters import recipes
from netproof.commands.main import main
from netproof.doctor import DiagnosisState, clusters, kernel, machine
from netproof.doctor.diagnosis import Diagnosis, ok, warn
from netproof.drivers.kind import docker, state
from netproof.drivers.kind.artifacts import VARIABLE
from netproof.errors import ClusterError

INFO = {"ServerVersion": "1", "NCPU": 8, "MemTotal": 16 << 30, "CgroupVersion": "2", "DockerRootDir": "/"}


def by_name(found: Any) -> dict[str, Diagnosis]:
    return {finding.what: finding for finding in found}


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise ClusterError("the container engine does not answer")

    monkeypatch.setattr(docker, "info", absent)
    monkeypatch.setattr("shutil.which", lambda name, **_: None)


def test_what_it_says_of_this_machine_is_what_the_driver_can_do(capsys: pytest.CaptureFixture[str]) -> None:
    able = "error" not in machine.reference_facts()
    assert main(["doctor", "--format", "json"]) == (0 if able else 11)
    told = json.loads(capsys.readouterr().out)
    assert told["reference"] is able
    groups = list(dict.fromkeys(finding["group"] for finding in told["findings"]))
    assert groups == [*doctor.CHECKS, "CNIs"]
    assert {finding["state"] for finding in told["findings"]} <= set(DiagnosisState)
    assert all(finding["found"] for finding in told["findings"])


@pytest.mark.usefixtures("no_engine")
def test_without_engine_and_programs_cnis_are_missing_and_the_exit_code_is_the_reference_drivers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = "network namespaces cannot be made here (EPERM): x is 0; as root run: sysctl x=1"
    monkeypatch.setattr(machine, "reference_facts", lambda: {"error": error})
    assert main(["doctor"]) == 11
    shown = capsys.readouterr().out
    assert "fix: sysctl x=1" in shown
    assert "not even the reference driver can run here" in shown
    assert "needs the container engine and kind and helm" in shown
    assert "MISSING container engine" in shown


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        ("the command nft was not found: install the package nftables", "apt-get install nftables"),
        ("…; as root run: sysctl user.max_user_namespaces=10000", "sysctl user.max_user_namespaces=10000"),
        ("something else", "run as root, or in a container with --privileged"),
    ],
)
def test_the_drivers_advice_becomes_a_command(error: str, fix: str) -> None:
    assert by_name(machine.of_reference({"error": error}))[machine.RUNS].fix == fix


def test_ipv4_alone_is_a_warning() -> None:
    facts: dict[str, object] = {"privilege": "user namespace", "families": [4], "nft": "v1"}
    found = by_name(machine.of_reference(facts))
    assert (found[machine.RUNS].state, found["IPv6"].state) == (DiagnosisState.OK, DiagnosisState.WARN)


def test_a_small_machine_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "info", lambda: {**INFO, "NCPU": 1, "MemTotal": 2 << 30, "CgroupVersion": "1"})
    found = by_name(clusters.programs())
    assert {found[what].state for what in ("processors", "memory", "cgroups")} == {DiagnosisState.WARN}
    assert found["memory"].found == "2 GiB; a cluster wants 4 GiB"


def test_a_recipe_names_its_images_and_files_that_are_not_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(clusters, "user_cache_path", lambda name: tmp_path / "cache")
    calico = recipes.load(recipes.CniVersion(name="calico"))
    away = clusters.of_recipe(calico, has_engine=True, here=set(), online=False)
    assert away.state is DiagnosisState.WARN
    assert "images are not in the engine and will be pulled" in away.found
    (source,) = clusters.sources_of(calico)
    path = tmp_path / calico.fill(source.path)
    assert f"curl -fL --create-dirs -o {path} https://" in away.fix
    path.parent.mkdir(parents=True)
    path.write_text("")
    here = clusters.of_recipe(calico, has_engine=True, here=set(clusters.images_of(calico)), online=False)
    assert here.state is DiagnosisState.OK


def test_upstream_is_asked_only_when_told_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[str] = []

    def answers(url: str) -> bool:
        asked.append(url)
        return False

    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr(clusters, "answers", answers)
    monkeypatch.setattr(clusters, "user_cache_path", lambda name: tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    cilium = recipes.load(recipes.CniVersion(name="cilium"))
    clusters.of_recipe(cilium, has_engine=True, here=set(), online=False)
    assert not asked
    assert "DOES NOT ANSWER" in clusters.of_recipe(cilium, has_engine=True, here=set(), online=True).found


def test_kept_clusters_and_those_of_dead_runs_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def cluster(name: str, word: Any) -> state.ClusterInfo:
        return state.ClusterInfo(name=name, cni="c", version="1", created="now", state=word, kubeconfig="")

    listed = [cluster("a", "kept"), cluster("b", "leftover"), cluster("c", "in use")]
    monkeypatch.setattr(state, "list_clusters", lambda: listed)
    monkeypatch.setattr(clusters, "_strays", lambda: [])
    monkeypatch.setattr(clusters, "_fabrics", lambda: [])
    found = by_name(clusters.leftovers())
    assert found["a"].fix == "netproof clusters delete a"
    assert found["b"].fix == "netproof clusters reap"
    assert found["c"] == ok("c", "in use by a run")


def test_a_feature_is_looked_up_and_never_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    feature = kernel.Feature(name="SCTP", module="sctp", option="IP_SCTP", needed="SCTP cells")
    monkeypatch.setattr(kernel, "_loaded", frozenset)
    monkeypatch.setattr(kernel, "_files", lambda: (frozenset(), frozenset({"sctp"})))
    monkeypatch.setattr(kernel, "_configuration", dict)
    assert kernel.has(feature) == "a module, loaded when it is needed"
    monkeypatch.setattr(kernel, "_files", lambda: (frozenset(), frozenset()))
    assert kernel.has(feature) is None
    monkeypatch.setattr(kernel, "_configuration", lambda: {"CONFIG_IP_SCTP": "n"})
    assert kernel.has(feature) == ""


def test_a_low_limit_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "limit").write_text("128\n")
    limit = kernel.Limit(name="fs.x", path=str(tmp_path / "limit"), least=512, why="kind ends")
    monkeypatch.setattr(kernel, "LIMITS", (limit,))
    assert by_name(kernel.limits())["fs.x"] == warn("fs.x", "128, less than 512: kind ends", "sysctl fs.x=512")
