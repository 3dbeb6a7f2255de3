"""How scenarios are shared out among workers."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest

from netproof.catalogue.scenarios import Scenario, select
from netproof.pytest_plugin import scheduler


@pytest.fixture(scope="module")
def scenarios() -> list[Scenario]:
    return [scenario for found in select("change,hosts,peers,ports,time").values() for scenario in found]


def lanes(scenarios: list[Scenario]) -> scheduler.Lanes:
    config = SimpleNamespace(getvalue=lambda name: ["popen"] * 3, option=SimpleNamespace(loadscopereorder=True))
    return scheduler.Lanes(config, None, scenarios)


def by_id(scenarios: list[Scenario], identifier: str) -> Scenario:
    return next(scenario for scenario in scenarios if scenario.id == identifier)


def test_new_pods_and_steps_make_a_scenario_heavy(scenarios: list[Scenario]) -> None:
    once = by_id(scenarios, "ports-name-ingress")
    again = by_id(scenarios, "change-recreated-subject")
    assert scheduler.weight(once) == 1
    assert scheduler.weight(again) >= 1 + 1 + scheduler.NEW_POD


def test_all_on_a_nodes_network_stays_together_and_files_come_in_parts(scenarios: list[Scenario]) -> None:
    made = lanes(scenarios)
    scopes = {s.id: made._split_scope(f"scenarios/{s.id.split('-')[0]}.yaml::{s.id}[calico]") for s in scenarios}
    on_nodes = {scopes[s.id] for s in scenarios if scheduler.on_node(s.topology)}
    assert len(on_nodes) == 1
    load: Counter[str] = Counter()
    for scenario in scenarios:
        load[scopes[scenario.id]] += scheduler.weight(scenario)
    parts = {scope: total for scope, total in load.items() if ".yaml" in scope}
    assert len(parts) > 6
    assert all(total < scheduler.CHUNK + scheduler.NEW_LABEL for total in parts.values())


def test_what_is_on_another_topology_than_most_stays_together(scenarios: list[Scenario]) -> None:
    made = lanes(scenarios)
    scopes = {s.id: made._split_scope(f"scenarios/{s.id.split('-')[0]}.yaml::{s.id}[calico]") for s in scenarios}
    grid = by_id(scenarios, "change-pod-gains-the-peers-label").topology
    named = by_id(scenarios, "ports-name-ingress").topology
    assert scheduler.shared(scenarios) == repr(grid)
    assert len({scopes[s.id] for s in scenarios if s.topology == named}) == 1
    assert not {scopes[s.id] for s in scenarios if s.topology == named} & {
        scopes[s.id] for s in scenarios if s.topology == grid
    }


def test_what_changes_labels_is_begun_first_by_few(scenarios: list[Scenario]) -> None:
    made = lanes(scenarios)
    scopes = {s.id: made._split_scope(f"scenarios/{s.id.split('-')[0]}.yaml::{s.id}[calico]") for s in scenarios}
    relabelling = [s.id for s in scenarios if scheduler.weight(s) > scheduler.NEW_LABEL]
    assert {"change-pod-gains-the-peers-label", "change-namespace-loses-the-peers-label"} <= set(relabelling)
    assert {scopes[identifier] for identifier in relabelling} == {"calico labels 0", "calico labels 1"}


def test_one_scenario_of_two_cnis_is_in_two_scopes(scenarios: list[Scenario]) -> None:
    made = lanes(scenarios)
    assert (
        len({made._split_scope(f"scenarios/ports.yaml::ports-name-ingress[{cni}]") for cni in ("calico", "cilium")})
        == 2
    )


def test_the_heaviest_scope_is_begun_first(scenarios: list[Scenario]) -> None:
    made = lanes(scenarios)
    for scenario in scenarios:
        nodeid = f"scenarios/{scenario.id.split('-')[0]}.yaml::{scenario.id}[calico]"
        made.workqueue.setdefault(made._split_scope(nodeid), {})[nodeid] = False
    weights = []
    while made.workqueue:
        _, unit = made.workqueue.popitem(last=False)
        weights.append(sum(scheduler.weight(by_id(scenarios, n.partition("::")[2].partition("[")[0])) for n in unit))
    assert weights == sorted(weights, reverse=True)
    assert sum(weights) == sum(map(scheduler.weight, scenarios))
