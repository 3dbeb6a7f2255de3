"""What peers are measured by: one round of every pod to every pod, and one policy case, at several sizes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from statistics import median

from netproof.catalogue.scenarios import Step
from netproof.clusters import recipes
from netproof.clusters.reviews import Reviews
from netproof.drivers import DriverOptions, create
from netproof.model import Intent, Manifest, Matrix, Namespace, Pod, Port, Probe, Topology
from netproof.model.topology import Protocol
from netproof.proving.bench.figures import RoundFigure
from netproof.proving.bench.process import peak_mib
from netproof.run.deployment import Deployment
from netproof.run.place import Place
from netproof.verdicts.decisions import decide_step, expect_measured

PEERS: Sequence[tuple[int, Protocol]] = ((80, "TCP"), (80, "UDP"), (81, "TCP"), (81, "UDP"))
"""The ports of each pod that peers ask for."""
ONE: Sequence[tuple[int, Protocol]] = ((80, "TCP"),)
NAMESPACES = ("x", "y", "z")
ROUNDS = 7


def world(pods: int, listening: Sequence[tuple[int, Protocol]] = PEERS) -> Topology:
    """Pods in three namespaces, alternating between two nodes, as upstream's suite and Cyclonus have nine."""
    ports = tuple(Port(port=port, protocol=protocol) for port, protocol in listening)
    return Topology(
        namespaces=tuple(Namespace(name=f"bench-{name}", labels={"ns": name}) for name in NAMESPACES),
        pods=tuple(
            Pod(
                namespace=f"bench-{NAMESPACES[number % 3]}",
                name=f"pod{number // 3}",
                labels={"pod": str(number // 3)},
                ports=ports,
                node=number % 2,
            )
            for number in range(pods)
        ),
    )


def probes(topology: Topology) -> list[Probe]:
    """Every pod to every pod on every port, itself left out."""
    return [
        Probe(source=source.id, destination=destination.id, port=port.port, protocol=port.protocol)
        for source in topology.pods
        for destination in topology.pods
        if source.id != destination.id
        for port in destination.ports
    ]


DENY: Manifest = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "deny", "namespace": "bench-x"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
}


def figures(
    cnis: Sequence[recipes.CniVersion],
    sizes: Sequence[int],
    listening: Sequence[tuple[int, Protocol]],
    reuse: str,
    artifacts: str,
) -> Iterator[RoundFigure]:
    """Each CNI with each number of pods, on a kept cluster or on one of its own. Raises ClusterError."""
    for one in cnis:
        recipe = recipes.load(one)
        options = DriverOptions(
            run_id=secrets.token_hex(3), reuse_cluster=reuse, artifacts=artifacts, token=secrets.token_hex(8)
        )
        driver = create(recipe, options)
        driver.start(lambda _: None)
        made = Deployment(driver, recipe.settle)
        try:
            for size in sizes:
                yield _figure(one.name, made, world(size, listening))
        finally:
            made.close()
            driver.stop(keep=False)


def _figure(cni: str, made: Deployment, topology: Topology) -> RoundFigure:
    began = time.monotonic()
    made.deploy(topology, lambda _: None)
    deployed = time.monotonic() - began
    place, asked = made.place(topology), probes(topology)
    place.warm(asked)
    connected = _round(place, asked)
    step = Step(
        name="denied",
        policies=(DENY,),
        applied=(DENY,),
        topology=topology,
        intended=Matrix(dict.fromkeys(asked, Intent.CONNECTED)),
    )
    goal = expect_measured(decide_step(step, place.rounds.placement), Reviews(fault="cni"), "bench")
    cases = []
    denied = 0.0
    for _ in range(3):
        began = time.monotonic()
        place.settle(made.change(place, step), asked, goal)
        forth = time.monotonic() - began
        denied = denied or _round(place, asked)
        began = time.monotonic()
        made.restore()
        cases.append(forth + time.monotonic() - began)
    return RoundFigure(
        what=cni,
        pods=len(topology.pods),
        probes=len(asked),
        deploy_s=round(deployed, 2),
        connected_s=round(connected, 3),
        denied_s=round(denied, 3),
        timeout_s=round(place.timeout, 3),
        case_s=round(median(cases), 2),
        memory_mib=peak_mib(),
    )


def _round(place: Place, asked: Sequence[Probe]) -> float:
    took = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        place.rounds.ask(asked, place.timeout)
        took.append(time.monotonic() - began)
    return median(took)
