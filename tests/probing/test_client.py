"""One client an agent: what it does when its stream cannot be opened."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from harness.drivers import Channel
from harness.errors import AgentLost
from harness.probing.client import Agent


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
