"""The peers of Cilium's policies: endpoints by label, entities, CIDRs, Services and DNS names (layer3.rst)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from netproof.model.topology import NAME_LABEL
from netproof.policy.reading import At, expression, inside, label_selector, network
from netproof.policy.rules import (
    SERVICE_ACCOUNT,
    Entity,
    EntityPeer,
    NamePeer,
    NetworkPeer,
    Peer,
    PodPeer,
    Requirement,
    Selector,
    ServicePeer,
)

NAMESPACE_KEY = "io.kubernetes.pod.namespace"
NAMESPACE_LABELS = "io.cilium.k8s.namespace.labels."
ACCOUNT_KEY = "io.cilium.k8s.policy.serviceaccount"
CLUSTER_KEY = "io.cilium.k8s.policy.cluster"
SOURCES = ("k8s", "any")
"""Sources of labels that pods have; a key without a source means any."""

RESERVED: Mapping[str, frozenset[Entity]] = {
    "host": frozenset({"own-node"}),
    "remote-node": frozenset({"other-nodes"}),
    "kube-apiserver": frozenset({"api-server"}),
    "world": frozenset({"outside"}),
    # Ends that Cilium knows of and no topology has.
    "health": frozenset(),
    "ingress": frozenset(),
    "init": frozenset(),
    "unmanaged": frozenset(),
}
"""Entities that are a reserved label, too (entity.go)."""

CLUSTER: frozenset[Entity] = frozenset({"pods", "own-node", "other-nodes", "api-server"})
ENTITIES: Mapping[str, frozenset[Entity]] = {
    **RESERVED,
    "all": CLUSTER | {"outside"},
    "cluster": CLUSTER,
    "none": frozenset(),
}
WORLDS = {"world-ipv4": "0.0.0.0/0", "world-ipv6": "::/0"}


def selection(content: Any, at: At, home: str | None, *, subject: bool = False) -> PodPeer:
    """An EndpointSelector as pods. `home` is the policy's namespace, None for a clusterwide policy.

    The subject is always in `home`; a peer is there unless its selector speaks of namespaces (getEndpointSelector).
    """
    pods: list[Requirement] = []
    namespaces: list[Requirement] = []
    for requirement, place in _requirements(content, at):
        if requirement.key == NAMESPACE_KEY:
            named = replace(requirement, key=NAME_LABEL)
            if subject and home is not None and not named.holds({NAME_LABEL: home}):
                place.fail(f"the policy is for pods of its own namespace {home} only")
            if named.operator == "DoesNotExist":
                place.fail("means what has no namespace; write an entity, such as host or world")
            namespaces.append(named)
        elif requirement.key.startswith(NAMESPACE_LABELS):
            namespaces.append(replace(requirement, key=requirement.key.removeprefix(NAMESPACE_LABELS)))
        elif requirement.key == CLUSTER_KEY:
            place.leave("clusters are not told apart here: all pods are of one cluster")
        else:
            key = SERVICE_ACCOUNT if requirement.key == ACCOUNT_KEY else requirement.key
            pods.append(replace(requirement, key=key))
    at_home = Requirement(key=NAME_LABEL, operator="In", values=(home or "",))
    if home is not None and (subject or not namespaces):
        namespaces.insert(0, at_home)
    distinct = tuple(dict.fromkeys(namespaces))
    selected = Selector(requirements=tuple(pods))
    if [(one.key, one.operator, len(one.values)) for one in distinct] == [(NAME_LABEL, "In", 1)]:
        return PodPeer(pods=selected, namespace=distinct[0].values[0])
    return PodPeer(pods=selected, namespaces=Selector(requirements=distinct))


def _requirements(content: Any, at: At) -> Iterator[tuple[Requirement, At]]:
    """A selector's requirements, with keys without their source."""
    selector = at.mapping(content, ("matchLabels", "matchExpressions"))
    labels, labels_at = selector.get("matchLabels"), at.key("matchLabels")
    if not isinstance(labels, Mapping):
        label_selector({"matchLabels": labels}, at)
    for key, value in (labels or {}).items():
        place = labels_at.key(str(key))
        for requirement in label_selector({"matchLabels": {_bare(key, place): value}}, at).requirements:
            if isinstance(requirement, Requirement):
                yield requirement, place
    for index, item in enumerate(at.key("matchExpressions").sequence(selector.get("matchExpressions"))):
        place = at.key("matchExpressions").item(index)
        bare = {**item, "key": _bare(item.get("key"), place.key("key"))} if isinstance(item, Mapping) else item
        yield expression(bare, place), place


def _bare(key: Any, at: At) -> Any:
    """A label's key without its source."""
    source, colon, rest = key.partition(":") if isinstance(key, str) else ("", "", "")
    if not colon:
        return key
    if source not in SOURCES:
        at.leave(f"labels of the source {source!r} are not understood here; pods have {' and '.join(SOURCES)}")
    return rest


def _endpoints(content: Any, at: At, home: str | None) -> Peer:
    return _reserved(content, at) or selection(content, at, home)


def _reserved(content: Any, at: At) -> Peer | None:
    """The entity that a selector by a reserved label means; None where there is no such label in it."""
    selector = content if isinstance(content, Mapping) else {}
    labels, expressions = (selector.get(key) or {} for key in ("matchLabels", "matchExpressions"))
    if not isinstance(labels, Mapping) or not isinstance(expressions, list | tuple | dict):
        return None
    wanted = [(str(key), value == "", at.key("matchLabels").key(str(key))) for key, value in labels.items()]
    for index, item in enumerate(expressions):
        if isinstance(item, Mapping):
            exists = item.get("operator") == "Exists" and not item.get("values")
            wanted.append((str(item.get("key")), exists, at.key("matchExpressions").item(index)))
    for key, plain, place in wanted:
        if key.startswith("reserved:"):
            name = key.removeprefix("reserved:")
            if len(wanted) > 1 or not plain:
                place.leave("a reserved label is understood alone, with an empty value or Exists")
            if name not in RESERVED and name not in WORLDS:
                place.fail(f"no such reserved label; known: {', '.join((*RESERVED, *WORLDS))}")
            return _entity(name, place, None)
    return None


def _entity(content: Any, at: At, home: str | None) -> Peer:
    if not isinstance(content, str) or content not in (*ENTITIES, *WORLDS):
        at.fail(f"no such entity; known: {', '.join((*ENTITIES, *WORLDS))} (got {content!r})")
    if content in WORLDS:
        return NetworkPeer(cidr=WORLDS[content], outside=True)
    return EntityPeer(name=content, entities=ENTITIES[content])


def _cidr(content: Any, at: At, home: str | None) -> Peer:
    return NetworkPeer(cidr=str(network(content, at)), outside=True)


def _cidr_set(content: Any, at: At, home: str | None) -> Peer:
    entry = at.mapping(content, ("cidr", "except", "cidrGroupRef", "cidrGroupSelector"))
    for key in ("cidrGroupRef", "cidrGroupSelector"):
        if entry.get(key) is not None:
            at.key(key).leave("a CiliumCIDRGroup is not understood here; list its CIDRs")
    cidr = network(entry.get("cidr"), at.key("cidr"))
    excepts = []
    for index, text in enumerate(at.key("except").sequence(entry.get("except"))):
        inner = network(text, at.key("except").item(index))
        if inner.prefixlen < cidr.prefixlen or not inside(inner, cidr):
            at.key("except").item(index).fail(f"must be within cidr {cidr} (got {text!r})")
        excepts.append(str(inner))
    return NetworkPeer(cidr=str(cidr), excepts=tuple(excepts), outside=True)


def _service(content: Any, at: At, home: str | None) -> Peer:
    entry = at.mapping(content, ("k8sService", "k8sServiceSelector"))
    if entry.get("k8sServiceSelector") is not None:
        at.key("k8sServiceSelector").leave("labels of Services are not known here; name the Service with k8sService")
    at = at.key("k8sService")
    service = at.mapping(entry.get("k8sService"), ("serviceName", "namespace"))
    names = {key: service.get(key) for key in ("serviceName", "namespace")}
    for key, value in names.items():
        if not isinstance(value, str) or not value:
            hint = " (without one Cilium means Services of this name in every namespace)" if key == "namespace" else ""
            at.key(key).fail(f"this key is needed{hint}")
    return ServicePeer(namespace=str(names["namespace"]), name=str(names["serviceName"]))


def _name(content: Any, at: At, home: str | None) -> Peer:
    """FQDNSelector (fqdn.go)."""
    entry = at.mapping(content, ("matchName", "matchPattern"))
    given = [key for key in ("matchName", "matchPattern") if entry.get(key)]
    if len(given) != 1:
        at.fail("must have either matchName or matchPattern")
    (key,) = given
    text = entry[key]
    allowed = r"[-a-zA-Z0-9_.]+" if key == "matchName" else r"[-a-zA-Z0-9_.*]+"
    if not isinstance(text, str) or not re.fullmatch(allowed, text):
        more = "" if key == "matchName" else ", '*'"
        at.key(key).fail(f"only letters, digits, '-', '_', '.'{more} are allowed (got {text!r})")
    return NamePeer(pattern=text.lower())


PEERS: Mapping[str, Callable[[Any, At, str | None], Peer]] = {
    "Endpoints": _endpoints,
    "Entities": _entity,
    "CIDR": _cidr,
    "CIDRSet": _cidr_set,
    "Services": _service,
    "FQDNs": _name,
}
"""What a key with peers ends in, after `from` and `to` -> the reader of one of its entries."""
