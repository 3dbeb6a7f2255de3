"""One cell by the name that reports show, and everything that is known of it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from netproof.errors import InputError
from netproof.report import findings
from netproof.report.explain import CellQuery, explain_cell, find, nearest, parse, short
from netproof.report.policy_text import policy_lines
from netproof.report.record import Cell, RecordedSide

from .example import edited, example

RECORD = example()
CALICO, CILIUM = RECORD.targets
NOT_ISOLATED = RecordedSide(isolated=False, allowed=True)
LEAK = next(cell for cell in CILIUM.cells if cell.source == "node:1" and not cell.accepted)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a/b->c/d:80/TCP", {"port": 80, "protocol": "TCP"}),
        ("a/b → c/d:80/udp via service", {"port": 80, "protocol": "UDP", "via": "service"}),
        ("a/b → c/d:80/TCP by Service address", {"port": 80, "protocol": "TCP", "via": "service"}),
        (
            "a/b → c/d:53/UDP by DNS name (lookup) IPv6",
            {"port": 53, "protocol": "UDP", "via": "name", "kind": "lookup", "family": 6},
        ),
        ("a/b->c/d:80/TCP (kept open)", {"port": 80, "protocol": "TCP", "kind": "held"}),
        ("a/b..svc:c/d:80/TCP/service", {"port": 80, "protocol": "TCP", "via": "service"}),
        ("a/b..c/d:80/TCP/pod,held,6", {"port": 80, "protocol": "TCP", "via": "pod", "kind": "held", "family": 6}),
        ("a/b->svc:c/d:80", {"port": 80, "via": "service"}),
        ("a/b->c/d", {}),
        ("a/b->c/d:*", {}),
    ],
)
def test_a_name_is_read_in_every_form_that_reports_show(name: str, wanted: dict[str, object]) -> None:
    assert parse(name) == CellQuery(source="a/b", destination="c/d", **wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "a/b", "a/b->", "a/b->c/d:80/TCP via carrier pigeon"])
def test_what_is_no_cell_says_how_one_is_written(name: str) -> None:
    with pytest.raises(InputError, match=r"SOURCE->DESTINATION|via pod, service"):
        parse(name)


def test_every_cell_is_found_by_its_own_names() -> None:
    for cell in CALICO.cells[::37]:
        for name in (short(cell), findings.route(cell), findings.probe_key(cell)):
            found = find(RECORD, parse(name), scenario=cell.scenario)
            assert findings.identity(cell) in [one.key for one in found], name
        (one,) = find(RECORD, parse(findings.probe_key(cell)), scenario=cell.scenario)
        assert [target.cni for target, _ in one.on] == ["calico", "cilium"]


def test_stars_and_options_narrow_it() -> None:
    assert len(find(RECORD, parse("node:*->*/meta:9500"))) == 8
    assert len(find(RECORD, parse("node:*->*/meta:9500"), scenario="*-enabled", step="policies*")) == 2
    (one,) = find(RECORD, parse("node:1->*/meta:9500"), scenario="berserk-enabled", cni="cilium")
    assert [target.cni for target, _ in one.on] == ["cilium"]


def test_the_nearest_names_come_first() -> None:
    assert nearest(RECORD, "berserk/u1->berserk/mta:9500/TCP via pod")[0] == "berserk/ui->berserk/meta:9500/TCP via pod"


def test_it_says_everything() -> None:
    evidence = {"bpf.txt": f"nothing here\nallow {LEAK.host} because\nberserk/meta policy of {LEAK.host}\n"}
    text = "\n".join(line for line, _ in explain_cell(CILIUM, LEAK, evidence))
    for part in (
        "node:1 → berserk/meta:9500/TCP by pod address on cilium 1.17.2",
        "in         berserk-enabled, policies applied: Only known communication paths",
        "verdict    cni-difference: the CNI or its set-up",
        "values     intended denied, specified denied, measured connected (connected)",
        "why        berserk/meta isolates ingress and none of its rules allows node:1 on port 9500.",
        "ingress: isolated by berserk/meta; no rule allows it",
        "policy     berserk/meta, ingress",
        "attempts   from 0.05 s after the change: connected",
        f"dialled    {LEAK.host}",
        f"server saw {LEAK.seen_source}",
        "time       settled 0.05 s after the change; the whole step 1.12 s, first correct never, 7 rounds",
        "evidence   bpf.txt: 2 lines about this cell",
        "reproduce  docker exec netproof-node-1 python3 /agent.py dial",
        "repeat     pytest 'scenarios/berserk::berserk-enabled' --cni cilium",
    ):
        assert part in text
    assert text.index(f"berserk/meta policy of {LEAK.host}") < text.index(f"allow {LEAK.host} because")


def test_ascii_for_terminals_that_have_no_more() -> None:
    assert all(line.isascii() for line, _ in explain_cell(CILIUM, LEAK, {}, unicode=False))


def test_a_policy_that_steps_change_is_not_shown_as_if_it_were_the_one() -> None:
    scenario = CILIUM.scenarios[0]
    other = scenario.manifests.split("---")[0].replace("policyTypes", "x")
    twice = scenario.model_copy(update={"manifests": f"{scenario.manifests}\n---\n{other}"})
    target = edited(RECORD, scenarios=[twice]).targets[0]
    assert not [line for line, _ in explain_cell(target, LEAK, {}) if line.startswith("  policy")]


MANY = "\n---\n".join(
    yaml.safe_dump(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "meta", "namespace": "berserk"},
            "spec": {
                "podSelector": {"matchLabels": {f"label-{n}": "x" for n in range(40)}},
                "ingress": [{"from": [{"ipBlock": {"cidr": f"10.0.{n}.0/24"}}]} for n in range(rules)],
                "egress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}],
            },
        }
    )
    for rules in (50, 50)
)


def decided_by(rule: str, **more: Any) -> Cell:
    side = RecordedSide(isolated=True, isolating=["NetworkPolicy berserk/meta"], allowed=True, rule=rule)
    return LEAK.model_copy(update={"ingress": side, "egress": NOT_ISOLATED, **more})


def test_the_rule_that_decided_is_shown_however_long_its_policy_is() -> None:
    lines = list(policy_lines(decided_by("ingress rule 41 (from addresses 10.0.40.0/24, every port)"), MANY))
    assert len(lines) < 46
    loud = [text.strip() for text, style in lines if style == "bold"]
    assert loud == ["- from:", "- ipBlock:", "cidr: 10.0.40.0/24"]
    shown = [text.strip() for text, _ in lines]
    assert [text for text in shown if text.startswith("#")] == [
        "# 30 more lines",
        "# 36 more rules before",
        "# 5 more rules after",
    ]
    assert "cidr: 192.0.2.0/24" not in shown


def test_a_rule_of_a_policy_that_isolates_nobody_is_shown_where_the_sentence_names_it() -> None:
    allow = {"kind": "AdminNetworkPolicy", "metadata": {"name": "first"}, "spec": {"ingress": [{"action": "Allow"}]}}
    side = RecordedSide(isolated=False, isolating=[], allowed=True, rule="ingress rule 1 (from anywhere, every port)")
    because = "ingress: ingress rule 1 (from anywhere, every port) of AdminNetworkPolicy first allows this."
    cell = LEAK.model_copy(update={"ingress": side, "egress": NOT_ISOLATED, "because": because})
    lines = list(policy_lines(cell, yaml.safe_dump(allow)))
    assert ("               - action: Allow", "bold") in lines


def test_a_rule_of_ciliums_specs_is_found() -> None:
    policy = {
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": "p", "namespace": "a"},
        "specs": [{"ingress": [{}]}, {"ingressDeny": [{"fromEntities": ["world"]}]}],
    }
    rule = "ingressDeny rule 1 (from entity world, every port)"
    side = RecordedSide(isolated=True, isolating=["CiliumNetworkPolicy a/p specs[1]"], allowed=False, rule=rule)
    cell = LEAK.model_copy(update={"ingress": side, "egress": NOT_ISOLATED})
    shown = [text.strip() for text, style in policy_lines(cell, yaml.safe_dump(policy)) if style == "bold"]
    assert shown == ["- fromEntities:", "- world"]


def test_versions_of_a_policy_are_each_shown_with_their_rule() -> None:
    policies = [{"kind": "NetworkPolicy", "metadata": {"name": "meta", "namespace": "berserk"}} for _ in range(2)]
    text = yaml.safe_dump_all([{**p, "spec": {"ingress": [{"ports": [{"port": n}]}]}} for n, p in enumerate(policies)])
    lines = list(policy_lines(decided_by("ingress rule 1 (from anywhere, port 0/TCP)"), text))
    assert "2 versions" in " ".join(text for text, _ in lines)
    assert [text.strip() for text, style in lines if style == "bold"] == [
        "- ports:",
        "- port: 0",
        "- ports:",
        "- port: 1",
    ]
