"""One client an agent: sends a batch of probes down its stream and takes the answer. Knows no policy and no verdict."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from math import inf
from threading import Lock
from typing import Any

from netproof.errors import AgentLost
from netproof.model import Channel

REOPEN_EVERY = 1.0
"""Seconds between two tries to open a stream: rounds that ask nobody would follow one another without a pause."""
GRACE = 10.0
"""Seconds beyond the probes' own time-out after which an agent that says nothing counts as lost."""
ENDING = 0.6
"""Into the round after which a train may end, in rounds: then its agents are told."""
LATE = 2.0
"""Seconds by which an answer may come later than its agent was at work. One that was stopped before it read the request
served nobody while the others asked, and its own control, sent afterwards, vouches for nothing."""

Request = Mapping[str, Any]
Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How often a batch is sent at most, `every` seconds. Repeats overlap: silence costs its time-out once a train.

    With `steady` it ends early: after so many equal rounds once an agent saw a change, or after `idle` rounds without
    any. With `until_connected` each agent ends it by itself after a round in which all that it asked connected. Of
    times, only the first round's are told, or with `quickest` also each probe's best of the others, as the last one's.
    """

    repeat: int = 1
    every: float = 0.0
    steady: int = 0
    idle: int = 0
    until_connected: bool = False
    quickest: bool = False


class RunningTrain:
    """A train under way, and what its agents told of changes: so all of them end it after the same round. `number` is
    its own, in the agents' answers."""

    def __init__(self, number: int, schedule: Schedule) -> None:
        self.number, self.schedule = number, schedule
        self._changed: int | None = None
        self._lock = Lock()

    def saw(self, number: int) -> None:
        """A round was not like the one before it, or the first not as things were."""
        with self._lock:
            self._changed = max(self._changed or 0, number)

    def last(self) -> int:
        """The number of the last round, by what is known now."""
        schedule = self.schedule
        enough = schedule.idle if self._changed is None else self._changed + schedule.steady
        return min(enough if schedule.steady else schedule.repeat, schedule.repeat) - 1

    def ends_after(self, timeout: float) -> float:
        """Seconds into the train after which its end can be told: while its last round goes on, and when silence would
        have shown in those right after the one that changed."""
        every = self.schedule.every
        shown = 0.0 if self._changed is None else self._changed * every + 2 * timeout
        return max((self.last() + ENDING) * every, shown)


class Agent:
    """The prober of one endpoint. A lost stream is opened again for the next batch."""

    def __init__(self, endpoint: str, open_channel: Callable[[str], Channel]) -> None:
        self.endpoint = endpoint
        self._open_channel = open_channel
        self._channel: Channel | None = None
        self._opening = Lock()
        self._failed_at = -inf

    def connect(self) -> Channel:
        """Its stream, opened when it is not open. Raises AgentLost."""
        with self._opening:
            if self._channel is None:
                time.sleep(max(0.0, self._failed_at + REOPEN_EVERY - time.monotonic()))
                try:
                    self._channel = self._open_channel(self.endpoint)
                except AgentLost:
                    self._failed_at = time.monotonic()
                    raise
            return self._channel

    def ask(
        self, running: RunningTrain, timeout: float, probes: Sequence[Request], *, after: float
    ) -> list[list[Answer]]:
        """The answers to each repeat of a batch, in order. Raises AgentLost when the stream ended or fell silent."""
        schedule = running.schedule
        request: dict[str, Any] = {
            "round": running.number,
            "timeout": timeout,
            "after": after,
            "repeat": schedule.repeat,
        }
        request |= {"every": schedule.every, "probes": probes}
        request |= {"until": "connected"} if schedule.until_connected else {}
        request |= {"quickest": True} if schedule.quickest else {}
        patience = 2 * timeout + schedule.every * schedule.repeat + after + GRACE
        try:
            channel = self.connect()
            channel.send(json.dumps(request, separators=(",", ":")))
            sent = time.monotonic()
            answer = self._answer(channel, running, timeout, began=sent + after, deadline=sent + patience)
            late = time.monotonic() - sent - answer["took"]
            found = _repeats(answer["results"], answer.get("again", []))
            lengths = {len(results) for results in found}
            some = schedule.steady or schedule.until_connected
            if lengths != {len(probes)} or not (some or len(found) == schedule.repeat):
                raise ValueError(f"{len(found)} repeats of other numbers of results than were asked for")
        except AgentLost:
            self.close()
            raise
        except TimeoutError:
            self.close()
            raise AgentLost(f"the agent of {self.endpoint} said nothing for {patience:.0f} s") from None
        except (ValueError, KeyError) as error:
            self.close()
            raise AgentLost(f"the agent of {self.endpoint} sent what is no answer: {error}") from None
        if late > LATE:
            raise AgentLost(f"the agent of {self.endpoint} answered {late:.1f} s late: it or its stream stood still")
        return found

    def _answer(
        self, channel: Channel, running: RunningTrain, timeout: float, *, began: float, deadline: float
    ) -> Mapping[str, Any]:
        """The answer to a train. Its agent is told the last repeat while that one goes on, when changes up to the one
        before are known; what it tells of later ones is dropped."""
        number, every = running.number, running.schedule.every
        told = not running.schedule.steady
        while True:
            now, ending = time.monotonic(), began + running.ends_after(timeout)
            try:
                # Another agent may see a change meanwhile.
                line = channel.receive((deadline if told else min(ending, now + every, deadline)) - now)
            except TimeoutError:
                if told or time.monotonic() >= deadline:
                    raise
                if told := time.monotonic() >= began + running.ends_after(timeout):
                    channel.send(json.dumps({"round": number, "last": running.last()}))
                continue
            answer: Mapping[str, Any] = json.loads(line)
            if answer["round"] != number:
                raise ValueError(f"round {answer['round']} instead of {number}")
            if "changed" not in answer:
                return answer
            running.saw(answer["changed"])

    def close(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()


def _repeats(first: list[Answer], again: Sequence[Sequence[Answer | None]]) -> list[list[Answer]]:
    """Each repeat's results whole: where a repeat says nothing, the one before holds."""
    found = [first]
    for results in again:
        found.append([new if new is not None else old for old, new in zip(found[-1], results, strict=True)])
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Why an agent's part of a round is missing."""

    reason: str


class Fleet:
    """The agents of all endpoints that send probes; a round's batches go out and come back concurrently.

    Agents start after one another, `spread` seconds a probe, and half of that for the first `burst` probes unless they
    are asked gently: all at once they would measure each other's queues, and connect times, and with them the time-out
    for silence, would be several times longer. `gone` are endpoints whose pods or containers are there no more, until
    they are forgotten.
    """

    def __init__(self, open_channel: Callable[[str], Channel], *, spread: float = 0.0, burst: int = 0) -> None:
        self._open_channel, self._spread, self._burst = open_channel, spread, burst
        self.gone: set[str] = set()
        self._agents: dict[str, Agent] = {}
        self._pool = ThreadPoolExecutor(max_workers=512, thread_name_prefix="agent")
        self._rounds = count(1)

    def ask(
        self, timeout: float, batches: Mapping[str, Sequence[Request]], schedule: Schedule, *, gently: bool = False
    ) -> list[tuple[float, dict[str, list[Answer] | Lost]]]:
        """A train of rounds: for each, when it began (time.monotonic()), and source endpoint -> its answers, or why
        there are none."""
        number = next(self._rounds)
        began = time.monotonic()
        running = RunningTrain(number, schedule)

        def one(agent: Agent, probes: Sequence[Request], after: float) -> list[list[Answer]] | Lost:
            try:
                return agent.ask(running, timeout, probes, after=after)
            except AgentLost as error:
                if error.gone:
                    self.gone.add(agent.endpoint)
                return Lost(reason=str(error))

        futures = {}
        burst = 0 if gently else self._burst
        earlier = 0
        for endpoint, probes in batches.items():
            agent = self._agents.setdefault(endpoint, Agent(endpoint, self._open_channel))
            after = self._spread * (earlier - min(earlier, burst) / 2)
            futures[endpoint] = self._pool.submit(one, agent, probes, after)
            earlier += len(probes)
        answers = {endpoint: future.result() for endpoint, future in futures.items()}
        lengths = [len(given) for given in answers.values() if not isinstance(given, Lost)] or [1]
        # Who ended by himself has nothing new to say in later rounds.
        many = (max if schedule.until_connected else min)(lengths)
        return [
            (
                began + number * schedule.every,
                {
                    endpoint: given if isinstance(given, Lost) else given[min(number, len(given) - 1)]
                    for endpoint, given in answers.items()
                },
            )
            for number in range(many)
        ]

    def connect(self, endpoints: Iterable[str]) -> None:
        """Begin to open the streams to these endpoints; whoever asks them first waits for that. A stream that cannot be
        opened is tried again, and told of, then."""

        def begin(agent: Agent) -> None:
            with suppress(AgentLost):
                agent.connect()

        for endpoint in endpoints:
            self._pool.submit(begin, self._agents.setdefault(endpoint, Agent(endpoint, self._open_channel)))

    def forget(self, endpoint: str) -> None:
        """Drop the stream to an endpoint that is replaced; the next batch opens a new one."""
        self.gone.discard(endpoint)
        if endpoint in self._agents:
            self._agents.pop(endpoint).close()

    def close(self) -> None:
        """Close every stream; agents at their other ends stop probing."""
        for agent in self._agents.values():
            agent.close()
        self._agents.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)
