"""How scenarios are shared out among workers: on paper, with workers that take as long as a scenario weighs."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from netproof.catalogue.scenarios import Scenario
from netproof.catalogue.selection import select_scenarios
from netproof.manifests.data_dirs import data_dir
from netproof.pytest_plugin import scheduler

CLUSTER, NAMESPACES = scheduler.SHARING["kind"], scheduler.SHARING["reference"]
FOLDERS = sorted({path.parent.name for path in select_scenarios("all")})


@pytest.fixture(scope="module")
def files() -> scheduler.Files:
    return select_scenarios("change,hosts,peers,ports,time")


def flat(files: scheduler.Files) -> list[Scenario]:
    return [scenario for found in files.values() for scenario in found]


def nodeid(path: Path, scenario: Scenario, cni: str) -> str:
    return f"{path.relative_to(data_dir('scenarios').parent)}::{scenario.id}[{cni}]"


def nodeids(files: scheduler.Files, *cnis: str) -> dict[str, Scenario]:
    return {nodeid(path, s, cni): s for cni in cnis for path, found in files.items() for s in found}


def lanes(files: scheduler.Files, *cnis: str, workers: int = 3, **rest: Any) -> scheduler.Lanes:
    config = SimpleNamespace(getvalue=lambda name: ["popen"] * workers, option=SimpleNamespace(loadscopereorder=True))
    asked = {"advance": lambda cni: None, "abandon": lambda: None} | rest
    return scheduler.Lanes(config, None, files, dict.fromkeys(cnis or ["calico"], CLUSTER), **asked)


def scopes_of(files: scheduler.Files, sharing: scheduler.Sharing = CLUSTER) -> dict[str, str]:
    made = scheduler.Scopes(files, sharing)
    return {s.id: made.place(str(path), s.id) for path, found in files.items() for s in found}


def by_id(files: scheduler.Files, identifier: str) -> Scenario:
    return next(scenario for scenario in flat(files) if scenario.id == identifier)


@dataclass(eq=False)
class Node:
    """xdist's side of one worker: it runs an item once it knows which comes after it, or that none does."""

    name: str
    items: Sequence[str]
    queue: deque[str | None] = field(default_factory=deque)
    shutting_down: bool = False

    @property
    def gateway(self) -> Any:
        return SimpleNamespace(id=self.name)

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        self.queue.extend(self.items[index] for index in indices)

    def shutdown(self) -> None:
        if not self.shutting_down:
            self.queue.append(None)
        self.shutting_down = True

    def begin(self) -> str | None:
        """The item that it runs now, if any."""
        return self.queue.popleft() if len(self.queue) > 1 else None


@dataclass
class Run:
    """A run on paper: who measured what, in which order, and how long it took."""

    ran: dict[str, list[str]]
    order: list[str]
    took: float


def run(
    made: scheduler.Lanes,
    items: dict[str, Scenario],
    workers: int,
    *,
    may_begin: Callable[[str], bool] = lambda item: True,
    crash: str = "",
) -> Run:
    """Let workers do what the scheduler says. The worker that begins `crash` dies with it, once, and is replaced."""
    names = list(items)
    nodes = [Node(f"gw{index}", names) for index in range(workers)]
    for node in nodes:
        made.add_node(node)
        made.add_node_collection(node, names)
    made.schedule()
    ran: dict[str, list[str]] = defaultdict(list)
    busy: list[tuple[float, int, Node, str]] = []
    waiting: dict[Node, str] = {}
    order: list[str] = []
    clock = 0.0

    def begin() -> None:
        for node in nodes:
            if node not in waiting and all(node is not one for _, _, one, _ in busy) and (item := node.begin()):
                waiting[node] = item
        for node, item in list(waiting.items()):
            if may_begin(item):
                del waiting[node]
                heappush(busy, (clock + scheduler.weight(items[item]), len(order) + len(busy), node, item))

    begin()
    while busy:
        clock, _, node, item = heappop(busy)
        if item == crash:
            crash = ""
            nodes.remove(node)
            made.remove_node(node)
            nodes.append(Node("clone", names))
            made.add_node(nodes[-1])
            made.add_node_collection(nodes[-1], names)
            made.schedule()
        else:
            ran[node.name].append(item)
            order.append(item)
            made.mark_test_complete(node, names.index(item))
        if made.tests_finished:
            for one in made.nodes:
                one.shutdown()
        begin()
    assert not waiting
    return Run(ran, order, clock)


def test_new_pods_and_steps_make_a_scenario_heavy(files: scheduler.Files) -> None:
    once = by_id(files, "ports-name-ingress")
    again = by_id(files, "change-recreated-subject")
    assert scheduler.weight(once) == 1
    assert scheduler.weight(again) >= 1 + 1 + scheduler.NEW_POD


def test_all_on_a_nodes_network_stays_together_and_files_come_in_parts(files: scheduler.Files) -> None:
    scopes = scopes_of(files)
    on_nodes = {scopes[s.id] for s in flat(files) if scheduler.needs_node_ports(s)}
    assert len(on_nodes) == 1
    load: Counter[str] = Counter()
    for scenario in flat(files):
        load[scopes[scenario.id]] += scheduler.weight(scenario)
    parts = {scope: total for scope, total in load.items() if ".yaml" in scope}
    assert len(parts) > 6
    assert all(total < scheduler.CHUNK + scheduler.NEW_LABEL for total in parts.values())


@pytest.mark.parametrize("name", [*FOLDERS, "all"])
def test_no_two_workers_of_a_cluster_have_pods_with_ports_of_a_node(name: str) -> None:
    """Their pods come with the topology that every worker has, or with a scenario."""
    files = select_scenarios(name)
    workers = scheduler.count_workers(files, CLUSTER)
    common = scheduler.shared_topology(files, CLUSTER)
    assert not any(repr(s.topology) == common and scheduler.needs_node_ports(s) for s in flat(files))
    items = nodeids(files, "calico")
    done = run(lanes(files, workers=workers), items, workers)
    assert sorted(done.order) == sorted(items)
    on_nodes = [
        worker for worker, ran in done.ran.items() if any(scheduler.needs_node_ports(items[item]) for item in ran)
    ]
    assert len(on_nodes) <= 1
    assert len(done.ran) == workers, "no worker is started for nothing"


@pytest.mark.parametrize("name", [*FOLDERS, "all"])
def test_more_workers_than_are_chosen_would_gain_little(name: str) -> None:
    files = select_scenarios(name)
    workers = scheduler.count_workers(files, CLUSTER)
    items = nodeids(files, "calico")
    chosen, more = (run(lanes(files, workers=n), items, n).took for n in (workers, CLUSTER.workers))
    assert chosen <= more * 1.25 + scheduler.CHUNK


def test_where_each_worker_has_nodes_of_its_own_all_share_what_has_ports_of_a_node() -> None:
    files = select_scenarios("stageset")
    assert scheduler.count_workers(files, CLUSTER) == 1
    assert scheduler.count_workers(files, NAMESPACES) == NAMESPACES.workers
    assert scheduler.shared_topology(files, CLUSTER) == ""
    assert "kube-apiserver" in scheduler.shared_topology(files, NAMESPACES)


def test_what_is_on_another_topology_than_most_stays_together(files: scheduler.Files) -> None:
    scopes = scopes_of(files)
    grid = by_id(files, "change-pod-gains-the-peers-label").topology
    named = by_id(files, "ports-name-ingress").topology
    assert scheduler.shared_topology(files, CLUSTER) == repr(grid)
    assert len({scopes[s.id] for s in flat(files) if s.topology == named}) == 1
    assert not {scopes[s.id] for s in flat(files) if s.topology == named} & {
        scopes[s.id] for s in flat(files) if s.topology == grid
    }


def test_what_changes_labels_is_begun_first_by_few(files: scheduler.Files) -> None:
    scopes = scopes_of(files)
    relabelling = [s.id for s in flat(files) if scheduler.weight(s) > scheduler.NEW_LABEL]
    assert {"change-pod-gains-the-peers-label", "change-namespace-loses-the-peers-label"} <= set(relabelling)
    assert {scopes[identifier] for identifier in relabelling} == {"labels 0", "labels 1"}


def test_the_heaviest_scope_is_begun_first(files: scheduler.Files) -> None:
    made = lanes(files)
    for item in nodeids(files, "calico"):
        made.workqueue.setdefault(made._split_scope(item), {})[item] = False
    weights = []
    while made.workqueue:
        _, unit = made.workqueue.popitem(last=False)
        weights.append(sum(scheduler.weight(by_id(files, n.partition("::")[2].partition("[")[0])) for n in unit))
    assert weights == sorted(weights, reverse=True)
    assert sum(weights) == sum(map(scheduler.weight, flat(files)))


class Clusters:
    """What the controller makes, one after the other."""

    def __init__(self, first: str) -> None:
        self.up, self.made, self.abandoned = first, [first], False

    def advance(self, cni: str) -> None:
        self.made.append(cni)
        self.up = cni

    def abandon(self) -> None:
        self.abandoned = True

    def has(self, item: str) -> bool:
        return item.endswith(f"[{self.up}]")


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("crash", ["", "peers", "last"])
def test_one_cni_is_measured_after_the_other(files: scheduler.Files, workers: int, crash: str) -> None:
    """`has` stands for a worker that waits for its cluster: what is begun of another CNI would end the test here."""
    clusters = Clusters("calico")
    items = nodeids(files, "calico", "cilium", "none")
    made = lanes(
        files,
        *("calico", "cilium", "none"),
        workers=workers,
        advance=clusters.advance,
        abandon=clusters.abandon,
    )
    plain = run(lanes(files, "calico", workers=workers), nodeids(files, "calico"), workers).order
    dies = {"": "", "peers": next(i for i in items if "/peers/" in i), "last": plain[-1]}[crash]
    done = run(made, items, workers, may_begin=clusters.has, crash=dies)
    assert sorted(done.order) == sorted(items)
    assert [item.rpartition("[")[2] for item in done.order] == sorted(item.rpartition("[")[2] for item in done.order)
    assert clusters.made == ["calico", "cilium", "none"]
    assert not clusters.abandoned


def test_a_cni_of_which_nothing_is_selected_gets_no_cluster(files: scheduler.Files) -> None:
    clusters = Clusters("calico")
    made = lanes(files, "calico", "cilium", "none", advance=clusters.advance)
    run(made, nodeids(files, "calico", "none"), 3, may_begin=clusters.has)
    assert clusters.made == ["calico", "none"]


def test_a_run_that_ends_early_leaves_no_worker_waiting_for_the_next_cni(files: scheduler.Files) -> None:
    """As xdist does with -x: whoever stopped stays in its list, the others are told to end."""
    clusters = Clusters("calico")
    items = list(nodeids(files, "calico", "cilium"))[-80:]
    made = lanes(files, "calico", "cilium", workers=2, advance=clusters.advance, abandon=clusters.abandon)
    nodes = [Node(f"gw{index}", items) for index in range(2)]
    made._open = {"calico": {items[0]}, "cilium": set()}
    made.collection = items
    for node in nodes:
        made.add_node(node)
    scope = made._split_scope(items[0])
    made.assigned_work[nodes[0]] = {scope: {items[0]: False}}
    assert not made._is_over()
    nodes[0].workeroutput = {}  # type: ignore[attr-defined]
    assert made._is_over()
    del nodes[0].workeroutput  # type: ignore[attr-defined]
    made.assigned_work[nodes[0]] = {}
    assert not made._is_over(), "a crashed worker's replacement may be on its way"
    for node in nodes:
        node.shutdown()
    assert made._is_over()
    assert made.tests_finished in (True, False)
    assert clusters.abandoned
