"""Calico's policies on real packets, against expectations by hand from its API's text, and the evaluator against the
packets."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from netproof.model import Probe, Specified
from netproof.policy import Evaluator, read_policies
from tests.drivers.reference.wire import SHOP, Wire, policy


def calico(name: str, text: str) -> dict[str, Any]:
    """`namespace/name` is a NetworkPolicy, `name` a GlobalNetworkPolicy, `tier name` a Tier."""
    kind, _, full = name.rpartition(" ")
    namespace, _, own = full.rpartition("/")
    metadata = {"name": own, "namespace": namespace} if namespace else {"name": own}
    wanted = "Tier" if kind else "NetworkPolicy" if namespace else "GlobalNetworkPolicy"
    spec = yaml.safe_load(f"{{{text}}}")
    return {"apiVersion": "projectcalico.org/v3", "kind": wanted, "metadata": metadata, "spec": spec}


def web(rules: str, more: str = "order: 10", name: str = "shop/p", types: str = "Ingress") -> dict[str, Any]:
    """A policy for the pods of app web."""
    return calico(name, f"selector: \"app == 'web'\", types: [{types}], {types.lower()}: [{rules}], {more}")


JOB = "source: {selector: \"app == 'job'\"}"
DENY = calico("deny", "order: 2000, selector: all(), types: [Ingress, Egress]")
KNP = policy(
    "shop",
    podSelector={"matchLabels": {"app": "web"}},
    ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "job"}}}]}],
)
FROM_JOB, FROM_DB, FROM_OPS = (("shop/job", "shop/web:80"), ("shop/db", "shop/web:80"), ("ops/job", "shop/web:80"))
FROM_NODE, FROM_OWN, FROM_USER = (
    ("node:1", "shop/web:80"),
    ("node:0", "shop/web:80"),
    ("external:user", "shop/web:80"),
)
METRICS, DATAGRAM, IN_OPS = (("shop/job", "shop/web:9090"), ("shop/job", "shop/web:53/UDP"), ("ops/job", "ops/web:80"))
TO_DB, TO_STORE = (("shop/web", "shop/db:8080"), ("shop/web", "external:store:443"))
BY_SERVICE = ("shop/web", "svc:shop/local:8000")

Expected = dict[tuple[str, str], bool]
CASES: dict[str, tuple[list[dict[str, Any]], Expected]] = {
    "no rule": ([web("")], {FROM_JOB: False, FROM_USER: False, FROM_NODE: False, FROM_OWN: True, TO_DB: True}),
    "rules in turn": (
        [web("{action: Deny, " + JOB + "}, {action: Log}, {action: Allow}")],
        {FROM_JOB: False, FROM_DB: True, FROM_OPS: True, FROM_USER: True},
    ),
    "the lower order first": (
        [web("{action: Deny, " + JOB + "}"), web("{action: Allow}", "order: 20", "shop/q")],
        {FROM_JOB: False, FROM_DB: True},
    ),
    "a lower order before NetworkPolicy": (
        [KNP, web("{action: Deny, protocol: TCP}", "order: 999")],
        {FROM_JOB: False, DATAGRAM: True, FROM_DB: False},
    ),
    "a higher order behind NetworkPolicy": (
        [KNP, web("{action: Deny, " + JOB + "}, {action: Allow}", "order: 1001")],
        {FROM_JOB: True, FROM_DB: True},
    ),
    "Pass in the last tier": (
        [web("{action: Pass, " + JOB + "}"), web("{action: Deny}", "order: 20", "shop/q")],
        {FROM_JOB: True, FROM_DB: False},
    ),
    "tiers": (
        [
            web("{action: Pass, " + JOB + "}, {action: Allow, source: {nets: [203.0.113.0/24]}}", "tier: ops", "ops.p"),
            web("{action: Deny, protocol: TCP, destination: {ports: [9090]}}, {action: Allow}", name="shop/p"),
            calico("tier ops", "order: 5"),
        ],
        {FROM_JOB: True, METRICS: False, FROM_USER: True, FROM_DB: False, FROM_OPS: True},
    ),
    "a global deny with allowlists": (
        [
            DENY,
            web("{action: Allow, protocol: TCP, " + JOB + ", destination: {ports: [http]}}"),
            calico("out", "order: 10, selector: \"app == 'job'\", types: [Egress], egress: [{action: Allow}]"),
        ],
        {
            FROM_JOB: True,
            METRICS: False,
            FROM_OPS: False,
            FROM_DB: False,
            TO_DB: False,
            IN_OPS: False,
        },
    ),
    "global policies select in all namespaces": (
        [web("{action: Allow, " + JOB + "}", name="p")],
        {FROM_JOB: True, FROM_OPS: True, FROM_DB: False, IN_OPS: True},
    ),
    "namespaceSelector": (
        [web("{action: Allow, source: {namespaceSelector: \"team == 'b'\", notSelector: \"app == 'web'\"}}")],
        {FROM_OPS: True, ("ops/web", "shop/web:80"): False, FROM_JOB: False},
    ),
    "notSelector of a global policy": (
        [web("{action: Allow, source: {notSelector: \"app in {'job'}\"}}", name="p")],
        {FROM_USER: True, FROM_DB: True, FROM_JOB: False, FROM_NODE: True},
    ),
    "nets and notNets": (
        [web("{action: Allow, source: {nets: [203.0.113.0/24], notNets: [203.0.113.0/32]}}")],
        {FROM_USER: True, FROM_JOB: False},
    ),
    "ports and notPorts": (
        [web("{action: Allow, protocol: TCP, destination: {ports: ['1:9090'], notPorts: [80]}}")],
        {FROM_JOB: False, METRICS: True, DATAGRAM: False},
    ),
    "protocols": ([web("{action: Allow, notProtocol: TCP}")], {FROM_JOB: False, DATAGRAM: True}),
    "the IP version": (
        [web("{action: Deny, ipVersion: 6}, {action: Allow, ipVersion: 4, " + JOB + "}")],
        {FROM_JOB: True, FROM_DB: False},
    ),
    "the local end": (
        [calico("shop/p", "types: [Ingress], ingress: [{action: Allow, destination: {selector: \"app == 'db'\"}}]")],
        {("shop/job", "shop/db:8080"): True, FROM_JOB: False},
    ),
    "a Service's pods on its ports": (
        [web("{action: Allow, destination: {services: {name: local}}}", types="Egress")],
        {BY_SERVICE: True, TO_DB: True, ("shop/web", "shop/db:53/UDP"): True, TO_STORE: False},
    ),
    "a Service's pods on its ports of one protocol": (
        [web("{action: Allow, protocol: TCP, destination: {services: {name: local}}}", types="Egress")],
        {TO_DB: True, ("shop/web", "shop/db:53/UDP"): False},
    ),
    "a Service's pods as the source": (
        [web("{action: Allow, source: {services: {name: local}}}")],
        {FROM_DB: True, FROM_JOB: False},
    ),
    "the own node is judged": (
        [calico("ops/p", "types: [Egress], egress: [{action: Allow, destination: {selector: all()}}]")],
        {("ops/web", "ops/host:7070"): False, ("ops/web", "shop/web:80"): False, IN_OPS: True},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_text_the_packets_and_the_evaluator_agree(wire: Wire, name: str) -> None:
    manifests, expected = CASES[name]
    wire.driver.apply(manifests)
    evaluator = Evaluator(read_policies(manifests), SHOP, wire.placement)
    measured = {pair: wire.connects(*pair) for pair in expected}
    specified = {pair: evaluator.decide(_probe(*pair)).specified is Specified.CONNECTED for pair in expected}
    assert measured == expected
    assert specified == expected


def _probe(source: str, target: str) -> Probe:
    end, _, port = target.rpartition(":")
    number, _, protocol = port.partition("/")
    return Probe(
        source=source,
        destination=end,
        port=int(number),
        protocol="UDP" if protocol == "UDP" else "TCP",
        via="service" if end.startswith("svc:") else "pod",
    )


def test_policies_of_two_groups_with_one_name_are_deleted_one_by_one(wire: Wire) -> None:
    wire.driver.apply([KNP, web("{action: Deny}")])
    wire.driver.delete([web("{action: Deny}")])
    assert [wire.connects(*FROM_JOB), wire.connects(*FROM_DB)] == [True, False]
