"""A small world that the tests of this room share, and short ways to write policies and probes for it."""

from __future__ import annotations

from typing import Any

import yaml

from netproof.model import External, Namespace, Node, Placement, Pod, Port, Probe, Service, ServicePort, Topology
from netproof.policy import Decision, Evaluator, read_policies

HTTP = Port(port=8080, name="http")

TOPOLOGY = Topology(
    namespaces=(
        Namespace(name="shop", labels={"team": "shop"}),
        Namespace(name="ops", labels={"team": "ops", "trusted": "yes"}),
    ),
    pods=(
        Pod(namespace="shop", name="ui", labels={"app": "ui", "tier": "web"}, ports=(HTTP,), node=0),
        Pod(
            namespace="shop",
            name="api",
            labels={"app": "api", "tier": "back"},
            ports=(
                HTTP,
                Port(port=9090, name="metrics"),
                Port(port=5353, protocol="UDP", name="answers"),
                Port(port=3868, protocol="SCTP", name="signals"),
            ),
            node=1,
        ),
        Pod(
            namespace="shop",
            name="worker",
            labels={"app": "worker", "tier": "back"},
            ports=(Port(port=8081, name="http"),),
            node=1,
        ),
        Pod(namespace="shop", name="db", labels={"app": "db"}, ports=(Port(port=5432, name="sql"),), node=0),
        Pod(namespace="ops", name="prober", labels={"app": "prober", "role": "admin"}, ports=(HTTP,), node=0),
        Pod(namespace="ops", name="ui", labels={"app": "ui"}, ports=(HTTP,), node=1),
        Pod(namespace="ops", name="agent", labels={"app": "agent"}, ports=(HTTP,), node=0, host_network=True),
    ),
    services=(
        Service(
            namespace="shop",
            name="api",
            selector={"app": "api"},
            ports=(ServicePort(port=80, target="http"), ServicePort(port=9000, target="absent")),
        ),
        Service(namespace="shop", name="back", selector={"tier": "back"}, ports=(ServicePort(port=80, target="http"),)),
        Service(
            namespace="shop",
            name="plain",
            selector={"app": "api"},
            ports=(ServicePort(port=8080, target="http"),),
            headless=True,
        ),
        Service(
            namespace="shop",
            name="open",
            selector={"app": "api"},
            ports=(ServicePort(port=80, target=8080),),
            node_port=True,
        ),
        Service(
            namespace="shop",
            name="open-cluster",
            selector={"app": "api"},
            ports=(ServicePort(port=80, target=8080),),
            node_port=True,
            external_traffic_policy="Cluster",
        ),
        Service(namespace="shop", name="ghost", selector={"app": "ghost"}, ports=(ServicePort(port=80, target=80),)),
    ),
    externals=(External(name="client", ports=(Port(port=443, name="https"),)), External(name="rival")),
    nodes=(Node(index=0), Node(index=1)),
)

PLACEMENT = Placement(
    addresses={
        "shop/ui": ("10.244.0.5", "fd00:10:244::5"),
        "shop/api": ("10.244.1.6", "fd00:10:244:1::6"),
        "shop/worker": ("10.244.1.7",),
        "shop/db": ("10.244.0.8",),
        "ops/prober": ("10.244.0.9",),
        "ops/ui": ("10.244.1.10",),
        "ops/agent": ("172.18.0.2",),
        "kube-system/coredns-1": ("10.244.0.2",),
        "svc:shop/api": ("10.96.0.20",),
        "svc:shop/back": ("10.96.0.21",),
        "svc:shop/open": ("10.96.0.22",),
        "svc:shop/open-cluster": ("10.96.0.23",),
        "svc:kube-system/kube-dns": ("10.96.0.10",),
        "external:client": ("192.0.2.10", "2001:db8::10"),
        "external:rival": ("198.51.100.7",),
        "node:0": ("172.18.0.2",),
        "node:1": ("172.18.0.3",),
    },
    node_of={
        "shop/ui": "node:0",
        "shop/api": "node:1",
        "shop/worker": "node:1",
        "shop/db": "node:0",
        "ops/prober": "node:0",
        "ops/ui": "node:1",
        "ops/agent": "node:0",
        "kube-system/coredns-1": "node:0",
    },
    node_ports={("svc:shop/open", 80, "TCP"): 30080, ("svc:shop/open-cluster", 80, "TCP"): 30081},
    dns_pods=(
        Pod(
            namespace="kube-system",
            name="coredns-1",
            labels={"k8s-app": "kube-dns"},
            ports=(Port(port=53, protocol="UDP", name="dns"), Port(port=53, name="dns-tcp")),
        ),
    ),
)


def manifest(name: str, spec: str) -> dict[str, Any]:
    """`name` is namespace/name, `spec` the YAML of the spec."""
    namespace, _, own = name.partition("/")
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": own, "namespace": namespace},
        "spec": yaml.safe_load(spec),
    }


def probe(text: str, **more: Any) -> Probe:
    """`shop/ui > shop/api 8080` or `shop/ui > svc:shop/api 53/UDP service`."""
    source, destination, port, *via = text.replace(" > ", " ").split()
    number, _, protocol = port.partition("/")
    how: Any = via[0] if via else ("service" if destination.startswith("svc:") else "pod")
    return Probe(source=source, destination=destination, port=int(number), protocol=protocol or "TCP", via=how, **more)


def decide(policies: dict[str, str], text: str, *, placement: Placement = PLACEMENT, **more: Any) -> Decision:
    """The decision on one probe under policies, written as name -> YAML of the spec."""
    read = read_policies([manifest(name, spec) for name, spec in policies.items()])
    return Evaluator(read, TOPOLOGY, placement).decide(probe(text, **more))
