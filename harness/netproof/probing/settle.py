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

    def doubted(self, why: str, of: Collection[Probe] | None = None) -> Settled:
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
    enough = max(settings.rounds, ceil(settings.seconds / every - 1e-6) + 1)
    more = ceil(ahead / every - 1e-6)
    need, calm = enough, min(max(ceil(idle / every - 1e-6), 1), more)
    is_awaited = is_expected
    tracks: dict[Probe, _Track] = {}
    durations: list[float] = []
    streak: list[Round] = []
    first_correct: float | None = None
    began: float | None = None
    correct = is_settled = interrupted = False
    while True:
        try:
            train = ask(
                Schedule(
                    repeat=need + more,
                    every=every,
                    steady=enough if more else 0,
                    idle=need + (more if is_awaited else calm),
                )
            )
        except KeyboardInterrupt:
            if not streak:
                raise
            interrupted = True
            break
        began = train[0].began if began is None else began
        durations.append(train[-1].ended - train[-1].began)
        for current in train:
            at = current.began - changed_at
            measured = current.measured()
            for probe, reading in current.readings.items():
                tracks.setdefault(probe, _Track()).add(at, reading)
            if streak and any(
                streak[-1].readings[p].measured is not v for p, v in measured.items() if p not in may_vary
            ):
                streak.clear()
            streak.append(current)
            correct = agrees(measured)
            if correct and first_correct is None:
                first_correct = at
        is_settled = len(streak) >= settings.rounds and streak[-1].began - streak[0].began >= settings.seconds - 1e-6
        now = train[-1].ended
        if (is_settled and correct) or now - began >= settings.limit:
            break
        # The time between two trains counts, too.
        left = ceil((streak[0].began + settings.seconds - now) / every - 1e-6) + 1
        need, calm = max(settings.rounds - len(streak), min(left, enough - len(streak)), 1), 0
        is_awaited = not correct
    readings = dict(streak[-1].readings)
    if interrupted:
        readings = {p: replace(r, measured=Measured.UNMEASURED, detail=INTERRUPTED) for p, r in readings.items()}
    elif not is_settled:
        steady = min(streak[0].began, streak[-1].began - settings.seconds) - changed_at
        for probe, track in tracks.items():
            if track.changes and track.since >= steady and probe not in may_vary:
                why = f"did not settle within {settings.limit:g} s: changed {track.changes} times"
                readings[probe] = replace(readings[probe], measured=Measured.UNMEASURED, detail=why)
    count = sum(attempt.count for attempt in next(iter(tracks.values()), _Track()).attempts)
    return Settled(
        readings=readings,
        attempts={probe: tuple(track.attempts) for probe, track in tracks.items()},
        since_s={probe: round(track.since, 3) for probe, track in tracks.items()},
        rounds=count,
        early=count - len(streak),
        first_correct_s=None if first_correct is None else round(first_correct, 3),
        settled_after_s=round(streak[0].began - changed_at, 3) if is_settled else None,
        flaps=sum(track.changes > 1 for track in tracks.values()),
        round_s=round(median(durations), 3) if durations else 0.0,
        interrupted=interrupted,
    )
