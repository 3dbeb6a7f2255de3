"""How xdist's workers share a run. Files of scenarios go to whichever worker is free; all that needs a node's own ports
goes to one, since pods on a node's network cannot run there twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from harness.model import Topology
from harness.scenarios import Scenario

WORKERS = 3
"""How many share a run that does not say: most of a scenario is waiting for silence and for the matrix to hold."""

MANY = 60
"""Scenarios from which on that pays: each worker has pods of its own."""


def on_node(topology: Topology) -> bool:
    """Whether it has pods on a node's own network."""
    return any(pod.host_network for pod in topology.pods)


class Lanes(LoadScopeScheduling):  # type: ignore[misc]
    """xdist's scheduler by scope, where a scope is a file on one CNI, or all that has pods on a node's network."""

    def __init__(self, config: Any, log: Any, scenarios: Iterable[Scenario]) -> None:
        super().__init__(config, log)
        scenarios = list(scenarios)
        self._alone: Mapping[str, bool] = {scenario.id: on_node(scenario.topology) for scenario in scenarios}
        self._generated = frozenset(scenario.id for scenario in scenarios if scenario.draft)

    def _split_scope(self, nodeid: str) -> str:
        path, _, name = nodeid.partition("::")
        scenario, bracket, cni = name.partition("[")
        if not bracket or scenario not in self._alone or scenario in self._generated:
            return nodeid
        return f"{cni} {'nodes' if self._alone[scenario] else path}"
