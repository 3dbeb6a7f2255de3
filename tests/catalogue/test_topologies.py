"""Named worlds: what a file means, what steps change, and messages with the line and the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest

from netproof.catalogue import topologies
from netproof.errors import InputError
from netproof.model import Port, ServicePort, Topology
from netproof.run.deployment import merge

WORLD = """
namespaces:
  x: {team: one}
  y: {}
pods:
  x/a: {labels: {pod: a, app: web}, node: 1}
  x/b: {labels: {pod: b, app: web}, ports: [9090/TCP web]}
  y/h: {labels: {pod: h}, hostNetwork: true, ports: [18080/TCP]}
ports: [80/TCP http, 80/UDP]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topologies, "topologies_dir", lambda: tmp_path)
    topologies.load_topology.cache_clear()


def world(tmp_path: Path, more: str = "", text: str = WORLD) -> Topology:
    (tmp_path / "mine.yaml").write_text(text + more, encoding="utf-8")
    return topologies.load_topology("mine")


def test_pods_have_the_files_ports_unless_they_have_their_own(tmp_path: Path) -> None:
    a, b, host = world(tmp_path).pods
    assert a.ports == (Port(port=80, name="http"), Port(port=80, protocol="UDP"))
    assert b.ports == (Port(port=9090, name="web"),)
    assert (a.node, b.node, a.host_network, host.host_network) == (1, 0, False, True)
    assert dict(world(tmp_path).namespaces[0].labels) == {"team": "one"}


def test_peers_and_nodes(tmp_path: Path) -> None:
    found = world(tmp_path, "externals: {near: [80/TCP]}\nnodes: 2\n")
    assert [external.id for external in found.externals] == ["external:near"]
    assert [node.id for node in found.nodes] == ["node:0", "node:1"]


def test_one_service_for_each_pod_but_those_on_their_nodes_network(tmp_path: Path) -> None:
    services = world(tmp_path, "services: {ports: [8080→http/TCP plain, 81→80/UDP], nodePort: true}\n").services
    assert [service.id for service in services] == ["svc:x/a", "svc:x/b"]
    assert services[0].ports == (
        ServicePort(port=8080, target="http", name="plain"),
        ServicePort(port=81, target=80, protocol="UDP", name="p81-udp"),
    )
    assert (services[0].node_port, services[0].external_traffic_policy) == (True, "Local")
    assert dict(services[1].selector) == {"pod": "b", "app": "web"}


def test_several_kinds_of_services(tmp_path: Path) -> None:
    found = world(
        tmp_path,
        """
services:
- {pods: x/a, ports: [80/TCP], nodePort: true, externalTrafficPolicy: Cluster}
- {pods: x/*, name: "{pod}-headless", headless: true, ports: [80/TCP]}
- {pods: x/*, name: all, selector: {app: web}, ports: [80/TCP]}
""",
    )
    assert [(s.id, s.headless, s.external_traffic_policy) for s in found.services] == [
        ("svc:x/a", False, "Cluster"),
        ("svc:x/a-headless", True, "Local"),
        ("svc:x/b-headless", True, "Local"),
        ("svc:x/all", False, "Local"),
    ]
    assert [pod.id for pod in found.backends(found.services[-1])] == ["x/a", "x/b"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("services: {ports: [80]}\n", "services"),
        ("services: {ports: [eighty/TCP]}\n", "'eighty/TCP' is no port; write 80/TCP, 80/TCP name or 8080→80/TCP"),
        ("services: {pods: z/*, ports: [80/TCP]}\n", "mine.yaml:10: services: z/* names no pod above"),
        (
            "services: [{ports: [80/TCP]}, {ports: [81/TCP]}]\n",
            "mine.yaml:10: services: two different Services are called svc:x/a",
        ),
        ("node: 2\n", "mine.yaml:10: node: unknown key; did you mean 'nodes'?"),
    ],
)
def test_a_wrong_file_names_its_line(tmp_path: Path, more: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        world(tmp_path, more)
    assert says in str(error.value)


def test_a_pod_of_an_unknown_namespace(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mine.yaml:3: pods.z/a: a pod is namespace/name, of a namespace above"):
        world(tmp_path, text="namespaces: {x: {}}\npods:\n  z/a: {}\n")


def test_an_unknown_topology_names_the_nearest(tmp_path: Path) -> None:
    world(tmp_path)
    with pytest.raises(InputError, match="no topology is called 'mien'; did you mean mine\\? known: mine"):
        topologies.load_topology("mien")


def test_steps_relabel_recreate_and_remove(tmp_path: Path) -> None:
    before = world(tmp_path)
    after = topologies.change_topology(before, label={"x/a": {"pod": "z"}, "y": {"team": "two"}}, recreate=["x/b"])
    assert dict(after.pods[0].labels) == {"pod": "z"}
    assert dict(after.namespaces[1].labels) == {"team": "two"}
    assert [pod.incarnation for pod in after.pods] == [0, 1, 0]
    assert [pod.id for pod in topologies.change_topology(before, remove=["x/a"]).pods] == ["x/b", "y/h"]


def test_a_removed_pod_comes_back_as_a_new_one(tmp_path: Path) -> None:
    before = world(tmp_path)
    without = topologies.change_topology(before, remove=["x/a"])
    after = topologies.change_topology(without, create=[before.pods[0]], label={"x/a": {"pod": "z"}})
    assert [(pod.id, dict(pod.labels)["pod"]) for pod in after.pods] == [("x/b", "b"), ("y/h", "h"), ("x/a", "z")]


def test_what_is_there_or_nowhere_cannot_be_created(tmp_path: Path) -> None:
    before = world(tmp_path)
    with pytest.raises(ValueError, match="x/a cannot be created: it is there; an earlier step must remove it"):
        topologies.change_topology(before, create=[before.pods[0]])
    with pytest.raises(ValueError, match="x/c cannot be created: this scenario's topology does not have it"):
        topologies.change_topology(before, create=["x/c"])


@pytest.mark.parametrize("change", [{"label": {"x/aa": {}}}, {"recreate": ["x/aa"]}, {"remove": ["x/aa"]}])
def test_a_step_that_changes_nobody_names_the_nearest(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="there is no x/aa; did you mean x/a\\?"):
        topologies.change_topology(world(tmp_path), **change)  # type: ignore[arg-type]


def test_all_worlds_of_the_catalogue_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are deployed at once; two that give one name two meanings would be deployed in turns."""
    monkeypatch.undo()
    topologies.load_topology.cache_clear()
    together: Topology | None = Topology()
    for file in sorted(topologies.topologies_dir().glob("*.yaml")):
        assert together is not None
        together = merge(together, topologies.load_topology(file.stem))
    assert together is not None
