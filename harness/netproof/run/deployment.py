"""What is deployed, and in which state: topologies in place, and the changes that steps made to them. Between scenarios
it is restored and seen to connect again, so that pods are deployed once (docs/architecture.md, decision 9)."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from itertools import count
from typing import Any

from netproof.catalogue.scenarios import Step
from netproof.clusters.recipes import Settle
from netproof.drivers import Driver
from netproof.model import External, Placement, Say, Topology
from netproof.probing import Fleet, Rounds
from netproof.run.place import Change, Latency, Place

SPREAD = 0.5
"""A round's probes are sent within this part of the time until the next round."""

BURST = 300
"""So many of them go out twice as fast, where nobody else probes: a round of nine pods is over before a queue grows."""

PARTS = ("namespaces", "pods", "services", "externals", "nodes")


class Deployment:
    """All that one session has deployed. One thread deploys, changes and restores.

    `share`: this many times slower is sent than the CNI can take, since others probe the same cluster at the same time.
    """

    def __init__(self, driver: Driver, settings: Settle, *, share: int = 1) -> None:
        self.driver = driver
        self.settings = settings.model_copy(update={"rate": settings.rate / share})
        self.fleet = Fleet(driver.open, spread=SPREAD / self.settings.rate, burst=BURST if share == 1 else 0)
        self._deployed: list[tuple[Topology, Placement]] = []
        self._places: dict[str, Place] = {}
        self._carried_out: list[tuple[Place, Step]] = []
        """What `restore` has to undo."""
        self._latency = Latency()
        self._keys = count(1)

    def deploy(self, topology: Topology, say: Say) -> None:
        """Make a topology exist, and begin to open the streams to its agents. What is there already in its namespaces
        stays where both fit together, and is forgotten where they do not. Raises ClusterError."""
        names = {namespace.name for namespace in topology.namespaces}
        outside = {external.name for external in topology.externals}
        for old, _ in list(self._deployed):
            # A peer outside keeps the ports that others need: with fewer it would start again, at another address.
            peers = tuple(external for external in old.externals if external.name in outside)
            topology = merge(topology, Topology(externals=peers)) or topology
            both = merge(topology, old)
            if both is None or not names.isdisjoint(namespace.name for namespace in old.namespaces):
                topology = both or topology
                self._forget(old)
        self._deployed.append((topology, self.driver.deploy(topology, say)))
        self.fleet.connect(topology.endpoints())

    def _forget(self, topology: Topology) -> None:
        self._deployed = [(whole, placement) for whole, placement in self._deployed if whole is not topology]
        self._places = {key: place for key, place in self._places.items() if not _covers(topology, place.topology)}
        for endpoint in topology.endpoints():
            self.fleet.forget(endpoint)

    @property
    def gone(self) -> Collection[str]:
        """Endpoints whose pods or containers went while they were measured."""
        return sorted(self.fleet.gone)

    def heal(self, say: Say) -> None:
        """Make anew what is gone. Everything beside it then needs a baseline again. Raises ClusterError."""
        self._undo()
        for topology, _ in list(self._deployed):
            self.deploy(topology, say)

    def has(self, topology: Topology) -> bool:
        return any(_covers(whole, topology) for whole, _ in self._deployed)

    def place(self, topology: Topology) -> Place:
        """A deployed topology, free of policies and as it was deployed. Its `held` probes open new connections."""
        self.restore()
        key = repr(topology)
        if key not in self._places:
            placement = next(found for whole, found in reversed(self._deployed) if _covers(whole, topology))
            self._places[key] = Place(
                topology=topology,
                rounds=Rounds(topology, placement, self.fleet),
                settings=self.settings,
                latency=self._latency,
                timeout=self.settings.ceiling,
            )
        place = self._places[key]
        place.renew_held(str(next(self._keys)))
        return place

    def restore(self) -> None:
        """Delete policies and undo what happened to pods and namespaces, then see that what was denied connects again;
        what does not is no longer vouched for by the baseline."""
        if self._carried_out:
            self._undo()
            for place in list(self._places.values()):
                place.reopen()

    def _undo(self) -> None:
        self.driver.reset()
        changed = {id(place) for place, step in self._carried_out if step.topology != place.topology}
        for place in list(self._places.values()):
            if id(place) in changed:
                self._shape_as_deployed(place)
        self._carried_out.clear()

    def change(self, place: Place, step: Step) -> Change:
        """Carry out a step's changes."""
        at = time.monotonic()
        self._carried_out.append((place, step))
        alters = is_change(place, step)
        if step.topology != place.rounds.topology and self._reshape(place, step.topology):
            at = time.monotonic()
        if step.deleted:
            self.driver.delete(step.deleted)
        if step.applied:
            self.driver.apply(step.applied)
        return Change(at=at, alters=alters)

    def _shape_as_deployed(self, place: Place) -> None:
        """Pods that had other labels, or whose namespace had, are made anew. A CNI may know a pod by its old labels for
        half a minute after they were changed back; without policies nothing shows it, and the next scenario would be
        measured with labels of this one. What the new pods did not connect to yet needs a baseline again."""
        now, deployed = place.rounds.topology, place.topology
        others = {pod.id for pod in deployed.pods if now.labels(pod.id) not in (None, deployed.labels(pod.id))}
        if others:
            self._reshape(place, replace(deployed, pods=tuple(pod for pod in deployed.pods if pod.id not in others)))
        self._reshape(place, deployed)
        anew = others | {pod.id for pod in deployed.pods if _incarnation(now, pod.id) != pod.incarnation}
        behind = {s.id for s in deployed.services if not anew.isdisjoint(pod.id for pod in deployed.backends(s))}
        place.forget_baseline(
            probe
            for probe in place.rounds.connected_before
            if probe.source in anew or probe.destination in anew | behind
        )
        # Whoever else knew these pods knew them at other addresses.
        for key, other in list(self._places.items()):
            if other is not place and _has_any(other.topology, anew):
                del self._places[key]
        there = place.placement.addresses
        moved = {endpoint: there[endpoint] for endpoint in anew if endpoint in there}
        self._deployed = [
            (whole, replace(found, addresses={**found.addresses, **moved}) if _has_any(whole, anew) else found)
            for whole, found in self._deployed
        ]

    def _reshape(self, place: Place, topology: Topology) -> bool:
        """Make a place look like this. Gives whether pods were made."""
        before, after = place.rounds.topology, topology
        gone = {pod.id for pod in before.pods} - {pod.id for pod in after.pods}
        new = {pod.id for pod in after.pods if pod.incarnation != _incarnation(before, pod.id)}
        for endpoint in gone | new:
            self.fleet.forget(endpoint)
        placement = self.driver.reshape(topology)
        place.rounds = replace(place.rounds, topology=topology, placement=placement)
        return bool(new)

    def close(self) -> None:
        self.fleet.close()


def is_change(place: Place, step: Step) -> bool:
    """Whether a step changes anything here."""
    return bool(step.applied or step.deleted or step.topology != place.rounds.topology)


def _has_any(topology: Topology, pods: Collection[str]) -> bool:
    return any(pod.id in pods for pod in topology.pods)


def _incarnation(topology: Topology, endpoint: str) -> int | None:
    pod = topology.pod(endpoint)
    return pod.incarnation if pod else None


def _covers(placed: Topology, wanted: Topology) -> bool:
    ports = {external.name: set(external.ports) for external in placed.externals}
    return all(set(external.ports) <= ports.get(external.name, set()) for external in wanted.externals) and all(
        set(map(repr, getattr(wanted, part))) <= set(map(repr, getattr(placed, part)))
        for part in PARTS
        if part != "externals"
    )


def merge(first: Topology, second: Topology) -> Topology | None:
    """Both topologies as one, or None when they give one name two meanings. A peer outside listens on all its ports."""
    parts: dict[str, Any] = {}
    for part in PARTS:
        by_id = {_key(item): item for item in getattr(first, part)}
        for item in getattr(second, part):
            there = by_id.setdefault(_key(item), item)
            if isinstance(item, External):
                by_id[item.id] = replace(item, ports=tuple(dict.fromkeys((*there.ports, *item.ports))))
            elif there != item:
                return None
        parts[part] = tuple(by_id.values())
    return replace(first, **parts)


def _key(item: Any) -> str:
    return str(getattr(item, "id", None) or item.name)
