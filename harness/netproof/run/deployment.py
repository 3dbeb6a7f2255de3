"""What is deployed, and in which state: topologies in place, policies in force, baselines. Between scenarios it is
reset and seen to connect again, so that pods are deployed once (docs/architecture.md, decision 9)."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, inf
from typing import Any

from netproof.catalogue.scenarios import Step
from netproof.clusters.recipes import Settle
from netproof.drivers import Driver
from netproof.model import External, Measured, Outcome, Placement, Probe, Say, Topology
from netproof.probing import Fleet, Round, Rounds, Settled, settle
from netproof.probing.client import Schedule
from netproof.probing.rounds import ONCE, PATIENCE, Reading, adaptive_timeout

BASELINE_ROUNDS = 3
"""The first round fills neighbour and conntrack tables; time-outs are taken from the quickest of the others for each
probe, since one hiccup of the machine would make each denial of a run slow."""

MORE_TRAINS = 2
"""Trains of so many rounds more at most, asked gently, where the time-out for silence is not at its floor yet."""

SPREAD = 0.5
"""A round's probes are sent within this part of the time until the next round."""

BURST = 300
"""So many of them go out twice as fast, where nobody else probes: a round of nine pods is over before a queue grows."""

ANSWERS_AFTER_ALL = "silent until the settle limit, and answered right after it: neither can be relied on"

REOPENING = 0.05
"""Seconds between rounds that wait for what was denied to connect again."""

HASTY = 0.1
"""Seconds that the first of these rounds give an answer: they decide nothing, and those that came too early are over
soon after the last."""

AHEAD = 1.5
"""Seconds by which a train is longer than the hold window, for the rounds that come before a change is in force. Where
one shows, the train ends with the hold window after it."""

PARTS = ("namespaces", "pods", "services", "externals", "nodes")


@dataclass(slots=True)
class Place:
    """A topology in place: its rounds, its time-out for silence (seconds), and the probes that policies last denied."""

    topology: Topology
    rounds: Rounds
    timeout: float
    denied: set[Probe] = field(default_factory=set)
    seen: dict[Probe, Measured] = field(default_factory=dict)
    """What the last step left, of probes that some policy may have had to do with since the baseline."""
    reshaped: bool = False
    changes: bool = False
    """Whether the step that is measured changed anything."""
    begun: Settled | None = None
    """What was measured before any step, for the first one where that changes nothing."""

    @property
    def is_cold(self) -> bool:
        """Nothing has been probed here yet."""
        return not self.rounds.connected_before


class Deployment:
    """All that one session has deployed. Not thread-safe.

    `share`: this world probes a cluster that others probe at the same time, and sends that much slower.
    """

    def __init__(self, driver: Driver, settings: Settle, *, share: int = 1) -> None:
        self.driver = driver
        self.settings = settings.model_copy(update={"rate": settings.rate / share})
        self.fleet = Fleet(driver.open, spread=SPREAD / self.settings.rate, burst=BURST if share == 1 else 0)
        self._deployed: list[tuple[Topology, Placement]] = []
        self._places: dict[str, Place] = {}
        self._dirty = False
        self._changing = 0.0
        self._held = 0

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
        self._deployed = [(whole, placed) for whole, placed in self._deployed if whole is not topology]
        self._places = {key: place for key, place in self._places.items() if not _covers(topology, place.topology)}
        for endpoint in topology.endpoints():
            self.fleet.forget(endpoint)

    @property
    def gone(self) -> Collection[str]:
        """Endpoints whose pods or containers went while they were measured."""
        return sorted(self.fleet.gone)

    def heal(self, say: Say) -> None:
        """Make anew what is gone. Everything beside it then needs a baseline again. Raises ClusterError."""
        self.driver.reset()
        self._dirty = False
        for place in list(self._places.values()):
            if place.reshaped:
                self._shape_as_deployed(place)
        for topology, _ in list(self._deployed):
            self.deploy(topology, say)

    def has(self, topology: Topology) -> bool:
        return any(_covers(placed, topology) for placed, _ in self._deployed)

    def place(self, topology: Topology) -> Place:
        """A deployed topology, free of policies and as it was deployed."""
        self.restore()
        key = repr(topology)
        if key not in self._places:
            placement = next(placed for whole, placed in reversed(self._deployed) if _covers(whole, topology))
            self._places[key] = Place(topology, Rounds(topology, placement, self.fleet), self.settings.ceiling)
        return self._places[key]

    def restore(self) -> None:
        """Delete policies and undo what happened to pods and namespaces, then see that what was denied connects again;
        what does not is no longer vouched for by the baseline."""
        if not self._dirty:
            return
        self.driver.reset()
        self._dirty = False
        for place in list(self._places.values()):
            if place.reshaped:
                self._shape_as_deployed(place)
                place.reshaped = False
            place.rounds.connected_before -= place.denied
            # A kept connection that ended does not come back; the next scenario opens new ones.
            again = [probe for probe in place.denied if probe.kind != "held"]
            if again:
                self._reopen(place.rounds, again)
            place.denied.clear()
            place.seen.clear()

    def _reopen(self, rounds: Rounds, probes: Sequence[Probe]) -> None:
        """Ask until all connect. Deletions take a moment, and a few probes that touch every endpoint tell when it is
        over: all of them would take the processor from the CNI that they wait for."""
        few = _touching_all(probes)
        every = max(REOPENING, len(few) / self.settings.rate)
        train = Schedule(repeat=ceil(AHEAD / every), every=every, until_connected=True)
        self.baseline(rounds, few, timeout=min(HASTY, self.settings.floor), train=train)
        if rest := [probe for probe in probes if probe not in rounds.connected_before]:
            self.baseline(rounds, rest, timeout=self.settings.floor, train=ONCE)

    def renew_held(self, place: Place) -> None:
        """From now on `held` probes open connections of their own, and need a baseline again."""
        self._held += 1
        place.rounds.key = str(self._held)
        place.rounds.connected_before -= {p for p in place.rounds.connected_before if p.kind == "held"}

    def baseline(
        self,
        rounds: Rounds,
        probes: Collection[Probe],
        *,
        timeout: float | None = None,
        train: Schedule | None = None,
    ) -> list[Round]:
        """Rounds without policies until every probe connected once, or the CNI's settle limit has passed. They are
        asked in trains of this form; without one, in one of BASELINE_ROUNDS and then singly. After the first train,
        none has less time than the CNI's shortest time-out for silence."""
        began = time.monotonic()
        found: list[Round] = []
        while True:
            form = train or (ONCE if found else self._calm(probes))
            asked = rounds.ask(probes, timeout or self.settings.ceiling, form, baseline=True)
            found += asked
            for current in asked:
                rounds.connected_before |= {p for p, r in current.readings.items() if r.measured is Measured.CONNECTED}
            missing = [
                p
                for p, r in asked[-1].readings.items()
                if r.measured is not Measured.CONNECTED and not (_impossible(r.detail) or rounds.is_hopeless(p))
            ]
            late = time.monotonic() - began > self.settings.limit
            if late or all(p in rounds.connected_before for p in missing):
                return found
            if timeout is not None:
                timeout = max(timeout, self.settings.floor)

    def _calm(self, probes: Collection[Probe], *, pace: float = 2.0) -> Schedule:
        """The train of a baseline. While nothing is under way there is nobody to spare."""
        every = len(probes) / self.settings.rate / pace
        return Schedule(repeat=BASELINE_ROUNDS, every=every, quickest=True)

    def warm(self, place: Place, probes: Sequence[Probe]) -> list[Round]:
        """A baseline of the probes that have none yet, and the time-out for silence from it. Where that is long
        because the machine was busy or the network is slow, a few rounds more of those that took long tell which.
        Gives all rounds."""
        floor, ceiling = self.settings.floor, self.settings.ceiling
        found = self.baseline(place.rounds, probes)
        for left in reversed(range(MORE_TRAINS + 1)):
            times = _quickest(found)
            place.timeout = adaptive_timeout(times.values(), floor, ceiling)
            if place.timeout <= floor or not left:
                break
            slow = [probe for probe, ms in times.items() if ms * PATIENCE > floor * 1000] or probes
            found += place.rounds.ask(slow, ceiling, self._calm(slow, pace=1.0), baseline=True, gently=True)
        return found

    def change(self, place: Place, step: Step) -> float:
        """Carry out a step's changes. Gives the time before the first of them (time.monotonic()); for new pods, the
        time at which they were ready."""
        changed_at = time.monotonic()
        self._dirty = True
        place.changes = changes(place, step)
        if step.topology != place.rounds.topology:
            place.reshaped = True
            if self._reshape(place, step.topology):
                changed_at = time.monotonic()
        if step.deleted:
            self.driver.delete(step.deleted)
        if step.applied:
            self.driver.apply(step.applied)
        return changed_at

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
        place.rounds.connected_before -= {
            probe
            for probe in place.rounds.connected_before
            if probe.source in anew or probe.destination in anew | behind
        }
        # Whoever else knew these pods knew them at other addresses.
        for key, other in list(self._places.items()):
            if other is not place and _has_any(other.topology, anew):
                del self._places[key]
        there = place.rounds.placement.addresses
        moved = {endpoint: there[endpoint] for endpoint in anew if endpoint in there}
        self._deployed = [
            (whole, replace(placed, addresses={**placed.addresses, **moved}) if _has_any(whole, anew) else placed)
            for whole, placed in self._deployed
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

    def begin(self, place: Place, probes: Sequence[Probe], goal: Mapping[Probe, Measured]) -> None:
        """Measure these probes while nothing has changed: a first step that asks them and changes nothing is settled by
        it. Where something does not connect, the step asks again: others may be at work now, as the pre-flight is."""
        settled = self.settle(place, probes, goal, time.monotonic())
        place.begun = None if place.denied else settled
        place.denied.clear()

    def settle(
        self,
        place: Place,
        probes: Sequence[Probe],
        goal: Mapping[Probe, Measured],
        changed_at: float,
        *,
        at_most: float = inf,
        hold: float | None = None,
    ) -> Settled:
        """Rounds of these probes until the matrix is settled. `goal` is what it must show so that measuring need not go
        on to the settle limit, or to `at_most` seconds if that is less; probes that it leaves out may vary. Once it
        is there, it is watched for `hold` seconds (default: the CNI's) for what might still change."""
        begun, place.begun = place.begun, None
        if begun is not None and not place.changes and begun.readings.keys() == set(probes):
            return begun
        watched = self.settings.seconds if hold is None else hold
        if not place.changes:
            # Nothing is under way that could still change the matrix.
            watched = 0.0
        settings = self.settings.model_copy(update={"limit": min(self.settings.limit, at_most), "seconds": watched})
        rounds, timeout = place.rounds, place.timeout
        held = any(probe.kind == "held" for probe in probes)
        # A connection answers one question at a time, so rounds of `held` probes do not overlap. While nothing is under
        # way there is nobody to spare.
        rate = self.settings.rate if place.changes else 2 * self.settings.rate
        every = max(self.settings.every, timeout if held else 0.0, len(probes) / rate)
        is_under_way = place.changes and self.settings.seconds > 0
        before = {probe: place.seen.get(probe, Measured.CONNECTED) for probe in goal}

        is_expected = before != dict(goal)

        def ask(train: Schedule) -> list[Round]:
            found = rounds.ask(probes, timeout, train, before=before if is_under_way else None)
            before.update((probe, found[-1].readings[probe].measured) for probe in before)
            return found

        settled = settle(
            ask,
            settings,
            agrees=lambda measured: all(
                found is value or (found is Measured.UNMEASURED and rounds.is_hopeless(probe))
                for probe, value in goal.items()
                for found in (measured[probe],)
            ),
            may_vary=set(probes) - set(goal),
            changed_at=changed_at,
            idle=self._changing if is_under_way else 0.0,
            ahead=AHEAD if is_under_way else 0.0,
            is_expected=is_expected,
            every=every,
        )
        if is_under_way and is_expected and settled.settled_after_s is not None and settled.settled_after_s <= AHEAD:
            self._changing = settled.settled_after_s
        if timeout < settings.ceiling and not settled.interrupted:
            answers = self._patiently(rounds, goal, settled)
            if any((reading.ms or 0) > timeout * 1000 for reading in answers.values()):
                # The machine is busier than it was at the baseline: what it is silent about must be silent for longer.
                place.timeout = settings.ceiling
                return self.settle(place, probes, goal, changed_at, at_most=at_most, hold=hold)
            settled = settled.doubt(ANSWERS_AFTER_ALL, of=answers)
        place.denied |= {p for p, r in settled.readings.items() if r.measured is not Measured.CONNECTED}
        place.seen.update((probe, reading.measured) for probe, reading in settled.readings.items())
        return settled

    def _patiently(self, rounds: Rounds, goal: Mapping[Probe, Measured], settled: Settled) -> dict[Probe, Reading]:
        """Who was silent against the goal is asked once more, with all patience: the answers that then came."""
        silent = [
            probe
            for probe, value in goal.items()
            if value is Measured.CONNECTED and settled.readings[probe].outcome is Outcome.DROPPED
        ]
        if not silent:
            return {}
        (again,) = rounds.ask(silent, self.settings.ceiling)
        return {probe: reading for probe, reading in again.readings.items() if reading.measured is Measured.CONNECTED}

    def close(self) -> None:
        self.fleet.close()


def changes(place: Place, step: Step) -> bool:
    """Whether a step changes anything here."""
    return bool(step.applied or step.deleted or step.topology != place.rounds.topology)


def _touching_all(probes: Iterable[Probe]) -> list[Probe]:
    """Some of these probes, with every source and every destination of all in one of them at least."""
    found, seen = [], set[tuple[str, str]]()
    for probe in probes:
        ends = {("from", probe.source), ("to", probe.destination)}
        if not ends <= seen:
            seen |= ends
            found.append(probe)
    return found


def _quickest(baseline: Sequence[Round]) -> dict[Probe, float]:
    """Each probe's best connect time (ms) in rounds but the first."""
    best: dict[Probe, float] = {}
    for asked in baseline[1:] or baseline:
        for probe, ms in asked.connect_ms().items():
            best[probe] = min(ms, best.get(probe, ms))
    return best


def _impossible(detail: str) -> bool:
    """The machine cannot do this at all: no use waiting for it."""
    return detail.startswith("no ") and "socket" in detail


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
