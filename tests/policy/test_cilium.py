"""What the reader makes of Cilium's policies, and what it refuses; each test names its source."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from netproof.errors import InputError
from netproof.policy import Policy, read_policies
from netproof.policy.rules import (
    SERVICE_ACCOUNT,
    EntityPeer,
    NamePeer,
    NetworkPeer,
    PodPeer,
    PortMatch,
    Requirement,
    Selector,
    ServicePeer,
)

from .dialects import DNS, PORT, api, cilium, decide, ui


def only(spec: str, name: str = "shop/p") -> Policy:
    (policy,) = read_policies([cilium(spec, name)])
    return policy


def wants(**labels: str) -> Selector:
    return Selector(requirements=tuple(Requirement(key=k, operator="In", values=(v,)) for k, v in labels.items()))


def test_a_whole_object() -> None:
    """The namespaced kind, layer3.rst and layer4.rst."""
    policy = only(
        """
        description: what it is for
        labels: [{key: team, value: shop}]
        endpointSelector: {matchLabels: {'k8s:app': api}}
        ingress:
          - fromEndpoints:
              - matchLabels: {'any:app': ui, io.cilium.k8s.policy.serviceaccount: luke}
              - matchLabels: {'k8s:io.kubernetes.pod.namespace': ops}
              - matchLabels: {io.cilium.k8s.namespace.labels.team: ops}
              - matchExpressions: [{key: io.kubernetes.pod.namespace, operator: Exists}]
            toPorts:
              - ports: [{port: '8080', endPort: 8090, protocol: TCP}, {port: '0', protocol: UDP}]
              - ports: [{port: HTTP, protocol: SCTP}]
        egress:
          - toServices: [{k8sService: {serviceName: api, namespace: shop}}]
        egressDeny:
          - toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}]
        """
    )
    assert policy.subject == PodPeer(pods=wants(app="api"), namespace="shop")
    assert (policy.isolates, policy.ordered, policy.judges_own_node) == ({"ingress", "egress"}, False, True)
    ingress, egress, deny = policy.rules
    exists = Requirement(key="kubernetes.io/metadata.name", operator="Exists")
    assert ingress.peers == (
        PodPeer(pods=wants(app="ui", **{SERVICE_ACCOUNT: "luke"}), namespace="shop"),
        PodPeer(pods=Selector(), namespace="ops"),
        PodPeer(pods=Selector(), namespaces=wants(team="ops")),
        PodPeer(pods=Selector(), namespaces=Selector(requirements=(exists,))),
    )
    assert ingress.ports == (
        PortMatch(protocol="TCP", first=8080, last=8090),
        PortMatch(protocol="UDP"),
        PortMatch(protocol="SCTP", name="http"),
    )
    assert egress.peers == (ServicePeer(namespace="shop", name="api"),)
    assert (deny.action, deny.list_key, deny.peers_key, deny.index) == ("deny", "egressDeny", "toCIDRSet", 0)
    assert deny.peers == (NetworkPeer(cidr="10.0.0.0/8", excepts=("10.1.0.0/16",), outside=True),)


def test_specs_are_policies_of_their_own() -> None:
    """CiliumNetworkPolicy.Specs: "a list of desired Cilium specific rule specification"."""
    specs = [yaml.safe_load(api("ingress: [{}]")), yaml.safe_load(ui("egress: [{toEntities: [world]}]"))]
    policies = read_policies([cilium(api("ingress: [{fromEntities: [cluster]}]"), specs=specs)])
    assert [policy.ref for policy in policies] == [
        "CiliumNetworkPolicy shop/p",
        "CiliumNetworkPolicy shop/p specs[0]",
        "CiliumNetworkPolicy shop/p specs[1]",
    ]
    decision = decide([cilium("", specs=specs)], "shop/ui > external:client 443")
    assert decision.egress.at == "specs[1].egress[0].toEntities[0]"


def test_a_clusterwide_policy_means_pods_of_all_namespaces() -> None:
    """kubernetes.rst, "Clusterwide Policies": "not namespaced"."""
    policy = only("{endpointSelector: {}, ingress: [{fromEndpoints: [{}, {matchLabels: {app: ui}}]}]}", "wide")
    everywhere = PodPeer(pods=Selector(), namespaces=Selector())
    assert policy.subject == everywhere
    assert policy.rules[0].peers == (everywhere, PodPeer(pods=wants(app="ui"), namespaces=Selector()))


@pytest.mark.parametrize(
    ("rules", "isolates"),
    [
        ("ingress: [{}]", {"ingress"}),
        ("ingress: []", set()),
        ("ingress: [], egress: [{}]", {"egress"}),
        ("ingressDeny: [{fromEntities: [world]}]", {"ingress"}),
        ("egressDeny: [{toEntities: [world]}], ingress: [{}]", {"ingress", "egress"}),
        ("ingress: [{}], enableDefaultDeny: {ingress: false}", set()),
        ("ingress: [{}], egress: [{}], enableDefaultDeny: {egress: false}", {"ingress"}),
        ("ingress: [{}], enableDefaultDeny: {ingress: true, egress: false}", {"ingress"}),
    ],
)
def test_default_deny(rules: str, isolates: set[str]) -> None:
    """Rule.EnableDefaultDeny (rule.go); "if omitted or empty, this rule does not apply at ingress"."""
    assert only(api(rules)).isolates == isolates


def peers(rules: str) -> Any:
    return only(api(rules)).rules[0].peers


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("{}", ()),
        ("{fromEndpoints: []}", ()),
        ("{fromEntities: []}", ()),
        ("{fromCIDR: []}", ()),
        ("{fromCIDRSet: []}", ()),
        ("{" + PORT + "}", None),
        ("{fromEndpoints: null, " + PORT + "}", None),
        ("{fromEntities: [none]}", (EntityPeer(name="none", entities=frozenset()),)),
        ("{fromEntities: [world-ipv6]}", (NetworkPeer(cidr="::/0", outside=True),)),
        (
            "{fromEndpoints: [{matchLabels: {'reserved:host': ''}}]}",
            (EntityPeer(name="host", entities=frozenset({"own-node"})),),
        ),
        (
            "{fromEndpoints: [{matchExpressions: [{key: 'reserved:world', operator: Exists}]}]}",
            (EntityPeer(name="world", entities=frozenset({"outside"})),),
        ),
        ("{fromRequires: [], fromCIDR: [192.0.2.1/32]}", (NetworkPeer(cidr="192.0.2.1/32", outside=True),)),
    ],
)
def test_peers(rule: str, expected: Any) -> None:
    """layer3.rst; an empty list "should not result in any identity being selected" (mergeEndpointSelectors)."""
    assert peers(f"ingress: [{rule}]") == expected


@pytest.mark.parametrize("rule", ["{icmps: [{fields: [{type: 8, family: IPv4}, {type: EchoRequest, family: IPv6}]}]}"])
def test_a_rule_for_icmp_allows_no_port(rule: str) -> None:
    """layer4.rst: "If any ICMP policy is specified, layer 4 […] communication will be blocked"."""
    assert only(api(f"ingress: [{rule}]")).rules[0].ports == ()


def test_an_absent_protocol_is_any() -> None:
    """layer4.rst, PortProtocol.protocol: "If omitted or empty, any protocol matches"."""
    (rule,) = only(api("ingress: [{toPorts: [{ports: [{port: '80'}]}]}]")).rules
    assert rule.ports is not None
    assert {port.protocol for port in rule.ports} == {"TCP", "UDP", "SCTP"}


def test_names() -> None:
    """layer3.rst, "DNS based"."""
    dns, names = only(ui(f"egress: [{DNS}, {{toFQDNs: [{{matchName: A.b}}, {{matchPattern: '**.c'}}]}}]")).rules
    assert (dns.learns_names, names.learns_names) == (True, False)
    assert names.peers == (NamePeer(pattern="a.b"), NamePeer(pattern="**.c"))


def refused(rule: str, sentence: str, side: str = "ingress") -> tuple[str, str]:
    return api(f"{side}: [{rule}]"), f"spec.{side}[0]{sentence}"


def of_port(port: str, sentence: str) -> tuple[str, str]:
    return refused(f"{{toPorts: [{{ports: [{port}]}}]}}", f".toPorts[0].ports[0]{sentence}")


def to_port(more: str, sentence: str, side: str = "egress", port: str = "{port: '53'}") -> tuple[str, str]:
    return refused(f"{{toPorts: [{{ports: [{port}], {more}}}]}}", f".toPorts[0]{sentence}", side)


SAME = "{matchLabels: {app: ui}}"
REFUSED = [
    ("{ingress: [{}]}", "spec.endpointSelector: this key is needed"),
    ("{endpointSelector: {}}", "spec: must have at least one of ingress, ingressDeny, egress, egressDeny"),
    ("{endpointSelector: {}, ingres: [{}]}", "spec.ingres: unknown key; did you mean 'ingress'?"),
    ("{nodeSelector: {}, ingress: [{}]}", "spec.nodeSelector: policies for nodes are not understood here"),
    (api("ingress: {}"), "spec.ingress: must be a list"),
    (api("enableDefaultDeny: {ingress: true}, egress: [{}]"), "spec.enableDefaultDeny.ingress: has no effect in Ci"),
    (api("enableDefaultDeny: {ingress: 'no'}, ingress: [{}]"), "spec.enableDefaultDeny.ingress: must be true or"),
    (
        "{endpointSelector: {matchLabels: {'k8s:io.kubernetes.pod.namespace': ops}}, ingress: [{}]}",
        "spec.endpointSelector.matchLabels.k8s:io.kubernetes.pod.namespace: the policy is for pods of its own namesp",
    ),
    refused("{fromEndpoint: []}", ".fromEndpoint: unknown key; did you mean 'fromEndpoints'?"),
    refused("{toEndpoints: []}", ".toEndpoints: unknown key"),
    refused("{fromNodes: [{}]}", ".fromNodes: selects nodes by their labels"),
    refused("{fromGroups: [{}]}", ".fromGroups: asks a cloud provider"),
    refused("{fromRequires: [{}]}", ".fromRequires: was removed in Cilium 1.19"),
    refused("{toRequires: [{}]}", ".toRequires: was removed in Cilium 1.19", "egress"),
    refused("{authentication: {mode: required}}", ".authentication.mode: mutual authentication is not understood"),
    refused("{authentication: {mode: on}}", ".authentication.mode: must be disabled, required or"),
    refused("{authentication: {mode: required}}", ".authentication: unknown key", "ingressDeny"),
    refused(f"{{fromEndpoints: [{SAME}], fromCIDR: [10.0.0.0/8]}}", ": Cilium refuses fromEndpoints and fromCIDR in o"),
    refused("{toFQDNs: [{matchName: a.b}], toEntities: [world]}", ": Cilium refuses toEntities and toFQDNs", "egress"),
    refused("{toFQDNs: [{matchName: a.b}]}", ".toFQDNs: unknown key", "egressDeny"),
    refused("{toFQDNs: []}", ".toFQDNs: an empty list, which Cilium takes for an absent one", "egress"),
    refused("{toServices: []}", ".toServices: an empty list, which Cilium takes for an absent one", "egress"),
    refused("{toFQDNs: [{}]}", ".toFQDNs[0]: must have either matchName or matchPattern", "egress"),
    refused("{toFQDNs: [{matchName: '*.b'}]}", ".toFQDNs[0].matchName: only letters, digits", "egress"),
    refused("{toFQDNs: [{matchPattern: 'a b'}]}", ".toFQDNs[0].matchPattern: only letters, digits", "egress"),
    refused("{fromEntities: [word]}", ".fromEntities[0]: no such entity; known: host, remote-node"),
    refused("{fromEntities: [[]]}", ".fromEntities[0]: no such entity"),
    refused(
        "{fromEndpoints: [{matchLabels: {'reserved:all': ''}}]}", ".fromEndpoints[0].matchLabels.reserved:all: no "
    ),
    refused(
        "{fromEndpoints: [{matchLabels: {'reserved:host': '', app: a}}]}",
        ".fromEndpoints[0].matchLabels.reserved:host: a reserved label is understood alone",
    ),
    refused("{fromEndpoints: [{matchLabels: {'cidr:1.2.3.4/32': ''}}]}", ".fromEndpoints[0].matchLabels.cidr:1.2.3.4/"),
    refused(
        "{fromEndpoints: [{matchLabels: {app: 1}}]}", ".fromEndpoints[0].matchLabels.app: a label's value is a str"
    ),
    refused("{fromEndpoints: [{matchLabels: [app]}]}", ".fromEndpoints[0].matchLabels: must be a mapping"),
    refused("{fromEndpoints: [app]}", ".fromEndpoints[0]: must be a mapping"),
    refused(
        "{fromEndpoints: [{matchExpressions: [{key: 'k8s:app', operator: Is}]}]}",
        ".fromEndpoints[0].matchExpressions[0].operator: must be In, NotIn, Exists or DoesNotExist",
    ),
    refused(
        "{fromEndpoints: [{matchExpressions: [{key: io.kubernetes.pod.namespace, operator: DoesNotExist}]}]}",
        ".fromEndpoints[0].matchExpressions[0]: means what has no namespace; write an entity",
    ),
    refused(
        "{fromEndpoints: [{matchLabels: {io.cilium.k8s.policy.cluster: a}}]}",
        ".fromEndpoints[0].matchLabels.io.cilium.k8s.policy.cluster: clusters are not told apart",
    ),
    refused("{fromCIDR: [10.0.0.1]}", ".fromCIDR[0]: must be an address range in CIDR notation"),
    refused("{fromCIDRSet: [{}]}", ".fromCIDRSet[0].cidr: this key is needed"),
    refused("{fromCIDRSet: [{cidrGroupRef: a}]}", ".fromCIDRSet[0].cidrGroupRef: a CiliumCIDRGroup is not understood"),
    refused("{fromCIDRSet: [{cidr: 10.0.0.0/8, except: [11.0.0.0/8]}]}", ".fromCIDRSet[0].except[0]: must be within"),
    refused("{toServices: [{k8sServiceSelector: {}}]}", ".toServices[0].k8sServiceSelector: labels of Serv", "egress"),
    refused(
        "{toServices: [{k8sService: {serviceName: a}}]}", ".toServices[0].k8sService.namespace: this key is", "egress"
    ),
    refused("{toServices: [{}]}", ".toServices[0].k8sService.serviceName: this key is needed", "egress"),
    refused("{icmps: [{fields: [{type: 8}]}], " + PORT + "}", ".icmps: Cilium refuses icmps and toPorts in one rule"),
    refused("{icmps: [{fields: [{family: IPv5, type: 8}]}]}", ".icmps[0].fields[0].family: must be IPv4 or IPv6"),
    refused("{icmps: [{fields: [{}]}]}", ".icmps[0].fields[0].type: must be the number or the name of an ICMP type"),
    refused("{toPorts: [{}]}", ".toPorts[0].ports: must hold from 1 to 40 ports (got 0); port '0' means every port"),
    refused("{toPorts: [{rules: {}}]}", ".toPorts[0].rules: unknown key", "egressDeny"),
    to_port("rules: {http: [{}]}", ".rules.http: layer 7 is not understood here"),
    to_port("rules: {kafka: []}", ".rules.kafka: layer 7 is not understood here"),
    to_port("rules: {l7proto: x, l7: []}", ".rules.l7proto: layer 7 is not understood here"),
    to_port("rules: {dns: [{matchName: a.b}]}", ".rules.dns[0]: which names may be asked for is layer 7"),
    to_port("rules: {dns: [{matchPattern: '*.b'}]}", ".rules.dns[0]: which names may be asked for is layer 7"),
    to_port("rules: {dns: []}", ".rules.dns: must hold a rule"),
    to_port("rules: {dns: [{matchPattern: '*'}]}", ".rules.dns: Cilium refuses DNS rules on ingress", "ingress"),
    to_port("rules: {dns: [{matchPattern: '*'}]}", ".ports[0]: Cilium refuses DNS rules for po", port="{port: '0'}"),
    to_port("terminatingTLS: {secret: {name: a}}", ".terminatingTLS: layer 7 is not understood here"),
    to_port("originatingTLS: {secret: {name: a}}", ".originatingTLS: layer 7 is not understood here"),
    to_port("serverNames: [a.b]", ".serverNames: layer 7 is not understood here"),
    to_port("listener: {name: a}", ".listener: layer 7 is not understood here"),
    of_port("{port: 80}", ".port: Cilium wants a string; write '80' in quotes"),
    of_port("{}", ".port: this key is needed"),
    of_port("{port: '70000'}", ".port: must be a number from 0 to 65535 or the name of a port"),
    of_port("{port: 'a b'}", ".port: must be a number from 0 to 65535 or the name of a port"),
    of_port("{port: '80', endPort: 79}", ".endPort: must not be below port"),
    of_port("{port: '80', endPort: '90'}", ".endPort: must be a port number"),
    of_port("{port: '80', protocol: tcp}", ".protocol: must be TCP, UDP, SCTP or ANY (got 'tcp')"),
]


@pytest.mark.parametrize(("spec", "sentence"), REFUSED, ids=[sentence[:60] for _, sentence in REFUSED])
def test_refused(spec: str, sentence: str) -> None:
    """rule_validation.go, l4.go and the CRD; and what connections alone cannot show."""
    with pytest.raises(InputError) as caught:
        read_policies([cilium(spec)])
    assert f"CiliumNetworkPolicy shop/p: {sentence}" in str(caught.value)


def test_an_object_without_rules_is_refused() -> None:
    with pytest.raises(InputError, match=r"CiliumNetworkPolicy shop/p: spec: this key is needed, or specs"):
        read_policies([cilium("")])
