"""A worker's driver moves namespaces on the cluster, and nobody above notices."""

from __future__ import annotations

from typing import Any

from netproof.drivers.worker import WorkerDriver
from netproof.model import External, Namespace, Pod, Service, ServicePort, Topology
from tests.fakes import FakeDriver

TOPOLOGY = Topology(
    namespaces=(Namespace(name="x"),),
    pods=(Pod(namespace="x", name="a"),),
    services=(Service(namespace="x", name="a", selector={}, ports=(ServicePort(port=80, target=80),), node_port=True),),
    externals=(External(name="s3"),),
)


def test_the_placement_comes_back_under_the_names_above() -> None:
    placement = WorkerDriver(FakeDriver(), "gw1").deploy(TOPOLOGY, lambda _: None)
    assert {"x/a", "svc:x/a", "external:s3", "svc:kube-system/kube-dns"} <= set(placement.addresses)
    assert placement.server_names["x/a"] == "x-gw1/a"
    assert placement.namespaces == {"x": "x-gw1"}
    assert set(placement.node_of) == {"x/a"}
    assert set(placement.node_ports) == {("svc:x/a", 80, "TCP")}


def test_manifests_move_with_their_selectors_and_shared_namespaces_stay() -> None:
    driver = FakeDriver()
    moved = WorkerDriver(driver, "gw1")
    moved.deploy(TOPOLOGY, lambda _: None)
    selector: dict[str, Any] = {"matchLabels": {"kubernetes.io/metadata.name": "x"}}
    other = {
        "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["x", "kube-system"]}]
    }
    peers = [{"namespaceSelector": selector}, {"namespaceSelector": other}]
    moved.apply([{"kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "x"}, "spec": {"ingress": peers}}])
    (applied,) = driver.applied
    assert applied["metadata"] == {"name": "p", "namespace": "x-gw1"}
    first, second = applied["spec"]["ingress"]
    assert first["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "x-gw1"}
    assert second["namespaceSelector"]["matchExpressions"][0]["values"] == ["x-gw1", "kube-system"]


def test_endpoints_are_opened_under_the_clusters_names() -> None:
    moved = WorkerDriver(FakeDriver(), "gw1")
    moved.deploy(TOPOLOGY, lambda _: None)
    assert [moved.open(e).endpoint for e in ("x/a", "external:s3", "node:0")] == [
        "x-gw1/a",
        "external:s3-gw1",
        "node:0",
    ]  # type: ignore[attr-defined]


def test_what_other_dialects_call_a_namespace_moves_too() -> None:
    driver = FakeDriver()
    moved = WorkerDriver(driver, "gw1")
    moved.deploy(TOPOLOGY, lambda _: None)
    cilium = {
        "toEndpoints": [
            {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "x", "app": "x"}},
            {"matchExpressions": [{"key": "io.kubernetes.pod.namespace", "operator": "In", "values": ["x", "y"]}]},
            {"matchLabels": {"k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name": "x"}},
        ]
    }
    calico = {
        "selector": "app == 'x' && projectcalico.org/namespace == 'x'",
        "source": {"namespaceSelector": "kubernetes.io/metadata.name in {\"x\", 'kube-system'} || has(x)"},
    }
    moved.apply([{"kind": "P", "metadata": {"name": "p", "namespace": "x"}, "cilium": cilium, "calico": calico}])
    (applied,) = driver.applied
    first, second, third = applied["cilium"]["toEndpoints"]
    assert first["matchLabels"] == {"k8s:io.kubernetes.pod.namespace": "x-gw1", "app": "x"}
    assert second["matchExpressions"][0]["values"] == ["x-gw1", "y"]
    assert third["matchLabels"] == {"k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name": "x-gw1"}
    assert applied["calico"]["selector"] == "app == 'x' && projectcalico.org/namespace == 'x-gw1'"
    assert applied["calico"]["source"]["namespaceSelector"] == (
        "kubernetes.io/metadata.name in {\"x-gw1\", 'kube-system'} || has(x)"
    )


def test_a_policy_for_the_whole_cluster_has_only_the_workers_own_pods_as_subjects() -> None:
    driver = FakeDriver()
    moved = WorkerDriver(driver, "gw1")
    moved.deploy(TOPOLOGY, lambda _: None)
    policies: list[dict[str, Any]] = [
        {"kind": "GlobalNetworkPolicy", "spec": {"selector": "all()"}},
        {"kind": "GlobalNetworkPolicy", "spec": {"namespaceSelector": "ns == 'x' || ns == 'y'"}},
        {"kind": "CiliumClusterwideNetworkPolicy", "spec": {"endpointSelector": {"matchLabels": {"app": "web"}}}},
        {"kind": "CiliumClusterwideNetworkPolicy", "specs": [{"endpointSelector": {}}]},
        {"kind": "ClusterNetworkPolicy", "spec": {"subject": {"namespaces": {}}}},
        {"kind": "ClusterNetworkPolicy", "spec": {"subject": {"pods": {"podSelector": {"matchLabels": {"a": "b"}}}}}},
    ]
    written = [{**policy, "metadata": {"name": f"p{number}"}} for number, policy in enumerate(policies)]
    moved.apply(written)
    assert [one["metadata"]["name"] for one in driver.applied] == [f"p{number}-gw1" for number in range(6)]
    every, some, labelled, several, spaces, pods = driver.applied
    ours = {"netproof.dev/worker": "gw1"}
    in_cilium = {"io.cilium.k8s.namespace.labels.netproof.dev/worker": "gw1"}
    assert every["spec"] == {"selector": "all()", "namespaceSelector": "netproof.dev/worker == 'gw1'"}
    assert some["spec"]["namespaceSelector"] == "(ns == 'x' || ns == 'y') && netproof.dev/worker == 'gw1'"
    assert labelled["spec"]["endpointSelector"]["matchLabels"] == {"app": "web", **in_cilium}
    assert several["specs"][0]["endpointSelector"] == {"matchLabels": in_cilium}
    assert spaces["spec"]["subject"]["namespaces"] == {"matchLabels": ours}
    assert pods["spec"]["subject"]["pods"] == {
        "podSelector": {"matchLabels": {"a": "b"}},
        "namespaceSelector": {"matchLabels": ours},
    }
    moved.delete(written)
    assert driver.applied == []


def test_a_workers_namespaces_carry_its_label() -> None:
    driver = FakeDriver()
    deployed: list[Topology] = []
    deploy = driver.deploy
    driver.deploy = lambda topology, say: deployed.append(topology) or deploy(topology, say)  # type: ignore[method-assign, func-returns-value]
    WorkerDriver(driver, "gw1").deploy(TOPOLOGY, lambda _: None)
    (moved,) = deployed
    assert [dict(namespace.labels) for namespace in moved.namespaces] == [{"netproof.dev/worker": "gw1"}]
