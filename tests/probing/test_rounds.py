"""Controls: when a denial is believed, and when it stays unmeasured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from netproof.model import Measured, Node, Outcome, Pod, Port, Probe, Service, ServicePort, Topology
from netproof.model.placement import place_on_paper
from netproof.probing import Fleet, Rounds
from netproof.probing.rounds import adaptive_timeout
from tests.fakes import FakeDriver

A, B = (Pod(namespace="x", name=name, ports=(Port(port=80), Port(port=81, name="web"))) for name in "ab")
SERVICE = Service(namespace="x", name="b", selector={"app": "b"}, ports=(ServicePort(port=8080, target="web"),))
B = Pod(namespace="x", name="b", labels={"app": "b"}, ports=B.ports)
TOPOLOGY = Topology(pods=(A, B), services=(SERVICE,), nodes=(Node(index=0),))
DUAL = place_on_paper(TOPOLOGY)
PLACEMENT = replace(DUAL, addresses={endpoint: addresses[:1] for endpoint, addresses in DUAL.addresses.items()})
TO_B = Probe(source="x/a", destination="x/b", port=80)
HOST_B = PLACEMENT.address("x/b")
VIA_SERVICE = Probe(source="x/a", destination="svc:x/b", port=8080, via="service")
LOOKUP = Probe(
    source="x/a", destination="svc:kube-system/kube-dns", port=53, protocol="UDP", via="service", kind="lookup"
)


def one(probe: Probe, sees: Any, *, before: bool = True) -> tuple[Measured, Outcome, str]:
    driver = FakeDriver()
    driver.sees = sees
    rounds = Rounds(TOPOLOGY, PLACEMENT, Fleet(driver.open), {probe} if before else set())
    (only,) = rounds.ask([probe], 0.1)
    reading = only.readings[probe]
    return reading.measured, reading.outcome, reading.detail


def from_a(outcome: str, otherwise: str = "connected") -> Any:
    return lambda source, probe: outcome if source == "x/a" else otherwise


def test_a_connection_needs_no_control() -> None:
    assert one(TO_B, from_a("connected", "dropped"))[0] is Measured.CONNECTED


@pytest.mark.parametrize(
    ("saw", "counts_as"), [("dropped", "dropped"), ("rejected", "rejected"), ("refused", "rejected")]
)
def test_a_denial_counts_when_the_server_answered_its_own_control(saw: str, counts_as: str) -> None:
    measured, outcome, _ = one(TO_B, from_a(saw))
    assert (measured, outcome.value) == (Measured.DENIED, counts_as)


@pytest.mark.parametrize("saw", ["dropped", "rejected", "refused", "name-failed"])
def test_a_denial_without_the_servers_control_is_unmeasured(saw: str) -> None:
    measured, _, detail = one(TO_B, from_a(saw, otherwise="refused"))
    assert measured is Measured.UNMEASURED
    assert "the server's own control probe failed: x/b: refused" in detail


def test_a_denial_of_a_pair_that_never_connected_is_unmeasured() -> None:
    measured, _, detail = one(TO_B, from_a("dropped"), before=False)
    assert measured is Measured.UNMEASURED
    assert "did not connect before the policies" in detail


def test_a_harness_error_is_unmeasured() -> None:
    measured, outcome, _ = one(TO_B, from_a("error"))
    assert (measured, outcome) == (Measured.UNMEASURED, Outcome.ERROR)


def test_a_lost_source_is_unmeasured() -> None:
    measured, _, detail = one(TO_B, from_a("lost"))
    assert (measured, detail) == (Measured.UNMEASURED, "the agent of x/a has ended")


def test_a_lost_server_makes_its_denials_unmeasured() -> None:
    measured, _, detail = one(TO_B, from_a("dropped", otherwise="lost"))
    assert measured is Measured.UNMEASURED
    assert "the agent of x/b has ended" in detail


def test_a_service_is_vouched_for_by_the_pod_and_port_behind_it() -> None:
    asked: list[tuple[str, Any, Any]] = []

    def sees(source: str, probe: Mapping[str, Any]) -> str:
        asked.append((source, probe["host"], probe["port"]))
        return "dropped" if source == "x/a" else "connected"

    assert one(VIA_SERVICE, sees)[0] is Measured.DENIED
    assert asked == [("x/a", PLACEMENT.address("svc:x/b"), 8080), ("x/b", HOST_B, 81)]


def test_a_lookup_is_vouched_for_by_a_nodes_lookup_in_the_same_round() -> None:
    assert one(LOOKUP, from_a("dropped"))[0] is Measured.DENIED
    assert one(LOOKUP, from_a("dropped", otherwise="dropped"))[0] is Measured.UNMEASURED


VIA_NAME = Probe(source="x/a", destination="svc:x/b", port=8080, via="name")


def test_a_name_that_cannot_be_looked_up_is_a_denial_only_while_others_can() -> None:
    unanswered = "name-failed: 10.96.0.10 did not answer: dropped"
    assert one(VIA_NAME, from_a(unanswered))[0] is Measured.DENIED

    def no_dns(source: str, probe: Mapping[str, Any]) -> str:
        return unanswered if source == "x/a" else "refused" if probe.get("kind") == "lookup" else "connected"

    measured, _, detail = one(VIA_NAME, no_dns)
    assert measured is Measured.UNMEASURED
    assert "the server's own control probe failed: svc:kube-system/kube-dns: refused" in detail


def test_a_name_that_dns_does_not_know_is_no_denial() -> None:
    measured, _, detail = one(VIA_NAME, from_a("name-failed: NXDOMAIN"))
    assert (measured, detail) == (Measured.UNMEASURED, "name-failed, NXDOMAIN; the cluster's DNS answered")


def test_a_destination_without_an_address_is_unmeasured_with_the_reason() -> None:
    six = Probe(source="x/a", destination="x/b", port=80, family=6)
    measured, _, detail = one(six, from_a("connected"))
    assert (measured, detail) == (Measured.UNMEASURED, "x/b has no IPv6 address here")


@pytest.mark.parametrize(
    ("times_ms", "expected"),
    [([1.0] * 100, 0.25), ([20.0] * 100, 0.4), ([500.0] * 100, 2.0), ([], 2.0), ([20.0], 0.4)],
)
def test_silence_is_twenty_times_the_slowest_percent_within_bounds(times_ms: list[float], expected: float) -> None:
    assert adaptive_timeout(times_ms, 0.25, 2.0) == pytest.approx(expected)


def test_a_name_is_that_of_the_namespace_in_the_cluster() -> None:
    """xdist workers have namespaces of their own."""
    asked: list[str] = []

    def sees(source: str, probe: Any) -> str:
        asked.append(probe["host"])
        return "connected"

    driver = FakeDriver()
    driver.sees = sees
    by_name = replace(VIA_SERVICE, via="name")
    Rounds(TOPOLOGY, replace(PLACEMENT, namespaces={"x": "x-gw1"}), Fleet(driver.open)).ask([by_name], 0.1)
    Rounds(TOPOLOGY, PLACEMENT, Fleet(driver.open)).ask([by_name], 0.1)
    assert [host for host in asked if "svc" in host] == ["b.x-gw1.svc.cluster.local", "b.x.svc.cluster.local"]
