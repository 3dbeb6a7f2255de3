"""Channels: a line stream to the agent that is a container's main process, in a pod (the API server's attach) or in a
peer outside (a program's standard streams). A pod's needs no process here: a hundred of them would keep a small machine
busy."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import subprocess
import time
from collections.abc import Sequence
from threading import Lock, local
from typing import Any, Protocol

import websocket
from kubernetes.stream import ws_client
from kubernetes.stream.ws_client import WSClient, get_websocket_url

from netproof.drivers.programs import tail
from netproof.errors import AgentLost

STDOUT, STDERR, STATUS = 1, 2, 3
"""Channels of the API server's exec protocol."""
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


_opening = local()
"""Whether this thread opens a stream of ours."""


class _Impatient(websocket.WebSocket):
    """Gives up waiting for what does not come; the library's own would wait for ever, and gives no way to say so. For
    streams that are not ours it is the library's own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if getattr(_opening, "is_ours", False):
            self.sock_opt.timeout = OPEN_TIMEOUT


ws_client.WebSocket = _Impatient  # type: ignore[attr-defined]


class PodPipe:
    """An attach stream of the API server, or an exec stream when it is given a command.

    Made from the library's WSClient, because `kubernetes.stream.stream()` replaces a method of its client while it
    works (so no two threads may share one), needs a second's import of all API models, and keeps a copy of all output.
    """

    def __init__(
        self, configuration: Any, namespace: str, pod: str, container: str, command: Sequence[str] = ()
    ) -> None:
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/{'exec' if command else 'attach'}"
        query = [("container", container), ("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
        query += [("command", word) for word in command]
        token = configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        headers = {"authorization": token} if token else {}
        _opening.is_ours = True
        try:
            url = get_websocket_url(configuration.host + path, query)  # type: ignore[no-untyped-call]
            self._socket: Any = WSClient(configuration, url, headers, capture_all=False)  # type: ignore[no-untyped-call]
        except _BROKEN as error:
            raise AgentLost(
                f"no stream to the agent of {namespace}/{pod} could be opened: {_handshake(error)}"
            ) from None
        finally:
            _opening.is_ours = False

    def write(self, text: str) -> None:
        self._socket.write_stdin(text)

    def read(self, timeout: float) -> tuple[str, str] | None:
        self._socket.update(timeout=timeout)
        err = self._socket.read_channel(STDERR) + _ending(self._socket.read_channel(STATUS))
        out = self._socket.read_channel(STDOUT)
        return (out, err) if out or err or self._socket.is_open() else None

    def close(self) -> None:
        self._socket.close()


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
