"""The world of a chart that no map describes: its workloads as probe pods, its Services, and bystanders. What is meant
is unstated, so its cells compare what the policies mean with what is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from netproof.charts.helm import HelmChart
from netproof.charts.plan import Plan
from netproof.errors import InputError
from netproof.lint.workloads import world_of
from netproof.manifests.load import policies_of
from netproof.manifests.yaml_documents import Located
from netproof.model import External, Namespace, Node, Pod, Port, Probe, Service, Topology
from netproof.model.topology import DNS_PORTS, DNS_SERVICE
from netproof.model.traffic import Via
from netproof.policy import read_each
from netproof.policy.rules import PodPeer, leaves

NODES = (Node(index=0), Node(index=1))
OUTSIDE_PORTS = (443, 5432)
"""Where outside hosts and bystanders listen, beside the ports that egress rules to addresses name."""

UNSTATED = (
    "nobody says what is meant (no --service-map): intended is unstated, and a wrong policy cannot be told from a "
    "right one; only what the policies mean and what is measured are compared"
)


def plan(chart: HelmChart, objects: Sequence[Located]) -> Plan:
    """Raises InputError when the chart has no workload, or one that cannot be read."""
    topology = _world(chart, objects)
    policies = tuple(one.content for one in policies_of(objects))
    warnings = [UNSTATED]
    if not policies:
        warnings.append("this chart renders no policy with these values: everything is allowed")
    return Plan(
        name=chart.release,
        topology=topology,
        manifests=policies,
        warnings=tuple(warnings),
        service_map=None,
        cells=tuple(dict.fromkeys(_cells(topology))),
    )


def workloads(objects: Sequence[Located], namespace: str) -> Topology:
    """One probe pod for each workload, listening on its containers' ports and on those that a Service leads to by
    number (`containerPort` need not be given); Services without a selector have no pods and are left out."""
    found = world_of(objects, namespace).topology
    services = tuple(service for service in found.services if service.selector)
    pods = tuple(
        replace(pod, node=index % len(NODES), ports=_ports(pod, services)) for index, pod in enumerate(found.pods)
    )
    used = {pod.namespace for pod in pods}
    namespaces = tuple(one for one in found.namespaces if one.name in used)
    missing = tuple(Namespace(name=name) for name in sorted(used - {one.name for one in namespaces}))
    return Topology(namespaces=namespaces + missing, pods=pods, services=services, nodes=NODES)


def with_accounts(topology: Topology, objects: Sequence[Located], namespace: str) -> Topology:
    """A map's topology with the chart's service accounts, which some dialects select by and maps do not have."""
    own = workloads(objects, namespace).pods
    accounts = {(pod.namespace, frozenset(pod.labels.items())): pod.service_account for pod in own}

    def account(pod: Pod) -> str:
        return accounts.get((pod.namespace, frozenset(pod.labels.items())), pod.service_account)

    return replace(topology, pods=tuple(replace(pod, service_account=account(pod)) for pod in topology.pods))


def unknown_to(topology: Topology, objects: Sequence[Located], namespace: str) -> tuple[str, ...]:
    """Warnings: the chart's workloads whose labels no pod of the map has, so that nothing is asked about them."""
    known = [(pod.namespace, dict(pod.labels).items()) for pod in topology.pods]
    return tuple(
        f"{pod.id} of the chart: no pod of the map in {pod.namespace} has its labels "
        f"({', '.join(f'{key}={value}' for key, value in pod.labels.items()) or 'none'}), so nothing is asked about it"
        for pod in workloads(objects, namespace).pods
        if not any(there == pod.namespace and labels >= dict(pod.labels).items() for there, labels in known)
    )


def _ports(pod: Pod, services: Sequence[Service]) -> tuple[Port, ...]:
    known = {(port.port, port.protocol) for port in pod.ports}
    reached = dict.fromkeys(
        (port.target, port.protocol)
        for service in services
        if service.namespace == pod.namespace and service.selector.items() <= dict(pod.labels).items()
        for port in service.ports
    )
    more = [Port(port=t, protocol=p) for t, p in reached if isinstance(t, int) and (t, p) not in known]
    return (*pod.ports, *more)


def _world(chart: HelmChart, objects: Sequence[Located]) -> Topology:
    own = workloads(objects, chart.namespace)
    if not own.pods:
        raise InputError(
            "it has no workload, so nobody could be asked; give a --service-map that says who there is", file=chart.path
        )
    ports = tuple(Port(port=number) for number in _outside(objects))
    taken = {pod.name for pod in own.pods}
    stranger = next(name for name in ("stranger", *(f"stranger-{n}" for n in range(2, 99))) if name not in taken)
    neighbours = f"{chart.namespace[:53].rstrip('-')}-neighbour"
    bystanders = (
        Pod(namespace=chart.namespace, name=stranger, labels={"app": stranger}, ports=ports, node=0),
        # With the labels of one of the chart's pods it shows a selector that forgets namespaces.
        Pod(namespace=neighbours, name="neighbour", labels=own.pods[0].labels, ports=ports, node=1),
    )
    names = {namespace.name for namespace in own.namespaces}
    more = tuple(Namespace(name=name) for name in dict.fromkeys((chart.namespace, neighbours)) if name not in names)
    return replace(
        own,
        namespaces=own.namespaces + more,
        pods=own.pods + bystanders,
        externals=(External(name="outsider", ports=ports),),
    )


def _outside(objects: Sequence[Located]) -> tuple[int, ...]:
    """The ports of hosts outside: the usual ones, and those of egress rules that are about more than pods."""
    found = dict.fromkeys(OUTSIDE_PORTS)
    for policy in (policy for _, policies in read_each(objects) for policy in policies):
        for rule in policy.rules:
            only_pods = rule.peers is not None and all(isinstance(leaf, PodPeer) for leaf in leaves(rule.peers))
            if rule.direction == "egress" and not only_pods:
                tcp = (match for match in rule.ports or () if match.protocol == "TCP" and match.first)
                found |= dict.fromkeys(match.first for match in tcp if match.first)
    return tuple(found)


def _cells(topology: Topology) -> Iterator[Probe]:
    """Everybody to everybody. Nobody is asked about itself, and bystanders not about each other."""
    bystanders = {pod.id for pod in topology.pods[-2:]}
    for source in topology.pods:
        for pod in topology.pods:
            if pod.id != source.id and not {pod.id, source.id} <= bystanders:
                yield from _to_pod(source.id, pod)
        if source.id in bystanders:
            continue
        for external in topology.externals:
            for port in external.ports:
                yield Probe(
                    source=source.id, destination=external.id, port=port.port, protocol=port.protocol, via="address"
                )
        for port in DNS_PORTS:
            yield Probe(
                source=source.id,
                destination=DNS_SERVICE.id,
                port=port.port,
                protocol=port.protocol,
                via="service",
                kind="lookup",
            )
    for service in topology.services:
        yield from _to_service(topology, service)
    for node in topology.nodes:
        for pod in topology.pods:
            if pod.id not in bystanders and not pod.host_network:
                yield from _to_pod(node.id, pod)


def _to_pod(source: str, pod: Pod) -> Iterator[Probe]:
    for port in pod.ports:
        yield Probe(source=source, destination=pod.id, port=port.port, protocol=port.protocol)


def _to_service(topology: Topology, service: Service) -> Iterator[Probe]:
    """By its address from pods, by its node port from outside. A headless one has no address, and its pods are asked
    themselves; a port behind which nobody listens says nothing of policies."""
    backends = topology.backends(service)
    for port in service.ports:
        numbers = [pod.port_number(port.target, port.protocol) for pod in backends]
        if service.headless or not backends or None in numbers:
            continue
        ways: list[tuple[str, Via]] = [(pod.id, "service") for pod in topology.pods if pod not in backends]
        ways += [(external.id, "nodeport") for external in topology.externals if service.node_port]
        for source, via in ways:
            yield Probe(source=source, destination=service.id, port=port.port, protocol=port.protocol, via=via)
