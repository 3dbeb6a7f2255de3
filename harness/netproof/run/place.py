"""A topology in place and how it is measured: baselines without policies, and rounds until a change is settled."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil, inf

from netproof.clusters.recipes import Settle
from netproof.model import Measured, Outcome, Placement, Probe, Topology
from netproof.probing import Reading, Round, Rounds, Settled, settle
from netproof.probing.client import Schedule
from netproof.probing.rounds import ONCE, PATIENCE, adaptive_timeout

BASELINE_ROUNDS = 3
"""The first round fills neighbour and conntrack tables; time-outs are taken from the quickest of the others for each
probe, since one hiccup of the machine would make each denial of a run slow."""

MORE_TRAINS = 2
"""Trains of so many rounds more at most, asked gently, where the time-out for silence is not at its floor yet."""

ANSWERS_AFTER_ALL = "silent until the settle limit, and answered right after it: neither can be relied on"

REOPENING = 0.05
"""Seconds between rounds that wait for what was denied to connect again."""

HASTY = 0.1
"""Seconds that the first of these rounds give an answer: they decide nothing, and those that came too early are over
soon after the last."""

AHEAD = 1.5
"""Seconds by which a train is longer than the hold window, for the rounds that come before a change is in force. Where
one shows, the train ends with the hold window after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a step did: the measurement that settles it needs to know. `at`: time.monotonic() before the first of its
    changes; where it made pods, when they were ready. `alters`: whether it changed anything at all."""

    at: float
    alters: bool


@dataclass(slots=True)
class Latency:
    """Seconds that the last expected change took to show: a train that expects none is so much longer than the hold
    window. The places of one deployment share it; only settling a change that alters something touches it."""

    seconds: float = 0.0


@dataclass(slots=True, eq=False, kw_only=True)
class Place:
    """A topology in place: its rounds, its time-out for silence (seconds), and the probes that policies last denied.

    It asks its own agents only and changes nothing: one thread may measure one place while another thread measures
    another one.
    """

    topology: Topology
    rounds: Rounds
    settings: Settle
    latency: Latency
    timeout: float
    denied: set[Probe] = field(default_factory=set)
    seen: dict[Probe, Measured] = field(default_factory=dict)
    """What the last step left, of probes that some policy may have had to do with since the baseline."""

    @property
    def placement(self) -> Placement:
        """Where its endpoints are now."""
        return self.rounds.placement

    @property
    def is_cold(self) -> bool:
        """Nothing has been probed here yet."""
        return not self.rounds.connected_before

    def renew_held(self, key: str) -> None:
        """From now on `held` probes open connections of their own, and need a baseline again."""
        self.rounds.key = key
        self.forget_baseline(probe for probe in self.rounds.connected_before if probe.kind == "held")

    def forget_baseline(self, probes: Iterable[Probe]) -> None:
        """The baseline no longer vouches for these probes."""
        self.rounds.connected_before -= set(probes)

    def warm(self, probes: Sequence[Probe]) -> list[Round]:
        """A baseline of the probes that have none yet, and the time-out for silence from it. Where that is long
        because the machine was busy or the network is slow, a few rounds more of those that took long tell which.
        Gives all rounds."""
        floor, ceiling = self.settings.floor, self.settings.ceiling
        found = self._connect(probes)
        for left in reversed(range(MORE_TRAINS + 1)):
            times = _quickest(found)
            self.timeout = adaptive_timeout(times.values(), floor, ceiling)
            if self.timeout <= floor or not left:
                break
            slow = [probe for probe, ms in times.items() if ms * PATIENCE > floor * 1000] or probes
            found += self.rounds.ask(slow, ceiling, self._calm(slow, pace=1.0), baseline=True, gently=True)
        return found

    def reopen(self) -> None:
        """After the policies are gone: see that what was denied connects again. What does not is no longer vouched for
        by the baseline."""
        self.forget_baseline(self.denied)
        # A kept connection that ended does not come back; the next scenario opens new ones.
        again = [probe for probe in self.denied if probe.kind != "held"]
        if again:
            self._reopen(again)
        self.denied.clear()
        self.seen.clear()

    def _reopen(self, probes: Sequence[Probe]) -> None:
        """Ask until all connect. Deletions take a moment, and a few probes that touch every endpoint tell when it is
        over: all of them would take the processor from the CNI that they wait for."""
        few = _touching_all(probes)
        every = max(REOPENING, len(few) / self.settings.rate)
        train = Schedule(repeat=ceil(AHEAD / every), every=every, until_connected=True)
        self._connect(few, timeout=min(HASTY, self.settings.floor), train=train)
        if rest := [probe for probe in probes if probe not in self.rounds.connected_before]:
            self._connect(rest, timeout=self.settings.floor, train=ONCE)

    def _connect(
        self, probes: Collection[Probe], *, timeout: float | None = None, train: Schedule | None = None
    ) -> list[Round]:
        """Rounds without policies until every probe connected once, or the CNI's settle limit has passed. They are
        asked in trains of this form; without one, in one of BASELINE_ROUNDS and then singly. After the first train,
        none has less time than the CNI's shortest time-out for silence."""
        began = time.monotonic()
        rounds = self.rounds
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

    def measure_unchanged(self, probes: Sequence[Probe], goal: Mapping[Probe, Measured]) -> Settled | None:
        """What these probes show before anything is changed; None where one of them does not connect: others may be at
        work now, as the pre-flight is."""
        settled = self.settle(Change(at=time.monotonic(), alters=False), probes, goal)
        all_connect = not self.denied
        self.denied.clear()
        return settled if all_connect else None

    def settle(
        self,
        change: Change,
        probes: Sequence[Probe],
        goal: Mapping[Probe, Measured],
        *,
        at_most: float = inf,
        hold: float | None = None,
    ) -> Settled:
        """Rounds of these probes until the matrix is settled. `goal` is what it must show so that measuring need not go
        on to the settle limit, or to `at_most` seconds if that is less; probes that it leaves out may vary. Once it
        is there, it is watched for `hold` seconds (default: the CNI's) for what might still change."""
        settled = self._watch(change, probes, goal, self._limit(change, at_most, hold))
        if self.timeout < self.settings.ceiling and not settled.interrupted:
            answers = self._ask_patiently(goal, settled)
            if any((reading.ms or 0) > self.timeout * 1000 for reading in answers.values()):
                # The machine is busier than it was at the baseline: what it is silent about must be silent for longer.
                self.timeout = self.settings.ceiling
                return self.settle(change, probes, goal, at_most=at_most, hold=hold)
            settled = settled.doubt(ANSWERS_AFTER_ALL, of=answers)
        self._remember(settled)
        return settled

    def _limit(self, change: Change, at_most: float, hold: float | None) -> Settle:
        """How long the matrix is waited for, and then watched."""
        watched = self.settings.seconds if hold is None else hold
        if not change.alters:
            # Nothing is under way that could still change the matrix.
            watched = 0.0
        return self.settings.model_copy(update={"limit": min(self.settings.limit, at_most), "seconds": watched})

    def _watch(
        self, change: Change, probes: Sequence[Probe], goal: Mapping[Probe, Measured], settings: Settle
    ) -> Settled:
        """Trains of rounds until what they show is settled."""
        before = {probe: self.seen.get(probe, Measured.CONNECTED) for probe in goal}
        is_expected = before != dict(goal)
        is_under_way = change.alters and self.settings.seconds > 0

        def ask(train: Schedule) -> list[Round]:
            found = self.rounds.ask(probes, self.timeout, train, before=before if is_under_way else None)
            before.update((probe, found[-1].readings[probe].measured) for probe in before)
            return found

        settled = settle(
            ask,
            settings,
            agrees=partial(self._agrees, goal),
            may_vary=set(probes) - set(goal),
            changed_at=change.at,
            idle=self.latency.seconds if is_under_way else 0.0,
            ahead=AHEAD if is_under_way else 0.0,
            is_expected=is_expected,
            every=self._interval(change, probes),
        )
        if is_under_way and is_expected and settled.settled_after_s is not None and settled.settled_after_s <= AHEAD:
            self.latency.seconds = settled.settled_after_s
        return settled

    def _interval(self, change: Change, probes: Sequence[Probe]) -> float:
        """Seconds from one round of these probes to the next."""
        # A connection answers one question at a time, so rounds of `held` probes do not overlap.
        held = self.timeout if any(probe.kind == "held" for probe in probes) else 0.0
        # While nothing is under way there is nobody to spare.
        rate = self.settings.rate if change.alters else 2 * self.settings.rate
        return max(self.settings.every, held, len(probes) / rate)

    def _agrees(self, goal: Mapping[Probe, Measured], measured: Mapping[Probe, Measured]) -> bool:
        """Whether a round shows the goal, but for what no waiting makes measurable."""
        return all(
            measured[probe] is value or (measured[probe] is Measured.UNMEASURED and self.rounds.is_hopeless(probe))
            for probe, value in goal.items()
        )

    def _ask_patiently(self, goal: Mapping[Probe, Measured], settled: Settled) -> dict[Probe, Reading]:
        """Probes that were silent against the goal are asked once more, with all patience: the answers that came."""
        silent = [
            probe
            for probe, value in goal.items()
            if value is Measured.CONNECTED and settled.readings[probe].outcome is Outcome.DROPPED
        ]
        if not silent:
            return {}
        (again,) = self.rounds.ask(silent, self.settings.ceiling)
        return {probe: reading for probe, reading in again.readings.items() if reading.measured is Measured.CONNECTED}

    def _remember(self, settled: Settled) -> None:
        self.denied |= {p for p, r in settled.readings.items() if r.measured is not Measured.CONNECTED}
        self.seen.update((probe, reading.measured) for probe, reading in settled.readings.items())


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
