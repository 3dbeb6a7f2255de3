"""The Berserk chart: the seed's table cell by cell, what renders for each value, and its documented surprises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from netproof.charts import Directions, Plan, chart_plan, findings_path
from netproof.clusters import reviews
from netproof.errors import InputError
from netproof.model import Intent, Matrix, Probe, Specified, Verdict

from .placing import differences

GOLDEN = Path(__file__).parent / "berserk.golden.yaml"
ON: dict[str, Any] = {"global": {"networkPolicy": {"enabled": True}}}

PORTS = {"meta": 9500, "query": 9510, "ingest": 4317, "janitor": 9520, "ui": 8080, "nursery": 9530}

# The seed's table, read by hand: who reaches whom on its service port.
PAIRS = {
    ("query", "meta"),
    ("ingest", "meta"),
    ("janitor", "meta"),
    ("ui", "meta"),
    ("nursery", "meta"),
    ("ui", "query"),
    ("janitor", "query"),
}
EXTERNAL_INGRESS = {"query", "ingest", "ui"}


@pytest.fixture(scope="module")
def enabled() -> Plan:
    return chart_plan("berserk", ON)


def on(**more: Any) -> dict[str, Any]:
    """Values with the policies switched on and something else beside it; `global_` is spelt so."""
    top = {"networkPolicy": {"enabled": True, **more.pop("policy", {})}, **more.pop("global_", {})}
    return {"global": top, **more}


def policy(plan: Plan, name: str) -> dict[str, Any]:
    return next(dict(manifest["spec"]) for manifest in plan.manifests if manifest["metadata"]["name"] == name)


def connected(matrix: Matrix[Intent]) -> set[Probe]:
    return {probe for probe, intent in matrix.cells.items() if intent is Intent.CONNECTED}


def test_the_seeds_table_is_the_intended_matrix(enabled: Plan) -> None:
    expected: set[Probe] = set()
    for source, target in PAIRS:
        pod, port = f"berserk/{target}", PORTS[target]
        expected.add(Probe(source=f"berserk/{source}", destination=pod, port=port))
        expected.add(Probe(source=f"berserk/{source}", destination=f"svc:{pod}", port=port, via="service"))
    for source in PORTS:
        pod = f"berserk/{source}"
        expected.add(Probe(source=pod, destination="external:s3", port=443, via="address"))
        for protocol in ("UDP", "TCP"):
            expected.add(
                Probe(
                    source=pod,
                    destination="svc:kube-system/kube-dns",
                    port=53,
                    protocol=protocol,
                    via="service",
                    kind="lookup",
                )
            )
    expected.add(Probe(source="berserk/meta", destination="external:postgresql", port=5432, via="address"))
    for target in EXTERNAL_INGRESS:
        for source in ("external:telemetry", "external:ingress-controller", "external:outsider"):
            expected.add(Probe(source=source, destination=f"svc:berserk/{target}", port=PORTS[target], via="nodeport"))
        for source in ("node:0", "node:1"):
            expected.add(Probe(source=source, destination=f"berserk/{target}", port=PORTS[target]))
    assert connected(enabled.intended()) == expected


def test_the_cells_that_are_asked(enabled: Plan) -> None:
    cells = list(enabled.intended())
    assert len(cells) == len(set(cells))
    # 6x5 pairs on two pod ports and one Service port; S3, PostgreSQL and two ports outside; DNS twice; two bystanders
    # with two ports each; bystanders to every port and Service; three outside sources; two nodes to every port.
    assert len(cells) == 30 * 3 + 6 * 4 + 6 * 2 + 6 * 4 + 2 * 6 * 3 + 3 * 6 + 2 * 6 * 2
    assert not [probe for probe in cells if probe.destination.removeprefix("svc:") == probe.source]
    assert {probe.port for probe in cells if probe.via in ("service", "nodeport")} == {*PORTS.values(), 53}
    assert Probe(source="berserk/nursery", destination="berserk/meta", port=9090) in cells


@pytest.mark.parametrize(
    ("side", "source", "target", "expected"),
    [
        ("both", "ui", "query", Intent.CONNECTED),
        ("both", "nursery", "query", Intent.DENIED),
        ("ingress", "nursery", "query", Intent.DENIED),
        ("egress", "nursery", "query", Intent.DENIED),
        ("ingress", "query", "meta", Intent.CONNECTED),
        ("egress", "query", "meta", Intent.CONNECTED),
        ("egress", "stranger", "query", Intent.CONNECTED),
        ("ingress", "stranger", "query", Intent.DENIED),
        ("ingress", "query", "stranger", Intent.CONNECTED),
        ("egress", "query", "stranger", Intent.DENIED),
    ],
)
def test_each_side_asks_one_end_only(
    enabled: Plan, side: Directions, source: str, target: str, expected: Intent
) -> None:
    probe = Probe(source=f"berserk/{source}", destination=f"berserk/{target}", port=PORTS.get(target, 443))
    assert enabled.intended(side)[probe] is expected


def test_pods_services_and_nodes(enabled: Plan) -> None:
    topology = enabled.topology
    assert [(pod.id, pod.node) for pod in topology.pods] == [
        ("berserk/meta", 0),
        ("berserk/query", 1),
        ("berserk/ingest", 0),
        ("berserk/janitor", 1),
        ("berserk/ui", 0),
        ("berserk/nursery", 1),
        ("berserk/stranger", 0),
        ("berserk-neighbour/neighbour", 1),
    ]
    assert all(
        service.node_port and [p.port for p in service.ports] == [PORTS[service.name]] for service in topology.services
    )
    outside = {external.id: [p.port for p in external.ports] for external in topology.externals}
    assert outside == {
        "external:s3": [443],
        "external:postgresql": [5432],
        "external:outsider": [443, 5432],
        "external:telemetry": [],
        "external:ingress-controller": [],
    }
    assert [node.id for node in topology.nodes] == ["node:0", "node:1"]
    assert enabled.warnings == ()


def test_disabled_is_the_default_and_restricts_nothing() -> None:
    plan = chart_plan("berserk")
    assert plan.manifests == ()
    assert {*plan.intended().cells.values()} == {Intent.CONNECTED}
    assert differences(plan) == {}
    assert list(plan.intended()) == list(chart_plan("berserk", ON).intended())


def test_the_default_rendering(enabled: Plan) -> None:
    """Reviewed by eye. To renew it: write `yaml.safe_dump_all(plan.manifests, sort_keys=False)` there and read it."""
    assert [dict(m) for m in enabled.manifests] == list(yaml.safe_load_all(GOLDEN.read_text(encoding="utf-8")))


@pytest.mark.parametrize("side", ["both", "ingress", "egress"])
def test_every_difference_is_documented_and_happens(enabled: Plan, side: Directions) -> None:
    scenario = "berserk-enabled" if side == "both" else f"berserk-{side}-side"
    documented = reviews.load(findings_path("berserk"), "policy")
    found = differences(enabled, side)
    assert {*found.values()} == {(Intent.DENIED, Specified.CONNECTED)}
    undeclared = [str(probe) for probe in found if not documented.declared(scenario, "applied", probe)]
    assert undeclared == []
    verdicts = [(p, Verdict.POLICY_DEFECT if p in found else Verdict.HOLDS) for p in enabled.intended(side)]
    stale = documented.stale(scenario, "applied", verdicts)
    assert stale
    assert {name: gone for name, (_, gone) in stale.items() if gone} == {}


def test_findings_link_to_headings_that_exist() -> None:
    root = Path(__file__).parents[2]
    for entry in reviews.load(findings_path("berserk"), "policy").entries:
        file, _, anchor = entry.link.partition("#")
        headings = [
            line.lstrip("# ").lower()
            for line in (root / file).read_text(encoding="utf-8").splitlines()
            if line.startswith("#")
        ]
        anchors = ["".join(c for c in h if c.isalnum() or c in " -_").replace(" ", "-") for h in headings]
        assert anchor in anchors, entry.id


def test_ingress_none_is_an_empty_list(enabled: Plan) -> None:
    for name in ("janitor", "nursery"):
        assert policy(enabled, name)["ingress"] == []
        assert policy(enabled, name)["policyTypes"] == ["Ingress", "Egress"]


def test_one_side_keeps_one_direction(enabled: Plan) -> None:
    for side, kept, gone in (("ingress", "Ingress", "egress"), ("egress", "Egress", "ingress")):
        specs = [manifest["spec"] for manifest in enabled.for_side(side)]  # type: ignore[arg-type]
        assert len(specs) == 6
        assert all(spec["policyTypes"] == [kept] and gone not in spec and side in spec for spec in specs)
    assert enabled.for_side("both") == enabled.manifests


def test_allow_external() -> None:
    plan = chart_plan("berserk", on(query={"networkPolicy": {"allowExternal": False}}))
    assert {"ports": [{"port": 9510, "protocol": "TCP"}]} not in policy(plan, "query")["ingress"]
    plan = chart_plan("berserk", on(janitor={"networkPolicy": {"allowExternal": True}}))
    assert policy(plan, "janitor")["ingress"] == [{"ports": [{"port": 9520, "protocol": "TCP"}]}]


def test_allow_external_egress() -> None:
    plan = chart_plan("berserk", on(meta={"networkPolicy": {"allowExternalEgress": False}}))
    assert policy(plan, "meta")["egress"] == [
        {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    ]


def test_external_egress_replaces_the_default_list() -> None:
    """The seed's own example."""
    values = yaml.safe_load("""
global:
  networkPolicy:
    enabled: true
    externalEgress:
      - cidr: 10.0.0.0/16
        ports: [{port: 443, protocol: TCP}]
      - cidr: 10.1.0.0/24
        ports: [{port: 5432, protocol: TCP}]
""")
    plan = chart_plan("berserk", values)
    assert policy(plan, "nursery")["egress"][2:] == [
        {"to": [{"ipBlock": {"cidr": "10.0.0.0/16"}}], "ports": [{"port": 443, "protocol": "TCP"}]},
        {"to": [{"ipBlock": {"cidr": "10.1.0.0/24"}}], "ports": [{"port": 5432, "protocol": "TCP"}]},
    ]


def test_ingress_from_and_egress_to_replace_their_lists() -> None:
    plan = chart_plan("berserk", on(query={"networkPolicy": {"ingressFrom": [{"app": "nursery"}], "egressTo": []}}))
    spec = policy(plan, "query")
    assert spec["ingress"][0] == {
        "from": [{"podSelector": {"matchLabels": {"app": "nursery"}}}],
        "ports": [{"port": 9510, "protocol": "TCP"}],
    }
    assert len(spec["ingress"]) == 2
    assert len(spec["egress"]) == 2
    # Values change the policies; the map, and so the intent, stays what it was.
    assert plan.intended() == chart_plan("berserk", ON).intended()


@pytest.mark.parametrize("endpoint", [None, "ingest.berserk:4317", "http://ingest.berserk.svc.cluster.local:4317"])
def test_telemetry_to_ingest(endpoint: str | None) -> None:
    observability: dict[str, Any] = {"otlpEnabled": True} | ({"otlpEndpoint": endpoint} if endpoint else {})
    plan = chart_plan("berserk", on(global_={"observability": observability}))
    ports = [{"port": 4317, "protocol": "TCP"}]
    for name in PORTS:
        rule = {"to": [{"podSelector": {"matchLabels": {"app": "ingest"}}}], "ports": ports}
        assert policy(plan, name)["egress"][-1] == rule
    assert policy(plan, "ingest")["ingress"][-1] == {"from": [{"podSelector": {}}], "ports": ports}
    assert plan.warnings == ()
    gained = connected(plan.intended()) - connected(chart_plan("berserk", ON).intended())
    sources = ("meta", "query", "janitor", "ui", "nursery", "stranger")
    assert gained == {
        probe
        for source in sources
        for probe in (
            Probe(source=f"berserk/{source}", destination="berserk/ingest", port=4317),
            Probe(source=f"berserk/{source}", destination="svc:berserk/ingest", port=4317, via="service"),
        )
    }
    assert gained.isdisjoint(differences(plan))


def test_telemetry_elsewhere_needs_rules() -> None:
    observability = {"otlpEnabled": True, "otlpEndpoint": "otel-collector.monitoring:4317"}
    without = chart_plan("berserk", on(global_={"observability": observability}))
    assert without.warnings == (
        "OTLP is enabled with the endpoint 'otel-collector.monitoring:4317', which is no service of this namespace, "
        "but global.networkPolicy.otlpEgress has no rule: telemetry will be dropped",
    )
    assert without.manifests == chart_plan("berserk", ON).manifests
    rules = [{"cidr": "10.2.0.0/16", "ports": [{"port": 4317, "protocol": "TCP"}]}]
    given = chart_plan("berserk", on(policy={"otlpEgress": rules}, global_={"observability": observability}))
    assert given.warnings == ()
    for name in PORTS:
        assert policy(given, name)["egress"][-1] == {
            "to": [{"ipBlock": {"cidr": "10.2.0.0/16"}}],
            "ports": [{"port": 4317, "protocol": "TCP"}],
        }
    assert given.intended() == chart_plan("berserk", ON).intended()


@pytest.mark.parametrize("endpoint", ["ingest.other:4317", "ingest:4318", "ingest", ""])
def test_not_the_default_endpoint(endpoint: str) -> None:
    plan = chart_plan("berserk", on(global_={"observability": {"otlpEnabled": True, "otlpEndpoint": endpoint}}))
    assert len(plan.warnings) == 1


def test_additional_rules_are_appended_as_they_are() -> None:
    """The seed's own examples."""
    monitoring = {
        "from": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
        "ports": [{"port": 9090, "protocol": "TCP"}],
    }
    team = {
        "from": [{"namespaceSelector": {"matchLabels": {"name": "data-team"}}}],
        "ports": [{"port": 9510, "protocol": "TCP"}],
    }
    out = {"to": [{"ipBlock": {"cidr": "10.9.0.0/16", "except": ["10.9.1.0/24"]}}]}
    plan = chart_plan(
        "berserk",
        on(
            policy={"additionalIngress": [monitoring], "additionalEgress": [out]},
            query={"networkPolicy": {"additionalIngress": [team], "additionalEgress": [{}]}},
        ),
    )
    assert policy(plan, "query")["ingress"][-2:] == [monitoring, team]
    assert policy(plan, "query")["egress"][-2:] == [out, {}]
    assert policy(plan, "janitor")["ingress"] == [monitoring]
    assert policy(plan, "janitor")["egress"][-1] == out
    # Raw rules are no intent.
    assert plan.intended() == chart_plan("berserk", ON).intended()


def test_null_removes_a_default_as_helm_does() -> None:
    plan = chart_plan("berserk", on(policy={"externalEgress": None}))
    assert len(policy(plan, "nursery")["egress"]) == 2
    assert "nursery: allowExternalEgress is set, but global.networkPolicy.externalEgress has no rule" in plan.warnings
    plan = chart_plan("berserk", on(janitor={"networkPolicy": {"ingressFrom": None}}))
    assert policy(plan, "janitor")["policyTypes"] == ["Egress"]
    assert "ingress" not in policy(plan, "janitor")


def test_rendering_is_deterministic_and_not_shared() -> None:
    raw: dict[str, Any] = {"from": [{"podSelector": {}}]}
    one, two = (chart_plan("berserk", on(policy={"additionalIngress": [raw]})) for _ in range(2))
    assert one.manifests == two.manifests
    assert "&id" not in yaml.safe_dump(list(one.manifests), sort_keys=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "global:\n  networkPolicy:\n    enabld: true\n",
            "3: global.networkPolicy.enabld: unknown key; did you mean 'enabled'?",
        ),
        ("qery:\n  networkPolicy: {}\n", "1: qery: unknown key; did you mean 'query'?"),
        (
            "query:\n  networkPolicy:\n    allowExternl: true\n",
            "3: query.networkPolicy.allowExternl: unknown key; did you mean 'allowExternal'?",
        ),
        (
            "global:\n  networkPolicy:\n    externalEgress:\n      - cidr: 10.0.0.0\n",
            "4: global.networkPolicy.externalEgress[0].cidr: '10.0.0.0' needs a prefix length, such as 10.0.0.0/32",
        ),
        (
            "global:\n  networkPolicy:\n    externalEgress:\n      - {cidr: 10.0.0.0/16, port: 443}\n",
            "4: global.networkPolicy.externalEgress[0].port: unknown key; did you mean 'ports'?",
        ),
        (
            "global:\n  networkPolicy:\n    otlpEgress:\n      - ports: [{port: 1}]\n",
            "4: global.networkPolicy.otlpEgress[0].cidr: this key is needed",
        ),
        (
            "query:\n  networkPolicy:\n    ingressFrom:\n      - app: iu\n",
            "4: query.networkPolicy.ingressFrom[0].app: no service is called 'iu'; did you mean 'ui'?",
        ),
        (
            "query:\n  networkPolicy:\n    ingressFrom:\n      - {app: ui, ports: [grcp]}\n",
            "4: query.networkPolicy.ingressFrom[0].ports[0]: query has no port called 'grcp'; did you mean 'grpc'?",
        ),
        (
            "query:\n  networkPolicy:\n    ingressFrom:\n      - {app: ui, ports: [95100]}\n",
            "4: query.networkPolicy.ingressFrom[0].ports[0]: a port number from 1 to 65535 is expected (got 95100)",
        ),
        (
            "query:\n  networkPolicy:\n    additionalIngress:\n      - form: []\n",
            "4: query.networkPolicy.additionalIngress[0]: 'form' is no key of such a rule; did you mean 'from'?",
        ),
        (
            "query:\n  networkPolicy:\n    allowExternal: maybe\n",
            "3: query.networkPolicy.allowExternal: Input should be a valid boolean (got 'maybe')",
        ),
        ("- a\n", "1: a mapping (key: value) is expected at the top"),
        ("query: {}\n---\nui: {}\n", "3: one document is expected here, not several"),
    ],
)
def test_faults_in_values_name_their_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        chart_plan("berserk", file)
    assert str(caught.value) == f"{file}:{message}"


def test_a_values_file_of_comments_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("# nothing yet\n")
    assert chart_plan("berserk", tmp_path / "values.yaml") == chart_plan("berserk")


def test_an_unknown_chart() -> None:
    with pytest.raises(InputError, match="no chart is called 'beserk'; the charts are: berserk"):
        chart_plan("beserk")
