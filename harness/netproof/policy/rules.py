"""The one rule form. Every dialect's reader produces it; the evaluator and the reference dataplane consume it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from netproof.model.topology import Protocol

Direction = Literal["ingress", "egress"]
Operator = Literal["In", "NotIn", "Exists", "DoesNotExist"]
TextOperator = Literal["Contains", "StartsWith", "EndsWith"]
"""Calico's selectors have these too; like `In` they do not hold for a missing key."""
Action = Literal["allow", "deny", "pass"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One line of a label selector (LabelSelectorRequirement). `NotIn` and `DoesNotExist` hold for a missing key."""

    key: str
    operator: Operator | TextOperator
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        return HOLDS[self.operator](value, self.values)


HOLDS: Mapping[str, Callable[[str | None, tuple[str, ...]], bool]] = {
    "In": lambda value, values: value is not None and value in values,
    "NotIn": lambda value, values: value is None or value not in values,
    "Exists": lambda value, values: value is not None,
    "DoesNotExist": lambda value, values: value is None,
    "Contains": lambda value, values: value is not None and values[0] in value,
    "StartsWith": lambda value, values: value is not None and value.startswith(values[0]),
    "EndsWith": lambda value, values: value is not None and value.endswith(values[0]),
}
"""Operator -> whether it holds for a label's value (None: no such label) and the selector's values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """What a list of requirements cannot say: `any` of these selectors matches, or `none` of them does."""

    kind: Literal["any", "none"]
    options: tuple[Selector, ...]

    def holds(self, labels: Mapping[str, str]) -> bool:
        return any(option.matches(labels) for option in self.options) is (self.kind == "any")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """A label selector: all requirements hold. Without requirements it matches everything."""

    requirements: tuple[Requirement | Combination, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.holds(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        return ", ".join(_requirement_text(r) for r in self.requirements) or "{}"


def _requirement_text(requirement: Requirement | Combination) -> str:
    if isinstance(requirement, Combination):
        options = " or ".join(f"({option})" for option in requirement.options)
        return options if requirement.kind == "any" else f"not {options}"
    key, values = requirement.key, ", ".join(requirement.values)
    match requirement.operator:
        case "In" if len(requirement.values) == 1:
            return f"{key}={values}"
        case "Exists" | "DoesNotExist":
            return f"{key} {requirement.operator}"
        case _:
            return f"{key} {requirement.operator} ({values})"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPeer:
    """Pods by label. `namespace` names the only namespace meant (a peer without namespaceSelector); otherwise the
    namespaces that `namespaces` selects. Pods on the host's network are never meant (they are nodes)."""

    pods: Selector
    namespace: str | None = None
    namespaces: Selector | None = None

    def __str__(self) -> str:
        pods = f"pods {self.pods}" if self.pods.requirements else "all pods"
        if self.namespace is not None:
            return pods if self.pods.requirements else f"{pods} in namespace {self.namespace}"
        if self.namespaces is None or not self.namespaces.requirements:
            return f"{pods} in all namespaces"
        return f"{pods} in namespaces {self.namespaces}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPeer:
    """An ipBlock: addresses in `cidr` and in none of `excepts`. With `outside` those of pods and nodes are never meant
    (Cilium's CIDR rules, layer3.rst)."""

    cidr: str
    excepts: tuple[str, ...] = ()
    outside: bool = False

    def __str__(self) -> str:
        excepts = f" except {', '.join(self.excepts)}" if self.excepts else ""
        return f"addresses {self.cidr}{excepts}"


Entity = Literal["pods", "own-node", "other-nodes", "api-server", "outside"]
"""Kinds of ends: pods of the cluster; the subject's own node; other nodes; nodes that run an API server; the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityPeer:
    """Ends by what they are. `name` is what the object calls it."""

    name: str
    entities: frozenset[Entity]

    def __str__(self) -> str:
        return f"entity {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamePeer:
    """Ends outside by their DNS name, where the subject learnt the address from a DNS answer. `*` stands for what is
    no dot, `**.` for any number of labels (Cilium's matchPattern)."""

    pattern: str

    def __str__(self) -> str:
        return f"name {self.pattern}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePeer:
    """The pods behind a Service; with `ports` only on the ports that it leads to (Calico's destination.services)."""

    namespace: str
    name: str
    ports: bool = False

    def __str__(self) -> str:
        return f"pods behind Service {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BothPeer:
    """What all of these mean at once."""

    peers: tuple[Peer, ...]

    def __str__(self) -> str:
        return " and ".join(str(peer) for peer in self.peers)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyPeer:
    """What at least one of these means: one entry of a list that names several (ClusterNetworkPolicy's `networks`)."""

    peers: tuple[Peer, ...]

    def __str__(self) -> str:
        return " or ".join(str(peer) for peer in self.peers)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherPeer:
    """Whatever none of these means."""

    peers: tuple[Peer, ...]

    def __str__(self) -> str:
        return f"all but {', '.join(str(peer) for peer in self.peers)}"


Leaf = PodPeer | NetworkPeer | EntityPeer | NamePeer | ServicePeer
Peer = Leaf | BothPeer | AnyPeer | OtherPeer


def leaves(peers: Iterable[Peer]) -> Iterator[Leaf]:
    """The peers that these are made of."""
    for peer in peers:
        if isinstance(peer, BothPeer | AnyPeer | OtherPeer):
            yield from leaves(peer.peers)
        else:
            yield peer


@dataclass(frozen=True, slots=True, kw_only=True)
class PortMatch:
    """A protocol and either all its ports (`first` and `name` None), a range `first`–`last`, or the port that the
    destination pod gives this `name` (for this protocol)."""

    protocol: Protocol
    first: int | None = None
    last: int | None = None
    name: str | None = None

    def __str__(self) -> str:
        if self.name is not None:
            return f"port {self.name}/{self.protocol}"
        if self.first is None:
            return f"every {self.protocol} port"
        if self.last in (None, self.first):
            return f"port {self.first}/{self.protocol}"
        return f"ports {self.first}–{self.last}/{self.protocol}"


UNION_ORDER: Mapping[Action, int] = {"deny": 0, "pass": 1, "allow": 2}
"""In which order the rules of a union are asked."""

SERVICE_ACCOUNT = "@service-account"
NAMESPACE = "@namespace"
"""Keys under which selectors see a pod's service account and namespace, beside its labels. No label has such a key."""

TIERS: Mapping[str, float] = {"Admin": 1_000.0, "default": 1_000_000.0, "Baseline": 10_000_000.0}
"""The tiers that need no object, lower first: ClusterNetworkPolicy's two, and the one that NetworkPolicy and Cilium's
policies are in. The numbers are Calico's (Tier.spec.order)."""

NETWORK_POLICY_ORDER = 1000.0
"""NetworkPolicy's place in its tier, by Calico (kubernetes-policy, "order")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`peers` None: everybody. `ports` None: every port of every protocol. An empty tuple matches nobody."""

    direction: Direction
    index: int
    """Place in the policy's own list, from 0."""
    peers: tuple[Peer, ...] | None
    ports: tuple[PortMatch, ...] | None
    action: Action = "allow"
    learns_names: bool = False
    """It has DNS answers watched, from which `NamePeer` learns (Cilium's `rules.dns`)."""
    peers_key: str = ""
    """What the object calls its list of peers, where that is not `from` or `to`."""
    peers_listed: bool = True
    """The object has a list of peers under that key, and not one."""
    list_key: str = ""
    """What the object calls its list of rules, where that is not the direction."""
    subject: PodPeer | None = None
    """It is a rule only for those of the policy's subject that this means too (Calico's local selectors)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`subject` pods are isolated in the directions of `isolates`: there, what no rule of the tier decides is denied at
    the tier's end.

    Policies are asked by `precedence`, lower first. Those of equal precedence are one union, where deny comes before
    pass and pass before allow; the rules of an `ordered` policy are asked in turn. Of `ordered` policies of equal
    precedence any one may decide (ClusterNetworkPolicySpec.priority).
    """

    ref: str
    """`NetworkPolicy namespace/name`, as messages name it."""
    subject: PodPeer
    isolates: frozenset[Direction]
    rules: tuple[Rule, ...]
    precedence: tuple[float | str, ...] = (TIERS["default"], NETWORK_POLICY_ORDER)
    """Its first number is the tier: `pass` leaves the rest of that tier."""
    ordered: bool = False
    judges_own_node: bool = False
    """Its text says what happens to traffic to the pod's own node, and that pods on a node's own network are never
    selected; NetworkPolicy's leaves both open."""
    denies_own_node: bool = False
    """Its deny rules count for traffic from a pod's own node too, which is otherwise always allowed."""
    place: int | None = None
    """Its place in the object's `specs` (Cilium); None where it is the object's `spec`."""
    sees_backends: bool = False
    """Its text says that its networks see the pods behind a Service and not the Service's address; NetworkPolicy's
    leaves it open."""
    subject_key: str = "podSelector"
    """What the object calls its selection of pods."""
    types_key: str = "policyTypes"
    """What the object calls the list of its directions."""
    ignored: frozenset[Direction] = frozenset()
    """Directions whose rules the object has to no effect (policyTypes leaves them out); `rules` holds none of them."""
