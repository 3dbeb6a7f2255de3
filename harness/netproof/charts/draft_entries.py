"""The services and peers of a draft: what workloads, Services and policies have that a service map can name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from netproof.manifests.controllers import COMPLETION_INDEX, POD_INDEX, POD_NAME, lasting
from netproof.model import Pod, Port, Service, Topology
from netproof.policy import Policy
from netproof.policy.rules import PodPeer, Requirement, leaves

APART = "netproof/name"
"""The label that tells pods apart that share all others: a map's Services select by all labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftEntry:
    """A service or peer of the map. `carried`: container port -> its number at the Service, or False. `second`: another
    pod of the same workload, where there may be several."""

    name: str
    pod: Pod
    origin: str
    labels: Mapping[str, str]
    carried: Mapping[Port, int | bool] = field(default_factory=dict)
    is_peer: bool = False
    second: Pod | None = None


def draft_services(topology: Topology, selected: Collection[str]) -> Iterator[DraftEntry]:
    """`selected` are the keys of labels that policies select by: the others of a controller or of a version of the
    chart are left out."""
    taken: set[str] = {"global"}
    members: dict[str, list[Pod]] = {}
    for pod in sorted(topology.pods, key=lambda pod: pod.host_network):
        members.setdefault(pod.workload or pod.id, []).append(pod)
    for workload, pods in members.items():
        behind = [service for service in topology.services if pods[0] in topology.backends(service)]
        alone = [service for service in behind if all(pod in pods for pod in topology.backends(service))]
        own = workload.partition("/")[2]
        name = _free(alone[0].name if len(alone) == 1 else own, pods[0].namespace, taken)
        services = f" and Service {', '.join(service.name for service in behind)}" if behind else ""
        pod = replace(pods[0], ports=_ports(pods[0]))
        yield DraftEntry(
            name=name,
            pod=pod,
            origin=f"workload {workload}{services}",
            labels={key: value for key, value in pod.labels.items() if key in {*lasting(pod.labels), *selected}},
            carried=_carried(pod, behind),
            is_peer=pod.host_network,
            second=pods[1] if len(pods) > 1 and not pod.host_network else None,
        )


def selected_keys(policies: Iterable[Policy]) -> set[str]:
    selections = [policy.subject for policy in policies]
    selections += [
        peer
        for policy in policies
        for rule in policy.rules
        for peer in leaves(rule.peers or ())
        if isinstance(peer, PodPeer)
    ]
    found = {one.key for each in selections for one in each.pods.requirements if isinstance(one, Requirement)}
    # A map's pods have other names and numbers than those of the cluster.
    return found - {POD_NAME, POD_INDEX, COMPLETION_INDEX}


def draft_peers(peers: Iterable[tuple[Pod, str]], topology: Topology) -> Iterator[DraftEntry]:
    taken = {
        "global",
        *(name_object(pod.name) for pod in topology.pods),
        *(name_object(s.name) for s in topology.services),
    }
    for pod, origin in peers:
        name = _free(pod.name, pod.namespace, taken)
        carried = {port: port.port for port in pod.ports}
        yield DraftEntry(name=name, pod=pod, origin=origin, labels=pod.labels, carried=carried, is_peer=True)


def _ports(pod: Pod) -> tuple[Port, ...]:
    """Each number once, and each name."""
    found: dict[tuple[int, str], Port] = {}
    names: set[str | None] = {None}
    for port in pod.ports:
        kept = port if port.name not in names else replace(port, name=None)
        if found.setdefault((port.port, port.protocol), kept) is kept:
            names.add(port.name)
    return tuple(found.values())


def _carried(pod: Pod, behind: Sequence[Service]) -> dict[Port, int | bool]:
    found: dict[Port, int | bool] = {}
    used: set[tuple[int, str]] = set()
    for port in pod.ports:
        numbers = [
            entry.port
            for service in behind
            for entry in service.ports
            if entry.protocol == port.protocol and pod.port_number(entry.target, entry.protocol) == port.port
        ]
        free = [number for number in numbers if (number, port.protocol) not in used]
        # The pod's own number first: a headless Service beside another one often has it.
        number = port.port if port.port in free else free[0] if free else False
        found[port] = number
        used.add((number, port.protocol))
    return found


def tell_apart(entries: Sequence[DraftEntry]) -> list[DraftEntry]:
    """With labels by which no pod is taken for another."""

    def hides(one: DraftEntry) -> bool:
        return not one.labels or any(
            other is not one
            and other.pod.namespace == one.pod.namespace
            and dict(one.labels).items() <= dict(other.labels).items()
            for other in entries
        )

    return [replace(one, labels={**one.labels, APART: one.name}) if hides(one) else one for one in entries]


def name_object(text: str) -> str:
    """As a map can name an object."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:50].strip("-")
    return plain if re.match(r"[a-z]", plain) else f"s-{plain}".strip("-")


def _free(text: str, namespace: str, taken: set[str]) -> str:
    name = name_object(text)
    tries = (name, name_object(f"{name}-{namespace}"), *(f"{name}-{number}" for number in range(2, 1000)))
    free = next(one for one in tries if one not in taken)
    taken.add(free)
    return free
