"""What a lint looks at and what it says. Values only; `inputs` is the one place where they are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from netproof.manifests.callbacks import Callback
from netproof.manifests.yaml_documents import KeyPath, Located, format_key_path
from netproof.model import Intent, Placement, Probe, Topology
from netproof.policy import Decision, Evaluator, Policy, UnreadPolicy
from netproof.policy.groups import Groups
from netproof.policy.rules import Direction, Rule
from netproof.policy.warnings import Oddity
from netproof.wording import link_docs

DIRECTIONS: tuple[Direction, ...] = ("ingress", "egress")
PEERS_KEY: Mapping[Direction, str] = {"ingress": "from", "egress": "to"}

Need = Literal["pods", "namespaces", "intent", "cni"]
"""What a rule cannot do without: pods, namespaces with their labels, a map that says what is meant, `--cni`."""


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """Higher is worse."""
        return {Severity.NOTE: 0, Severity.WARNING: 1, Severity.ERROR: 2}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLocation:
    """`object` and `key` are as messages name them: `NetworkPolicy shop/api`, `spec.ingress[0].from[1]`."""

    file: str = ""
    line: int | None = None
    object: str = ""
    key: str = ""

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line) if part) or self.object


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """What a rule's function found: a sentence, where, and what to do."""

    sentence: str
    place: SourceLocation
    fix: str = ""
    reviewed: str = ""
    """Why it is accepted; empty when nobody reviewed it."""
    severity: Severity | None = None
    """Where it is surer than the rule's others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LintFinding:
    rule: str
    severity: Severity
    sentence: str
    place: SourceLocation
    fix: str = ""
    reviewed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedPolicy:
    """A policy, and where it is written. `generated`: the map is its file, and has no lines for its keys."""

    policy: Policy
    located: Located
    generated: bool = False

    @property
    def is_network_policy(self) -> bool:
        """Of networking.k8s.io/v1, not of another dialect."""
        content = self.located.content
        return (content["apiVersion"], content["kind"]) == ("networking.k8s.io/v1", "NetworkPolicy")

    def place(self, path: KeyPath = ()) -> SourceLocation:
        at = self.located
        return SourceLocation(
            file=at.document.file, line=at.line(path), object=self.policy.ref, key=format_key_path(path)
        )

    def place_of(self, rule: Rule, *below: str | int) -> SourceLocation:
        """The place of one of its rules, or of a key below it."""
        return self.place((*self._root, rule.list_key or rule.direction, rule.index, *below))

    def place_of_peer(self, rule: Rule, place: int) -> SourceLocation:
        return self.place_of(rule, rule.peers_key or PEERS_KEY[rule.direction], place)

    def place_of_list(self, direction: Direction) -> SourceLocation:
        """The place of its rules of one direction."""
        return self.place((*self._root, direction))

    @property
    def _root(self) -> KeyPath:
        return ("spec",) if self.policy.place is None else ("specs", self.policy.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDifference:
    """A reviewed known difference of a CNI, and the features of policies that it shows in (lint/cni/rules.py)."""

    id: str
    features: tuple[str, ...]
    sentence: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CniProfile:
    """What the recipe of a CNI says: whether it enforces policies, whose, and where it is known to differ."""

    name: str
    version: str
    enforces: bool
    hint: str
    dialects: tuple[str, ...]
    known: tuple[KnownDifference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MapCell:
    """A cell of a map: what is meant, what the policies mean, and the reviewed entries that declare a difference."""

    probe: Probe
    intended: Intent
    decision: Decision
    reviewed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IntendedCells:
    """What a map or chart says is meant. `reasons`: reviewed entry -> why it is accepted; `stale`: entry -> what of it
    the policies do not show; `lines`: pods and Services, as `namespace/name` -> their lines in `file`."""

    file: str
    cells: tuple[MapCell, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)
    stale: Mapping[str, Sequence[str]] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    """What the map itself is warned of, some with `file:line: ` in front."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsProfile:
    """Where names are looked up: an endpoint and a port by UDP, and what to write to reach it."""

    endpoint: str
    port: int
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Who exists. `complete`: it is everything (a map), not only what some manifests happen to hold. `has`: what
    of it is known. `api_clients`: pod id -> why it is taken to talk to the API server. `by_address`: the address of a
    pod or Service -> its id; `by_node_name`: a node's name -> its id; `service_ranges`: where Services' addresses are.
    """

    topology: Topology
    placement: Placement
    has: frozenset[Need] = frozenset()
    complete: bool = False
    api_clients: Mapping[str, str] = field(default_factory=dict)
    by_address: Mapping[str, str] = field(default_factory=dict)
    by_node_name: Mapping[str, str] = field(default_factory=dict)
    service_ranges: tuple[str, ...] = ()
    resolvers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Pod id -> its own DNS servers, where it does not use the cluster's."""
    callbacks: tuple[Callback, ...] = ()
    """What the API server calls."""
    operated: frozenset[str] = frozenset()
    """Namespaces where operators may make pods that no manifest shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LintInput:
    """All that rules look at. `unread` are policies that nobody understands here, `replaced` those that a later
    object of the same name replaces, `governing` the policies that have a say over a group of pods in a direction."""

    policies: tuple[LocatedPolicy, ...]
    inventory: Inventory
    groups: Groups
    evaluator: Evaluator
    governing: Mapping[Direction, Mapping[int, tuple[LocatedPolicy, ...]]]
    of_group: Mapping[int, tuple[str, ...]]
    """Group -> the ids of its pods."""
    oddities: tuple[tuple[LocatedPolicy, Oddity], ...]
    """What harness/netproof/policy/warnings.py says of each policy: several rules share it."""
    pod_ranges: tuple[IPv4Network | IPv6Network, ...]
    cnis: tuple[CniProfile, ...] = ()
    intended: IntendedCells | None = None
    unread: tuple[UnreadPolicy, ...] = ()
    dns: tuple[DnsProfile, ...] = ()
    """Where the cluster's DNS is, as the user says; empty: what the manifests show."""
    replaced: tuple[LocatedPolicy, ...] = ()

    def has(self, need: Need) -> bool:
        match need:
            case "intent":
                return self.intended is not None
            case "cni":
                return bool(self.cnis)
            case _:
                return need in self.inventory.has

    def at(self, ref: str) -> LocatedPolicy | None:
        """The policy of that name."""
        return next((one for one in self.policies if one.policy.ref == ref), None)

    def pods(self, group: int, most: int = 3) -> str:
        """The pods of a group in words."""
        found = self.of_group.get(group, ())
        more = f" and {len(found) - most} more" if len(found) > most else ""
        return ", ".join(found[:most]) + more


@dataclass(frozen=True, slots=True, kw_only=True)
class LintRule:
    """One rule: an entry of the table, and its function."""

    id: str
    severity: Severity
    title: str
    """One sentence: what is wrong, whatever the file."""
    check: Callable[[LintInput], Iterator[Hit]]
    needs: tuple[Need, ...] = ()

    @property
    def help_url(self) -> str:
        """Where this version's documentation describes the rule."""
        return link_docs(f"docs/checking.md#{self.id}")
