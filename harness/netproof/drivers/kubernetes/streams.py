"""Channels: a line stream to the agent that is a container's main process, in a pod (the API server's attach) or in a
peer outside (a program's standard streams). A pod's needs no process here: a hundred of them would keep a small machine
busy."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import select
import selectors
import ssl
import subprocess
import time
from collections.abc import Sequence
from threading import Lock
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import websocket

from netproof.drivers.programs import tail
from netproof.errors import AgentLost

STDIN, STDOUT, STDERR, STATUS = 0, 1, 2, 3
"""Channels of the API server's exec protocol."""
PROTOCOL = "v4.channel.k8s.io"
LOOK_TIMEOUT = 15.0
GREET_EVERY = 1.0
"""Seconds after which a greeting that has no answer is sent again."""
GREET_TIMEOUT = 20.0
OPEN_TIMEOUT = 20.0
"""Seconds for a stream to open, or for the rest of what has begun to come: a node that stands still says nothing."""
_BROKEN = (OSError, ValueError, websocket.WebSocketException)


class Pipe(Protocol):
    """Two byte streams from an agent and one to it."""

    def write(self, text: str) -> None: ...

    def read(self, timeout: float) -> tuple[str, str] | None:
        """What has come (stdout, stderr), both empty after `timeout` seconds of silence, or None at the end."""

    def close(self) -> None: ...


class LineChannel:
    """The driver's Channel over any pipe. What an agent writes to its standard error is kept for the error's text."""

    def __init__(self, endpoint: str, pipe: Pipe) -> None:
        self._endpoint = endpoint
        self._pipe = pipe
        self._out = ""
        self._err = ""
        self._greeting = secrets.randbits(48) + (1 << 48)

    def greet(self) -> None:
        """Wait until the agent answers this stream and no earlier one: it may have been attached to before, and be
        busy with what it was asked then. Raises AgentLost."""
        hello = json.dumps({"round": self._greeting, "fresh": True, "timeout": 0, "probes": []})
        deadline = time.monotonic() + GREET_TIMEOUT
        while time.monotonic() < deadline:
            # The empty line ends what a killed sender may have left without its end.
            self.send("\n" + hello)
            with contextlib.suppress(TimeoutError):
                again = time.monotonic() + GREET_EVERY
                while not self._greets(self._line(again - time.monotonic())):
                    pass
                return
        raise self._lost(f"it did not answer within {GREET_TIMEOUT:g} s")

    def _greets(self, line: str) -> bool:
        return line.startswith(f'{{"round":{self._greeting},')

    def send(self, line: str) -> None:
        try:
            self._pipe.write(line + "\n")
        except _BROKEN as error:
            raise self._lost(str(error)) from None

    def receive(self, timeout: float) -> str:
        deadline = time.monotonic() + timeout
        while self._greets(line := self._line(deadline - time.monotonic())):
            pass
        return line

    def _line(self, timeout: float) -> str:
        deadline = time.monotonic() + timeout
        while "\n" not in self._out:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"the agent of {self._endpoint} said nothing for {timeout:g} s")
            try:
                got = self._pipe.read(left)
            except _BROKEN as error:
                raise self._lost(str(error)) from None
            if got is None:
                raise self._lost("")
            self._out += got[0]
            self._err += got[1]
        line, _, self._out = self._out.partition("\n")
        return line

    def close(self) -> None:
        with contextlib.suppress(*_BROKEN):
            self._pipe.close()

    def _lost(self, why: str) -> AgentLost:
        words = "; ".join(part for part in (why, " / ".join(tail(self._err, 3).splitlines())) if part)
        return AgentLost(f"the stream to the agent of {self._endpoint} ended{': ' + words if words else ''}")


class PodPipe:
    """An attach stream of the API server, or an exec stream when it is given a command: a web socket whose messages
    begin with the number of a channel.

    The library's own streams wait for ever for what does not come, `kubernetes.stream.stream()` replaces a method of
    its client while it works (so no two threads may share one), and needs a second's import of all API models.
    """

    def __init__(
        self, configuration: Any, namespace: str, pod: str, container: str, command: Sequence[str] = ()
    ) -> None:
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/{'exec' if command else 'attach'}"
        query = [("container", container), ("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
        query += [("command", word) for word in command]
        self._is_open = True
        try:
            self._socket = _open_socket(configuration, f"{path}?{urlencode(query)}")
        except _BROKEN as error:
            raise AgentLost(
                f"no stream to the agent of {namespace}/{pod} could be opened: {_handshake(error)}"
            ) from None

    def write(self, text: str) -> None:
        self._socket.send(chr(STDIN) + text)

    def read(self, timeout: float) -> tuple[str, str] | None:
        got = {STDOUT: b"", STDERR: b"", STATUS: b""}
        while self._is_open and self._wait(timeout):
            timeout = 0
            kind, frame = self._socket.recv_data_frame(control_frame=True)
            if kind == websocket.ABNF.OPCODE_CLOSE:
                self._is_open = False
            elif kind in (websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_TEXT) and frame.data:
                channel, data = frame.data[0], frame.data[1:]
                if channel in got:
                    got[channel] += data
        out, err, status = (got[channel].decode("utf-8", "replace") for channel in (STDOUT, STDERR, STATUS))
        err += _ending(status)
        return (out, err) if out or err or self._is_open else None

    def _wait(self, timeout: float) -> bool:
        """Whether something has come: on the wire, or decrypted already and no more to be seen there."""
        wire = self._socket.sock
        if wire is None:
            self._is_open = False
            return False
        if isinstance(wire, ssl.SSLSocket) and wire.pending():
            return True
        poll = select.poll()
        poll.register(wire, select.POLLIN)
        return bool(poll.poll(timeout * 1000))

    def close(self) -> None:
        self._is_open = False
        self._socket.close()


def _open_socket(configuration: Any, path: str) -> websocket.WebSocket:
    """A web socket to the API server, as its client is configured. Gives up after `OPEN_TIMEOUT` seconds in which
    nothing comes, now and in the middle of a message."""
    trust: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE}
    if configuration.verify_ssl:
        trust = {"cert_reqs": ssl.CERT_REQUIRED}
        trust |= {"ca_certs": configuration.ssl_ca_cert} if configuration.ssl_ca_cert else {}
        if configuration.assert_hostname is not None:
            trust["check_hostname"] = configuration.assert_hostname
    for key, value in (
        ("certfile", configuration.cert_file),
        ("keyfile", configuration.key_file),
        ("server_hostname", configuration.tls_server_name),
    ):
        if value:
            trust[key] = value
    headers = [f"sec-websocket-protocol: {PROTOCOL}"]
    if token := configuration.get_api_key_with_prefix("BearerToken", alias="authorization"):
        headers.append(f"authorization: {token}")
    options: dict[str, Any] = {}
    if configuration.no_proxy:
        options["http_no_proxy"] = configuration.no_proxy.split(",")
    if configuration.proxy:
        proxy = urlsplit(configuration.proxy)
        options |= {"http_proxy_host": proxy.hostname, "http_proxy_port": proxy.port}
        if proxy.username:
            options["http_proxy_auth"] = (proxy.username, proxy.password or "")
    made = websocket.WebSocket(sslopt=trust)
    made.connect(  # type: ignore[no-untyped-call]
        re.sub("^http", "ws", configuration.host) + path, header=headers, timeout=OPEN_TIMEOUT, **options
    )
    return made


def output(configuration: Any, namespace: str, pod: str, container: str, command: Sequence[str]) -> str:
    """What a command in a container prints, to its end or for `LOOK_TIMEOUT` seconds; or why it did not run."""
    out, deadline = "", time.monotonic() + LOOK_TIMEOUT
    try:
        pipe = PodPipe(configuration, namespace, pod, container, command)
    except AgentLost as error:
        return f"{error}\n"
    with contextlib.suppress(*_BROKEN):
        while time.monotonic() < deadline and (got := pipe.read(1.0)) is not None:
            out += "".join(got)
        pipe.close()
    return out


class ProcessPipe:
    """The standard streams of a program, such as `docker attach`."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin
        self._stdin = self._process.stdin
        self._selector = selectors.DefaultSelector()
        self._reading = Lock()
        for index, file in enumerate((self._process.stdout, self._process.stderr)):
            assert file
            self._selector.register(file, selectors.EVENT_READ, index)

    def write(self, text: str) -> None:
        self._stdin.write(text.encode())
        self._stdin.flush()

    def read(self, timeout: float) -> tuple[str, str] | None:
        got = [b"", b""]
        with self._reading:
            if not self._selector.get_map():
                return None
            for key, _ in self._selector.select(timeout):
                got[key.data] = os.read(key.fd, 1 << 16)
                if not got[key.data]:
                    self._selector.unregister(key.fileobj)
        return got[0].decode("utf-8", "replace"), got[1].decode("utf-8", "replace")

    def close(self) -> None:
        # `docker attach` takes its time to end when it is asked to; the agent at its other end stays either way.
        self._process.kill()
        self._process.wait()
        # Who reads meanwhile has its end now. It would not notice that files are closed, and wait for what never comes.
        with self._reading:
            with contextlib.suppress(OSError):
                self._stdin.close()
            for file in (self._process.stdout, self._process.stderr):
                if file:
                    file.close()
            self._selector.close()


def _handshake(error: Exception) -> str:
    """The API server's own words in a refused handshake."""
    body = getattr(error, "resp_body", None)
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(body or "")["message"])
    return str(error).partition(" -+-+- ")[0]


def _ending(status: str) -> str:
    """How the command ended, from the Status object that the API server sends last; '' for a good end."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        content = json.loads(status)
        return "" if content["status"] == "Success" else f"\n{content['message']}\n"
    return status
