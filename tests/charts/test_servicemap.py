"""Service maps: the documented example, what is meant, generated policies, and each message with its line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from netproof.charts import Plan, map_plan
from netproof.charts.intent import build_intended
from netproof.errors import InputError
from netproof.model import Intent, Probe

from .placing import differences

DOCUMENT = Path(__file__).parents[2] / "docs" / "service-maps.md"
CONNECTED, DENIED = Intent.CONNECTED, Intent.DENIED


def examples() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), flags=re.DOTALL)


def write(folder: Path, text: str, name: str = "map.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def shop(tmp_path: Path) -> Plan:
    return map_plan(write(tmp_path, examples()[0]))


def policy(plan: Plan, name: str) -> dict[str, Any]:
    return next(dict(manifest["spec"]) for manifest in plan.manifests if manifest["metadata"]["name"] == name)


def test_the_documented_example(shop: Plan) -> None:
    assert shop.name == "shop"
    assert [(pod.id, pod.node) for pod in shop.topology.pods] == [
        ("shop/web-0", 0),
        ("shop/web-1", 1),
        ("shop/api", 0),
        ("shop/worker", 1),
        ("monitoring/prometheus", 0),
        ("shop/stranger", 0),
        ("shop-neighbour/neighbour", 1),
    ]
    assert {namespace.name: dict(namespace.labels) for namespace in shop.topology.namespaces} == {
        "shop": {},
        "monitoring": {"team": "platform"},
        "shop-neighbour": {},
    }
    assert shop.warnings == ()
    web = shop.topology.service("svc:shop/web")
    assert web is not None
    assert [(port.port, port.target, port.name) for port in web.ports] == [(8080, 8080, "http")]
    assert [pod.name for pod in shop.topology.backends(web)] == ["web-0", "web-1"]


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        (Probe(source="shop/web-1", destination="shop/api", port=50051), CONNECTED),
        (Probe(source="shop/web-1", destination="shop/api", port=50051, protocol="UDP"), CONNECTED),
        (Probe(source="shop/web-0", destination="shop/web-1", port=8080), DENIED),
        (Probe(source="shop/worker", destination="shop/api", port=50051), DENIED),
        (Probe(source="shop/api", destination="external:s3", port=443, via="address"), CONNECTED),
        (Probe(source="shop/web-0", destination="external:s3", port=443, via="address"), DENIED),
        (Probe(source="shop/api", destination="external:outsider", port=443, via="address"), DENIED),
        (Probe(source="monitoring/prometheus", destination="external:outsider", port=443, via="address"), CONNECTED),
        (Probe(source="monitoring/prometheus", destination="shop/web-0", port=9090), CONNECTED),
        (Probe(source="monitoring/prometheus", destination="shop/web-0", port=8080), DENIED),
        (Probe(source="monitoring/prometheus", destination="shop/stranger", port=443), CONNECTED),
        (Probe(source="shop/stranger", destination="monitoring/prometheus", port=9090), CONNECTED),
        (Probe(source="shop-neighbour/neighbour", destination="shop/api", port=50051), DENIED),
        (Probe(source="external:outsider", destination="svc:shop/web", port=8080, via="nodeport"), CONNECTED),
        (Probe(source="external:internet", destination="svc:shop/api", port=50051, via="nodeport"), DENIED),
        (Probe(source="node:0", destination="shop/web-0", port=8080), CONNECTED),
        (Probe(source="node:0", destination="shop/web-0", port=9090), DENIED),
        (Probe(source="node:1", destination="monitoring/prometheus", port=9090), CONNECTED),
    ],
    ids=str,
)
def test_what_the_example_means(shop: Plan, probe: Probe, expected: Intent) -> None:
    assert shop.intended()[probe] is expected


def test_what_the_example_renders(shop: Plan) -> None:
    assert [manifest["metadata"]["name"] for manifest in shop.manifests] == ["web", "api", "worker"]
    assert policy(shop, "web")["ingress"] == [
        {
            "from": [
                {
                    "podSelector": {"matchLabels": {"app": "prometheus"}},
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
                }
            ],
            "ports": [{"port": 9090, "protocol": "TCP"}],
        },
        {"ports": [{"port": 8080, "protocol": "TCP"}]},
    ]
    assert policy(shop, "web")["egress"][0] == {
        "to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "api", "tier": "backend"}}}],
        "ports": [{"port": 50051, "protocol": "TCP"}, {"port": 50051, "protocol": "UDP"}],
    }
    assert policy(shop, "worker")["ingress"] == []
    assert policy(shop, "worker")["egress"][-1] == {
        "to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}],
        "ports": [{"port": 5432, "protocol": "TCP"}, {"port": 443, "protocol": "TCP"}],
    }


def test_the_documented_values(tmp_path: Path) -> None:
    plan = map_plan(write(tmp_path, examples()[0]), write(tmp_path, examples()[-1], "values.yaml"))
    assert {"ports": [{"port": 8080, "protocol": "TCP"}]} not in policy(plan, "web")["ingress"]
    assert policy(plan, "api")["egress"][-1]["to"] == [{"ipBlock": {"cidr": "198.51.100.0/24"}}]
    assert plan.warnings == (
        "web: no rule can be made for internet, since a map has no addresses of outside sources; set externalIngress, "
        "or web.networkPolicy.additionalIngress with an ipBlock",
    )


CLOSED = """
name: closed
namespace: closed
services:
  - name: front
    ports: [80]
    ingressFrom: []
    egressTo: [{app: back}]
  - name: back
    ports: [81]
    ingressFrom: [{app: front}]
    egressTo: []
"""


def test_a_map_without_the_outside_differs_only_by_own_nodes(tmp_path: Path) -> None:
    plan = map_plan(write(tmp_path, CLOSED))
    assert {str(probe) for probe in differences(plan)} == {
        "node:0 → closed/front:80/TCP",
        "node:1 → closed/back:81/TCP",
    }
    assert differences(plan, "egress") == {}


def test_default_bystanders_and_the_outsider(tmp_path: Path) -> None:
    topology = map_plan(write(tmp_path, CLOSED)).topology
    stranger, neighbour = topology.pods[2:]
    assert (stranger.id, dict(stranger.labels)) == ("closed/stranger", {"app": "stranger"})
    assert (neighbour.id, dict(neighbour.labels)) == ("closed-neighbour/neighbour", {"app": "front"})
    assert [port.port for port in stranger.ports] == [port.port for port in neighbour.ports] == [443, 5432]
    assert [(external.id, external.ports) for external in topology.externals] == [("external:outsider", ())]


def test_default_bystanders_listen_where_the_outside_does(tmp_path: Path) -> None:
    text = CLOSED + "external: {destinations: [{name: search, ports: [9200, 443, {port: 514, protocol: UDP}]}]}\n"
    stranger = map_plan(write(tmp_path, text)).topology.pods[2]
    listening = [(port.port, port.protocol) for port in stranger.ports]
    assert listening == [(443, "TCP"), (5432, "TCP"), (9200, "TCP"), (514, "UDP")]


def test_a_service_may_be_called_stranger(tmp_path: Path) -> None:
    plan = map_plan(write(tmp_path, CLOSED.replace("front", "stranger")))
    assert plan.topology.pods[2].id == "closed/stranger-2"


def test_services_may_have_names_that_pydantic_has(tmp_path: Path) -> None:
    plan = map_plan(write(tmp_path, CLOSED.replace("front", "model-dump").replace("back", "copy")))
    assert [manifest["metadata"]["name"] for manifest in plan.manifests] == ["model-dump", "copy"]


def test_an_unrestricted_service_has_no_policy_and_is_meant_to_be_reached(tmp_path: Path) -> None:
    plan = map_plan(write(tmp_path, "name: a\nnamespace: a\nservices: [{name: open, ports: [80]}]\n"))
    assert plan.manifests == ()
    assert {*plan.intended().cells.values()} == {CONNECTED}
    assert differences(plan) == {}


def test_ports_by_pod_address_only_have_no_service(tmp_path: Path) -> None:
    text = "name: a\nnamespace: a\nservices: [{name: hidden, ports: [{port: 80, service: false}], ingressFrom: []}]\n"
    plan = map_plan(write(tmp_path, text))
    assert plan.topology.services == ()
    assert {probe.via for probe in plan.intended()} == {"pod", "service"}
    assert {p.destination for p in plan.intended() if p.via == "service"} == {"svc:kube-system/kube-dns"}


def test_policies_switched_off(tmp_path: Path) -> None:
    plan = map_plan(write(tmp_path, CLOSED), {"global": {"networkPolicy": {"enabled": False}}})
    assert plan.manifests == ()
    assert {*plan.intended().cells.values()} == {CONNECTED}


def test_telemetry_to_a_service_of_the_map(tmp_path: Path) -> None:
    observability = {"otlpEnabled": True, "otlpEndpoint": "back:81"}
    plan = map_plan(write(tmp_path, CLOSED), {"global": {"observability": observability}})
    assert plan.intended()[Probe(source="closed/stranger", destination="closed/back", port=81)] is CONNECTED
    assert plan.intended()[Probe(source="closed-neighbour/neighbour", destination="closed/back", port=81)] is DENIED
    assert {str(probe) for probe in differences(plan)} == {
        "node:0 → closed/front:80/TCP",
        "node:1 → closed/back:81/TCP",
    }


def test_an_outside_source_without_external_ingress(tmp_path: Path) -> None:
    text = CLOSED.replace("ingressFrom: []", "ingressFrom: [{external: lb}]") + "external: {sources: [{name: lb}]}\n"
    plan = map_plan(write(tmp_path, text))
    probe = Probe(source="external:lb", destination="svc:closed/front", port=80, via="nodeport")
    assert plan.intended()[probe] is CONNECTED
    other = Probe(source="external:outsider", destination="svc:closed/front", port=80, via="nodeport")
    assert plan.intended()[other] is DENIED
    assert len(plan.warnings) == 1
    assert plan.warnings[0].startswith("front: no rule can be made for lb,")


def test_one_sided_arrows_are_warned_of_and_not_meant(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
name: a
namespace: a
services:
  - name: one
    ports: [80]
    ingressFrom: []
    egressTo:
      - {app: two}
  - name: two
    ports: [81]
    ingressFrom:
      - {app: three}
  - name: three
    ports: [82]
    egressTo: []
""",
    )
    plan = map_plan(file)
    assert plan.warnings == (
        f"{file}:9: one lists egress to two:81, but ingressFrom of two does not list one: not intended",
        f"{file}:13: two:81 admits three, but egressTo of three does not list it: not intended",
    )
    assert plan.intended()[Probe(source="a/one", destination="a/two", port=81)] is DENIED
    assert plan.intended("egress")[Probe(source="a/one", destination="a/two", port=81)] is CONNECTED
    assert plan.intended("ingress")[Probe(source="a/three", destination="a/two", port=81)] is CONNECTED


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ports: [80]", "prots: [80]", "6: services[0].prots: unknown key; did you mean 'ports'?"),
        ("    ports: [80]\n", "", "5: services[0].ports: this key is needed"),
        ("namespace: closed\n", "", "2: namespace: this key is needed"),
        (
            "ports: [80]",
            "ports: [{port: 80, nam: http}]",
            "6: services[0].ports[0].nam: unknown key; did you mean 'name'?",
        ),
        (
            "ports: [80]",
            "ports: [800000]",
            "6: services[0].ports[0]: a port number from 1 to 65535 is expected (got 800000)",
        ),
        (
            "ports: [80]",
            "ports: [http]",
            "6: services[0].ports[0]: a port number from 1 to 65535 is expected (got 'http')",
        ),
        ("ports: [80]", "ports: [80, 80]", "6: services[0].ports[1]: port 80/TCP stands twice"),
        (
            "ports: [80]",
            "ports: [{port: 80, name: a}, {port: 81, name: a}]",
            "6: services[0].ports[1].name: the port name 'a' stands twice",
        ),
        (
            "ports: [80]",
            "ports: [{port: 80, protocol: tcp}]",
            "6: services[0].ports[0].protocol: Input should be 'TCP', 'UDP' or 'SCTP' (got 'tcp')",
        ),
        (
            "{app: back}",
            "{app: bakc}",
            "8: services[0].egressTo[0].app: no service is called 'bakc'; did you mean 'back'?",
        ),
        (
            "{app: back}",
            '"s3:443"',
            "8: services[0].egressTo[0]: no destination in external.destinations is called 's3'; none is known here",
        ),
        (
            "{app: front}",
            "{external: lb}",
            "11: services[1].ingressFrom[0].external: no source in external.sources is called 'lb'; none is known here",
        ),
        (
            "{app: front}",
            "front",
            "11: services[1].ingressFrom[0]: write {app: front} for a service, or {external: front} for an outside "
            "source",
        ),
        (
            "{app: front}",
            "{app: front, ports: [82]}",
            "11: services[1].ingressFrom[0].ports[0]: back has no port 82; did you mean '81'?",
        ),
        (
            "{app: front}",
            "{app: front, ports: [grpc]}",
            "11: services[1].ingressFrom[0].ports[0]: back has no port 'grpc'; known here: 81",
        ),
        (
            "{app: front}",
            "{ports: [81]}",
            "11: services[1].ingressFrom[0]: name one peer: either `app` or `external`",
        ),
        ("name: back", "name: front", "9: services[1].name: 'front' stands twice in this list"),
        ("name: back", "name: global", "9: services[1].name: 'global' is a block of the values; choose another name"),
        (
            "name: back",
            "name: Back",
            "9: services[1].name: 'Back' cannot name an object: lower-case letters, digits and '-', starting with a "
            "letter, at most 63",
        ),
        (
            "ports: [81]",
            "ports: [81]\n    labels: {app: front}",
            "11: services[1].labels: the labels of front select the pods of back too; make them differ",
        ),
        (
            "ports: [81]",
            "ports: [81]\n    labels: {}",
            "11: services[1].labels: without labels its Service selects nothing",
        ),
        (
            "ports: [81]",
            "ports: [81]\n    replicas: 0",
            "11: services[1].replicas: Input should be greater than or equal to 1 (got 0)",
        ),
        (
            "    ingressFrom: []\n",
            "    externalIngress: true\n",
            "7: services[0].externalIngress: says nothing while `ingressFrom` is absent (unrestricted); "
            "list ingressFrom, [] for no pod",
        ),
        ("services:", "sevices:", "4: sevices: unknown key; did you mean 'services'?"),
    ],
)
def test_faults_name_their_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in CLOSED
    file = write(tmp_path, CLOSED.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        map_plan(file)
    assert str(caught.value).removeprefix(f"{file}:") == message


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            "external: {destinations: [{name: outsider, ports: [1]}]}",
            "13: external.destinations[0].name: 'outsider' is the outside host that no map lists; choose another",
        ),
        ("external: {destination: []}", "13: external.destination: unknown key; did you mean 'destinations'?"),
        ("bystanders: [{name: front}]", "13: bystanders[0].name: two pods would be called 'front'"),
        (
            "bystanders: [{name: other, labels: {app: back, more: x}}]",
            "13: bystanders[0].labels: the labels of back select the pods of other too; make them differ",
        ),
        (
            "bystanders: [{name: other, labels: {app: 'a b'}}]",
            "13: bystanders[0].labels: 'app': 'a b' is not a label that Kubernetes accepts",
        ),
    ],
)
def test_faults_of_the_rest(tmp_path: Path, extra: str, message: str) -> None:
    file = write(tmp_path, CLOSED + extra + "\n")
    with pytest.raises(InputError) as caught:
        map_plan(file)
    assert str(caught.value).removeprefix(f"{file}:") == message


def test_values_of_an_unknown_service(tmp_path: Path) -> None:
    values = write(tmp_path, "front: {}\nbakc: {}\n", "values.yaml")
    with pytest.raises(InputError) as caught:
        map_plan(write(tmp_path, CLOSED), values)
    assert str(caught.value) == f"{values}:2: bakc: unknown key; did you mean 'back'?"


def test_a_wrong_policy_of_ones_own_is_told_with_its_line(tmp_path: Path) -> None:
    text = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec:\n  podSelecter: {}\n"
    policies = write(tmp_path, text, "policies.yaml")
    with pytest.raises(InputError) as caught:
        map_plan(write(tmp_path, CLOSED), policies=policies)
    said = "NetworkPolicy closed/a: spec.podSelecter: unknown key; did you mean 'podSelector'?"
    assert str(caught.value) == f"{policies}:5: {said}"


def test_own_policies(tmp_path: Path) -> None:
    manifests = [
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "here"}, "spec": {}},
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "there", "namespace": "elsewhere"},
            "spec": {},
        },
    ]
    policies = write(tmp_path, yaml.safe_dump_all(manifests), "policies.yaml")
    plan = map_plan(write(tmp_path, CLOSED), policies=policies)
    assert [manifest["metadata"].get("namespace") for manifest in plan.manifests] == ["closed", "elsewhere"]
    assert plan.warnings == ("NetworkPolicy elsewhere/there: the map has no pod in that namespace",)
    with pytest.raises(InputError, match="with policies of your own, leave them out"):
        map_plan(write(tmp_path, CLOSED), values={}, policies=policies)


def test_some_ports_are_open_to_the_outside(tmp_path: Path) -> None:
    text = (
        "name: a\nnamespace: 1vault\nservices:\n  - name: web\n    ports: [{name: https, port: 8443}, 9402]\n"
        "    ingressFrom: []\n    externalIngress: [https]\n"
    )
    plan = map_plan(write(tmp_path, text))
    assert plan.service_map is not None
    meant = {
        probe.port
        for probe, intent in build_intended(plan.service_map).cells.items()
        if probe.source == "external:outsider" and intent is Intent.CONNECTED
    }
    (rule,) = plan.manifests[0]["spec"]["ingress"]
    assert (meant, rule) == ({8443}, {"ports": [{"port": 8443, "protocol": "TCP"}]})
    with pytest.raises(InputError, match=r"externalIngress\[0\]: web has no port 'http'"):
        map_plan(write(tmp_path, text.replace("[https]", "[http]")))
