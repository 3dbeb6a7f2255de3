"""A driver without a network, for the tests of rooms above it: a table says what each probe sees, and when."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from netproof.clusters.recipes import Recipe
from netproof.drivers import DriverOptions, Environment
from netproof.errors import AgentLost
from netproof.model import Channel, Manifest, Placement, Say, Topology
from netproof.model.placement import place_on_paper

Sees = Callable[[str, Mapping[str, Any]], str]
"""(source endpoint, probe request with its time-out) -> outcome word (and `: detail`); `lost` ends the stream."""


class FakeChannel:
    """Rounds come at once, but none before the caller would have waited for it."""

    def __init__(self, endpoint: str, driver: FakeDriver) -> None:
        self.endpoint, self.driver = endpoint, driver
        self.request: dict[str, Any] = {}
        self.repeats: list[list[dict[str, Any]]] = []
        self.last = 0
        self.sent = 0.0

    def send(self, line: str) -> None:
        request = json.loads(line)
        self.last = request["last"] if "last" in request else request["repeat"] - 1
        if "last" not in request:
            self.request, self.repeats, self.sent = request, [], time.monotonic()

    def receive(self, timeout: float) -> str:
        number = {"round": self.request["round"]}
        while len(self.repeats) <= self.last:
            if self.sent + len(self.repeats) * self.request["every"] > time.monotonic() + timeout:
                threading.Event().wait(timeout)
                raise TimeoutError
            self.repeats.append(self._round())
            before, said = ([None], *([r["outcome"] for r in results] for results in self.repeats))[-2:]
            if len(self.repeats) == 1:
                before = [probe.get("was", now) for probe, now in zip(self.request["probes"], said, strict=True)]
            if self.request.get("until") == "connected" and set(said) == {"connected"}:
                self.last = len(self.repeats) - 1
            elif [word == "connected" for word in before] != [word == "connected" for word in said]:
                return json.dumps({**number, "changed": len(self.repeats) - 1})
        results, *again = self.repeats
        return json.dumps({**number, "results": results, "again": again, "took": 0})

    def _round(self) -> list[dict[str, Any]]:
        self.driver.rounds_asked += 1
        results = []
        for probe in self.request["probes"]:
            asked = {**probe, "timeout": self.request["timeout"]}
            outcome = "lost" if self.endpoint in self.driver.gone else self.driver.sees(self.endpoint, asked)
            if outcome == "lost":
                raise AgentLost(f"the agent of {self.endpoint} has ended")
            outcome, _, detail = outcome.partition(": ")
            result = {"id": probe["id"], "outcome": outcome, "ms": self.driver.ms, "host": probe["host"]}
            results.append(result | ({"detail": detail} if detail else {}))
        return results

    def close(self) -> None:
        self.repeats.clear()


class FakeDriver:
    """Enforces nothing by itself: `sees` decides. By default everything connects until policies are applied, and then
    what `denied` names (source, host) is dropped. What is put into `gone` is there no more until it is deployed."""

    def __init__(self, recipe: Recipe | None = None, options: DriverOptions | None = None) -> None:
        self.applied: list[Manifest] = []
        self.denied: set[tuple[str, str]] = set()
        self.gone: set[str] = set()
        self.is_lost = ""
        self.ms = 1.0
        self.rounds_asked = 0
        self.sees: Sees = self._sees
        self.stopped: bool | None = None
        self.placement = Placement(addresses={})

    def _sees(self, source: str, probe: Mapping[str, Any]) -> str:
        return "dropped" if self.applied and (source, probe["host"]) in self.denied else "connected"

    def start(self, say: Say) -> Environment:
        return Environment(driver="fake", cni="fake", cni_version="1", kernel="none", nodes=("one", "two"))

    def handle(self) -> Mapping[str, str]:
        return {}

    def attach(self, handle: Mapping[str, str]) -> Environment:
        return self.start(lambda _: None)

    def deploy(self, topology: Topology, say: Say) -> Placement:
        self.placement = place_on_paper(topology)
        self.gone.clear()
        return self.placement

    def open(self, endpoint: str) -> Channel:
        if endpoint in self.gone:
            raise AgentLost(f"{endpoint} is gone", gone=True)
        return FakeChannel(endpoint, self)

    def apply(self, manifests: Sequence[Manifest]) -> None:
        self.applied.extend(manifests)

    def delete(self, manifests: Sequence[Manifest]) -> None:
        self.applied = [manifest for manifest in self.applied if manifest not in manifests]

    def reshape(self, topology: Topology) -> Placement:
        return self.deploy(topology, lambda _: None)

    def reset(self) -> None:
        self.applied.clear()

    def disturbed(self) -> str:
        return ""

    def lost(self) -> str:
        return self.is_lost

    def evidence(self) -> Mapping[str, str]:
        return {"view.txt": "the fake driver's own view\n"}

    def reproduce(self, source: str, host: str, port: int, protocol: str) -> str:
        return f"probe {source} {host} {port} {protocol}"

    def stop(self, *, keep: bool) -> None:
        self.stopped = keep
