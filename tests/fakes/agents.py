"""An agent's servers and probes in this process, and somebody else on a port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from netproof.probing.agent.server import Server
from netproof.probing.agent.train import answer_batch

TOKEN = "word"


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(name: str, ports: dict[str, int]) -> Iterator[None]:
    """The servers of an agent: protocol -> port."""
    listening = [{"protocol": protocol, "port": number} for protocol, number in ports.items()]
    server = Server({"name": name, "token": TOKEN, "ports": listening})
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield
    server.stop()
    thread.join(5)


@contextmanager
def stranger(says: bytes) -> Iterator[int]:
    """Somebody else's TCP server, which hears its one client out and says this. Gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            connection.recv(4096)
            connection.sendall(says)
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        yield listener.getsockname()[1]


def ask(*probes: dict[str, Any], token: str = TOKEN, timeout: float = 0.3) -> list[dict[str, Any]]:
    asked = [{"id": number, "host": "127.0.0.1", **probe} for number, probe in enumerate(probes)]
    results: list[dict[str, Any]] = answer_batch({"timeout": timeout, "probes": asked}, {"token": token})
    return results
