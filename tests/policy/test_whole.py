"""The whole matrix, held in factors, against the evaluator asked cell by cell: on random policies of random worlds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netproof.errors import InputError
from netproof.model import Namespace, Pod, Port, Probe, Specified, Topology
from netproof.model.placement import place_on_paper
from netproof.model.topology import Protocol
from netproof.policy import Evaluator, WholeMatrix, read_policies
from netproof.policy.whole import transpose

from .example import PLACEMENT, TOPOLOGY
from .test_naive import NAMESPACES, SPECS

PORTS: tuple[tuple[int, Protocol], ...] = ((8080, "TCP"), (8081, "TCP"), (9090, "TCP"), (5353, "UDP"))
APPS = st.sampled_from(["ui", "api", "db", "worker", "agent"])
HAS = st.sampled_from(
    [(), (Port(port=8080, name="http"),), (Port(port=8081, name="http"), Port(port=9090, name="metrics"))]
)
BLOCK = {"ipBlock": {"cidr": "10.244.1.0/30"}}


def objects(specs: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": f"p{place}", "namespace": namespace},
            "spec": spec,
        }
        for place, (namespace, spec) in enumerate(specs)
    ]


def same(evaluator: Evaluator, topology: Topology) -> None:
    whole = WholeMatrix(evaluator, topology.pods, PORTS)
    found: Counter[Specified] = Counter()
    for source in topology.pods:
        for destination in topology.pods:
            for port, protocol in PORTS:
                asked = Probe(source=source.id, destination=destination.id, port=port, protocol=protocol)
                decision = evaluator.decide(asked)
                assert whole[asked] is decision.specified, f"{asked}: {decision.because}"
                found[decision.specified] += source.id != destination.id
    assert +whole.counts() == +found
    assert found.total() == whole.cells


@st.composite
def worlds(draw: st.DrawFn) -> Topology:
    """Pods of which many are alike, some on their node's own network, in the two namespaces of the example."""
    drawn = draw(st.lists(st.tuples(st.sampled_from(sorted(NAMESPACES)), APPS, HAS, st.integers(0, 9)), max_size=9))
    return Topology(
        namespaces=tuple(Namespace(name=name, labels=labels) for name, labels in NAMESPACES.items()),
        pods=tuple(
            Pod(
                namespace=namespace,
                name=f"pod{number}",
                labels={"app": app, "tier": "web" if dice % 2 else "back"},
                ports=ports,
                node=dice % 2,
                host_network=dice == 9,
            )
            for number, (namespace, app, ports, dice) in enumerate(drawn)
        ),
        nodes=TOPOLOGY.nodes,
    )


POLICIES = st.lists(st.tuples(st.sampled_from(sorted(NAMESPACES)), SPECS), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(POLICIES, worlds())
def test_same_as_cell_by_cell(specs: list[tuple[str, dict[str, Any]]], topology: Topology) -> None:
    same(Evaluator(read_policies(objects(specs)), topology, place_on_paper(topology)), topology)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(POLICIES)
def test_same_in_the_example(specs: list[tuple[str, dict[str, Any]]]) -> None:
    same(Evaluator(read_policies(objects(specs)), TOPOLOGY, PLACEMENT), TOPOLOGY)


RIVALS = [
    {
        "apiVersion": "policy.networking.k8s.io/v1alpha2",
        "kind": "ClusterNetworkPolicy",
        "metadata": {"name": f"{action.lower()}-{app}"},
        "spec": {
            "tier": "Admin",
            "priority": 5,
            "subject": {"namespaces": {}},
            "ingress": [{"action": action, "from": [{"pods": {"podSelector": {"matchLabels": {"app": app}}, **rest}}]}],
        },
    }
    for action, app, rest in (("Deny", "ui", {"namespaceSelector": {}}), ("Accept", "ui", {"namespaceSelector": {}}))
]


def test_what_is_left_open_is_left_open() -> None:
    pods = tuple(pod for pod in TOPOLOGY.pods if not pod.host_network)
    world = replace(TOPOLOGY, pods=pods)
    evaluator = Evaluator(read_policies(RIVALS), world, PLACEMENT)
    same(evaluator, world)
    assert WholeMatrix(evaluator, pods, PORTS).counts()[Specified.UNSPECIFIED] > 0


def test_pods_with_equal_labels_are_one_class_unless_a_block_tells_them_apart() -> None:
    pods = tuple(Pod(namespace="shop", name=f"pod{n}", labels={"app": "ui", "pod": str(n)}) for n in range(8))
    world = Topology(namespaces=(Namespace(name="shop"),), pods=pods)
    plain = {"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "ui"}}}]}]}
    for spec, classes in ((plain, 1), ({"podSelector": {}, "ingress": [{"from": [BLOCK]}]}, 2)):
        evaluator = Evaluator(read_policies(objects([("shop", spec)])), world, place_on_paper(world))
        assert len(WholeMatrix(evaluator, pods, PORTS).classes) == classes
        same(evaluator, world)


def test_what_the_matrix_has_not_is_refused() -> None:
    whole = WholeMatrix(Evaluator((), TOPOLOGY, PLACEMENT), TOPOLOGY.pods, PORTS)
    for wrong in (
        Probe(source="shop/ui", destination="shop/api", port=1),
        Probe(source="shop/ui", destination="external:client", port=8080),
        Probe(source="shop/ui", destination="svc:shop/api", port=8080, via="service"),
    ):
        with pytest.raises(InputError, match="not in this matrix"):
            whole[wrong]


def test_rows_and_columns_are_exchanged() -> None:
    assert transpose([0b001, 0b101, 0b110]) == [0b011, 0b100, 0b110]
    assert transpose([]) == []
