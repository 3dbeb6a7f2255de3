"""The reader of `policy.networking.k8s.io/v1alpha2` ClusterNetworkPolicy (v0.2.0). It refuses what its CRD refuses, and
of the experimental channel what the rule form cannot say (nodes by label)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from netproof.model.topology import Protocol
from netproof.policy.reading import PORT_NAME, At, label_selector, network, number, open_manifest
from netproof.policy.rules import (
    TIERS,
    Action,
    AnyPeer,
    Direction,
    EntityPeer,
    NamePeer,
    NetworkPeer,
    Peer,
    PodPeer,
    Policy,
    PortMatch,
    Rule,
    Selector,
)

SIDES: dict[Direction, tuple[str, tuple[str, ...]]] = {
    "ingress": ("from", ("namespaces", "pods")),
    "egress": ("to", ("namespaces", "pods", "networks", "nodes", "domainNames")),
}
"""Direction -> the key of its peers, and what one of them may be."""

ACTIONS: Mapping[str, Action] = {"Accept": "allow", "Deny": "deny", "Pass": "pass"}
OWN_TIERS = ("Admin", "Baseline")
MOST = 25
"""Rules of a direction, peers and protocols of a rule, networks and names of a peer (MaxItems)."""

UNNAMED = ("networks", "nodes", "domainNames")
"""Peers without named ports."""

DOMAIN = re.compile(r"(\*\.)?([a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.)+[a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.?")


def read(manifest: Mapping[str, Any], tiers: Mapping[str, float] = TIERS) -> tuple[Policy]:
    """One object as a policy, which isolates nobody: "there will not be any implicit isolation effects" (api-overview).

    Raises InputError that names the object and the key.
    """
    top, _, _ = open_manifest(manifest, "ClusterNetworkPolicy", ("status",), namespaced=False)
    at = top.key("spec")
    if manifest.get("spec") is None:
        at.fail("this key is needed")
    spec = at.mapping(manifest["spec"], ("tier", "priority", "subject", "ingress", "egress"))
    tier, priority = spec.get("tier"), spec.get("priority")
    if tier not in OWN_TIERS:
        at.key("tier").fail(f"must be {' or '.join(OWN_TIERS)} (got {tier!r})")
    if not isinstance(priority, int) or isinstance(priority, bool) or not 0 <= priority <= 1000:
        at.key("priority").fail(f"must be a number from 0 to 1000 (got {priority!r})")
    if spec.get("subject") is None:
        at.key("subject").fail("this key is needed: namespaces or pods")
    subject = only(spec["subject"], ("namespaces", "pods"), at.key("subject"))
    rules = [
        _rule(rule, direction, index, at.key(direction).item(index))
        for direction in SIDES
        for index, rule in enumerate(few(spec.get(direction), at.key(direction), least=0))
    ]
    policy = Policy(
        ref=top.path,
        subject=pods_of(*subject),
        isolates=frozenset(),
        rules=tuple(rules),
        precedence=(tiers[tier], float(priority)),
        ordered=True,
        judges_own_node=True,
        subject_key="subject",
    )
    return (policy,)


def few(content: Any, at: At, *, least: int = 1, most: int = MOST) -> list[Any]:
    """A list of at most as many items as the CRD takes."""
    items = at.sequence(content)
    if len(items) > most or (len(items) < least and content is not None):
        at.fail(f"must have from {least} to {most} items (got {len(items)})")
    return items


def only(content: Any, known: Sequence[str], at: At) -> tuple[str, Any, At]:
    """The one field that is set, its content, and its place."""
    given = {key: value for key, value in at.mapping(content, known).items() if value is not None}
    if len(given) != 1:
        at.fail(f"must have exactly one of {', '.join(known)} (got {', '.join(given) or 'none'})")
    ((key, value),) = given.items()
    return key, value, at.key(key)


def pods_of(kind: str, content: Any, at: At) -> PodPeer:
    """Pods by their namespaces, or by both (NamespacedPod)."""
    if kind == "namespaces":
        return PodPeer(pods=Selector(), namespaces=label_selector(content, at))
    entry = at.mapping(content, ("namespaceSelector", "podSelector"))
    if entry.get("podSelector") is None:
        at.key("podSelector").fail("this key is needed; {} selects all pods")
    return PodPeer(
        pods=label_selector(entry["podSelector"], at.key("podSelector")),
        namespaces=label_selector(entry.get("namespaceSelector"), at.key("namespaceSelector")),
    )


def _rule(content: Any, direction: Direction, index: int, at: At) -> Rule:
    key, kinds = SIDES[direction]
    rule = at.mapping(content, ("name", "action", key, "protocols"))
    name, action = rule.get("name"), str(rule.get("action"))
    if name is not None and (not isinstance(name, str) or len(name) > 100):
        at.key("name").fail(f"must be a string of at most 100 characters (got {name!r})")
    if action not in ACTIONS:
        at.key("action").fail(f"must be {', '.join(ACTIONS)} (got {rule.get('action')!r})")
    if rule.get(key) is None:
        at.key(key).fail("this key is needed, with at least one item")
    chosen = [only(item, kinds, at.key(key).item(place)) for place, item in enumerate(few(rule[key], at.key(key)))]
    ports = [
        match
        for place, item in enumerate(few(rule.get("protocols"), at.key("protocols")))
        for match in _protocol(item, at.key("protocols").item(place))
    ]
    unnamed = [kind for kind, _, _ in chosen if kind in UNNAMED]
    if unnamed and any(port.name for port in ports):
        at.key("protocols").fail(f"destinationNamedPort cannot go with {unnamed[0]}, which have no named ports")
    if action != "Accept":
        for kind, _, place in chosen:
            if kind == "domainNames":
                place.fail(f"names are only supported for Accept (got {action})")
    return Rule(
        direction=direction,
        index=index,
        peers=tuple(peer_of(*one) for one in chosen),
        ports=tuple(ports) if rule.get("protocols") is not None else None,
        action=ACTIONS[action],
        learns_names=any(kind == "domainNames" for kind, _, _ in chosen),
    )


def peer_of(kind: str, content: Any, at: At) -> Peer:
    """One peer of a rule: `kind` is the field that is set."""
    match kind:
        case "networks":
            peers: list[Peer] = [
                NetworkPeer(cidr=str(network(cidr, at.item(place)))) for place, cidr in enumerate(_set(content, at))
            ]
            return peers[0] if len(peers) == 1 else AnyPeer(peers=tuple(peers))
        case "domainNames":
            names: list[Peer] = [_name(name, at.item(place)) for place, name in enumerate(_set(content, at))]
            return names[0] if len(names) == 1 else AnyPeer(peers=tuple(names))
        case "nodes":
            if label_selector(content, at).requirements:
                at.leave("the labels of nodes are not known here; understood is only {}, which selects all nodes")
            return EntityPeer(name="nodes", entities=frozenset(("own-node", "other-nodes")))
        case _:
            return pods_of(kind, content, at)


def _set(content: Any, at: At) -> list[Any]:
    items = few(content, at)
    for place, item in enumerate(items):
        if item in items[:place]:
            at.item(place).fail(f"is there twice (got {item!r})")
    return items


def _name(content: Any, at: At) -> NamePeer:
    """DomainName: '*' stands for one or more labels, which is Cilium's `**`."""
    if not isinstance(content, str) or not DOMAIN.fullmatch(content):
        at.fail(f"must be a domain name, perhaps with '*.' before it (got {content!r})")
    return NamePeer(pattern=re.sub(r"^\*\.", "**.", content.lower()))


def _protocol(content: Any, at: At) -> list[PortMatch]:
    protocols: dict[str, Protocol] = {protocol.lower(): protocol for protocol in get_args(Protocol)}
    kind, value, at = only(content, (*protocols, "destinationNamedPort"), at)
    if kind == "destinationNamedPort":
        if not isinstance(value, str) or len(value) > 15 or not PORT_NAME.fullmatch(value):
            at.fail(f"must be the name of a container port (got {value!r})")
        return [PortMatch(protocol=protocol, name=value) for protocol in protocols.values()]
    _, port, at = only(value, ("destinationPort",), at)
    which, numbers, at = only(port, ("number", "range"), at)
    if which == "number":
        first = last = number(numbers, at)
    else:
        span = at.mapping(numbers, ("start", "end"))
        first, last = (number(span.get(key), at.key(key)) for key in ("start", "end"))
        if first >= last:
            at.fail(f"start must be less than end ({first} and {last})")
    return [PortMatch(protocol=protocols[kind], first=first, last=last)]
