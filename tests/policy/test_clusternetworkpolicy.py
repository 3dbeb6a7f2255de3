"""What ClusterNetworkPolicy v1alpha2 means, by hand from its API's text (v0.2.0: clusternetworkpolicy_types.go, the
CRD, api-overview.md), which ids and docstrings name."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from netproof.errors import InputError
from netproof.model import Specified
from netproof.policy import read_policies
from netproof.policy.rules import AnyPeer, EntityPeer, NamePeer, NetworkPeer, PodPeer, PortMatch, Requirement, Selector

from .dialects import cluster, decide
from .example import manifest

YES, NO, OPEN = Specified.CONNECTED, Specified.DENIED, Specified.UNSPECIFIED


def test_a_whole_object() -> None:
    (policy,) = read_policies(
        [
            cluster(
                """
                subject: {pods: {namespaceSelector: {matchLabels: {team: shop}}, podSelector: {}}},
                ingress: [
                  {name: one, action: Pass, from: [{namespaces: {}}, {pods: {podSelector: {matchLabels: {app: ui}}}}],
                   protocols: [{tcp: {destinationPort: {number: 80}}}, {udp: {destinationPort: {range: {start: 1,
                   end: 9}}}}]},
                  {action: Deny, from: [{namespaces: {}}], protocols: [{destinationNamedPort: http}]}
                ],
                egress: [{action: Accept, to: [
                  {networks: [10.0.0.0/8, 'fd00::/8']}, {networks: [192.0.2.0/24]}, {nodes: {}},
                  {domainNames: ['*.Example.com']}
                ]}]
                """,
                tier="Baseline",
                priority=0,
            )
        ]
    )
    team = Selector(requirements=(Requirement(key="team", operator="In", values=("shop",)),))
    app = Selector(requirements=(Requirement(key="app", operator="In", values=("ui",)),))
    assert (policy.ref, policy.subject) == ("ClusterNetworkPolicy p", PodPeer(pods=Selector(), namespaces=team))
    assert (policy.precedence, policy.ordered, policy.isolates) == ((10_000_000.0, 0.0), True, frozenset())
    first, second, third = policy.rules
    assert (first.action, second.action, third.action) == ("pass", "deny", "allow")
    assert first.peers == (
        PodPeer(pods=Selector(), namespaces=Selector()),
        PodPeer(pods=app, namespaces=Selector()),
    )
    assert first.ports == (PortMatch(protocol="TCP", first=80, last=80), PortMatch(protocol="UDP", first=1, last=9))
    assert second.ports == tuple(PortMatch(protocol=p, name="http") for p in ("TCP", "UDP", "SCTP"))
    assert third.ports is None
    assert third.peers == (
        AnyPeer(peers=(NetworkPeer(cidr="10.0.0.0/8"), NetworkPeer(cidr="fd00::/8"))),
        NetworkPeer(cidr="192.0.2.0/24"),
        EntityPeer(name="nodes", entities=frozenset({"own-node", "other-nodes"})),
        NamePeer(pattern="**.example.com"),
    )


def test_twenty_five_of_each_are_the_most() -> None:
    """MaxItems=25 of rules, peers, protocols and networks."""
    networks = ", ".join(f"10.{n}.0.0/16" for n in range(25))
    ports = ", ".join(f"{{tcp: {{destinationPort: {{number: {n + 1}}}}}}}" for n in range(25))
    peers = ", ".join([f"{{networks: [{networks}]}}"] * 25)
    rules = ", ".join([f"{{action: Deny, to: [{peers}], protocols: [{ports}]}}"] * 25)
    (policy,) = read_policies([cluster(f"egress: [{rules}]")])
    assert len(policy.rules) == 25


def rule(text: str, sentence: str, side: str = "ingress") -> tuple[str, str]:
    return f"{side}: [{text}]", f"spec.{side}[0]{sentence}"


def peer(text: str, sentence: str, action: str = "Accept") -> tuple[str, str]:
    return rule(f"{{action: {action}, to: [{text}]}}", f".to[0]{sentence}", "egress")


def protocol(text: str, sentence: str) -> tuple[str, str]:
    return rule(f"{{action: Deny, from: [{{namespaces: {{}}}}], protocols: [{text}]}}", f".protocols{sentence}")


ALL = "{namespaces: {}}"
MANY = ", ".join([ALL] * 26)
REFUSED = [
    ("tier: Default", "spec.tier: must be Admin or Baseline (got 'Default')"),
    ("tier: null", "spec.tier: must be Admin or Baseline"),
    ("priority: 1001", "spec.priority: must be a number from 0 to 1000 (got 1001)"),
    ("priority: -1", "spec.priority: must be a number from 0 to 1000"),
    ("priority: '1'", "spec.priority: must be a number from 0 to 1000"),
    ("subject: null", "spec.subject: this key is needed: namespaces or pods"),
    ("subject: {}", "spec.subject: must have exactly one of namespaces, pods (got none)"),
    ("subject: {namespaces: {}, pods: {podSelector: {}}}", "spec.subject: must have exactly one of namespaces, pods"),
    ("subject: {pods: {}}", "spec.subject.pods.podSelector: this key is needed"),
    ("subject: {nodes: {}}", "spec.subject.nodes: unknown key"),
    ("ingres: []", "spec.ingres: unknown key; did you mean 'ingress'?"),
    (f"ingress: [{', '.join(['{}'] * 26)}]", "spec.ingress: must have from 0 to 25 items (got 26)"),
    rule("{from: [{namespaces: {}}]}", ".action: must be Accept, Deny, Pass (got None)"),
    rule("{action: Allow, from: [{namespaces: {}}]}", ".action: must be Accept, Deny, Pass (got 'Allow')"),
    rule("{action: Deny}", ".from: this key is needed, with at least one item"),
    rule("{action: Deny, from: []}", ".from: must have from 1 to 25 items (got 0)"),
    rule(f"{{action: Deny, from: [{MANY}]}}", ".from: must have from 1 to 25 items (got 26)"),
    rule("{action: Deny, from: [{}]}", ".from[0]: must have exactly one of namespaces, pods (got none)"),
    rule("{action: Deny, from: [{networks: [10.0.0.0/8]}]}", ".from[0].networks: unknown key"),
    rule("{action: Deny, to: [{namespaces: {}}]}", ".to: unknown key"),
    rule(f"{{action: Deny, name: {'x' * 101}, from: [{ALL}]}}", ".name: must be a string of at most 100 characters"),
    peer("{networks: []}", ".networks: must have from 1 to 25 items (got 0)"),
    peer("{networks: [10.0.0.1]}", ".networks[0]: must be an address range in CIDR notation"),
    peer("{networks: [10.0.0.0/8, 10.0.0.0/8]}", ".networks[1]: is there twice (got '10.0.0.0/8')"),
    peer("{nodes: {matchLabels: {a: b}}}", ".nodes: the labels of nodes are not known here"),
    peer("{domainNames: ['*.*.com']}", ".domainNames[0]: must be a domain name, perhaps with '*.' before it"),
    peer("{domainNames: [a.com]}", ".domainNames: names are only supported for Accept (got Deny)", "Deny"),
    rule(
        "{action: Deny, to: [{networks: [10.0.0.0/8]}], protocols: [{destinationNamedPort: http}]}",
        ".protocols: destinationNamedPort cannot go with networks, which have no named ports",
        "egress",
    ),
    protocol("", ": must have from 1 to 25 items (got 0)"),
    protocol("{}", "[0]: must have exactly one of tcp, udp, sctp, destinationNamedPort (got none)"),
    protocol("{icmp: {}}", "[0].icmp: unknown key"),
    protocol("{tcp: {}}", "[0].tcp: must have exactly one of destinationPort (got none)"),
    protocol("{tcp: {destinationPort: {}}}", "[0].tcp.destinationPort: must have exactly one of number, range"),
    protocol("{tcp: {destinationPort: {number: 0}}}", "[0].tcp.destinationPort.number: must be a port number"),
    protocol("{tcp: {destinationPort: {range: {start: 5}}}}", "[0].tcp.destinationPort.range.end: must be a port"),
    protocol(
        "{tcp: {destinationPort: {range: {start: 5, end: 5}}}}",
        "[0].tcp.destinationPort.range: start must be less than end (5 and 5)",
    ),
    protocol("{destinationNamedPort: ''}", "[0].destinationNamedPort: must be the name of a container port"),
]


@pytest.mark.parametrize(("rules", "sentence"), REFUSED, ids=[sentence[:60] for _, sentence in REFUSED])
def test_refused(rules: str, sentence: str) -> None:
    """The CRD's schema and validations, and of the experimental channel what is not known here."""
    with pytest.raises(InputError) as caught:
        read_policies([cluster(rules)])
    assert f"ClusterNetworkPolicy p: {sentence}" in str(caught.value)


def test_it_has_no_namespace() -> None:
    """Scope: Cluster."""
    odd = {**cluster(""), "metadata": {"name": "p", "namespace": "shop"}}
    with pytest.raises(
        InputError, match=r"ClusterNetworkPolicy p: metadata\.namespace: .* holds for the whole cluster"
    ):
        read_policies([odd])


def ingress(*rules: tuple[str, str], **more: Any) -> dict[str, Any]:
    """Rules of (action, the value of app that is meant), for the pod shop/api."""
    listed = ", ".join(
        f"{{action: {action}, from: [{{pods: {{podSelector: {{matchLabels: {{app: {app}}}}}}}}}]}}"
        for action, app in rules
    )
    return cluster(f"subject: {{pods: {{podSelector: {{matchLabels: {{app: api}}}}}}}}, ingress: [{listed}]", **more)


def egress(*rules: tuple[str, str], **more: Any) -> dict[str, Any]:
    """Rules of (action, one peer), for the pods app=ui."""
    listed = ", ".join(f"{{action: {action}, to: [{to}]}}" for action, to in rules)
    return cluster(f"subject: {{pods: {{podSelector: {{matchLabels: {{app: ui}}}}}}}}, egress: [{listed}]", **more)


K8S_ALLOW = manifest("shop/allow", "{podSelector: {}, ingress: [{}]}")
K8S_DENY = manifest("shop/deny", "{podSelector: {}}")
BASE = {"tier": "Baseline"}
UI = "shop/ui > shop/api 8080"
SEVERAL = "{networks: [198.51.100.0/24, 192.0.2.0/24]}"
EVERYWHERE = "{networks: [0.0.0.0/0]}"
NAMES = (("Accept", "{domainNames: ['*.example.com']}"), ("Deny", "{networks: [192.0.2.0/24]}"))

CASES: list[tuple[str, list[dict[str, Any]], str, Specified]] = [
    ("overview: no implicit isolation", [ingress(("Accept", "db"))], UI, YES),
    ("overview: Deny", [ingress(("Deny", "ui"))], UI, NO),
    ("types, Ingress: only what is named", [ingress(("Deny", "ui"))], "shop/db > shop/api 8080", YES),
    ("types, Ingress: the first rule counts: Accept", [ingress(("Accept", "ui"), ("Deny", "ui"))], UI, YES),
    ("types, Ingress: the first rule counts: Deny", [ingress(("Deny", "ui"), ("Accept", "ui"))], UI, NO),
    (
        "types, Priority: lower is asked first",
        [ingress(("Deny", "ui"), name="b", priority=2), ingress(("Accept", "ui"), name="a", priority=1)],
        UI,
        YES,
    ),
    ("types, Tier: Admin denies before NetworkPolicy", [K8S_ALLOW, ingress(("Deny", "ui"))], UI, NO),
    ("types, Tier: Admin accepts before NetworkPolicy", [K8S_DENY, ingress(("Accept", "ui"))], UI, YES),
    ("types, Tier: NetworkPolicy denies before Baseline", [K8S_DENY, ingress(("Accept", "ui"), **BASE)], UI, NO),
    ("types, Tier: NetworkPolicy allows before Baseline", [K8S_ALLOW, ingress(("Deny", "ui"), **BASE)], UI, YES),
    ("types, Tier: Baseline for pods of no NetworkPolicy", [ingress(("Deny", "ui"), **BASE)], UI, NO),
    (
        "types, Tier: Admin before Baseline",
        [ingress(("Deny", "ui"), name="b", **BASE), ingress(("Accept", "ui"), name="a", priority=999)],
        UI,
        YES,
    ),
    (
        "types, Pass: leaves the tier",
        [ingress(("Pass", "ui"), ("Deny", "ui"), name="a"), ingress(("Deny", "ui"), name="b", priority=11)],
        UI,
        YES,
    ),
    ("types, Pass: NetworkPolicy decides next", [ingress(("Pass", "ui"), ("Accept", "ui")), K8S_DENY], UI, NO),
    (
        "overview, Pass: then Baseline, where no NetworkPolicy selects",
        [ingress(("Pass", "ui"), name="a"), ingress(("Deny", "ui"), name="b", **BASE)],
        UI,
        NO,
    ),
    ("types, Pass in Baseline: the default remains", [ingress(("Pass", "ui"), ("Deny", "ui"), **BASE)], UI, YES),
    (
        "types, Priority: equal and at odds",
        [ingress(("Deny", "ui"), name="a"), ingress(("Accept", "ui"), name="b")],
        UI,
        OPEN,
    ),
    (
        "types, Priority: equal and of one mind",
        [ingress(("Deny", "ui"), name="a"), ingress(("Deny", "ui"), ("Accept", "ui"), name="b")],
        UI,
        NO,
    ),
    (
        "types, Priority: equal, only one matches",
        [ingress(("Deny", "ui"), name="a"), ingress(("Accept", "db"), name="b")],
        UI,
        NO,
    ),
    (
        "types, Priority: equal, Pass leads to the same",
        [ingress(("Pass", "ui"), name="a"), ingress(("Accept", "ui"), name="b"), K8S_ALLOW],
        UI,
        YES,
    ),
    (
        "types, Priority: equal, Pass leads elsewhere",
        [ingress(("Pass", "ui"), name="a"), ingress(("Accept", "ui"), name="b"), K8S_DENY],
        UI,
        OPEN,
    ),
    (
        "types, Priority: equal numbers of two tiers do not meet",
        [ingress(("Accept", "ui"), name="a"), ingress(("Deny", "ui"), name="b", **BASE)],
        UI,
        YES,
    ),
    ("types, Egress: Accept leaves the destination's ingress", [egress(("Accept", ALL)), K8S_DENY], UI, NO),
    ("types, namespaces: pods of all namespaces", [egress(("Deny", ALL))], "ops/ui > shop/db 5432", NO),
    ("types, namespaces: nothing else", [egress(("Deny", ALL))], "shop/ui > external:client 443", YES),
    ("types, namespaces: no host-network pods as peers", [egress(("Deny", ALL))], "shop/ui > ops/agent 8080", YES),
    (
        "types, subject: no host-network pods",
        [cluster(f"egress: [{{action: Deny, to: [{ALL}]}}]")],
        "ops/agent > shop/ui 8080",
        YES,
    ),
    ("types, networks: pods, too", [egress(("Deny", EVERYWHERE))], UI, NO),
    ("types, networks: outside", [egress(("Deny", EVERYWHERE))], "shop/ui > external:client 443", NO),
    ("types, networks: nodes, the own one too", [egress(("Deny", EVERYWHERE))], "shop/ui > node:0 8080", NO),
    (
        "types, networks: a Pass for pods before them",
        [egress(("Pass", ALL), ("Deny", EVERYWHERE))],
        UI,
        YES,
    ),
    ("types, networks: any of several", [egress(("Deny", SEVERAL))], "shop/ui > external:client 443", NO),
    ("types, networks: none of several", [egress(("Deny", "{networks: [10.99.0.0/16]}"))], UI, YES),
    ("types, nodes {}: all", [egress(("Deny", "{nodes: {}}"))], "shop/ui > node:1 8080", NO),
    ("types, nodes {}: the own", [egress(("Deny", "{nodes: {}}"))], "shop/ui > node:0 8080", NO),
    ("types, nodes: no pods", [egress(("Deny", "{nodes: {}}"))], UI, YES),
    (
        "types, nodes: host-network pods have their address",
        [egress(("Deny", "{nodes: {}}"))],
        "shop/ui > ops/agent 80",
        NO,
    ),
    ("npep-133: a name", [egress(*NAMES)], "shop/ui > external:client 443 name", YES),
    ("npep-133: without a look-up not guaranteed", [egress(*NAMES)], "shop/ui > external:client 443", OPEN),
    (
        "npep-133: another name",
        [egress(("Accept", "{domainNames: [example.com]}"), ("Deny", EVERYWHERE))],
        "shop/ui > external:client 443 name",
        NO,
    ),
    (
        "overview: a pod's own address is not subject",
        [cluster(f"egress: [{{action: Deny, to: [{ALL}]}}]")],
        "shop/ui > shop/ui 8080",
        YES,
    ),
    (
        "overview: itself through its Service is subject",
        [cluster(f"egress: [{{action: Deny, to: [{ALL}]}}]")],
        "shop/api > svc:shop/api 80",
        NO,
    ),
]


@pytest.mark.parametrize(("policies", "asked", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_api_text(policies: list[dict[str, Any]], asked: str, expected: Specified) -> None:
    decision = decide(policies, asked)
    assert decision.specified is expected, decision.because


def test_ids_are_unique() -> None:
    assert len({case[0] for case in CASES}) == len(CASES)


@pytest.mark.parametrize(
    ("protocols", "port", "expected"),
    [
        ("{tcp: {destinationPort: {number: 8080}}}", "8080", NO),
        ("{tcp: {destinationPort: {number: 8080}}}", "9090", YES),
        ("{tcp: {destinationPort: {range: {start: 9000, end: 9090}}}}", "9090", NO),
        ("{udp: {destinationPort: {number: 8080}}}", "8080", YES),
        ("{udp: {destinationPort: {number: 5353}}}", "5353/UDP", NO),
        ("{sctp: {destinationPort: {number: 3868}}}", "3868/SCTP", NO),
        ("{destinationNamedPort: http}", "8080", NO),
        ("{destinationNamedPort: http}", "9090", YES),
        ("{destinationNamedPort: answers}", "5353/UDP", NO),
    ],
)
def test_protocols(protocols: str, port: str, expected: Specified) -> None:
    """ClusterNetworkPolicyProtocol; a named port has the protocol that the container gives it."""
    policy = cluster(f"ingress: [{{action: Deny, from: [{ALL}], protocols: [{protocols}]}}]")
    assert decide([policy], f"shop/ui > shop/api {port}").specified is expected


def test_equal_priority_is_told() -> None:
    """ClusterNetworkPolicySpec.Priority: "the implementation can apply any of the matching policies"."""
    decision = decide([ingress(("Deny", "ui"), name="a"), ingress(("Accept", "ui"), name="b")], UI)
    assert decision.because == (
        "unspecified at ingress: ClusterNetworkPolicy a and ClusterNetworkPolicy b have equal priority and disagree, "
        "and the API lets any of them decide."
    )


def test_the_place_of_a_rule_is_told() -> None:
    decision = decide(
        [egress(("Accept", "{namespaces: {matchLabels: {a: b}}}"), ("Deny", SEVERAL))], "shop/ui > external:client 443"
    )
    assert decision.egress.at == "spec.egress[1].to[0]"
    assert "egress rule 2 (to addresses 198.51.100.0/24 or addresses 192.0.2.0/24, every port)" in decision.because


STORY_1 = """
tier: Admin
priority: 10
subject: {namespaces: {matchLabels: {kubernetes.io/metadata.name: shop}}}
ingress: [{action: Deny, name: select-all-deny-all, from: [{namespaces: {matchLabels: {}}}]}]
"""
STORY_5 = """
tier: Baseline
priority: 10
subject: {namespaces: {}}
ingress: [{action: Deny, from: [{namespaces: {}}]}]
"""


@pytest.mark.parametrize(
    ("story", "asked", "expected"),
    [
        (STORY_1, "ops/ui > shop/api 8080", NO),
        (STORY_1, "shop/api > ops/ui 8080", YES),
        (STORY_1, "external:client > shop/api 8080", YES),
        (STORY_5, "ops/ui > shop/api 8080", YES),
        (STORY_5, "shop/api > ops/ui 8080", NO),
    ],
)
def test_user_stories(story: str, asked: str, expected: Specified) -> None:
    """user-stories.md: a sensitive namespace, and guardrails that a namespace's NetworkPolicy overrides."""
    policy = {**cluster(""), "spec": yaml.safe_load(story)}
    assert decide([policy, manifest("shop/allow", "{podSelector: {}, ingress: [{}]}")], asked).specified is expected


@pytest.mark.parametrize(
    ("rule", "expected"), [(("Deny", "api"), OPEN), (("Accept", "api"), OPEN), (("Deny", "ui"), OPEN), (None, YES)]
)
def test_a_pod_behind_its_own_service_is_open_under_any_policy(
    rule: tuple[str, str] | None, expected: Specified
) -> None:
    """It may come back with a node's address: what a Deny or an Accept of it means is open, isolated or not."""
    decision = decide([ingress(rule)] if rule else [], "shop/api > svc:shop/api 80")
    assert decision.specified is expected
