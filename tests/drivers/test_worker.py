"""A worker's driver moves namespaces on the cluster, and nobody above notices."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from netproof.catalogue.selection import select_scenarios
from netproof.clusters import recipes
from netproof.drivers import DRIVERS, DriverOptions, create
from netproof.drivers.narrowing import narrow_subjects
from netproof.drivers.renaming import KINDS, Renaming, rename_namespaces
from netproof.drivers.worker import WorkerDriver
from netproof.errors import InputError
from netproof.model import External, Namespace, Pod, Service, ServicePort, Topology
from netproof.policy import READERS, calico, calicoends, cilium
from tests.fakes import FakeDriver

NETWORK_POLICY = ("networking.k8s.io/v1", "NetworkPolicy")

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
    moved.apply([policy(NETWORK_POLICY, {"ingress": [{"from": peers}]})])
    (applied,) = driver.applied
    assert applied["metadata"] == {"name": "p", "namespace": "x-gw1"}
    first, second = applied["spec"]["ingress"][0]["from"]
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


CALICO = ("projectcalico.org/v3", "NetworkPolicy")
GLOBAL = ("projectcalico.org/v3", "GlobalNetworkPolicy")
CLUSTERWIDE = ("cilium.io/v2", "CiliumClusterwideNetworkPolicy")
CILIUM = ("cilium.io/v2", "CiliumNetworkPolicy")
CLUSTER = ("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy")
ADMIN = ("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy")
WORKER = Renaming(names=frozenset({"x", "team-b"}), suffix="-gw1")


def policy(kind: tuple[str, str], spec: Any) -> dict[str, Any]:
    namespaced = kind[1] in ("NetworkPolicy", "CiliumNetworkPolicy")
    metadata = {"name": "p", **({"namespace": "x"} if namespaced else {})}
    return {"apiVersion": kind[0], "kind": kind[1], "metadata": metadata, "spec": spec}


def renamed(kind: tuple[str, str], spec: Any) -> Any:
    return rename_namespaces(policy(kind, spec), WORKER)["spec"]


def test_ciliums_words_for_a_namespace_are_renamed() -> None:
    endpoints = [
        {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "x", "app": "x"}},
        {"matchExpressions": [{"key": "io.kubernetes.pod.namespace", "operator": "In", "values": ["x", "y"]}]},
        {"matchLabels": {"k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name": "x"}},
    ]
    services = [
        {"k8sService": {"serviceName": "x", "namespace": "x"}},
        {"k8sServiceSelector": {"selector": {"matchLabels": {"x": "x"}}, "namespace": "x"}},
    ]
    spec = renamed(
        CILIUM, {"endpointSelector": {}, "egressDeny": [{"toEndpoints": endpoints}, {"toServices": services}]}
    )
    assert spec["egressDeny"][0]["toEndpoints"] == [
        {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "x-gw1", "app": "x"}},
        {"matchExpressions": [{"key": "io.kubernetes.pod.namespace", "operator": "In", "values": ["x-gw1", "y"]}]},
        {"matchLabels": {"k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name": "x-gw1"}},
    ]
    assert spec["egressDeny"][1]["toServices"] == [
        {"k8sService": {"serviceName": "x", "namespace": "x-gw1"}},
        {"k8sServiceSelector": {"selector": {"matchLabels": {"x": "x"}}, "namespace": "x-gw1"}},
    ]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("app == 'x' && projectcalico.org/namespace == 'x'", "app == 'x' && projectcalico.org/namespace == 'x-gw1'"),
        (
            "pcns.projectcalico.org/name   in{'x' , \"team-b\",'y'}",
            "pcns.projectcalico.org/name   in{'x-gw1' , \"team-b-gw1\",'y'}",
        ),
        ("!(pcns.kubernetes.io/metadata.name not  in {'x'})", "!(pcns.kubernetes.io/metadata.name not  in {'x-gw1'})"),
        # These are labels of the pod, of its account, and parts of longer words: no namespace.
        ("kubernetes.io/metadata.name == 'x' || projectcalico.org/name != 'x'", None),
        ("pcsa.projectcalico.org/name == 'x' && projectcalico.org/serviceaccount == 'x'", None),
        ("my.projectcalico.org/namespace == 'x' || a == \"projectcalico.org/namespace == 'x'\"", None),
        ("has(projectcalico.org/namespace) && projectcalico.org/namespace starts with 'te'", None),
        ("", None),
    ],
)
def test_calicos_selectors_of_pods_are_renamed_as_they_are_read(written: str, expected: str | None) -> None:
    assert renamed(CALICO, {"selector": written})["selector"] == (expected or written)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            "kubernetes.io/metadata.name in {\"x\", 'kube-system'} || has(x)",
            "kubernetes.io/metadata.name in {\"x-gw1\", 'kube-system'} || has(x)",
        ),
        ("projectcalico.org/name != 'x'", "projectcalico.org/name != 'x-gw1'"),
        ("projectcalico.org/namespace == 'x' && team == 'x'", None),
        ("global()", None),
    ],
)
def test_calicos_selectors_of_namespaces_are_renamed_as_they_are_read(written: str, expected: str | None) -> None:
    spec = renamed(CALICO, {"ingress": [{"action": "Deny", "source": {"namespaceSelector": written}}]})
    assert spec["ingress"][0]["source"]["namespaceSelector"] == (expected or written)


def test_calicos_services_are_renamed_and_its_accounts_are_not() -> None:
    rule = {
        "destination": {"services": {"name": "x", "namespace": "x"}},
        "source": {"serviceAccounts": {"names": ["x"], "selector": "projectcalico.org/name == 'x'"}},
    }
    spec = renamed(CALICO, {"egress": [rule], "serviceAccountSelector": "projectcalico.org/name == 'x'"})
    assert spec["egress"][0] == {**rule, "destination": {"services": {"name": "x", "namespace": "x-gw1"}}}
    assert spec["serviceAccountSelector"] == "projectcalico.org/name == 'x'"


def test_the_network_policy_apis_selectors_are_renamed() -> None:
    named = {"matchLabels": {"kubernetes.io/metadata.name": "x"}}
    there = {"matchLabels": {"kubernetes.io/metadata.name": "x-gw1"}}
    for kind in (CLUSTER, ADMIN):
        spec = renamed(
            kind,
            {
                "subject": {"pods": {"namespaceSelector": named, "podSelector": named}},
                "egress": [{"action": "Deny", "to": [{"namespaces": named}, {"networks": ["192.0.2.0/24"]}]}],
            },
        )
        # A pod may have any label; that of a namespace stands for its name.
        assert spec["subject"]["pods"] == {"namespaceSelector": there, "podSelector": named}
        assert spec["egress"][0]["to"] == [{"namespaces": there}, {"networks": ["192.0.2.0/24"]}]


UNKNOWN = {
    "a field of Kubernetes": (
        NETWORK_POLICY,
        {"ingress": [{"from": [{"namespace": "x"}]}]},
        r"from\[0\]\.namespace: whether",
    ),
    "a typo": (NETWORK_POLICY, {"ingres": []}, r"spec\.ingres: whether .* did you mean 'ingress'\?"),
    "a key of a selector": (
        NETWORK_POLICY,
        {"ingress": [{"from": [{"namespaceSelector": {"matchNames": ["x"]}}]}]},
        r"namespaceSelector\.matchNames: whether",
    ),
    "Calico Enterprise's domains": (
        CALICO,
        {"egress": [{"action": "Allow", "destination": {"domains": ["x"]}}]},
        r"egress\[0\]\.destination\.domains: whether",
    ),
    "a selector that is none": (CALICO, {"selector": "projectcalico.org/namespace = 'x'"}, "not a selector"),
    "a part of a name": (
        CALICO,
        {"selector": "projectcalico.org/namespace ends with '-b'"},
        r"spec\.selector: '-b' is compared with a part of the namespace's name team-b",
    ),
    "a Secret of Cilium's layer 7": (
        CILIUM,
        {"egress": [{"toPorts": [{"terminatingTLS": {"secret": {"namespace": "x", "name": "s"}}}]}]},
        r"toPorts\[0\]\.terminatingTLS: whether",
    ),
    "Cilium's policy for nodes": (
        CLUSTERWIDE,
        {"nodeSelector": {}, "ingress": [{}]},
        r"spec\.nodeSelector: whether",
    ),
    "a Service by its name in DNS": (
        CILIUM,
        {"egress": [{"toFQDNs": [{"matchName": "api.x.svc.cluster.local"}]}]},
        r"matchName: 'api\.x\.svc\.cluster\.local' is in the namespace x",
    ),
    "a name in DNS of the other dialect": (
        CLUSTER,
        {"egress": [{"action": "Accept", "to": [{"domainNames": ["*.x.svc.cluster.local"]}]}]},
        r"domainNames\[0\]: .* is in the namespace x",
    ),
    "a kind that nobody knows": (("cilium.io/v2", "CiliumEgressGatewayPolicy"), {}, "is not known here"),
    "a policy that a cluster has once": (
        ("policy.networking.k8s.io/v1alpha1", "BaselineAdminNetworkPolicy"),
        {},
        r"BaselineAdminNetworkPolicy of policy\.networking\.k8s\.io/v1alpha1 is not known here .* -n 0 measures",
    ),
    "an object that orders everybody's policies": (("projectcalico.org/v3", "Tier"), {"order": 1}, "is not known here"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_is_not_known_to_name_no_namespace_is_refused(case: str) -> None:
    kind, spec, says = UNKNOWN[case]
    with pytest.raises(InputError, match=says):
        renamed(kind, spec)


def test_names_of_others_and_of_the_internet_stay() -> None:
    names = [{"matchName": "x.example"}, {"matchPattern": "*.y.svc.cluster.local"}]
    assert renamed(CILIUM, {"egress": [{"toFQDNs": names}]})["egress"][0]["toFQDNs"] == names


@pytest.mark.parametrize("odd", [None, "text", [], {"ingress": "text"}, {"ingress": [None, "text"]}])
def test_what_is_of_no_form_is_left_to_the_api_server(odd: Any) -> None:
    for kind in (NETWORK_POLICY, GLOBAL, CLUSTERWIDE, CILIUM, CLUSTER):
        content = rename_namespaces(policy(kind, odd), WORKER)
        narrow_subjects(content, "gw1")
        assert content["spec"] == odd


def test_a_namespace_and_what_is_in_it_are_renamed() -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x", "labels": {"a": "x"}}}
    assert rename_namespaces(space, WORKER)["metadata"] == {"name": "x-gw1", "labels": {"a": "x"}}
    there = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "x"}, "data": {"a": "x"}}
    assert rename_namespaces(there, WORKER) == {**there, "metadata": {"name": "x", "namespace": "x-gw1"}}


def test_every_policy_that_is_read_can_be_renamed_or_is_refused_by_name() -> None:
    assert set(READERS) - KINDS.keys() == {("policy.networking.k8s.io/v1alpha1", "BaselineAdminNetworkPolicy")}
    # Only the readers' own keys: a key that they learn and nobody has classified here would refuse whole policies.
    spec = dict.fromkeys((*calico.SPEC_KEYS, *calico.GLOBAL_KEYS))
    rule = dict.fromkeys(calico.RULE_KEYS) | {"source": dict.fromkeys(calicoends.ENTITY_KEYS)}
    renamed(GLOBAL, {**spec, "ingress": [rule]})
    for prefix, lists in (("from", ("ingress", "ingressDeny")), ("to", ("egress", "egressDeny"))):
        ends = (*cilium.KINDS["ingress" if prefix == "from" else "egress"][1], *cilium.NOT_SAID)
        for key in lists:
            renamed(CILIUM, {key: [dict.fromkeys((*(prefix + end for end in ends), "toPorts", "icmps"))]})


def test_the_whole_catalogue_can_be_measured_by_workers() -> None:
    count = 0
    for scenario in (one for some in select_scenarios("all").values() for one in some):
        spaces = frozenset(namespace.name for namespace in scenario.topology.namespaces)
        renaming = Renaming(names=spaces, suffix="-gw1")
        for step in scenario.steps:
            for manifest in step.policies:
                narrow_subjects(rename_namespaces(manifest, renaming), "gw1")
                count += 1
    assert count > 500


def test_a_policy_for_the_whole_cluster_has_only_the_workers_own_pods_as_subjects() -> None:
    driver = FakeDriver()
    moved = WorkerDriver(driver, "gw1")
    moved.deploy(TOPOLOGY, lambda _: None)
    policies: list[tuple[tuple[str, str], dict[str, Any]]] = [
        (GLOBAL, {"spec": {"selector": "all()"}}),
        (GLOBAL, {"spec": {"namespaceSelector": "ns == 'x' || ns == 'y'"}}),
        (CLUSTERWIDE, {"spec": {"endpointSelector": {"matchLabels": {"app": "web"}}}}),
        (CLUSTERWIDE, {"specs": [{"endpointSelector": {}}]}),
        (CLUSTER, {"spec": {"subject": {"namespaces": {}}}}),
        (ADMIN, {"spec": {"subject": {"pods": {"podSelector": {"matchLabels": {"a": "b"}}}}}}),
    ]
    written = [
        {"apiVersion": version, "kind": kind, "metadata": {"name": f"p{number}"}, **content}
        for number, ((version, kind), content) in enumerate(policies)
    ]
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


def test_only_a_cluster_that_workers_share_is_seen_through_their_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipes.load(recipes.CniVersion(name="reference"))
    options = DriverOptions(run_id="r", worker="gw1")
    assert not isinstance(create(recipe, options), WorkerDriver)
    monkeypatch.setitem(sys.modules, "shared", SimpleNamespace(create=lambda *_: FakeDriver()))  # type: ignore[arg-type]
    monkeypatch.setitem(DRIVERS, "reference", "shared")
    assert isinstance(create(recipe, options), WorkerDriver)
    assert not isinstance(create(recipe, DriverOptions(run_id="r")), WorkerDriver)
