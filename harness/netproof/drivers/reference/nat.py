"""Services on a topology -> nftables chains: Service addresses and node ports become pods, as with kube-proxy. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from netproof.drivers.reference import ranges
from netproof.drivers.reference.addresses import EXTERNAL_RANGES, SERVICE_RANGES
from netproof.drivers.reference.inside.endpoint import ROUTER_ADDRESS
from netproof.model import Placement, Service, ServicePort, Topology

IP = {4: "ip", 6: "ip6"}
ADDRESS_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}
REJECT = "counter reject with icmpx port-unreachable"


def chains(topology: Topology, placement: Placement) -> list[str]:
    """Translation before routing, what has no backend, and the way back for a pod that reaches itself."""
    families = sorted({ranges.family(a) for group in placement.addresses.values() for a in group})
    external = dict(zip((4, 6), EXTERNAL_RANGES, strict=True))
    internal = dict(zip((4, 6), SERVICE_RANGES, strict=True))
    sets: list[str] = []
    translations: list[str] = []
    dead_ends: list[str] = []
    returns: list[str] = []
    for family in families:
        ip = IP[family]
        # Service addresses are the cluster's own: nobody outside has a route to them.
        from_outside = f"{ip} saddr {external[family]} {ip} daddr {internal[family]}"
        translations.append(f"{from_outside} return")
        dead_ends.append(f"{from_outside} counter drop")
        for service in topology.services:
            for port in service.ports:
                part = _Port(topology, placement, service, port, family)
                translations += chain(part.cluster_address(), part.node_ports())
                dead_ends += part.dead_ends()
                returns += part.returns()
        pods = _pod_addresses(topology, placement, family)
        sets += declare_set(f"pods{family}", ADDRESS_TYPE[family], pods)
        sets += declare_set(
            f"selves{family}", f"{ADDRESS_TYPE[family]} . {ADDRESS_TYPE[family]}", [f"{a} . {a}" for a in pods]
        )
        returns.append(f"{ip} saddr . {ip} daddr @selves{family} snat {ip} to {ROUTER_ADDRESS[family]}")
    return [
        *sets,
        *_chain("services", "type nat hook prerouting priority dstnat; policy accept;", translations),
        *_chain("no-backend", "type filter hook prerouting priority dstnat + 10; policy accept;", dead_ends),
        *_chain("returns", "type nat hook postrouting priority srcnat; policy accept;", returns),
    ]


class _Port:
    """One port of a Service in one family."""

    def __init__(
        self, topology: Topology, placement: Placement, service: Service, port: ServicePort, family: int
    ) -> None:
        self._placement, self._service, self._port = placement, service, port
        self._ip, self._family, self._protocol = IP[family], family, port.protocol.lower()
        self._nodes = sorted(node for node in placement.addresses if node.startswith("node:"))
        self._targets = [
            (pod.id, self._address(pod.id), number)
            for pod in topology.backends(service)
            if (number := pod.port_number(port.target, port.protocol)) is not None
        ]
        self._node_port = placement.node_ports.get((service.id, port.port, port.protocol))

    def cluster_address(self) -> Iterator[str]:
        if not self._service.headless and self._targets:
            yield f"{self._to_service()} {self._dnat(self._targets)}"

    def node_ports(self) -> Iterator[str]:
        """With `Local`, who comes from outside the pods reaches only the node's own backends; pods reach all."""
        if self._node_port is None or not self._targets:
            return
        for node in self._nodes:
            match = self._to_node(node)
            if self._service.external_traffic_policy == "Local":
                yield f"{self._ip} saddr @pods{self._family} {match} {self._dnat(self._targets)}"
                if local := [t for t in self._targets if self._placement.node_of[t[0]] == node]:
                    yield f"{match} {self._dnat(local)}"
            else:
                yield f"{match} {self._dnat(self._targets)}"

    def dead_ends(self) -> Iterator[str]:
        """What nothing translated: a Service without backends says so, a node without its own backend is silent."""
        if not self._service.headless:
            yield f"{self._to_service()} {REJECT}"
        if self._node_port is not None:
            for node in self._nodes:
                yield f"{self._to_node(node)} {'counter drop' if self._targets else REJECT}"

    def returns(self) -> Iterator[str]:
        """With `Cluster` the backend sees the node, so that its answer comes back this way."""
        if self._node_port is None or self._service.external_traffic_policy == "Local":
            return
        for node in self._nodes:
            address = self._address(node)
            yield (
                f"ct original {self._ip} daddr {address} meta l4proto {self._protocol} "
                f"ct original proto-dst {self._node_port} snat {self._ip} to {address}"
            )

    def _to_service(self) -> str:
        return f"{self._ip} daddr {self._address(self._service.id)} {self._protocol} dport {self._port.port}"

    def _to_node(self, node: str) -> str:
        return f"{self._ip} daddr {self._address(node)} {self._protocol} dport {self._node_port}"

    def _dnat(self, targets: Sequence[tuple[str, str, int]]) -> str:
        if len(targets) == 1:
            _, address, number = targets[0]
            return f"dnat {self._ip} to {f'[{address}]' if self._family == 6 else address}:{number}"
        pairs = ", ".join(f"{i} : {address} . {number}" for i, (_, address, number) in enumerate(targets))
        return f"dnat {self._ip} to numgen random mod {len(targets)} map {{ {pairs} }}"

    def _address(self, endpoint: str) -> str:
        return next(a for a in self._placement.addresses[endpoint] if ranges.family(a) == self._family)


def _pod_addresses(topology: Topology, placement: Placement, family: int) -> list[str]:
    """Of the pods that have an address of their own."""
    return [
        address
        for pod in topology.pods
        if not pod.host_network
        for address in placement.addresses[pod.id]
        if ranges.family(address) == family
    ]


def declare_set(name: str, kind: str, elements: Sequence[str]) -> list[str]:
    return [
        f"set {name} {{",
        f"\ttype {kind}",
        *([f"\telements = {{ {', '.join(elements)} }}"] if elements else []),
        "}",
    ]


def _chain(name: str, kind: str, rules: Sequence[str]) -> list[str]:
    return [f"chain {name} {{", f"\t{kind}", *(f"\t{rule}" for rule in rules), "}"]
