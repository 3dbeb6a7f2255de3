"""The reader of `networking.k8s.io/v1` NetworkPolicy. It refuses what the API server refuses, and unknown keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, NoReturn, cast, get_args

from harness.errors import InputError
from harness.model.topology import Protocol
from harness.policy.rules import (
    Direction,
    NetworkPeer,
    Operator,
    Peer,
    PodPeer,
    Policy,
    PortMatch,
    Requirement,
    Rule,
    Selector,
)

OBJECT_KEYS = ("apiVersion", "kind", "metadata", "spec", "status")
METADATA_KEYS = (
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)
SIDES: dict[Direction, tuple[str, str]] = {"ingress": ("Ingress", "from"), "egress": ("Egress", "to")}
"""Direction -> its policyType and the key of its peers."""

LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def read(manifest: Mapping[str, Any]) -> Policy:
    """One object as a policy. Raises InputError that names the object and the key."""
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    namespace = (metadata.get("namespace") if isinstance(metadata, Mapping) else None) or "default"
    top = _At(f"NetworkPolicy {namespace}/{name}" if name else "NetworkPolicy without a name")
    top.mapping(manifest, OBJECT_KEYS)
    top.key("metadata").mapping(metadata, METADATA_KEYS)
    for key, value in (("name", name), ("namespace", namespace)):
        if not isinstance(value, str) or not SUBDOMAIN.fullmatch(value):
            top.key("metadata").key(key).fail(f"must be the name of an object (got {value!r})")
    at = top.key("spec")
    spec = at.mapping(manifest.get("spec"), ("podSelector", "ingress", "egress", "policyTypes"))
    subject = PodPeer(pods=_selector(spec.get("podSelector"), at.key("podSelector")), namespace=namespace)
    rules = {
        direction: [
            _rule(content, direction, index, namespace, at.key(direction).item(index))
            for index, content in enumerate(at.key(direction).sequence(spec.get(direction)))
        ]
        for direction in SIDES
    }
    isolates = _isolates(spec.get("policyTypes"), bool(rules["egress"]), at.key("policyTypes"))
    return Policy(
        ref=top.path,
        subject=subject,
        isolates=isolates,
        # A rule whose direction policyTypes leaves out has no effect; it must not join the union of other policies.
        rules=tuple(rule for direction in SIDES if direction in isolates for rule in rules[direction]),
        ignored=frozenset(direction for direction in SIDES if rules[direction] and direction not in isolates),
    )


@dataclass(frozen=True, slots=True)
class _At:
    """Where in the object the reader is; knows how to refuse."""

    path: str
    below: str = ""

    def key(self, key: str) -> _At:
        return _At(self.path, f"{self.below}.{key}" if self.below else key)

    def item(self, index: int) -> _At:
        return _At(self.path, f"{self.below}[{index}]")

    def fail(self, message: str) -> NoReturn:
        raise InputError(message, key=f"{self.path}: {self.below}" if self.below else self.path)

    def mapping(self, content: Any, known: tuple[str, ...]) -> Mapping[str, Any]:
        """A mapping with none but the known keys; null is an empty one, as for the API server."""
        if content is None:
            return {}
        if not isinstance(content, Mapping):
            self.fail(f"must be a mapping (got {content!r})")
        for key in content:
            if key not in known:
                near = get_close_matches(str(key), known, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
                self.key(str(key)).fail(f"unknown key; {hint}")
        return content

    def sequence(self, content: Any) -> list[Any]:
        if content is None:
            return []
        if not isinstance(content, list | tuple):
            self.fail(f"must be a list (got {content!r})")
        for index, item in enumerate(content):
            if item is None:
                self.item(index).fail("an empty item; write {} where everything is meant")
        return list(content)


def _isolates(types: Any, has_egress: bool, at: _At) -> frozenset[Direction]:
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


def _rule(content: Any, direction: Direction, index: int, namespace: str, at: _At) -> Rule:
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


def _peer(content: Any, namespace: str, at: _At) -> Peer:
    peer = at.mapping(content, ("podSelector", "namespaceSelector", "ipBlock"))
    pods, namespaces, block = (peer.get(key) for key in ("podSelector", "namespaceSelector", "ipBlock"))
    if block is not None:
        if pods is not None or namespaces is not None:
            at.fail("may not specify both ipBlock and another peer")
        return _block(block, at.key("ipBlock"))
    if pods is None and namespaces is None:
        at.fail("must specify a peer: podSelector, namespaceSelector or ipBlock")
    selected = _selector(pods, at.key("podSelector"))
    if namespaces is None:
        return PodPeer(pods=selected, namespace=namespace)
    return PodPeer(pods=selected, namespaces=_selector(namespaces, at.key("namespaceSelector")))


def _block(content: Any, at: _At) -> NetworkPeer:
    block = at.mapping(content, ("cidr", "except"))
    cidr = _network(block.get("cidr"), at.key("cidr"))
    excepts = []
    for index, text in enumerate(at.key("except").sequence(block.get("except"))):
        inner = _network(text, at.key("except").item(index))
        if inner.prefixlen <= cidr.prefixlen or not _inside(inner, cidr):
            at.key("except").item(index).fail(f"must be a strict subset of cidr {cidr} (got {text!r})")
        excepts.append(str(inner))
    return NetworkPeer(cidr=str(cidr), excepts=tuple(excepts))


def _inside(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    return inner.version == outer.version and inner.network_address in outer


def _network(text: Any, at: _At) -> IPv4Network | IPv6Network:
    """A CIDR as the API server takes it: with a prefix length in digits; host bits may be set and mean nothing."""
    example = "(for example 192.168.1.0/24 or 2001:db8::/64)"
    if text is None or text == "":
        at.fail(f"this key is needed: an address range {example}")
    if not isinstance(text, str) or not re.fullmatch(r"[^/]+/[0-9]{1,3}", text):
        at.fail(f"must be an address range in CIDR notation {example} (got {text!r})")
    try:
        return ip_network(text, strict=False)
    except ValueError:
        at.fail(f"must be an address range in CIDR notation {example} (got {text!r})")


def _port(content: Any, at: _At) -> PortMatch:
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
    first = _number(first, at.key("port"))
    if last is None:
        return PortMatch(protocol=protocol, first=first, last=first)
    last = _number(last, at.key("endPort"))
    if last < first:
        at.key("endPort").fail(f"must be greater than or equal to port ({last} is below {first})")
    return PortMatch(protocol=protocol, first=first, last=last)


def _number(number: Any, at: _At) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 65535:
        at.fail(f"must be a port number from 1 to 65535 (got {number!r})")
    return number


def _selector(content: Any, at: _At) -> Selector:
    selector = at.mapping(content, ("matchLabels", "matchExpressions"))
    requirements = []
    labels_at = at.key("matchLabels")
    labels = selector.get("matchLabels")
    if labels is not None and not isinstance(labels, Mapping):
        labels_at.fail(f"must be a mapping (got {labels!r})")
    for key, value in (labels or {}).items():
        requirements.append(
            Requirement(key=_label_key(key, labels_at), operator="In", values=(_label(value, labels_at.key(str(key))),))
        )
    for index, item in enumerate(at.key("matchExpressions").sequence(selector.get("matchExpressions"))):
        requirements.append(_expression(item, at.key("matchExpressions").item(index)))
    return Selector(requirements=tuple(requirements))


def _expression(content: Any, at: _At) -> Requirement:
    expression = at.mapping(content, ("key", "operator", "values"))
    key = _label_key(expression.get("key"), at.key("key"))
    operator = expression.get("operator")
    if operator not in get_args(Operator):
        at.key("operator").fail(f"must be In, NotIn, Exists or DoesNotExist (got {operator!r})")
    listed = at.key("values").sequence(expression.get("values"))
    values = tuple(_label(value, at.key("values").item(index)) for index, value in enumerate(listed))
    if operator in ("In", "NotIn") and not values:
        at.key("values").fail(f"must be specified when the operator is {operator}")
    if operator in ("Exists", "DoesNotExist") and values:
        at.key("values").fail(f"may not be specified when the operator is {operator}")
    return Requirement(key=key, operator=cast(Operator, operator), values=values)


def _label(value: Any, at: _At) -> str:
    if not isinstance(value, str):
        at.fail(f"a label's value is a string; write {str(value).lower()!r} in quotes (got {value!r})")
    if len(value) > 63 or not LABEL.fullmatch(value):
        at.fail(f"not a label's value: at most 63 letters, digits, '-', '_' and '.' (got {value!r})")
    return value


def _label_key(key: Any, at: _At) -> str:
    if not isinstance(key, str) or not key:
        at.fail(f"a label's key is needed (got {key!r})")
    prefix, slash, name = key.rpartition("/")
    named = 0 < len(name) <= 63 and LABEL.fullmatch(name) is not None
    if not named or (slash and not (len(prefix) <= 253 and SUBDOMAIN.fullmatch(prefix))):
        at.fail(f"not a label's key: [domain/]name of letters, digits, '-', '_' and '.' (got {key!r})")
    return key
