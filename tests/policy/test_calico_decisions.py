"""What Calico's policies come to. Expected values by hand.

From upstream's text of v3.28.5: the comments of NetworkPolicy, GlobalNetworkPolicy, Rule and EntityRule in
api/pkg/apis, and felix/calc/policy_sorter.go. Tiers: tier.go of v3.29.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netproof.model import Pod, Port, Specified
from netproof.policy import Evaluator, read_policies, warnings

from .calico import calico, tier
from .example import PLACEMENT, TOPOLOGY, manifest, probe

YES, NO, OPEN = Specified.CONNECTED, Specified.DENIED, Specified.UNSPECIFIED
ALLOW, DENY = "{action: Allow}", "{action: Deny}"


def ingress(subject: str, *rules: str, more: str = "") -> str:
    return f'{{selector: "{subject}", types: [Ingress], ingress: [{", ".join(rules)}]{more}}}'


def egress(subject: str, *rules: str, more: str = "") -> str:
    return f'{{selector: "{subject}", types: [Egress], egress: [{", ".join(rules)}]{more}}}'


def source(action: str, entity: str, words: str = "") -> str:
    return f"{{action: {action}, source: {{{entity}}}{words}}}"


def to(action: str, entity: str, words: str = "") -> str:
    return f"{{action: {action}, destination: {{{entity}}}{words}}}"


API = "app == 'api'"
UI = "selector: \"app == 'ui'\""
DEFAULT_DENY = {"deny": "{order: 2000, selector: all(), types: [Ingress, Egress]}"}
DENY_API = {"shop/deny": ingress(API, DENY)}
KNP_UI = "{podSelector: {matchLabels: {app: api}}, ingress: [{from: [{podSelector: {matchLabels: {app: ui}}}]}]}"
TIER = {"tier ops": "{order: 5}"}


def ordered(spec: str, order: float) -> str:
    return f"{spec[:-1]}, order: {order}}}"


CASES: list[tuple[Any, ...]] = [
    ("no rule: denied at the tier's end", {"shop/p": ingress(API)}, "shop/ui > shop/api 8080", NO, "no ingress rule"),
    ("who is not selected is not isolated", {"shop/p": ingress(API)}, "shop/ui > shop/db 5432", YES),
    ("only the direction of types", {"shop/p": ingress(API)}, "shop/api > shop/db 5432", YES),
    ("a policy is of its namespace", {"ops/p": ingress("all()")}, "ops/ui > shop/api 8080", YES),
    ("rules in turn: Deny before Allow", {"shop/p": ingress(API, DENY, ALLOW)}, "shop/ui > shop/api 8080", NO),
    (
        "rules in turn: Allow before Deny",
        {"shop/p": ingress(API, source("Allow", UI), DENY)},
        "shop/ui > shop/api 8080",
        YES,
        "ingress rule 1 (from pods app=ui, every port)",
    ),
    (
        "Log decides nothing",
        {"shop/p": ingress(API, "{action: Log}", source("Allow", UI))},
        "shop/ui > shop/api 8080",
        YES,
        "ingress rule 2",
    ),
    ("Log alone isolates", {"shop/p": ingress(API, "{action: Log}")}, "shop/ui > shop/api 8080", NO),
    (
        "the lower order first: Deny",
        {"shop/allow": ordered(ingress(API, ALLOW), 20), "shop/deny": ordered(ingress(API, DENY), 10)},
        "shop/ui > shop/api 8080",
        NO,
        "of Calico NetworkPolicy shop/deny denies this",
    ),
    (
        "the lower order first: Allow",
        {"shop/allow": ordered(ingress(API, ALLOW), -1), "shop/deny": ordered(ingress(API, DENY), 10)},
        "shop/ui > shop/api 8080",
        YES,
    ),
    (
        "no order is last",
        {"shop/allow": ordered(ingress(API, ALLOW), 1e9), "shop/a-deny": ingress(API, DENY)},
        "shop/ui > shop/api 8080",
        YES,
    ),
    (
        "of equal order by name",
        {"shop/b-allow": ordered(ingress(API, ALLOW), 7), "shop/a-deny": ordered(ingress(API, DENY), 7)},
        "shop/ui > shop/api 8080",
        NO,
    ),
    (
        "a policy that says nothing leaves it to the next",
        {"shop/a": ordered(ingress(API, source("Allow", "selector: has(nothing)")), 1), "shop/b": ingress(API, ALLOW)},
        "shop/ui > shop/api 8080",
        YES,
        "of Calico NetworkPolicy shop/b allows this",
    ),
    (
        "NetworkPolicy is at order 1000: a Deny of lower order counts",
        {"knp shop/ui": KNP_UI, **{"shop/deny": ordered(ingress(API, DENY), 999)}},
        "shop/ui > shop/api 8080",
        NO,
    ),
    (
        "NetworkPolicy is at order 1000: a Deny of higher order does not",
        {"knp shop/ui": KNP_UI, **{"shop/deny": ordered(ingress(API, DENY), 1001)}},
        "shop/ui > shop/api 8080",
        YES,
        "of NetworkPolicy shop/ui",
    ),
    (
        "NetworkPolicy is at order 1000: whom it does not allow the next may",
        {"knp shop/ui": KNP_UI, **{"shop/more": ordered(ingress(API, source("Allow", "selector: has(app)")), 1001)}},
        "shop/db > shop/api 8080",
        YES,
    ),
    (
        "NetworkPolicy is at order 1000: Pass of lower order leaves it out",
        {"knp shop/deny": "{podSelector: {}}", **{"shop/pass": ordered(ingress(API, "{action: Pass}"), 1)}},
        "shop/ui > shop/api 8080",
        YES,
    ),
    (
        "Pass in the last tier: the profile of the namespace allows",
        {"shop/a": ordered(ingress(API, source("Pass", UI)), 1), **DENY_API},
        "shop/ui > shop/api 8080",
        YES,
    ),
    (
        "Pass is for whom it means",
        {"shop/a": ordered(ingress(API, source("Pass", UI)), 1), **DENY_API},
        "shop/db > shop/api 8080",
        NO,
    ),
    (
        "a tier before default denies at its end",
        {
            **TIER,
            "ops.p": ingress(API, source("Allow", "selector: has(nobody)"), more=", tier: ops"),
            "shop/p": ingress(API, ALLOW),
        },
        "shop/ui > shop/api 8080",
        NO,
    ),
    (
        "Pass goes to the next tier: allowed there",
        {
            **TIER,
            "ops.p": ingress(API, "{action: Pass}", DENY, more=", tier: ops"),
            "shop/p": ingress(API, source("Allow", UI)),
        },
        "shop/ui > shop/api 8080",
        YES,
        "of Calico NetworkPolicy shop/p",
    ),
    (
        "Pass goes to the next tier: denied there",
        {
            **TIER,
            "ops.p": ingress(API, "{action: Pass}", DENY, more=", tier: ops"),
            "shop/p": ingress(API, source("Allow", UI)),
        },
        "shop/db > shop/api 8080",
        NO,
    ),
    (
        "Pass goes to the next tier: its own next policies do not count",
        {
            **TIER,
            "ops.a": ingress(API, "{action: Pass}", more=", tier: ops, order: 1"),
            "ops.b": ingress(API, DENY, more=", tier: ops, order: 2"),
        },
        "shop/db > shop/api 8080",
        YES,
    ),
    (
        "Allow in an earlier tier is final",
        {**TIER, "ops.p": ingress("all()", ALLOW, more=", tier: ops"), "knp shop/deny": "{podSelector: {}}"},
        "shop/db > shop/api 8080",
        YES,
    ),
    (
        "a global deny by default: what no allowlist allows",
        {**DEFAULT_DENY, "shop/in": ordered(ingress(API, source("Allow", UI)), 100)},
        "shop/db > shop/api 8080",
        NO,
    ),
    (
        "a global deny by default: both ends must allow",
        {**DEFAULT_DENY, "shop/in": ordered(ingress(API, source("Allow", UI)), 100)},
        "shop/ui > shop/api 8080",
        NO,
        "denied at egress: GlobalNetworkPolicy deny isolates shop/ui",
    ),
    (
        "a global deny by default: allowlists of lower order on both ends",
        {
            **DEFAULT_DENY,
            "shop/in": ordered(ingress(API, source("Allow", UI)), 100),
            "out": ordered(egress("app == 'ui'", to("Allow", "selector: \"app == 'api'\"")), 100),
        },
        "shop/ui > shop/api 8080",
        YES,
    ),
    (
        "selector without namespaceSelector is the own namespace",
        {"shop/p": ingress(API, source("Allow", UI))},
        "ops/ui > shop/api 8080",
        NO,
    ),
    ("globally it is all namespaces", {"p": ingress(API, source("Allow", UI))}, "ops/ui > shop/api 8080", YES),
    (
        "namespaceSelector and selector both hold",
        {"shop/p": ingress(API, source("Allow", f"{UI}, namespaceSelector: has(trusted)"))},
        "ops/ui > shop/api 8080",
        YES,
        "(from pods app=ui in namespaces trusted Exists, every port)",
    ),
    (
        "namespaceSelector and selector: one does not",
        {"shop/p": ingress(API, source("Allow", f"{UI}, namespaceSelector: has(trusted)"))},
        "ops/prober > shop/api 8080",
        NO,
    ),
    (
        "global() is no pod",
        {"shop/p": ingress(API, source("Allow", "namespaceSelector: global()"))},
        "shop/ui > shop/api 8080",
        NO,
    ),
    (
        "all() is nobody outside",
        {"p": ingress(API, source("Allow", "selector: all()"))},
        "external:client > shop/api 8080",
        NO,
    ),
    (
        "notSelector of a global policy is also who is outside",
        {"p": ingress(API, source("Allow", "notSelector: \"app == 'db'\""))},
        "external:client > shop/api 8080",
        YES,
    ),
    (
        "notSelector of a global policy is not whom it names",
        {"p": ingress(API, source("Allow", "notSelector: \"app == 'db'\""))},
        "shop/db > shop/api 8080",
        NO,
    ),
    (
        "notSelector of a namespaced policy is of its namespace",
        {"shop/p": ingress(API, source("Allow", "notSelector: \"app == 'db'\""))},
        "external:client > shop/api 8080",
        NO,
    ),
    (
        "nets",
        {"shop/p": ingress(API, source("Allow", "nets: [198.51.100.0/24, 192.0.2.0/24]"))},
        "external:client > shop/api 8080",
        YES,
        "(from addresses 192.0.2.0/24, every port)",
    ),
    (
        "notNets",
        {"shop/p": ingress(API, source("Allow", "nets: [192.0.2.0/24], notNets: [192.0.2.8/29]"))},
        "external:client > shop/api 8080",
        NO,
    ),
    (
        "notNets alone",
        {"shop/p": ingress(API, source("Allow", "notNets: [192.0.2.8/29]"))},
        "external:rival > shop/api 8080",
        YES,
    ),
    (
        "nets of pods",
        {"shop/p": egress("app == 'ui'", to("Allow", "nets: [10.244.1.6/32]"))},
        "shop/ui > shop/api 8080",
        YES,
    ),
    (
        "nets and selector both hold",
        {"shop/p": ingress(API, source("Deny", f"{UI}, nets: [10.244.1.0/24]"), ALLOW)},
        "shop/ui > shop/api 8080",
        YES,
    ),
    (
        "nets see the pod behind a Service",
        {"shop/p": egress("app == 'ui'", to("Allow", "nets: [10.244.1.6/32], ports: [8080]", ", protocol: TCP"))},
        "shop/ui > svc:shop/api 80",
        YES,
    ),
    (
        "nets do not see the Service's address",
        {"shop/p": egress("app == 'ui'", to("Allow", "nets: [10.96.0.0/16]"))},
        "shop/ui > svc:shop/api 80",
        NO,
    ),
    (
        "a NetworkPolicy's ipBlock is still left open",
        {"knp shop/p": "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.96.0.0/16}}]}]}"},
        "shop/ui > svc:shop/api 80",
        OPEN,
    ),
    ("ipVersion holds", {"shop/p": ingress(API, "{action: Allow, ipVersion: 4}")}, "shop/ui > shop/api 8080", YES),
    ("ipVersion does not", {"shop/p": ingress(API, "{action: Allow, ipVersion: 6}")}, "shop/ui > shop/api 8080", NO),
    (
        "service accounts",
        {"shop/p": ingress(API, source("Allow", "serviceAccounts: {names: [robot]}"))},
        "shop/worker > shop/api 8080",
        YES,
    ),
    (
        "other service accounts",
        {"shop/p": ingress(API, source("Allow", "serviceAccounts: {names: [robot]}"))},
        "shop/ui > shop/api 8080",
        NO,
    ),
    (
        "subject by service account",
        {"shop/p": "{serviceAccountSelector: \"projectcalico.org/name == 'robot'\", types: [Egress]}"},
        "shop/worker > shop/api 8080",
        NO,
    ),
    (
        "a named port of the own pods",
        {"shop/p": ingress("all()", to("Allow", "ports: [http]", ", protocol: TCP"))},
        "shop/ui > shop/worker 8081",
        YES,
    ),
    (
        "a named port that is another number there",
        {"shop/p": ingress("all()", to("Allow", "ports: [http]", ", protocol: TCP"))},
        "shop/ui > shop/worker 8080",
        NO,
    ),
    (
        "a named port of the far end",
        {"shop/p": egress("app == 'ui'", to("Allow", "ports: [http]", ", protocol: TCP"))},
        "shop/ui > shop/worker 8081",
        YES,
    ),
    (
        "notPorts",
        {"shop/p": ingress(API, to("Allow", "notPorts: [8080, '9000:9090']", ", protocol: TCP"))},
        "shop/ui > shop/api 9090",
        NO,
    ),
    (
        "beside notPorts",
        {"shop/p": ingress(API, to("Allow", "notPorts: [8080, '9000:9089']", ", protocol: TCP"))},
        "shop/ui > shop/api 9090",
        YES,
    ),
    (
        "ICMP is none of ours",
        {"shop/p": ingress(API, "{action: Allow, protocol: ICMP}")},
        "shop/ui > shop/api 8080",
        NO,
    ),
    (
        "notProtocol",
        {"shop/p": ingress(API, "{action: Deny, notProtocol: UDP}", ALLOW)},
        "shop/ui > shop/api 5353/UDP",
        YES,
    ),
    (
        "the local end of an ingress rule: whom it means",
        {"shop/p": ingress("all()", to("Allow", "selector: \"app == 'api'\""), DENY)},
        "shop/ui > shop/api 8080",
        YES,
    ),
    (
        "the local end of an ingress rule: whom it does not mean",
        {"shop/p": ingress("all()", to("Allow", "selector: \"app == 'api'\""), DENY)},
        "shop/ui > shop/worker 8081",
        NO,
    ),
    (
        "the local end of an egress rule",
        {"p": egress("all()", source("Deny", "notSelector: \"app == 'ui'\""), ALLOW)},
        "shop/db > shop/api 8080",
        NO,
    ),
    (
        "the local end of an egress rule: whom it does not mean",
        {"p": egress("all()", source("Deny", "notSelector: \"app == 'ui'\""), ALLOW)},
        "ops/ui > shop/api 8080",
        YES,
    ),
    (
        "a Service as the destination is also its port",
        {"shop/p": egress("app == 'ui'", to("Allow", "services: {name: api}"))},
        "shop/ui > svc:shop/api 80",
        YES,
    ),
    (
        "a Service as the destination is no other port",
        {"shop/p": egress("app == 'ui'", to("Allow", "services: {name: api}"))},
        "shop/ui > shop/api 9090",
        NO,
    ),
    (
        "a Service as the source is any port of its pods",
        {"shop/p": ingress("app == 'db'", source("Allow", "services: {name: api}"))},
        "shop/api > shop/db 5432",
        YES,
    ),
    (
        "traffic to the own node is judged",
        {"shop/p": egress("app == 'ui'", to("Allow", "selector: all()"))},
        "shop/ui > node:0 22",
        NO,
    ),
    ("traffic from the own node is not", {"shop/p": ingress("app == 'ui'")}, "node:0 > shop/ui 8080", YES),
    ("traffic from other nodes is", {"shop/p": ingress("app == 'ui'")}, "node:1 > shop/ui 8080", NO),
    ("pods on a node's network have no endpoint", {"ops/p": egress("all()", DENY)}, "ops/agent > shop/api 8080", YES),
]
"""Id, policies, probe, what they come to, and words of the reason."""

WORKER = replace(TOPOLOGY.pods[2], service_account="robot")
WORLD = replace(TOPOLOGY, pods=(*TOPOLOGY.pods[:2], WORKER, *TOPOLOGY.pods[3:]))


def manifests(policies: dict[str, str]) -> list[dict[str, Any]]:
    found = []
    for name, spec in policies.items():
        kind, _, rest = name.partition(" ")
        found.append({"knp": manifest, "tier": tier}[kind](rest, spec) if rest else calico(name, spec))
    return found


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_decisions(case: tuple[Any, ...]) -> None:
    _, policies, asked, expected, *says = case
    decision = Evaluator(read_policies(manifests(policies)), WORLD, PLACEMENT).decide(probe(asked))
    assert decision.specified is expected, decision.because
    assert all(words in decision.because for words in says)


def test_the_deciding_place_is_named() -> None:
    policies = manifests(
        {"shop/p": ingress(API, source("Allow", UI), source("Allow", "nets: [1.0.0.0/8, 192.0.2.0/24]"))}
    )
    evaluator = Evaluator(read_policies(policies), WORLD, PLACEMENT)
    assert evaluator.decide(probe("shop/ui > shop/api 8080")).ingress.at == "spec.ingress[0].source"
    assert evaluator.decide(probe("external:client > shop/api 8080")).ingress.at == "spec.ingress[1].source.nets[1]"


def test_rules_for_some_of_a_policys_pods_tell_its_pods_apart() -> None:
    """Pods that are governed by the same policies are not one group where a rule is about one of them only."""
    twin = Pod(namespace="shop", name="twin", labels={"app": "twin"}, ports=(Port(port=8080, name="http"),))
    world = replace(WORLD, pods=(*WORLD.pods, twin))
    policies = manifests({"shop/p": ingress("all()", to("Deny", "selector: \"app == 'twin'\""), ALLOW)})
    evaluator = Evaluator(read_policies(policies), world, PLACEMENT)
    found = [evaluator.decide(probe(f"shop/db > shop/{name} 8080")).specified for name in ("ui", "twin", "ui")]
    assert found == [YES, NO, YES]


def test_selectors_that_mean_nobody_are_told() -> None:
    policies = read_policies(manifests({"shop/p": ingress("app == 'apy'", source("Allow", "selector: has(xyz)"))}))
    assert warnings(policies, TOPOLOGY)[0] == (
        "selector app=apy in Calico NetworkPolicy shop/p matches no pod; nearest label: app=api"
    )
