"""Puts together what rules look at: policies with their places, and the pods that they select."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from netproof.errors import InputError
from netproof.lint.model import (
    DIRECTIONS,
    CniProfile,
    DnsProfile,
    IntendedCells,
    Inventory,
    LintInput,
    LocatedPolicy,
    Need,
)
from netproof.manifests.workloads import read_workloads
from netproof.manifests.yaml_documents import Located
from netproof.model.topology import DNS_POD
from netproof.policy import Evaluator, UnreadPolicy, read_understood
from netproof.policy.groups import Groups
from netproof.policy.rules import Direction
from netproof.policy.warnings import oddities

POD_RANGE = "10.244.0.0/16"
"""kind's and kubeadm's usual range of pod addresses."""


def locate_policies(objects: Sequence[Located], *, generated: bool = False) -> tuple[LocatedPolicy, ...]:
    """The policies among the objects that somebody here reads. Raises InputError with file, line and key."""
    read, _ = read_understood(objects)
    return tuple(
        LocatedPolicy(policy=policy, located=one, generated=generated) for one, policies in read for policy in policies
    )


def find_unread(objects: Sequence[Located]) -> tuple[UnreadPolicy, ...]:
    """The policies among them that nobody here reads, or that say something which nobody reads. Raises InputError as
    `locate_policies` does."""
    return read_understood(objects)[1]


def read_inventory(
    objects: Sequence[Located],
    namespace: str = "default",
    *,
    pod_ranges: Sequence[str] = (),
    service_ranges: Sequence[str] = (),
) -> Inventory:
    """Who exists by these manifests. `namespace` is that of objects that name none. Raises InputError."""
    found = read_workloads(objects, namespace, pod_ranges=pod_ranges, service_ranges=service_ranges)
    has: set[Need] = {"pods"} if found.topology.pods else set()
    has |= {"namespaces"} if found.names_namespaces else set()
    return Inventory(
        topology=found.topology,
        placement=found.placement,
        has=frozenset(has),
        api_clients=found.api_clients,
        by_address=found.by_address,
        by_node_name=found.by_node_name,
        service_ranges=tuple(service_ranges),
        resolvers=found.resolvers,
        callbacks=found.callbacks,
        operated=found.operated,
    )


def build_input(
    policies: Sequence[LocatedPolicy],
    inventory: Inventory,
    *,
    pod_ranges: Sequence[str] = (POD_RANGE,),
    cnis: Sequence[CniProfile] = (),
    intended: IntendedCells | None = None,
    unread: Sequence[UnreadPolicy] = (),
    dns: Sequence[DnsProfile] = (),
) -> LintInput:
    """What rules look at. Of two policies with one name the later counts, as in a cluster. Raises InputError."""
    by_ref: dict[tuple[str, int | None], LocatedPolicy] = {}
    replaced = []
    for one in policies:
        # One object may hold several policies, by place.
        key = (one.policy.ref, one.policy.place)
        if key in by_ref:
            replaced.append(by_ref.pop(key))
        by_ref[key] = one
    groups = Groups(inventory.topology, inventory.placement.dns_pods or (DNS_POD,))
    of_group: dict[int, list[str]] = defaultdict(list)
    for pod in groups.pods:
        group = groups.of(pod)
        if group is not None:
            of_group[group].append(pod)
    return LintInput(
        policies=tuple(by_ref.values()),
        inventory=inventory,
        groups=groups,
        evaluator=Evaluator([one.policy for one in by_ref.values()], inventory.topology, inventory.placement),
        governing={direction: _governing(direction, list(by_ref.values()), groups) for direction in DIRECTIONS},
        of_group={group: tuple(pods) for group, pods in of_group.items()},
        oddities=tuple((one, oddity) for one in by_ref.values() for oddity in oddities([one.policy], groups)),
        pod_ranges=tuple(_network(text) for text in pod_ranges),
        cnis=tuple(cnis),
        intended=intended,
        unread=tuple(unread),
        dns=tuple(dns),
        replaced=tuple(replaced),
    )


def _governing(
    direction: Direction, policies: Sequence[LocatedPolicy], groups: Groups
) -> dict[int, tuple[LocatedPolicy, ...]]:
    found: dict[int, list[LocatedPolicy]] = defaultdict(list)
    for one in policies:
        if direction in one.policy.isolates or any(rule.direction == direction for rule in one.policy.rules):
            for group in groups.select(one.policy.subject):
                found[group].append(one)
    return {group: tuple(governing) for group, governing in found.items()}


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise InputError(f"not an address range such as {POD_RANGE} (got {text!r})", key="--pod-cidr") from None
