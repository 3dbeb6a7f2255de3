"""The API server as a sender: what it says of a webhook's call, and the batches of its caller."""

from __future__ import annotations

import json
from typing import Any

import pytest

from netproof.drivers.kubernetes.admission import Caller, clear, interpret
from netproof.drivers.kubernetes.objects import Refused
from netproof.errors import AgentLost
from netproof.model import Outcome
from netproof.probing.agent import tls

CALL = (
    'failed calling webhook "called.netproof.dev": failed to call webhook: Post "https://10.244.1.5:9443/?timeout=1s": '
)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("remote error: tls: alert(200)", Outcome.CONNECTED),
        ("remote error: tls: alert(201)", Outcome.ERROR),
        ("context deadline exceeded", Outcome.DROPPED),
        ("dial tcp 10.244.1.5:9443: i/o timeout", Outcome.DROPPED),
        (
            "net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
            Outcome.DROPPED,
        ),
        ("dial tcp 10.244.1.5:9443: connect: connection refused", Outcome.REFUSED),
        ("dial tcp 10.244.1.5:9443: connect: no route to host", Outcome.REJECTED),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", Outcome.ERROR),
        ("EOF", Outcome.ERROR),
    ],
)
def test_what_the_api_server_says_becomes_an_outcome(said: str, outcome: Outcome) -> None:
    assert interpret(Refused("trying", 500, CALL + said), {200: "stageset/controller"})[0] is outcome


def test_an_api_server_that_does_not_answer_has_seen_nothing() -> None:
    assert interpret(Refused("trying", 0, "timeout: context deadline exceeded"), {})[0] is Outcome.ERROR


class Server:
    """An API server that calls `alert` or, without one, nobody."""

    def __init__(self, alert: int | None) -> None:
        self.alert = alert
        self.there: list[str] = []
        self.tried = 0

    def apply(self, manifest: Any, *, dry_run: bool = False) -> dict[str, Any]:
        if not dry_run:
            self.there.append(manifest["metadata"]["name"])
        elif self.alert is not None:
            self.tried += 1
            assert manifest["metadata"]["labels"] == {"netproof.dev/called": "netproof-10.0.0.1-443"}
            raise Refused("trying", 500, f"{CALL}remote error: tls: alert({self.alert})")
        return {}

    def list(self, path: str, *, label_selector: str) -> Any:
        assert (path.rpartition("/")[2], label_selector) == (
            "validatingwebhookconfigurations",
            "netproof.dev/managed=true",
        )
        return [{"metadata": {"name": name}} for name in self.there]

    def delete(self, ref: Any) -> None:
        self.there = [name for name in self.there if name != ref.name]


def request(**more: Any) -> str:
    probe = {"id": 0, "kind": "admission", "host": "10.0.0.1", "port": 443, "expect": ["shop/hook"]}
    whole = {"round": 3, "timeout": 0.25, "after": 0.0, "repeat": 1, "every": 0.0, "probes": [probe], **more}
    return json.dumps(whole)


def test_a_train_of_calls_is_answered_as_an_agent_would_and_leaves_no_webhook() -> None:
    api = Server(tls.alert("shop/hook"))
    caller = Caller(api)  # type: ignore[arg-type]
    caller.send(request(repeat=3, every=0.01))
    answer = json.loads(caller.receive(5))
    assert (answer["round"], api.tried, len(answer["again"])) == (3, 3, 2)
    assert {one["outcome"] for batch in (answer["results"], *answer["again"]) for one in batch} == {"connected"}
    assert api.there == ["netproof-10.0.0.1-443"]
    caller.close()
    assert api.there == []


def test_an_object_that_is_accepted_shows_that_nobody_was_called() -> None:
    caller = Caller(Server(None))  # type: ignore[arg-type]
    caller.send(request())
    (result,) = json.loads(caller.receive(5))["results"]
    assert (result["outcome"], result["detail"]) == ("error", "the API server did not call the webhook")
    caller.close()


def test_an_api_server_that_takes_no_webhook_is_a_lost_sender() -> None:
    class Refusing(Server):
        def apply(self, manifest: Any, *, dry_run: bool = False) -> dict[str, Any]:
            raise Refused("applying", 403, "forbidden")

    caller = Caller(Refusing(None))  # type: ignore[arg-type]
    caller.send(request())
    with pytest.raises(AgentLost, match="forbidden"):
        caller.receive(5)
    caller.close()


def test_what_a_killed_run_left_is_removed() -> None:
    api = Server(None)
    api.there = ["netproof-10.0.0.1-443", "netproof-10.0.0.2-443"]
    clear(api)  # type: ignore[arg-type]
    assert api.there == []
