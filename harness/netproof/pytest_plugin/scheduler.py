"""How xdist's workers share a run. What most scenarios need every worker has, and parts of files go to whichever is
free. All on another topology goes to one worker, so that its pods run once: with each worker's own, two nodes would run
twice as many. All that needs a node's own ports goes to one, since those pods cannot run there twice. One CNI is
measured after the other."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from netproof.catalogue.scenarios import Scenario
from netproof.clusters import recipes
from netproof.clusters.recipes import CniVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """How the workers of a run share what a driver makes. `workers`: how many there are where the user does not say;
    most of a scenario is waiting for silence and for the matrix to hold, and each worker's pods cost next to nothing in
    network namespaces. `own_nodes`: whether each has nodes of its own, so that a port of a node is free for each."""

    workers: int
    own_nodes: bool = False


SHARING = {"reference": Sharing(workers=6, own_nodes=True), "kind": Sharing(workers=5)}
"""By driver."""


def sharing(cni: CniVersion) -> Sharing:
    return SHARING[recipes.load(cni).driver]


MANY = 60
"""Scenarios from which on several workers pay: each has pods of its own."""

CHUNK = 12
"""How much of a file goes to one worker at once, by weight: less would ask for more baselines, more would leave workers
without work at the end."""

NEW_POD = 3
"""The weight of new pods beside that of a step, which is 1."""

NEW_LABEL = 10
"""The weight of other labels: a CNI may take half a minute to know them."""

PATIENT = 2
"""How many workers have what changes labels: it waits while the others use the processor."""

Files = Mapping[Path, Sequence[Scenario]]
"""The scenarios of a run by the file that holds them."""


def needs_node_ports(scenario: Scenario) -> bool:
    """Whether it has pods on a node's own network, at any step."""
    topologies = (scenario.topology, *(step.topology for step in scenario.steps))
    return any(pod.host_network for topology in topologies for pod in topology.pods)


def weight(scenario: Scenario) -> int:
    """How long a scenario takes against others: each step is held for a while, and new pods have to start."""
    before, total = scenario.topology, 0
    for step in scenario.steps:
        there = {(pod.id, pod.incarnation) for pod in before.pods}
        total += 1 + NEW_POD * any((pod.id, pod.incarnation) not in there for pod in step.topology.pods)
        total += NEW_LABEL * any(before.labels(p.id) not in (None, step.topology.labels(p.id)) for p in before.pods)
        before = step.topology
    return total


def shared_topology(files: Files, sharing: Sharing) -> str:
    """The topology (its repr) that most scenarios need and that every worker can have; '' when there is none."""
    scenarios = (scenario for found in files.values() for scenario in found)
    found = Counter(repr(s.topology) for s in scenarios if sharing.own_nodes or not needs_node_ports(s))
    return found.most_common(1)[0][0] if found else ""


def count_workers(files: Files, sharing: Sharing) -> int:
    """How many workers a run on one CNI uses: no more than it has parts, nor than are busy beside its largest part."""
    scopes = Scopes(files, sharing)
    load: Counter[str] = Counter()
    for path, scenarios in files.items():
        for scenario in scenarios:
            load[scopes.place(str(path), scenario.id)] += scopes.weights[scenario.id]
    return min(sharing.workers, ceil(load.total() / max(load.values()))) if load else 1


class Scopes:
    """What stays together on one worker, of one CNI's scenarios. Each is placed once, in the order of the run."""

    def __init__(self, files: Files, sharing: Sharing) -> None:
        scenarios = [scenario for found in files.values() for scenario in found]
        most = shared_topology(files, sharing)
        bound = {s.id for s in scenarios if needs_node_ports(s) and not sharing.own_nodes}
        topologies = {s.id: repr(s.topology) for s in scenarios if s.id not in bound}
        others = list(dict.fromkeys(topologies.values()))
        self._whole = {i: f"topology {others.index(t)}" for i, t in topologies.items() if t != most}
        self._whole |= dict.fromkeys(bound, "nodes")
        self._generated = frozenset(s.id for s in scenarios if s.draft)
        self.weights = {s.id: weight(s) for s in scenarios}
        self._filled: Counter[str] = Counter()
        self._patient = 0

    def place(self, path: str, scenario: str) -> str:
        """The scope of a scenario that stands in the file at `path`."""
        if scenario in self._whole:
            return self._whole[scenario]
        if scenario in self._generated:
            return f"{path}::{scenario}"
        heavy = self.weights[scenario]
        if heavy > NEW_LABEL:
            self._patient += 1
            return f"labels {self._patient % PATIENT}"
        part = self._filled[path] // CHUNK
        self._filled[path] += heavy
        return f"{path} {part}"


class Lanes(LoadScopeScheduling):  # type: ignore[misc]
    """xdist's scheduler by scope, where a scope is a part of a file on one CNI, or all that one worker has to have
    alone. What takes longest is begun first. All of one CNI goes out before any of the next.

    A worker runs a test once it knows which comes after it, so the last of one CNI needs the first of the next, and
    that one waits in its worker until its cluster is there. `advance` makes the cluster of a CNI, once all of the one
    before it is measured. `abandon` is called when the run ends before that, so that no worker waits any longer.
    """

    def __init__(
        self,
        config: Any,
        log: Any,
        files: Files,
        cnis: Mapping[str, Sharing],
        *,
        advance: Callable[[str], None],
        abandon: Callable[[], None],
    ) -> None:
        super().__init__(config, log)
        self._of = {cni: Scopes(files, sharing) for cni, sharing in cnis.items()}
        self._turns = list(cnis)
        self._ranks = {cni: rank for rank, cni in enumerate(cnis)}
        self._advance, self._abandon = advance, abandon
        self._scopes: dict[str, str] = {}
        self._cni: dict[str, str] = {}
        """Scope -> its CNI, where it has one."""
        self._open: dict[str, set[str]] = {cni: set() for cni in cnis}
        """What of each CNI is not measured yet."""
        self.workqueue = _InTurn(self._rank)

    @property
    def tests_finished(self) -> bool:
        """xdist asks after each event, and so this is where a CNI's turn ends."""
        if self.collection:
            self._end_turn()
        return bool(super().tests_finished)

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        nodeid = self.registered_collections[node][item_index]
        for unmeasured in self._open.values():
            unmeasured.discard(nodeid)
        super().mark_test_complete(node, item_index, duration)

    def remove_node(self, node: Any) -> str | None:
        if node in self.assigned_work:
            # What is measured is not for others to do again.
            self.assigned_work[node] = {s: unit for s, unit in self.assigned_work[node].items() if _is_pending(unit)}
        crashed: str | None = super().remove_node(node)
        return crashed

    def _reschedule(self, node: Any) -> None:
        """A worker that has something of the next CNI gets nothing of this one: it would wait for itself. One that has
        a single test does not begin it, and a replacement for a crashed worker is asked only once."""
        if self.workqueue and self._last_rank(node) > self._rank(self.workqueue.first()):
            return
        super()._reschedule(node)
        if self._pending_of(self.assigned_work[node]) == 1 and not node.shutting_down:
            self._reschedule(node)

    def _end_turn(self) -> None:
        while len(self._turns) > 1 and not self._open[self._turns[0]]:
            del self._turns[0]
            if self._open[self._turns[0]]:
                self._advance(self._turns[0])
                for node in self.nodes:
                    self._reschedule(node)
        if len(self._turns) > 1 and self._is_over():
            del self._turns[1:]
            self._abandon()

    def _is_over(self) -> bool:
        """Whether xdist ends the run, and no worker is left that measures on the CNI whose turn it is."""
        rank = self._ranks[self._turns[0]]
        # xdist keeps those that stopped by themselves; one that crashed is replaced.
        stopped = [node for node in self.nodes if hasattr(node, "workeroutput")]
        running = [node for node in self.nodes if node not in stopped]
        if any(self._rank(scope) == rank for node in running for scope in self._pending(node)):
            return False
        return bool(stopped) or (bool(running) and all(node.shutting_down for node in running))

    def _pending(self, node: Any) -> Iterable[str]:
        return (scope for scope, unit in self.assigned_work[node].items() if _is_pending(unit))

    def _last_rank(self, node: Any) -> int:
        return max(map(self._rank, self._pending(node)), default=-1)

    def _rank(self, scope: str) -> int:
        """Tests that are not ours come first, then the CNIs in their order."""
        return self._ranks.get(self._cni.get(scope, ""), -1)

    def _split_scope(self, nodeid: str) -> str:
        if nodeid not in self._scopes:
            self._scopes[nodeid] = self._place(nodeid)
        return self._scopes[nodeid]

    def _place(self, nodeid: str) -> str:
        path, _, name = nodeid.partition("::")
        scenario, _, rest = name.partition("[")
        cni = rest.removesuffix("]")
        scopes = self._of.get(cni)
        if scopes is not None and scenario in scopes.weights:
            scope, heavy = f"{cni} {scopes.place(path, scenario)}", scopes.weights[scenario]
        elif found := [one for one in self._of if f"-{one}-" in f"-{cni}-"]:
            # A test with the fixture, and perhaps other parameters; all of its file share what they deploy.
            cni = max(found, key=len)
            scope, heavy = f"{cni} {path}", 1
        else:
            self.workqueue.weights[nodeid] += 1
            return nodeid
        self._cni[scope] = cni
        self._open[cni].add(nodeid)
        self.workqueue.weights[scope] += heavy
        return scope


class _InTurn(OrderedDict[str, Any]):
    """A queue that gives the scope of the lowest rank first, and among those the heaviest."""

    def __init__(self, rank: Callable[[str], int]) -> None:
        super().__init__()
        self.weights: Counter[str] = Counter()
        self._rank = rank

    def first(self) -> str:
        return min(self, key=lambda scope: (self._rank(scope), -self.weights[scope]))

    def popitem(self, last: bool = True) -> tuple[str, Any]:
        scope = self.first()
        return scope, self.pop(scope)


def _is_pending(unit: Mapping[str, bool]) -> bool:
    return not all(unit.values())
