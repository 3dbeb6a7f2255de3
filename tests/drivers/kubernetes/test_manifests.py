"""Pods satisfy Pod Security *restricted* (kubernetes.io/docs/concepts/security/pod-security-standards), and hashes tell
deployments apart."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from netproof.drivers.kubernetes.manifests import Deployment, Terms, deployments, node_deployment, node_order
from netproof.model import Namespace, Pod, Port, Service, ServicePort, Topology

TERMS = Terms(run="r1", token="word", image="python:3", agent=b"print()", nodes=("w1", "w2", "cp"))
WEB = Pod(
    namespace="shop",
    name="web",
    labels={"app": "web"},
    ports=(Port(port=80, name="http"), Port(port=53, protocol="UDP")),
    node=4,
    service_account="web",
)
SERVICE = Service(
    namespace="shop",
    name="web",
    selector={"app": "web"},
    ports=(ServicePort(port=8080, target="http"), ServicePort(port=53, target=53, protocol="UDP")),
)
SHOP = Topology(namespaces=(Namespace(name="shop", labels={"team": "a"}),), pods=(WEB,), services=(SERVICE,))


def only(topology: Topology = SHOP, terms: Terms = TERMS) -> Deployment:
    (deployment,) = deployments(topology, terms)
    return deployment


def test_a_pod_is_restricted() -> None:
    (pod,) = only().pods
    spec: dict[str, Any] = pod["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert spec["automountServiceAccountToken"] is False
    assert spec["hostNetwork"] is False
    assert all(set(volume) - {"name"} <= {"configMap"} for volume in spec["volumes"])
    safe = {"net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range"}
    assert {sysctl["name"] for sysctl in spec["securityContext"]["sysctls"]} <= safe
    assert "hostPort" not in json.dumps(spec)


def test_a_pod_has_exactly_the_topologys_labels_and_ports() -> None:
    (pod,) = only().pods
    assert pod["metadata"]["labels"] == {"app": "web"}
    assert pod["spec"]["containers"][0]["ports"] == [
        {"containerPort": 80, "protocol": "TCP", "name": "http"},
        {"containerPort": 53, "protocol": "UDP"},
    ]
    assert pod["spec"]["containers"][0]["command"][3:5] == ["/netproof/agent.pyz", "serve"]
    assert json.loads(pod["spec"]["containers"][0]["command"][5]) == {
        "name": "shop/web",
        "token": "word",
        "ports": [{"port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}],
    }


def test_node_indexes_wrap_around() -> None:
    (pod,) = only().pods
    assert pod["spec"]["nodeName"] == "w2"
    assert {"operator": "Exists"} in pod["spec"]["tolerations"]


def test_workers_come_before_control_planes_in_natural_order() -> None:
    def node(name: str, *roles: str) -> dict[str, Any]:
        labels = {f"node-role.kubernetes.io/{role}": "" for role in roles}
        return {"metadata": {"name": name, "labels": labels}}

    nodes = [node("a-control-plane", "control-plane"), node("a-worker10"), node("a-worker2"), node("a-worker")]
    assert node_order(nodes) == ["a-worker", "a-worker2", "a-worker10", "a-control-plane"]


def test_the_accounts_and_the_agent_of_a_namespace_come_before_its_pods() -> None:
    kinds = [(item["kind"], item["metadata"]["name"]) for item in only().basis]
    assert kinds[:2] == [("ServiceAccount", "default"), ("ServiceAccount", "web")]
    assert kinds[2][0] == "ConfigMap"


def test_a_host_network_pod_says_so_to_pod_security_and_asks_for_no_sysctl() -> None:
    host = only(replace(SHOP, pods=(replace(WEB, host_network=True),)))
    assert host.namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    assert "sysctls" not in host.pods[0]["spec"]["securityContext"]
    assert "pod-security.kubernetes.io/enforce" not in only().namespace["metadata"]["labels"]


def test_nodes_have_a_pod_each_that_listens_nowhere() -> None:
    nodes = node_deployment("netproof-nodes", 5, TERMS)
    assert [(pod["metadata"]["name"], pod["spec"]["nodeName"]) for pod in nodes.pods] == [
        ("node-0", "w1"),
        ("node-1", "w2"),
        ("node-2", "cp"),
    ]
    assert json.loads(nodes.pods[0]["spec"]["containers"][0]["command"][5]) == {
        "name": "node:0",
        "token": "word",
        "ports": [],
    }


@pytest.mark.parametrize(
    ("service", "wanted"),
    [
        (SERVICE, {"type": "ClusterIP"}),
        (replace(SERVICE, headless=True), {"type": "ClusterIP", "clusterIP": "None"}),
        (replace(SERVICE, node_port=True), {"type": "NodePort", "externalTrafficPolicy": "Local"}),
        (
            replace(SERVICE, node_port=True, external_traffic_policy="Cluster"),
            {"type": "NodePort", "externalTrafficPolicy": "Cluster"},
        ),
    ],
)
def test_services(service: Service, wanted: dict[str, str]) -> None:
    (manifest,) = only(replace(SHOP, services=(service,))).services
    keys = ("type", "clusterIP", "externalTrafficPolicy")
    assert {key: manifest["spec"][key] for key in keys if key in manifest["spec"]} == wanted
    assert [port["targetPort"] for port in manifest["spec"]["ports"]] == ["http", 53]
    assert len({port["name"] for port in manifest["spec"]["ports"]}) == 2


def test_the_hash_is_of_the_content_and_not_of_the_run() -> None:
    assert only().digest == only(terms=replace(TERMS, run="r2")).digest
    assert only().namespace["metadata"]["annotations"]["netproof.dev/spec"] == only().digest
    assert (
        only().namespace["metadata"]["labels"] == only(terms=replace(TERMS, run="r2")).namespace["metadata"]["labels"]
    )
    others = [
        only(replace(SHOP, pods=(replace(WEB, labels={"app": "other"}),))),
        only(replace(SHOP, services=())),
        only(replace(SHOP, namespaces=(Namespace(name="shop"),))),
        only(terms=replace(TERMS, agent=b"print(1)")),
        only(terms=replace(TERMS, image="python:4")),
    ]
    assert len({only().digest, *(one.digest for one in others)}) == 6
