"""One end of a Calico rule: whom its `source` or `destination` (EntityRule) means, and on which ports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from netproof.model.topology import NAME_LABEL, Protocol
from netproof.policy.calicoselector import Term, parse
from netproof.policy.reading import PORT_NAME, SUBDOMAIN, At, inside, network, number
from netproof.policy.rules import (
    HOLDS,
    NAMESPACE,
    SERVICE_ACCOUNT,
    BothPeer,
    Combination,
    Direction,
    NetworkPeer,
    Operator,
    OtherPeer,
    Peer,
    PodPeer,
    PortMatch,
    Requirement,
    Selector,
    ServicePeer,
    TextOperator,
)

ENTITY_KEYS = (
    "nets",
    "notNets",
    "selector",
    "notSelector",
    "namespaceSelector",
    "services",
    "ports",
    "notPorts",
    "serviceAccounts",
)
NAME = "projectcalico.org/name"
"""The label by which Calico's selectors see the name of a namespace or service account (conversion/constants.go)."""
OF_NAMESPACE, OF_ACCOUNT = "pcns.", "pcsa."
"""What stands before the labels that pods have from their namespace and service account (conversion/constants.go)."""
OURS = {
    "projectcalico.org/namespace": NAMESPACE,
    OF_NAMESPACE + NAME: NAMESPACE,
    OF_NAMESPACE + NAME_LABEL: NAMESPACE,
    "projectcalico.org/serviceaccount": SERVICE_ACCOUNT,
    OF_ACCOUNT + NAME: SERVICE_ACCOUNT,
}
NAMES_OF_NAMESPACES = frozenset(key for key, meant in OURS.items() if meant == NAMESPACE)
"""The labels by which selectors of pods see the name of a pod's namespace."""
ORCHESTRATOR = "projectcalico.org/orchestrator"
EVERYWHERE: Mapping[int, str] = {4: "0.0.0.0/0", 6: "::/0"}
PORTS = range(1, 65536)
Spans = list[tuple[int, int]]


def pods(text: Any, at: At) -> tuple[Selector, Selector]:
    """The pods that a selector means: by their own labels, and by those of their namespaces."""
    whole = parse(string(text, at), at, _pod_label)
    own: list[Term] = []
    spaces: list[Term] = []
    for term in whole.requirements:
        keys = set(_keys(term))
        foreign = {key for key in keys if key.startswith(OF_NAMESPACE)}
        if not foreign:
            own.append(term)
        elif foreign == keys:
            spaces.append(_stripped(term))
        else:
            mixed = " and ".join(sorted(keys))
            at.leave(
                f"labels of namespaces and of pods in one term ({mixed}) are not understood here; join them by '&&'"
            )
    return Selector(requirements=tuple(own)), Selector(requirements=tuple(spaces))


def namespaces(text: Any, at: At, *, own_global: bool = False) -> Selector:
    """The namespaces that a namespaceSelector means; for `global()` none, as it means no pods."""
    return parse(string(text, at), at, _namespace_label, own_global=own_global)


def accounts(text: Any, at: At) -> Selector:
    """The pods that a selector of service accounts means."""
    return parse(string(text, at), at, _account_label)


def peer(namespace: str, parts: Sequence[Selector], spaces: Sequence[Selector] = (), *, anywhere: bool) -> PodPeer:
    """Pods that all of `parts` mean, in namespaces that all of `spaces` mean; without `anywhere` in `namespace` only,
    where there is one."""
    by_label = Selector(requirements=tuple(term for part in parts for term in part.requirements))
    terms = [term for part in spaces for term in part.requirements]
    if namespace and not anywhere:
        if not terms:
            return PodPeer(pods=by_label, namespace=namespace)
        terms.append(Requirement(key=NAME_LABEL, operator="In", values=(namespace,)))
    return PodPeer(pods=by_label, namespaces=Selector(requirements=tuple(terms)))


def local(entity: Mapping[str, Any], namespace: str, at: At) -> PodPeer | None:
    """Which of the policy's pods a rule is about, by the end that they are; None for all. Refuses what says more."""
    for key in ("nets", "notNets"):
        if entity.get(key):
            at.key(key).leave("addresses of the policy's own pods are not understood here; select the pods by label")
    return _selected(entity, namespace, at, _negative(entity, at))


def remote(
    entity: Mapping[str, Any], namespace: str, direction: Direction, family: int | None, at: At
) -> tuple[Peer, ...] | None:
    """Whom the far end means; None for everybody. One peer for each of `nets`, in their order, or one for all."""
    if entity.get("services") is not None:
        if family is not None:
            at.key("services").leave("not understood here together with ipVersion")
        return (_service(entity, namespace, direction, at),)
    negative = _negative(entity, at)
    blocks = _blocks(entity, family, at)
    chosen: Peer | None = _selected(entity, namespace, at, negative)
    if chosen is not None and not namespace and not _positive(entity):
        # Alone, and where no namespace limits it, notSelector means what is no pod, too (EntityRule.selector).
        chosen = OtherPeer(peers=(PodPeer(pods=negative, namespaces=Selector()),))
    if blocks is None:
        return None if chosen is None else (chosen,)
    return tuple(block if chosen is None else BothPeer(peers=(chosen, block)) for block in blocks)


def ports(entity: Mapping[str, Any], covered: Sequence[Protocol] | None, at: At) -> tuple[PortMatch, ...] | None:
    """The ports of the protocols that the rule covers (None: all protocols)."""
    wanted, unwanted = (at.key(key).sequence(entity.get(key)) for key in ("ports", "notPorts"))
    if not wanted and not unwanted:
        return None if covered is None else tuple(PortMatch(protocol=protocol) for protocol in covered)
    named, spans = _listed(wanted, at.key("ports"))
    names, others = _listed(unwanted, at.key("notPorts"))
    if names:
        at.key("notPorts").leave(f"names of ports are not understood here (got {names[0]!r}); write numbers")
    if named and others:
        at.key("notPorts").leave(f"not understood here together with a named port (got {named[0]!r} in ports)")
    left = _without(spans if wanted else [(PORTS[0], PORTS[-1])], others)
    found = []
    for protocol in covered or ():
        found += [PortMatch(protocol=protocol, name=name) for name in named]
        found += [PortMatch(protocol=protocol, first=first, last=last) for first, last in left]
    return tuple(found)


def families(entity: Mapping[str, Any], at: At) -> Iterator[tuple[int, At]]:
    """The IP version of each of its networks, and where it stands."""
    for key in ("nets", "notNets"):
        for index, text in enumerate(at.key(key).sequence(entity.get(key))):
            yield _net(text, at.key(key).item(index)).version, at.key(key).item(index)


def string(text: Any, at: At) -> str:
    if text is None:
        return ""
    if not isinstance(text, str):
        at.fail(f"must be a text (got {text!r})")
    return text


def _name(name: Any, at: At) -> str:
    if not isinstance(name, str) or not SUBDOMAIN.fullmatch(name):
        at.fail(f"must be the name of an object (got {name!r})")
    return name


def _positive(entity: Mapping[str, Any]) -> bool:
    return any(entity.get(key) for key in ("selector", "namespaceSelector", "serviceAccounts"))


def _selected(entity: Mapping[str, Any], namespace: str, at: At, negative: Selector) -> PodPeer | None:
    """The pods that an end means by labels. Any of these keys limits a namespaced policy to pods of its namespace, or
    of those that namespaceSelector means (updateprocessors/rules.go, GetEntityRuleSelector)."""
    parts, spaces = [], []
    for key in ("selector", "namespaceSelector"):
        string(entity.get(key), at.key(key))
    if entity.get("namespaceSelector"):
        spaces.append(namespaces(entity["namespaceSelector"], at.key("namespaceSelector"), own_global=True))
    anywhere = bool(spaces)
    if entity.get("selector"):
        own, more = pods(entity["selector"], at.key("selector"))
        parts.append(own)
        spaces.append(more)
    by_account = _service_accounts(entity.get("serviceAccounts"), at.key("serviceAccounts"))
    if by_account is not None:
        parts.append(by_account)
    if entity.get("notSelector"):
        parts.append(Selector(requirements=(Combination(kind="none", options=(negative,)),)))
    return peer(namespace, parts, spaces, anywhere=anywhere) if parts or spaces else None


def _negative(entity: Mapping[str, Any], at: At) -> Selector:
    own, spaces = pods(entity.get("notSelector"), at.key("notSelector"))
    if spaces.requirements:
        at.key("notSelector").leave(f"labels of namespaces ({OF_NAMESPACE}) are not understood here")
    return own


def _service_accounts(content: Any, at: At) -> Selector | None:
    match = at.mapping(content, ("names", "selector"))
    listed = at.key("names").sequence(match.get("names"))
    terms = accounts(match.get("selector"), at.key("selector")).requirements
    if listed:
        names = tuple(_name(name, at.key("names").item(index)) for index, name in enumerate(listed))
        terms = (*terms, Requirement(key=SERVICE_ACCOUNT, operator="In", values=names))
    return Selector(requirements=terms) if match.get("selector") or listed else None


def _service(entity: Mapping[str, Any], namespace: str, direction: Direction, at: At) -> ServicePeer:
    """ServiceMatch: as a source the pods behind the Service, as a destination those on the ports that it leads to
    (felix/calc/rule_scanner.go, ServiceIncludePorts)."""
    beside = ("selector", "notSelector", "namespaceSelector", "serviceAccounts", "nets", "notNets")
    for key in (*beside, *(("ports", "notPorts") if direction == "egress" else ())):
        if entity.get(key):
            at.key(key).fail("may not be specified together with services")
    at = at.key("services")
    match = at.mapping(entity["services"], ("name", "namespace"))
    return ServicePeer(
        namespace=_name(match.get("namespace") or namespace, at.key("namespace")),
        name=_name(match.get("name"), at.key("name")),
        ports=direction == "egress",
    )


def _blocks(entity: Mapping[str, Any], family: int | None, at: At) -> list[NetworkPeer] | None:
    """The networks, without those that are excepted; with neither, every address of the rule's IP version."""
    nets, others = (
        [_net(text, at.key(key).item(n)) for n, text in enumerate(at.key(key).sequence(entity.get(key)))]
        for key in ("nets", "notNets")
    )
    if not nets:
        if family is None:
            return None
        return [NetworkPeer(cidr=EVERYWHERE[family], excepts=tuple(map(str, others)))]
    return [
        NetworkPeer(
            cidr=str(net),
            excepts=tuple(str(other if _within(other, net) else net) for other in others if _overlap(net, other)),
        )
        for net in nets
    ]


def _overlap(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    return _within(one, other) or _within(other, one)


def _within(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    return inner.prefixlen >= outer.prefixlen and inside(inner, outer)


def _net(text: Any, at: At) -> IPv4Network | IPv6Network:
    net = network(text, at)
    written = str(text).partition("/")[0]
    if net.network_address != net.network_address.__class__(written):
        at.fail(f"no bits may be set behind the prefix: write {net} (got {text!r})")
    return net


def _listed(content: Sequence[Any], at: At) -> tuple[list[str], Spans]:
    """Names of ports, and ranges of their numbers (numorstring/port.go)."""
    named: list[str] = []
    spans: Spans = []
    for index, port in enumerate(content):
        here = at.item(index)
        if not isinstance(port, str):
            spans.append((number(port, here), number(port, here)))
        elif match := re.fullmatch(r"([0-9]+)(?::([0-9]+))?", port, re.ASCII):
            first, last = number(int(match[1]), here), number(int(match[2] or match[1]), here)
            if last < first:
                here.fail(f"must be a range from a lower to a higher port (got {port!r})")
            spans.append((first, last))
        elif len(port) <= 15 and PORT_NAME.fullmatch(port):
            named.append(port)
        else:
            here.fail(f"must be a port number, a range such as 8000:8080 or a port name (got {port!r})")
    return named, spans


def _without(spans: Spans, others: Spans) -> Spans:
    left = spans
    for low, high in others:
        parts = [((first, min(last, low - 1)), (max(first, high + 1), last)) for first, last in left]
        left = [span for pair in parts for span in pair if span[0] <= span[1]]
    return left


def _pod_label(key: str, operator: Operator | TextOperator, values: tuple[str, ...], at: At) -> Term | bool:
    if key == ORCHESTRATOR:
        return HOLDS[operator]("k8s", values)
    if key.startswith(OF_ACCOUNT) and key not in OURS:
        _no_account_labels(key, at)
    return Requirement(key=OURS.get(key, key), operator=operator, values=values)


def _namespace_label(key: str, operator: Operator | TextOperator, values: tuple[str, ...], at: At) -> Term:
    return Requirement(key=NAME_LABEL if key == NAME else key, operator=operator, values=values)


def _account_label(key: str, operator: Operator | TextOperator, values: tuple[str, ...], at: At) -> Term:
    if key != NAME:
        _no_account_labels(key, at)
    return Requirement(key=SERVICE_ACCOUNT, operator=operator, values=values)


def _no_account_labels(key: str, at: At) -> None:
    at.leave(f"labels of service accounts are not known here (got {key!r}); select them by name ({NAME})")


def _keys(term: Term) -> Iterator[str]:
    if isinstance(term, Requirement):
        yield term.key
        return
    for option in term.options:
        for part in option.requirements:
            yield from _keys(part)


def _stripped(term: Term) -> Term:
    """The term with the namespaces' own keys."""
    if isinstance(term, Requirement):
        return Requirement(key=term.key.removeprefix(OF_NAMESPACE), operator=term.operator, values=term.values)
    options = [Selector(requirements=tuple(_stripped(part) for part in option.requirements)) for option in term.options]
    return Combination(kind=term.kind, options=tuple(options))
