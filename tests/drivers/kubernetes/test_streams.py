"""Channels over pipes: whole lines, time-outs, and the other end's last words."""

from __future__ import annotations

import socket
import sys
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha1

import pytest
from kubernetes.client import Configuration

from netproof.drivers.kubernetes.streams import LineChannel, PodPipe, ProcessPipe
from netproof.errors import AgentLost


def channel(script: str) -> LineChannel:
    return LineChannel("external:a", ProcessPipe([sys.executable, "-u", "-c", script]))


def test_lines_come_whole_and_in_order() -> None:
    echo = channel("import sys\nfor line in sys.stdin: print(line.strip() * 2)")
    echo.send("ab")
    echo.send("x" * 70_000)
    assert echo.receive(10) == "abab"
    assert echo.receive(10) == "x" * 140_000
    echo.close()


def test_silence_ends_in_a_time_out_and_the_stream_lives_on() -> None:
    slow = channel("import sys, time\nfor line in sys.stdin: time.sleep(0.5); print('late')")
    slow.send("go")
    with pytest.raises(TimeoutError, match="said nothing for"):
        slow.receive(0.05)
    assert slow.receive(10) == "late"
    slow.close()


def test_a_lost_agent_leaves_its_last_words() -> None:
    broken = channel("import sys; sys.exit('no such file')")
    with pytest.raises(AgentLost, match="the agent of external:a ended: no such file"):
        broken.receive(10)
    with pytest.raises(AgentLost, match="the agent of external:a ended"):
        broken.send("x" * 1_000_000)
    broken.close()


def test_the_last_line_arrives_although_the_stream_ended() -> None:
    last = channel("print('one'); print('two')")
    assert [last.receive(10), last.receive(10)] == ["one", "two"]
    with pytest.raises(AgentLost):
        last.receive(10)
    last.close()


BUSY = """
import json, sys, time
for line in sys.stdin:
    if line.strip() == 'half a li':
        continue
    if line.strip():
        number = json.loads(line)["round"]
        time.sleep(1.2)
        print('{"round":1,"results":["of an earlier stream"]}')
        print('{"round":%d,"results":[]}' % number)
"""


def test_a_greeting_waits_for_its_own_answer_and_no_repeat_of_it_is_taken_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("netproof.drivers.kubernetes.streams.GREET_EVERY", 0.5)
    attached = channel(BUSY)
    attached.send("half a li")
    attached.greet()
    attached.send('{"round": 7}')
    while (line := attached.receive(10)) != '{"round":7,"results":[]}':
        assert line == '{"round":1,"results":["of an earlier stream"]}'
    attached.close()


def test_an_agent_that_does_not_answer_a_greeting_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netproof.drivers.kubernetes.streams.GREET_TIMEOUT", 0.2)
    monkeypatch.setattr("netproof.drivers.kubernetes.streams.GREET_EVERY", 0.1)
    silent = channel("import sys\nfor line in sys.stdin: pass")
    with pytest.raises(AgentLost, match=r"it did not answer within 0\.2 s"):
        silent.greet()
    silent.close()


def test_an_api_server_or_node_that_stands_still_ends_the_wait_for_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netproof.drivers.kubernetes.streams.OPEN_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        configuration = Configuration(host=f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(AgentLost, match=r"no stream to the agent of shop/a could be opened: .*timed out"):
            PodPipe(configuration, "shop", "a", "agent")


def _frame(kind: int, data: bytes) -> bytes:
    return bytes([0x80 | kind, len(data)]) + data


def _serve(listening: socket.socket) -> tuple[str, bytes]:
    """One stream as the API server has it: (the request, the first message's bytes, masked as clients must)."""
    server, _ = listening.accept()
    with server:
        request = b""
        while b"\r\n\r\n" not in request:
            request += server.recv(4096)
        key = request.lower().partition(b"sec-websocket-key: ")[2].split()[0]
        key = request[request.lower().index(key) :][: len(key)]
        accept = b64encode(sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        server.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: v4.channel.k8s.io\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        got = server.recv(4096)
        status = b'{"status": "Failure", "message": "command terminated with exit code 3"}'
        for part in (b"\x01", b"\x01one\ntw", b"\x02oops", b"\x01o\n", b"\x03" + status):
            server.sendall(_frame(2, part))
        server.sendall(_frame(8, b""))
        server.recv(4096)
    return request.decode(), got


def test_an_exec_stream_has_its_channels_and_how_the_command_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as pool:
        served = pool.submit(_serve, listening)
        configuration = Configuration(host=f"http://127.0.0.1:{listening.getsockname()[1]}")
        configuration.api_key["authorization"] = "Bearer secret"
        pipe = PodPipe(configuration, "shop", "a", "agent", ["cat", "a file"])
        pipe.write("hello\n")
        out = err = ""
        while (got := pipe.read(5)) is not None:
            out, err = out + got[0], err + got[1]
        pipe.close()
        request, message = served.result(10)
    assert (out, err) == ("one\ntwo\n", "oops\ncommand terminated with exit code 3\n")
    assert request.startswith("GET /api/v1/namespaces/shop/pods/a/exec?container=agent&stdin=true")
    assert "command=cat&command=a+file" in request.splitlines()[0]
    assert "authorization: Bearer secret" in request
    mask, data = message[2:6], message[6:]
    assert bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)) == b"\x00hello\n"


def test_who_reads_while_the_stream_is_closed_has_its_end_at_once() -> None:
    """Not the end of the time for which it would have waited: a run that is interrupted waits for its readers."""
    silent = channel("import time; time.sleep(60)")
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(silent.receive, 30)
        with pytest.raises(TimeoutError):
            reader.result(0.2)
        began = time.monotonic()
        silent.close()
        with pytest.raises(AgentLost):
            reader.result(10)
    assert time.monotonic() - began < 10
