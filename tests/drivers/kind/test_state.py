"""Which clusters are ours, and what reaping may remove."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from netproof.drivers.kind import state
from netproof.errors import ClusterError, InputError

Programs = Callable[..., Callable[[], list[str]]]


def cluster(*, alive: bool = True, kept: bool = False, usable: bool = True) -> state.ClusterState:
    record = state.new("calico", "v3.28.5", "run-1", "")
    if not alive:
        ended = subprocess.Popen(["true"])
        ended.wait()
        record = replace(record, pid=ended.pid, started="long ago")
    record = replace(record, kept=kept)
    state.write(record)
    if usable:
        record.kubeconfig.write_text("{}")
    return record


def test_the_name_of_a_variants_cluster_is_a_host_name_too() -> None:
    record = state.new("vpc-cni+calico", "v3.28.5", "run-1", "")
    assert re.fullmatch(r"netproof-vpc-cni-calico-[0-9a-f]{6}", record.name)
    assert record.cni == "vpc-cni+calico"


def test_a_new_record_is_on_disk_with_its_owner_before_the_cluster_is_made() -> None:
    record = state.new("cilium", "1.20.2", "run-1", "word")
    content = json.loads((record.folder / "cluster.json").read_text())
    assert content["pid"] == os.getpid()
    assert content["started"]
    assert content["token"] == "word"
    assert record.name.startswith("netproof-cilium-")
    assert record.folder.stat().st_mode & 0o077 == 0
    assert state.read(record.name) == record


def test_the_list_tells_living_kept_and_leftover_clusters_apart() -> None:
    living, kept, left = cluster(), cluster(alive=False, kept=True), cluster(alive=False)
    assert {one.name: one.state for one in state.list_clusters()} == {
        living.name: "in use",
        kept.name: "kept",
        left.name: "leftover",
    }


def test_reaping_removes_only_what_a_dead_run_left(programs: Programs) -> None:
    calls = programs(kind="", docker="case $1 in ps) echo deadbeef;; esac")
    living, kept, left = cluster(), cluster(alive=False, kept=True), cluster(alive=False)
    assert state.reap() == [left.name]
    assert calls() == [
        f"docker ps --all --quiet --filter label=netproof.cluster={left.name}",
        "docker rm --force --volumes deadbeef",
        f"kind delete cluster --name {left.name} --kubeconfig {left.kubeconfig}",
    ]
    assert {one.name for one in state.list_clusters()} == {living.name, kept.name}
    assert not left.folder.exists()


def test_reaping_all_removes_kept_clusters_but_none_in_use(programs: Programs) -> None:
    programs(kind="", docker="")
    living, kept = cluster(), cluster(alive=False, kept=True)
    assert state.reap(all=True) == [kept.name]
    assert [one.name for one in state.list_clusters()] == [living.name]


def test_a_cluster_that_cannot_be_removed_stays_known(programs: Programs) -> None:
    programs(kind="echo 'ERROR: no daemon' >&2; exit 1", docker="")
    left = cluster(alive=False)
    with pytest.raises(ClusterError, match=f"deleting the cluster {left.name} failed(.|\n)*no daemon"):
        state.reap()
    assert [one.name for one in state.list_clusters()] == [left.name]


def test_a_record_of_another_machine_is_left_alone(programs: Programs) -> None:
    calls = programs(kind="", docker="")
    state.write(replace(cluster(alive=False), host="elsewhere"))
    assert state.reap() == []
    assert calls() == []


def test_a_process_that_ended_has_no_start() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert state.start_time(ended.pid) == ""
    assert state.start_time(os.getpid()) == state.start_time(os.getpid()) != ""


@pytest.mark.parametrize("name", ["netproof-none", "../..", "."])
def test_an_unknown_cluster_lists_those_that_could_be_reused(name: str) -> None:
    kept = cluster(alive=False, kept=True)
    with pytest.raises(InputError, match=f"--reuse-cluster: .*kept clusters: {kept.name} "):
        state.find(name)


def test_a_damaged_record_is_not_listed(tmp_path: Path) -> None:
    record = cluster()
    (record.folder / "cluster.json").write_text("{")
    assert state.list_clusters() == []


def test_who_still_makes_a_leftover_cluster_is_ended_first(programs: Programs) -> None:
    programs(kind="", docker="")
    left = cluster(alive=False)
    maker = subprocess.Popen(["sh", "-c", "sleep 1 & exec sleep 60"], start_new_session=True)
    state.remember_maker(left, maker.pid)
    assert state.reap() == [left.name]
    assert maker.wait(10) == -signal.SIGKILL


def test_a_later_process_with_the_makers_number_is_left_alone(programs: Programs) -> None:
    programs(kind="", docker="")
    left = cluster(alive=False)
    other = subprocess.Popen(["sleep", "60"], start_new_session=True)
    (left.folder / state.MAKER).write_text(json.dumps([other.pid, "long ago"]))
    assert state.reap() == [left.name]
    assert other.poll() is None
    other.kill()
    other.wait()
