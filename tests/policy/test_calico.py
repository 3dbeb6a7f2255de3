"""projectcalico.org/v3: what the reader makes of an object, and what it refuses.

By hand, from upstream's text of v3.28.5: networkpolicy.go, globalnetworkpolicy.go and policy_common.go of api/pkg/apis
(`api` here), validator.go of libcalico-go, felix. Tiers: tier.go of v3.29.
"""

from __future__ import annotations

from typing import Any

import pytest

from netproof.errors import InputError
from netproof.policy import read_policies, warnings
from netproof.policy.calico import read
from netproof.policy.rules import (
    NAMESPACE,
    SERVICE_ACCOUNT,
    BothPeer,
    Combination,
    NetworkPeer,
    OtherPeer,
    Peer,
    PodPeer,
    PortMatch,
    Requirement,
    Rule,
    Selector,
    ServicePeer,
)

from .calico import calico, tier
from .example import TOPOLOGY, manifest


def label(key: str, *values: str, operator: Any = "In") -> Requirement:
    return Requirement(key=key, operator=operator, values=values)


def select(*terms: Requirement | Combination) -> Selector:
    return Selector(requirements=terms)


def test_a_whole_object() -> None:
    (policy,) = read(
        calico(
            "shop/api",
            """
            order: 10
            selector: app == 'api' && tier in {'back'}
            serviceAccountSelector: projectcalico.org/name == 'api'
            types: [Ingress, Egress]
            performanceHints: [AssumeNeededOnEveryNode]
            ingress:
              - {action: Log}
              - action: Deny
                protocol: TCP
                source: {nets: [10.1.0.0/16, 10.2.0.0/16], selector: app == 'ui'}
                destination: {ports: [http, 9000, '9100:9200']}
                metadata: {annotations: {why: x}}
              - {action: Pass}
            egress:
              - {action: Allow, notProtocol: UDP, source: {selector: has(app)}}
            """,
        )
    )
    assert policy.ref == "Calico NetworkPolicy shop/api"
    assert policy.subject == PodPeer(
        pods=select(label("app", "api"), label("tier", "back"), label(SERVICE_ACCOUNT, "api")), namespace="shop"
    )
    assert policy.isolates == {"ingress", "egress"}
    assert policy.precedence == (1_000_000.0, 10.0, "shop/default.api")
    assert policy.ordered
    assert policy.judges_own_node
    ui = PodPeer(pods=select(label("app", "ui")), namespace="shop")
    assert policy.rules == (
        Rule(
            direction="ingress",
            index=1,
            action="deny",
            peers=tuple(BothPeer(peers=(ui, NetworkPeer(cidr=cidr))) for cidr in ("10.1.0.0/16", "10.2.0.0/16")),
            ports=(
                PortMatch(protocol="TCP", name="http"),
                PortMatch(protocol="TCP", first=9000, last=9000),
                PortMatch(protocol="TCP", first=9100, last=9200),
            ),
            peers_key="source.nets",
        ),
        Rule(
            direction="ingress",
            index=2,
            action="pass",
            peers=None,
            ports=None,
            peers_key="source",
            peers_listed=False,
        ),
        Rule(
            direction="egress",
            index=0,
            peers=None,
            ports=(PortMatch(protocol="TCP"), PortMatch(protocol="SCTP")),
            peers_key="destination",
            peers_listed=False,
            subject=PodPeer(pods=select(label("app", operator="Exists")), namespace="shop"),
        ),
    )


@pytest.mark.parametrize(
    ("spec", "isolates", "ignored"),
    [
        ("{}", {"ingress"}, set()),
        ("{ingress: [{action: Allow}]}", {"ingress"}, set()),
        ("{egress: [{action: Allow}]}", {"egress"}, set()),
        ("{types: [], egress: [{action: Allow}], ingress: []}", {"egress"}, set()),
        ("{ingress: [{action: Allow}], egress: [{action: Allow}]}", {"ingress", "egress"}, set()),
        ("{types: [Ingress], egress: [{action: Allow}]}", {"ingress"}, {"egress"}),
        ("{types: [Ingress, Egress]}", {"ingress", "egress"}, set()),
    ],
)
def test_types_and_their_default(spec: str, isolates: set[str], ignored: set[str]) -> None:
    """api, NetworkPolicySpec.Types."""
    (policy,) = read(calico("shop/p", spec))
    assert (set(policy.isolates), set(policy.ignored)) == (isolates, ignored)


def test_types_that_leave_rules_out_are_told() -> None:
    policies = read_policies([calico("shop/p", "{types: [Ingress], egress: [{action: Allow}]}")])
    assert warnings(policies, TOPOLOGY) == [
        "the egress rules of Calico NetworkPolicy shop/p have no effect: its types does not list Egress"
    ]


SUBJECTS = [
    ("shop/p", "{}", PodPeer(pods=Selector(), namespace="shop")),
    ("p", "{}", PodPeer(pods=Selector(), namespaces=Selector())),
    ("p", "{selector: all()}", PodPeer(pods=Selector(), namespaces=Selector())),
    (
        "p",
        "{selector: app == 'a', namespaceSelector: \"projectcalico.org/name in {'shop'} && has(team)\"}",
        PodPeer(
            pods=select(label("app", "a")),
            namespaces=select(label("kubernetes.io/metadata.name", "shop"), label("team", operator="Exists")),
        ),
    ),
    ("p", "{selector: projectcalico.org/namespace == 'shop'}", (label(NAMESPACE, "shop"),)),
    ("p", "{selector: pcns.projectcalico.org/name != 'shop'}", (label(NAMESPACE, "shop", operator="NotIn"),)),
    ("p", "{selector: projectcalico.org/serviceaccount == 'x'}", (label(SERVICE_ACCOUNT, "x"),)),
    ("p", "{selector: projectcalico.org/orchestrator == 'k8s'}", ()),
    ("p", "{selector: projectcalico.org/orchestrator != 'k8s'}", (Combination(kind="none", options=(Selector(),)),)),
    (
        "shop/p",
        "{selector: has(app) && pcns.team == 'x'}",
        PodPeer(
            pods=select(label("app", operator="Exists")),
            namespaces=select(label("team", "x"), label("kubernetes.io/metadata.name", "shop")),
        ),
    ),
]


@pytest.mark.parametrize(("name", "spec", "subject"), SUBJECTS, ids=[f"{name} {spec}" for name, spec, _ in SUBJECTS])
def test_subjects(name: str, spec: str, subject: PodPeer | tuple[Requirement, ...]) -> None:
    """api, selector, namespaceSelector and serviceAccountSelector; conversion/constants.go for the labels."""
    wanted = subject if isinstance(subject, PodPeer) else PodPeer(pods=select(*subject), namespaces=Selector())
    assert read(calico(name, spec))[0].subject == wanted


def pods(*terms: Requirement | Combination, namespace: str | None = "shop") -> PodPeer:
    return PodPeer(pods=select(*terms), namespace=namespace, namespaces=None if namespace else Selector())


A, B = label("a", "1"), label("b", "1")
NOT_B = Combination(kind="none", options=(select(B),))
PEERS: list[tuple[str, str, str, tuple[Peer, ...] | None]] = [
    ("nothing: everybody", "shop/p", "{}", None),
    ("selector: own namespace", "shop/p", "{selector: a == '1'}", (pods(A),)),
    ("selector: all namespaces", "p", "{selector: a == '1'}", (pods(A, namespace=None),)),
    (
        "namespaceSelector alone: all their pods",
        "shop/p",
        "{namespaceSelector: a == '1'}",
        (PodPeer(pods=Selector(), namespaces=select(A)),),
    ),
    ("namespaceSelector all()", "shop/p", "{namespaceSelector: all()}", (pods(namespace=None),)),
    ("selector all() of all namespaces", "p", "{selector: all()}", (pods(namespace=None),)),
    ("notSelector limits a namespaced policy (rules.go)", "shop/p", "{notSelector: b == '1'}", (pods(NOT_B),)),
    (
        "notSelector alone means what is no pod, too",
        "p",
        "{notSelector: b == '1'}",
        (OtherPeer(peers=(pods(B, namespace=None),)),),
    ),
    ("both", "p", "{selector: a == '1', notSelector: b == '1'}", (pods(A, NOT_B, namespace=None),)),
    (
        "service accounts",
        "shop/p",
        "{serviceAccounts: {names: [x, y], selector: projectcalico.org/name != 'z'}}",
        (pods(label(SERVICE_ACCOUNT, "z", operator="NotIn"), label(SERVICE_ACCOUNT, "x", "y")),),
    ),
    ("no service accounts", "shop/p", "{serviceAccounts: {}}", None),
    ("nets", "p", "{nets: [10.0.0.0/8, 1.2.3.4/32]}", (NetworkPeer(cidr="10.0.0.0/8"), NetworkPeer(cidr="1.2.3.4/32"))),
    (
        "nets without notNets",
        "p",
        "{nets: [10.0.0.0/8, 10.9.1.0/24, 1.2.3.4/32], notNets: [10.9.0.0/16, 10.0.0.0/32]}",
        (
            NetworkPeer(cidr="10.0.0.0/8", excepts=("10.9.0.0/16", "10.0.0.0/32")),
            NetworkPeer(cidr="10.9.1.0/24", excepts=("10.9.1.0/24",)),
            NetworkPeer(cidr="1.2.3.4/32"),
        ),
    ),
    (
        "notNets alone, of one IP version (felix/rules/policy.go)",
        "p",
        "{notNets: [10.0.0.0/8]}",
        (NetworkPeer(cidr="0.0.0.0/0", excepts=("10.0.0.0/8",)),),
    ),
    ("a Service of the own namespace", "shop/p", "{services: {name: x}}", (ServicePeer(namespace="shop", name="x"),)),
    ("a Service", "p", "{services: {name: x, namespace: y}}", (ServicePeer(namespace="y", name="x"),)),
]


@pytest.mark.parametrize(("name", "entity", "peers"), [case[1:] for case in PEERS], ids=[case[0] for case in PEERS])
def test_peers(name: str, entity: str, peers: tuple[Peer, ...] | None) -> None:
    """api, EntityRule."""
    (policy,) = read(calico(name, f"{{ingress: [{{action: Allow, source: {entity}}}]}}"))
    assert policy.rules[0].peers == peers


def tcp(*spans: tuple[int, int]) -> tuple[PortMatch, ...]:
    return tuple(PortMatch(protocol="TCP", first=first, last=last) for first, last in spans)


PORTS: list[tuple[str, tuple[PortMatch, ...] | None]] = [
    ("", None),
    ("protocol: TCP", (PortMatch(protocol="TCP"),)),
    ("protocol: 17", (PortMatch(protocol="UDP"),)),
    ("protocol: '132'", (PortMatch(protocol="SCTP"),)),
    ("protocol: ICMP, icmp: {type: 8, code: 0}", ()),
    ("protocol: ICMPv6, notICMP: {type: 8}", ()),
    ("protocol: UDPLite", ()),
    ("protocol: 47", ()),
    ("notProtocol: ICMP", None),
    ("notProtocol: TCP", (PortMatch(protocol="UDP"), PortMatch(protocol="SCTP"))),
    ("protocol: TCP, notProtocol: TCP", ()),
    ("protocol: TCP, destination: {ports: ['80']}", tcp((80, 80))),
    ("protocol: 6, destination: {notPorts: [80, '90:100']}", tcp((1, 79), (81, 89), (101, 65535))),
    ("protocol: TCP, destination: {ports: ['80:90'], notPorts: ['1:80', '85:86']}", tcp((81, 84), (87, 90))),
    ("protocol: TCP, destination: {notPorts: ['1:65535']}", ()),
    ("protocol: TCP, destination: {ports: [sql]}", (PortMatch(protocol="TCP", name="sql"),)),
]


@pytest.mark.parametrize(("words", "ports"), PORTS)
@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_ports(words: str, ports: tuple[PortMatch, ...] | None, direction: str) -> None:
    """api, Rule and EntityRule.Ports; in both directions ports are the destination's."""
    (policy,) = read(calico("shop/p", f"{{{direction}: [{{action: Allow, {words}}}]}}"))
    assert policy.rules[0].ports == ports


@pytest.mark.parametrize(
    ("words", "peers"),
    [
        ("ipVersion: 4", (NetworkPeer(cidr="0.0.0.0/0"),)),
        ("ipVersion: 6", (NetworkPeer(cidr="::/0"),)),
        ("ipVersion: 6, source: {nets: ['fd00::/8']}", (NetworkPeer(cidr="fd00::/8"),)),
        ("ipVersion: 4, source: {selector: a == '1'}", (BothPeer(peers=(pods(A), NetworkPeer(cidr="0.0.0.0/0"))),)),
    ],
)
def test_ip_version(words: str, peers: tuple[Peer, ...]) -> None:
    assert read(calico("shop/p", f"{{ingress: [{{action: Allow, {words}}}]}}"))[0].rules[0].peers == peers


def rule(words: str, direction: str = "ingress") -> str:
    return f"{{{direction}: [{{action: Allow, {words}}}]}}"


IN, OUT = "spec.ingress[0]", "spec.egress[0]"
UNPORTED = "rules that specify ports must set protocol to TCP, UDP or SCTP"
REFUSED = [
    ("{selctor: all()}", "spec.selctor: unknown key; did you mean 'selector'?"),
    ("{selector: 1}", "spec.selector: must be a text (got 1)"),
    ("{selector: app = 'x'}", "spec.selector: not a selector: \"app = 'x'\", column 5: expected ==, found '='"),
    (
        "{selector: global()}",
        "spec.selector: global() can only be used in the namespaceSelector of a rule's source or d",
    ),
    ("{serviceAccountSelector: global()}", "spec.serviceAccountSelector: global() can only be used in"),
    ("{serviceAccountSelector: role == 'x'}", "spec.serviceAccountSelector: labels of service accounts are not known"),
    ("{selector: has(pcsa.role)}", "spec.selector: labels of service accounts are not known here (got 'pcsa.role')"),
    (
        "{selector: has(a) || has(pcns.b)}",
        "spec.selector: labels of namespaces and of pods in one term (a and pcns.b) are not understood here",
    ),
    ("{order: first}", "spec.order: must be a number (got 'first')"),
    ("{order: true}", "spec.order: must be a number (got True)"),
    ("{types: [ingress]}", "spec.types[0]: must be Ingress (got 'ingress')"),
    ("{types: [Ingress, Ingress]}", "spec.types[1]: Ingress is specified more than once"),
    ("{performanceHints: [Faster]}", "spec.performanceHints[0]: must be AssumeNeededOnEveryNode, once (got 'Faster')"),
    ("{tier: security}", "spec.tier: no Tier object defines 'security'; known tiers: default"),
    ("{namespaceSelector: all()}", "spec.namespaceSelector: unknown key"),
    ("{doNotTrack: true}", "spec.doNotTrack: unknown key"),
    ("{ingress: {}}", "spec.ingress: must be a list (got {})"),
    ("{ingress: [{}]}", f"{IN}.action: must be Allow, Deny, Pass or Log (got None)"),
    ("{ingress: [{action: allow}]}", f"{IN}.action: must be Allow, Deny, Pass or Log (got 'allow')"),
    ("{ingress: [{action: Log, protocol: tcp}]}", f"{IN}.protocol: must be TCP, UDP, SCTP, ICMP, ICMPv6, UDPLite or a"),
    (rule("protocol: 0"), f"{IN}.protocol: must be TCP"),
    (rule("protocol: 256"), f"{IN}.protocol: must be TCP"),
    (rule("notProtocol: true"), f"{IN}.notProtocol: must be TCP"),
    (rule("http: {methods: [GET]}"), f"{IN}.http: not understood here: probes ask for no HTTP"),
    (rule("metadata: {name: x}"), f"{IN}.metadata.name: unknown key"),
    (rule("ipVersion: 5"), f"{IN}.ipVersion: must be 4 or 6 (got 5)"),
    (rule("ipVersion: 6, protocol: ICMP"), f"{IN}.ipVersion: must be 4 with protocol ICMP"),
    (rule("ipVersion: 4, notProtocol: ICMPv6"), f"{IN}.ipVersion: must be 6 with notProtocol ICMPv6"),
    (rule("icmp: {type: 8}"), f"{IN}.icmp: rules that specify ICMP fields must set protocol to ICMP or ICMPv6"),
    (rule("protocol: 1, icmp: {type: 8}"), f"{IN}.icmp: rules that specify ICMP fields must set protocol to ICMP"),
    (rule("protocol: ICMP, icmp: {code: 1}"), f"{IN}.icmp.code: may not be specified without a type"),
    (rule("protocol: ICMP, icmp: {type: 255}"), f"{IN}.icmp.type: must be a number from 0 to 254 (got 255)"),
    (rule("protocol: ICMP, notICMP: {type: 1, code: 256}"), f"{IN}.notICMP.code: must be a number from 0 to 255"),
    (rule("notICMP: {type: 8}"), f"{IN}.notICMP: what it means for other protocols is open"),
    (rule("destination: {ports: [80]}"), f"{IN}.destination.ports: {UNPORTED}"),
    (rule("protocol: ICMP, destination: {notPorts: [80]}"), f"{IN}.destination.notPorts: {UNPORTED}"),
    (rule("source: {ports: [80]}"), f"{IN}.source.ports: {UNPORTED}"),
    (rule("protocol: TCP, source: {ports: [80]}"), f"{IN}.source.ports: ports of the source are not understood here"),
    (rule("protocol: TCP, source: {notPorts: [8]}", "egress"), f"{OUT}.source.notPorts: ports of the source are not"),
    (rule("protocol: TCP, destination: {ports: [0]}"), f"{IN}.destination.ports[0]: must be a port number from 1"),
    (rule("protocol: TCP, destination: {ports: ['80:70']}"), "ports[0]: must be a range from a lower to a higher port"),
    (rule("protocol: TCP, destination: {ports: ['80-90']}"), "must be a port number, a range such as 8000:8080 or a"),
    (rule("protocol: TCP, destination: {ports: ['1:99999']}"), "ports[0]: must be a port number from 1 to 65535"),
    (rule("protocol: TCP, destination: {notPorts: [80, http]}"), f"{IN}.destination.notPorts: names of ports are not"),
    (
        rule("protocol: TCP, destination: {ports: [http], notPorts: [80]}"),
        f"{IN}.destination.notPorts: not understood here together with a named port (got 'http' in ports)",
    ),
    (rule("source: {nets: [10.0.0.1]}"), f"{IN}.source.nets[0]: must be an address range in CIDR notation"),
    (
        rule("source: {nets: [10.0.0.1/8]}"),
        f"{IN}.source.nets[0]: no bits may be set behind the prefix: write 10.0.0.0",
    ),
    (rule("source: {nets: [10.0.0.0/8, 'fd00::/8']}"), f"{IN}.source.nets[1]: is of IP version 6, but another network"),
    (
        rule("ipVersion: 6, source: {notNets: [10.0.0.0/8]}"),
        f"{IN}.source.notNets[0]: is of IP version 4, but ipVersio",
    ),
    (rule("destination: {nets: [10.0.0.0/8]}"), f"{IN}.destination.nets: addresses of the policy's own pods are not"),
    (rule("source: {notNets: [10.0.0.0/8]}", "egress"), f"{OUT}.source.notNets: addresses of the policy's own pods"),
    (rule("source: {selector: a}"), f"{IN}.source.selector: not a selector: 'a', column 2: expected an operator"),
    (rule("source: {selector: global()}"), f"{IN}.source.selector: global() can only be used"),
    (
        rule("source: {notSelector: has(pcns.a)}"),
        f"{IN}.source.notSelector: labels of namespaces (pcns.) are not under",
    ),
    (
        rule("source: {namespaceSelector: global() || has(a)}"),
        f"{IN}.source.namespaceSelector: global() cannot be combined with other selectors",
    ),
    (rule("source: {serviceAccounts: {selector: has(a)}}"), f"{IN}.source.serviceAccounts.selector: labels of service"),
    (rule("source: {serviceAccounts: {names: [A]}}"), f"{IN}.source.serviceAccounts.names[0]: must be the name of an"),
    (rule("source: {service: {name: x}}"), f"{IN}.source.service: unknown key; did you mean 'services'?"),
    (
        rule("source: {services: {namespace: x}}"),
        f"{IN}.source.services.name: must be the name of an object (got None)",
    ),
    (rule("source: {services: {name: x}, selector: has(a)}"), f"{IN}.source.selector: may not be specified together"),
    (rule("source: {services: {name: x}, nets: [10.0.0.0/8]}"), f"{IN}.source.services: not understood here together"),
    (rule("destination: {services: {name: x}}"), f"{IN}.destination.services: not allowed in the destination of an in"),
    (rule("source: {services: {name: x}}", "egress"), f"{OUT}.source.services: not allowed in the source of an egress"),
    (
        rule("protocol: TCP, destination: {services: {name: x}, ports: [80]}", "egress"),
        f"{OUT}.destination.ports: may not be specified together with services",
    ),
]


@pytest.mark.parametrize(("spec", "sentence"), REFUSED)
def test_refused(spec: str, sentence: str) -> None:
    """validator.go; and what the rule form cannot say."""
    with pytest.raises(InputError) as caught:
        read(calico("shop/p", spec))
    assert str(caught.value).startswith(f"Calico NetworkPolicy shop/p: {sentence}") or sentence in str(caught.value)
    assert str(caught.value).startswith("Calico NetworkPolicy shop/p: spec.")


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (
            "{doNotTrack: true, applyOnForward: true}",
            "spec.doNotTrack: not understood here: it is about host endpoints",
        ),
        ("{preDNAT: true, applyOnForward: true}", "spec.preDNAT: not understood here: it is about host endpoints"),
        ("{applyOnForward: true}", "spec.applyOnForward: not understood here: it is about host endpoints"),
        ("{applyOnForward: 'no'}", "spec.applyOnForward: must be true or false (got 'no')"),
        ("{namespaceSelector: global()}", "spec.namespaceSelector: global() can only be used"),
        (rule("source: {services: {name: x}}"), f"{IN}.source.services.namespace: must be the name of an object"),
    ],
)
def test_refused_globally(spec: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        read(calico("p", spec))
    assert str(caught.value).startswith(f"GlobalNetworkPolicy p: {sentence}")


def test_options_of_hosts_may_be_off() -> None:
    assert read(calico("p", "{doNotTrack: false, preDNAT: false, applyOnForward: false}"))[0].rules == ()


@pytest.mark.parametrize(
    ("manifests", "sentence"),
    [
        (
            [calico("shop/a.b", "{}")],
            "Calico NetworkPolicy shop/a.b: metadata.name: the name of a policy in tier default is of lower-case "
            "letters, digits and '-' (got 'a.b')",
        ),
        (
            [tier("ops"), calico("shop/p", "{tier: ops}")],
            "Calico NetworkPolicy shop/p: metadata.name: the name of a policy in tier ops begins with 'ops.', and the "
            "rest is of lower-case letters, digits and '-' (got 'p')",
        ),
        (
            [tier("ops"), calico("p", "{tier: opps}")],
            "GlobalNetworkPolicy p: spec.tier: no Tier object defines 'opps'; known tiers: default, ops",
        ),
        ([calico("p", "{tier: Admin}")], "GlobalNetworkPolicy p: spec.tier: no Tier object defines 'Admin'"),
        ([tier("a.b")], "Tier a.b: metadata.name: a tier's name is at most 63 lower-case letters, digits and '-'"),
        ([tier("default", "{order: 1}")], "Tier default: spec.order: the order of tier default must be 1000000"),
        ([tier("ops", "{defaultAction: Pass}")], "Tier ops: spec.defaultAction: only Deny is understood here"),
        ([tier("ops", "{ordr: 1}")], "Tier ops: spec.ordr: unknown key; did you mean 'order'?"),
        (
            [{**tier("x"), "kind": "GlobalNetworkSet"}],
            "GlobalNetworkSet x: selectors of Calico's policies could mean it, and it is not understood here",
        ),
        (
            [{**calico("p", "{}"), "kind": "StagedGlobalNetworkPolicy"}],
            "StagedGlobalNetworkPolicy p: StagedGlobalNetworkPolicy of projectcalico.org/v3 is not understood yet",
        ),
        ([{**calico("shop/p", "{}"), "kind": "GlobalNetworkPolicy"}], "GlobalNetworkPolicy has no namespace"),
    ],
)
def test_refused_outside_the_spec(manifests: list[dict[str, Any]], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        read_policies(manifests)
    assert sentence in str(caught.value)


def test_policies_in_their_order() -> None:
    """policy_sorter.go: by order, the absent one last, then by the name that Calico keeps; tier.go the same of tiers.
    NetworkPolicy is kept as `knp.default.NAME`, which is behind `default.NAME`."""
    manifests = [
        calico("shop/last-b", "{}"),
        calico("shop/last-a", "{}"),
        calico("shop/tenth", "{order: 10}"),
        calico("second", "{order: 2}"),
        manifest("shop/plain", "{}"),
        calico("shop/zeal", "{order: 1000}"),
        calico("shop/high", "{order: 1000.5}"),
        calico("low.p", "{tier: low, order: 9}"),
        calico("late.p", "{tier: late}"),
        calico("none.p", "{tier: none}"),
        calico("also.p", "{tier: also}"),
        tier("late", "{order: 2000000}"),
        tier("low", "{order: 5}"),
        tier("none"),
        tier("also"),
        tier("default", "{order: 1000000}"),
    ]
    found = sorted(read_policies(manifests), key=lambda policy: policy.precedence)
    assert [policy.ref.rpartition("/")[2].rpartition(" ")[2] for policy in found] == [
        "low.p",
        "second",
        "tenth",
        "zeal",
        "plain",
        "high",
        "last-a",
        "last-b",
        "late.p",
        "also.p",
        "none.p",
    ]
    assert len({policy.precedence[0] for policy in found}) == 5
