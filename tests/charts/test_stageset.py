"""The Stageset chart: its tables cell by cell, what each engine renders, its values' faults and its warnings."""

from __future__ import annotations

import fnmatch
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from netproof.catalogue.scenarios import Scenario
from netproof.catalogue.selection import select_scenarios
from netproof.charts import Plan, chart_plan, findings_path
from netproof.charts.stageset import ENGINES
from netproof.charts.stageset.order import ALLOWLIST, deny_order
from netproof.charts.stageset.values import ENGINES as NAMES
from netproof.clusters import recipes, reviews
from netproof.clusters.recipes import CniVersion
from netproof.errors import InputError
from netproof.model import Intent, Probe

CALICO = recipes.load(CniVersion(name="calico")).version
GOLDEN = list(yaml.safe_load_all((Path(__file__).parent / "stageset.golden.yaml").read_text(encoding="utf-8")))
CUT_OFF = (
    "this cuts the controller off from the cluster; it can no longer read or write any object, "
    "and every reconcile fails"
)

CONTROLLER = "stageset/controller"
PEERS = ("kube-apiserver", "prometheus", "flagger", "source-controller", "minio", "otel-collector")

# The document's ingress table, read by hand: who reaches which port, by pod and by Service.
INGRESS = {
    ("control-plane/kube-apiserver", 9443, 443),
    ("monitoring/prometheus", 8080, 8080),
    ("flagger-system/flagger", 8082, 8082),
}
# The egress table: pods with their port and their Service's, and hosts outside.
EGRESS_PODS = {
    ("control-plane/kube-apiserver", 16443, 443),
    ("flux-system/source-controller", 9090, 80),
    ("minio/minio", 9000, 9000),
    ("observability/otel-collector", 4317, 4317),
}
EGRESS_OUTSIDE = {("remote-apiserver", 6443), ("s3", 443), ("otlp", 4317), ("http-target", 443)}


def on(more: dict[str, Any] | None = None, **top: Any) -> dict[str, Any]:
    """Values with the policies switched on, and more of networkPolicy or beside it."""
    return {"networkPolicy": {"enabled": True, **(more or {})}, **top}


def meant(plan: Plan, **ends: str) -> set[Probe]:
    """The cells with these ends that are meant to connect."""
    return {
        probe
        for probe, intent in plan.intended().cells.items()
        if intent is Intent.CONNECTED and all(getattr(probe, end).endswith(name) for end, name in ends.items())
    }


def into_controller(rows: set[tuple[str, int, int]]) -> set[Probe]:
    found = set()
    for source, pod_port, service_port in rows:
        found.add(Probe(source=source, destination=CONTROLLER, port=pod_port))
        found.add(Probe(source=source, destination=f"svc:{CONTROLLER}", port=service_port, via="service"))
    return found


def test_the_ingress_table_is_the_intended_matrix() -> None:
    # The API server has its node's address, so what is meant for it is meant for that node.
    apiserver = Probe(source="node:1", destination=CONTROLLER, port=9443)
    assert meant(chart_plan("stageset", on()), destination=CONTROLLER) == into_controller(INGRESS) | {apiserver}


def test_the_egress_table_is_the_intended_matrix() -> None:
    plan = chart_plan("stageset", on({"egress": {"enabled": True}}))
    expected = set()
    for target, pod_port, service_port in EGRESS_PODS:
        expected.add(Probe(source=CONTROLLER, destination=target, port=pod_port))
        expected.add(Probe(source=CONTROLLER, destination=f"svc:{target}", port=service_port, via="service"))
    for name, port in EGRESS_OUTSIDE:
        expected.add(Probe(source=CONTROLLER, destination=f"external:{name}", port=port, via="address"))
    for protocol in ("UDP", "TCP"):
        dns = "svc:kube-system/kube-dns"
        expected.add(
            Probe(source=CONTROLLER, destination=dns, port=53, protocol=protocol, via="service", kind="lookup")
        )
    assert meant(plan, source=CONTROLLER) == expected


def test_while_egress_is_off_everything_may_leave() -> None:
    plan = chart_plan("stageset", on())
    assert {intent for probe, intent in plan.intended().cells.items() if probe.source == CONTROLLER} == {
        Intent.CONNECTED
    }


@pytest.mark.parametrize(("mode", "row"), [("webhook", 9443), ("gate", 8082)])
def test_a_mode_that_is_off_takes_its_row_away(mode: str, row: int) -> None:
    plan = chart_plan("stageset", on(**{mode: {"enabled": False}}))
    rows = {entry for entry in INGRESS if entry[1] != row}
    nodes = {Probe(source="node:1", destination=CONTROLLER, port=9443)} if mode == "gate" else set()
    assert meant(plan, destination=CONTROLLER) == into_controller(rows) | nodes


def test_nothing_is_meant_to_be_denied_while_policies_are_off() -> None:
    plan = chart_plan("stageset")
    assert plan.manifests == ()
    assert set(plan.intended().cells.values()) == {Intent.CONNECTED}


def test_neighbours_are_meant_to_be_untouched_and_are_left_out_alone() -> None:
    shared, alone = (
        chart_plan(name, on({"defaultDeny": {"enabled": True}})) for name in ("stageset", "stageset-alone")
    )
    into = {intent for probe, intent in shared.intended().cells.items() if probe.destination == "stageset/neighbour"}
    assert into == {Intent.CONNECTED}
    assert shared.manifests == alone.manifests
    assert [pod.id for pod in alone.topology.pods if pod.namespace == "stageset"] == [CONTROLLER]
    assert set(alone.intended()) == {
        probe for probe in shared.intended() if "neighbour" not in probe.source + probe.destination
    }


def test_the_ports_of_the_values_are_the_controllers() -> None:
    plan = chart_plan("stageset", on(ports={"webhook": 10250, "gate": 9082}))
    controller = plan.topology.pod(CONTROLLER)
    assert controller is not None
    assert {port.name: port.port for port in controller.ports} == {
        "webhook": 10250,
        "metrics": 8080,
        "gate": 9082,
        "health": 8081,
    }
    rows = {
        ("control-plane/kube-apiserver", 10250, 443),
        ("monitoring/prometheus", 8080, 8080),
        ("flagger-system/flagger", 9082, 9082),
    }
    node = Probe(source="node:1", destination=CONTROLLER, port=10250)
    assert meant(plan, destination=CONTROLLER) == into_controller(rows) | {node}


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["id"])
def test_what_an_engine_renders(case: dict[str, Any]) -> None:
    plan = chart_plan("stageset", case["values"])
    assert list(plan.manifests) == case["manifests"]
    again = chart_plan("stageset", case["values"])
    assert yaml.safe_dump(list(again.manifests)) == yaml.safe_dump(list(plan.manifests))
    assert "&id" not in yaml.safe_dump(list(plan.manifests))


def test_every_engine_has_a_name_and_a_renderer() -> None:
    assert tuple(ENGINES) == NAMES
    assert {case["id"].partition(",")[0] for case in GOLDEN} == set(NAMES)


def schema(file: str, name: str) -> dict[str, Any]:
    """The schema of a CRD in the artifact directory; unknown keys are errors. Skips where there is none."""
    path = Path(os.environ.get("NETPROOF_ARTIFACTS", "")) / file
    if not os.environ.get("NETPROOF_ARTIFACTS") or not path.exists():
        pytest.skip(f"needs {file} in $NETPROOF_ARTIFACTS")
    documents = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    crd = next(document for document in documents if document and document["metadata"]["name"] == name)
    found: dict[str, Any] = closed(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"])
    return found


def closed(node: Any) -> Any:
    if isinstance(node, dict):
        node = {key: closed(value) for key, value in node.items() if key != "format"}
        if isinstance(node.get("properties"), dict) and node.get("type") == "object":
            node.setdefault("additionalProperties", False)
        return node
    return [closed(item) for item in node] if isinstance(node, list) else node


@pytest.mark.parametrize(
    ("engine", "file", "name"),
    [
        ("calico", f"calico/{CALICO}/calico-vxlan.yaml", "networkpolicies.crd.projectcalico.org"),
        (
            "clusterNetworkPolicy",
            "network-policy-api/v0.2.0/policy.networking.k8s.io_clusternetworkpolicies.yaml",
            "clusternetworkpolicies.policy.networking.k8s.io",
        ),
    ],
)
def test_the_api_server_would_take_it(engine: str, file: str, name: str) -> None:
    wanted = schema(file, name)
    cases = [case for case in GOLDEN if case["id"].startswith(f"{engine},")]
    for manifest in (manifest for case in cases for manifest in chart_plan("stageset", case["values"]).manifests):
        jsonschema.validate(manifest["spec"], wanted)


def test_findings_name_scenarios_and_chapters_that_exist() -> None:
    ids = {scenario.id for found in select_scenarios("stageset").values() for scenario in found}
    root = Path(__file__).parent.parent.parent
    for entry in reviews.load(findings_path("stageset"), "policy").entries:
        given = [entry.scenarios, *(pattern.scenario for pattern in entry.cells)]
        named = {name for one in given for name in ([one] if isinstance(one, str) else one or [])}
        assert [pattern for pattern in named if not fnmatch.filter(ids, pattern)] == [], entry.id
        file, _, anchor = entry.link.partition("#")
        titles = re.findall(r"^#+ (.*)$", (root / file).read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert anchor in {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}, entry.id


def catalogue() -> dict[str, Scenario]:
    return {scenario.id: scenario for found in select_scenarios("stageset").values() for scenario in found}


def test_variants_refer_to_a_scenario_with_the_same_cells_of_the_chart() -> None:
    known = catalogue()
    for scenario in known.values():
        assert scenario.variant_of in known, scenario.id
        other = known[scenario.variant_of]
        assert other.variant_of == other.id, scenario.id
        mine, theirs = scenario.steps[0].intended.cells, other.steps[0].intended.cells
        assert {p: mine[p] for p in mine if p in theirs} == {p: theirs[p] for p in theirs if p in mine}, scenario.id
        assert mine.keys() == theirs.keys(), scenario.id


def test_engines_of_one_intent_are_all_different() -> None:
    by: dict[str, list[str]] = {}
    for scenario in catalogue().values():
        by.setdefault(scenario.variant_of, []).append(scenario.engine)
    assert [of for of, engines in by.items() if len(set(engines)) < len(engines)] == []
    assert sorted(of for of, engines in by.items() if len(engines) == len(NAMES)) == [
        "stageset-default-deny-alone",
        "stageset-default-deny-shared",
        "stageset-developers-policy",
        "stageset-egress-complete",
        "stageset-egress-nothing-listed",
        "stageset-egress-off",
        "stageset-egress-without-dns",
        "stageset-egress-without-the-apiserver",
        "stageset-enabled",
        "stageset-gate-off",
        "stageset-narrowed",
        "stageset-neighbours-own-policy",
        "stageset-webhook-off",
    ]


@pytest.mark.parametrize("scenario", ["stageset-egress-nothing-listed", "stageset-cilium-as-documented"])
def test_being_cut_off_is_warned_of_before_it_happens(scenario: str) -> None:
    known = catalogue()
    for one in (one for one in known.values() if one.variant_of == scenario):
        assert any(CUT_OFF in warning for warning in one.warnings), one.id


@pytest.mark.parametrize("engine", sorted(ALLOWLIST))
@pytest.mark.parametrize("order", [-5, 0, 499, 500, 501, 999, 1000, 1001, 2000, 10**6])
def test_the_default_deny_stays_behind_the_allowlist(engine: str, order: int) -> None:
    values = on({"engine": engine, "defaultDeny": {"enabled": True, "order": order}})
    plan = chart_plan("stageset-alone", values)
    key = "order" if engine == "calico" else "priority"
    allowlist, deny = (manifest["spec"][key] for manifest in plan.manifests)
    assert allowlist < deny == deny_order(engine, order)
    assert engine == "calico" or 0 <= deny <= 1000
    assert bool(plan.warnings) == (deny != order)


def test_a_passthrough_needs_no_dns_proxy_without_names() -> None:
    values = on({"engine": "cilium", "egress": {"enabled": True}, "cilium": {"egress": [{"toEntities": ["world"]}]}})
    dns = chart_plan("stageset", values).manifests[0]["spec"]["egress"][-1]
    assert "rules" not in dns["toPorts"][0]


def test_too_many_rules_for_a_cluster_network_policy() -> None:
    rule = {"action": "Accept", "from": [{"namespaces": {}}]}
    fits = on({"engine": "clusterNetworkPolicy", "clusterNetworkPolicy": {"ingress": [rule] * 21}})
    assert len(chart_plan("stageset", fits).manifests[0]["spec"]["ingress"]) == 25
    with pytest.raises(InputError, match="takes at most 25 ingress rules, and with the chart's own there are 26"):
        chart_plan("stageset", on({"engine": "clusterNetworkPolicy", "clusterNetworkPolicy": {"ingress": [rule] * 22}}))


APISERVER = {"to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}], "ports": [{"port": 443}]}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (on(), []),
        (on({"egress": {"enabled": True, "to": [APISERVER]}}), []),
        ({"networkPolicy": {"egress": {"enabled": True}}}, []),
        (
            on({"egress": {"enabled": True}}),
            [
                "networkPolicy.egress is enabled, but no rule of networkPolicy.egress.to names addresses that could be "
                f"the kube-apiserver's: {CUT_OFF}"
            ],
        ),
        (
            on({"egress": {"enabled": True, "dns": False}}),
            [
                "networkPolicy.egress is enabled and allows nothing: an empty allowlist denies all that it sends",
                "networkPolicy.egress is enabled, but no rule of networkPolicy.egress.to names addresses that could be "
                f"the kube-apiserver's: {CUT_OFF}",
                "networkPolicy.egress.dns is false: without cluster DNS every other egress flow fails name resolution",
            ],
        ),
        (
            on({"egress": {"enabled": True, "to": [APISERVER, {"to": [{"namespaceSelector": {}}]}]}}),
            ["networkPolicy.egress.to[1] has no ports: it opens every port of its peers"],
        ),
        (
            on({"egress": {"to": [APISERVER]}}),
            ["networkPolicy.egress.to has rules, but networkPolicy.egress.enabled is false: they change nothing"],
        ),
        (
            on({"webhook": {"from": [{"podSelector": {}}]}}, webhook={"enabled": False}),
            ["networkPolicy.webhook.from is set, but webhook.enabled is false: it changes nothing"],
        ),
        (
            on({"defaultDeny": {"enabled": True}}),
            [
                "networkPolicy.defaultDeny is enabled in a namespace that the controller shares: it also denies "
                "stageset/neighbour, which need allowing policies of their own"
            ],
        ),
        (
            on({"calico": {"ingress": [{"action": "Deny"}]}}),
            ["networkPolicy.calico has rules, but the engine is kubernetes: they change nothing"],
        ),
        (
            on({"engine": "cilium", "cilium": {"ingress": [{}]}}),
            [
                "networkPolicy.cilium.ingress can only open more: the required ports are open to everybody, and in "
                "Cilium allow rules add up"
            ],
        ),
        (
            on({"engine": "cilium", "cilium": {"egress": [{"toFQDNs": [{"matchName": "bucket.example.com"}]}]}}),
            [
                "networkPolicy.cilium.egress has rules while networkPolicy.egress.enabled is false: they isolate the "
                "controller for egress all the same, without a DNS rule, nor with one that could be the "
                f"kube-apiserver's; {CUT_OFF}"
            ],
        ),
    ],
)
def test_warnings(values: dict[str, Any], expected: list[str]) -> None:
    assert list(chart_plan("stageset", values).warnings) == expected


@pytest.mark.parametrize(
    ("engine", "rule", "could"),
    [
        ("cilium", {"toEntities": ["kube-apiserver"]}, True),
        ("cilium", {"toCIDR": ["10.0.0.1/32"]}, True),
        ("cilium", {"toPorts": [{"ports": [{"port": "443"}]}]}, True),
        ("cilium", {"toEndpoints": [{}]}, False),
        ("calico", {"action": "Allow"}, True),
        ("calico", {"action": "Allow", "destination": {"nets": ["10.0.0.1/32"]}}, True),
        ("calico", {"action": "Deny", "destination": {"nets": ["10.0.0.1/32"]}}, False),
        ("calico", {"action": "Allow", "destination": {"selector": "all()"}}, False),
        ("clusterNetworkPolicy", {"action": "Accept", "to": [{"networks": ["10.0.0.1/32"]}]}, True),
        ("clusterNetworkPolicy", {"action": "Accept", "to": [{"namespaces": {}}]}, False),
    ],
)
def test_what_could_be_the_api_servers_rule(engine: str, rule: dict[str, Any], could: bool) -> None:
    plan = chart_plan("stageset", on({"engine": engine, "egress": {"enabled": True}, engine: {"egress": [rule]}}))
    assert any(CUT_OFF in warning for warning in plan.warnings) is not could


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "networkPolicy:\n  engine: weave\n",
            "2: networkPolicy.engine: 'weave' is no engine; the engines are: kubernetes, cilium, calico, "
            "clusterNetworkPolicy",
        ),
        ("networkPolicy:\n  enabld: true\n", "2: networkPolicy.enabld: unknown key; did you mean 'enabled'?"),
        (
            "networkPolicy:\n  metrics:\n    form: []\n",
            "3: networkPolicy.metrics.form: unknown key; did you mean 'from'?",
        ),
        (
            "networkPolicy:\n  metrics:\n    from:\n      - namespaceSelecter: {}\n",
            "4: networkPolicy.metrics.from[0]: 'namespaceSelecter' is no key of such a peer; did you mean "
            "'namespaceSelector'?",
        ),
        (
            "networkPolicy:\n  engine: cilium\n  gate:\n    from: [{podSelector: {}}]\n",
            "4: networkPolicy.gate.from: is of the kubernetes engine only; with cilium write such rules, in its own "
            "dialect, into networkPolicy.cilium.ingress",
        ),
        (
            "networkPolicy:\n  engine: calico\n  additionalIngress: [{}]\n",
            "3: networkPolicy.additionalIngress: is of the kubernetes engine only; with calico write such rules, in "
            "its own dialect, into networkPolicy.calico.ingress",
        ),
        (
            "networkPolicy:\n  engine: clusterNetworkPolicy\n  egress:\n    to: [{}]\n",
            "4: networkPolicy.egress.to: is of the kubernetes engine only; with clusterNetworkPolicy write such rules, "
            "in its own dialect, into networkPolicy.clusterNetworkPolicy.egress",
        ),
        (
            "networkPolicy:\n  kubernetes: {ingress: []}\n",
            "2: networkPolicy.kubernetes: the kubernetes engine has no passthrough lists; its own are "
            "additionalIngress and egress.to",
        ),
        ("ports:\n  gate: 8081\n", "2: ports.gate: 8081 is the controller's port health already"),
        ("ports:\n  gate: 8080\n", "2: ports.gate: 8080 is the controller's port metrics already"),
        ("ports:\n  gate: null\n", "2: ports.gate: a port number is needed here"),
        ("webhok: {}\n", "1: webhok: unknown key; did you mean 'webhook'?"),
        (
            "networkPolicy:\n  defaultDeny:\n    order: high\n",
            "3: networkPolicy.defaultDeny.order: Input should be a valid integer (got 'high')",
        ),
    ],
)
def test_faults_in_values_name_their_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        chart_plan("stageset", file)
    assert str(caught.value) == f"{file}:{message}"
