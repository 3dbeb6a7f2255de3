"""Made-up addresses for a topology that no driver has placed: enough to say what policies mean without a cluster."""

from __future__ import annotations

from netproof.model import Placement, Pod, Topology
from netproof.model.topology import DNS_LABELS, DNS_PORTS, DNS_SERVICE

DNS_POD = Pod(namespace="kube-system", name="coredns", labels=DNS_LABELS, ports=DNS_PORTS)


def placed(topology: Topology) -> Placement:
    """Pods in 10.244.0.0/16, Services in 10.96.0.0/16, nodes in 172.18.0.0/24, outside peers in 203.0.113.0/24; all
    with an IPv6 address too."""
    addresses = {
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
        own = (f"10.244.{1 + number // 250}.{1 + number % 250}", f"fd00:10:244::1:{number:x}")
        addresses[pod.id] = nodes[pod.node % count] if pod.host_network else own
    ports = ((s.id, p.port, p.protocol) for s in topology.services if s.node_port for p in s.ports)
    return Placement(
        addresses=addresses,
        node_of={pod.id: f"node:{pod.node % count}" for pod in topology.pods},
        node_ports={key: 30000 + number for number, key in enumerate(ports)},
        dns_pods=(DNS_POD,),
        hostnames={external.id: f"{external.name}.peers.test" for external in topology.externals},
        api_server=f"node:{count - 1}",
    )
