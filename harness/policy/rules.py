"""The one rule form. Every dialect's reader produces it; the evaluator and the reference dataplane consume it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.model.topology import Protocol

Direction = Literal["ingress", "egress"]
Operator = Literal["In", "NotIn", "Exists", "DoesNotExist"]
Action = Literal["allow", "deny", "pass"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One line of a label selector (LabelSelectorRequirement). `NotIn` and `DoesNotExist` hold for a missing key."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return self.key not in labels or labels[self.key] not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """A label selector: all requirements hold. Without requirements it matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.holds(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        return ", ".join(_requirement_text(r) for r in self.requirements) or "{}"


def _requirement_text(requirement: Requirement) -> str:
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
    """An ipBlock: addresses in `cidr` and in none of `excepts`."""

    cidr: str
    excepts: tuple[str, ...] = ()

    def __str__(self) -> str:
        excepts = f" except {', '.join(self.excepts)}" if self.excepts else ""
        return f"addresses {self.cidr}{excepts}"


Peer = PodPeer | NetworkPeer


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`peers` None: everybody. `ports` None: every port of every protocol. An empty tuple matches nobody."""

    direction: Direction
    index: int
    """Place in the policy's own list, from 0."""
    peers: tuple[Peer, ...] | None
    ports: tuple[PortMatch, ...] | None
    action: Action = "allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`subject` pods are isolated in the directions of `isolates`: there, what no rule allows is denied.

    `precedence` orders policies that can deny: lower comes first, equal ones form one union (NetworkPolicy has one).
    """

    ref: str
    """`NetworkPolicy namespace/name`, as messages name it."""
    subject: PodPeer
    isolates: frozenset[Direction]
    rules: tuple[Rule, ...]
    precedence: tuple[float, ...] = (1000.0,)
    """Its first number is the tier: `pass` leaves the rest of that tier."""
    ignored: frozenset[Direction] = frozenset()
    """Directions whose rules the object has to no effect (policyTypes leaves them out); `rules` holds none of them."""
