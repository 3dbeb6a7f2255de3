"""One client an agent: streams that do not open, and answers that come late."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from threading import Event, Timer

import pytest

from harness.drivers import Channel
from harness.errors import AgentLost
from harness.probing import Fleet
from harness.probing.client import Agent, Lost, Train
from tests.fakes import FakeChannel, FakeDriver


def test_a_stream_that_does_not_open_is_not_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.probing.client.REOPEN_EVERY", 0.2)
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
    monkeypatch.setattr("harness.probing.client.LATE", 0.3)
    monkeypatch.setattr(StoppedChannel, "at_work", at_work)
    fleet = Fleet(lambda endpoint: StoppedChannel(endpoint, FakeDriver()))
    probe = {"id": 0, "host": "192.0.2.1"}
    ((_, answers),) = fleet.ask(1.0, {"shop/a": [probe]}, Train())
    found = answers["shop/a"]
    fleet.close()
    if at_work:
        assert isinstance(found, list)
        assert found[0]["outcome"] == "connected"
    else:
        assert isinstance(found, Lost)
        assert found.reason == "the agent of shop/a answered 0.5 s late: it or its stream stood still"
