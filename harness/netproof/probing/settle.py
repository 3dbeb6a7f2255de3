"""Rounds until a matrix is settled. What is expected never ends the wait early; it can only make it longer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from statistics import median

from netproof.clusters.recipes import Settle
from netproof.model import Measured, Outcome, Probe
from netproof.probing.client import Schedule
from netproof.probing.rounds import Reading, Round

INTERRUPTED = "the run was interrupted before the matrix settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Equal outcomes in a row: seconds from the change to the first, how many, and milliseconds of the last that said
    anything new."""

    at_s: float
    outcome: Outcome
    count: int
    ms: float | None
    detail: str


@dataclass(slots=True)
class _Track:
    """One cell over the rounds."""

    attempts: list[Attempt] = field(default_factory=list)
    changes: int = 0
    since: float = 0.0
    last: Measured | None = None

    def add(self, at: float, reading: Reading) -> None:
        if reading.measured is not self.last:
            self.changes += self.last is not None
            self.last, self.since = reading.measured, at
        if self.attempts and self.attempts[-1].outcome is reading.outcome:
            before = self.attempts[-1]
            self.attempts[-1] = replace(before, count=before.count + 1, ms=reading.ms, detail=reading.detail)
        else:
            self.attempts.append(
                Attempt(at_s=round(at, 3), outcome=reading.outcome, count=1, ms=reading.ms, detail=reading.detail)
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A settled matrix and how it got there. Times are seconds from the change.

    `settled_after_s` is None when the matrix still changed at the limit: cells that changed within the last rounds are
    then unmeasured. `first_correct_s` is the first round that agreed with what was wanted. `early` rounds came before
    the first of the equal ones at the end.
    """

    readings: Mapping[Probe, Reading]
    attempts: Mapping[Probe, Sequence[Attempt]]
    since_s: Mapping[Probe, float]
    rounds: int
    early: int
    first_correct_s: float | None
    settled_after_s: float | None
    flaps: int
    round_s: float
    interrupted: bool

    def doubt(self, why: str, of: Collection[Probe] | None = None) -> Settled:
        """The same, but these cells (default: all) do not count as measured."""
        doubtful = self.readings.keys() if of is None else of
        readings = {
            probe: replace(reading, measured=Measured.UNMEASURED, detail=why) if probe in doubtful else reading
            for probe, reading in self.readings.items()
        }
        return replace(self, readings=readings)

    @classmethod
    def nothing(cls, probes: Iterable[Probe], why: str) -> Settled:
        """A matrix of which nothing was measured."""
        reading = Reading(measured=Measured.UNMEASURED, outcome=Outcome.ERROR, detail=why)
        probes = list(probes)
        return cls(
            readings=dict.fromkeys(probes, reading),
            attempts=dict.fromkeys(probes, ()),
            since_s={},
            rounds=0,
            early=0,
            first_correct_s=None,
            settled_after_s=None,
            flaps=0,
            round_s=0.0,
            interrupted=False,
        )


class _Series:
    """The rounds of one matrix as they come in. Times are seconds from the change."""

    def __init__(
        self,
        settings: Settle,
        agrees: Callable[[Mapping[Probe, Measured]], bool],
        changed_at: float,
        may_vary: Collection[Probe],
    ) -> None:
        self._settings, self._agrees, self._changed_at, self._may_vary = settings, agrees, changed_at, may_vary
        self._tracks: dict[Probe, _Track] = {}
        self._durations: list[float] = []
        self._first_correct: float | None = None
        self._began, self.ended = 0.0, 0.0
        self.equal: list[Round] = []
        """The last rounds, as far back as they are equal."""
        self.is_correct = False
        """Whether the last round agrees with what is expected."""

    def add(self, rounds: Sequence[Round]) -> None:
        if not self.equal:
            self._began = rounds[0].began
        self.ended = rounds[-1].ended
        self._durations.append(rounds[-1].ended - rounds[-1].began)
        for current in rounds:
            self._add(current)

    def _add(self, current: Round) -> None:
        at = current.began - self._changed_at
        measured = current.measured()
        for probe, reading in current.readings.items():
            self._tracks.setdefault(probe, _Track()).add(at, reading)
        if self.equal and any(
            self.equal[-1].readings[probe].measured is not now
            for probe, now in measured.items()
            if probe not in self._may_vary
        ):
            self.equal.clear()
        self.equal.append(current)
        self.is_correct = self._agrees(measured)
        if self.is_correct and self._first_correct is None:
            self._first_correct = at

    @property
    def is_settled(self) -> bool:
        """Whether the equal rounds are many enough, and span the hold window."""
        spans = self.equal[-1].began - self.equal[0].began
        return len(self.equal) >= self._settings.rounds and spans >= self._settings.seconds - 1e-6

    @property
    def is_over(self) -> bool:
        lasted = self.ended - self._began
        return (self.is_settled and self.is_correct) or lasted >= self._settings.limit

    def result(self, *, interrupted: bool = False) -> Settled:
        readings = dict(self.equal[-1].readings)
        if interrupted:
            readings = {p: replace(r, measured=Measured.UNMEASURED, detail=INTERRUPTED) for p, r in readings.items()}
        elif not self.is_settled:
            readings.update(self._unsteady(readings))
        count = sum(attempt.count for attempt in next(iter(self._tracks.values()), _Track()).attempts)
        settled_after = self.equal[0].began - self._changed_at if self.is_settled else None
        return Settled(
            readings=readings,
            attempts={probe: tuple(track.attempts) for probe, track in self._tracks.items()},
            since_s={probe: round(track.since, 3) for probe, track in self._tracks.items()},
            rounds=count,
            early=count - len(self.equal),
            first_correct_s=None if self._first_correct is None else round(self._first_correct, 3),
            settled_after_s=None if settled_after is None else round(settled_after, 3),
            flaps=sum(track.changes > 1 for track in self._tracks.values()),
            round_s=round(median(self._durations), 3) if self._durations else 0.0,
            interrupted=interrupted,
        )

    def _unsteady(self, readings: Mapping[Probe, Reading]) -> dict[Probe, Reading]:
        """The cells that changed within the last hold window, as unmeasured."""
        settings, last = self._settings, self.equal[-1].began
        since = min(self.equal[0].began, last - settings.seconds) - self._changed_at
        return {
            probe: replace(
                readings[probe],
                measured=Measured.UNMEASURED,
                detail=f"did not settle within {settings.limit:g} s: changed {track.changes} times",
            )
            for probe, track in self._tracks.items()
            if track.changes and track.since >= since and probe not in self._may_vary
        }


def settle(
    ask: Callable[[Schedule], Sequence[Round]],
    settings: Settle,
    *,
    agrees: Callable[[Mapping[Probe, Measured]], bool],
    changed_at: float,
    every: float,
    idle: float = 0.0,
    ahead: float = 0.0,
    is_expected: bool = False,
    may_vary: Collection[Probe] = (),
) -> Settled:
    """Ask rounds until `settings.rounds` equal ones span `settings.seconds`; while the settled matrix does not agree,
    on to `settings.limit` seconds after the first round: an API server may take its time to accept a change, and what
    it accepted late has as long to come into force. Times are told from `changed_at` (a time.monotonic() value). Rounds
    start `every` seconds apart. Cells of `may_vary` do not count: what the API leaves open may change from round to
    round for ever. Ctrl-C ends it with what is there.

    Trains are up to `ahead` seconds longer than the hold window, for a change that their first rounds do not show yet,
    and end with the hold window after it. Where nothing shows, one ends after the hold window and `idle` seconds, but
    is as long as it may be while a change `is_expected`: then waiting on is what comes next anyway."""
    # The last round of a train ends the hold window, so that none is sent for nothing.
    every = max(every, settings.seconds / max(int(settings.seconds / every + 1e-6), 1))
    window = max(settings.rounds, _count(settings.seconds, every) + 1)
    more = _count(ahead, every)

    def schedule(needed: int, idle: int) -> Schedule:
        """`needed`: rounds to the end of the hold window, if nothing changes; `idle`: those to wait beyond it."""
        return Schedule(repeat=needed + more, every=every, steady=window if more else 0, idle=needed + idle)

    series = _Series(settings, agrees, changed_at, may_vary)
    upcoming = schedule(window, more if is_expected else min(max(_count(idle, every), 1), more))
    while True:
        try:
            rounds = ask(upcoming)
        except KeyboardInterrupt:
            if not series.equal:
                raise
            return series.result(interrupted=True)
        series.add(rounds)
        if series.is_over:
            return series.result()
        # The time between two trains counts, too.
        left = _count(series.equal[0].began + settings.seconds - series.ended, every) + 1
        held = len(series.equal)
        needed = max(settings.rounds - held, min(left, window - held), 1)
        upcoming = schedule(needed, 0 if series.is_correct else more)


def _count(seconds: float, every: float) -> int:
    """How many rounds take so long."""
    return ceil(seconds / every - 1e-6)
