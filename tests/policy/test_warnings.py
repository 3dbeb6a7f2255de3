"""Warnings name the nearest thing that exists, and what is fine draws none."""

from __future__ import annotations

import pytest

from netproof.policy import read_policies, warnings
from netproof.policy.warnings import is_slip

from .example import TOPOLOGY, manifest


def rules(ingress: str = "", egress: str = "") -> str:
    return f"{{podSelector: {{}}, policyTypes: [Ingress, Egress], ingress: [{ingress}], egress: [{egress}]}}"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("{podSelector: {}}", []),
        (rules("{from: [{podSelector: {matchLabels: {app: ui}}}], ports: [{port: http}]}"), []),
        (rules(egress="{to: [{ipBlock: {cidr: 203.0.113.0/24}}], ports: [{port: 443}]}"), []),
        (
            rules(
                egress="{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, "
                "podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: dns, protocol: UDP}]}"
            ),
            [],
        ),
        (
            "{podSelector: {matchLabels: {app: apii}}}",
            ["podSelector app=apii in NetworkPolicy shop/p matches no pod; nearest label: app=api"],
        ),
        (
            "{podSelector: {matchLabels: {app: ui, tier: wep}}}",
            ["podSelector app=ui, tier=wep in NetworkPolicy shop/p matches no pod; nearest label: tier=web"],
        ),
        (
            "{podSelector: {matchExpressions: [{key: tire, operator: Exists}]}}",
            ["podSelector tire Exists in NetworkPolicy shop/p matches no pod; nearest label: tier=web"],
        ),
        (
            rules("{}, {from: [{podSelector: {matchLabels: {app: prober}}}]}"),
            [
                "podSelector app=prober in ingress rule 2 of NetworkPolicy shop/p matches no pod; "
                "nearest label: app=worker"
            ],
        ),
        (
            rules("{from: [{namespaceSelector: {matchLabels: {team: opps}}}]}"),
            [
                "namespaceSelector team=opps in ingress rule 1 of NetworkPolicy shop/p matches no namespace; "
                "nearest label: team=ops"
            ],
        ),
        (
            rules(egress="{to: [{namespaceSelector: {matchLabels: {name: kube-system}}}]}"),
            [
                "namespaceSelector name=kube-system in egress rule 1 of NetworkPolicy shop/p matches no namespace; "
                "nearest label: kubernetes.io/metadata.name=kube-system"
            ],
        ),
        (
            rules("{ports: [{port: htp}]}"),
            [
                "no pod that ingress rule 1 of NetworkPolicy shop/p is about has a TCP port named htp; "
                "nearest name: http"
            ],
        ),
        (
            rules("{ports: [{port: answers}]}"),
            [
                "no pod that ingress rule 1 of NetworkPolicy shop/p is about has a TCP port named answers; "
                "its UDP port has that name"
            ],
        ),
        (
            rules(egress="{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: http}]}"),
            ["no pod that egress rule 1 of NetworkPolicy shop/p is about has a TCP port named http; nearest name: sql"],
        ),
        (
            "{policyTypes: [Egress], ingress: [{}]}",
            ["the ingress rules of NetworkPolicy shop/p have no effect: its policyTypes does not list Ingress"],
        ),
    ],
)
def test_warnings(spec: str, expected: list[str]) -> None:
    assert warnings(read_policies([manifest("shop/p", spec)]), TOPOLOGY) == expected


def test_a_namespace_that_does_not_exist() -> None:
    assert warnings(read_policies([manifest("shopp/p", "{}")]), TOPOLOGY) == [
        "NetworkPolicy shopp/p is about namespace shopp, which does not exist; nearest namespace: shop"
    ]


def test_each_sentence_stands_once() -> None:
    spec = rules("{from: [{podSelector: {matchLabels: {app: x}}}, {podSelector: {matchLabels: {app: x}}}]}")
    assert len(warnings(read_policies([manifest("shop/p", spec)]), TOPOLOGY)) == 1


def test_policies_on_host_network_pods_only_are_told() -> None:
    (sentence,) = warnings(read_policies([manifest("ops/p", "{podSelector: {matchLabels: {app: agent}}}")]), TOPOLOGY)
    assert sentence == (
        "podSelector app=agent in NetworkPolicy ops/p matches only pods on the host's network, "
        "which policies leave alone"
    )


@pytest.mark.parametrize(
    ("word", "other", "slip"),
    [
        ("app=redsi", "app=redis", True),
        ("app=redi", "app=redis", True),
        ("app=rediss", "app=redis", True),
        ("app=radis", "app=redis", True),
        ("appp.example/name=web", "app.example/name=web", True),
        ("app=redis", "app=redis", False),
        ("app=web", "app=wab", False),
        ("app=redis-1", "app=redis-2", False),
        ("app=redis-master", "app=redis-replica", False),
        ("ap=redsi", "app=redis", False),
    ],
)
def test_a_slip_is_one_letter(word: str, other: str, slip: bool) -> None:
    assert is_slip(word, other) is slip
