"""Topologies side by side: what fits together stays, what does not is forgotten when it is replaced."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from netproof.catalogue.scenarios import Step
from netproof.clusters.recipes import Settle
from netproof.model import External, Measured, Namespace, Placement, Pod, Port, Probe, Service, ServicePort, Topology
from netproof.probing import Rounds, Settled, client
from netproof.probing.client import Schedule
from netproof.run.deployment import Deployment, merge
from tests.fakes import FakeDriver

A = Pod(namespace="x", name="a", ports=(Port(port=80),))
B = Pod(namespace="x", name="b")
X = Namespace(name="x")


def deployment() -> Deployment:
    return Deployment(FakeDriver(), Settle())


def outside(*ports: int) -> External:
    return External(name="bank", ports=tuple(Port(port=port) for port in ports))


def test_a_peer_outside_gets_all_ports_of_both() -> None:
    both = merge(Topology(externals=(outside(443, 80),)), Topology(externals=(outside(80, 5432),)))
    assert both == Topology(externals=(outside(443, 80, 5432),))


def test_one_name_with_two_meanings_fits_nothing() -> None:
    assert (
        merge(Topology(namespaces=(X,), pods=(A,)), Topology(namespaces=(X,), pods=(Pod(namespace="x", name="a"),)))
        is None
    )


def test_what_stands_in_one_namespace_is_deployed_together() -> None:
    made = deployment()
    made.deploy(Topology(namespaces=(X,), pods=(A,)), lambda _: None)
    made.deploy(Topology(namespaces=(X,), pods=(B,)), lambda _: None)
    assert made.has(Topology(namespaces=(X,), pods=(A,)))
    assert made.has(Topology(namespaces=(X,), pods=(A, B)))


def test_what_was_replaced_is_not_there_any_more() -> None:
    made = deployment()
    other = Topology(namespaces=(X,), pods=(Pod(namespace="x", name="a", labels={"new": "yes"}),))
    made.deploy(Topology(namespaces=(X,), pods=(A,)), lambda _: None)
    made.deploy(other, lambda _: None)
    assert made.has(other)
    assert not made.has(Topology(namespaces=(X,), pods=(A,)))


def test_a_peer_with_more_ports_serves_who_needs_fewer() -> None:
    made = deployment()
    made.deploy(Topology(externals=(outside(443, 80),)), lambda _: None)
    assert made.has(Topology(externals=(outside(80),)))
    assert not made.has(Topology(externals=(outside(53),)))


def test_a_peer_keeps_the_ports_that_others_need() -> None:
    driver = FakeDriver()
    made = Deployment(driver, Settle())
    first = Topology(namespaces=(X,), externals=(outside(443, 5432),))
    made.deploy(first, lambda _: None)
    made.deploy(Topology(namespaces=(Namespace(name="y"),), externals=(outside(443),)), lambda _: None)
    assert made.has(first)
    assert made.has(Topology(namespaces=(Namespace(name="y"),), externals=(outside(443, 5432),)))


def test_what_is_gone_is_not_waited_for_and_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "REOPEN_EVERY", 0.0)
    driver = FakeDriver()
    made = Deployment(driver, Settle(limit=60.0, seconds=0.05, every=0.02))
    topology = Topology(namespaces=(X,), pods=(A, replace(B, ports=(Port(port=81),))))
    ways = [
        Probe(source="x/b", destination="x/a", protocol="TCP", port=80),
        Probe(source="x/a", destination="x/b", protocol="TCP", port=81),
    ]
    made.deploy(topology, lambda _: None)
    place = made.place(topology)
    place.warm(ways)
    change = made.change(
        place, Step(name="applied", topology=topology, policies=(), applied=({"kind": "any"},), intended={})
    )
    driver.gone.add("x/a")
    driver.sees = lambda source, probe: "dropped"
    settled = place.settle(change, ways, dict.fromkeys(ways, Measured.DENIED))
    assert [settled.readings[way].measured for way in ways] == [Measured.UNMEASURED] * 2
    assert time.monotonic() - change.at < 30
    assert made.gone == ["x/a"]

    driver.sees = lambda source, probe: "connected"
    made.heal(lambda _: None)
    assert (made.gone, driver.applied) == ([], [])
    again = made.place(topology)
    again.warm(ways)
    assert again.rounds.connected_before == set(ways)


def test_a_wrong_answer_is_not_excused_by_a_server_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Service with two pods, one of them gone: the other one's answer is measured, and changes when policies do."""
    monkeypatch.setattr(client, "REOPEN_EVERY", 0.0)
    driver = FakeDriver()
    made = Deployment(driver, Settle(limit=60.0, seconds=0.05, every=0.02))
    service = Service(namespace="x", name="s", selector={"app": "s"}, ports=(ServicePort(port=80, target=80),))
    one, two = (Pod(namespace="x", name=name, labels={"app": "s"}, ports=A.ports) for name in ("one", "two"))
    topology = Topology(namespaces=(X,), pods=(one, two, B), services=(service,))
    way = Probe(source="x/b", destination=service.id, protocol="TCP", port=80)
    made.deploy(topology, lambda _: None)
    place = made.place(topology)
    place.warm([way])
    change = made.change(
        place, Step(name="applied", topology=topology, policies=(), applied=({"kind": "any"},), intended={})
    )
    driver.gone.add("x/two")
    seen: list[str] = []

    def sees(source: str, probe: Mapping[str, Any]) -> str:
        if source != "x/b":
            return "connected"
        seen.append("connected" if len(seen) < 5 else "dropped")
        return seen[-1]

    driver.sees = sees
    settled = place.settle(change, [way], {way: Measured.DENIED})
    assert settled.readings[way].measured is Measured.UNMEASURED  # nobody vouches for the pod that is gone
    assert "dropped" in seen


@pytest.mark.parametrize(
    ("answers_after", "ms", "measured"),
    [
        pytest.param(0.5, 500.0, Measured.CONNECTED, id="late"),
        pytest.param(0.5, 1.0, Measured.UNMEASURED, id="after all"),
        pytest.param(9.0, 1.0, Measured.DENIED, id="never"),
    ],
)
def test_an_answer_that_comes_late_is_not_taken_for_a_denial(
    answers_after: float, ms: float, measured: Measured
) -> None:
    """The machine gets busy after the baseline, so that the time-out from it is too short: who is silent though nothing
    denies him is asked with all patience before that is believed. An answer that is not late, but came now and not
    before, shows a change and no busy machine."""
    driver = FakeDriver()
    made = Deployment(driver, Settle(limit=0.2, seconds=0.0, every=0.02, floor=0.05, ceiling=1.0))
    topology = Topology(namespaces=(X,), pods=(A, B))
    way = Probe(source="x/b", destination="x/a", protocol="TCP", port=80)
    made.deploy(topology, lambda _: None)
    place = made.place(topology)
    place.warm([way])
    change = made.change(
        place, Step(name="applied", topology=topology, policies=(), applied=({"kind": "any"},), intended={})
    )
    driver.ms = ms
    driver.sees = lambda source, probe: (
        "dropped" if source == "x/b" and probe["timeout"] < answers_after else "connected"
    )
    settled = place.settle(change, [way], {way: Measured.CONNECTED})
    assert settled.readings[way].measured is measured


class Watched:
    """A deployment in which these ways are open, and every train that it asks from then on: (probes, rounds)."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, settings: Settle, topology: Topology, ways: Sequence[Probe]
    ) -> None:
        self.driver, self.topology, self.ways = FakeDriver(), topology, ways
        self.deployment = Deployment(self.driver, settings)
        self.deployment.deploy(topology, lambda _: None)
        self.place = self.deployment.place(topology)
        self.place.warm(ways)
        self.asked: list[tuple[set[Probe], int]] = []
        ask = Rounds.ask

        def listed(rounds: Rounds, probes: Any, timeout: float, train: Schedule, **more: Any) -> Any:
            found = ask(rounds, probes, timeout, train, **more)
            self.asked.append((set(probes), len(found)))
            return found

        monkeypatch.setattr(Rounds, "ask", listed)

    def sees(self, before: str, rounds: int, after: str) -> None:
        """So many rounds see the one outcome, and all later ones the other; servers answer themselves."""
        left = dict.fromkeys(self.ways, rounds)

        def outcome(source: str, probe: Mapping[str, Any]) -> str:
            if probe["expect"] == [source]:
                return "connected"
            way = next(
                w for w in self.ways if (w.source, [w.destination], w.port) == (source, probe["expect"], probe["port"])
            )
            left[way] -= 1
            return before if left[way] >= 0 else after

        self.driver.sees = outcome

    def deny(self) -> Settled:
        step = Step(name="applied", topology=self.topology, policies=(), applied=({"kind": "any"},), intended={})
        change = self.deployment.change(self.place, step)
        return self.place.settle(change, self.ways, dict.fromkeys(self.ways, Measured.DENIED))

    def trains(self) -> list[int]:
        """How many rounds each train had since this was asked last."""
        found, self.asked = [repeat for _, repeat in self.asked], []
        return found


PAIR = Topology(namespaces=(X,), pods=(A, B))
WAY = Probe(source="x/b", destination="x/a", protocol="TCP", port=80)


def test_a_deletion_that_takes_its_time_is_watched_by_one_train(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with the first round in which all connects."""
    made = Watched(monkeypatch, Settle(seconds=0.0), PAIR, [WAY])
    made.sees("dropped", 0, "dropped")
    made.deny()
    made.sees("dropped", 5, "connected")
    made.trains()
    made.deployment.restore()
    assert made.trains() == [6]
    assert WAY in made.place.rounds.connected_before


def test_a_change_that_takes_its_time_is_watched_by_one_train(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence costs a time-out for each train: one is long enough for the change, and ends with the hold window after
    it: seven equal rounds, 0.6 s from the first to the last."""
    made = Watched(monkeypatch, Settle(seconds=0.6, every=0.1), PAIR, [WAY])
    made.sees("connected", 7, "dropped")
    made.trains()
    settled = made.deny()
    assert (settled.early, settled.readings[WAY].measured) == (7, Measured.DENIED)
    assert made.trains() == [14]


def test_where_no_change_is_expected_none_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the hold window and the time that the last change took."""
    made = Watched(monkeypatch, Settle(seconds=0.3, every=0.1), PAIR, [WAY])
    made.sees("dropped", 0, "dropped")
    made.deny()
    made.trains()
    settled = made.deny()
    assert (made.trains(), settled.readings[WAY].measured) == ([5], Measured.DENIED)


RELABELLED = Topology(namespaces=(X,), pods=(A, Pod(namespace="x", name="b", labels={"app": "other"}, ports=B.ports)))


@pytest.mark.parametrize(
    ("changed", "shapes", "has_baseline"),
    [
        (RELABELLED, [{"x/a"}, {"x/a", "x/b"}], False),
        (replace(PAIR, namespaces=(Namespace(name="x", labels={"team": "other"}),)), [set(), {"x/a", "x/b"}], False),
        (replace(PAIR, pods=(A,)), [{"x/a", "x/b"}], False),
        (replace(PAIR, pods=(replace(A, incarnation=1), B)), [{"x/a", "x/b"}], False),
        (replace(PAIR, namespaces=(X, Namespace(name="y"))), [{"x/a", "x/b"}], True),
    ],
    ids=["another label", "another label of the namespace", "gone", "another incarnation", "nothing of them"],
)
def test_pods_that_a_scenario_changed_are_made_anew_and_need_a_baseline(
    monkeypatch: pytest.MonkeyPatch, changed: Topology, shapes: list[set[str]], has_baseline: bool
) -> None:
    """A CNI may know a pod by labels that were changed back for half a minute: the next scenario must not see it."""
    made = Watched(monkeypatch, Settle(seconds=0.0), PAIR, [WAY])
    found: list[set[str]] = []
    reshape = made.driver.reshape

    def listed(topology: Topology) -> Placement:
        found.append({pod.id for pod in topology.pods})
        return reshape(topology)

    made.deployment.change(made.place, Step(name="changed", topology=changed, policies=(), applied=(), intended={}))
    monkeypatch.setattr(made.driver, "reshape", listed)
    made.deployment.restore()
    assert (found, WAY in made.place.rounds.connected_before) == (shapes, has_baseline)


def test_who_shares_a_pod_that_is_made_anew_finds_it_at_its_new_address(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Watched(monkeypatch, Settle(seconds=0.0), PAIR, [WAY])
    alone = replace(PAIR, pods=(B,))
    before = made.deployment.place(alone)
    assert made.deployment.place(alone) is before
    elsewhere = {"x/a": ("192.0.2.8",), "x/b": ("192.0.2.9",)}
    made.deployment.change(made.place, Step(name="other", topology=RELABELLED, policies=(), applied=(), intended={}))
    monkeypatch.setattr(made.driver, "reshape", lambda topology: Placement(addresses=elsewhere))
    made.deployment.restore()
    assert made.deployment.place(alone).rounds.placement.address("x/b") == "192.0.2.9"
    assert made.place.rounds.placement.address("x/b") == "192.0.2.9"


def test_few_probes_wait_for_a_deletion_and_all_of_them_see_that_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    pods = tuple(Pod(namespace="x", name=name, ports=(Port(port=80), Port(port=81))) for name in "abc")
    ways = [
        Probe(source=source.id, destination=destination.id, protocol="TCP", port=port)
        for source in pods
        for destination in pods
        for port in (80, 81)
        if source != destination
    ]
    made = Watched(monkeypatch, Settle(seconds=0.0), Topology(namespaces=(X,), pods=pods), ways)
    made.sees("dropped", 0, "dropped")
    made.deny()
    made.sees("connected", 0, "connected")
    made.trains()
    made.deployment.restore()
    few, rest = (probes for probes, _ in made.asked)
    assert len(few) < len(ways) / 2
    assert {probe.source for probe in few} == {probe.destination for probe in few} == {pod.id for pod in pods}
    assert few | rest == set(ways)
    assert made.place.rounds.connected_before == set(ways)
