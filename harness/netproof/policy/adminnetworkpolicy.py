"""The readers of `policy.networking.k8s.io/v1alpha1`: AdminNetworkPolicy and BaselineAdminNetworkPolicy, which
ClusterNetworkPolicy replaced. They refuse what the CRDs refuse, and nodes by label, which the rule form cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast, get_args

from netproof.model.topology import Protocol
from netproof.policy.clusternetworkpolicy import UNNAMED, few, only, peer_of, pods_of
from netproof.policy.reading import PORT_NAME, At, number, open_manifest
from netproof.policy.rules import TIERS, Action, Direction, Policy, PortMatch, Rule

IN_CLUSTER = ("namespaces", "pods")
MOST = 100
"""Rules of a direction, peers and ports of a rule (MaxItems)."""

ACTIONS: Mapping[str, Action] = {"Allow": "allow", "Deny": "deny", "Pass": "pass"}
PORTS = ("portNumber", "namedPort", "portRange")


class Side(NamedTuple):
    """What the rules of one direction may say: the key of their peers, the kinds of peers, and the actions."""

    direction: Direction
    key: str
    kinds: tuple[str, ...]
    actions: tuple[str, ...]


def read(manifest: Mapping[str, Any], tiers: Mapping[str, float] = TIERS) -> tuple[Policy]:
    """An AdminNetworkPolicy as a policy: asked before NetworkPolicies, lower `priority` first. Raises InputError that
    names the object and the key."""
    top, spec = _opened(manifest, "AdminNetworkPolicy", ("priority", "subject", "ingress", "egress"))
    priority = spec.get("priority")
    if not isinstance(priority, int) or isinstance(priority, bool) or not 0 <= priority <= 1000:
        top.key("spec").key("priority").fail(f"must be a number from 0 to 1000 (got {priority!r})")
    return (_policy(top, spec, (tiers["Admin"], float(priority)), tuple(ACTIONS), (*UNNAMED,)),)


def read_baseline(manifest: Mapping[str, Any], tiers: Mapping[str, float] = TIERS) -> tuple[Policy]:
    """The BaselineAdminNetworkPolicy as a policy: asked where no NetworkPolicy isolates the pod. Raises InputError as
    `read` does."""
    top, spec = _opened(manifest, "BaselineAdminNetworkPolicy", ("subject", "ingress", "egress"))
    name = manifest["metadata"]["name"]
    if name != "default":
        top.key("metadata").key("name").fail(f"must be default: a cluster has one such policy (got {name!r})")
    return (_policy(top, spec, (tiers["Baseline"], 0.0), ("Allow", "Deny"), ("networks", "nodes")),)


def _opened(manifest: Mapping[str, Any], kind: str, keys: tuple[str, ...]) -> tuple[At, Mapping[str, Any]]:
    top, _, _ = open_manifest(manifest, kind, ("status",), namespaced=False)
    at = top.key("spec")
    if manifest.get("spec") is None:
        at.fail("this key is needed")
    spec = at.mapping(manifest["spec"], keys)
    if spec.get("subject") is None:
        at.key("subject").fail("this key is needed: namespaces or pods")
    return top, spec


def _policy(
    top: At,
    spec: Mapping[str, Any],
    precedence: tuple[float, float],
    actions: tuple[str, ...],
    beyond: tuple[str, ...],
) -> Policy:
    """`beyond`: the peers outside the pods that its egress rules may have."""
    at = top.key("spec")
    sides = (
        Side("ingress", "from", IN_CLUSTER, actions),
        Side("egress", "to", (*IN_CLUSTER, *beyond), actions),
    )
    rules = [
        _rule(rule, side, index, at.key(side.direction).item(index))
        for side in sides
        for index, rule in enumerate(few(spec.get(side.direction), at.key(side.direction), least=0, most=MOST))
    ]
    return Policy(
        ref=top.path,
        subject=pods_of(*only(spec["subject"], IN_CLUSTER, at.key("subject"))),
        isolates=frozenset(),
        rules=tuple(rules),
        precedence=precedence,
        ordered=True,
        judges_own_node=True,
        subject_key="subject",
    )


def _rule(content: Any, side: Side, index: int, at: At) -> Rule:
    direction, key, kinds, actions = side
    rule = at.mapping(content, ("name", "action", key, "ports"))
    name, action = rule.get("name"), str(rule.get("action"))
    if name is not None and (not isinstance(name, str) or len(name) > 100):
        at.key("name").fail(f"must be a string of at most 100 characters (got {name!r})")
    if action not in actions:
        at.key("action").fail(f"must be {', '.join(actions)} (got {rule.get('action')!r})")
    if rule.get(key) is None:
        at.key(key).fail("this key is needed, with at least one item")
    items = few(rule[key], at.key(key), most=MOST)
    chosen = [only(item, kinds, at.key(key).item(place)) for place, item in enumerate(items)]
    listed = few(rule.get("ports"), at.key("ports"), most=MOST)
    ports = [match for place, item in enumerate(listed) for match in _port(item, at.key("ports").item(place))]
    unnamed = [kind for kind, _, _ in chosen if kind in UNNAMED]
    if unnamed and any(port.name for port in ports):
        at.key("ports").fail(f"namedPort cannot go with {unnamed[0]}, which have no named ports")
    for kind, _, place_of in chosen if action != "Allow" else ():
        if kind == "domainNames":
            place_of.fail(f"names are only supported for Allow (got {action})")
    return Rule(
        direction=direction,
        index=index,
        peers=tuple(peer_of(*one) for one in chosen),
        ports=tuple(ports) if rule.get("ports") is not None else None,
        action=ACTIONS[action],
        learns_names=any(kind == "domainNames" for kind, _, _ in chosen),
    )


def _port(content: Any, at: At) -> list[PortMatch]:
    kind, value, at = only(content, PORTS, at)
    if kind == "namedPort":
        if not isinstance(value, str) or len(value) > 15 or not PORT_NAME.fullmatch(value):
            at.fail(f"must be the name of a container port (got {value!r})")
        return [PortMatch(protocol=protocol, name=value) for protocol in get_args(Protocol)]
    keys = ("port",) if kind == "portNumber" else ("start", "end")
    entry = at.mapping(value, ("protocol", *keys))
    word = "TCP" if entry.get("protocol") is None else entry["protocol"]
    if word not in get_args(Protocol):
        at.key("protocol").fail(f"must be TCP, UDP or SCTP (got {word!r})")
    first, last = number(entry.get(keys[0]), at.key(keys[0])), number(entry.get(keys[-1]), at.key(keys[-1]))
    if kind == "portRange" and first >= last:
        at.fail(f"start must be less than end ({first} and {last})")
    return [PortMatch(protocol=cast(Protocol, word), first=first, last=last)]
