"""What the catalogue covers of the API: field and value pairs that scenarios use, and pairs of what their probes meet.

Counted by scenario, from manifests and decisions; nothing is measured. What there is to cover is data: coverage.yaml.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_network
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import model_validator

from netproof.catalogue.scenarios import Scenario
from netproof.manifests.validation import StrictModel, validate
from netproof.manifests.yaml_documents import read_document
from netproof.model import Probe
from netproof.model.placement import place_on_paper
from netproof.policy import Policy
from netproof.policy.rules import NetworkPeer, Peer, PodPeer, Rule, leaves
from netproof.verdicts.decisions import DecidedStep, decide_steps

Pair = tuple[tuple[str, str], tuple[str, str]]
"""Two (dimension, value), in the order of the dimensions."""
Meeting = tuple[str, ...]
"""A value for each dimension, in their order."""


class LeftOut(StrictModel):
    """A pair that is not asked for, by its two dimensions, and why."""

    pair: dict[str, str]
    why: str


class CoverageTable(StrictModel):
    """coverage.yaml."""

    fields: dict[str, list[str]]
    dimensions: dict[str, list[str]]
    left_out: list[LeftOut]

    @model_validator(mode="after")
    def _known(self) -> CoverageTable:
        for one in self.left_out:
            if len(one.pair) != 2 or any(value not in self.dimensions.get(key, ()) for key, value in one.pair.items()):
                raise ValueError(f"{one.pair} is no pair of two dimensions' values")
        return self

    def pairs(self) -> list[Pair]:
        left = [set(one.pair.items()) for one in self.left_out]
        return [
            ((first, a), (second, b))
            for first, second in combinations(self.dimensions, 2)
            for a in self.dimensions[first]
            for b in self.dimensions[second]
            if {(first, a), (second, b)} not in left
        ]


@cache
def load_target() -> CoverageTable:
    return validate(CoverageTable, read_document(Path(__file__).with_name("coverage.yaml")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How many scenarios use each field's value, and each pair. Zero: none does."""

    scenarios: int
    fields: Mapping[tuple[str, str], int]
    pairs: Mapping[Pair, int]

    @property
    def percent(self) -> float:
        """Of fields' values or of pairs, whichever is less covered."""
        return min(_percent(self.fields.values()), _percent(self.pairs.values()))


def measure(scenarios: Iterable[Scenario]) -> Coverage:
    scenarios = list(scenarios)
    asked = load_target()
    fields = {(field, value): 0 for field, values in asked.fields.items() for value in values}
    pairs = dict.fromkeys(asked.pairs(), 0)
    for scenario in scenarios:
        filled = scenario.fill(place_on_paper(scenario.topology))
        manifests = [manifest for step in filled.steps for manifest in step.applied]
        for use in {use for manifest in manifests for use in uses(manifest)} & fields.keys():
            fields[use] += 1
        met = {pair for meeting in meetings(filled) for pair in _pairs(meeting, list(asked.dimensions))}
        for pair in met & pairs.keys():
            pairs[pair] += 1
    return Coverage(scenarios=len(scenarios), fields=fields, pairs=pairs)


def _percent(counts: Iterable[int]) -> float:
    counts = list(counts)
    return 100 * sum(count > 0 for count in counts) / len(counts)


def _pairs(meeting: Meeting, dimensions: Sequence[str]) -> Iterator[Pair]:
    yield from combinations(zip(dimensions, meeting, strict=True), 2)


def uses(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The (field, value) pairs of one NetworkPolicy; nothing of other kinds."""
    if manifest["kind"] != "NetworkPolicy" or manifest["apiVersion"] != "networking.k8s.io/v1":
        return
    spec = manifest.get("spec") or {}
    yield from _selector("spec.podSelector", spec.get("podSelector") or {})
    types = spec.get("policyTypes")
    yield "spec.policyTypes", _amount(types) or " and ".join(sorted(types or (), reverse=True))
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        at = f"spec.{direction}"
        yield at, _amount(spec.get(direction)) or _count(spec[direction], "rule")
        for rule in [given or {} for given in spec.get(direction) or ()]:
            yield f"{at}.{peers}", _amount(rule.get(peers)) or _count(rule[peers], "peer")
            yield f"{at}.ports", _amount(rule.get("ports")) or _count(rule["ports"], "port")
            for peer in rule.get(peers) or ():
                yield from _peer(f"{at}.{peers}", peer)
            for port in rule.get("ports") or ():
                yield from _port(f"{at}.ports", port)


def _amount(value: Any) -> str:
    return "absent" if value is None else "" if value else "empty"


def _count(items: Sequence[Any], one: str) -> str:
    return f"one {one}" if len(items) == 1 else f"several {one}s"


def _peer(at: str, peer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield f"{at}.peer", " and ".join(key for key in ("namespaceSelector", "podSelector", "ipBlock") if key in peer)
    for key in ("namespaceSelector", "podSelector"):
        if key in peer:
            yield from _selector(f"{at}.{key}", peer[key] or {})
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        yield f"{at}.ipBlock.cidr", _range(block["cidr"])
        yield f"{at}.ipBlock.except", _amount(block.get("except") or None) or _count(block["except"], "range")


def _range(cidr: str) -> str:
    network = ip_network(cidr, strict=False)
    family = f"IPv{network.version}"
    if network.prefixlen == network.max_prefixlen:
        return f"{family} one address"
    if network.prefixlen == 0:
        return f"{family} everything"
    return f"{family} range"


def _selector(at: str, selector: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    labels, expressions = selector.get("matchLabels"), selector.get("matchExpressions")
    given = [key for key, value in (("matchLabels", labels), ("matchExpressions", expressions)) if value]
    yield at, "both" if len(given) == 2 else given[0] if given else "empty"
    if labels:
        yield f"{at}.matchLabels", _count(labels, "label")
    if expressions:
        yield f"{at}.matchExpressions", "one" if len(expressions) == 1 else "several"
    for expression in expressions or ():
        values = expression.get("values") or ()
        yield (
            f"{at}.matchExpressions.operator",
            f"{expression['operator']} {_count(values, 'value')}" if values else expression["operator"],
        )


def _port(at: str, port: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    number, last = port.get("port"), port.get("endPort")
    yield f"{at}.protocol", port.get("protocol") or "absent"
    yield f"{at}.port", "absent" if number is None else "name" if isinstance(number, str) else "number"
    yield f"{at}.endPort", "absent" if last is None else "equal to port" if last == number else "above port"


def meetings(scenario: Scenario) -> set[Meeting]:
    """What the probes of a scenario meet: for each rule of a policy that isolates one end in the rule's direction, the
    rule's kind of peers and of ports, and how the probe is sent."""
    return {meeting for decided in decide_steps(scenario, place_on_paper) for meeting in _met(decided)}


def _met(decided: DecidedStep) -> Iterator[Meeting]:
    kinds: dict[tuple[str, str], set[tuple[str, str]]] = {}
    policies: Mapping[str, Policy] = {policy.ref: policy for policy in decided.policies}
    for probe, decision in decided.decisions.items():
        for direction, side in (("ingress", decision.ingress), ("egress", decision.egress)):
            for ref in side.isolating:
                if (ref, direction) not in kinds:
                    rules = [rule for rule in policies[ref].rules if rule.direction == direction]
                    kinds[ref, direction] = {kind for rule in rules for kind in _kinds(rule)}
                for selector, port in kinds[ref, direction]:
                    yield selector, direction, port, probe.protocol, addressing(probe)


def _kinds(rule: Rule) -> Iterator[tuple[str, str]]:
    selectors = {"everybody"} if rule.peers is None else {_selector_kind(peer) for peer in leaves(rule.peers)}
    ports = {"every port"}
    if rule.ports is not None:
        ports = {
            "name"
            if port.name
            else "protocol only"
            if port.first is None
            else "number"
            if port.first == port.last
            else "range"
            for port in rule.ports
        }
    return ((selector, port) for selector in selectors for port in ports)


def _selector_kind(peer: Peer) -> str:
    if not isinstance(peer, PodPeer | NetworkPeer):
        return "other dialects"
    if isinstance(peer, NetworkPeer):
        return "addresses except" if peer.excepts else "addresses"
    if peer.namespaces is None:
        return "pods"
    return "pods in namespaces" if peer.pods.requirements else "namespaces"


def addressing(probe: Probe) -> str:
    """How a probe is sent, as the dimension `addressing` calls it."""
    if probe.via == "nodeport":
        return "node port"
    if probe.via in ("service", "name"):
        return probe.via
    for word, where in (("external:", "outside"), ("node:", "node")):
        if probe.source.startswith(word) or probe.destination.startswith(word):
            return where
    return "pod by IPv6" if probe.family == 6 else "pod"
