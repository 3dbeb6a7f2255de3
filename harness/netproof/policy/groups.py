"""Pods that no policy can tell apart (equal namespace, labels and ports) are one group; selectors select groups.

Here the work is made nearly linear in pods: an index by label finds a selector's groups without asking each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from netproof.model.placement import Placement
from netproof.model.topology import DNS_NAMESPACE, DNS_POD, NAME_LABEL, Pod, Port, Topology
from netproof.policy.rules import NAMESPACE, SERVICE_ACCOUNT, PodPeer, Requirement, Selector


def dns_pods(placement: Placement) -> tuple[Pod, ...]:
    return placement.dns_pods or (DNS_POD,)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodGroup:
    """What policies can know of a pod."""

    namespace: str
    labels: Mapping[str, str]
    """Its own, and under keys of ours its namespace and service account."""
    ports: tuple[Port, ...]

    def port(self, name: str, protocol: str) -> int | None:
        """The number of its port of that name and protocol."""
        return next((port.port for port in self.ports if port.name == name and port.protocol == protocol), None)


class Groups:
    """The groups of a topology's pods and the cluster's DNS pods; with `host_pods` those on a node's network too."""

    def __init__(self, topology: Topology, dns: Iterable[Pod], *, host_pods: bool = False) -> None:
        self.pods: dict[str, Pod] = {pod.id: pod for pod in (*topology.pods, *dns)}
        self.groups: list[PodGroup] = []
        self._of: dict[str, int] = {}
        known: dict[tuple[frozenset[tuple[str, str]], tuple[Port, ...]], int] = {}
        for pod in self.pods.values():
            if pod.host_network and not host_pods:
                continue
            labels = {**pod.labels, NAMESPACE: pod.namespace, SERVICE_ACCOUNT: pod.service_account}
            key = (frozenset(labels.items()), pod.ports)
            if key not in known:
                known[key] = len(self.groups)
                self.groups.append(PodGroup(namespace=pod.namespace, labels=labels, ports=pod.ports))
            self._of[pod.id] = known[key]
        self.namespaces: dict[str, Mapping[str, str]] = {DNS_NAMESPACE.name: DNS_NAMESPACE.all_labels}
        self.namespaces.update((pod.namespace, {NAME_LABEL: pod.namespace}) for pod in self.pods.values())
        self.namespaces.update((namespace.name, namespace.all_labels) for namespace in topology.namespaces)
        self._in_namespace: dict[str, list[int]] = {}
        self._with_label: dict[tuple[str, str, str], list[int]] = {}
        for index, group in enumerate(self.groups):
            self._in_namespace.setdefault(group.namespace, []).append(index)
            for label, value in group.labels.items():
                self._with_label.setdefault((group.namespace, label, value), []).append(index)
        self._selected: dict[PodPeer, frozenset[int]] = {}
        self._selected_namespaces: dict[Selector, tuple[str, ...]] = {}

    def __getitem__(self, index: int) -> PodGroup:
        return self.groups[index]

    def of(self, pod: str) -> int | None:
        """The group of a pod's id; None for what is no pod or is on the host's network."""
        return self._of.get(pod)

    def select(self, peer: PodPeer) -> frozenset[int]:
        """The groups that are meant."""
        if peer not in self._selected:
            self._selected[peer] = frozenset(
                index
                for namespace in self.select_namespaces(peer)
                for index in self._candidates(namespace, peer.pods)
                if peer.pods.matches(self.groups[index].labels)
            )
        return self._selected[peer]

    def select_namespaces(self, peer: PodPeer) -> tuple[str, ...]:
        """The names of the namespaces that are meant."""
        if peer.namespace is not None:
            return (peer.namespace,)
        selector = peer.namespaces or Selector()
        if selector not in self._selected_namespaces:
            self._selected_namespaces[selector] = tuple(
                name for name, labels in self.namespaces.items() if selector.matches(labels)
            )
        return self._selected_namespaces[selector]

    def _candidates(self, namespace: str, selector: Selector) -> list[int]:
        """A superset of the namespace's groups that the selector matches, by its most telling requirement."""
        best = self._in_namespace.get(namespace, [])
        for requirement in selector.requirements:
            if isinstance(requirement, Requirement) and requirement.operator == "In":
                found = [
                    index
                    for value in dict.fromkeys(requirement.values)
                    for index in self._with_label.get((namespace, requirement.key, value), [])
                ]
                best = min(best, found, key=len)
        return best
