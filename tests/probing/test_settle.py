"""Settling: what is expected never ends the wait early, and a matrix that keeps changing is not called settled."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat

import pytest

from netproof.clusters.recipes import Settle
from netproof.model import Measured, Outcome, Probe
from netproof.probing.client import Schedule
from netproof.probing.rounds import Reading, Round
from netproof.probing.settle import Settled, settle

P = Probe(source="x/a", destination="x/b", port=80)
Q = Probe(source="x/b", destination="x/a", port=80)
WORDS = {"+": (Measured.CONNECTED, Outcome.CONNECTED), "-": (Measured.DENIED, Outcome.DROPPED)}


class Script:
    """Rounds by a script, one word a round (a sign for P, a sign for Q), on a clock of its own: a round a second, each
    over after `takes` seconds."""

    def __init__(self, *rounds: str, takes: float = 0.5) -> None:
        self.words = chain(rounds, repeat(rounds[-1]))
        self.takes = takes
        self.clock = 100.0
        self.asked = 0

    def ask(self, train: Schedule) -> Sequence[Round]:
        done = []
        for _ in range(train.repeat):
            word = next(self.words)
            if word == "ctrl-c":
                raise KeyboardInterrupt
            readings = {
                probe: Reading(measured=WORDS[sign][0], outcome=WORDS[sign][1])
                for probe, sign in zip((P, Q), word, strict=True)
            }
            done.append(Round(began=self.clock, ended=self.clock + self.takes, readings=readings))
            self.clock += 1
            self.asked += 1
        self.clock = max(self.clock, done[-1].ended)
        return done


def run(
    script: Script,
    *,
    wanted: str,
    rounds: int = 3,
    seconds: float = 2.0,
    limit: float = 20.0,
    vary: tuple[Probe, ...] = (),
) -> Settled:
    goal = {probe: WORDS[sign][0] for probe, sign in zip((P, Q), wanted, strict=True)}
    settings = Settle(rounds=rounds, seconds=seconds, limit=limit)
    return settle(
        script.ask, settings, agrees=lambda measured: measured == goal, changed_at=100.0, every=1.0, may_vary=vary
    )


def test_equal_rounds_over_the_hold_window_settle() -> None:
    script = Script("+-")
    settled = run(script, wanted="+-")
    assert script.asked == 3
    assert (settled.first_correct_s, settled.settled_after_s, settled.flaps) == (0.0, 0.0, 0)
    assert [settled.readings[probe].measured for probe in (P, Q)] == [Measured.CONNECTED, Measured.DENIED]


def test_the_time_that_a_train_takes_to_end_counts_for_the_hold_window() -> None:
    script = Script("++", "++", "++", "++", "+-", takes=3)
    settled = run(script, wanted="+-", seconds=4)
    assert (settled.settled_after_s, script.asked) == (4.0, 7)


def test_the_wanted_value_does_not_end_the_wait_when_the_matrix_changes_again() -> None:
    script = Script("++", "+-", "++", "++", "++", "++")
    settled = run(script, wanted="+-", limit=12)
    assert settled.readings[Q].measured is Measured.CONNECTED
    assert settled.first_correct_s == 1.0
    assert settled.flaps == 1


def test_a_change_that_was_accepted_late_has_as_long_to_come_into_force() -> None:
    script = Script("++", "++", "++", "++", "+-")
    script.clock += 60
    settled = run(script, wanted="+-", limit=12)
    assert settled.readings[Q].measured is Measured.DENIED
    assert settled.settled_after_s == 64.0


def test_a_matrix_that_disagrees_is_watched_to_the_limit() -> None:
    script = Script("++")
    settled = run(script, wanted="+-", limit=15)
    assert script.asked >= 15
    assert settled.settled_after_s == 0.0
    assert settled.first_correct_s is None
    assert settled.readings[Q].measured is Measured.CONNECTED


def test_a_slow_change_is_found_within_the_limit() -> None:
    settled = run(Script(*["++"] * 8, "+-"), wanted="+-")
    assert (settled.first_correct_s, settled.settled_after_s) == (8.0, 8.0)
    assert settled.readings[Q].measured is Measured.DENIED


def test_what_never_settles_is_unmeasured_and_the_rest_is_not() -> None:
    settled = run(Script(*["++", "+-"] * 20), wanted="+-", limit=9)
    assert settled.settled_after_s is None
    assert settled.readings[P].measured is Measured.CONNECTED
    assert settled.readings[Q].measured is Measured.UNMEASURED
    assert "did not settle within 9 s" in settled.readings[Q].detail


def test_attempts_tell_the_timeline_of_a_cell() -> None:
    settled = run(Script("++", "++", "+-"), wanted="+-")
    assert [(a.at_s, a.outcome.value, a.count) for a in settled.attempts[Q]] == [
        (0.0, "connected", 2),
        (2.0, "dropped", 3),
    ]


def test_interrupted_before_it_settled_nothing_is_claimed() -> None:
    settled = run(Script("++", "+-", "+-", "ctrl-c"), wanted="+-")
    assert settled.interrupted
    assert {reading.measured for reading in settled.readings.values()} == {Measured.UNMEASURED}


def test_interrupted_in_the_first_round_there_is_nothing_to_keep() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Script("ctrl-c"), wanted="+-")


def test_what_the_api_leaves_open_may_vary_for_ever() -> None:
    script = Script(*["++", "+-"] * 20)
    settled = run(script, wanted="++", vary=(Q,))
    assert settled.settled_after_s == 0.0
    assert settled.readings[Q].measured is not Measured.UNMEASURED
