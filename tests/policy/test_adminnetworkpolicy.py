"""What AdminNetworkPolicy and BaselineAdminNetworkPolicy v1alpha1 mean, by hand from the text of their API
(adminnetworkpolicy_types.go, baselineadminnetworkpolicy_types.go, shared_types.go of v0.1.7)."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from netproof.errors import InputError
from netproof.model import Specified
from netproof.policy import read_policies
from netproof.policy.rules import NetworkPeer, PodPeer, PortMatch, Selector

from .dialects import decide
from .example import manifest

YES, NO, OPEN = Specified.CONNECTED, Specified.DENIED, Specified.UNSPECIFIED
UI = "shop/ui > shop/api 8080"
API = "subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: api}}}}"
FROM_UI = "from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: ui}}}}]"
K8S_ALLOW = manifest("shop/allow", "{podSelector: {}, ingress: [{}]}")
K8S_DENY = manifest("shop/deny", "{podSelector: {}}")


def admin(rules: str, name: str = "p", *, priority: int = 10) -> dict[str, Any]:
    spec = {"priority": priority, "subject": {"namespaces": {}}, **yaml.safe_load(f"{{{rules}}}")}
    return _object("AdminNetworkPolicy", name, spec)


def baseline(rules: str, name: str = "default") -> dict[str, Any]:
    spec = {"subject": {"namespaces": {}}, **yaml.safe_load(f"{{{rules}}}")}
    return _object("BaselineAdminNetworkPolicy", name, spec)


def _object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    spec = {key: value for key, value in spec.items() if value is not None}
    return {"apiVersion": "policy.networking.k8s.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def ingress(*actions: str) -> str:
    return f"{API}, ingress: [{', '.join(f'{{action: {action}, {FROM_UI}}}' for action in actions)}]"


def test_a_whole_object() -> None:
    (policy,) = read_policies(
        [
            admin(
                "ingress: [{name: one, action: Pass, from: [{namespaces: {}}], ports: [{portNumber: {port: 80}}, "
                "{portNumber: {protocol: UDP, port: 53}}, {portRange: {protocol: SCTP, start: 1, end: 9}}, "
                "{namedPort: http}]}], egress: [{action: Deny, to: [{networks: [10.0.0.0/8]}, {nodes: {}}]}]",
                priority=7,
            )
        ]
    )
    assert (policy.ref, policy.precedence, policy.ordered, policy.isolates) == (
        "AdminNetworkPolicy p",
        (1000.0, 7.0),
        True,
        frozenset(),
    )
    first, second = policy.rules
    assert (first.action, first.peers) == ("pass", (PodPeer(pods=Selector(), namespaces=Selector()),))
    assert first.ports == (
        PortMatch(protocol="TCP", first=80, last=80),
        PortMatch(protocol="UDP", first=53, last=53),
        PortMatch(protocol="SCTP", first=1, last=9),
        *(PortMatch(protocol=protocol, name="http") for protocol in ("TCP", "UDP", "SCTP")),
    )
    assert (second.action, second.ports, (second.peers or ())[0]) == ("deny", None, NetworkPeer(cidr="10.0.0.0/8"))


CASES: list[tuple[str, list[dict[str, Any]], str, Specified]] = [
    ("nobody is isolated", [admin(ingress("Allow"))], "shop/db > shop/api 8080", YES),
    ("Deny", [admin(ingress("Deny"))], UI, NO),
    ("the first rule counts", [admin(ingress("Allow", "Deny"))], UI, YES),
    ("lower priority is asked first", [admin(ingress("Deny"), "b"), admin(ingress("Allow"), "a", priority=9)], UI, YES),
    ("equal priority, at odds", [admin(ingress("Deny"), "b"), admin(ingress("Allow"), "a")], UI, OPEN),
    ("before NetworkPolicy: Deny", [K8S_ALLOW, admin(ingress("Deny"))], UI, NO),
    ("before NetworkPolicy: Allow", [K8S_DENY, admin(ingress("Allow"))], UI, YES),
    ("Pass: NetworkPolicy decides", [K8S_DENY, admin(ingress("Pass", "Allow"))], UI, NO),
    ("Pass: then the baseline", [admin(ingress("Pass")), baseline(ingress("Deny"))], UI, NO),
    ("baseline: for pods of no NetworkPolicy", [baseline(ingress("Deny"))], UI, NO),
    ("baseline: after NetworkPolicy", [K8S_ALLOW, baseline(ingress("Deny"))], UI, YES),
    ("baseline: NetworkPolicy denies before it", [K8S_DENY, baseline(ingress("Allow"))], UI, NO),
    (
        "ports: of the destination",
        [admin(f"{API}, ingress: [{{action: Deny, {FROM_UI}, ports: [{{portNumber: {{port: 9}}}}]}}]")],
        UI,
        YES,
    ),
    ("subject and peers: no host-network pods", [admin("egress: [{action: Deny, to: [{namespaces: {}}]}]")],
     "ops/agent > shop/ui 8080", YES),
]  # fmt: skip


@pytest.mark.parametrize(("what", "policies", "asked", "specified"), CASES, ids=[case[0] for case in CASES])
def test_decided(what: str, policies: list[dict[str, Any]], asked: str, specified: Specified) -> None:
    decision = decide(policies, asked)
    assert decision.specified is specified, f"{what}: {decision.because}"


def rule(text: str, sentence: str, side: str = "ingress") -> tuple[str, str]:
    return f"{side}: [{text}]", f"spec.{side}[0]{sentence}"


def port(text: str, sentence: str) -> tuple[str, str]:
    return rule(f"{{action: Deny, from: [{{namespaces: {{}}}}], ports: [{text}]}}", f".ports{sentence}")


REFUSED = [
    ("priority: 1001", "spec.priority: must be a number from 0 to 1000 (got 1001)"),
    ("priority: null", "spec.priority: must be a number from 0 to 1000 (got None)"),
    ("subject: null", "spec.subject: this key is needed"),
    ("subject: {nodes: {}}", "spec.subject.nodes: unknown key"),
    (f"ingress: [{', '.join(['{}'] * 101)}]", "spec.ingress: must have from 0 to 100 items (got 101)"),
    rule("{action: Accept, from: [{namespaces: {}}]}", ".action: must be Allow, Deny, Pass (got 'Accept')"),
    rule("{action: Deny}", ".from: this key is needed"),
    rule("{action: Deny, from: [{networks: [10.0.0.0/8]}]}", ".from[0].networks: unknown key"),
    rule("{action: Deny, to: [{nodes: {matchLabels: {a: b}}}]}", ".to[0].nodes: the labels of nodes", "egress"),
    rule("{action: Deny, to: [{domainNames: [a.com]}]}", ".to[0].domainNames: names are only supported", "egress"),
    rule(
        "{action: Deny, to: [{networks: [10.0.0.0/8]}], ports: [{namedPort: http}]}",
        ".ports: namedPort cannot go with networks",
        "egress",
    ),
    port("{}", "[0]: must have exactly one of portNumber, namedPort, portRange (got none)"),
    port("{portNumber: {port: 0}}", "[0].portNumber.port: must be a port number"),
    port("{portNumber: {protocol: ICMP, port: 1}}", "[0].portNumber.protocol: must be TCP, UDP or SCTP"),
    port("{portRange: {start: 5, end: 5}}", "[0].portRange: start must be less than end (5 and 5)"),
    port("{namedPort: ''}", "[0].namedPort: must be the name of a container port"),
]


@pytest.mark.parametrize(("rules", "sentence"), REFUSED, ids=[sentence[:60] for _, sentence in REFUSED])
def test_refused(rules: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        read_policies([admin(rules)])
    assert f"AdminNetworkPolicy p: {sentence}" in str(caught.value)


def test_the_baseline_is_one_and_has_no_pass_and_no_names() -> None:
    for policy, sentence in (
        (baseline("ingress: []", "other"), "metadata.name: must be default"),
        (baseline(ingress("Pass")), "action: must be Allow, Deny (got 'Pass')"),
        (baseline("egress: [{action: Allow, to: [{domainNames: [a.com]}]}]"), "domainNames: unknown key"),
        (baseline("priority: 1"), "spec.priority: unknown key"),
    ):
        with pytest.raises(InputError, match=r"BaselineAdminNetworkPolicy") as caught:
            read_policies([policy])
        assert sentence in str(caught.value)
