"""The API server as the sender of probes: it calls the destination as a validating webhook, at an object that is tried
and not made (a dry run). What it says of the call is what the probe saw: the agent at the other end answers the TLS
handshake with an alert of its own number, so that even who answered is known."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from contextlib import suppress
from typing import Any

from netproof.drivers.kubernetes.manifests import MANAGED
from netproof.drivers.kubernetes.objects import Api, Ref, Refused
from netproof.errors import AgentLost
from netproof.model import Manifest, Outcome
from netproof.probing.agent import tls

ADMISSION = "admissionregistration.k8s.io/v1"
LABEL = "netproof.dev/called"
"""Of the objects that are tried: the webhook that is called for them, and for nothing else."""
OURS = f"{MANAGED}=true"
PATIENCE = 1
"""Seconds that the API server waits for a webhook: the least that it takes."""
CONCURRENT = 32
ANSWERED = re.compile(r"tls: alert\((\d+)\)")
WORDS = (
    ("connection refused", Outcome.REFUSED),
    ("no route to host", Outcome.REJECTED),
    ("network is unreachable", Outcome.REJECTED),
    ("connection reset", Outcome.REJECTED),
    ("deadline exceeded", Outcome.DROPPED),
    ("i/o timeout", Outcome.DROPPED),
    ("Client.Timeout", Outcome.DROPPED),
)
"""What the API server says of a call that failed -> what happened to it."""


class Caller:
    """Answers batches of probes in the agents' protocol. Satisfies `netproof.drivers.Channel`."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._hooks: dict[tuple[str, int], Manifest] = {}
        self._pool = ThreadPoolExecutor(CONCURRENT, thread_name_prefix="netproof-admission")
        self._batches = ThreadPoolExecutor(1, thread_name_prefix="netproof-admissions")
        self._answer: Future[str] | None = None
        self._last = 0

    def send(self, line: str) -> None:
        request = json.loads(line)
        if "last" in request:
            self._last = request["last"]
            return
        self._last = request["repeat"] - 1
        self._answer = self._batches.submit(self._batch, request)

    def receive(self, timeout: float) -> str:
        assert self._answer, "send comes first"
        try:
            return self._answer.result(timeout)
        except TooLate:
            raise TimeoutError from None
        except Refused as error:
            raise AgentLost(f"the API server calls nobody: {error}") from None

    def close(self) -> None:
        self._batches.shutdown()
        self._pool.shutdown()
        for hook in self._hooks.values():
            with suppress(Refused):
                self._api.delete(Ref.of(hook))

    def _batch(self, request: Mapping[str, Any]) -> str:
        began = time.monotonic()
        for probe in request["probes"]:
            self._register(probe["host"], probe["port"])
        calls: list[list[Future[dict[str, Any]]]] = []
        for number in range(request["repeat"]):
            # A train's rounds have their times, whatever became of the one before; agents keep them by their selector.
            time.sleep(max(0.0, began + request["after"] + number * request["every"] - time.monotonic()))
            if number > self._last or (request.get("until") == "connected" and _all_connected(calls[-1:])):
                break
            calls.append([self._pool.submit(self._call, probe) for probe in request["probes"]])
        results, *again = [[call.result() for call in batch] for batch in calls]
        took = time.monotonic() - began
        return json.dumps({"round": request["round"], "results": results, "again": again, "took": took})

    def _register(self, host: str, port: int) -> None:
        if (host, port) not in self._hooks:
            self._hooks[host, port] = hook = webhook(host, port)
            self._api.apply(hook)

    def _call(self, probe: Mapping[str, Any]) -> dict[str, Any]:
        began = time.monotonic()
        try:
            self._api.apply(object_to_try(probe["host"], probe["port"]), dry_run=True)
        except Refused as error:
            outcome, detail = interpret(error, {tls.alert(name): name for name in probe["expect"]})
        else:
            outcome, detail = Outcome.ERROR, "the API server did not call the webhook"
        ms = round((time.monotonic() - began) * 1000, 2)
        return {"id": probe["id"], "outcome": outcome.value, "ms": ms, "host": probe["host"], "detail": detail}


def _all_connected(batches: Sequence[Sequence[Future[dict[str, Any]]]]) -> bool:
    """Whether there is a last batch, and all of it has ended well."""
    return bool(batches) and all(c.done() and c.result()["outcome"] == Outcome.CONNECTED for c in batches[-1])


def clear(api: Api) -> None:
    """Remove the webhooks that a killed run left on a cluster of ours."""
    for hook in api.list(f"/apis/{ADMISSION}/validatingwebhookconfigurations", label_selector=OURS):
        api.delete(Ref(ADMISSION, "ValidatingWebhookConfiguration", "", hook["metadata"]["name"]))


def interpret(error: Refused, expected: Mapping[int, str]) -> tuple[Outcome, str]:
    """What became of a call, in the API server's words."""
    if not error.status:
        return Outcome.ERROR, error.answer
    if found := ANSWERED.search(error.answer):
        number = int(found[1])
        if number in expected:
            return Outcome.CONNECTED, ""
        return Outcome.ERROR, f"somebody else than {' or '.join(expected.values())} answered"
    outcome = next((outcome for words, outcome in WORDS if words in error.answer), Outcome.ERROR)
    return outcome, f"the API server: {error.answer}"


def _name(host: str, port: int) -> str:
    return f"netproof-{host.replace(':', '-')}-{port}"


def webhook(host: str, port: int) -> Manifest:
    """One that is called for the objects with our label and this value, and for nothing else."""
    address = f"[{host}]" if ":" in host else host
    name = _name(host, port)
    return {
        "apiVersion": ADMISSION,
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name, "labels": {MANAGED: "true"}},
        "webhooks": [
            {
                "name": "called.netproof.dev",
                "admissionReviewVersions": ["v1"],
                "clientConfig": {"url": f"https://{address}:{port}/"},
                "failurePolicy": "Fail",
                "objectSelector": {"matchLabels": {LABEL: name}},
                "rules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
                ],
                "sideEffects": "None",
                "timeoutSeconds": PATIENCE,
            }
        ],
    }


def object_to_try(host: str, port: int) -> Manifest:
    name = _name(host, port)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": "default", "name": name, "labels": {LABEL: name}},
    }
