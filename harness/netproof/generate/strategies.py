"""Strategies for whole scenarios: a world, policies of a dialect, and changes; and the scenarios of a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import hypothesis
from hypothesis import strategies as st

from netproof.generate import calico, cilium, clusternetworkpolicy, kubernetes
from netproof.generate.request import Features
from netproof.generate.vocabulary import Vocabulary, load_vocabulary
from netproof.generate.weights import Chooser
from netproof.model.manifest import name_object

T = TypeVar("T")
Draft = dict[str, Any]
"""A scenario as its file has it, without its id, claim and tables: `topology` and `steps`."""
Writer = Callable[[Chooser, Vocabulary, str, Features], dict[str, Any]]

WRITERS: dict[str, Writer] = {
    "kubernetes": kubernetes.policy,
    "cilium": cilium.policy,
    "calico": calico.policy,
    "clusternetworkpolicy": clusternetworkpolicy.policy,
}
WORLDS = {"kubernetes": ((60, "grid"), (20, "teams"), (20, "ports"))}
"""Dialect -> the worlds that its policies are for, by weight; the grid alone for the others."""
APART = 1_000_003
"""So far apart are the seeds from which two seeds of the user's draw: more than there are numbers."""


@st.composite
def drafts(draw: Callable[[st.SearchStrategy[int]], Any], dialect: str, without: Features) -> Draft:
    """One scenario of policies that the API server takes."""
    chooser = Chooser(draw)
    world = load_vocabulary(chooser.pick(*WORLDS.get(dialect, ((1, "grid"),))))
    write = WRITERS[dialect]
    policies = []
    for place in range(chooser.pick((30, 1), (36, 2), (22, 3), (12, 4))):
        own = write if place == 0 or chooser.chance(65) else kubernetes.policy
        policies.append(own(chooser, world, f"p{place + 1}", without))
    steps = [{"name": "applied", "apply": policies}]
    changes = 0 if "steps" in without else chooser.pick((72, 0), (20, 1), (8, 2))
    in_force = list(policies)
    steps += [
        {"name": f"change-{number + 1}", **_change(chooser, world, in_force, write, without)}
        for number in range(changes)
    ]
    return {"topology": world.name, "steps": steps}


def _change(
    chooser: Chooser, world: Vocabulary, in_force: list[dict[str, Any]], write: Writer, without: Features
) -> dict[str, Any]:
    """A policy replaced or deleted, or labels that change; `in_force` follows."""
    what = chooser.pick((30, "replace"), (22 if len(in_force) > 1 else 0, "delete"), (28, "pod"), (20, "namespace"))
    if what == "pod":
        labels = {key: chooser.one(values) for key, values in world.pod_labels.items() if chooser.chance(60)}
        return {"label": {chooser.one(world.pods): labels}}
    if what == "namespace":
        own = {key: values for key, values in world.space_labels.items() if "/" not in key}
        return {
            "label": {
                chooser.one(world.namespaces): {key: chooser.one(v) for key, v in own.items() if chooser.chance(60)}
            }
        }
    old = in_force.pop(chooser.pick(*((1, place) for place in range(len(in_force)))))
    if what == "delete":
        return {"delete": [name_object(old)]}
    own_writer = kubernetes.policy if old["kind"] == "NetworkPolicy" and "k8s.io" in old["apiVersion"] else write
    new = own_writer(chooser, world, old["metadata"]["name"], without)
    new["metadata"] = old["metadata"]
    in_force.append(new)
    return {"apply": [new]}


def draw_scenarios(seed: int, first: int, last: int, dialect: str, without: Features) -> list[tuple[int, Draft]]:
    """The numbered scenarios of a seed, from `first` to `last` (from 1 on). Each is drawn by itself, so that a number
    means the same however many are asked for."""
    strategy = drafts(dialect, without)
    return [(number, draw_value(strategy, seed * APART + number)) for number in range(first, last + 1)]


def draw_value(strategy: st.SearchStrategy[T], seed: int) -> T:
    """A value of a strategy: the same one for the same seed."""
    found: list[T] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        # The first is always the simplest one, and from the third on they are variations of those before.
        max_examples=2,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def collect(value: T) -> None:
        found.append(value)

    collect()
    return found[-1]
