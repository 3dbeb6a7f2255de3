"""JSON lines over a unix stream socket, one at a time, with file descriptors beside them. Both ends use it."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any

CHUNK = 1 << 16


def send(sock: socket.socket, message: Mapping[str, Any], fds: tuple[int, ...] = ()) -> None:
    data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
    if fds:
        # A stream may take the message in parts; the descriptors go with its first byte.
        socket.send_fds(sock, [data[:1]], list(fds))
        data = data[1:]
    sock.sendall(data)


def receive(sock: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and its descriptors; None at the end. Callers alternate, so nothing is read beyond one line."""
    data, fds = b"", []
    while not data.endswith(b"\n"):
        chunk, more, _, _ = socket.recv_fds(sock, CHUNK, 8)
        fds.extend(more)
        if not chunk:
            return None
        data += chunk
    message: dict[str, Any] = json.loads(data)
    return message, fds
