"""The reader of Cilium's `cilium.io/v2` policies, namespaced and clusterwide. It refuses what Cilium refuses, and by
its name what the rule form cannot say (layer 7, groups, nodes by label)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from netproof.model.topology import Protocol
from netproof.policy.ciliumpeers import PEERS, selection
from netproof.policy.reading import PORT_NAME, At, open_manifest
from netproof.policy.rules import TIERS, Action, Direction, Peer, Policy, PortMatch, Rule

LISTS: tuple[tuple[str, Direction, Action], ...] = (
    ("ingress", "ingress", "allow"),
    ("ingressDeny", "ingress", "deny"),
    ("egress", "egress", "allow"),
    ("egressDeny", "egress", "deny"),
)
"""A spec's lists of rules (rule.go)."""

KINDS: dict[Direction, tuple[str, tuple[str, ...]]] = {
    "ingress": ("from", ("Endpoints", "CIDR", "CIDRSet", "Entities")),
    "egress": ("to", ("Endpoints", "CIDR", "CIDRSet", "Entities", "Services", "FQDNs")),
}
"""Direction -> how its kinds of peers begin, and how they end (ingress.go, egress.go)."""

NOT_SAID = {
    "Nodes": "selects nodes by their labels, which are not known here; the entities host and remote-node are",
    "Groups": "asks a cloud provider for addresses, which are not known here; list them as CIDRs",
    "Requires": "was removed in Cilium 1.19 and is not understood here",
}
"""Ends of kinds of peers that the rule form has no word for."""

LAYER_7 = ("rules", "serverNames", "terminatingTLS", "originatingTLS", "listener")
MOST = 40
"""Ports of an entry of toPorts, and fields of an entry of icmps (rule_validation.go)."""

PROTOCOLS: Mapping[str, tuple[Protocol, ...]] = {
    "ANY": ("TCP", "UDP", "SCTP"),
    "TCP": ("TCP",),
    "UDP": ("UDP",),
    "SCTP": ("SCTP",),
    "ICMP": (),
    "ICMPV6": (),
    "ICMPv6": (),
    "VRRP": (),
    "IGMP": (),
}
"""What `protocol` may say, and which protocols with ports it means."""


def read(manifest: Mapping[str, Any], tiers: Mapping[str, float] = TIERS) -> tuple[Policy, ...]:
    """A CiliumNetworkPolicy: a policy for its `spec` and each of its `specs`. Raises InputError that names the key."""
    top, namespace, _ = open_manifest(manifest, "CiliumNetworkPolicy", ("specs", "status"))
    return _policies(manifest, top, namespace)


def read_clusterwide(manifest: Mapping[str, Any], tiers: Mapping[str, float] = TIERS) -> tuple[Policy, ...]:
    """A CiliumClusterwideNetworkPolicy, likewise; its selectors mean pods of all namespaces."""
    top, _, _ = open_manifest(manifest, "CiliumClusterwideNetworkPolicy", ("specs", "status"), namespaced=False)
    return _policies(manifest, top, None)


def _policies(manifest: Mapping[str, Any], top: At, home: str | None) -> tuple[Policy, ...]:
    specs = top.key("specs").sequence(manifest.get("specs"))
    found = [_policy(spec, top.key("specs").item(place), home, place) for place, spec in enumerate(specs)]
    if manifest.get("spec") is not None:
        found.insert(0, _policy(manifest["spec"], top.key("spec"), home, None))
    if not found:
        top.key("spec").fail("this key is needed, or specs")
    return tuple(found)


def _policy(content: Any, at: At, home: str | None, place: int | None) -> Policy:
    keys = [key for key, _, _ in LISTS]
    spec = at.mapping(
        content, ("endpointSelector", "nodeSelector", *keys, "enableDefaultDeny", "labels", "description", "log")
    )
    if spec.get("nodeSelector") is not None:
        at.key("nodeSelector").leave("policies for nodes are not understood here, only those for pods")
    if spec.get("endpointSelector") is None:
        at.key("endpointSelector").fail("this key is needed: the pods that the policy is for; {} means all")
    if all(spec.get(key) is None for key in keys):
        at.fail(f"must have at least one of {', '.join(keys)}")
    rules = [
        _rule(rule, (key, direction, action), index, home, at.key(key).item(index))
        for key, direction, action in LISTS
        for index, rule in enumerate(at.key(key).sequence(spec.get(key)))
    ]
    return Policy(
        ref=at.path if place is None else f"{at.path} specs[{place}]",
        subject=selection(spec["endpointSelector"], at.key("endpointSelector"), home, subject=True),
        isolates=_isolates(spec.get("enableDefaultDeny"), rules, at.key("enableDefaultDeny")),
        rules=tuple(rules),
        judges_own_node=True,
        # "Deny policies take precedence over allow policies": the one for the local host is an allow rule of the lowest
        # precedence (cilium/cilium#44590).
        denies_own_node=True,
        place=place,
        subject_key="endpointSelector",
    )


def _isolates(content: Any, rules: list[Rule], at: At) -> frozenset[Direction]:
    """Rule.EnableDefaultDeny: "the default is true for each traffic direction that has rules, and false otherwise"."""
    wanted = at.mapping(content, ("ingress", "egress"))
    with_rules = {rule.direction for rule in rules}
    found: set[Direction] = set()
    for direction in KINDS:
        value = wanted.get(direction)
        if value is not None and not isinstance(value, bool):
            at.key(direction).fail(f"must be true or false (got {value!r})")
        if value and direction not in with_rules:
            at.key(direction).fail(
                f"has no effect in Cilium without {direction} rules; write `{direction}: [{{}}]` to allow nobody"
            )
        if direction in with_rules and value is not False:
            found.add(direction)
    return frozenset(found)


def _rule(content: Any, kind: tuple[str, Direction, Action], index: int, home: str | None, at: At) -> Rule:
    list_key, direction, action = kind
    prefix, ends = KINDS[direction]
    if action == "deny":
        # "Deny policies do not support […] toFQDNs" (deny.rst).
        ends = tuple(end for end in ends if end != "FQDNs")
    own = ("authentication",) if action == "allow" else ()
    keys = [prefix + end for end in ends]
    rule = at.mapping(content, (*keys, *(prefix + end for end in NOT_SAID), "toPorts", "icmps", *own))
    for end, why in NOT_SAID.items():
        if rule.get(prefix + end):
            at.key(prefix + end).leave(why)
    _authentication(rule.get("authentication"), at.key("authentication"))
    ports, learns_names = _ports(rule, direction, action, at)
    key, peers = _peers(rule, keys, home, at)
    if not key and ports is None:
        # A rule without members allows nobody, and isolates (layer3.rst, "Ingress/Egress Default Deny").
        peers = ()
    return Rule(
        direction=direction,
        index=index,
        peers=peers,
        ports=ports,
        action=action,
        learns_names=learns_names,
        peers_key=key,
        list_key=list_key if list_key != direction else "",
    )


def _peers(rule: Mapping[str, Any], keys: list[str], home: str | None, at: At) -> tuple[str, tuple[Peer, ...] | None]:
    """The one key with peers, and them; an empty list selects nobody (mergeEndpointSelectors), an absent one all."""
    listed = {key: at.key(key).sequence(rule[key]) for key in keys if rule.get(key) is not None}
    filled = [key for key, items in listed.items() if items]
    if len(filled) > 1:
        at.fail(f"Cilium refuses {filled[0]} and {filled[1]} in one rule; write a rule for each")
    for key, items in listed.items():
        if not items and key in ("toFQDNs", "toServices"):
            at.key(key).fail("an empty list, which Cilium takes for an absent one; leave the key out")
    if len(filled) < len(listed):
        return next(key for key, items in listed.items() if not items), ()
    if not filled:
        return "", None
    (key,) = filled
    reader = PEERS[key.removeprefix("from").removeprefix("to")]
    return key, tuple(reader(item, at.key(key).item(place), home) for place, item in enumerate(listed[key]))


def _authentication(content: Any, at: At) -> None:
    if content is not None:
        mode = at.mapping(content, ("mode",)).get("mode")
        if mode not in ("disabled", "required", "test-always-fail"):
            at.key("mode").fail(f"must be disabled, required or test-always-fail (got {mode!r})")
        if mode != "disabled":
            at.key("mode").leave(f"mutual authentication is not understood here (got {mode!r}; disabled is)")


def _ports(
    rule: Mapping[str, Any], direction: Direction, action: Action, at: At
) -> tuple[tuple[PortMatch, ...] | None, bool]:
    """The rule's ports (None: all), and whether it has DNS answers watched."""
    icmps, entries = (at.key(key).sequence(rule.get(key)) for key in ("icmps", "toPorts"))
    if icmps and entries:
        at.key("icmps").fail("Cilium refuses icmps and toPorts in one rule; write a rule for each")
    for place, icmp in enumerate(icmps):
        _icmp(icmp, at.key("icmps").item(place))
    if not entries:
        # "If any ICMP policy is specified, layer 4 […] communication will be blocked" (layer4.rst).
        return (() if icmps else None), False
    found: list[PortMatch] = []
    learns_names = False
    for place, item in enumerate(entries):
        here = at.key("toPorts").item(place)
        entry = here.mapping(item, ("ports", *(LAYER_7 if action == "allow" else ())))
        for key in LAYER_7:
            if key != "rules" and entry.get(key):
                _layer_7(here.key(key))
        watched = _dns(entry.get("rules"), direction, here.key("rules"))
        learns_names = learns_names or watched
        ports = here.key("ports").sequence(entry.get("ports"))
        if not 1 <= len(ports) <= MOST:
            here.key("ports").fail(f"must hold from 1 to {MOST} ports (got {len(ports)}); port '0' means every port")
        for number, port in enumerate(ports):
            found += _port(port, watched, here.key("ports").item(number))
    return tuple(dict.fromkeys(found)), learns_names


def _layer_7(at: At) -> NoReturn:
    at.leave("layer 7 is not understood here: connections are judged, not what is said on them")


def _icmp(content: Any, at: At) -> None:
    fields = at.key("fields").sequence(at.mapping(content, ("fields",)).get("fields"))
    if len(fields) > MOST:
        at.key("fields").fail(f"at most {MOST} (got {len(fields)})")
    for place, item in enumerate(fields):
        here = at.key("fields").item(place)
        field = here.mapping(item, ("family", "type"))
        if field.get("family") not in (None, "IPv4", "IPv6"):
            here.key("family").fail(f"must be IPv4 or IPv6 (got {field['family']!r})")
        if not re.fullmatch(r"[0-9]{1,3}|[A-Za-z0-9]+", str(field.get("type", ""))):
            here.key("type").fail(f"must be the number or the name of an ICMP type (got {field.get('type')!r})")


def _dns(content: Any, direction: Direction, at: At) -> bool:
    """Whether these rules of layer 7 have all DNS answers watched; others are refused."""
    rules = at.mapping(content, ("dns", "http", "kafka", "l7", "l7proto"))
    for key, value in rules.items():
        if key != "dns" and value is not None:
            _layer_7(at.key(key))
    if rules.get("dns") is None:
        return False
    at = at.key("dns")
    if direction == "ingress":
        at.fail("Cilium refuses DNS rules on ingress")
    names = at.sequence(rules["dns"])
    for place, name in enumerate(names):
        pattern = at.item(place).mapping(name, ("matchName", "matchPattern"))
        if dict(pattern) != {"matchPattern": "*"}:
            at.item(place).leave("which names may be asked for is layer 7; understood is only matchPattern: '*'")
    if not names:
        at.fail("must hold a rule, such as matchPattern: '*'")
    return True


def _port(content: Any, watched: bool, at: At) -> list[PortMatch]:
    """PortProtocol (l4.go); an absent protocol is any. With `watched` answers of DNS are taken there."""
    entry = at.mapping(content, ("port", "endPort", "protocol"))
    word = "ANY" if entry.get("protocol") is None else entry["protocol"]
    if not isinstance(word, str) or word not in PROTOCOLS:
        at.key("protocol").fail(f"must be TCP, UDP, SCTP or ANY (got {word!r})")
    port, last = entry.get("port"), entry.get("endPort") or 0
    if isinstance(port, int):
        at.key("port").fail(f"Cilium wants a string; write '{port}' in quotes")
    if not isinstance(port, str) or not port:
        at.key("port").fail("this key is needed: a number or a name in quotes; '0' means every port")
    if not isinstance(last, int) or isinstance(last, bool) or not 0 <= last <= 65535:
        at.key("endPort").fail(f"must be a port number (got {last!r})")
    if not re.fullmatch(r"[0-9]+", port):
        if len(port) > 15 or not PORT_NAME.fullmatch(port.lower()):
            at.key("port").fail(f"must be a number from 0 to 65535 or the name of a port (got {port!r})")
        # "EndPort […] is ignored when Port is a named port."
        return [PortMatch(protocol=protocol, name=port.lower()) for protocol in PROTOCOLS[word]]
    first = int(port)
    if len(port) > 5 or first > 65535:
        at.key("port").fail(f"must be a number from 0 to 65535 or the name of a port (got {port!r})")
    if watched and (first == 0 or last > first):
        at.fail("Cilium refuses DNS rules for port 0 and for ranges of ports")
    if last and (first == 0 or last < first):
        at.key("endPort").fail(f"must not be below port, which must not be '0' ({last} with port {port})")
    if first == 0:
        return [PortMatch(protocol=protocol) for protocol in PROTOCOLS[word]]
    return [PortMatch(protocol=protocol, first=first, last=last or first) for protocol in PROTOCOLS[word]]
