"""Whether what disagrees may say something of the CNI: the cluster must be the one that the step began on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from netproof.clusters.recipes import Ready
from netproof.drivers.kubernetes import pulse
from netproof.drivers.kubernetes.objects import Api

READY = Ready(daemonsets=["kube-system/cni"], deployments=["kube-system/coredns"])


def pod(name: str, owner: str = "", kind: str = "DaemonSet", **status: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"namespace": "kube-system", "name": name, "uid": f"uid-{name}"}
    if owner:
        metadata["ownerReferences"] = [{"kind": kind, "name": owner}]
    containers = [{"ready": True, "restartCount": 0, **status}]
    return {"metadata": metadata, "status": {"phase": "Running", "containerStatuses": containers}}


class FakeApi:
    def __init__(self, *pods: dict[str, Any], node: str = "True") -> None:
        self.pods, self.node = pods, node

    def list(self, path: str) -> list[dict[str, Any]]:
        if path == "/api/v1/nodes":
            return [{"metadata": {"name": "w"}, "status": {"conditions": [{"type": "Ready", "status": self.node}]}}]
        return list(self.pods)


def felt(*pods: dict[str, Any], node: str = "True") -> pulse.Pulse:
    return pulse.feel(cast(Api, FakeApi(*pods, node=node)), READY)


WHOLE = felt(pod("cni-1", "cni"), pod("coredns-abc-1", "coredns-abc", "ReplicaSet"), pod("etcd"))


def test_only_the_recipes_workloads_count() -> None:
    assert sorted(WHOLE.workloads) == ["kube-system/cni-1", "kube-system/coredns-abc-1"]
    assert pulse.find_changes(WHOLE, WHOLE) == ""


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"restartCount": 1}, "kube-system/cni-1 started again"),
        ({"ready": False}, "kube-system/cni-1 is not ready"),
    ],
)
def test_an_agent_that_was_away_is_named(now: dict[str, Any], said: str) -> None:
    after = felt(pod("cni-1", "cni", **now))
    before = replace(WHOLE, workloads={"kube-system/cni-1": WHOLE.workloads["kube-system/cni-1"]})
    assert pulse.find_changes(before, after) == said


def test_an_agent_that_was_not_there_yet_when_the_step_began_is_named() -> None:
    assert pulse.find_changes(felt(pod("cni-1", "cni", ready=False)), felt(pod("cni-1", "cni"))).endswith(
        "was not ready"
    )


def test_a_replaced_pod_and_a_node_that_is_away_are_named() -> None:
    after = felt(pod("cni-2", "cni"), pod("coredns-abc-1", "coredns-abc", "ReplicaSet"), node="Unknown")
    said = "the node w is not ready; kube-system/cni-2 is new; kube-system/cni-1 is gone"
    assert pulse.find_changes(WHOLE, after) == said


def test_a_pod_with_another_address_is_named() -> None:
    there = pod("a")
    there["status"]["podIPs"] = [{"ip": "10.0.0.2"}]
    api = cast(Api, FakeApi(there))
    assert pulse.find_moved(api, {"kube-system/a": ("10.0.0.2",), "kube-system/b": ("10.0.0.3",)}) == ""
    assert pulse.find_moved(api, {"kube-system/a": ("10.0.0.1",)}) == "kube-system/a has another address now"
