"""The reader of `networking.k8s.io/v1` NetworkPolicy. It refuses what the API server refuses, and unknown keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

from netproof.model.topology import Protocol
from netproof.policy.reading import PORT_NAME, At, inside, label_selector, network, number, open_manifest
from netproof.policy.rules import TIERS, Direction, NetworkPeer, Peer, PodPeer, Policy, PortMatch, Rule

SIDES: dict[Direction, tuple[str, str]] = {"ingress": ("Ingress", "from"), "egress": ("Egress", "to")}
"""Direction -> its policyType and the key of its peers."""


def read(manifest: Mapping[str, Any], tiers: Mapping[str, float] = TIERS) -> tuple[Policy]:
    """One object as a policy. Raises InputError that names the object and the key."""
    top, namespace, _ = open_manifest(manifest, "NetworkPolicy", ("status",))
    at = top.key("spec")
    spec = at.mapping(manifest.get("spec"), ("podSelector", "ingress", "egress", "policyTypes"))
    subject = PodPeer(pods=label_selector(spec.get("podSelector"), at.key("podSelector")), namespace=namespace)
    rules = {
        direction: [
            _rule(content, direction, index, namespace, at.key(direction).item(index))
            for index, content in enumerate(at.key(direction).sequence(spec.get(direction)))
        ]
        for direction in SIDES
    }
    isolates = _isolates(spec.get("policyTypes"), bool(rules["egress"]), at.key("policyTypes"))
    policy = Policy(
        ref=top.path,
        subject=subject,
        isolates=isolates,
        # A rule whose direction policyTypes leaves out has no effect; it must not join the union of other policies.
        rules=tuple(rule for direction in SIDES if direction in isolates for rule in rules[direction]),
        ignored=frozenset(direction for direction in SIDES if rules[direction] and direction not in isolates),
    )
    return (policy,)


def _isolates(types: Any, has_egress: bool, at: At) -> frozenset[Direction]:
    """NetworkPolicySpec.policyTypes: absent or empty, it is ingress always, and egress when there are egress rules."""
    listed = at.sequence(types)
    if len(listed) > len(SIDES):
        at.fail("may not specify more than two policyTypes")
    by_type = {word: direction for direction, (word, _) in SIDES.items()}
    for index, word in enumerate(listed):
        if not isinstance(word, str) or word not in by_type:
            near = [known for known in by_type if str(word).lower() == known.lower()] or list(by_type)
            at.item(index).fail(f"must be {' or '.join(near)} (got {word!r})")
    if listed:
        return frozenset(by_type[word] for word in listed)
    return frozenset(("ingress", "egress")) if has_egress else frozenset(("ingress",))


def _rule(content: Any, direction: Direction, index: int, namespace: str, at: At) -> Rule:
    _, peers_key = SIDES[direction]
    rule = at.mapping(content, ("ports", peers_key))
    peers = at.key(peers_key).sequence(rule.get(peers_key))
    ports = at.key("ports").sequence(rule.get("ports"))
    return Rule(
        direction=direction,
        index=index,
        peers=tuple(_peer(peer, namespace, at.key(peers_key).item(n)) for n, peer in enumerate(peers)) or None,
        ports=tuple(_port(port, at.key("ports").item(n)) for n, port in enumerate(ports)) or None,
    )


def _peer(content: Any, namespace: str, at: At) -> Peer:
    peer = at.mapping(content, ("podSelector", "namespaceSelector", "ipBlock"))
    pods, namespaces, block = (peer.get(key) for key in ("podSelector", "namespaceSelector", "ipBlock"))
    if block is not None:
        if pods is not None or namespaces is not None:
            at.fail("may not specify both ipBlock and another peer")
        return _block(block, at.key("ipBlock"))
    if pods is None and namespaces is None:
        at.fail("must specify a peer: podSelector, namespaceSelector or ipBlock")
    selected = label_selector(pods, at.key("podSelector"))
    if namespaces is None:
        return PodPeer(pods=selected, namespace=namespace)
    return PodPeer(pods=selected, namespaces=label_selector(namespaces, at.key("namespaceSelector")))


def _block(content: Any, at: At) -> NetworkPeer:
    block = at.mapping(content, ("cidr", "except"))
    cidr = network(block.get("cidr"), at.key("cidr"))
    excepts = []
    for index, text in enumerate(at.key("except").sequence(block.get("except"))):
        inner = network(text, at.key("except").item(index))
        if inner.prefixlen <= cidr.prefixlen or not inside(inner, cidr):
            at.key("except").item(index).fail(f"must be a strict subset of cidr {cidr} (got {text!r})")
        excepts.append(str(inner))
    return NetworkPeer(cidr=str(cidr), excepts=tuple(excepts))


def _port(content: Any, at: At) -> PortMatch:
    port = at.mapping(content, ("protocol", "port", "endPort"))
    word = "TCP" if port.get("protocol") is None else port["protocol"]
    if word not in get_args(Protocol):
        at.key("protocol").fail(f"must be TCP, UDP or SCTP (got {word!r})")
    protocol = cast(Protocol, word)
    first, last = port.get("port"), port.get("endPort")
    if last is not None and first is None:
        at.key("endPort").fail("may not be specified when port is not specified")
    if first is None:
        return PortMatch(protocol=protocol)
    if isinstance(first, str):
        if last is not None:
            at.key("endPort").fail("may not be specified when port is a name")
        if len(first) > 15 or not PORT_NAME.fullmatch(first):
            hint = "; a number is written without quotes" if first.isdigit() else ""
            at.key("port").fail(
                f"must be a number or a port name of at most 15 lower-case letters, digits and dashes, "
                f"with a letter in it (got {first!r}){hint}"
            )
        return PortMatch(protocol=protocol, name=first)
    first = number(first, at.key("port"))
    if last is None:
        return PortMatch(protocol=protocol, first=first, last=first)
    last = number(last, at.key("endPort"))
    if last < first:
        at.key("endPort").fail(f"must be greater than or equal to port ({last} is below {first})")
    return PortMatch(protocol=protocol, first=first, last=last)
