"""Requests of a run under way: an API server that is away for a while makes them late, and no error."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import urllib3

from netproof.drivers.kubernetes.objects import Api, Ref, Refused, Unknown, submit, withdraw
from netproof.errors import ClusterError, InputError

POLICY = {"apiVersion": "v1", "kind": "Policy", "metadata": {"name": "p", "namespace": "x"}}
AWAY = Refused("applying it", 0, "connection refused")


class FakeApi:
    """Answers each request with the next of its answers, the last one for ever."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.asked = 0

    def _answer(self) -> None:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is not None:
            raise answer

    def apply(self, manifest: Any) -> Any:
        self._answer()
        return manifest

    def replace(self, manifest: Any) -> Any:
        self._answer()
        return {**manifest, "replaced": True}

    def delete(self, ref: Ref) -> None:
        self._answer()


REQUESTS: list[Callable[[Api, float], object]] = [
    lambda api, outage: submit(api, POLICY, outage=outage),
    lambda api, outage: withdraw(api, Ref.of(POLICY), outage=outage),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=["submit", "withdraw"])
def test_a_request_that_nobody_answers_is_asked_again(request_: Callable[[Api, float], object]) -> None:
    fake = FakeApi(AWAY, Refused("applying it", 503, "starting"), None)
    request_(cast(Api, fake), 10)
    assert fake.asked == 3
    with pytest.raises(ClusterError, match=r"took longer than 0 s(.|\n)*connection refused"):
        request_(cast(Api, FakeApi(AWAY)), 0.1)


def test_what_is_refused_is_refused_at_once() -> None:
    fake = FakeApi(Refused("applying it", 422, "spec.podSelector: Required value"))
    with pytest.raises(InputError, match=r"Policy x/p is refused by the API server: spec\.podSelector"):
        submit(cast(Api, fake), POLICY)
    assert fake.asked == 1


def test_a_kind_that_is_not_known_is_waited_for_a_little_while() -> None:
    with pytest.raises(InputError, match="the cluster knows no Policy of v1: this CNI lacks that API"):
        submit(cast(Api, FakeApi(Unknown("looking for it", 404, "no such kind"))), POLICY, patience=0)


def test_what_is_there_is_replaced_also_when_somebody_else_was_quicker() -> None:
    fake = FakeApi(Refused("replacing it", 409, "the object has been modified"), None)
    assert submit(cast(Api, fake), POLICY, replace=True)["replaced"]
    assert fake.asked == 2


def test_a_conflict_of_what_is_not_replaced_is_told() -> None:
    with pytest.raises(InputError, match="modified"):
        submit(cast(Api, FakeApi(Refused("applying it", 409, "modified"))), POLICY)


def test_an_api_server_that_is_away_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"  # nobody listens
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(
            json.dumps(
                {
                    "clusters": [{"name": "c", "cluster": {"server": address}}],
                    "users": [{"name": "u", "user": {}}],
                    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                    "current-context": "x",
                }
            )
        )
        with pytest.raises(Refused, match="reading /api/v1/nodes"):
            Api(kubeconfig).list("/api/v1/nodes")
    assert caplog.records == []


def test_attempts_of_our_requests_are_not_warned_of_and_those_of_others_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]  # nobody listens there any more
    host = f"http://127.0.0.1:{port}"
    kubeconfig = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": host}}],
        "users": [{"name": "u", "user": {}}],
    }
    (tmp_path / "config").write_text(json.dumps(kubeconfig))
    with pytest.raises(Refused, match="does not answer"):
        Api(tmp_path / "config").version()
    assert not [record for record in caplog.records if record.name.startswith("urllib3")]
    with pytest.raises(urllib3.exceptions.MaxRetryError):
        urllib3.PoolManager().request("GET", host)
    assert "Retrying" in caplog.text
