"""Ports that pods take from their nodes: of two pods that want the same one, the kubelet runs the first and refuses the
second for ever, so that is found out before it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from netproof.errors import ClusterError

Object = Mapping[str, Any]
ANY = ("", "0.0.0.0", "::")
"""Addresses of a node that mean all of them."""


@dataclass(frozen=True, slots=True)
class NodePort:
    node: str
    protocol: str
    port: int
    address: str = ""
    """The node's address that it is taken at; '' for all."""

    def __str__(self) -> str:
        return f"{self.port}/{self.protocol}"

    def meets(self, other: NodePort) -> bool:
        """Whether no two pods can have them both, as kubelet's NodePorts predicate has it."""
        same = (self.node, self.protocol, self.port) == (other.node, other.protocol, other.port)
        return same and (self.address in ANY or other.address in ANY or self.address == other.address)


def node_ports(pod: Object) -> Iterator[NodePort]:
    """What a pod takes: its containers' host ports, and on its node's network all their ports."""
    spec = pod["spec"]
    for container in spec.get("containers") or ():
        for port in container.get("ports") or ():
            number = port.get("hostPort") or (port["containerPort"] if spec.get("hostNetwork") else 0)
            if number:
                yield NodePort(
                    spec.get("nodeName") or "", port.get("protocol") or "TCP", number, port.get("hostIP") or ""
                )


def find_holder(pod: Object, others: Iterable[Object]) -> tuple[Object, NodePort] | None:
    """Which of the other pods has a port that this one needs, and the port."""
    wanted = list(node_ports(pod))
    if not wanted:
        return None
    for other in others:
        if name(other) == name(pod):
            continue
        for held in node_ports(other):
            if any(held.meets(one) for one in wanted):
                return other, held
    return None


def refuse_if_taken(pod: Object, others: Iterable[Object]) -> None:
    """Raises ClusterError that names the port, and who of the others has it."""
    if found := find_holder(pod, others):
        holder, port = found
        raise ClusterError(
            f"the pod {name(pod)} cannot run on {port.node}: "
            f"a port of the node is taken by the pod {name(holder)} ({port})"
        )


def name(pod: Object) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
