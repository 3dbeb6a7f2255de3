"""One probe: the smallest question that is asked of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from netproof.model.topology import Family

Via = Literal["pod", "service", "name", "nodeport", "address"]
"""How the destination is addressed: a pod's address, a Service's address, a DNS name, a node port; `address` is for
destinations that have only one (externals, nodes)."""

ProbeProtocol = Literal["TCP", "UDP", "SCTP", "ICMP"]
"""NetworkPolicy speaks of the first three; what it means for ICMP is left open. ICMP's port is 0."""

Kind = Literal["echo", "lookup", "held", "first", "tls", "admission"]
"""`echo`: connect, send a nonce, expect it back. `lookup`: ask the destination, a DNS server, for a name. `held`: as
echo, but on the one connection that was opened before the policies and is kept. `first`: whether any of the attempts
that a new pod (the source or the destination) made from its first instruction on connected. `tls`: a handshake with
the API server on its node, known by its certificate. `admission`: the API server itself, whose node is the source,
calls the destination as a validating webhook."""

API_SERVER = "api-server"
"""Who is asked to send an `admission` probe: not an agent, but the cluster's API server."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Probe:
    """Source and destination are endpoint ids (see topology). With via `service`, `name` or `nodeport` the destination
    is a Service's id and `port` is the Service's port; with `pod` and `address` it is the port that is dialled."""

    source: str
    destination: str
    port: int
    protocol: ProbeProtocol = "TCP"
    via: Via = "pod"
    family: Family = 4
    kind: Kind = "echo"

    def __str__(self) -> str:
        how = "" if self.via in ("pod", "address") else f" via {self.via}"
        family = "" if self.family == 4 else " IPv6"
        return f"{self.source} → {self.destination.removeprefix('svc:')}:{self.port}/{self.protocol}{how}{family}"
