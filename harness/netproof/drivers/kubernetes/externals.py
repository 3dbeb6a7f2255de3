"""Peers outside the cluster, as a driver over an API server needs them. Who makes a cluster knows where they can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from netproof.drivers.kubernetes.streams import Pipe
from netproof.errors import InputError
from netproof.model import External


class Externals(Protocol):
    """Peers are named by their endpoint ids."""

    def ensure(self, wanted: Sequence[External], routes: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
        """Make them run, and give them routes to the pods where there are some (range -> its node's address): endpoint
        id -> addresses."""

    def is_running(self, endpoint: str) -> bool: ...

    def open(self, endpoint: str) -> Pipe:
        """A stream to a peer's agent."""

    def hostname(self, external: External) -> str:
        """The name under which pods find a peer."""

    def command(self, endpoint: str, command: Sequence[str]) -> str:
        """What a person types to run a command where a peer is."""


class NoExternals:
    """Of a cluster beside which nothing can be started."""

    def ensure(self, wanted: Sequence[External], routes: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
        if wanted:
            names = ", ".join(external.name for external in wanted)
            raise InputError(f"peers outside the cluster ({names}) can only be started beside a cluster of netproof's")
        return {}

    def is_running(self, endpoint: str) -> bool:
        return False

    def open(self, endpoint: str) -> Pipe:
        raise InputError(f"there is no {endpoint} beside this cluster")

    def hostname(self, external: External) -> str:
        return ""

    def command(self, endpoint: str, command: Sequence[str]) -> str:
        raise InputError(f"there is no {endpoint} beside this cluster")
