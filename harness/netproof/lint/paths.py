"""One path, as a user names it (`ui`, `shop/ui`, `svc:shop/api`, `external:s3`, an address), as a probe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import cast, get_args

from netproof.errors import InputError, suggest
from netproof.lint.inputs import ground as new_ground
from netproof.lint.model import Ground
from netproof.model import External, Pod, Port, Probe, Service
from netproof.model.topology import DNS_SERVICE, Protocol
from netproof.model.traffic import Via


def probe_of(ground: Ground, source: str, destination: str, port: str) -> tuple[Ground, Probe]:
    """The probe, and the ground on which it can be decided: an address becomes an outside peer there. Raises
    InputError with the nearest name."""
    ground = _with_addresses(ground, [word for word in (source, destination) if _is_address(word)])
    start = endpoint(ground, source, "FROM")
    end = _other(ground, start, destination, endpoint(ground, destination, "TO"))
    if start.startswith("svc:"):
        raise InputError("a Service sends nothing: name one of the pods behind it", key="FROM")
    number, protocol = _port(ground, end, port)
    via: Via = "pod" if end in ground.groups.pods else "address"
    if end.startswith("svc:"):
        via = "service" if start in ground.groups.pods else "nodeport"
    return ground, Probe(
        source=start,
        destination=end,
        port=number,
        protocol=protocol,
        via=via,
        family=6 if _is_six(start, end) else 4,
    )


def endpoint(ground: Ground, word: str, key: str) -> str:
    """The id of one end. A name without its namespace is enough where only one pod has it."""
    known = list(_known(ground))
    if word in known:
        return word
    if _is_address(word):
        return f"external:{word}"
    exact = [one for one in known if _is_called(one, word) or _is_of(ground, one, word)]
    found = exact or [one for one in known if _is_replica(one, word)]
    pods = [one for one in found if one in ground.groups.pods]
    if len({one.partition("/")[0] for one in pods or found}) > 1 or _several_workloads(ground, pods):
        raise InputError(f"{word!r} is the name of several: {', '.join(pods or found)}", key=key)
    if not found:
        words = {*known, *(one.rpartition("/")[2].rpartition(":")[2] for one in known)}
        raise InputError(f"there is no {word!r}; {suggest(word, words)}", key=key)
    return (pods or found)[0]


def siblings(ground: Ground, end: str) -> list[str]:
    """The other pods of the same workload."""
    pod = ground.groups.pods.get(end)
    if pod is None or not pod.workload:
        return []
    return [one.id for one in ground.groups.pods.values() if one.workload == pod.workload and one.id != end]


def _other(ground: Ground, start: str, word: str, end: str) -> str:
    """A workload to itself is one of its pods to another one, where it has several."""
    others = siblings(ground, start) if start == end and word != end else ()
    return others[0] if others else end


def backends(ground: Ground, end: str) -> Sequence[Pod]:
    """The pods behind a Service, or the one pod that the end is; none for what is outside."""
    topology = ground.world.topology
    service = topology.service(end)
    if service is None:
        return [ground.groups.pods[end]] if end in ground.groups.pods else []
    if service.id == DNS_SERVICE.id:
        return ground.world.placement.dns_pods
    return topology.backends(service) if service.selector else ()


def _several_workloads(ground: Ground, pods: Sequence[str]) -> bool:
    return len({ground.groups.pods[pod].workload or re.sub(r"-\d+$", "", pod) for pod in pods}) > 1


def _known(ground: Ground) -> Iterator[str]:
    topology = ground.world.topology
    yield from ground.groups.pods
    yield from topology.endpoints()
    yield from (service.id for service in (*topology.services, DNS_SERVICE))


def _is_of(ground: Ground, one: str, word: str) -> bool:
    """Whether the word names the workload that this is a pod of."""
    pod = ground.groups.pods.get(one)
    return pod is not None and bool(pod.workload) and word in (pod.workload, pod.workload.partition("/")[2])


def _is_called(one: str, word: str) -> bool:
    """Whether the word is its name without namespace or kind."""
    plain = one.partition(":")[2] if one.startswith(("svc:", "external:")) else one
    return word in (plain, plain.rpartition("/")[2])


def _is_replica(one: str, word: str) -> bool:
    """Whether the word is its name without a replica's number."""
    plain = one if "/" in word else one.rpartition("/")[2]
    return re.fullmatch(re.escape(word) + r"-\d+", plain) is not None


def _port(ground: Ground, end: str, word: str) -> tuple[int, Protocol]:
    name, slash, protocol = word.partition("/")
    wanted = cast(Protocol, protocol.upper() if slash else "TCP")
    if wanted not in get_args(Protocol):
        raise InputError(f"a protocol is TCP, UDP or SCTP (got {protocol!r})", key="PORT")
    ports = _ports(ground, end)
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


def _ports(ground: Ground, end: str) -> list[Port]:
    topology = ground.world.topology
    service: Service | None = topology.service(end)
    if service is not None:
        return [Port(port=port.port, protocol=port.protocol, name=port.name) for port in service.ports]
    if end in ground.groups.pods:
        return list(ground.groups.pods[end].ports)
    return [port for external in topology.externals if external.id == end for port in external.ports]


def _with_addresses(ground: Ground, addresses: Sequence[str]) -> Ground:
    if not addresses:
        return ground
    world = ground.world
    externals = tuple(External(name=address) for address in dict.fromkeys(addresses))
    placement = replace(
        world.placement,
        addresses={**world.placement.addresses, **{one.id: (one.name,) for one in externals}},
    )
    topology = replace(world.topology, externals=(*world.topology.externals, *externals))
    return new_ground(
        ground.written,
        replace(world, topology=topology, placement=placement),
        pod_ranges=[str(pods) for pods in ground.pod_ranges],
        engines=ground.engines,
        intended=ground.intended,
        unread=ground.unread,
    )


def _is_address(word: str) -> bool:
    try:
        ip_address(word)
    except ValueError:
        return False
    return True


def _is_six(*ends: str) -> bool:
    return any(":" in end.removeprefix("external:") for end in ends if end.startswith("external:"))
