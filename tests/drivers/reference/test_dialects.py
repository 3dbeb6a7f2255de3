"""Policies of Cilium and of the Network Policy API on real packets, against expectations by hand, and the evaluator
against the packets."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from netproof.model import Probe, Specified
from netproof.policy import Evaluator, read_policies
from tests.drivers.reference.wire import SHOP, Wire, policy

KINDS = {
    "cnp": ("cilium.io/v2", "CiliumNetworkPolicy", {"name": "p", "namespace": "shop"}),
    "ccnp": ("cilium.io/v2", "CiliumClusterwideNetworkPolicy", {"name": "p"}),
    "admin": ("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", {"name": "a"}),
    "baseline": ("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", {"name": "b"}),
}
WEB = {"matchLabels": {"app": "web"}}
DENY_WEB = policy("shop", "deny", podSelector=WEB)
ALLOW_WEB = policy("shop", "allow", podSelector=WEB, ingress=[{}])


def written(kind: str, text: str) -> dict[str, Any]:
    """An object in few words: the YAML of its spec, with what its kind always has."""
    api_version, name, metadata = KINDS[kind]
    spec = yaml.safe_load(f"{{{text}}}")
    if kind in ("admin", "baseline"):
        spec = {"tier": kind.capitalize(), "priority": 5, **spec}
    return {"apiVersion": api_version, "kind": name, "metadata": metadata, "spec": spec}


def cnp(text: str, kind: str = "cnp") -> dict[str, Any]:
    return written(kind, f"endpointSelector: {{matchLabels: {{app: web}}}}, {text}")


def admin(text: str, kind: str = "admin") -> dict[str, Any]:
    return written(kind, f"subject: {{pods: {{podSelector: {{matchLabels: {{app: web}}}}}}}}, {text}")


def ingress(action: str, app: str) -> str:
    return f"{{action: {action}, from: [{{pods: {{podSelector: {{matchLabels: {{app: {app}}}}}}}}}]}}"


DNS = (
    "{toEndpoints: [{matchLabels: {io.kubernetes.pod.namespace: kube-system}}], "
    "toPorts: [{ports: [{port: '53', protocol: ANY}], rules: {dns: [{matchPattern: '*'}]}}]}"
)
STORE = "{toFQDNs: [{matchPattern: 'store.*.test'}]}"
EVERYWHERE = "{networks: [0.0.0.0/0]}"
JOB, DB, USER, NODE = (
    ("shop/job", "shop/web:80"),
    ("shop/db", "shop/web:80"),
    ("external:user", "shop/web:80"),
    ("node:1", "shop/web:80"),
)
OUT, TO_DB, TO_NODE = (("shop/web", "external:store:443"), ("shop/web", "shop/db:8080"), ("shop/web", "ops/host:7070"))
OWN = ("ops/web", "ops/host:7070")
BY_NAME = ("shop/web", "store.peers.test:443")

Expected = dict[tuple[str, str], bool]
CASES: dict[str, tuple[list[dict[str, Any]], Expected]] = {
    "cilium: endpoints and ports": (
        [cnp("ingress: [{fromEndpoints: [{matchLabels: {app: job}}], toPorts: [{ports: [{port: http}]}]}]")],
        {JOB: True, ("shop/job", "shop/web:9090"): False, DB: False, ("ops/job", "shop/web:80"): False, TO_DB: True},
    ),
    "cilium: an empty rule": ([cnp("egress: [{}]")], {OUT: False, TO_DB: False, JOB: True}),
    "cilium: deny over a NetworkPolicy's allow": (
        [ALLOW_WEB, cnp("ingressDeny: [{fromEndpoints: [{matchLabels: {app: job}}]}]")],
        {JOB: False, DB: True, USER: True},
    ),
    "cilium: deny without default deny": (
        [cnp("ingressDeny: [{fromEntities: [world]}], enableDefaultDeny: {ingress: false}")],
        {USER: False, JOB: True, NODE: True},
    ),
    "cilium: world": ([cnp("ingress: [{fromEntities: [world]}]")], {USER: True, JOB: False, NODE: False}),
    "cilium: cluster": ([cnp("ingress: [{fromEntities: [cluster]}]")], {USER: False, JOB: True, NODE: True}),
    "cilium: CIDRs are not pods": (
        [cnp("egress: [{toCIDR: [0.0.0.0/0]}]")],
        {OUT: True, TO_DB: False, TO_NODE: False, ("shop/web", "svc:shop/local:8000"): False},
    ),
    "cilium: host is the own node": (
        [cnp("egress: [{toEntities: [host]}]", "ccnp")],
        {OWN: True, TO_NODE: False, TO_DB: False},
    ),
    "cilium: remote-node is another": (
        [cnp("egress: [{toEntities: [remote-node]}]", "ccnp")],
        {OWN: False, TO_NODE: True},
    ),
    "cilium: Services": (
        [cnp("egress: [{toServices: [{k8sService: {serviceName: local, namespace: shop}}]}]")],
        {("shop/web", "svc:shop/local:8000"): True, TO_DB: True, OUT: False},
    ),
    "cilium: names": ([cnp(f"egress: [{DNS}, {STORE}]")], {BY_NAME: True, TO_DB: False}),
    "cilium: names that nobody learns": (
        [cnp(f"egress: [{{toEndpoints: [{{matchLabels: {{io.kubernetes.pod.namespace: kube-system}}}}]}}, {STORE}]")],
        {BY_NAME: False, OUT: False},
    ),
    "cilium: ICMP alone": ([cnp("ingress: [{icmps: [{fields: [{type: 8}]}]}]")], {JOB: False}),
    "api: Deny before NetworkPolicy": (
        [ALLOW_WEB, admin(f"ingress: [{ingress('Deny', 'job')}]")],
        {JOB: False, DB: True, USER: True},
    ),
    "api: Accept before NetworkPolicy": (
        [DENY_WEB, admin(f"ingress: [{ingress('Accept', 'job')}]")],
        {JOB: True, DB: False, USER: False},
    ),
    "api: Pass leaves the rest of the tier": (
        [admin(f"ingress: [{ingress('Pass', 'job')}, {{action: Deny, from: [{{namespaces: {{}}}}]}}]")],
        {JOB: True, DB: False, USER: True},
    ),
    "api: Pass, then NetworkPolicy": (
        [DENY_WEB, admin(f"ingress: [{ingress('Pass', 'job')}, {ingress('Accept', 'db')}]")],
        {JOB: False, DB: True},
    ),
    "api: Baseline after NetworkPolicy": (
        [DENY_WEB, admin(f"ingress: [{ingress('Accept', 'job')}]", "baseline")],
        {JOB: False, ("ops/job", "ops/web:80"): True},
    ),
    "api: Baseline where no NetworkPolicy selects": (
        [DENY_WEB, admin(f"ingress: [{ingress('Deny', 'job')}]", "baseline")],
        {JOB: False, ("ops/job", "ops/web:80"): False, ("shop/db", "ops/web:80"): True},
    ),
    "api: networks are pods and nodes, too": (
        [admin(f"egress: [{{action: Deny, to: [{EVERYWHERE}]}}]")],
        {OUT: False, TO_DB: False, TO_NODE: False, OWN: False, JOB: True},
    ),
    "api: a Pass for pods before networks": (
        [admin(f"egress: [{{action: Pass, to: [{{namespaces: {{}}}}]}}, {{action: Deny, to: [{EVERYWHERE}]}}]")],
        {OUT: False, TO_DB: True, TO_NODE: False},
    ),
    "api: several networks, and ports": (
        [
            admin(
                "egress: [{action: Deny, to: [{networks: [203.0.113.0/24, 10.0.0.0/8]}], "
                "protocols: [{tcp: {destinationPort: {number: 8080}}}]}]"
            )
        ],
        {OUT: True, TO_DB: False, ("shop/web", "shop/db:53/UDP"): True},
    ),
    "api: nodes": ([admin("egress: [{action: Deny, to: [{nodes: {}}]}]")], {TO_NODE: False, OWN: False, TO_DB: True}),
    "api: names": (
        [
            admin(
                "egress: [{action: Accept, to: [{domainNames: ['*.peers.test']}]}, "
                "{action: Pass, to: [{namespaces: {}}]}, {action: Deny, to: [{networks: [0.0.0.0/0]}]}]"
            )
        ],
        {BY_NAME: True, TO_NODE: False},
    ),
}


def measured(wire: Wire, source: str, expected: dict[str, bool]) -> dict[str, bool]:
    """Target -> whether it connects. What is to connect gets time on a busy machine; silence is not waited for."""
    found: dict[str, bool] = {}
    for right, timeout in ((True, 3.0), (False, 0.3)):
        targets = [target for target, wanted in expected.items() if wanted is right]
        answers = wire.ask(source, *targets, timeout=timeout) if targets else []
        found.update(
            (target, answer["outcome"] == "connected") for target, answer in zip(targets, answers, strict=True)
        )
    return found


@pytest.mark.parametrize("name", CASES)
def test_packets_meet_the_expectation(wire: Wire, name: str) -> None:
    policies, expected = CASES[name]
    wire.driver.apply(policies)
    for source in {source for source, _ in expected}:
        wanted = {target: right for (sender, target), right in expected.items() if sender == source}
        assert measured(wire, source, wanted) == wanted, source


SOURCES = ("shop/web", "shop/job", "ops/web", "external:user", "node:1")
TARGETS = ("shop/web:80", "shop/web:53/UDP", "shop/db:8080", "ops/web:80", "ops/host:7070", "external:store:443")


def asked(source: str, target: str) -> Probe:
    endpoint, _, port = target.removesuffix("/UDP").rpartition(":")
    return Probe(
        source=source,
        destination=endpoint,
        port=int(port),
        protocol="UDP" if target.endswith("/UDP") else "TCP",
        via="pod" if "/" in endpoint else "address",
    )


@pytest.mark.parametrize("name", CASES)
def test_packets_meet_what_is_specified(wire: Wire, name: str) -> None:
    """What is unspecified may do either."""
    policies, _ = CASES[name]
    wire.driver.apply(policies)
    evaluator = Evaluator(read_policies(policies), SHOP, wire.placement)
    for source in SOURCES:
        targets = [target for target in TARGETS if not target.startswith(f"{source}:")]
        decisions = {target: evaluator.decide(asked(source, target)).specified for target in targets}
        wanted = {
            target: specified is Specified.CONNECTED
            for target, specified in decisions.items()
            if specified is not Specified.UNSPECIFIED
        }
        assert measured(wire, source, wanted) == wanted, source
