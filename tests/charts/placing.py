"""A topology put somewhere, without a driver: pods in 10.244.0.0/16, Services in 10.96.0.0/16, the rest elsewhere."""

from __future__ import annotations

from netproof.charts import Directions, Plan
from netproof.model import Intent, Placement, Pod, Probe, Specified, Topology
from netproof.model.topology import DNS_LABELS, DNS_PORTS
from netproof.policy import Evaluator, read_policies


def placed(topology: Topology) -> Placement:
    dns = Pod(namespace="kube-system", name="coredns", labels=DNS_LABELS, ports=DNS_PORTS)
    addresses = {"svc:kube-system/kube-dns": ("10.96.0.10",), dns.id: ("10.244.0.2",)}
    addresses |= {pod.id: (f"10.244.{pod.node}.{index + 10}",) for index, pod in enumerate(topology.pods)}
    addresses |= {service.id: (f"10.96.0.{index + 20}",) for index, service in enumerate(topology.services)}
    addresses |= {external.id: (f"172.18.1.{index + 10}",) for index, external in enumerate(topology.externals)}
    addresses |= {node.id: (f"172.18.0.{node.index + 2}",) for node in topology.nodes}
    ports = [(service.id, port.port, port.protocol) for service in topology.services for port in service.ports]
    return Placement(
        addresses=addresses,
        node_of={pod.id: f"node:{pod.node}" for pod in topology.pods} | {dns.id: "node:0"},
        node_ports={port: 30000 + index for index, port in enumerate(ports)},
        dns_pods=(dns,),
    )


def differences(plan: Plan, side: Directions = "both") -> dict[Probe, tuple[Intent, Specified]]:
    """The cells whose intent is not what the policies mean by the API's text."""
    evaluator = Evaluator(read_policies(plan.for_side(side)), plan.topology, placed(plan.topology))
    found = {probe: (intent, evaluator.decide(probe).specified) for probe, intent in plan.intended(side).cells.items()}
    return {probe: pair for probe, pair in found.items() if pair[0].value != pair[1].value}
