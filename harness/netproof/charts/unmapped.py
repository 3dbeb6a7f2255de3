"""The world of a chart that no map describes: its workloads as probe pods, its Services, and bystanders. What is meant
is unstated, so its cells compare what the policies mean with what is measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from netproof.charts.helm import HelmChart
from netproof.charts.plan import Plan
from netproof.errors import InputError
from netproof.manifests.controllers import SEVERAL, lasting
from netproof.manifests.load import select_policies
from netproof.manifests.workloads import read_workloads
from netproof.manifests.yaml_documents import Located
from netproof.model import External, Namespace, Node, Pod, Port, Probe, Service, Topology
from netproof.model.topology import DNS_PORTS, DNS_SERVICE, Protocol
from netproof.model.traffic import Via
from netproof.policy import read_each, read_understood
from netproof.policy.groups import Groups
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
    policies = tuple(one.content for one in select_policies(objects))
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


def build_topology(objects: Sequence[Located], namespace: str) -> Topology:
    """The probe pods of each workload (two where there may be several that are alike), listening on their containers'
    ports and on those that a Service leads to by number (`containerPort` need not be given); Services without a
    selector have no pods and are left out."""
    found = read_workloads(objects, namespace).topology
    services = tuple(service for service in found.services if service.selector)
    pods = tuple(
        replace(pod, node=index % len(NODES), on_any_node=True, ports=_ports(pod, services))
        for index, pod in enumerate(_two_of_each(found.pods))
    )
    pods = tuple(_with_policy_ports(pods, found, objects))
    used = {pod.namespace for pod in pods}
    namespaces = tuple(one for one in found.namespaces if one.name in used)
    missing = tuple(Namespace(name=name) for name in sorted(used - {one.name for one in namespaces}))
    return Topology(namespaces=namespaces + missing, pods=pods, services=services, nodes=NODES)


def _with_policy_ports(pods: Sequence[Pod], found: Topology, objects: Sequence[Located]) -> Iterator[Pod]:
    """Each pod listens on the ports that policies name for it, too: `containerPort` is information only."""
    groups = Groups(replace(found, pods=tuple(pods)), ())
    named: dict[int, dict[tuple[int, Protocol], None]] = {}
    for policy in (policy for _, policies in read_understood(objects)[0] for policy in policies):
        for rule in policy.rules:
            reached = [policy.subject] if rule.direction == "ingress" else leaves(rule.peers or ())
            numbers = [(port.first, port.protocol) for port in rule.ports or () if port.first]
            for group in {group for peer in reached if isinstance(peer, PodPeer) for group in groups.select(peer)}:
                named.setdefault(group, {}).update(dict.fromkeys(numbers))
    for pod in pods:
        own = groups.of(pod.id)
        known = {(port.port, port.protocol) for port in pod.ports}
        wanted = {} if own is None else named.get(own, {})
        more = [Port(port=number, protocol=protocol) for number, protocol in wanted if (number, protocol) not in known]
        yield replace(pod, ports=(*pod.ports, *more))


def _two_of_each(pods: Sequence[Pod]) -> Iterator[Pod]:
    """Of the pods of a workload that are alike, two stand for all."""
    seen: Counter[object] = Counter()
    for pod in pods:
        alike = (pod.workload, frozenset(pod.labels.items()), pod.ports)
        seen[alike] += 1
        if not pod.workload or seen[alike] <= SEVERAL:
            yield pod


def add_service_accounts(topology: Topology, objects: Sequence[Located], namespace: str) -> Topology:
    """A map's topology with the chart's service accounts, which some dialects select by and maps do not have."""
    own = build_topology(objects, namespace).pods

    def key(pod: Pod) -> object:
        return pod.namespace, frozenset(lasting(pod.labels).items())

    accounts = {key(pod): pod.service_account for pod in own}

    def account(pod: Pod) -> str:
        return accounts.get(key(pod), pod.service_account)

    return replace(topology, pods=tuple(replace(pod, service_account=account(pod)) for pod in topology.pods))


def warn_of_unmapped(topology: Topology, objects: Sequence[Located], namespace: str) -> tuple[str, ...]:
    """Warnings: the chart's workloads whose labels no pod of the map has, so that nothing is asked about them."""
    known = [(pod.namespace, pod.labels.items()) for pod in topology.pods]
    own = {pod.workload or pod.id: pod for pod in reversed(build_topology(objects, namespace).pods)}
    return tuple(
        f"{name} of the chart: no pod of the map in {pod.namespace} has its labels "
        f"({', '.join(f'{key}={value}' for key, value in lasting(pod.labels).items()) or 'none'}), so nothing is asked "
        "about it"
        for name, pod in reversed(own.items())
        if not any(there == pod.namespace and labels >= lasting(pod.labels).items() for there, labels in known)
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
    own = build_topology(objects, chart.namespace)
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
    """Everybody to everybody. Nobody is asked about itself, and bystanders not about each other. The second of two pods
    that are alike is asked about the first one only."""
    bystanders = {pod.id for pod in topology.pods[-2:]}
    seconds = dict(_seconds(topology.pods))
    for source in topology.pods:
        for pod in topology.pods:
            if pod.id == source.id or {pod.id, source.id} <= bystanders:
                continue
            is_second = source.id in seconds or pod.id in seconds
            if is_second and pod.id != seconds.get(source.id) and source.id != seconds.get(pod.id):
                continue
            yield from _to_pod(source.id, pod)
        if source.id in bystanders or source.id in seconds:
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
            if pod.id not in bystanders and pod.id not in seconds and not pod.host_network:
                yield from _to_pod(node.id, pod)


def _seconds(pods: Sequence[Pod]) -> Iterator[tuple[str, str]]:
    """The id of each pod that is like an earlier one of its workload, and of that one."""
    firsts: dict[object, str] = {}
    for pod in pods:
        alike = (pod.workload, frozenset(pod.labels.items()), pod.ports)
        first = firsts.setdefault(alike, pod.id)
        if pod.workload and first != pod.id:
            yield pod.id, first


def _to_pod(source: str, pod: Pod) -> Iterator[Probe]:
    for port in pod.ports:
        yield Probe(source=source, destination=pod.id, port=port.port, protocol=port.protocol)


def _to_service(topology: Topology, service: Service) -> Iterator[Probe]:
    """By its address from pods, by its node port from outside. A headless one has no address, and its pods are asked
    themselves; a port behind which nobody listens says nothing of policies."""
    backends = topology.backends(service)
    seconds = dict(_seconds(topology.pods))
    for port in service.ports:
        numbers = [pod.port_number(port.target, port.protocol) for pod in backends]
        if service.headless or not backends or None in numbers:
            continue
        ways: list[tuple[str, Via]] = [
            (pod.id, "service") for pod in topology.pods if pod not in backends and pod.id not in seconds
        ]
        ways += [(external.id, "nodeport") for external in topology.externals if service.node_port]
        for source, via in ways:
            yield Probe(source=source, destination=service.id, port=port.port, protocol=port.protocol, via=via)
