"""One path, as a user names it (`ui`, `shop/ui`, `svc:shop/api`, `external:s3`, an address), as a probe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import cast, get_args

from netproof.errors import InputError, suggest
from netproof.lint.inputs import build_input
from netproof.lint.model import Inventory, LintInput
from netproof.model import External, Pod, Port, Probe, Service
from netproof.model.topology import DNS_SERVICE, Protocol
from netproof.model.traffic import Via


def read_probe(inputs: LintInput, source: str, destination: str, port: str) -> tuple[LintInput, Probe]:
    """The probe, and the inputs on which it can be decided: an address becomes an outside peer there. Raises
    InputError with the nearest name."""
    outside = [word for word in (source, destination) if _is_address(word) and word not in inputs.inventory.by_address]
    inputs = _with_addresses(inputs, outside)
    start = endpoint(inputs, source, "FROM")
    end = _other(inputs, start, destination, endpoint(inputs, destination, "TO"))
    node, end = end, _behind_host_port(inputs, end, port)
    if start.startswith("svc:"):
        raise InputError("a Service sends nothing: name one of the pods behind it", key="FROM")
    service = inputs.inventory.topology.service(end)
    if service is not None and service.external_name:
        return _by_external_name(inputs, start, service, port)
    number, protocol = _port(inputs, end, port)
    via: Via = "pod" if end in inputs.groups.pods else "address"
    if end.startswith("svc:"):
        via = "service" if start in inputs.groups.pods and node == end else "nodeport"
    return inputs, Probe(
        source=start,
        destination=end,
        port=number,
        protocol=protocol,
        via=via,
        family=6 if _is_six(start, end) else 4,
    )


def endpoint(inputs: LintInput, word: str, key: str) -> str:
    """The id of one end. A name without its namespace is enough where only one pod has it."""
    known = list(_known(inputs))
    if word in known:
        return word
    named = inputs.inventory.by_address.get(word) or inputs.inventory.by_node_name.get(word)
    if named is not None:
        return named
    if _is_address(word):
        return f"external:{word}"
    exact = [one for one in known if _is_called(one, word) or _is_of(inputs, one, word)]
    found = exact or [one for one in known if _is_replica(one, word)]
    pods = [one for one in found if one in inputs.groups.pods]
    if len({one.partition("/")[0] for one in pods or found}) > 1 or _several_workloads(inputs, pods):
        raise InputError(f"{word!r} is the name of several: {', '.join(pods or found)}", key=key)
    if not found:
        words = {*known, *(one.rpartition("/")[2].rpartition(":")[2] for one in known)}
        raise InputError(f"there is no {word!r}; {suggest(word, words)}", key=key)
    return (pods or found)[0]


def in_service_range(inputs: LintInput, word: str) -> bool:
    """Whether it is an address in the range of Services' addresses."""
    if not _is_address(word):
        return False
    address = ip_address(word)
    ranges = [ip_network(text, strict=False) for text in inputs.inventory.service_ranges]
    return any(address.version == one.version and address in one for one in ranges)


def siblings(inputs: LintInput, end: str) -> list[str]:
    """The other pods of the same workload."""
    pod = inputs.groups.pods.get(end)
    if pod is None or not pod.workload:
        return []
    return [one.id for one in inputs.groups.pods.values() if one.workload == pod.workload and one.id != end]


def _other(inputs: LintInput, start: str, word: str, end: str) -> str:
    """A workload to itself is one of its pods to another one, where it has several."""
    others = siblings(inputs, start) if start == end and word != end else ()
    return others[0] if others else end


def _behind_host_port(inputs: LintInput, end: str, port: str) -> str:
    """A port of a node that is some pod's hostPort leads to that pod."""
    number = port.partition("/")[0]
    if not end.startswith("node:") or not number.isdecimal():
        return end
    nodes = inputs.inventory.placement.node_of
    for pod in inputs.inventory.topology.pods:
        if nodes.get(pod.id, end) == end and any(str(host) == number for _, host in pod.host_ports):
            return f"svc:{pod.namespace}/hostPort-{number}-of-{pod.name}"
    return end


def _by_external_name(inputs: LintInput, start: str, service: Service, port: str) -> tuple[LintInput, Probe]:
    """An ExternalName is a name of something else, of a Service or outside: no policy knows it."""
    name = service.external_name
    inside = re.fullmatch(r"([^.]+)\.([^.]+)\.svc(\.cluster\.local)?", name)
    if inside:
        return read_probe(inputs, start, f"svc:{inside[2]}/{inside[1]}", port)
    world = inputs.inventory
    external = External(name=name)
    placement = replace(world.placement, hostnames={**world.placement.hostnames, external.id: name})
    topology = replace(world.topology, externals=(*world.topology.externals, external))
    inputs = _rebuilt(inputs, replace(world, topology=topology, placement=placement))
    number, protocol = _port(inputs, external.id, port)
    return inputs, Probe(source=start, destination=external.id, port=number, protocol=protocol, via="name")


def backends(inputs: LintInput, end: str) -> Sequence[Pod]:
    """The pods behind a Service, or the one pod that the end is; none for what is outside."""
    topology = inputs.inventory.topology
    service = topology.service(end)
    if service is None:
        return [inputs.groups.pods[end]] if end in inputs.groups.pods else []
    if service.id == DNS_SERVICE.id:
        return inputs.inventory.placement.dns_pods
    return topology.backends(service) if service.selector else ()


def _several_workloads(inputs: LintInput, pods: Sequence[str]) -> bool:
    return len({inputs.groups.pods[pod].workload or re.sub(r"-\d+$", "", pod) for pod in pods}) > 1


def _known(inputs: LintInput) -> Iterator[str]:
    topology = inputs.inventory.topology
    yield from inputs.groups.pods
    yield from topology.endpoints()
    yield from (service.id for service in (*topology.services, DNS_SERVICE))


def _is_of(inputs: LintInput, one: str, word: str) -> bool:
    """Whether the word names the workload that this is a pod of."""
    pod = inputs.groups.pods.get(one)
    return pod is not None and bool(pod.workload) and word in (pod.workload, pod.workload.partition("/")[2])


def _is_called(one: str, word: str) -> bool:
    """Whether the word is its name without namespace or kind."""
    plain = one.partition(":")[2] if one.startswith(("svc:", "external:")) else one
    return word in (plain, plain.rpartition("/")[2])


def _is_replica(one: str, word: str) -> bool:
    """Whether the word is its name without a replica's number."""
    plain = one if "/" in word else one.rpartition("/")[2]
    return re.fullmatch(re.escape(word) + r"-\d+", plain) is not None


def _port(inputs: LintInput, end: str, word: str) -> tuple[int, Protocol]:
    name, slash, protocol = word.partition("/")
    wanted = cast(Protocol, protocol.upper() if slash else "TCP")
    if wanted not in get_args(Protocol):
        raise InputError(f"a protocol is TCP, UDP or SCTP (got {protocol!r})", key="PORT")
    ports = _ports(inputs, end)
    if name.isdecimal():
        number = int(name)
        if not 1 <= number <= 65535:
            raise InputError(f"a port number is from 1 to 65535 (got {name})", key="PORT")
        if end.startswith("svc:") and not any((port.port, port.protocol) == (number, wanted) for port in ports):
            has = ", ".join(f"{port.port}/{port.protocol}" for port in ports) or "none"
            raise InputError(f"{end} has no port {number}/{wanted}; it has {has}", key="PORT")
        return number, wanted
    found = [port for port in ports if port.name == name and (not slash or port.protocol == wanted)]
    if not found:
        names = [port.name for port in ports if port.name]
        raise InputError(f"{end} has no port named {name!r}; {suggest(name, names)}", key="PORT")
    return found[0].port, found[0].protocol


def _ports(inputs: LintInput, end: str) -> list[Port]:
    topology = inputs.inventory.topology
    service: Service | None = topology.service(end)
    if service is not None:
        return [Port(port=port.port, protocol=port.protocol, name=port.name) for port in service.ports]
    if end in inputs.groups.pods:
        return list(inputs.groups.pods[end].ports)
    return [port for external in topology.externals if external.id == end for port in external.ports]


def _with_addresses(inputs: LintInput, addresses: Sequence[str]) -> LintInput:
    if not addresses:
        return inputs
    world = inputs.inventory
    externals = tuple(External(name=address) for address in dict.fromkeys(addresses))
    placement = replace(
        world.placement,
        addresses={**world.placement.addresses, **{one.id: (one.name,) for one in externals}},
    )
    topology = replace(world.topology, externals=(*world.topology.externals, *externals))
    return _rebuilt(inputs, replace(world, topology=topology, placement=placement))


def _rebuilt(inputs: LintInput, inventory: Inventory) -> LintInput:
    return build_input(
        inputs.policies,
        inventory,
        pod_ranges=[str(pods) for pods in inputs.pod_ranges],
        cnis=inputs.cnis,
        intended=inputs.intended,
        unread=inputs.unread,
        dns=inputs.dns,
    )


def _is_address(word: str) -> bool:
    try:
        ip_address(word)
    except ValueError:
        return False
    return True


def _is_six(*ends: str) -> bool:
    return any(":" in end.removeprefix("external:") for end in ends if end.startswith("external:"))
