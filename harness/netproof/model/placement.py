"""Where a topology was put: by a driver, or with made-up addresses, which are enough to say what policies mean without
a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network

from netproof.model.topology import DNS_POD, DNS_SERVICE, Family, Pod, Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a driver put a topology.

    `addresses`: endpoint id (pods, services, externals, nodes) -> addresses, IPv4 before IPv6. Holds
    `svc:kube-system/kube-dns` and the DNS pods too. `node_of`: pod id -> node id. `node_ports`: (service id, port,
    protocol) -> port on every node. `dns_pods`: the cluster's DNS pods as pods, which topologies do not list.
    `server_names`: the name under which an endpoint's agent answers, where it is not the endpoint's id. `namespaces`:
    the name of a namespace in the cluster, where it is not the topology's. `hostnames`: external id -> the DNS name
    under which pods find it. `api_server`: the node that the API server runs on, and `api_certificate` by what a TLS
    client there knows it ('' where there is none).
    """

    addresses: Mapping[str, tuple[str, ...]]
    node_of: Mapping[str, str] = field(default_factory=dict)
    node_ports: Mapping[tuple[str, int, str], int] = field(default_factory=dict)
    dns_pods: tuple[Pod, ...] = ()
    server_names: Mapping[str, str] = field(default_factory=dict)
    namespaces: Mapping[str, str] = field(default_factory=dict)
    hostnames: Mapping[str, str] = field(default_factory=dict)
    api_server: str = "node:0"
    api_certificate: str = ""

    def address(self, endpoint: str, family: Family = 4) -> str | None:
        """The endpoint's address of that family, or None when it has none."""
        found = (a for a in self.addresses.get(endpoint, ()) if (":" in a) == (family == 6))
        return next(found, None)


def _own(topology: Topology, number: int) -> tuple[str, ...]:
    """The addresses of one pod, in the topology's ranges where it has such."""
    found = [f"10.244.{1 + number // 250}.{1 + number % 250}", f"fd00:10:244::1:{number:x}"]
    for text in topology.pod_ranges:
        network = ip_network(text, strict=False)
        place = (1 + number // 250) * 256 + 1 + number % 250
        found[network.version == 6] = str(network[place % network.num_addresses])
    return tuple(found)


def place_on_paper(topology: Topology) -> Placement:
    """Pods in the topology's ranges or 10.244.0.0/16, Services in 10.96.0.0/16, nodes in 172.18.0.0/24, peers outside
    in 203.0.113.0/24; all with an IPv6 address too."""
    addresses: dict[str, tuple[str, ...]] = {
        DNS_POD.id: ("10.244.0.2", "fd00:10:244::2"),
        DNS_SERVICE.id: ("10.96.0.10", "fd00:10:96::a"),
    }
    count = max(len(topology.nodes), 1)
    nodes = [(f"172.18.0.{2 + index}", f"fd00:172:18::{2 + index:x}") for index in range(count)]
    addresses |= {node.id: nodes[index] for index, node in enumerate(topology.nodes)}
    for number, external in enumerate(topology.externals, start=10):
        addresses[external.id] = (f"203.0.113.{number}", f"2001:db8:203::{number:x}")
    for number, service in enumerate(topology.services):
        addresses[service.id] = (f"10.96.{1 + number // 250}.{1 + number % 250}", f"fd00:10:96::1:{number:x}")
    for number, pod in enumerate(topology.pods):
        addresses[pod.id] = nodes[pod.node % count] if pod.host_network else _own(topology, number)
    ports = ((s.id, p.port, p.protocol) for s in topology.services if s.node_port for p in s.ports)
    return Placement(
        addresses=addresses,
        node_of={pod.id: f"node:{pod.node % count}" for pod in topology.pods if not pod.on_any_node},
        node_ports={key: 30000 + number for number, key in enumerate(ports)},
        dns_pods=(DNS_POD,),
        hostnames={external.id: f"{external.name}.peers.test" for external in topology.externals},
        api_server=f"node:{count - 1}",
    )
