"""The supervisor as netproof's own process sees it: start it, ask it, lose it. Errors are ClusterError."""

from __future__ import annotations

import contextlib
import platform
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from netproof.drivers.reference.inside import lines
from netproof.errors import AgentLost, ClusterError

# By path, not as netproof.drivers.reference.inside: importing those parents costs ten times what the fabric needs.
START = (
    "import sys; folder, fd = sys.argv[1:]; sys.path.insert(0, folder); "
    "from inside.supervisor import main; sys.path.remove(folder); main(int(fd))"
)
PATIENCE = 60.0
"""Seconds after which a supervisor that does not answer counts as lost."""


class Fabric:
    """One supervisor process and all that lives below it. Methods may be called by several threads."""

    def __init__(self) -> None:
        """Start it. Raises ClusterError when this machine lacks what it needs."""
        if platform.system() != "Linux":
            raise ClusterError(
                f"the reference dataplane needs Linux, this is {platform.system()}: use a CNI on a cluster"
            )
        ours, theirs = socket.socketpair()
        self._control, self._lock = ours, threading.Lock()
        self._control.settimeout(PATIENCE)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        with theirs:
            # A session of its own, so that Ctrl-C in a terminal ends netproof in order, and not the fabric below it.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", START, str(Path(__file__).parent), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )
        try:
            self.facts: Mapping[str, Any] = self._receive()[0]
        except ClusterError:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def add(self, endpoints: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
        """Bring endpoints up, listening; endpoint -> process id."""
        pids: Mapping[str, int] = self._ask(op="add", endpoints=list(endpoints))["pids"]
        return pids

    def remove(self, names: Sequence[str]) -> None:
        self._ask(op="remove", names=list(names))

    def names(self, nameserver: str, names: Mapping[str, Sequence[str]]) -> None:
        """What this endpoint, a name server, answers from now on."""
        self._ask(op="names", name=nameserver, names=names)

    def load(self, ruleset: str) -> None:
        """Replace the rules in one transaction."""
        self._ask(op="nft", ruleset=ruleset)

    def rules(self) -> str:
        """The kernel's rules, with their counters."""
        text: str = self._ask(op="nft", ruleset=None)["text"]
        return text

    def open(self, endpoint: str) -> StreamChannel:
        _, fds = self._exchange({"op": "open", "name": endpoint})
        return StreamChannel(endpoint, socket.socket(fileno=fds[0]))

    def stop(self) -> None:
        """End it, and wait until the supervisor is gone; the kernel has then killed every endpoint."""
        self._control.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _ask(self, **message: Any) -> dict[str, Any]:
        return self._exchange(message)[0]

    def _exchange(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], list[int]]:
        with self._lock:
            with contextlib.suppress(OSError):  # that no answer comes says it better
                lines.send(self._control, message)
            return self._receive()

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        try:
            received = lines.receive(self._control)
        except OSError:
            received = None
        if received is None:
            self._log.seek(0)
            log = self._log.read().decode(errors="replace").strip()
            raise ClusterError("the reference dataplane's supervisor process has ended", details=log)
        if "error" in received[0]:
            raise ClusterError(f"reference dataplane: {received[0]['error']}")
        return received


class StreamChannel:
    """The line stream to one prober."""

    def __init__(self, endpoint: str, sock: socket.socket) -> None:
        self._endpoint, self._socket = endpoint, sock
        self._unread = b""

    def send(self, line: str) -> None:
        try:
            self._socket.settimeout(PATIENCE)
            self._socket.sendall(line.encode() + b"\n")
        except OSError as error:
            raise self._lost() from error

    def receive(self, timeout: float) -> str:
        deadline = time.monotonic() + timeout
        while b"\n" not in self._unread:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                chunk = self._socket.recv(1 << 16)
            except TimeoutError:
                raise TimeoutError(f"the agent of {self._endpoint} said nothing for {timeout:.1f} s") from None
            except OSError as error:
                raise self._lost() from error
            if not chunk:
                raise self._lost()
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def close(self) -> None:
        self._socket.close()

    def _lost(self) -> AgentLost:
        return AgentLost(f"the stream to the agent of {self._endpoint} has ended")
