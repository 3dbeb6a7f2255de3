"""Values -> NetworkPolicies (networking.k8s.io/v1), as a chart's template writes them. One renderer for every map."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from netproof.charts.servicemap import App, ServiceMap
from netproof.charts.values import ChartValues, CidrRule, PeerRule, PortRule, ServicePolicyValues
from netproof.model import Port
from netproof.model.topology import NAME_LABEL

Rule = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """Where the chart's telemetry goes: to a service of the map (`collector`), or elsewhere (None)."""

    collector: App | None
    port: int = 0


def telemetry(service_map: ServiceMap, values: ChartValues) -> Telemetry | None:
    """None when telemetry is off. `ingest:4317`, `ingest.<namespace>:4317` and longer forms mean the map's ingest."""
    if not values.observability.otlpEnabled:
        return None
    endpoint = values.observability.otlpEndpoint or ""
    found = re.fullmatch(
        r"(?:[a-z]+://)?([-a-z0-9]+)(?:\.([-a-z0-9]+)(?:\.svc(?:\.cluster\.local)?)?)?:(\d+)/?", endpoint
    )
    if found:
        host, namespace, port = found.groups()
        for app in service_map.apps:
            # A name without its namespace is resolved in the namespace of whoever asks.
            if (app.name, app.namespace) == (host, namespace or service_map.namespace) and any(
                (p.port, p.protocol) == (int(port), "TCP") for p in app.service_ports
            ):
                return Telemetry(collector=app, port=int(port))
    return Telemetry(collector=None)


def render(service_map: ServiceMap, values: ChartValues) -> tuple[Rule, ...]:
    """One policy a service, in the map's order. A service that is unrestricted in both directions has none."""
    if not values.policy.enabled:
        return ()
    target = telemetry(service_map, values)
    policies = (_policy(service_map, app, values, target) for app in service_map.services)
    return tuple(policy for policy in policies if policy)


def warnings(service_map: ServiceMap, values: ChartValues) -> tuple[str, ...]:
    """What helm would print, and what the values ask for in vain."""
    if not values.policy.enabled:
        return ()
    found = []
    target = telemetry(service_map, values)
    if target and not target.collector and not values.policy.otlpEgress:
        endpoint = values.observability.otlpEndpoint or ""
        found.append(
            f"OTLP is enabled with the endpoint {endpoint!r}, which is no service of this namespace, "
            "but global.networkPolicy.otlpEgress has no rule: telemetry will be dropped"
        )
    for app in service_map.services:
        block = values.services[app.name]
        if block.ingressFrom is None and (block.additionalIngress or block.allowExternal):
            found.append(f"{app.name}: ingress is unrestricted, so allowExternal and additionalIngress change nothing")
        if block.egressTo is None and (block.additionalEgress or block.allowExternalEgress):
            found.append(
                f"{app.name}: egress is unrestricted, so allowExternalEgress and additionalEgress change nothing"
            )
        outside = [arrow.name for arrow in app.ingress or () if arrow.kind == "external"]
        if outside and block.ingressFrom is not None and not block.allowExternal:
            found.append(
                f"{app.name}: no rule can be made for {', '.join(outside)}, since a map has no addresses of outside "
                f"sources; set externalIngress, or {app.name}.networkPolicy.additionalIngress with an ipBlock"
            )
        if block.egressTo is not None and block.allowExternalEgress and not values.policy.externalEgress:
            found.append(f"{app.name}: allowExternalEgress is set, but global.networkPolicy.externalEgress has no rule")
    return tuple(found)


def _policy(service_map: ServiceMap, app: App, values: ChartValues, target: Telemetry | None) -> Rule:
    block = values.services[app.name]
    spec: Rule = {"podSelector": {"matchLabels": dict(app.labels)}, "policyTypes": []}
    if block.ingressFrom is not None:
        spec["policyTypes"].append("Ingress")
        spec["ingress"] = _ingress(service_map, app, block, values, target)
    if block.egressTo is not None:
        spec["policyTypes"].append("Egress")
        spec["egress"] = _egress(service_map, app, block, values, target)
    if not spec["policyTypes"]:
        # An empty policyTypes would not mean "neither": the API server defaults it to Ingress.
        return {}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": app.name, "namespace": app.namespace},
        "spec": spec,
    }


def _ingress(
    service_map: ServiceMap, app: App, block: ServicePolicyValues, values: ChartValues, target: Telemetry | None
) -> list[Rule]:
    rules = [
        {"from": [_peer(service_map.app(peer.app), app)], "ports": _ports(app, peer)}
        for peer in block.ingressFrom or ()
    ]
    if block.allowExternal and app.service_ports:
        rules.append({"ports": [_number(port) for port in app.external_ports or app.service_ports]})
    if target and target.collector is app:
        rules.append({"from": [{"podSelector": {}}], "ports": [{"port": target.port, "protocol": "TCP"}]})
    return [*rules, *deepcopy(values.policy.additionalIngress or []), *deepcopy(block.additionalIngress or [])]


def _egress(
    service_map: ServiceMap, app: App, block: ServicePolicyValues, values: ChartValues, target: Telemetry | None
) -> list[Rule]:
    rules: list[Rule] = []
    for peer in block.egressTo or ():
        reached = service_map.app(peer.app)
        rules.append({"to": [_peer(reached, app)], "ports": _ports(reached, peer)})
    # To any destination: a chart cannot know where a cluster's DNS runs (kube-dns, a node-local cache, the node's own).
    rules.append({"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]})
    if block.allowExternalEgress:
        rules += _cidrs(values.policy.externalEgress or ())
    if target and target.collector:
        rules.append({"to": [_peer(target.collector, app)], "ports": [{"port": target.port, "protocol": "TCP"}]})
    elif target:
        rules += _cidrs(values.policy.otlpEgress or ())
    return [*rules, *deepcopy(values.policy.additionalEgress or []), *deepcopy(block.additionalEgress or [])]


def _peer(peer: App, seen_from: App) -> Rule:
    rule: Rule = {"podSelector": {"matchLabels": dict(peer.labels)}}
    if peer.namespace != seen_from.namespace:
        rule["namespaceSelector"] = {"matchLabels": {NAME_LABEL: peer.namespace}}
    return rule


def _ports(reached: App, peer: PeerRule) -> list[Rule]:
    if peer.ports is None:
        return [_number(port) for port in reached.service_ports]
    return [_port(port) for port in peer.ports]


def _cidrs(rules: Sequence[CidrRule]) -> list[Rule]:
    rendered = []
    for rule in rules:
        one: Rule = {"to": [{"ipBlock": {"cidr": rule.cidr}}]}
        if rule.ports is not None:
            one["ports"] = [_port(port) for port in rule.ports]
        rendered.append(one)
    return rendered


def _number(port: Port) -> Rule:
    return {"port": port.port, "protocol": port.protocol}


def _port(port: PortRule) -> Rule:
    return {"port": port.port, "protocol": port.protocol}
