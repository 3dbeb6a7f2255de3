"""Many probes at once, repeated or not: a request's results from one loop over all its sockets."""

import contextlib
import heapq
import selectors
import time

from . import names
from .flight import Flight

MAX_OPEN = 512
"""Probes under way at once in one agent; the rest of a batch waits for a place, each with its own time-out."""
STARTED_AT_ONCE = 4
"""Probes that one turn of the loop begins at most: an answer must not wait until a whole batch has begun, since how
long it took decides how long silence is waited for."""
STOOD_STILL = 1.0
"""Seconds without a turn of its own after which an agent trusts no silence that it saw, nor what it asked late."""


class Train:
    """Flights under way, each from its own start time on; `run` yields them as they end."""

    def __init__(self, last):
        self.last = last
        """Gives the number of the last repeat that is to start."""
        self.selector = selectors.DefaultSelector()
        self.waiting = []
        self.due = []
        self.open = 0
        self.ended = []
        self.held = {}
        """A kept connection in use -> the flights that wait for it: it answers one question at a time."""

    def add(self, flight, start_at):
        heapq.heappush(self.waiting, (start_at, id(flight), flight))

    def run(self):
        while self.waiting or self.open or self.ended:
            began = time.monotonic()
            self._start()
            waited = self._watch()
            self._tick()
            stood_still = time.monotonic() - began - waited
            if stood_still > STOOD_STILL:
                self._doubt(stood_still)
            ended, self.ended = self.ended, []
            yield from ended

    def close(self):
        """Drop what is under way."""
        for key in list(self.selector.get_map().values()):
            self.selector.unregister(key.fileobj)
            key.data.abandon()
        self.selector.close()

    def _doubt(self, seconds):
        """The process was stopped, or starved: a server that it did not run may have been asked meanwhile, and
        an answer may have come and gone."""
        doubtful = [flight for flight in self.ended if flight.result["outcome"] == "dropped"]
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            doubtful.append(heapq.heappop(self.waiting)[2])
            self.ended.append(doubtful[-1])
        for flight in doubtful:
            flight.finish("error", detail=f"the agent stood still for {seconds:.1f} s")

    def _start(self):
        now = time.monotonic()
        for _ in range(min(STARTED_AT_ONCE, MAX_OPEN - self.open)):
            if not self.waiting or self.waiting[0][0] > now:
                break
            flight = heapq.heappop(self.waiting)[2]
            if flight.number > self.last():
                # Who waits behind it is of this repeat, or of a later one, or looked a name up for an earlier one.
                self.waiting = [place for place in self.waiting if place[2].number <= self.last()]
                heapq.heapify(self.waiting)
                continue
            if flight.held in self.held:
                self.held[flight.held].append(flight)
                continue
            if flight.held is not None:
                self.held[flight.held] = []
            self.open += 1
            flight.start()
            if flight.result is None:
                is_open = flight.datagram or flight.connected
                events = selectors.EVENT_READ if is_open else selectors.EVENT_WRITE
                self.selector.register(flight.sock, events, flight)
                heapq.heappush(self.due, (flight.tick(flight.began), id(flight), flight))
            if flight.result is not None:
                self._land(flight)

    def _watch(self):
        """Handle what comes until the next deadline or start. Gives the seconds that it meant to wait at most."""
        if self.ended:
            return 0.0
        times = [heap[0][0] for heap in (self.due, self.waiting if self.open < MAX_OPEN else []) if heap]
        wait = max(0.0, min(times) - time.monotonic()) if times else 0.0
        for key, events in self.selector.select(wait):
            flight = key.data
            if events & selectors.EVENT_WRITE:
                flight.writable()
                if flight.result is None:
                    self.selector.modify(flight.sock, selectors.EVENT_READ, flight)
            elif events & selectors.EVENT_READ:
                flight.readable()
            if flight.result is not None:
                self._land(flight)
        return wait

    def hurry(self):
        """Servers that accepted but do not answer have no longer than the time-out any more."""
        now = time.monotonic()
        for _, _, flight in list(self.due):
            until = max(now, flight.began + flight.timeout)
            if flight.result is None and flight.connected and until < flight.deadline:
                flight.deadline = until
                heapq.heappush(self.due, (until, id(flight), flight))

    def _tick(self):
        now = time.monotonic()
        while self.due and (self.due[0][0] <= now or self.due[0][2].result is not None):
            flight = heapq.heappop(self.due)[2]
            if flight.result is None:
                again = flight.tick(now)
                if flight.result is None:
                    heapq.heappush(self.due, (again, id(flight), flight))
                else:
                    self._land(flight)

    def _land(self, flight):
        if flight.sock is not None:
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(flight.sock)
            flight.let_go()
        for later in self.held.pop(flight.held, ()):
            self.add(later, 0.0)
        self.open -= 1
        self.ended.append(flight)


def first_flight(probe, spec, timeout):
    """A probe's flight, or the lookup of its host's name before it; or a result, when there can be neither."""
    host = probe["host"]
    if names.is_address(host):
        return Flight(probe, host, spec["token"], timeout)
    resolver = names.resolver_address(spec)
    if resolver is None:
        return name_failed(probe, "no resolver is configured here")
    record = "AAAA" if probe.get("family") == 6 else "A"
    question = {"id": probe["id"], "kind": "lookup", "protocol": "UDP", "port": 53, "name": host, "record": record}
    flight = Flight(question, resolver, "", timeout)
    flight.named = probe
    return flight


def second_flight(lookup, spec, timeout):
    """What follows the lookup of a name: the flight to its address, or a result that says why there is none."""
    result = lookup.result
    if result["outcome"] == "error":
        return {**result, "id": lookup.named["id"]}
    if result["outcome"] != "connected":
        return name_failed(lookup.named, f"{result['host']} did not answer: {result['outcome']}")
    if result["rcode"]:
        return name_failed(lookup.named, {3: "NXDOMAIN"}.get(result["rcode"], f"DNS error {result['rcode']}"))
    if not result["addresses"]:
        return name_failed(lookup.named, "the name has no address of this family")
    return Flight(lookup.named, result["addresses"][0], spec["token"], timeout)


def name_failed(probe, why):
    return {"id": probe["id"], "outcome": "name-failed", "ms": None, "detail": why}


def answer_train(request, spec, last=None):
    """Yield the results of each repeat of a request's probes, in the probes' order, as soon as a repeat has ended.

    Repeats start `every` seconds apart and may overlap: silence costs its time-out once, not once a repeat. The train
    is over after the repeat that `last` names by then (its number, from 0), and with `until` = `connected` after the
    first in which every probe connected: what of later ones is under way is dropped.
    """
    timeout, probes = request["timeout"], request["probes"]
    repeats = request.get("repeat", 1)
    began = time.monotonic() + request.get("after", 0.0)
    train = Train(last or (lambda: repeats - 1))
    until_connected = request.get("until") == "connected"
    results = [{} for _ in range(repeats)]
    yielded = 0

    def put(number, flight, start_at):
        if isinstance(flight, dict):
            results[number][flight["id"]] = flight
        else:
            flight.number = number
            train.add(flight, start_at)

    for number in range(repeats):
        start_at = began + number * request.get("every", 0.0)
        for probe in probes:
            put(number, first_flight(probe, spec, timeout), start_at)
    try:
        for flight in train.run():
            if flight.named is None:
                results[flight.number][flight.probe["id"]] = flight.result
            else:
                put(flight.number, second_flight(flight, spec, timeout), time.monotonic())
            end = train.last()
            if flight.number == end and len(results[end]) == len(probes):
                # What was accepted before a deny came into force has newer answers now, and waits for nothing.
                train.hurry()
            while yielded <= end and len(results[yielded]) == len(probes):
                found = [results[yielded][probe["id"]] for probe in probes]
                yield found
                yielded += 1
                if until_connected and all(result["outcome"] == "connected" for result in found):
                    return
            if yielded > end:
                return
        for number in range(yielded, train.last() + 1):
            yield [results[number][probe["id"]] for probe in probes]
    finally:
        train.close()


def answer_batch(request, spec):
    """All results of a request that has no repeats."""
    return next(answer_train(request, spec))
