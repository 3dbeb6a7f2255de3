"""The peers that policies name and no manifest holds: somebody's Prometheus, an ingress controller, a database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from netproof.model import Pod, Port, Topology
from netproof.model.topology import DNS_POD, NAME_LABEL
from netproof.policy import Policy
from netproof.policy.groups import Groups
from netproof.policy.rules import NAMESPACE, NetworkPeer, PodPeer, Requirement, Rule, Selector, leaves

ELSEWHERE = "elsewhere"
"""The namespace of a peer whose policy admits every namespace."""
NAME_KEYS = ("app.kubernetes.io/name", "app", "k8s-app", "name")
EVERYWHERE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownPeer:
    """A rule's peer that no map can name, in words, and the ports that the rule is about."""

    text: str
    ports: tuple[int, ...]
    shown: bool = True


def find_peers(policies: Sequence[Policy], topology: Topology) -> tuple[list[tuple[Pod, str]], list[UnknownPeer]]:
    """A pod for each selector that selects none of the topology's, with where it is from; and what stays unknown."""
    groups = Groups(topology, (DNS_POD,))
    pods: dict[tuple[str, frozenset[tuple[str, str]]], tuple[Pod, str]] = {}
    unknown: list[UnknownPeer] = []
    for policy, rule, peer in _peers(policies):
        origin = f"{policy.ref}, {rule.list_key or rule.direction} rule {rule.index + 1}"
        numbers = tuple(match.first for match in rule.ports or () if match.first and match.protocol == "TCP")
        if isinstance(peer, PodPeer) and groups.select(peer):
            continue
        wanted = _pod(peer) if isinstance(peer, PodPeer) else None
        if wanted is None:
            # Addresses of the whole world are an outside host like any other: the evaluator finds them.
            shown = not (isinstance(peer, NetworkPeer) and peer.cidr in EVERYWHERE)
            unknown.append(UnknownPeer(text=f"{peer} ({origin})", ports=numbers, shown=shown))
            continue
        key = (wanted.namespace, frozenset(wanted.labels.items()))
        known, origins = pods.get(key, (wanted, ""))
        ports = known.ports + _ports(rule) if rule.direction == "egress" else known.ports
        told = f"{origins}; {origin}" if origins else origin
        pods[key] = replace(known, ports=tuple(dict.fromkeys(ports))), told
    unknown += [
        UnknownPeer(text="", ports=tuple(m.first for m in rule.ports or () if m.first), shown=False)
        for policy in policies
        for rule in policy.rules
        if rule.direction == "egress" and rule.peers is None
    ]
    return list(pods.values()), unknown


def namespace_labels(policies: Sequence[Policy]) -> Mapping[str, Mapping[str, str]]:
    """The labels of namespaces that were made up for such pods."""
    found: dict[str, Mapping[str, str]] = {}
    for _, _, peer in _peers(policies):
        if isinstance(peer, PodPeer) and peer.namespaces is not None:
            name, labels = _namespace(peer)
            if name and labels:
                found[name] = labels
    return found


def _peers(policies: Sequence[Policy]) -> Iterator[tuple[Policy, Rule, object]]:
    for policy in policies:
        for rule in policy.rules:
            for peer in leaves(rule.peers or ()) if rule.action == "allow" else ():
                yield policy, rule, peer


def _ports(rule: Rule) -> tuple[Port, ...]:
    return tuple(Port(port=match.first, protocol=match.protocol) for match in rule.ports or () if match.first)


def _pod(peer: PodPeer) -> Pod | None:
    labels = _labels(peer.pods)
    namespace, _ = _namespace(peer)
    if labels is None or namespace is None:
        return None
    namespace = labels.pop(NAMESPACE, namespace)
    if any(key.startswith("@") for key in labels):
        return None
    name = next((labels[key] for key in NAME_KEYS if labels.get(key)), "") or next(iter(labels.values()), namespace)
    return Pod(namespace=namespace, name=name, labels=labels or {"app": name})


def _namespace(peer: PodPeer) -> tuple[str | None, Mapping[str, str]]:
    """The peer's namespace, made up where it is selected by other labels than its name, and those labels."""
    if peer.namespace is not None:
        return peer.namespace, {}
    labels = _labels(peer.namespaces or Selector())
    if labels is None:
        return None, {}
    name = labels.pop(NAME_LABEL, "") or next((_as_name(value) for value in labels.values() if value), ELSEWHERE)
    return name, labels


def _as_name(value: str) -> str:
    """A label's value may be what no namespace can be called."""
    return re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-") or ELSEWHERE


def _labels(selector: Selector) -> dict[str, str] | None:
    """The plainest labels that a selector matches; None where it is not a list of values."""
    labels: dict[str, str] = {}
    for one in selector.requirements:
        if not isinstance(one, Requirement) or one.operator not in ("In", "Exists"):
            return None
        labels[one.key] = one.values[0] if one.values else "true"
    return labels
