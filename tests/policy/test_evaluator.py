"""The evaluator against the cases of the API's text, and what its decisions say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netproof.errors import InputError
from netproof.model import Placement, Probe, Specified
from netproof.policy import Evaluator, read_policies
from netproof.policy.networkpolicy import read
from netproof.policy.rules import PodPeer, Policy, Requirement, Rule, Selector

from .cases import DENY_IN, DENY_OUT, NO, OPEN, YES, Case, addresses, egress, ingress, pods
from .example import PLACEMENT, TOPOLOGY, decide, manifest, probe

CASES = [*pods.CASES, *addresses.CASES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_api_text(case: Case) -> None:
    decision = decide(case.policies, case.probe, **case.more)
    assert decision.specified is case.expected, decision.because
    assert case.says in decision.because
    assert not case.egress or decision.egress.at == case.egress
    assert not case.ingress or decision.ingress.at == case.ingress


def test_ids_are_unique() -> None:
    assert len({case.id for case in CASES}) == len(CASES)


def test_the_sides_name_policy_rule_and_peer() -> None:
    decision = decide(
        {
            "shop/ui": """
                podSelector: {matchLabels: {app: ui}}
                policyTypes: [Egress]
                egress:
                  - {to: [{namespaceSelector: {}}], ports: [{port: 53, protocol: UDP}]}
                  - {to: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 8080}]}
            """
        },
        "shop/ui > shop/api 8080",
    )
    assert decision.because == (
        "egress: shop/ui is isolated by NetworkPolicy shop/ui; its egress rule 2 (to pods app=api, port 8080/TCP) "
        "allows this. ingress: no policy isolates shop/api."
    )
    side = decision.egress
    assert (side.isolated, side.isolating, side.allowed) == (True, ("NetworkPolicy shop/ui",), True)
    assert (side.policy, side.rule) == ("NetworkPolicy shop/ui", "egress rule 2 (to pods app=api, port 8080/TCP)")
    assert (side.peer, side.at, side.rules) == ("pods app=api", "spec.egress[1].to[0]", 2)
    assert (decision.ingress.isolated, decision.ingress.allowed, decision.ingress.policy) == (False, True, "")


def test_many_isolating_policies_are_counted_not_listed() -> None:
    names = {f"shop/p{number}": "{podSelector: {}}" for number in range(6)}
    said = decide(names, "ops/ui > shop/api 8080").because
    assert "NetworkPolicy shop/p0, NetworkPolicy shop/p1, NetworkPolicy shop/p2 and 3 more isolate shop/api" in said


@pytest.mark.parametrize(
    ("policies", "text", "expected"),
    [
        (ingress("{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}"), "external:client > shop/api 8080", OPEN),
        (ingress("{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}"), "external:client > shop/api 8080", YES),
        (ingress("{from: [{ipBlock: {cidr: '::/0'}}]}"), "external:client > shop/api 8080", NO),
        (ingress("{from: [{podSelector: {}}]}"), "shop/ui > shop/api 8080", YES),
        (DENY_IN, "node:0 > shop/api 8080", OPEN),
        (ingress("{}"), "node:0 > shop/api 8080", YES),
        (egress("{to: [{namespaceSelector: {}}]}"), "shop/ui > svc:kube-system/kube-dns 53/UDP", YES),
        (DENY_OUT, "shop/ui > svc:kube-system/kube-dns 53/UDP", NO),
    ],
)
def test_without_a_placement_only_addresses_and_nodes_are_open(
    policies: dict[str, str], text: str, expected: Specified
) -> None:
    assert decide(policies, text, placement=Placement(addresses={})).specified is expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("shop/uii > shop/api 8080", "no endpoint 'shop/uii' in the topology; did you mean 'shop/ui'?"),
        ("shop/ui > shop/apo 8080", "no endpoint 'shop/apo' in the topology; did you mean 'shop/api'?"),
        ("shop/ui > svc:shop/apo 80", "no Service 'svc:shop/apo' in the topology; did you mean 'svc:shop/api'?"),
        ("shop/ui > svc:shop/api 81", "Service svc:shop/api has no port 81/TCP; it has 80/TCP and 9000/TCP"),
        ("shop/ui > shop/api 80 service", "via service needs a Service as its destination"),
    ],
)
def test_a_probe_of_what_does_not_exist_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        decide({}, text)
    assert sentence in str(caught.value)


def everybody(name: str, action: Any, precedence: tuple[float, ...], *, isolates: bool = False) -> Policy:
    return Policy(
        ref=f"Test {name}",
        subject=PodPeer(pods=Selector()),
        isolates=frozenset({"ingress"} if isolates else ()),
        rules=(
            Rule(
                direction="ingress",
                index=0,
                peers=(PodPeer(pods=Selector(requirements=(Requirement(key="app", operator="In", values=("ui",)),))),),
                ports=None,
                action=action,
            ),
        ),
        precedence=precedence,
    )


(DENY_ALL,) = read(manifest("shop/deny", "{podSelector: {}}"))


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ((everybody("deny", "deny", (100.0, 1.0)),), NO),
        ((everybody("allow", "allow", (100.0, 1.0)), DENY_ALL), YES),
        ((everybody("pass", "pass", (100.0, 1.0)), everybody("allow", "allow", (100.0, 2.0)), DENY_ALL), NO),
        ((everybody("pass", "pass", (100.0, 1.0)), everybody("deny", "deny", (100.0, 2.0))), YES),
        ((everybody("allow", "allow", (100.0, 1.0)), everybody("deny", "deny", (100.0, 2.0))), YES),
        ((everybody("allow", "allow", (100.0, 1.0)), everybody("deny", "deny", (100.0, 1.0))), NO),
        ((everybody("deny", "deny", (2000.0,)), everybody("allow", "allow", (1000.0,), isolates=True)), YES),
    ],
)
def test_precedence(policies: tuple[Policy, ...], expected: Specified) -> None:
    decision = Evaluator(policies, TOPOLOGY, PLACEMENT).decide(probe("ops/ui > shop/api 8080"))
    assert decision.specified is expected, decision.because


def test_a_denying_rule_is_named() -> None:
    evaluator = Evaluator((everybody("deny", "deny", (100.0,)),), TOPOLOGY, PLACEMENT)
    assert evaluator.decide(probe("ops/ui > shop/api 8080")).because == (
        "denied at ingress: ingress rule 1 (from pods app=ui in all namespaces, every port) of Test deny denies this."
    )


def test_equal_pods_are_judged_once() -> None:
    """The promise behind large topologies: what is worked out grows with distinct pods, not with pods."""
    twins = tuple(replace(TOPOLOGY.pods[0], name=f"ui-{number}") for number in range(50))
    topology = replace(TOPOLOGY, pods=(*TOPOLOGY.pods, *twins))
    policies = read_policies(
        [manifest("shop/in", ingress("{from: [{podSelector: {matchLabels: {app: ui}}}]}")["shop/in"])]
    )
    evaluator = Evaluator(policies, topology, PLACEMENT)
    for twin in twins:
        asked = Probe(source=twin.id, destination="shop/api", port=8080)
        assert evaluator.decide(asked).specified is YES
    assert len(evaluator._judge) == 2
