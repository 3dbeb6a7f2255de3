"""How xdist's workers share a run. What most scenarios need every worker has, and parts of files go to whichever is
free. All on another topology goes to one worker, so that its pods run once: with each worker's own, two nodes would run
twice as many. All that needs a node's own ports goes to one, since those pods cannot run there twice."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from netproof.catalogue.scenarios import Scenario
from netproof.model import Topology

WORKERS = {"reference": 6, "kind": 5}
"""How many share a run that does not say, by driver: most of a scenario is waiting for silence and for the matrix to
hold, and each has pods of its own, which cost next to nothing in network namespaces."""

MANY = 60
"""Scenarios from which on that pays: each worker has pods of its own."""


def on_node(topology: Topology) -> bool:
    """Whether it has pods on a node's own network."""
    return any(pod.host_network for pod in topology.pods)


CHUNK = 12
"""How much of a file goes to one worker at once, by weight: less would ask for more baselines, more would leave workers
without work at the end."""

NEW_POD = 3
"""The weight of new pods beside that of a step, which is 1."""

NEW_LABEL = 10
"""The weight of other labels: a CNI may take half a minute to know them."""

PATIENT = 2
"""How many workers have what changes labels: it waits while the others use the processor."""


def weight(scenario: Scenario) -> int:
    """How long a scenario takes against others: each step is held for a while, and new pods have to start."""
    before, total = scenario.topology, 0
    for step in scenario.steps:
        there = {(pod.id, pod.incarnation) for pod in before.pods}
        total += 1 + NEW_POD * any((pod.id, pod.incarnation) not in there for pod in step.topology.pods)
        total += NEW_LABEL * any(before.labels(p.id) not in (None, step.topology.labels(p.id)) for p in before.pods)
        before = step.topology
    return total


def shared(scenarios: Iterable[Scenario]) -> str:
    """The topology (its repr) that most scenarios need; '' when there are none."""
    found = Counter(repr(scenario.topology) for scenario in scenarios)
    return found.most_common(1)[0][0] if found else ""


class Lanes(LoadScopeScheduling):  # type: ignore[misc]
    """xdist's scheduler by scope, where a scope is a part of a file on one CNI, or all that one worker has to have
    alone. What takes longest is begun first."""

    def __init__(self, config: Any, log: Any, scenarios: Iterable[Scenario]) -> None:
        super().__init__(config, log)
        scenarios = list(scenarios)
        most = shared(scenarios)
        others = list(dict.fromkeys(repr(s.topology) for s in scenarios if not on_node(s.topology)))
        self._whole: Mapping[str, str] = {
            s.id: "nodes" if on_node(s.topology) else f"topology {others.index(repr(s.topology))}"
            for s in scenarios
            if repr(s.topology) != most
        }
        self._ids = frozenset(scenario.id for scenario in scenarios)
        self._patient = 0
        self._generated = frozenset(scenario.id for scenario in scenarios if scenario.draft)
        self._weights = {scenario.id: weight(scenario) for scenario in scenarios}
        self._filled: Counter[str] = Counter()
        self._scopes: dict[str, str] = {}
        self.workqueue = _Heaviest()

    def _split_scope(self, nodeid: str) -> str:
        if nodeid not in self._scopes:
            self._scopes[nodeid], heavy = self._scope(nodeid)
            self.workqueue.weights[self._scopes[nodeid]] += heavy
        return self._scopes[nodeid]

    def _scope(self, nodeid: str) -> tuple[str, int]:
        path, _, name = nodeid.partition("::")
        scenario, bracket, cni = name.partition("[")
        if not bracket or scenario not in self._ids or scenario in self._generated:
            return nodeid, 1
        heavy, cni = self._weights[scenario], cni.rstrip("]")
        if scenario in self._whole:
            return f"{cni} {self._whole[scenario]}", heavy
        if heavy > NEW_LABEL:
            self._patient += 1
            return f"{cni} labels {self._patient % PATIENT}", heavy
        part = self._filled[cni + path] // CHUNK
        self._filled[cni + path] += heavy
        return f"{cni} {path} {part}", heavy


class _Heaviest(OrderedDict[str, Any]):
    """A queue that gives the heaviest scope first."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: Counter[str] = Counter()

    def popitem(self, last: bool = True) -> tuple[str, Any]:
        scope = max(self, key=self.weights.__getitem__)
        return scope, self.pop(scope)
