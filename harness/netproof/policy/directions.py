"""What policies say of one end of a probe in one direction: tier by tier, and in each by precedence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from netproof.policy.decision import DirectionDecision, join_names
from netproof.policy.groups import Groups
from netproof.policy.matching import Compiled, Match, Matcher, View, decide_by_rule
from netproof.policy.reasons import EQUAL_PRIORITY, UNKNOWN_ADDRESS
from netproof.policy.rules import UNION_ORDER, Action, Direction, Policy

PERHAPS: dict[Action, set[bool]] = {"allow": {True}, "deny": {False}, "pass": {True, False}}
"""What a rule may come to when it is not known whether it matches."""

Governing = Mapping[Direction, Mapping[int, Sequence[Policy]]]
"""Direction -> group -> the policies that have a say there, by precedence."""


class DirectionJudge:
    """Decides one direction of a probe for its subject. Remembers what it decided."""

    def __init__(self, policies: Sequence[Policy], governing: Governing, matcher: Matcher) -> None:
        self._policies, self._matcher = governing, matcher
        self._rules = {id(policy): matcher.compile(policy) for policy in policies}
        self._decided: dict[tuple[Direction, int, View, str], DirectionDecision] = {}

    def __len__(self) -> int:
        """How many decisions it has worked out."""
        return len(self._decided)

    def decide(self, direction: Direction, subject: int, view: View, protocol: str) -> DirectionDecision:
        """What the subject's policies say of a far end in one view. `subject` is a representative's group."""
        key = (direction, subject, view, protocol)
        if key not in self._decided:
            self._decided[key] = self._judge(*key)
        return self._decided[key]

    def _judge(self, direction: Direction, subject: int, view: View, protocol: str) -> DirectionDecision:
        """Tier by tier, and in each level by level of precedence. A tier whose policies isolate denies at its end."""
        policies = self._policies[direction].get(subject, [])
        isolating = [policy for policy in policies if direction in policy.isolates]
        refs = tuple(policy.ref for policy in isolating)
        count = sum(rule.direction == direction for policy in isolating for rule in policy.rules)
        perhaps: set[bool] = set()
        side = DirectionDecision(isolated=bool(refs), isolating=refs, allowed=True, rules=count)
        ends: list[DirectionDecision] = []
        rivals: list[str] = []
        for _, tier in groupby(policies, key=lambda policy: policy.precedence[0]):
            members = list(tier)
            found = self._first(members, (direction, subject, view, protocol), perhaps)
            if len({rule.rule.action for rule, _ in found}) > 1:
                rivals += [rule.policy.ref for rule, _ in found]
            ends += [decide_by_rule(side, rule, match) for rule, match in found if rule.rule.action != "pass"]
            if found and all(rule.rule.action != "pass" for rule, _ in found):
                break
            if not found and any(direction in policy.isolates for policy in members):
                near = self._name_near_rule(members, direction, subject, view, protocol)
                ends.append(replace(side, allowed=False, reason=near))
                break
        else:
            ends.append(side)
        if len({end.allowed for end in ends}) > 1:
            return replace(side, allowed=None, reason=EQUAL_PRIORITY.format(join_names(rivals)))
        if perhaps - {ends[0].allowed}:
            return replace(side, allowed=None, reason=UNKNOWN_ADDRESS)
        return ends[0]

    def _first(
        self, members: Sequence[Policy], asked: tuple[Direction, int, View, str], perhaps: set[bool]
    ) -> list[tuple[Compiled, Match]]:
        """The tier's first rule that surely matches; of `ordered` policies of equal precedence the first of each. What
        earlier rules may come to, which match perhaps, is added to `perhaps`."""
        direction, subject, view, protocol = asked
        for _, level in groupby(members, key=lambda policy: policy.precedence):
            found: list[tuple[Compiled, Match]] = []
            for rules in self._in_turn(list(level), direction):
                for rule in rules:
                    match = self._match(rule, subject, view, protocol)
                    if match is not None and match.certain:
                        found.append((rule, match))
                        break
                    if match is not None:
                        perhaps |= PERHAPS[rule.rule.action]
            if found:
                return found
        return []

    def _in_turn(self, level: Sequence[Policy], direction: Direction) -> list[list[Compiled]]:
        """The rules of policies of equal precedence in the order in which they are asked: a list for each that is
        `ordered`, else one for their union."""
        each = [[rule for rule in self._rules[id(p)] if rule.rule.direction == direction] for p in level]
        if level[0].ordered:
            return each
        return [sorted((rule for rules in each for rule in rules), key=lambda rule: UNION_ORDER[rule.rule.action])]

    def _match(self, rule: Compiled, subject: int, view: View, protocol: str) -> Match | None:
        if view.names and rule.rule.direction == "egress" and not self._learns(subject):
            # Nothing is learnt now, but what was learnt under an earlier policy may not be forgotten yet.
            view = view._replace(dialled=False)
        return self._matcher.match(rule, subject, view, protocol)

    def _learns(self, subject: int) -> bool:
        """Whether addresses are learnt from the DNS answers that the subject gets."""
        policies = self._policies["egress"].get(subject, [])
        return any(rule.learns_names for policy in policies for rule in policy.rules)

    def _name_near_rule(
        self, members: Sequence[Policy], direction: Direction, subject: int, view: View, protocol: str
    ) -> str:
        """The rule that names the peer but not the port: the most frequent slip, so a denial tells of it."""
        rules = (rule for policy in members for rule in self._rules[id(policy)])
        for rule in rules:
            if rule.rule.action == "allow" and rule.rule.ports and rule.rule.direction == direction:
                anywhere = rule._replace(rule=replace(rule.rule, ports=None))
                match = self._match(anywhere, subject, view, protocol)
                if match is not None and match.certain:
                    ports = join_names([str(port) for port in rule.rule.ports])
                    return f"{direction} rule {rule.rule.index + 1} names this peer, but only for {ports}"
        return ""


def find_governing(policies: Iterable[Policy], groups: Groups) -> Governing:
    """Direction -> group -> the policies that have a say there, by precedence."""
    found: dict[Direction, dict[int, list[Policy]]] = {"ingress": defaultdict(list), "egress": defaultdict(list)}
    for policy in sorted(policies, key=lambda policy: policy.precedence):
        members = groups.select(policy.subject)
        for direction, by_group in found.items():
            if direction in policy.isolates or any(rule.direction == direction for rule in policy.rules):
                for group in members:
                    by_group[group].append(policy)
    return found
