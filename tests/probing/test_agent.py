"""The agent against real sockets of this machine: what each probe says it saw."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netproof.probing.agent import flight, train
from netproof.probing.agent.first import summary
from netproof.probing.agent.flight import ANSWER_TIME, let_go_of_held
from netproof.probing.agent.main import probe_loop
from netproof.probing.agent.server import Server
from netproof.probing.agent.train import answer_batch, answer_train
from netproof.probing.bundle import archive
from tests.fakes.agents import TOKEN, ask, free_port, serving, stranger


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    found = {"TCP": free_port(socket.SOCK_STREAM), "UDP": free_port(socket.SOCK_DGRAM)}
    with serving("ns/pod", found):
        yield found


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_an_answer_with_the_nonce_is_connected_and_tells_who_and_from_where(
    ports: dict[str, int], protocol: str
) -> None:
    (result,) = ask({"protocol": protocol, "port": ports[protocol], "expect": ["ns/pod"]})
    assert (result["outcome"], result["server"], result["peer"]) == ("connected", "ns/pod", "127.0.0.1")


def test_the_wrong_server_is_an_error_never_a_connection(ports: dict[str, int]) -> None:
    (result,) = ask({"protocol": "TCP", "port": ports["TCP"], "expect": ["ns/other"]})
    assert result["outcome"] == "error"
    assert result["detail"] == "reached ns/pod instead of ns/other"


def test_a_reset_is_refused() -> None:
    (result,) = ask({"protocol": "TCP", "port": free_port(socket.SOCK_STREAM)})
    assert (result["outcome"], result["detail"]) == ("refused", "ECONNREFUSED")


def test_a_udp_port_that_nobody_has_is_refused() -> None:
    (result,) = ask({"protocol": "UDP", "port": free_port(socket.SOCK_DGRAM)})
    assert result["outcome"] == "refused"


def test_silence_is_dropped_after_the_time_out() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        (result,) = ask({"protocol": "UDP", "port": mute.getsockname()[1]}, timeout=0.2)
    assert (result["outcome"], result["detail"]) == ("dropped", "no answer to 3 datagrams")
    assert 200 <= float(str(result["ms"])) < 1000


def test_a_server_that_accepts_and_says_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight, "ANSWER_TIME", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        (result,) = ask({"protocol": "TCP", "port": mute.getsockname()[1]}, timeout=0.2)
    assert (result["outcome"], result["detail"]) == ("dropped", "connected, but no answer")


def test_a_busy_server_is_late_and_not_dropped() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:

        def answer() -> None:
            connection, _ = busy.accept()
            nonce = connection.recv(200).split()[2].decode()
            time.sleep(0.6)
            connection.sendall(json.dumps({"nonce": nonce, "name": "busy", "peer": ["127.0.0.1", 1]}).encode() + b"\n")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        (result,) = ask({"protocol": "TCP", "port": busy.getsockname()[1]}, timeout=0.2)
    assert result["outcome"] == "connected"
    assert float(str(result["ms"])) >= 600


def test_a_connection_that_went_silent_does_not_hold_up_the_rounds_after_it() -> None:
    """As when a deny comes into force between a handshake and its answer; the last round has all its time."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            silent = server.accept()
            for _ in range(2):
                connection, _ = server.accept()
                nonce = connection.recv(200).split()[2].decode()
                time.sleep(0.3)
                about = {"nonce": nonce, "name": "late", "peer": ["127.0.0.1", 1]}
                connection.sendall(json.dumps(about).encode() + b"\n")
                connection.close()
            done.wait(10)
            silent[0].close()

        threading.Thread(target=answer, daemon=True).start()
        probe = {"id": 0, "protocol": "TCP", "host": "127.0.0.1", "port": server.getsockname()[1]}
        request = {"timeout": 0.2, "repeat": 3, "every": 0.05, "probes": [probe]}
        began = time.monotonic()
        rounds = [results[0]["outcome"] for results in answer_train(request, {"token": TOKEN})]
        assert time.monotonic() - began < ANSWER_TIME
        done.set()
    assert rounds == ["dropped", "connected", "connected"]


def test_an_agent_that_stood_still_vouches_for_nothing_and_saw_no_silence(
    ports: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped after the first repeat was sent, and goes on when the time of the second has passed."""

    class Stopped(train.selectors.DefaultSelector):  # type: ignore[misc,name-defined]
        turns = 0

        def select(self, timeout: float | None = None) -> Any:
            found = super().select(timeout)
            Stopped.turns += 1
            if Stopped.turns == 2:
                time.sleep(0.8)
            return found

    monkeypatch.setattr(train.selectors, "DefaultSelector", Stopped)
    monkeypatch.setattr(train, "STOOD_STILL", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        probes = [
            {"id": 0, "protocol": "TCP", "host": "127.0.0.1", "port": ports["TCP"]},
            {"id": 1, "protocol": "UDP", "host": "127.0.0.1", "port": free_port(socket.SOCK_DGRAM)},
            {"id": 2, "protocol": "TCP", "host": "127.0.0.1", "port": mute.getsockname()[1]},
        ]
        monkeypatch.setattr(flight, "ANSWER_TIME", 0.1)
        request = {"timeout": 0.2, "repeat": 3, "every": 0.6, "probes": probes}
        first, second, third = answer_train(request, {"token": TOKEN})
    assert [result["outcome"] for result in first] == ["connected", "refused", "error"]
    assert {result["detail"] for result in second} == {first[2]["detail"]}
    assert first[2]["detail"].startswith("the agent stood still for 0.")
    assert [result["outcome"] for result in third] == ["connected", "refused", "dropped"]


def test_somebody_who_does_not_know_the_token_gets_no_answer(ports: dict[str, int]) -> None:
    tcp, udp = ask(
        {"protocol": "TCP", "port": ports["TCP"]}, {"protocol": "UDP", "port": ports["UDP"]}, token="guess", timeout=0.2
    )
    assert tcp["outcome"] == "error"
    assert udp["outcome"] == "dropped"


def test_a_stranger_on_the_port_is_an_error() -> None:
    with stranger(b"HTTP/1.1 400 Bad Request\r\n") as port:
        (result,) = ask({"protocol": "TCP", "port": port})
    assert (result["outcome"], result["detail"]) == ("error", "somebody else answered: not an agent")


def test_a_batch_of_many_probes_runs_concurrently_and_in_order(ports: dict[str, int]) -> None:
    results = ask(*({"protocol": p, "port": ports[p]} for _ in range(300) for p in ("TCP", "UDP")), timeout=5.0)
    assert [result["id"] for result in results] == list(range(600))
    assert {result["outcome"] for result in results} == {"connected"}


class Dns:
    """A DNS server of one answer, by UDP and TCP, written by hand from RFC 1035."""

    def __init__(self, code: int = 0, address: bytes = bytes([10, 0, 0, 9])) -> None:
        self.code, self.address = code, address
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        for target in (self._udp, self._tcp):
            threading.Thread(target=target, daemon=True).start()

    def _answer(self, query: bytes) -> bytes:
        question = query[12:]
        counts = b"\0\1" + (b"\0\0" if self.code else b"\0\1") + b"\0\0\0\0"
        answer = b"" if self.code else b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4" + self.address
        return query[:2] + bytes([0x81, 0x80 | self.code]) + counts + question + answer

    def _udp(self) -> None:
        while True:
            query, peer = self.udp.recvfrom(512)
            self.udp.sendto(self._answer(query), peer)

    def _tcp(self) -> None:
        while True:
            connection, _ = self.tcp.accept()
            answer = self._answer(connection.recv(514)[2:])
            connection.sendall(len(answer).to_bytes(2, "big") + answer)


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_a_lookup_connects_when_the_server_answers_whatever_it_answers(protocol: str) -> None:
    for server, addresses in ((Dns(), ["10.0.0.9"]), (Dns(code=3), [])):
        asked = {"kind": "lookup", "protocol": protocol, "port": server.port, "name": "a.example"}
        (result,) = ask(asked, timeout=5.0)
        assert (result["outcome"], result["addresses"], result["rcode"]) == ("connected", addresses, server.code)


def test_a_name_without_a_resolver_fails_as_a_name() -> None:
    asked = {"timeout": 0.2, "probes": [{"id": 0, "protocol": "TCP", "host": "nobody.invalid", "port": 80}]}
    (result,) = answer_batch(asked, {"token": TOKEN, "resolver": "127.0.0.254"})
    assert result["outcome"] == "name-failed"


def test_the_file_runs_alone_with_the_standard_library(ports: dict[str, int], tmp_path: Path) -> None:
    bundle = tmp_path / "agent.pyz"
    bundle.write_bytes(archive())
    request = {"round": 4, "timeout": 0.5, "probes": [{"id": 0, "protocol": "TCP", "host": "127.0.0.1"}]}
    request["probes"][0]["port"] = ports["TCP"]  # type: ignore[index]
    spec = {"name": "ns/alone", "token": TOKEN}
    command = [sys.executable, "-I", "-S", str(bundle), "serve", json.dumps(spec)]
    lines = f'{{"round": 3, "pro\n{json.dumps(request)}\n'
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=20, check=True)
    ready, answered = done.stdout.splitlines()
    assert ready == 'ready {"missing": []}'
    answer = json.loads(answered)
    assert (answer["round"], answer["results"][0]["outcome"]) == (4, "connected")


def test_a_new_pod_remembers_its_first_attempts_in_both_directions(ports: dict[str, int]) -> None:
    own, nobody = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
    there = {"host": "127.0.0.1", "port": ports["TCP"]}
    first = {
        "seconds": 0.1,
        "probes": [
            there,
            {"host": "127.0.0.1", "port": nobody},
            {"kind": "back", **there, "back": own},
            {"kind": "back", **there, "back": nobody},
            {"kind": "back", "host": "127.0.0.1", "port": nobody, "back": own},
        ],
    }
    spec = {"name": "ns/new", "token": TOKEN, "ports": [{"protocol": "TCP", "port": own}], "first": first}
    server = Server(spec)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    (early,) = ask({"protocol": "TCP", "port": own, "kind": "first", "index": 0})
    server.try_first()
    results = ask(*({"protocol": "TCP", "port": own, "kind": "first", "index": index} for index in range(6)))
    server.stop()
    thread.join(5)
    assert (early["outcome"], early["detail"]) == ("error", "this pod has no such first attempts")
    outcomes = ["connected", "refused", "connected", "refused", "error", "error"]
    assert [result["outcome"] for result in results] == outcomes
    assert results[0]["detail"] == "connected from 0 ms after its first instruction; 5 attempts in 0.1 s"
    assert results[4]["detail"] == "nobody could be asked to dial back: refused"


def test_first_attempts_are_told_in_the_order_in_which_outcomes_came() -> None:
    outcomes = ["dropped", "dropped", "connected", "dropped"]
    told = summary({"id": 0}, [{"outcome": outcome} for outcome in outcomes], "ns/new")
    assert told["outcome"] == "connected"
    assert told["detail"].startswith("dropped from 0 ms, then connected from 40 ms, then dropped from 60 ms after")


def test_only_those_who_know_the_token_are_dialled_back(ports: dict[str, int]) -> None:
    probe = {"protocol": "TCP", "port": ports["TCP"], "kind": "back", "back": free_port(socket.SOCK_STREAM)}
    (result,) = ask(probe, token="guess")
    assert (result["outcome"], result["detail"]) == ("error", "the server closed the connection without an answer")


@pytest.mark.parametrize("was", ["connected", "denied", None])
def test_a_repeat_says_only_what_is_new(ports: dict[str, int], was: str | None) -> None:
    """The server goes after the first repeat: the second has the refusal, the third nothing to add. To a sender who
    knows what was before, each change is told as soon as it is seen."""
    port = free_port(socket.SOCK_STREAM)
    server = Server({"name": "ns/short", "token": TOKEN, "ports": [{"protocol": "TCP", "port": port}]})
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    probes = [{"id": 0, "protocol": "TCP", "host": "127.0.0.1", "port": port}]
    probes.append({"id": 1, "protocol": "TCP", "host": "127.0.0.1", "port": ports["TCP"]})
    if was:
        probes[0]["was"] = was
    request = {"round": 5, "timeout": 0.5, "repeat": 3, "every": 1.0, "probes": probes}

    def end() -> None:
        server.stop()
        thread.join()
        for key in list(server.selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]

    threading.Timer(0.5, end).start()
    written = io.StringIO()
    probe_loop({"token": TOKEN}, [json.dumps(request)], written)
    *told, answer = map(json.loads, written.getvalue().splitlines())
    numbers = {"connected": [1], "denied": [0, 1], None: []}[was]
    assert told == [{"round": 5, "changed": number} for number in numbers]
    assert [result["outcome"] for result in answer["results"]] == ["connected", "connected"]
    (refused, same), nothing = answer["again"]
    assert refused["outcome"] == "refused"
    assert same is None
    assert nothing == [None, None]


def tried(ports: dict[str, int], *, mute: int = 0, **more: Any) -> dict[str, Any]:
    """A train of twenty rounds, 0.05 s apart, of a server that answers and maybe of a port that says nothing."""
    probes = [{"id": 0, "protocol": "TCP", "host": "127.0.0.1", "port": ports["TCP"]}]
    if mute:
        probes.append({"id": 1, "protocol": "UDP", "host": "127.0.0.1", "port": mute})
    return {"round": 5, "timeout": 0.3, "repeat": 20, "every": 0.05, "probes": probes, **more}


@pytest.mark.parametrize("is_silent", [False, True])
def test_a_train_that_is_told_its_last_round_ends_with_it(ports: dict[str, int], is_silent: bool) -> None:
    """What is under way of later rounds is not waited for: silence costs one time-out after the last."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        request = tried(ports, mute=mute.getsockname()[1] if is_silent else 0)

        def lines() -> Iterator[str]:
            yield json.dumps(request)
            time.sleep(0.2)
            yield json.dumps({"round": 4, "last": 0})
            yield json.dumps({"round": 5, "last": 6})

        written = io.StringIO()
        probe_loop({"token": TOKEN}, lines(), written)
    (line,) = written.getvalue().splitlines()
    answer = json.loads(line)
    assert len(answer["again"]) == 6
    assert answer["again"] == [[None] * len(request["probes"])] * 6
    assert answer["took"] < 0.3 + 0.3 + 0.25


def test_the_quickest_of_the_later_repeats_is_told_as_the_last() -> None:
    """The server takes its time with each answer but the second."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        for number in range(4):
            connection, _ = listener.accept()
            with connection, connection.makefile("r") as lines:
                nonce = lines.readline().split()[2]
                time.sleep(0.05 if number == 1 else 0.2)
                told = {"nonce": nonce, "name": "ns/slow", "peer": ["127.0.0.1", 1]}
                connection.sendall(json.dumps(told).encode() + b"\n")

    threading.Thread(target=answer, daemon=True).start()
    probe = {"id": 0, "protocol": "TCP", "host": "127.0.0.1", "port": listener.getsockname()[1]}
    request = {"round": 1, "timeout": 2.0, "repeat": 4, "every": 0.4, "quickest": True, "probes": [probe]}
    written = io.StringIO()
    probe_loop({"token": TOKEN}, [json.dumps(request)], written)
    answered = json.loads(written.getvalue())
    (last,) = answered["again"].pop()
    assert answered["again"] == [[None], [None]]
    assert answered["results"][0]["ms"] >= 200
    assert 50 <= last["ms"] < 200
    assert last["outcome"] == "connected"


def test_a_train_until_all_connect_ends_with_the_first_round_in_which_they_do(ports: dict[str, int]) -> None:
    """The second server comes after a while."""
    port = free_port(socket.SOCK_STREAM)
    request = tried(ports, until="connected")
    request["probes"].append({"id": 1, "protocol": "TCP", "host": "127.0.0.1", "port": port})
    late = Server({"name": "ns/late", "token": TOKEN})

    def begin() -> None:
        late._listen("TCP", port)
        late.run()

    thread = threading.Timer(0.2, begin)
    thread.start()
    written = io.StringIO()
    probe_loop({"token": TOKEN}, [json.dumps(request)], written)
    late.stop()
    thread.join()
    (line,) = written.getvalue().splitlines()
    answer = json.loads(line)
    assert 3 <= len(answer["again"]) < 19
    assert [result["outcome"] for result in answer["results"]] == ["connected", "refused"]
    assert [result and result["outcome"] for result in answer["again"][-1]] == [None, "connected"]


def test_a_kept_connection_is_asked_one_question_at_a_time_however_late_the_rounds_are() -> None:
    """The server answers each question after 0.2 s; rounds are 0.05 s apart."""
    listener = socket.create_server(("127.0.0.1", 0))
    accepted = []

    def answer_slowly() -> None:
        connection, _ = listener.accept()
        accepted.append(connection)
        for line in connection.makefile("r"):
            time.sleep(0.2)
            answer = {"nonce": line.split()[2], "name": "ns/slow", "peer": ["127.0.0.1", 1]}
            connection.sendall(json.dumps(answer).encode() + b"\n")

    threading.Thread(target=answer_slowly, daemon=True).start()
    host = {"protocol": "TCP", "host": "127.0.0.1", "port": listener.getsockname()[1]}
    probe = {"id": 0, "kind": "held", "key": "slow", **host}
    trains = answer_train({"timeout": 2.0, "repeat": 4, "every": 0.05, "probes": [probe]}, {"token": TOKEN})
    assert [results[0]["outcome"] for results in trains] == ["connected"] * 4
    assert len(accepted) == 1
    let_go_of_held()


def test_a_probe_that_breaks_the_agent_is_an_error_and_the_agent_goes_on(ports: dict[str, int]) -> None:
    bad = {"round": 1, "timeout": 0.5, "repeat": 2, "probes": [{"id": 0, "protocol": "TCP"}]}
    good = {"round": 2, "timeout": 0.5, "probes": [{"id": 0, "protocol": "TCP", "host": "127.0.0.1"}]}
    good["probes"][0]["port"] = ports["TCP"]  # type: ignore[index]
    written = io.StringIO()
    probe_loop({"token": TOKEN}, [json.dumps(bad), json.dumps(good)], written)
    first, second = map(json.loads, written.getvalue().splitlines())
    assert first["results"] == [{"id": 0, "outcome": "error", "detail": "the agent failed: KeyError: 'host'"}]
    assert first["again"] == [[None]]
    assert second["results"][0]["outcome"] == "connected"


def test_answers_are_read_while_a_batch_begins(ports: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that waited until the last probe had begun would tell of the agent's own queue, not of the network."""
    begun: list[int] = [0]
    start, watch = flight.Flight.start, train.Train._watch

    def counting(self: Any) -> None:
        begun[-1] += 1
        start(self)

    def turning(self: Any) -> float:
        begun.append(0)
        return float(watch(self))

    monkeypatch.setattr(flight.Flight, "start", counting)
    monkeypatch.setattr(train.Train, "_watch", turning)
    results = ask(*[{"protocol": "TCP", "port": ports["TCP"]}] * 40)
    assert {result["outcome"] for result in results} == {"connected"}
    assert (sum(begun), max(begun)) == (40, train.STARTED_AT_ONCE)
