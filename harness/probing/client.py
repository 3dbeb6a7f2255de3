"""One client an agent: sends a batch of probes down its stream and takes the answer. Knows no policy and no verdict."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from harness.drivers import Channel
from harness.errors import AgentLost

GRACE = 10.0
"""Seconds beyond the probes' own time-out after which an agent that says nothing counts as lost."""

Request = Mapping[str, Any]
Answer = Mapping[str, Any]


class Agent:
    """The prober of one endpoint. A lost stream is opened again for the next batch."""

    def __init__(self, endpoint: str, open_channel: Callable[[str], Channel]) -> None:
        self.endpoint = endpoint
        self._open_channel = open_channel
        self._channel: Channel | None = None

    def ask(self, number: int, timeout: float, probes: Sequence[Request]) -> list[Answer]:
        """The answers to one batch, in its order. Raises AgentLost when the stream ended or nothing came in time."""
        line = json.dumps({"round": number, "timeout": timeout, "probes": probes}, separators=(",", ":"))
        try:
            if self._channel is None:
                self._channel = self._open_channel(self.endpoint)
            self._channel.send(line)
            while True:
                answer = json.loads(self._channel.receive(2 * timeout + GRACE))
                if answer["round"] == number:
                    results: list[Answer] = answer["results"]
                    return results
        except AgentLost:
            self.close()
            raise
        except TimeoutError:
            self.close()
            raise AgentLost(f"the agent of {self.endpoint} said nothing for {2 * timeout + GRACE:.0f} s") from None
        except (ValueError, KeyError) as error:
            self.close()
            raise AgentLost(f"the agent of {self.endpoint} sent what is no answer: {error}") from None

    def close(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Why an agent's part of a round is missing."""

    reason: str


class Fleet:
    """The agents of all endpoints that send probes; a round's batches go out and come back concurrently."""

    def __init__(self, open_channel: Callable[[str], Channel]) -> None:
        self._open_channel = open_channel
        self._agents: dict[str, Agent] = {}
        self._pool = ThreadPoolExecutor(max_workers=512, thread_name_prefix="agent")
        self._round = 0

    def ask(self, timeout: float, batches: Mapping[str, Sequence[Request]]) -> dict[str, list[Answer] | Lost]:
        """One round: source endpoint -> its answers, or why there are none."""
        self._round += 1
        futures = {}
        for endpoint, probes in batches.items():
            agent = self._agents.setdefault(endpoint, Agent(endpoint, self._open_channel))
            futures[endpoint] = self._pool.submit(agent.ask, self._round, timeout, probes)
        answers: dict[str, list[Answer] | Lost] = {}
        for endpoint, future in futures.items():
            try:
                answers[endpoint] = future.result()
            except AgentLost as error:
                answers[endpoint] = Lost(reason=str(error))
        return answers

    def close(self) -> None:
        """Close every stream; agents at their other ends stop probing."""
        for agent in self._agents.values():
            agent.close()
        self._agents.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)
