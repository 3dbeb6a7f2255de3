"""Patches of upstream's objects: what they change, and that they never silently change nothing."""

from __future__ import annotations

from typing import Any

import pytest

from netproof.clusters.recipes import Patch
from netproof.drivers.kind.patches import apply_patches
from netproof.errors import ClusterError


def agent() -> dict[str, Any]:
    env = [
        {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "mode"}}},
        {"name": "B", "value": "1"},
    ]
    containers = [{"name": "agent", "env": env, "args": ["-a", "-b"]}, {"name": "other"}]
    spec = {"initContainers": [{"name": "install"}, {"name": "mount"}], "containers": containers}
    return {"kind": "DaemonSet", "metadata": {"name": "agent", "namespace": "x"}, "spec": spec}


def config(namespace: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": "c", "namespace": namespace}, "data": {"mode": "overlay"}}


def changed(patch: dict[str, Any], name: str = "DaemonSet/agent") -> list[dict[str, Any]]:
    return apply_patches([agent(), config("x"), config("y")], [Patch(object=name, patch=patch)], "all.yaml of It v1")


def test_items_are_merged_by_name_and_everything_else_stays() -> None:
    env = [{"name": "MODE", "value": "none", "valueFrom": None}, {"name": "NEW", "value": "2"}]
    item, *rest = changed({"spec": {"containers": [{"name": "agent", "env": env, "args": ["-c"]}]}})
    assert item["spec"]["containers"] == [
        {
            "name": "agent",
            "env": [{"name": "MODE", "value": "none"}, {"name": "B", "value": "1"}, {"name": "NEW", "value": "2"}],
            "args": ["-c"],
        },
        {"name": "other"},
    ]
    assert item["spec"]["initContainers"] == agent()["spec"]["initContainers"]
    assert rest == [config("x"), config("y")]


def test_an_item_can_be_taken_away() -> None:
    item, *_ = changed({"spec": {"initContainers": [{"name": "install", "$patch": "delete"}]}})
    assert item["spec"]["initContainers"] == [{"name": "mount"}]


def test_an_object_can_be_taken_away_wherever_it_is() -> None:
    assert changed({"$patch": "delete"}, "ConfigMap/c") == [agent()]


def test_all_objects_of_a_name_are_changed() -> None:
    found = changed({"data": {"mode": None, "more": "yes"}}, "ConfigMap/c")
    assert [item["data"] for item in found if item["kind"] == "ConfigMap"] == [{"more": "yes"}] * 2


@pytest.mark.parametrize(
    ("name", "patch", "said"),
    [
        ("DaemonSet/gone", {"spec": {}}, "all.yaml of It v1: DaemonSet/gone is not there, but the recipe patches it"),
        (
            "DaemonSet/agent",
            {"spec": {"initContainers": [{"name": "upgrade", "$patch": "delete"}]}},
            "all.yaml of It v1: DaemonSet/agent.spec.initContainers has no upgrade, but the recipe deletes it",
        ),
    ],
)
def test_a_patch_that_finds_nothing_says_so(name: str, patch: dict[str, Any], said: str) -> None:
    with pytest.raises(ClusterError) as caught:
        changed(patch, name)
    assert str(caught.value) == f"{said}: was the patch written for another version?"
