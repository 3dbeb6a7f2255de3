"""From a scenario to judged steps: its topology is made ready, each step is carried out, measured until it is settled,
and judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from netproof.catalogue.scenarios import Scenario
from netproof.clusters.reviews import Reviews
from netproof.drivers import Driver
from netproof.model import Measured, Probe
from netproof.probing import Settled
from netproof.report.record import StepResult
from netproof.run.deployment import Deployment, is_change
from netproof.run.place import Change, Place
from netproof.run.progress import Progress
from netproof.verdicts.decisions import DecidedStep, decide_step, decide_steps, expect_measured
from netproof.verdicts.judging import Judged, judge_step
from netproof.wording import count


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredStep:
    """A step that was measured and judged. `timeout`: seconds of silence that counted as dropped."""

    judged: Judged
    settled: Settled
    timeout: float

    def describe(self) -> StepResult:
        """Its row in the record."""
        settled = self.settled
        return StepResult(
            name=self.judged.decided.step.name,
            rounds=settled.rounds,
            first_correct_s=settled.first_correct_s,
            settled_after_s=settled.settled_after_s,
            flaps=settled.flaps,
            round_s=settled.round_s,
            timeout_s=round(self.timeout, 3),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What a scenario's place showed before its first step, measured while the pre-flight ran elsewhere."""

    place: Place
    settled: Settled

    def settles(self, place: Place, change: Change, decided: DecidedStep) -> bool:
        """Whether a first step need not be measured again: it changes nothing, and asks the same of the same place."""
        return place is self.place and not change.alters and self.settled.readings.keys() == decided.decisions.keys()


class Measurement:
    """Measures scenarios on one deployment, one after the other. `known`: the CNI's reviewed differences."""

    def __init__(self, driver: Driver, deployment: Deployment, known: Reviews, progress: Progress) -> None:
        self._driver, self._deployment, self._known, self._progress = driver, deployment, known, progress
        self._beginnings: dict[str, Beginning] = {}
        """Scenario id -> its beginning, until the scenario has its turn."""

    @contextmanager
    def begin(self, first: Scenario | None) -> Iterator[None]:
        """Meanwhile, on a thread, measure what of the `first` scenario needs no policies: its baseline, and its first
        step where that changes nothing. The caller must leave the pods of its topology alone."""
        if first is None or not self._deployment.has(first.topology):
            yield
            return
        place = self._deployment.place(first.topology)
        pool = ThreadPoolExecutor(1, thread_name_prefix="netproof-baseline")
        try:
            begun = pool.submit(self._begin, first, place)
            yield
            if done := begun.result():
                self._beginnings[first.id] = done
        finally:
            # Who ends the run meanwhile does not wait for it: it ends with the streams.
            pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, first: Scenario, place: Place) -> Beginning | None:
        place.warm(probes_of(first))
        step = first.steps[0]
        if is_change(place, step):
            return None
        decided = decide_step(step, place.placement)
        settled = place.measure_unchanged(list(decided.decisions), self._expect(first, decided))
        return Beginning(place=place, settled=settled) if settled else None

    def make_ready(self, scenario: Scenario) -> Place:
        """The scenario's topology in place, free of policies, with a baseline of every probe. Raises ClusterError."""
        if gone := self._deployment.gone:
            with self._progress.phase(f"making anew what is gone: {', '.join(gone)}") as say:
                self._deployment.heal(say)
        if not self._deployment.has(scenario.topology):
            with self._progress.phase(f"probe pods ({len(scenario.topology.pods)})") as say:
                self._deployment.deploy(scenario.topology, say)
        place = self._deployment.place(scenario.topology)
        fresh = [probe for probe in probes_of(scenario) if probe not in place.rounds.connected_before]
        if fresh and place.is_cold:
            with self._progress.phase(f"baseline without policies ({count(len(fresh), 'cell')})"):
                place.warm(fresh)
        elif fresh:
            place.warm(fresh)
        return place

    def measure(self, scenario: Scenario, place: Place) -> Iterator[MeasuredStep]:
        """Its steps in turn, in the place that was made ready for it; an interrupted one is the last. Raises
        ClusterError, and InputError for what the API server refuses."""
        begun = self._beginnings.pop(scenario.id, None)
        # In turn: a step is carried out before it is decided, since its new pods have new addresses.
        changes = (self._deployment.change(place, step) for step in scenario.steps)
        for change, decided in zip(changes, decide_steps(scenario, lambda _: place.placement), strict=True):
            goal = self._expect(scenario, decided)
            if begun is not None and begun.settles(place, change, decided):
                settled = begun.settled
            else:
                settled = place.settle(change, list(decided.decisions), goal)
            begun = None
            wrong = any(settled.readings[p].measured not in (value, Measured.UNMEASURED) for p, value in goal.items())
            if wrong and (why := self._driver.disturbed()):
                # Whatever disagrees now may say nothing of the CNI.
                settled = settled.doubt(why)
            reviewed = (scenario.documented, self._known)
            judged = judge_step(scenario, decided, settled, reviewed, reproduce=self._repeat_by_hand)
            yield MeasuredStep(judged=judged, settled=settled, timeout=place.timeout)
            if settled.interrupted:
                return

    def settle_last(
        self, scenario: Scenario, place: Place, steps: Sequence[DecidedStep], *, hold: float, at_most: float
    ) -> Settled:
        """Carry out these steps and settle each, and give what the last one shows. Once a step shows what is expected
        it is watched for `hold` seconds; it has `at_most` seconds for that if the CNI's settle limit is later."""
        found = []
        for decided in steps:
            change = self._deployment.change(place, decided.step)
            goal = self._expect(scenario, decided)
            found.append(place.settle(change, list(decided.decisions), goal, at_most=at_most, hold=hold))
            if found[-1].interrupted:
                raise KeyboardInterrupt
        return found[-1]

    def _expect(self, scenario: Scenario, decided: DecidedStep) -> dict[Probe, Measured]:
        return expect_measured(decided, self._known, scenario.id)

    def _repeat_by_hand(self, probe: Probe, host: str) -> str:
        return self._driver.reproduce(probe.source, host, probe.port, probe.protocol)


def probes_of(scenario: Scenario) -> list[Probe]:
    """Every probe of every step, once."""
    return list(dict.fromkeys(probe for step in scenario.steps for probe in step.intended))
