"""Rules about how a policy is written: they need no pods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from netproof.lint.model import DIRECTIONS, PEERS_KEY, Hit, LintInput, LocatedPolicy, SourceLocation
from netproof.manifests.yaml_documents import parse_key_path
from netproof.model.manifest import describe_object
from netproof.policy.rules import Direction, NetworkPeer, Rule

SELECTORS = ("podSelector", "namespaceSelector")


def apart(inputs: LintInput) -> Iterator[Hit]:
    """A namespaceSelector alone beside a podSelector alone: one dash too many makes AND an OR."""
    for one, where, items in _peer_lists(inputs):
        # `podSelector: {}` is the own namespace: in one item with the other it would say nothing, so nobody meant that.
        alone = {key: [n for n, item in enumerate(items) if set(item) == {key}] for key in SELECTORS}
        alone["podSelector"] = [n for n in alone["podSelector"] if items[n]["podSelector"]]
        for wide in alone["namespaceSelector"]:
            # Only the next item can be what a dash cut off.
            if wide + 1 in alone["podSelector"] or wide - 1 in alone["podSelector"]:
                narrow = wide + 1 if wide + 1 in alone["podSelector"] else wide - 1
                yield Hit(
                    sentence=(
                        f"{where[1]} rule {int(where[2]) + 1} of {one.policy.ref} takes every pod of the namespaces in "
                        f"{where[3]}[{wide}], and beside them the pods of its own namespace in {where[3]}[{narrow}]: "
                        "items of a list are alternatives"
                    ),
                    place=one.place((*where, max(wide, narrow))),
                    fix="if those pods in those namespaces are meant, write both selectors in one item: remove a dash",
                )


def together(inputs: LintInput) -> Iterator[Hit]:
    """Both selectors in one item, beside items with one of them."""
    for one, where, items in _peer_lists(inputs):
        single = [n for n, item in enumerate(items) if len(set(item) & set(SELECTORS)) == 1]
        for place, item in enumerate(items):
            if set(SELECTORS) <= set(item) and single:
                yield Hit(
                    sentence=(
                        f"in {where[3]}[{place}] of {where[1]} rule {int(where[2]) + 1} of {one.policy.ref} both "
                        f"selectors must match, while {where[3]}[{single[0]}] beside it has one selector only"
                    ),
                    place=one.place((*where, place)),
                    fix="nothing, if both readings are meant; separate rules make that plain",
                )


def _peer_lists(inputs: LintInput) -> Iterator[tuple[LocatedPolicy, tuple[str | int, ...], list[Mapping[str, Any]]]]:
    """Each `from` and `to` of two items or more, as written; other dialects have no such lists."""
    for one in inputs.policies:
        spec = one.located.content.get("spec") or {}
        for direction in DIRECTIONS:
            for index, rule in enumerate(spec.get(direction) or ()):
                items = rule.get(PEERS_KEY[direction]) if isinstance(rule, Mapping) else None
                if isinstance(items, list) and len(items) > 1 and all(isinstance(item, Mapping) for item in items):
                    yield one, ("spec", direction, index, PEERS_KEY[direction]), items


def types_left_out(inputs: LintInput) -> Iterator[Hit]:
    """Without policyTypes every policy isolates for ingress, and for egress only one that has egress rules."""
    for one in inputs.policies:
        spec = one.located.content.get("spec") or {}
        if not one.is_network_policy or spec.get("policyTypes") or "egress" not in spec:
            continue
        ref, egress, ingress = one.policy.ref, spec["egress"], spec.get("ingress")
        if egress and ingress:
            continue
        if egress:
            said = (
                f"{ref} has egress rules only; without policyTypes it isolates for ingress as well, and admits nobody"
            )
        else:
            instead = "" if ingress else "; what it isolates for is ingress, and it admits nobody"
            said = f"the empty egress list of {ref} denies nothing without policyTypes{instead}"
        yield Hit(
            sentence=said,
            place=one.place(("spec", "egress")),
            fix="write `policyTypes: [Egress]`, or with Ingress in it if that is meant",
        )


def from_everywhere(inputs: LintInput) -> Iterator[Hit]:
    for one, rule in _allowing(inputs, "ingress"):
        if rule.peers is None:
            ports = "every port" if rule.ports is None else ", ".join(str(port) for port in rule.ports)
            yield Hit(
                sentence=(
                    f"ingress rule {rule.index + 1} of {one.policy.ref} has no `from`: {ports} of the pods it selects "
                    "is open to every pod, node and outside address"
                ),
                place=one.place_of(rule),
                fix="list who is meant in `from`; outside sources are an ipBlock with the pods' range in `except`",
            )


def to_everywhere(inputs: LintInput) -> Iterator[Hit]:
    for one, rule in _allowing(inputs, "egress"):
        if rule.peers is None and rule.ports is None:
            yield Hit(
                sentence=f"egress rule {rule.index + 1} of {one.policy.ref} lets everything out: the pods it selects "
                "are as good as not isolated for egress",
                place=one.place_of(rule),
                fix="list destinations or ports, or take Egress out of policyTypes",
            )


def blocks_over_pods(inputs: LintInput) -> Iterator[Hit]:
    for one, rule, place, block in blocks(inputs):
        if ip_network(block.cidr).prefixlen and covered(block, inputs):
            yield Hit(
                sentence=(
                    f"{block} in {rule.direction} rule {rule.index + 1} of {one.policy.ref} holds addresses of pods "
                    f"({_ranges(inputs)}), which change with every restart and which CNIs match differently"
                ),
                place=one.place_of_peer(rule, place),
                fix="select pods by labels; ipBlock is for addresses outside the cluster",
            )


def blocks_of_everything(inputs: LintInput) -> Iterator[Hit]:
    for one, rule, place, block in blocks(inputs):
        if not ip_network(block.cidr).prefixlen and covered(block, inputs):
            yield Hit(
                sentence=(
                    f"{block.cidr} in {rule.direction} rule {rule.index + 1} of {one.policy.ref} means the cluster's "
                    "pods too, not only what is outside; CNIs differ in whether they follow"
                ),
                place=one.place_of_peer(rule, place),
                fix=f"if only the outside is meant: `except: [{_ranges(inputs)}]`; if everybody is: no peers at all",
            )


def blocks(inputs: LintInput) -> Iterator[tuple[LocatedPolicy, Rule, int, NetworkPeer]]:
    """Every ipBlock of an allow rule: policy, rule, its place among the peers, and itself."""
    for direction in DIRECTIONS:
        for one, rule in _allowing(inputs, direction):
            for place, peer in enumerate(rule.peers or ()):
                if isinstance(peer, NetworkPeer):
                    yield one, rule, place, peer


def covered(block: NetworkPeer, inputs: LintInput) -> bool:
    """Whether the block holds addresses of the pod ranges that no `except` takes away."""
    if block.outside:
        return False
    whole = ip_network(block.cidr)
    for pods in inputs.pod_ranges:
        if pods.version == whole.version and pods.overlaps(whole):
            inner = pods if _inside(pods, whole) else whole
            if not any(_inside(inner, ip_network(text)) for text in block.excepts):
                return True
    return False


def _inside(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    return inner.version == outer.version and inner.prefixlen >= outer.prefixlen and inner.network_address in outer


def default_deny_alone(inputs: LintInput) -> Iterator[Hit]:
    """Everything of a namespace is denied, and nothing in it is allowed again."""
    for direction in DIRECTIONS:
        opened = {one.policy.subject.namespace for one, _ in _allowing(inputs, direction)}
        for one in inputs.policies:
            subject = one.policy.subject
            if (
                subject.namespace is not None
                and not subject.pods.requirements
                and direction in one.policy.isolates
                and not any(rule.direction == direction for rule in one.policy.rules)
                # A policy for several namespaces may open this one.
                and not opened & {subject.namespace, None}
            ):
                yield Hit(
                    sentence=(
                        f"{one.policy.ref} denies all {direction} of namespace {subject.namespace}, and no policy "
                        "there allows any again"
                    ),
                    place=one.place(("spec", "policyTypes")),
                    fix="nothing, if the namespace is meant to be cut off; otherwise add policies that allow",
                )


def replaced(inputs: LintInput) -> Iterator[Hit]:
    for one in inputs.replaced:
        later = inputs.at(one.policy.ref)
        yield Hit(
            sentence=f"{one.policy.ref} stands again in {later.place() if later else 'a later file'}: the later object "
            "replaces this one",
            place=one.place(("metadata", "name")),
            fix="give one of them another name",
        )


def not_understood(inputs: LintInput) -> Iterator[Hit]:
    for one in inputs.unread:
        located, ref = one.located, describe_object(one.located.content)
        what = (
            f"says what is not understood here ({one.why})" if one.key else "is of a kind that is not understood here"
        )
        key = one.key or "kind"
        yield Hit(
            sentence=f"{ref} ({located.content['apiVersion']}) {what}; nothing that is said of the other policies "
            "reckons with it",
            place=SourceLocation(
                file=located.document.file, line=located.line(parse_key_path(key)), object=ref, key=key
            ),
            fix="check it with its own engine's tools, and measure it",
        )


def _allowing(inputs: LintInput, direction: Direction) -> Iterator[tuple[LocatedPolicy, Rule]]:
    for one in inputs.policies:
        for rule in one.policy.rules:
            if rule.direction == direction and rule.action == "allow":
                yield one, rule


def _ranges(inputs: LintInput) -> str:
    return ", ".join(str(pods) for pods in inputs.pod_ranges)
