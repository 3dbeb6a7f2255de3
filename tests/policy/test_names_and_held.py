"""Names need their lookup, and connections that exist are left open. Hand-written from the API's text."""

from __future__ import annotations

from typing import Any

import pytest

from netproof.model import Pod, Port, Probe, Service, ServicePort, Topology
from netproof.model.placement import place_on_paper
from netproof.policy import Evaluator, read_policies

PODS = tuple(Pod(namespace="x", name=n, labels={"pod": n}, ports=(Port(port=80),)) for n in "ab")
SERVICE = Service(namespace="x", name="b", selector={"pod": "b"}, ports=(ServicePort(port=80, target=80),))
TOPOLOGY = Topology(pods=PODS, services=(SERVICE,))
TO_B = {"to": [{"podSelector": {"matchLabels": {"pod": "b"}}}]}
DNS = {"ports": [{"port": 53, "protocol": "UDP"}]}
BY_NAME = Probe(source="x/a", destination="svc:x/b", port=80, via="name")
HELD = Probe(source="x/a", destination="x/b", port=80, kind="held")


def decide(probe: Probe, *egress: dict[str, Any]) -> tuple[str, str]:
    spec = {"podSelector": {"matchLabels": {"pod": "a"}}, "policyTypes": ["Egress"], "egress": list(egress)}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": spec}
    policy["metadata"] = {"name": "p", "namespace": "x"}
    decision = Evaluator(read_policies([policy]), TOPOLOGY, place_on_paper(TOPOLOGY)).decide(probe)
    return decision.specified.value, decision.because


@pytest.mark.parametrize(
    ("egress", "expected"), [([TO_B], "denied"), ([DNS], "denied"), ([TO_B, DNS], "connected"), ([{}], "connected")]
)
def test_a_name_connects_when_both_the_lookup_and_the_pods_are_allowed(egress: list[Any], expected: str) -> None:
    assert decide(BY_NAME, *egress)[0] == expected


def test_a_forgotten_dns_rule_is_named() -> None:
    assert "the name must be looked up first" in decide(BY_NAME, TO_B)[1]


def test_a_connection_that_exists_is_left_open_when_a_new_one_would_be_denied() -> None:
    assert decide(HELD, DNS)[0] == "unspecified"
    assert decide(HELD, TO_B)[0] == "connected"
