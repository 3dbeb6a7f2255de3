"""What Cilium's policies mean, by hand from its documentation and API's text, which the ids name."""

from __future__ import annotations

from typing import Any

import pytest

from netproof.model import Specified
from netproof.policy import read_policies, warnings

from .dialects import DNS, PORT, STORE, api, cilium, decide, ui
from .example import TOPOLOGY, manifest

YES, NO, OPEN = Specified.CONNECTED, Specified.DENIED, Specified.UNSPECIFIED
SAME = "{matchLabels: {app: ui}}"
TO_DNS = "{toEndpoints: [{matchLabels: {'k8s:io.kubernetes.pod.namespace': kube-system}}]}"
K8S_ALLOW = manifest("shop/allow", "{podSelector: {matchLabels: {app: api}}, ingress: [{}]}")
K8S_DENY = manifest("shop/deny", "{podSelector: {matchLabels: {app: api}}}")
CLUSTER = api("ingress: [{fromEntities: [cluster]}]")
WORLD = api("ingress: [{fromEntities: [world]}]")
WIDE = ui("egress: [{toCIDR: [0.0.0.0/0]}]")
EXCEPT = ui("egress: [{toCIDRSet: [{cidr: 192.0.2.0/24, except: [192.0.2.8/29]}]}]")

CASES: list[tuple[str, list[dict[str, Any]], str, Specified]] = [
    ("intro.rst: selected, only what is allowed", [cilium(api("ingress: [{}]"))], "shop/ui > shop/api 8080", NO),
    ("rule.go: an empty list does not apply", [cilium(api("ingress: []"))], "shop/ui > shop/api 8080", YES),
    ("layer3.rst: egress default deny", [cilium(ui("egress: [{}]"))], "shop/ui > external:client 443", NO),
    ("intro.rst: the other direction stays open", [cilium(ui("egress: [{}]"))], "shop/api > shop/ui 8080", YES),
    (
        "layer3.rst: {} is the policy's namespace",
        [cilium(api("ingress: [{fromEndpoints: [{}]}]"))],
        "shop/db > shop/api 8080",
        YES,
    ),
    (
        "layer3.rst: {} is only the policy's namespace",
        [cilium(api("ingress: [{fromEndpoints: [{}]}]"))],
        "ops/ui > shop/api 8080",
        NO,
    ),
    (
        "kubernetes.rst: another namespace by its label",
        [cilium(api("ingress: [{fromEndpoints: [{matchLabels: {'k8s:io.kubernetes.pod.namespace': ops}}]}]"))],
        "ops/ui > shop/api 8080",
        YES,
    ),
    (
        "layer3.rst: endpoints are not the world",
        [cilium("{endpointSelector: {}, ingress: [{fromEndpoints: [{}]}]}", "wide")],
        "external:client > shop/api 8080",
        NO,
    ),
    (
        "kubernetes.rst: clusterwide from any namespace",
        [cilium("{endpointSelector: {}, ingress: [{fromEndpoints: [{matchLabels: {app: ui}}]}]}", "wide")],
        "ops/ui > shop/api 8080",
        YES,
    ),
    ("layer4.rst: ports alone mean any peer", [cilium(api(f"ingress: [{{{PORT}}}]"))], "ops/ui > shop/api 8080", YES),
    ("layer4.rst: other ports are shut", [cilium(api(f"ingress: [{{{PORT}}}]"))], "ops/ui > shop/api 9090", NO),
    (
        "layer4.rst: TCP is not UDP",
        [cilium(api("ingress: [{toPorts: [{ports: [{port: '5353', protocol: TCP}]}]}]"))],
        "ops/ui > shop/api 5353/UDP",
        NO,
    ),
    (
        "layer4.rst: ports after Service mapping",
        [cilium(api(f"ingress: [{{{PORT}}}]"))],
        "ops/ui > svc:shop/api 80",
        YES,
    ),
    (
        "layer4.rst: ICMP alone",
        [cilium(api("ingress: [{icmps: [{fields: [{type: 8}]}]}]"))],
        "shop/ui > shop/api 8080",
        NO,
    ),
    (
        "deny.rst: deny over allow of the policy",
        [cilium(api(f"ingress: [{{fromEntities: [all]}}], ingressDeny: [{{fromEndpoints: [{SAME}]}}]"))],
        "shop/ui > shop/api 8080",
        NO,
    ),
    (
        "deny.rst: deny over a NetworkPolicy's allow",
        [K8S_ALLOW, cilium(api(f"ingressDeny: [{{fromEndpoints: [{SAME}]}}]"))],
        "shop/ui > shop/api 8080",
        NO,
    ),
    (
        "deny.rst: what deny does not name stays with a NetworkPolicy's allow",
        [K8S_ALLOW, cilium(api(f"ingressDeny: [{{fromEndpoints: [{SAME}]}}]"))],
        "shop/db > shop/api 8080",
        YES,
    ),
    ("intro.rst: a union with NetworkPolicy", [K8S_DENY, cilium(CLUSTER)], "shop/ui > shop/api 8080", YES),
    (
        "deny.rst: only the denied port (table, column 2)",
        [cilium(api("ingress: [{fromEndpoints: [{}]}], ingressDeny: [{toPorts: [{ports: [{port: http}]}]}]"))],
        "shop/ui > shop/api 9090",
        YES,
    ),
    (
        "deny.rst: a deny policy is default deny, too",
        [cilium(api("ingressDeny: [{fromEntities: [world]}]"))],
        "shop/ui > shop/api 8080",
        NO,
    ),
    (
        "intro.rst: without default deny only what is denied is",
        [cilium(api("ingressDeny: [{fromEntities: [world]}], enableDefaultDeny: {ingress: false}"))],
        "shop/ui > shop/api 8080",
        YES,
    ),
    ("layer3.rst, entities: cluster has pods", [cilium(CLUSTER)], "ops/ui > shop/api 8080", YES),
    ("layer3.rst, entities: cluster has other nodes", [cilium(CLUSTER)], "node:0 > shop/api 8080", YES),
    ("layer3.rst, entities: cluster is not the world", [cilium(CLUSTER)], "external:client > shop/api 8080", NO),
    ("layer3.rst, entities: world", [cilium(WORLD)], "external:client > shop/api 8080", YES),
    ("layer3.rst, entities: world is no pod", [cilium(WORLD)], "shop/ui > shop/api 8080", NO),
    ("layer3.rst, entities: world is no other node", [cilium(WORLD)], "node:0 > shop/api 8080", NO),
    ("layer3.rst: the own node is always allowed", [cilium(WORLD)], "node:1 > shop/api 8080", YES),
    (
        "layer3.rst, entities: remote-node has host-network pods",
        [cilium(api("ingress: [{fromEntities: [remote-node]}]"))],
        "ops/agent > shop/api 8080",
        YES,
    ),
    ("layer3.rst, entities: host", [cilium(ui("egress: [{toEntities: [host]}]"))], "shop/ui > node:0 8080", YES),
    (
        "layer3.rst, entities: host is the own",
        [cilium(ui("egress: [{toEntities: [host]}]"))],
        "shop/ui > node:1 80",
        NO,
    ),
    ("egress to the own node is judged", [cilium(ui("egress: [{}]"))], "shop/ui > node:0 8080", NO),
    (
        "layer3.rst, entities: kube-apiserver",
        [cilium(api("egress: [{toEntities: [kube-apiserver]}]"))],
        "shop/api > node:0 6443",
        YES,
    ),
    (
        "layer3.rst, entities: kube-apiserver is no other node",
        [cilium(ui("egress: [{toEntities: [kube-apiserver]}]"))],
        "shop/ui > node:1 6443",
        NO,
    ),
    ("layer3.rst, CIDR: the world", [cilium(WIDE)], "shop/ui > external:client 443", YES),
    ("layer3.rst, CIDR: never pods", [cilium(WIDE)], "shop/ui > shop/api 8080", NO),
    ("layer3.rst, CIDR: never nodes", [cilium(WIDE)], "shop/ui > node:1 8080", NO),
    ("layer3.rst, CIDR: never pods behind Services", [cilium(WIDE)], "shop/ui > svc:shop/api 80", NO),
    ("layer3.rst, CIDRSet: except", [cilium(EXCEPT)], "shop/ui > external:client 443", NO),
    ("layer3.rst, CIDRSet: an address elsewhere", [cilium(EXCEPT)], "shop/ui > external:rival 443", NO),
    (
        "layer3.rst, Services",
        [cilium(ui("egress: [{toServices: [{k8sService: {serviceName: api, namespace: shop}}]}]"))],
        "shop/ui > svc:shop/api 80",
        YES,
    ),
    (
        "layer3.rst, Services: only their pods",
        [cilium(ui("egress: [{toServices: [{k8sService: {serviceName: api, namespace: shop}}]}]"))],
        "shop/ui > shop/db 5432",
        NO,
    ),
    ("layer3.rst, DNS: by name", [cilium(ui(f"egress: [{DNS}, {STORE}]"))], "shop/ui > external:client 443 name", YES),
    ("layer3.rst, DNS: by address", [cilium(ui(f"egress: [{DNS}, {STORE}]"))], "shop/ui > external:client 443", OPEN),
    (
        "layer3.rst, DNS: without a DNS rule only what was learnt before",
        [cilium(ui(f"egress: [{STORE}, {TO_DNS}]"))],
        "shop/ui > external:client 443 name",
        OPEN,
    ),
    (
        "layer3.rst, DNS: another name",
        [cilium(ui(f"egress: [{DNS}, {{toFQDNs: [{{matchPattern: '*.com'}}]}}]"))],
        "shop/ui > external:client 443 name",
        NO,
    ),
    (
        "layer3.rst, DNS: cascaded subdomains",
        [cilium(ui(f"egress: [{DNS}, {{toFQDNs: [{{matchPattern: '**.com'}}]}}]"))],
        "shop/ui > external:client 443 name",
        YES,
    ),
    (
        "layer3.rst, DNS: the port counts, too",
        [cilium(ui(f"egress: [{DNS}, {{toFQDNs: [{{matchName: store.example.com}}], {PORT}}}]"))],
        "shop/ui > external:client 443 name",
        NO,
    ),
]


@pytest.mark.parametrize(("policies", "asked", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_cilium_text(policies: list[dict[str, Any]], asked: str, expected: Specified) -> None:
    decision = decide(policies, asked)
    assert decision.specified is expected, decision.because


def test_a_denial_names_its_list() -> None:
    decision = decide(
        [cilium(CLUSTER, "shop/a"), cilium(api("ingressDeny: [{fromEntities: [host, remote-node]}]"))],
        "node:0 > shop/api 8080",
    )
    assert decision.ingress.at == "spec.ingressDeny[0].fromEntities[1]"
    assert decision.ingress.rule == "ingressDeny rule 1 (from entity remote-node, every port)"


def test_a_port_name_that_one_protocol_has_is_no_oddity() -> None:
    """layer4.rst, PortProtocol.protocol: a named port "may narrow this down"."""

    def warned(port: str) -> list[str]:
        spec = api(f"ingress: [{{fromEndpoints: [{SAME}], toPorts: [{{ports: [{{port: {port}}}]}}]}}]")
        return warnings(read_policies([cilium(spec)]), TOPOLOGY)

    assert warned("answers") == []
    assert warned("answer") == [
        "no pod that ingress rule 1 of CiliumNetworkPolicy shop/p is about has a port named answer; "
        "nearest name: answers"
    ]
