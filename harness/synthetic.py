"""Made-up addresses for a topology that no driver has placed: enough to say what policies mean without a cluster."""

from __future__ import annotations

from harness.model import Placement, Pod, Topology
from harness.model.topology import DNS_LABELS, DNS_PORTS, DNS_SERVICE

DNS_POD = Pod(namespace="kube-system", name="coredns", labels=DNS_LABELS, ports=DNS_PORTS)


def placed(topology: Topology) -> Placement:
    """Pods in 10.244.0.0/16, Services in 10.96.0.0/16, nodes in 172.18.0.0/24, outside peers in 203.0.113.0/24."""
    addresses = {DNS_POD.id: ("10.244.0.2",), DNS_SERVICE.id: ("10.96.0.10",)}
    nodes = max(len(topology.nodes), 1)
    addresses |= {node.id: (f"172.18.0.{2 + i}",) for i, node in enumerate(topology.nodes)}
    addresses |= {external.id: (f"203.0.113.{10 + i}",) for i, external in enumerate(topology.externals)}
    for number, service in enumerate(topology.services):
        addresses[service.id] = (f"10.96.{1 + number // 250}.{1 + number % 250}",)
    for number, pod in enumerate(topology.pods):
        own = (
            f"172.18.0.{2 + pod.node % nodes}" if pod.host_network else f"10.244.{1 + number // 250}.{1 + number % 250}"
        )
        addresses[pod.id] = (own,)
    ports = ((s.id, p.port, p.protocol) for s in topology.services if s.node_port for p in s.ports)
    return Placement(
        addresses=addresses,
        node_of={pod.id: f"node:{pod.node % nodes}" for pod in topology.pods},
        node_ports={key: 30000 + number for number, key in enumerate(ports)},
        dns_pods=(DNS_POD,),
    )
