"""What policies stop, judged by hand from the API's text; then the same with each fault. Real packets."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from netproof.catalogue.topologies import change_topology
from netproof.drivers.reference import faults
from netproof.errors import InputError
from tests.drivers.reference.wire import SHOP, Wire, policy

WEB, DB = {"matchLabels": {"app": "web"}}, {"matchLabels": {"app": "db"}}
JOB = {"matchLabels": {"app": "job"}}
TEAM_B = {"matchLabels": {"team": "b"}}


def test_isolation_for_ingress_drops_all_but_the_own_node(wire: Wire) -> None:
    wire.driver.apply([policy("shop", podSelector=WEB)])
    for source in ("shop/job", "ops/job", "external:user", "node:1", "ops/host"):
        assert wire.outcomes(source, "shop/web:80", "shop/web:53/UDP") == ["dropped"] * 2
    assert wire.outcomes("node:0", "shop/web:80") == ["connected"]
    assert wire.outcomes("shop/web", "shop/web:80", "svc:shop/web:8000", "shop/db:8080") == ["connected"] * 3
    assert wire.outcomes("shop/job", "svc:shop/web:8000", "shop/db:8080") == ["dropped", "connected"]


def test_isolation_for_egress(wire: Wire) -> None:
    wire.driver.apply([policy("shop", podSelector=WEB, policyTypes=["Egress"])])
    assert wire.outcomes("shop/web", "shop/db:8080", "svc:shop/local:8000", "external:store:443") == ["dropped"] * 3
    assert wire.outcomes("shop/web", "shop/web:80") == ["connected"]
    assert wire.outcomes("shop/web", "web.shop.svc.cluster.local:8000") == ["name-failed"]
    assert wire.outcomes("shop/job", "shop/web:80", "shop/web:53/UDP") == ["connected"] * 2


def test_egress_and_ingress_must_both_allow(wire: Wire) -> None:
    to_db = policy("shop", "out", podSelector=WEB, policyTypes=["Egress"], egress=[{"to": [{"podSelector": DB}]}])
    at_db = policy("shop", "in", podSelector=DB, ingress=[{"from": [{"podSelector": JOB}]}])
    wire.driver.apply([to_db, at_db])
    assert wire.outcomes("shop/web", "shop/db:8080") == ["dropped"]
    assert wire.outcomes("shop/job", "shop/db:8080") == ["connected"]


def test_policies_of_one_pod_are_a_union(wire: Wire) -> None:
    wire.driver.apply([policy("shop", "a", podSelector=WEB)])
    wire.driver.apply([policy("shop", "b", podSelector=WEB, ingress=[{"from": [{"podSelector": JOB}]}])])
    assert wire.outcomes("shop/job", "shop/web:80") == ["connected"]
    assert wire.outcomes("shop/db", "shop/web:80") == ["dropped"]


def test_names_may_have_253_characters(wire: Wire) -> None:
    """Object Names and IDs: DNS subdomain names. Those that differ in their last letters only are two."""
    stem = "a" * 249
    wire.driver.apply(
        [
            policy("shop", f"{stem}-job", podSelector=WEB, ingress=[{"from": [{"podSelector": JOB}]}]),
            policy("shop", f"{stem}-any", podSelector=DB),
        ]
    )
    assert wire.outcomes("shop/job", "shop/web:80", "shop/db:8080") == ["connected", "dropped"]
    assert wire.outcomes("shop/db", "shop/web:80") == ["dropped"]


def test_a_policy_applied_again_is_replaced(wire: Wire) -> None:
    wire.driver.apply([policy("shop", podSelector=WEB)])
    wire.driver.apply([policy("shop", podSelector=WEB, ingress=[{}])])
    assert wire.connects("shop/job", "shop/web:80")


def test_a_change_also_applies_to_connections_that_exist(wire: Wire) -> None:
    channel_before = wire.ask("shop/job", "shop/web:53/UDP")
    wire.driver.apply([policy("shop", podSelector=WEB)])
    assert channel_before[0]["outcome"] == "connected"
    assert wire.outcomes("shop/job", "shop/web:53/UDP") == ["dropped"]


def test_reset_deletes_policies(wire: Wire) -> None:
    wire.driver.apply([policy("shop", podSelector=WEB)])
    wire.driver.reset()
    assert wire.connects("shop/job", "shop/web:80")


def test_one_of_several_policies_is_deleted(wire: Wire) -> None:
    wire.driver.apply([policy("shop", "a", podSelector=WEB), policy("shop", "b", podSelector=DB)])
    wire.driver.delete([policy("shop", "a")])
    assert wire.outcomes("shop/job", "shop/web:80", "shop/db:8080") == ["connected", "dropped"]


def test_labels_of_pods_change(wire: Wire) -> None:
    wire.driver.apply([policy("shop", podSelector=WEB, ingress=[{"from": [{"podSelector": DB}]}])])
    wire.driver.reshape(change_topology(SHOP, label={"shop/job": {"app": "db"}}))
    assert wire.connects("shop/job", "shop/web:80")
    wire.driver.reshape(SHOP)
    assert not wire.connects("shop/job", "shop/web:80")


def test_a_new_incarnation_keeps_the_address_and_is_policed(wire: Wire) -> None:
    wire.driver.apply([policy("shop", podSelector=WEB)])
    before = wire.at("shop/web")
    placement = wire.driver.reshape(change_topology(SHOP, recreate=["shop/web"]))
    assert placement.address("shop/web") == before
    assert wire.outcomes("shop/job", "shop/web:80") == ["dropped"]
    wire.driver.reshape(SHOP)


def test_a_removed_pod_is_gone_until_it_comes_back(wire: Wire) -> None:
    wire.driver.reshape(change_topology(SHOP, remove=["shop/db"]))
    assert wire.outcomes("ops/job", "svc:shop/local:8000") == ["refused"]
    wire.driver.reshape(SHOP)
    assert wire.outcomes("ops/job", "svc:shop/local:8000") == ["connected"]


def test_labels_of_namespaces_change(wire: Wire) -> None:
    wire.driver.apply([policy("shop", podSelector=WEB, ingress=[{"from": [{"namespaceSelector": TEAM_B}]}])])
    assert wire.connects("ops/job", "shop/web:80")
    wire.driver.reshape(change_topology(SHOP, label={"ops": {}}))
    assert not wire.connects("ops/job", "shop/web:80")
    wire.driver.reshape(SHOP)
    assert wire.connects("ops/job", "shop/web:80")


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (policy("nowhere"), "NetworkPolicy nowhere/p: its namespace is not deployed"),
    ],
)
def test_objects_that_are_refused_leave_everything_as_it_was(
    wire: Wire, manifest: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        wire.driver.apply([policy("shop", podSelector=WEB), manifest])
    assert wire.connects("shop/job", "shop/web:80")


def test_the_evidence_counts_what_was_dropped(wire: Wire) -> None:
    wire.driver.apply([policy("shop", podSelector=WEB)])
    assert wire.outcomes("shop/job", "shop/web:80") == ["dropped"]
    rules = wire.driver.evidence()["ruleset.nft"]
    chain = rules.partition("chain ingress/shop/web {")[2].partition("}")[0]
    # A busy machine sends a connection request twice.
    assert re.search(r"counter packets [1-9]\d* bytes \d+ drop", chain)


def test_no_command_is_said_to_repeat_a_probe_in_namespaces_that_end_with_the_run(wire: Wire) -> None:
    assert wire.driver.reproduce("shop/db", wire.at("shop/web"), 80, "TCP") == ""


Case = tuple[Sequence[dict[str, Any]], str, str, bool]


def _block(**block: Any) -> list[dict[str, Any]]:
    return [policy("shop", podSelector=WEB, ingress=[{"from": [{"ipBlock": block}]}])]


def _from(*peers: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    return [policy("shop", podSelector=WEB, ingress=[{"from": list(peers), **more}])]


def _ports(*ports: dict[str, Any], subject: dict[str, Any] = WEB) -> list[dict[str, Any]]:
    return [policy("shop", podSelector=subject, ingress=[{"ports": list(ports)}])]


TWO = [
    policy("shop", "a", podSelector=WEB, ingress=[{"from": [{"podSelector": DB}]}]),
    policy("shop", "b", podSelector=WEB, ingress=[{"from": [{"podSelector": JOB}]}]),
]

CASES: dict[str, Case] = {
    "allow-all-namespaces": (_from({"podSelector": JOB}), "ops/job", "shop/web:80", False),
    "and-as-or": (_from({"podSelector": JOB, "namespaceSelector": TEAM_B}), "ops/web", "shop/web:80", False),
    "enforce-nothing": ([policy("shop", podSelector=WEB)], "shop/job", "shop/web:80", False),
    "first-policy-only": (TWO, "shop/job", "shop/web:80", True),
    "forget-egress": ([policy("shop", policyTypes=["Egress"])], "shop/job", "ops/web:80", False),
    "forget-ingress": ([policy("shop", podSelector=WEB)], "shop/job", "shop/web:80", False),
    "ignore-end-port": (_ports({"port": 79, "endPort": 90}), "shop/job", "shop/web:80", True),
    "ignore-except": (
        _block(cidr="203.0.113.0/24", **{"except": ["203.0.113.8/29"]}),
        "external:user",
        "shop/web:80",
        False,
    ),
    "ignore-expressions": (
        _from({"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["job"]}]}}),
        "shop/job",
        "shop/web:80",
        False,
    ),
    "ignore-pod-selector": (_from({"podSelector": DB}), "shop/job", "shop/web:80", False),
    "ignore-ports": (_ports({"port": 80}), "shop/job", "shop/web:9090", False),
    "ignore-protocol": (_ports({"port": 53, "protocol": "TCP"}), "shop/job", "shop/web:53/UDP", False),
    "named-port-of-first-pod": (_ports({"port": "http"}, subject=DB), "shop/job", "shop/db:8080", True),
}
"""Fault -> policies, source, target, and whether they connect by the API's text. With the fault it is the other way."""


def test_cases_are_of_faults_that_exist() -> None:
    """The others are held against the whole catalogue: `netproof mutate`."""
    assert {*CASES, "stale"} <= set(faults.FAULTS)


@pytest.mark.parametrize("name", CASES)
def test_what_is_right_without_a_fault(wire: Wire, name: str) -> None:
    policies, source, target, right = CASES[name]
    wire.driver.apply(policies)
    assert wire.connects(source, target) == right


@pytest.mark.parametrize("name", CASES)
def test_a_fault_changes_what_connects(wire_with: Callable[[str], Wire], name: str) -> None:
    policies, source, target, right = CASES[name]
    wire = wire_with(name)
    wire.driver.apply(policies)
    assert wire.connects(source, target) != right
    assert wire.environment.facts["fault"] == name


def test_the_stale_fault_keeps_what_was_applied_first_until_it_is_deleted(wire_with: Callable[[str], Wire]) -> None:
    wire = wire_with("stale")
    wire.driver.apply([policy("shop", podSelector=WEB)])
    wire.driver.apply([policy("shop", podSelector=WEB, ingress=[{}])])
    assert not wire.connects("shop/job", "shop/web:80")
    wire.driver.reset()
    assert wire.connects("shop/job", "shop/web:80")


def test_an_unknown_fault_names_the_nearest_and_all() -> None:
    with pytest.raises(
        InputError, match=r"--fault: unknown fault 'ignore-exept'; did you mean ignore-except\? known: all"
    ):
        faults.find("ignore-exept")
