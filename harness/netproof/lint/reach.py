"""Rules about the API server: workloads that cannot reach it, and those that it cannot reach."""

from __future__ import annotations

from collections.abc import Iterator

from netproof.lint.dns import egress_rules, first_with_rules, isolated_for_egress
from netproof.lint.model import Hit, LintInput, SourceLocation
from netproof.manifests.yaml_documents import format_key_path
from netproof.model import Probe
from netproof.model.topology import API_SERVER
from netproof.policy.decision import join_names
from netproof.policy.rules import PodPeer, Rule

API_PORTS = (443, 6443)
"""The API server's port at its Service, and its usual one on the nodes behind it."""


def without_api_server(inputs: LintInput) -> Iterator[Hit]:
    """Controllers that are isolated for egress and have no rule that can mean the API server."""
    for policies, groups in isolated_for_egress(inputs):
        if any(_may_be_api_server(rule) for one in policies for rule in egress_rules(one)):
            continue
        for group in groups:
            for pod in inputs.of_group.get(group, ()):
                if pod in inputs.inventory.api_clients:
                    their = join_names([one.policy.ref for one in policies])
                    yield Hit(
                        sentence=f"{pod} is isolated for egress by {their}, and no rule can mean the API server, which "
                        f"it seems to need: {inputs.inventory.api_clients[pod]}",
                        place=first_with_rules(policies).place_of_list("egress"),
                        fix="add an egress rule to the API server's addresses (an ipBlock) on 6443/TCP and 443/TCP",
                    )


def shut_callbacks(inputs: LintInput) -> Iterator[Hit]:
    """Webhooks and the like, whose pods admit pods only: the API server is none."""
    topology = inputs.inventory.topology
    for callback in inputs.inventory.callbacks:
        service = topology.service(callback.service)
        ports = [one for one in service.ports if one.port == callback.port] if service else []
        for pod in topology.backends(service) if service and service.selector and ports else ():
            number = pod.port_number(ports[0].target, "TCP")
            if pod.host_network or number is None:
                continue
            side = inputs.evaluator.decide(Probe(source=API_SERVER.id, destination=pod.id, port=number)).ingress
            if side.allowed is False:
                located = callback.located
                yield Hit(
                    sentence=f"{callback.ref} has the API server call {pod.id} on {number}/TCP, and no ingress rule of "
                    f"{join_names(side.isolating or (side.policy,))} can mean it: the API server is no pod",
                    place=SourceLocation(
                        file=located.document.file,
                        line=located.line(callback.path),
                        object=callback.ref,
                        key=format_key_path(callback.path),
                    ),
                    fix=f"add an ingress rule on {number}/TCP without `from`, or from the API server's addresses (an "
                    "ipBlock)",
                )
                break


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
