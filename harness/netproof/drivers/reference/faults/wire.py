"""Faults of what is known, and of what packets meet: stale labels, connections, protocols, families."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from netproof.drivers.reference.faults.changes import Fault
from netproof.model import Topology

REPLIES = "ct state established ct direction reply accept"


def _old_pod_labels(now: Topology, first: Topology) -> Topology:
    labels = {pod.id: pod.labels for pod in first.pods}
    return replace(now, pods=tuple(replace(pod, labels=labels.get(pod.id, pod.labels)) for pod in now.pods))


def _old_namespace_labels(now: Topology, first: Topology) -> Topology:
    labels = {space.name: space.labels for space in first.namespaces}
    spaces = (replace(space, labels=labels.get(space.name, space.labels)) for space in now.namespaces)
    return replace(now, namespaces=tuple(spaces))


def _no_namespace_labels(now: Topology, first: Topology) -> Topology:
    return replace(now, namespaces=tuple(replace(space, labels={}) for space in now.namespaces))


def _names_for_all(now: Topology, first: Topology) -> Topology:
    """Names of ports by number: the last pod that names a number names it for all."""
    names = {(port.port, port.protocol): port.name for pod in now.pods for port in pod.ports if port.name}
    return replace(
        now,
        pods=tuple(
            replace(
                pod,
                ports=tuple(replace(port, name=names.get((port.port, port.protocol), port.name)) for port in pod.ports),
            )
            for pod in now.pods
        ),
    )


def _past(match: str) -> Callable[[str], str]:
    """Packets of this kind pass before any policy is asked."""
    return lambda rules: rules.replace(REPLIES, f"{REPLIES}\n\t\t{match} accept")


def _nobody_free(rules: str) -> str:
    return re.sub(r"(set free\d \{[^}]*?)elements = \{[^}]*\}", r"\1", rules)


FAULTS: dict[str, Fault] = {
    "ipv6-not-judged": Fault(says="IPv6 is not judged", rules=_past("meta nfproto ipv6")),
    "namespace-labels-stale": Fault(
        says="namespaces keep the labels that they were first seen with", world=_old_namespace_labels
    ),
    "namespace-labels-unknown": Fault(
        says="of a namespace's labels only its name is known", world=_no_namespace_labels
    ),
    "own-node-judged": Fault(says="a pod's own node and the pod itself are judged like others", rules=_nobody_free),
    "pod-labels-stale": Fault(says="pods keep the labels that they were first seen with", world=_old_pod_labels),
    "port-names-for-all": Fault(says="a number has the name that the last pod gives it", world=_names_for_all),
    "replies-judged": Fault(
        says="replies are judged like first packets", rules=lambda rules: rules.replace(f"\t\t{REPLIES}\n", "")
    ),
    "sctp-not-judged": Fault(says="SCTP is not judged", rules=_past("meta l4proto sctp")),
    "udp-not-judged": Fault(says="UDP is not judged", rules=_past("meta l4proto udp")),
}
