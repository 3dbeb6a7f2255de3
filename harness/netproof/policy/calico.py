"""The reader of `projectcalico.org/v3` NetworkPolicy and GlobalNetworkPolicy. It refuses what Calico 3.28 refuses, and
what the rule form cannot say. Tiers exist from Calico 3.29 on; they are read as it reads them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netproof.model.topology import Protocol
from netproof.policy.calicoends import ENTITY_KEYS, accounts, families, local, namespaces, peer, pods, ports, remote
from netproof.policy.reading import At, open_manifest
from netproof.policy.rules import NETWORK_POLICY_ORDER, TIERS, Action, Direction, PodPeer, Policy, Rule

API_VERSION = "projectcalico.org/v3"
UNREAD = ("GlobalNetworkSet", "HostEndpoint", "NetworkSet")
"""Kinds that selectors of policies could mean, and which nobody here reads."""
ENDS: Mapping[Direction, tuple[str, str, str]] = {
    "ingress": ("Ingress", "source", "destination"),
    "egress": ("Egress", "destination", "source"),
}
"""Direction -> its type, and what a rule calls the far end and the policy's own."""
ACTIONS: Mapping[str, Action | None] = {"Allow": "allow", "Deny": "deny", "Pass": "pass", "Log": None}
"""Log decides nothing."""
DEFAULT = "default"
LAST = 1e300
"""The order of a tier that has none: behind all others, and such that one can still come behind it."""
LABEL_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SPEC_KEYS = (
    "tier",
    "order",
    "selector",
    "serviceAccountSelector",
    "types",
    "ingress",
    "egress",
    "performanceHints",
)
GLOBAL_KEYS = ("namespaceSelector", "doNotTrack", "preDNAT", "applyOnForward")
RULE_KEYS = (
    "action",
    "ipVersion",
    "protocol",
    "notProtocol",
    "icmp",
    "notICMP",
    "source",
    "destination",
    "http",
    "metadata",
)
NUMBERS = {"TCP": 6, "UDP": 17, "SCTP": 132, "ICMP": 1, "ICMPv6": 58, "UDPLite": 136}
PORTED: Mapping[int, Protocol] = {6: "TCP", 17: "UDP", 132: "SCTP"}
ICMP: Mapping[Any, int] = {"ICMP": 4, "ICMPv6": 6}
"""Protocol -> the IP version that it belongs to."""


def tiers(manifests: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """The order of each tier: those that need no object, and the Tier objects among the manifests. Refuses objects
    that policies could mean and that nobody here reads."""
    found = {DEFAULT: TIERS[DEFAULT]}
    for manifest in manifests:
        if manifest["apiVersion"] != API_VERSION:
            continue
        if manifest["kind"] == "Tier":
            name, order = _tier(manifest)
            found[name] = order
        elif manifest["kind"] in UNREAD:
            top, _, _ = open_manifest(manifest, manifest["kind"], (), namespaced=manifest["kind"] == "NetworkSet")
            top.leave("selectors of Calico's policies could mean it, and it is not understood here")
    known = dict(TIERS)
    for name, order in sorted(found.items(), key=lambda tier: (tier[1], tier[0])):
        # Of equal order the earlier by alphabet counts first (TierSpec.order).
        apart = order
        while name not in TIERS and apart in known.values():
            apart = math.nextafter(apart, math.inf)
        known[name] = apart
    return known


def read(manifest: Mapping[str, Any], tiers: Mapping[str, float] = TIERS) -> tuple[Policy]:
    """One object as a policy. Raises InputError that names the object and the key."""
    everywhere = manifest["kind"] == "GlobalNetworkPolicy"
    # NetworkPolicy of the two API groups are different objects, also where they have one name.
    kind = "GlobalNetworkPolicy" if everywhere else "Calico NetworkPolicy"
    top, namespace, name = open_manifest(manifest, kind, (), namespaced=not everywhere)
    at = top.key("spec")
    spec = at.mapping(manifest.get("spec"), (*SPEC_KEYS, *(GLOBAL_KEYS if everywhere else ())))
    _refuse_host_options(spec, at)
    rules = {
        direction: [
            _rule(content, direction, index, namespace, at.key(direction).item(index))
            for index, content in enumerate(at.key(direction).sequence(spec.get(direction)))
        ]
        for direction in ENDS
    }
    isolates = _isolates(spec, at)
    policy = Policy(
        ref=top.path,
        subject=_subject(spec, namespace, at),
        isolates=isolates,
        rules=tuple(
            rule for direction in ENDS if direction in isolates for rule in rules[direction] if rule is not None
        ),
        precedence=_precedence(spec, name, namespace, tiers, top),
        ordered=True,
        judges_own_node=True,
        sees_backends=True,
        subject_key="selector",
        types_key="types",
        ignored=frozenset(direction for direction in ENDS if rules[direction] and direction not in isolates),
    )
    return (policy,)


def _tier(manifest: Mapping[str, Any]) -> tuple[str, float]:
    top, _, name = open_manifest(manifest, "Tier", ("status",), namespaced=False)
    if len(name) > 63 or not LABEL_NAME.fullmatch(name):
        top.key("metadata").key("name").fail(
            f"a tier's name is at most 63 lower-case letters, digits and '-' (got {name!r})"
        )
    at = top.key("spec")
    spec = at.mapping(manifest.get("spec"), ("order", "defaultAction"))
    if spec.get("defaultAction") not in (None, "Deny"):
        at.key("defaultAction").leave(f"only Deny is understood here (got {spec['defaultAction']!r})")
    order = _order(spec.get("order"), at.key("order"))
    if name == DEFAULT and order != TIERS[DEFAULT]:
        at.key("order").fail(f"the order of tier default must be {TIERS[DEFAULT]:.0f}")
    return name, min(order, LAST)


def _order(order: Any, at: At) -> float:
    """Absent, it is last (NetworkPolicySpec.order, TierSpec.order)."""
    if order is None:
        return math.inf
    if not isinstance(order, int | float) or isinstance(order, bool):
        at.fail(f"must be a number (got {order!r})")
    return float(order)


def _precedence(
    spec: Mapping[str, Any], name: str, namespace: str, tiers: Mapping[str, float], top: At
) -> tuple[float | str, ...]:
    """By the tier's order, the policy's, and the name under which Calico keeps it (felix/calc/policy_sorter.go)."""
    tier = spec.get("tier") or DEFAULT
    known = sorted(tier for tier in tiers if LABEL_NAME.fullmatch(tier))
    if tier not in known:
        top.key("spec").key("tier").fail(f"no Tier object defines {tier!r}; known tiers: {', '.join(known)}")
    prefix = "" if tier == DEFAULT else f"{tier}."
    if not name.startswith(prefix) or not LABEL_NAME.fullmatch(name.removeprefix(prefix)):
        begins = f"begins with {prefix!r}, and the rest is" if prefix else "is"
        top.key("metadata").key("name").fail(
            f"the name of a policy in tier {tier} {begins} of lower-case letters, digits and '-' (got {name!r})"
        )
    order = _order(spec.get("order"), top.key("spec").key("order"))
    if tier == DEFAULT and order == NETWORK_POLICY_ORDER:
        # Of equal order, `default.NAME` comes before `knp.default.NAME`, as which Calico keeps NetworkPolicy.
        order = math.nextafter(order, -math.inf)
    kept = name if prefix else f"default.{name}"
    return (tiers[tier], order, f"{namespace}/{kept}" if namespace else kept)


def _isolates(spec: Mapping[str, Any], at: At) -> frozenset[Direction]:
    """NetworkPolicySpec.types: absent or empty, by which rules there are."""
    listed = at.key("types").sequence(spec.get("types"))
    by_type = {word: direction for direction, (word, _, _) in ENDS.items()}
    for index, word in enumerate(listed):
        if not isinstance(word, str) or word not in by_type:
            near = [known for known in by_type if str(word).lower() == known.lower()] or list(by_type)
            at.key("types").item(index).fail(f"must be {' or '.join(near)} (got {word!r})")
        if word in listed[:index]:
            at.key("types").item(index).fail(f"{word} is specified more than once")
    if listed:
        return frozenset(by_type[word] for word in listed)
    if not spec.get("egress"):
        return frozenset(("ingress",))
    return frozenset(("ingress", "egress")) if spec.get("ingress") else frozenset(("egress",))


def _subject(spec: Mapping[str, Any], namespace: str, at: At) -> PodPeer:
    own, more = pods(spec.get("selector"), at.key("selector"))
    by_account = accounts(spec.get("serviceAccountSelector"), at.key("serviceAccountSelector"))
    spaces = namespaces(spec.get("namespaceSelector"), at.key("namespaceSelector"))
    return peer(namespace, (own, by_account), (spaces, more), anywhere=not namespace)


def _refuse_host_options(spec: Mapping[str, Any], at: At) -> None:
    for key in ("doNotTrack", "preDNAT", "applyOnForward"):
        if not isinstance(spec.get(key), bool | None):
            at.key(key).fail(f"must be true or false (got {spec[key]!r})")
        if spec.get(key):
            at.key(key).leave("not understood here: it is about host endpoints")
    hints = at.key("performanceHints").sequence(spec.get("performanceHints"))
    for index, hint in enumerate(hints):
        if hint != "AssumeNeededOnEveryNode" or index:
            at.key("performanceHints").item(index).fail(f"must be AssumeNeededOnEveryNode, once (got {hint!r})")


def _rule(content: Any, direction: Direction, index: int, namespace: str, at: At) -> Rule | None:
    """One rule; None for what decides nothing."""
    _, far, near = ENDS[direction]
    rule = at.mapping(content, RULE_KEYS)
    if rule.get("http") is not None:
        at.key("http").leave("not understood here: probes ask for no HTTP")
    at.key("metadata").mapping(rule.get("metadata"), ("annotations",))
    action = rule.get("action")
    if not isinstance(action, str) or action not in ACTIONS:
        at.key("action").fail(f"must be Allow, Deny, Pass or Log (got {action!r})")
    ends = {end: at.key(end).mapping(rule.get(end), ENTITY_KEYS) for end in ("source", "destination")}
    covered = _covered(rule, ends, at)
    family = _family(rule, ends, at)
    for key in ("ports", "notPorts"):
        if ends["source"].get(key):
            at.key("source").key(key).leave("ports of the source are not understood here: probes take any free one")
    if ends[near].get("services") is not None:
        at.key(near).key("services").fail(f"not allowed in the {near} of an {direction} rule")
    peers = remote(ends[far], namespace, direction, family, at.key(far))
    subject = local(ends[near], namespace, at.key(near))
    matched = ports(ends["destination"], covered, at.key("destination"))
    decided = ACTIONS[action]
    if decided is None:
        return None
    by_net = bool(ends[far].get("nets"))
    return Rule(
        direction=direction,
        index=index,
        peers=peers,
        ports=matched,
        action=decided,
        peers_key=f"{far}.nets" if by_net else far,
        peers_listed=by_net,
        subject=subject,
    )


def _covered(rule: Mapping[str, Any], ends: Mapping[str, Any], at: At) -> Sequence[Protocol] | None:
    """Which of the protocols that have ports a rule is about; None for all of them."""
    wanted, unwanted = (_protocol(rule.get(key), at.key(key)) for key in ("protocol", "notProtocol"))
    for end, key in ((end, key) for end in ends for key in ("ports", "notPorts")):
        if ends[end].get(key) and wanted not in PORTED:
            at.key(end).key(key).fail("rules that specify ports must set protocol to TCP, UDP or SCTP")
    for key in ("icmp", "notICMP"):
        _icmp(rule.get(key), at.key(key))
    if rule.get("icmp") is not None and rule.get("protocol") not in ICMP:
        at.key("icmp").fail("rules that specify ICMP fields must set protocol to ICMP or ICMPv6")
    if rule.get("notICMP") is not None and rule.get("protocol") not in ICMP:
        at.key("notICMP").fail("what it means for other protocols is open: set protocol to ICMP or ICMPv6")
    if wanted is None and unwanted not in PORTED:
        return None
    return [word for value, word in PORTED.items() if wanted in (None, value) and value != unwanted]


def _protocol(value: Any, at: At) -> int | None:
    """Its number (numorstring/protocol.go)."""
    if value is None:
        return None
    if isinstance(value, str):
        value = int(value) if re.fullmatch(r"[0-9]{1,3}", value, re.ASCII) else NUMBERS.get(value, value)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 255:
        at.fail(f"must be {', '.join(NUMBERS)} or a number from 1 to 255 (got {value!r})")
    return value


def _icmp(content: Any, at: At) -> None:
    fields = at.mapping(content, ("type", "code"))
    for key, most in (("type", 254), ("code", 255)):
        value = fields.get(key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most):
            at.key(key).fail(f"must be a number from 0 to {most} (got {value!r})")
    if fields.get("code") is not None and fields.get("type") is None:
        at.key("code").fail("may not be specified without a type")


def _family(rule: Mapping[str, Any], ends: Mapping[str, Any], at: At) -> int | None:
    """The IP version that a rule is limited to, by its own word or by its networks, which must be of one
    (validator.go, validateRule)."""
    version = rule.get("ipVersion")
    if version is not None and (isinstance(version, bool) or version not in (4, 6)):
        at.key("ipVersion").fail(f"must be 4 or 6 (got {version!r})")
    for key in ("protocol", "notProtocol"):
        own = ICMP.get(rule.get(key), version)
        if None not in (version, own) and own != version:
            at.key("ipVersion").fail(f"must be {own} with {key} {rule[key]}")
    found: int | None = version
    for end in ends:
        for of_net, place in families(ends[end], at.key(end)):
            if found not in (None, of_net):
                other = "ipVersion" if version is not None else "another network of the rule"
                place.fail(f"is of IP version {of_net}, but {other} is of {found}")
            found = of_net
    return found
