"""Golden text of the compiler, written by hand: what a reader of the evidence sees."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest

from netproof.drivers.reference.compile import ruleset, services
from netproof.model import Namespace, Placement, Pod, Port, Service, ServicePort, Topology
from netproof.policy import read_policies
from tests.drivers.reference.wire import policy

TOPOLOGY = Topology(
    namespaces=(Namespace(name="shop"), Namespace(name="ops", labels={"team": "b"})),
    pods=(
        Pod(namespace="shop", name="web", labels={"app": "web"}, ports=(Port(port=80, name="http"),)),
        Pod(namespace="shop", name="web2", labels={"app": "web"}, ports=(Port(port=8080, name="http"),), node=1),
        Pod(namespace="ops", name="job", labels={"app": "job"}, node=1),
        Pod(
            namespace="ops", name="host", labels={"app": "job"}, ports=(Port(port=80, name="http"),), host_network=True
        ),
    ),
    services=(
        Service(
            namespace="shop",
            name="web",
            selector={"app": "web"},
            ports=(ServicePort(port=8000, target="http"),),
            node_port=True,
        ),
        Service(
            namespace="shop",
            name="none",
            selector={"app": "no"},
            ports=(ServicePort(port=53, target=53, protocol="UDP"),),
        ),
    ),
)
PLACEMENT = Placement(
    addresses={
        "node:0": ("172.30.0.2",),
        "node:1": ("172.30.0.3",),
        "shop/web": ("10.244.0.2",),
        "shop/web2": ("10.244.1.2",),
        "ops/job": ("10.244.1.3",),
        "ops/host": ("172.30.0.2",),
        "svc:shop/web": ("10.96.1.1",),
        "svc:shop/none": ("10.96.1.2",),
    },
    node_of={"shop/web": "node:0", "shop/web2": "node:1", "ops/job": "node:1", "ops/host": "node:0"},
    node_ports={("svc:shop/web", 8000, "TCP"): 30000},
)
WEB = {"matchLabels": {"app": "web"}}


def compiled(*manifests: dict[str, Any]) -> str:
    return ruleset(read_policies(manifests), TOPOLOGY, PLACEMENT)


def chain(name: str, text: str) -> list[str]:
    """The lines of one chain."""
    _, found, rest = text.partition(f"\tchain {name} {{\n")
    assert found, f"no chain {name} in {text}"
    return [line.strip() for line in rest.partition("\t}\n")[0].splitlines()]


def test_the_whole_ruleset() -> None:
    manifest = policy("shop", "in", podSelector={"matchLabels": {"app": "web"}}, ingress=[{"ports": [{"port": 80}]}])
    assert services(TOPOLOGY, PLACEMENT) + compiled(manifest) == dedent(
        """\
        table inet netproof-services
        delete table inet netproof-services
        table inet netproof-services {
        	set pods4 {
        		type ipv4_addr
        		elements = { 10.244.0.2, 10.244.1.2, 10.244.1.3 }
        	}
        	set selves4 {
        		type ipv4_addr . ipv4_addr
        		elements = { 10.244.0.2 . 10.244.0.2, 10.244.1.2 . 10.244.1.2, 10.244.1.3 . 10.244.1.3 }
        	}
        	chain services {
        		type nat hook prerouting priority dstnat; policy accept;
        		ip saddr 203.0.113.0/24 ip daddr 10.96.0.0/16 return
        		ip daddr 10.96.1.1 tcp dport 8000 dnat ip to numgen random mod 2 map { 0 : 10.244.0.2 . 80, 1 : 10.244.1.2 . 8080 }
        		ip saddr @pods4 ip daddr 172.30.0.2 tcp dport 30000 dnat ip to numgen random mod 2 map { 0 : 10.244.0.2 . 80, 1 : 10.244.1.2 . 8080 }
        		ip daddr 172.30.0.2 tcp dport 30000 dnat ip to 10.244.0.2:80
        		ip saddr @pods4 ip daddr 172.30.0.3 tcp dport 30000 dnat ip to numgen random mod 2 map { 0 : 10.244.0.2 . 80, 1 : 10.244.1.2 . 8080 }
        		ip daddr 172.30.0.3 tcp dport 30000 dnat ip to 10.244.1.2:8080
        	}
        	chain no-backend {
        		type filter hook prerouting priority dstnat + 10; policy accept;
        		ip saddr 203.0.113.0/24 ip daddr 10.96.0.0/16 counter drop
        		ip daddr 10.96.1.1 tcp dport 8000 counter reject with icmpx port-unreachable
        		ip daddr 172.30.0.2 tcp dport 30000 counter drop
        		ip daddr 172.30.0.3 tcp dport 30000 counter drop
        		ip daddr 10.96.1.2 udp dport 53 counter reject with icmpx port-unreachable
        	}
        	chain returns {
        		type nat hook postrouting priority srcnat; policy accept;
        		ip saddr . ip daddr @selves4 snat ip to 169.254.1.1
        	}
        }
        table inet netproof
        delete table inet netproof
        table inet netproof {
        	set free4 {
        		type ipv4_addr . ipv4_addr
        		elements = { 10.244.0.2 . 10.244.0.2, 10.244.0.2 . 172.30.0.2, 172.30.0.2 . 10.244.0.2, 10.244.1.2 . 10.244.1.2, 10.244.1.2 . 172.30.0.3, 172.30.0.3 . 10.244.1.2, 10.244.1.3 . 10.244.1.3, 10.244.1.3 . 172.30.0.3, 172.30.0.3 . 10.244.1.3 }
        	}
        	chain egress {
        		type filter hook forward priority filter - 10; policy accept;
        		ct state established ct direction reply accept
        		ct state related accept
        		ip saddr . ip daddr @free4 accept
        	}
        	chain ingress/NetworkPolicy/shop/in {
        		tcp dport { 80 } counter accept comment "rule 0"
        	}
        	chain ingress/shop/web {
        		jump ingress/NetworkPolicy/shop/in
        		counter drop
        	}
        	chain ingress/shop/web2 {
        		jump ingress/NetworkPolicy/shop/in
        		counter drop
        	}
        	chain ingress {
        		type filter hook forward priority filter; policy accept;
        		ct state established ct direction reply accept
        		ct state related accept
        		ip saddr . ip daddr @free4 accept
        		ip daddr vmap { 10.244.0.2 : jump ingress/shop/web, 10.244.1.2 : jump ingress/shop/web2 }
        	}
        }
        """  # noqa: E101, E501
    )


RULES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing is allowed": ({}, []),
    "everything is allowed": ({"ingress": [{}]}, ["counter accept"]),
    "pods by label, in the policy's namespace, as one range": (
        {"ingress": [{"from": [{"podSelector": WEB}]}]},
        ["ip saddr { 10.244.0.2, 10.244.1.2 } counter accept"],
    ),
    "pods of other namespaces, without those on the node's network": (
        {"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "b"}}}]}]},
        ["ip saddr { 10.244.1.3 } counter accept"],
    ),
    "namespaces by the label that every namespace has": (
        {"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ops"}}}]}]},
        ["ip saddr { 10.244.1.3 } counter accept"],
    ),
    "a peer that nobody is": ({"ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "x"}}}]}]}, []),
    "a block with holes": (
        {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/9", "10.255.255.255/32"]}}]}]},
        ["ip saddr { 10.128.0.0-10.255.255.254 } counter accept"],
    ),
    "neighbours of a block are merged into it": (
        {"ingress": [{"from": [{"ipBlock": {"cidr": "10.244.1.3/32"}}, {"podSelector": WEB}]}]},
        ["ip saddr { 10.244.0.2, 10.244.1.2-10.244.1.3 } counter accept"],
    ),
    "a block of a family that nobody has": ({"ingress": [{"from": [{"ipBlock": {"cidr": "2001:db8::/32"}}]}]}, []),
    "ports of two protocols": (
        {"ingress": [{"ports": [{"port": 80}, {"port": 443}, {"port": 53, "protocol": "UDP"}]}]},
        ["tcp dport { 80, 443 } counter accept", "udp dport { 53 } counter accept"],
    ),
    "a range of ports that holds another": (
        {"ingress": [{"ports": [{"port": 8000, "endPort": 9000}, {"port": 8080}]}]},
        ["tcp dport { 8000-9000 } counter accept"],
    ),
    "all ports of a protocol": (
        {"ingress": [{"ports": [{"protocol": "SCTP"}]}]},
        ["meta l4proto sctp counter accept"],
    ),
    "a named port is each pod's own number": (
        {"ingress": [{"ports": [{"port": "http"}]}]},
        ["ip daddr . tcp dport { 10.244.0.2 . 80, 10.244.1.2 . 8080 } counter accept"],
    ),
    "a named port beside a number, from somebody": (
        {"ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.1/32"}}], "ports": [{"port": "http"}, {"port": 9}]}]},
        [
            "ip saddr { 192.0.2.1 } tcp dport { 9 } counter accept",
            "ip saddr { 192.0.2.1 } ip daddr . tcp dport { 10.244.0.2 . 80, 10.244.1.2 . 8080 } counter accept",
        ],
    ),
    "a name that the protocol does not have": ({"ingress": [{"ports": [{"port": "http", "protocol": "UDP"}]}]}, []),
}


@pytest.mark.parametrize("name", RULES)
def test_rules(name: str) -> None:
    spec, wanted = RULES[name]
    found = chain("ingress/NetworkPolicy/shop/p", compiled(policy("shop", podSelector=WEB, **spec)))
    assert [line.removesuffix(' comment "rule 0"') for line in found] == wanted


def test_a_named_port_of_egress_is_the_destinations_number() -> None:
    text = compiled(policy("ops", policyTypes=["Egress"], egress=[{"ports": [{"port": "http"}]}]))
    assert chain("egress/NetworkPolicy/ops/p", text) == [
        'ip daddr . tcp dport { 10.244.0.2 . 80, 10.244.1.2 . 8080 } counter accept comment "rule 0"'
    ]
    assert chain("egress/ops/job", text) == ["jump egress/NetworkPolicy/ops/p", "counter drop"]
    assert chain("egress", text)[-1] == "ip saddr vmap { 10.244.1.3 : jump egress/ops/job }"
    assert "egress/ops/host" not in text, "no policy selects a pod on its node's network"


def test_several_policies_of_a_pod_come_before_the_drop() -> None:
    text = compiled(policy("shop", "a"), policy("shop", "b", podSelector=WEB))
    assert chain("ingress/shop/web", text) == [
        "jump ingress/NetworkPolicy/shop/a",
        "jump ingress/NetworkPolicy/shop/b",
        "counter drop",
    ]
