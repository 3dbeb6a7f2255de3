"""Rules about what isolated pods can no longer do: look up names, talk to the API server."""

from __future__ import annotations

from collections.abc import Iterator

from netproof.lint.model import Hit, LintInput, LocatedPolicy
from netproof.model import Probe, Specified
from netproof.model.topology import DNS_SERVICE
from netproof.policy.decision import join_names
from netproof.policy.rules import PodPeer, Rule

API_PORTS = (443, 6443)
"""The API server's port at its Service, and its usual one on the nodes behind it."""


def without_dns(inputs: LintInput) -> Iterator[Hit]:
    """Pods that may reach something and cannot look up a name. Pods that may reach nothing need none."""
    for policies, groups in _isolated(inputs):
        if not any(rule.action == "allow" for one in policies for rule in _egress(one)):
            continue
        lost = [group for group in groups if _lookup(inputs, group) is Specified.DENIED]
        if lost:
            their = join_names([one.policy.ref for one in policies])
            yield Hit(
                sentence=f"{_pods(inputs, lost)}: isolated for egress by {their}, and no rule lets them look up names "
                "(53/UDP to the cluster's DNS)",
                place=_first_with_rules(policies).place_of_list("egress"),
                fix="add an egress rule to pods k8s-app=kube-dns in namespace kube-system on 53/UDP and 53/TCP",
            )


def without_api_server(inputs: LintInput) -> Iterator[Hit]:
    """Controllers that are isolated for egress and have no rule that can mean the API server."""
    for policies, groups in _isolated(inputs):
        if any(_may_be_api_server(rule) for one in policies for rule in _egress(one)):
            continue
        for group in groups:
            for pod in inputs.of_group.get(group, ()):
                if pod in inputs.inventory.api_clients:
                    their = join_names([one.policy.ref for one in policies])
                    yield Hit(
                        sentence=f"{pod} is isolated for egress by {their}, and no rule can mean the API server, which "
                        f"it seems to need: {inputs.inventory.api_clients[pod]}",
                        place=_first_with_rules(policies).place_of_list("egress"),
                        fix="add an egress rule to the API server's addresses (an ipBlock) on 6443/TCP and 443/TCP",
                    )


def _isolated(inputs: LintInput) -> Iterator[tuple[tuple[LocatedPolicy, ...], list[int]]]:
    """The policies that govern egress together, and the groups that they isolate."""
    found: dict[tuple[str, ...], tuple[tuple[LocatedPolicy, ...], list[int]]] = {}
    for group, governing in inputs.governing["egress"].items():
        if group in inputs.of_group and any("egress" in one.policy.isolates for one in governing):
            key = tuple(one.policy.ref for one in governing)
            found.setdefault(key, (governing, []))[1].append(group)
    yield from found.values()


def _lookup(inputs: LintInput, group: int) -> Specified:
    probe = Probe(
        source=inputs.of_group[group][0],
        destination=DNS_SERVICE.id,
        port=53,
        protocol="UDP",
        via="service",
        kind="lookup",
    )
    return inputs.evaluator.decide(probe).specified


def _egress(one: LocatedPolicy) -> Iterator[Rule]:
    return (rule for rule in one.policy.rules if rule.direction == "egress")


def _may_be_api_server(rule: Rule) -> bool:
    """A node's address, whatever names it: no selector of pods can mean it."""
    if rule.action != "allow" or (rule.peers is not None and all(isinstance(peer, PodPeer) for peer in rule.peers)):
        return False
    return rule.ports is None or any(
        port.protocol == "TCP"
        and port.name is None
        and (port.first is None or any(port.first <= number <= (port.last or port.first) for number in API_PORTS))
        for port in rule.ports
    )


def _first_with_rules(policies: tuple[LocatedPolicy, ...]) -> LocatedPolicy:
    return next((one for one in policies if any(_egress(one))), policies[0])


def _pods(inputs: LintInput, groups: list[int]) -> str:
    names = [pod for group in groups for pod in inputs.of_group.get(group, ())]
    return join_names(names)
