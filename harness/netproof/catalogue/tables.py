"""Expected tables, as scenarios write them: what a person reads at once, turned into cells.

    80/TCP   x/a  x/b  y/*        the port and how it is dialled; then destinations
    x/b       +    .    -         a source, and one sign for each destination
    *         -    +    +

    to:x/a    80/TCP  81/TCP      the other way round: one destination, and the ports at which it is dialled
    x/b       +       -

Signs: `+` connects, `-` is denied, `~` the API leaves it open, `.` is not asked. `x/*` and `*` are pods that no other
row (or column) of the table names; a pod never asks itself unless both its row and its column name it. `out:near` is
a peer outside the cluster, `node:0` a node, `dns` the cluster's DNS. The corner is `PORT/PROTOCOL`, or with how it is
dialled: `80/TCP@service`, `@name` (of a Service, or of a peer outside), `@nodeport`, `@lookup`, `@held` (one
connection, kept open from before the first step), `@first` (whether a pod that is new in this step connects, or is
reached, at any time from its first instruction on), `@tls` (the real API server, on its node), `@admission` (the real
API server calls a webhook; the source is its node), and `@v6` for IPv6; or it is `ICMP`, for an echo request.
A blank line ends a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import cast, get_args

from netproof.model import Intent, Probe, Topology, Via
from netproof.model.topology import DNS_SERVICE, Family
from netproof.model.traffic import Kind, ProbeProtocol

SIGNS = {"+": Intent.CONNECTED, "-": Intent.DENIED, "~": Intent.CONNECTED}
BY_SERVICE = ("service", "name", "nodeport")
HOW = (*BY_SERVICE, "lookup", "held", "first", "tls", "admission", "v6")
PORT = re.compile(rf"((?P<port>\d+)/(?P<protocol>TCP|UDP|SCTP)|ICMP)(?P<how>(@({'|'.join(HOW)}))*)")
TO = "to:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What tables say: the intent of each cell, and the cells that the API leaves open."""

    cells: dict[Probe, Intent]
    left_open: frozenset[Probe]


class TableError(ValueError):
    """A table that cannot be read; the sentence names the line of the table."""


def parse(text: str, topology: Topology) -> Expected:
    """All tables of a text. Raises TableError."""
    cells: dict[Probe, Intent] = {}
    left_open: set[Probe] = set()
    for table in _tables(text):
        for probe, sign in _cells(table, topology):
            if probe in cells:
                raise TableError(f"{probe} is said twice")
            cells[probe] = SIGNS[sign]
            if sign == "~":
                left_open.add(probe)
    if not cells:
        raise TableError("the table asks nothing")
    return Expected(cells=cells, left_open=frozenset(left_open))


def _tables(text: str) -> Iterator[list[list[str]]]:
    table: list[list[str]] = []
    for line in [*text.splitlines(), ""]:
        words = line.split()
        if words:
            table.append(words)
        elif table:
            yield table
            table = []


def _cells(table: list[list[str]], topology: Topology) -> Iterator[tuple[Probe, str]]:
    (corner, *columns), *rows = table
    if corner.startswith(TO):
        asked = [(corner.removeprefix(TO), _dialled(column)) for column in columns]
    else:
        dialled = _dialled(corner)
        asked = [(column, dialled) for column in columns]
    destinations = [word for word, _ in asked]
    sources = [row[0] for row in rows]
    for source_word, *signs in rows:
        if len(signs) != len(columns):
            raise TableError(f"row {source_word} has {len(signs)} signs for {len(columns)} columns")
        for (destination_word, dialled), sign in zip(asked, signs, strict=True):
            if sign == ".":
                continue
            if sign not in SIGNS:
                raise TableError(f"row {source_word}: {sign!r} is no sign; signs are + - ~ .")
            for source in _named(source_word, sources, topology, senders=True):
                for destination in _named(destination_word, destinations, topology, senders=False):
                    if source == destination and "*" in source_word + destination_word:
                        continue
                    yield dialled.probe(source, destination), sign


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dialled:
    """PORT/PROTOCOL@how, read."""

    port: int
    protocol: ProbeProtocol
    by_service: Via | None
    family: Family
    kind: Kind

    def probe(self, source: str, destination: str) -> Probe:
        via, endpoint = _addressed(destination, self.by_service)
        return Probe(
            source=source,
            destination=endpoint,
            port=self.port,
            protocol=self.protocol,
            via=via,
            family=self.family,
            kind=self.kind,
        )


def _dialled(text: str) -> _Dialled:
    match = PORT.fullmatch(text)
    if match is None:
        raise TableError(
            f"a table starts with PORT/PROTOCOL or ICMP and perhaps @{' @'.join(HOW)}, or with {TO}NAMESPACE/POD and "
            f"ports, not {text!r}"
        )
    how = set(match["how"].split("@")[1:])
    return _Dialled(
        port=int(match["port"] or 0),
        protocol=cast(ProbeProtocol, match["protocol"] or "ICMP"),
        by_service=next((via for via in get_args(Via) if via in how and via in BY_SERVICE), None),
        family=6 if "v6" in how else 4,
        kind=next((kind for kind in get_args(Kind) if kind in how), "echo"),
    )


def _addressed(destination: str, by_service: Via | None) -> tuple[Via, str]:
    if destination == DNS_SERVICE.id:
        return by_service or "service", destination
    if by_service == "name" and destination.startswith("external:"):
        return by_service, destination
    if by_service is not None:
        return by_service, destination if destination.startswith("svc:") else f"svc:{destination}"
    if destination.startswith(("external:", "node:")):
        return "address", destination
    return "pod", destination


def _named(word: str, others: Sequence[str], topology: Topology, *, senders: bool) -> list[str]:
    """The endpoint ids that a row's or column's word stands for."""
    if word == "dns" and not senders:
        return [DNS_SERVICE.id]
    if word.startswith("out:"):
        word = f"external:{word.removeprefix('out:')}"
    known = list(topology.endpoints())
    if "*" in word:
        pods = [pod.id for pod in topology.pods]
        named = {other for other in others if "*" not in other}
        narrower = [other for other in others if "*" in other and other not in (word, "*")] if word == "*" else []
        taken = {pod for pod in pods if any(fnmatchcase(pod, pattern) for pattern in narrower)}
        found = [pod for pod in pods if fnmatchcase(pod, word) and pod not in named and pod not in taken]
        if not found:
            raise TableError(f"{word} stands for no pod")
        return found
    services = [] if senders else [service.id for service in topology.services]
    if word not in known and word not in services:
        near = get_close_matches(word, [*known, *services], n=1)
        raise TableError(f"nobody is called {word!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return [word]
