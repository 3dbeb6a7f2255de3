"""Waits end early when there is no hope, and say what was wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from netproof.clusters.recipes import Ready
from netproof.drivers.kubernetes import waiting
from netproof.drivers.kubernetes.objects import Api, Ref
from netproof.drivers.kubernetes.polling import NotYet, TooLate, poll
from netproof.errors import ClusterError


def pod(name: str = "a", reason: str = "", *, ready: bool = False, **metadata: Any) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": "because"}} if reason else {"running": {}}
    return {
        "metadata": {"namespace": "shop", "name": name, "uid": f"uid-{name}", **metadata},
        "spec": {"nodeName": "w1"},
        "status": {
            "phase": "Running" if ready else "Pending",
            "containerStatuses": [{"name": "agent", "ready": ready, "started": ready, "state": state}],
        },
    }


class FakeApi:
    """Answers lists from a dict; remembers what was deleted and applied."""

    def __init__(self, pods: list[dict[str, Any]], failed: tuple[str, ...] = ()) -> None:
        self.pods = pods
        self.events = [
            {
                "type": "Warning",
                "reason": "FailedCreatePodSandBox",
                "message": "no nodename\nyet",
                "involvedObject": {"kind": "Pod", "name": name, "uid": f"uid-{name}"},
            }
            for name in failed
        ]
        self.workloads: dict[str, dict[str, Any]] = {}
        self.deleted: list[Ref] = []
        self.applied: list[Any] = []

    def list(self, path: str, **_: str) -> list[dict[str, Any]]:
        return self.events if path.endswith("/events") else self.pods

    def read(self, path: str) -> dict[str, Any]:
        return self.workloads[path]

    def text(self, path: str) -> str:
        return "last line"

    def get(self, ref: Ref) -> dict[str, Any] | None:
        return next((one for one in self.pods if one["metadata"]["name"] == ref.name), None)

    def delete(self, ref: Ref) -> None:
        self.deleted.append(ref)

    def apply(self, manifest: Any) -> None:
        self.applied.append(manifest)


def api(fake: FakeApi) -> Api:
    return cast(Api, fake)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", -1.0)


def test_pods_that_run_are_found() -> None:
    found = waiting.wait_pods(api(FakeApi([pod(ready=True), pod("other")])), [("shop", "a")], timeout=1)
    assert list(found) == [("shop", "a")]


def test_an_image_that_cannot_be_had_ends_the_wait_with_the_pods_events() -> None:
    fake = FakeApi([pod(reason="ImagePullBackOff")], failed=("a",))
    with pytest.raises(ClusterError) as caught:
        waiting.wait_pods(api(fake), [("shop", "a")], timeout=30)
    message = str(caught.value)
    assert "the pod shop/a does not start (ImagePullBackOff)" in message
    assert "docker load" in message
    assert "container agent: ImagePullBackOff because" in message
    assert "FailedCreatePodSandBox Pod/a: no nodename yet" in message


def test_a_deadline_names_the_late_pods_and_their_state() -> None:
    fake = FakeApi([pod(reason="ContainerCreating")])
    with pytest.raises(
        ClusterError, match=r"starting the pods got no further for 0 s(.|\n)*2 of 2 pods .*shop/a, shop/b"
    ):
        waiting.wait_pods(api(fake), [("shop", "a"), ("shop", "b")], timeout=0.1)


def test_sandboxes_that_came_too_early_are_renewed_once_in_a_while() -> None:
    mine = pod("a")
    owned = pod("dns-x1", generateName="dns-", ownerReferences=[{"kind": "ReplicaSet"}])
    others = [pod("ds", ownerReferences=[{"kind": "DaemonSet"}]), pod("bare"), pod("fine")]
    fake = FakeApi([mine, owned, *others], failed=("a", "dns-x1", "ds", "bare"))
    sandboxes = waiting.Sandboxes(api(fake), [mine])
    sandboxes.renew()
    sandboxes.renew()
    assert [ref.name for ref in fake.deleted] == ["a", "dns-x1"]
    assert fake.applied == []
    fake.pods.remove(mine)
    sandboxes.renew()
    sandboxes.renew()
    assert fake.applied == [mine]


def daemonset(available: int) -> dict[str, Any]:
    status = {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": available}
    return {"kind": "DaemonSet", "metadata": {}, "spec": {}, "status": status}


def test_a_rollout_waits_for_every_node() -> None:
    ready = Ready(daemonsets=["kube-system/cni"])
    fake = FakeApi([])
    fake.workloads["/apis/apps/v1/namespaces/kube-system/daemonsets/cni"] = daemonset(2)
    waiting.wait_rollouts(api(fake), ready, timeout=1)
    fake.workloads["/apis/apps/v1/namespaces/kube-system/daemonsets/cni"] = daemonset(1)
    with pytest.raises(ClusterError, match=r"daemonsets/cni: 1 of 2 pods available"):
        waiting.wait_rollouts(api(fake), ready, timeout=0.1)


def test_a_nudge_comes_with_every_poll() -> None:
    nudges: list[int] = []
    nudge: Callable[[], None] = lambda: nudges.append(1)  # noqa: E731
    with pytest.raises(ClusterError):
        waiting.wait_pods(api(FakeApi([])), [("shop", "a")], timeout=0.6, nudge=nudge)
    assert len(nudges) > 1


def test_a_deadline_moves_while_there_is_progress() -> None:
    left = iter([3, 2, 2, 1, 1, 0])
    began = time.monotonic()

    def step() -> str:
        time.sleep(0.06)
        if now := next(left):
            raise NotYet(f"{now} to go", left=now)
        return "done"

    assert poll(step, timeout=0.2, every=0.01, what="counting") == "done"
    assert time.monotonic() - began > 0.2

    def stands() -> None:
        raise NotYet("7 to go", left=7)

    with pytest.raises(TooLate, match=r"counting got no further for 0 s"):
        poll(stands, timeout=0.1, every=0.01, what="counting")

    def unknown() -> None:
        raise NotYet("not yet")

    with pytest.raises(TooLate, match=r"counting took longer than 0 s"):
        poll(unknown, timeout=0.1, every=0.01, what="counting")


def refused(name: str, reason: str, message: str) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "shop", "name": name},
        "spec": {"nodeName": "w1", "hostNetwork": True, "containers": [{"ports": [{"containerPort": 6443}]}]},
        "status": {"phase": "Failed", "reason": reason, "message": message},
    }


@pytest.mark.parametrize(
    ("reason", "message", "says"),
    [
        ("NodePorts", "Pod was rejected: Predicate NodePorts failed", r"a port of the node is taken by the pod ops/b"),
        ("OutOfpods", "Node didn't have enough resource: pods", r"OutOfpods: Node didn't have enough resource: pods"),
        ("OutOfcpu", "", r"shop/a cannot run on w1: OutOfcpu"),
        ("UnexpectedAdmissionError", "no device", r"UnexpectedAdmissionError: no device"),
        ("", "", r"shop/a cannot run on w1: it has ended"),
    ],
)
def test_a_pod_that_its_node_refuses_ends_the_wait_at_once(reason: str, message: str, says: str) -> None:
    holder = refused("b", "", "") | {"metadata": {"namespace": "ops", "name": "b"}, "status": {"phase": "Running"}}
    api = cast(Api, FakeApi([refused("a", reason, message), holder]))
    began = time.monotonic()
    with pytest.raises(ClusterError, match=says) as caught:
        waiting.wait_pods(api, [("shop", "a")], timeout=30)
    assert time.monotonic() - began < 5
    assert "pod shop/a: Failed on w1" in str(caught.value)


def test_a_pod_that_is_deleted_to_be_made_anew_is_not_refused() -> None:
    """It ends as failed, and the one of its name that comes after it runs."""
    ending, running = refused("a", "", ""), refused("a", "", "")
    ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    running["status"] = {"phase": "Running", "containerStatuses": [{"name": "agent", "ready": True}]}
    api = FakeApi([ending])
    later = iter([ending, running])

    def nudge() -> None:
        api.pods = [next(later)]

    found = waiting.wait_pods(cast(Api, api), [("shop", "a")], timeout=30, nudge=nudge)
    assert found == {("shop", "a"): running}


def test_a_port_that_nobody_shows_is_still_called_taken() -> None:
    api = cast(Api, FakeApi([refused("a", "NodePorts", "Predicate NodePorts failed")]))
    with pytest.raises(ClusterError, match="a port of the node is taken, by none of the pods that are there now"):
        waiting.wait_pods(api, [("shop", "a")], timeout=30)
