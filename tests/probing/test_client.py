"""One client an agent: streams that do not open, and answers that come late."""

from __future__ import annotations

import json
import re
import time
from itertools import pairwise
from threading import Event, Timer

import pytest

from netproof.errors import AgentLost
from netproof.model import Channel
from netproof.probing import Fleet
from netproof.probing.client import Agent, Lost, Schedule
from tests.fakes import FakeChannel, FakeDriver


def test_a_stream_that_does_not_open_is_not_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netproof.probing.client.REOPEN_EVERY", 0.2)
    tried: list[float] = []

    def refused(endpoint: str) -> Channel:
        tried.append(time.monotonic())
        raise AgentLost("no stream could be opened")

    agent = Agent("shop/a", refused)
    for _ in range(3):
        with pytest.raises(AgentLost):
            agent.connect()
    assert [later - earlier >= 0.2 for earlier, later in pairwise(tried)] == [True, True]


class StoppedChannel(FakeChannel):
    """Its agent is stopped for a while before it reads a request, or while it is at work on it."""

    stopped_for, at_work = 0.5, False

    def receive(self, timeout: float) -> str:
        done = Event()
        Timer(self.stopped_for, done.set).start()
        done.wait()
        answer = json.loads(super().receive(timeout))
        return json.dumps(answer | {"took": self.stopped_for if self.at_work else 0.0})


@pytest.mark.parametrize("at_work", [False, True])
def test_an_agent_that_was_stopped_before_it_read_the_request_has_measured_nothing(
    monkeypatch: pytest.MonkeyPatch, at_work: bool
) -> None:
    """It served nobody meanwhile, and its own control would come when it is at work again."""
    monkeypatch.setattr("netproof.probing.client.LATE", 0.3)
    monkeypatch.setattr(StoppedChannel, "at_work", at_work)
    fleet = Fleet(lambda endpoint: StoppedChannel(endpoint, FakeDriver()))
    probe = {"id": 0, "host": "192.0.2.1"}
    ((_, answers),) = fleet.ask(1.0, {"shop/a": [probe]}, Schedule())
    found = answers["shop/a"]
    fleet.close()
    if at_work:
        assert isinstance(found, list)
        assert found[0]["outcome"] == "connected"
    else:
        assert isinstance(found, Lost)
        # A loaded machine adds to it.
        assert re.fullmatch(
            r"the agent of shop/a answered [0-9]\.[0-9] s late: it or its stream stood still", found.reason
        )


class Agreeing(FakeDriver):
    """What each endpoint sees changes once, after so many of its rounds."""

    def __init__(self, **changes: int) -> None:
        super().__init__()
        left = {f"x/{name}": number for name, number in changes.items()}

        def outcome(source: str, probe: object) -> str:
            left[source] -= 1
            return "connected" if left[source] >= 0 else "dropped"

        self.sees = outcome


def departed(driver: FakeDriver, train: Schedule, names: str = "ab") -> list[dict[str, str]]:
    """What the agents of these endpoints saw in each round of a train."""
    fleet = Fleet(lambda endpoint: FakeChannel(endpoint, driver))
    batches = {f"x/{name}": [{"id": 0, "host": "192.0.2.1", "was": "connected"}] for name in names}
    rounds = fleet.ask(0.01, batches, train)
    fleet.close()
    seen = []
    for _, found in rounds:
        lost = [answer for answer in found.values() if isinstance(answer, Lost)]
        assert not lost
        seen.append({name: answer[0]["outcome"] for name, answer in found.items() if not isinstance(answer, Lost)})
    return seen


def test_a_train_ends_so_many_rounds_after_a_change_for_all_who_were_asked() -> None:
    rounds = departed(Agreeing(a=3, b=99), Schedule(repeat=50, every=0.05, steady=4, idle=50))
    assert [found["x/a"] for found in rounds] == ["connected"] * 3 + ["dropped"] * 4
    assert {found["x/b"] for found in rounds} == {"connected"}


def test_a_train_without_a_change_ends_when_nobody_waits_for_one() -> None:
    assert len(departed(Agreeing(a=99, b=99), Schedule(repeat=50, every=0.05, steady=4, idle=6))) == 6


def test_a_train_ends_when_it_was_to_end_at_the_latest() -> None:
    assert len(departed(Agreeing(a=5, b=99), Schedule(repeat=7, every=0.05, steady=4, idle=7))) == 7


def test_who_has_connected_holds_while_others_still_wait() -> None:
    class Opening(FakeDriver):
        def __init__(self) -> None:
            super().__init__()
            left = {"x/a": 1, "x/b": 4}

            def outcome(source: str, probe: object) -> str:
                left[source] -= 1
                return "connected" if left[source] < 0 else "dropped"

            self.sees = outcome

    rounds = departed(Opening(), Schedule(repeat=50, every=0.05, until_connected=True))
    assert [found["x/a"] for found in rounds] == ["dropped"] + ["connected"] * 4
    assert [found["x/b"] for found in rounds] == ["dropped"] * 4 + ["connected"]
