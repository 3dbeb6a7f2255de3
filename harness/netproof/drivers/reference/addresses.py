"""Which address each endpoint gets. The ranges look like a kind cluster's, so that reports read alike."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

NODES = 2
"""Nodes of the reference dataplane, as kind has in this project's recipes."""

EXTERNAL_RANGES = ("203.0.113.0/24", "2001:db8:203::/64")
SERVICE_RANGES = ("10.96.0.0/16", "fd00:10:96::/112")
KUBERNETES_SERVICE = ("10.96.0.1", "fd00:10:96::1")
DNS_SERVICE = ("10.96.0.10", "fd00:10:96::a")

FIRST_NODE_PORT, LAST_NODE_PORT = 30000, 32767
PODS_IN_BLOCK = 250


class Addresses:
    """Addresses by endpoint id, IPv4 before IPv6. The same requests in the same order give the same addresses."""

    def __init__(self, families: Sequence[int]) -> None:
        self._families = families
        self.by_endpoint: dict[str, tuple[str, ...]] = {}
        self.node_ports: dict[tuple[str, int, str], int] = {}
        self._pods = [0] * NODES
        self._externals = self._services = 0

    def node(self, index: int) -> tuple[str, ...]:
        return self._give(f"node:{index}", _at("172.30.0.0", index + 2), _at("fd00:172:30::", index + 2))

    def pod(self, endpoint: str, node: int) -> tuple[str, ...]:
        """From the node's own block, and another one of the node's when that is full."""
        if endpoint in self.by_endpoint:
            return self.by_endpoint[endpoint]
        place = self._pods[node]
        self._pods[node] += 1
        block = node + NODES * (place // PODS_IN_BLOCK)
        number = place % PODS_IN_BLOCK + 2
        return self._give(endpoint, f"10.244.{block}.{number}", f"fd00:10:244:{block:x}::{number:x}")

    def external(self, endpoint: str) -> tuple[str, ...]:
        if endpoint in self.by_endpoint:
            return self.by_endpoint[endpoint]
        self._externals += 1
        number = self._externals + 9
        return self._give(endpoint, _at("203.0.113.0", number), _at("2001:db8:203::", number))

    def service(self, endpoint: str) -> tuple[str, ...]:
        if endpoint in self.by_endpoint:
            return self.by_endpoint[endpoint]
        self._services += 1
        return self._give(endpoint, _at("10.96.1.0", self._services), _at("fd00:10:96::100", self._services))

    def fixed(self, endpoint: str, addresses: tuple[str, str]) -> tuple[str, ...]:
        return self._give(endpoint, *addresses)

    def same(self, endpoint: str, as_endpoint: str) -> tuple[str, ...]:
        """A pod on its node's network."""
        self.by_endpoint[endpoint] = self.by_endpoint[as_endpoint]
        return self.by_endpoint[endpoint]

    def node_port(self, service: str, port: int, protocol: str) -> int:
        key = (service, port, protocol)
        if key not in self.node_ports:
            self.node_ports[key] = FIRST_NODE_PORT + len(self.node_ports)
        return self.node_ports[key]

    def _give(self, endpoint: str, *addresses: str) -> tuple[str, ...]:
        kept = tuple(a for a in addresses if (6 if ":" in a else 4) in self._families)
        return self.by_endpoint.setdefault(endpoint, kept)


def _at(base: str, offset: int) -> str:
    return str(ip_address(base) + offset)
