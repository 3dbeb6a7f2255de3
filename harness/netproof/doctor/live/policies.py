"""Steps 2 and 3: what the policies of a cluster select, what they are warned of, and which of them meet on one pod."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from netproof.doctor.diagnosis import Diagnosis, ok, warn
from netproof.drivers.kubernetes.objects import Api
from netproof.errors import InputError
from netproof.lint import (
    POD_RANGE,
    CniProfile,
    LintInput,
    LocatedPolicy,
    Severity,
    build_input,
    check,
    find_unread,
    locate_policies,
    read_inventory,
)
from netproof.lint.model import DIRECTIONS
from netproof.manifests.yaml_documents import Document, Located
from netproof.model.manifest import describe_object
from netproof.policy import READERS
from netproof.policy.rules import Direction
from netproof.wording import count

Counted = Mapping[str, int]
"""apiVersion of a policy API that the cluster has -> how many policies of it there are."""

ELSEWHERE = ("policy.networking.k8s.io/v1alpha1", "crd.antrea.io/v1beta1")
"""Policy APIs that nobody here reads: their objects are counted."""
BASIS = (("v1", "Namespace", "namespaces"), ("v1", "Pod", "pods"), ("v1", "Service", "services"))
MOST = 10
"""How many findings of a kind are shown."""
CHECK = "kubectl get networkpolicies,namespaces,pods,services -A -o yaml | netproof check --manifests -"


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePolicies:
    """What a cluster has. `unread`: policy -> why what it says cannot be judged here."""

    inputs: LintInput
    counted: Counted
    unread: Mapping[str, str]

    def pods(self, groups: Iterable[int]) -> list[str]:
        """The pods of these groups that are there: not the DNS pods that lints assume where none are."""
        there = {pod.id for pod in self.inputs.inventory.topology.pods}
        return [pod for group in groups for pod in self.inputs.of_group.get(group, ()) if pod in there]


def read(api: Api, nodes: Sequence[Mapping[str, Any]], cnis: Sequence[CniProfile]) -> LivePolicies:
    """Raises Refused."""
    objects = [
        _located(item, version, kind)
        for version, kind, plural in BASIS
        for item in api.list(f"/api/{version}/{plural}")
        if (item.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    ]
    counted: Counter[str] = Counter()
    policies: list[LocatedPolicy] = []
    unread: dict[str, str] = {}
    for version in dict.fromkeys((*(version for version, _ in READERS), *ELSEWHERE)):
        for kind, plural, _ in api.kinds(version):
            if not kind.endswith("NetworkPolicy"):
                continue
            found = [_located(item, version, kind) for item in api.list(f"/apis/{version}/{plural}")]
            counted[version] += len(found)
            for one in found:
                if (version, kind) not in READERS:
                    continue
                try:
                    policies += locate_policies([one])
                    unread |= {describe_object(one.content): two.why for two in find_unread([one])}
                except InputError as error:
                    unread[describe_object(one.content)] = str(error)
    ranges = [cidr for node in nodes for cidr in node["spec"].get("podCIDRs") or ()] or [POD_RANGE]
    inventory = replace(read_inventory(objects), complete=True)
    seen = build_input(policies, inventory, pod_ranges=ranges, cnis=cnis)
    return LivePolicies(inputs=seen, counted=counted, unread=unread)


def _located(item: Mapping[str, Any], version: str, kind: str) -> Located:
    """The items of a list do not say what they are."""
    content = {**item, "apiVersion": version, "kind": kind}
    return Located(content=content, document=Document(file="", content=content, lines={}))


def selected(live: LivePolicies) -> Iterator[Diagnosis]:
    """What lints say of the policies, the worst first."""
    for name, why in live.unread.items():
        yield warn(name, f"cannot be judged here: {why}")
    found = [one for one in check(live.inputs).findings if one.severity is not Severity.NOTE]
    for one in found[:MOST]:
        key = f" {one.place.key}" if one.place.key else ""
        yield warn(f"{one.place.object or 'cluster'}{key}", f"{one.sentence} ({one.rule})", one.fix)
    if len(found) > MOST:
        yield warn("and more", count(len(found) - MOST, "more warning"), CHECK)
    if not found and not live.unread:
        policies = len(live.inputs.policies)
        yield ok("policies", f"{count(policies, 'policy', 'select')} what is there" if policies else "there are none")


def overlapping(live: LivePolicies) -> Iterator[Diagnosis]:
    """Which policies meet on one pod, those first where most do; and who is isolated by none."""
    sets: dict[tuple[Direction, tuple[str, ...]], tuple[Sequence[LocatedPolicy], list[int]]] = {}
    for direction in DIRECTIONS:
        for group, governing in live.inputs.governing[direction].items():
            if len(governing) > 1:
                refs = tuple(sorted(one.policy.ref for one in governing))
                sets.setdefault((direction, refs), (governing, []))[1].append(group)
    ordered = sorted(sets.items(), key=lambda item: (-len(item[0][1]), item[0]))
    for (direction, refs), (policies, groups) in ordered[:MOST]:
        if pods := live.pods(groups):
            yield _meeting(direction, refs, policies, pods)
    if len(ordered) > MOST:
        yield ok("and more", f"{count(len(ordered) - MOST, 'more set')} of policies that meet on pods")
    if not sets:
        yield ok("policies on one pod", "no pod has two in one direction")
    yield from _open(live)


def _meeting(
    direction: Direction, refs: Sequence[str], policies: Sequence[LocatedPolicy], pods: Sequence[str]
) -> Diagnosis:
    more = f" and {len(pods) - 2} more" if len(pods) > 2 else ""
    what, named = f"{direction} of {', '.join(pods[:2])}{more}", ", ".join(refs)
    if all(one.is_network_policy for one in policies):
        return ok(what, f"{named}: what any of them allows is allowed; none can take away what another gives")
    return warn(what, f"{named}: not all of networking.k8s.io/v1, so that order and deny rules decide, too")


def _open(live: LivePolicies) -> Iterator[Diagnosis]:
    for direction in DIRECTIONS:
        isolated = {
            group
            for group, found in live.inputs.governing[direction].items()
            if any(direction in one.policy.isolates for one in found)
        }
        free = live.pods(group for group in live.inputs.of_group if group not in isolated)
        spaces = Counter(pod.partition("/")[0] for pod in free)
        told = ", ".join(f"{name} {count}" for name, count in spaces.most_common(MOST))
        yield ok(f"not isolated in {direction}", f"{count(len(free), 'pod')}: {told}" if free else "no pod")
