"""What has a port of its node is found before the kubelet refuses a second one for ever."""

from __future__ import annotations

from typing import Any, cast

import pytest

from netproof.drivers.kubernetes import nodeports, pods
from netproof.drivers.kubernetes.manifests import MANAGED, RUN, Deployment, Terms, deployments
from netproof.drivers.kubernetes.objects import Api, Ref
from netproof.errors import ClusterError
from netproof.model import Namespace, Pod, Port, Topology


def pod(
    name: str, *, namespace: str = "x", node: str = "w1", host_network: bool = False, **port: Any
) -> dict[str, Any]:
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"nodeName": node, "hostNetwork": host_network, "containers": [{"ports": [port] if port else []}]},
        "status": {"phase": "Running"},
    }


API_SERVER = pod("kube-apiserver", namespace="kube-system", host_network=True, containerPort=6443)


@pytest.mark.parametrize(
    ("other", "is_taken"),
    [
        (pod("b", containerPort=6443), False),
        (pod("b", containerPort=80, hostPort=6443), True),
        (pod("b", containerPort=80, hostPort=6443, protocol="UDP"), False),
        (pod("b", containerPort=80, hostPort=6443, hostIP="127.0.0.1"), True),
        (pod("b", host_network=True, containerPort=6443), True),
        (pod("b", host_network=True, containerPort=6443, node="w2"), False),
        (pod("b", host_network=True), False),
    ],
)
def test_two_pods_want_one_port_of_a_node(other: dict[str, Any], is_taken: bool) -> None:
    assert bool(nodeports.find_holder(other, [API_SERVER])) is is_taken


def test_ports_at_two_addresses_of_a_node_are_two() -> None:
    one, two = (pod(ip, containerPort=80, hostPort=80, hostIP=ip) for ip in ("10.0.0.1", "10.0.0.2"))
    assert nodeports.find_holder(one, [two]) is None
    assert nodeports.find_holder(one, [one]) is None, "nobody is in its own way"


TERMS = Terms(run="now", token="t", image="i", agent=b"a", nodes=["w1", "w2"])


def deployment(namespace: str, *names: str, run: str = "now") -> list[Deployment]:
    made = [Pod(namespace=namespace, name=name, ports=(Port(port=6443),), host_network=True) for name in names]
    topology = Topology(namespaces=(Namespace(name=namespace),), pods=tuple(made))
    return deployments(topology, Terms(run=run, token="t", image="i", agent=b"a", nodes=TERMS.nodes))


class Cluster:
    """Namespaces and pods by name."""

    def __init__(self, *there: dict[str, Any], run: str = "") -> None:
        self.pods = {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in there}
        self.spaces: dict[str, dict[str, Any]] = {}
        for space in {name[0] for name in self.pods}:
            ours = {"labels": {MANAGED: "true"}, "annotations": {RUN: run}} if run else {}
            self.spaces[space] = {"metadata": {"name": space, **ours}}
        self.deleted: list[tuple[str, str]] = []

    def list(self, path: str, **_: str) -> list[dict[str, Any]]:
        return list((self.spaces if path.endswith("namespaces") else self.pods).values())

    def apply(self, manifest: dict[str, Any]) -> None:
        metadata = manifest["metadata"]
        if manifest["kind"] == "Namespace":
            self.spaces[metadata["name"]] = manifest
        elif manifest["kind"] == "Pod":
            self.pods[metadata["namespace"], metadata["name"]] = manifest

    def delete(self, ref: Ref) -> None:
        self.deleted.append((ref.namespace, ref.name))
        self.pods.pop((ref.namespace, ref.name), None)

    def get(self, ref: Ref) -> dict[str, Any] | None:
        if (found := self.pods.get((ref.namespace, ref.name))) and "deletionTimestamp" in found["metadata"]:
            del self.pods[ref.namespace, ref.name]  # it ends in the meantime
            return found
        return found


def ensure(cluster: Cluster, wanted: list[Deployment], **how: Any) -> None:
    pods.ensure(cast(Api, cluster), wanted, lambda _: None, **how)


def test_a_port_that_a_pod_of_the_cluster_has_ends_deploying_at_once() -> None:
    cluster = Cluster(API_SERVER)
    taken = (
        r"the pod x/a cannot run on w1: a port of the node is taken by the pod kube-system/kube-apiserver \(6443/TCP\)"
    )
    with pytest.raises(ClusterError, match=taken):
        ensure(cluster, deployment("x", "a"))
    assert ("x", "a") not in cluster.pods
    assert cluster.deleted == []


def test_a_port_that_another_worker_of_this_run_has_is_left_to_it() -> None:
    cluster = Cluster(pod("a", namespace="x-gw1", host_network=True, containerPort=6443), run="now")
    with pytest.raises(ClusterError, match=r"taken by the pod x-gw1/a"):
        ensure(cluster, deployment("x-gw2", "a"))
    assert cluster.deleted == []


def test_two_pods_of_one_topology_are_refused_before_anything_is_made() -> None:
    cluster = Cluster()
    with pytest.raises(ClusterError, match=r"the pod x/b cannot run .* taken by the pod x/a"):
        ensure(cluster, deployment("x", "a", "b"))
    assert cluster.spaces == {}


@pytest.mark.parametrize(("run", "how"), [("earlier", {}), ("now", {"own": ["old"]})])
def test_what_an_earlier_run_left_or_this_process_deployed_makes_room(run: str, how: dict[str, Any]) -> None:
    cluster = Cluster(pod("a", namespace="old", host_network=True, containerPort=6443), run=run)
    ensure(cluster, deployment("x", "a"), **how)
    assert cluster.deleted == [("old", "a")]
    assert ("x", "a") in cluster.pods


def test_on_a_cluster_of_the_users_other_runs_are_left_alone() -> None:
    cluster = Cluster(pod("a", namespace="old", host_network=True, containerPort=6443), run="earlier")
    with pytest.raises(ClusterError, match="taken by the pod old/a"):
        ensure(cluster, deployment("x", "a"), clear=False)


def test_a_pod_that_ends_is_waited_for_and_one_that_has_ended_holds_nothing() -> None:
    ending = pod("a", namespace="other", host_network=True, containerPort=6443)
    ending["metadata"]["deletionTimestamp"] = "now"
    ended = pod("b", namespace="other", host_network=True, containerPort=6443)
    ended["status"]["phase"] = "Failed"
    cluster = Cluster(ending, ended)
    ensure(cluster, deployment("x", "a"))
    assert cluster.deleted == []
    assert set(cluster.pods) == {("other", "b"), ("x", "a")}
