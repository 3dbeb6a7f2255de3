"""The evaluator at the size of large clusters: the whole matrix of a made-up cluster, in a process of its own.

As a program (`python -m netproof.proving.bench.evaluator PODS POLICIES`) it is that process, and prints its figure as
JSON.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from netproof.errors import NetproofError
from netproof.model import Namespace, Pod, Port, Probe, Specified, Topology
from netproof.model.placement import place_on_paper
from netproof.model.topology import Protocol
from netproof.policy import Evaluator, WholeMatrix, read_policies
from netproof.proving.bench.figures import EvaluatorFigure
from netproof.proving.bench.process import peak_mib, timed

PORTS: tuple[tuple[int, Protocol], ...] = ((8080, "TCP"), (9090, "TCP"), (8443, "TCP"), (5353, "UDP"))
APPS = 10
"""Apps of a namespace. Each app has one policy and its share of the pods."""
TEAMS = 7
CHECKED = 2_000
"""Cells that are compared with the evaluator asked for each of them, once the time is taken."""


def world(pods: int, policies: int) -> Topology:
    """Pods spread evenly over `policies` apps, ten apps a namespace. Every pod has a label of its own, too, as those of
    a StatefulSet have, and one that half of an app's pods share."""
    own = tuple(Port(port=port, protocol=protocol, name=f"p{port}") for port, protocol in PORTS)
    return Topology(
        namespaces=tuple(
            Namespace(name=f"ns{number}", labels={"team": f"team{number % TEAMS}"})
            for number in range(-(-policies // APPS))
        ),
        pods=tuple(
            Pod(
                namespace=f"ns{number % policies // APPS}",
                name=f"app{number % policies}-{number // policies}",
                labels={
                    "app": f"app{number % policies}",
                    "tier": ("web", "back", "data")[number % policies % 3],
                    "track": ("stable", "canary")[number // policies % 2],
                    "pod-index": str(number // policies),
                },
                ports=own,
            )
            for number in range(pods)
        ),
    )


def manifests(policies: int) -> list[dict[str, Any]]:
    """One policy an app: its neighbours of the namespace and a team's web pods come in, its neighbour, DNS and for
    every tenth app addresses outside are reached."""
    return [_policy(number, policies) for number in range(policies)]


def _policy(number: int, policies: int) -> dict[str, Any]:
    namespace, first = number // APPS, number // APPS * APPS
    size = min(APPS, policies - first)
    before, after = (f"app{first + (number + step) % size}" for step in (-1, 1))
    outside = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}], "ports": [{"port": 8443}]}
    lookup = {"to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"tier": "data"}}}]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"app{number}", "namespace": f"ns{namespace}"},
        "spec": {
            "podSelector": {"matchLabels": {"app": f"app{number}"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": [{"podSelector": {"matchLabels": {"app": before}}}], "ports": [{"port": "p8080"}]},
                {
                    "from": [
                        {
                            "namespaceSelector": {"matchLabels": {"team": f"team{number % TEAMS}"}},
                            "podSelector": {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["web"]}]},
                        },
                        {"podSelector": {"matchLabels": {"track": "canary"}}},
                    ],
                    "ports": [{"port": 9090}, {"port": 8443, "endPort": 8500}],
                },
            ],
            "egress": [
                {"to": [{"podSelector": {"matchLabels": {"app": after}}}], "ports": [{"port": 8080}, {"port": 9090}]},
                lookup | {"ports": [{"protocol": "UDP", "port": 5353}]},
                *([outside] if number % 10 == 0 else []),
            ],
        },
    }


def figures(sizes: Sequence[int]) -> Iterator[EvaluatorFigure]:
    """Each number of pods, with a tenth as many policies. Raises NetproofError when the process fails."""
    for pods in sizes:
        done = timed([sys.executable, "-m", "netproof.proving.bench.evaluator", str(pods), str(max(1, pods // 10))])
        if done.code:
            raise NetproofError(f"the evaluator's process failed:\n{done.output}")
        yield EvaluatorFigure.model_validate_json(done.output.splitlines()[-1])


def measured(pods: int, policies: int) -> EvaluatorFigure:
    """From manifests as parsed to the count of every cell. Raises NetproofError where a cell is not what the evaluator
    says when it is asked for that cell alone."""
    topology, objects = world(pods, policies), manifests(policies)
    placement = place_on_paper(topology)
    began = time.monotonic()
    evaluator = Evaluator(read_policies(objects), topology, placement)
    whole = WholeMatrix(evaluator, topology.pods, PORTS)
    counts = whole.counts()
    took = time.monotonic() - began
    memory = peak_mib()
    _check(whole, evaluator, topology)
    return EvaluatorFigure(
        pods=pods,
        policies=policies,
        ports=len(PORTS),
        cells=whole.cells,
        connected=counts[Specified.CONNECTED],
        classes=len(whole.classes),
        seconds=round(took, 2),
        memory_mib=memory,
    )


def _check(whole: WholeMatrix, evaluator: Evaluator, topology: Topology) -> None:
    rng = random.Random(1)
    for _ in range(CHECKED):
        source, destination = rng.choice(topology.pods), rng.choice(topology.pods)
        port, protocol = rng.choice(PORTS)
        asked = Probe(source=source.id, destination=destination.id, port=port, protocol=protocol)
        if whole[asked] is not evaluator.decide(asked).specified:
            raise NetproofError(f"{asked}: the whole matrix has {whole[asked]}, which is wrong")


if __name__ == "__main__":
    print(measured(int(sys.argv[1]), int(sys.argv[2])).model_dump_json())
