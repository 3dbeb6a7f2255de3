"""How a run talks to what it started: a line stream to each prober, and a callback for progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Say = Callable[[str], None]
"""Told each small step of a long phase ("loading images 2/4"); a terminal shows it, a pipe does not."""


class Channel(Protocol):
    """A line stream to the prober of one endpoint. Used by one thread at a time."""

    def send(self, line: str) -> None:
        """Write one line (without its newline). Raises AgentLost when the stream has ended."""

    def receive(self, timeout: float) -> str:
        """The next whole line. Raises TimeoutError after `timeout` seconds and AgentLost when the stream has ended."""

    def close(self) -> None:
        """End the stream; the prober at its other end ends with it."""
