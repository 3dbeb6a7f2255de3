"""The engine `kubernetes`: NetworkPolicy of networking.k8s.io/v1. Allow rules add up; there is no precedence."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from netproof.charts.stageset.subject import DEFAULT_DENY, Subject
from netproof.charts.stageset.values import Rule, StagesetValues
from netproof.model.topology import NAME_LABEL

API_VERSION, KIND = "networking.k8s.io/v1", "NetworkPolicy"


def render(subject: Subject, values: StagesetValues) -> tuple[Rule, ...]:
    """The allowlist, and the default-deny when it is enabled."""
    spec: Rule = {
        "podSelector": {"matchLabels": dict(subject.labels)},
        "policyTypes": _types(values),
        "ingress": [
            *(_ingress(values.sources[name], port) for name, port in values.open_ports),
            *deepcopy(list(values.additional_ingress)),
        ],
    }
    if values.egress.enabled:
        spec["egress"] = [*_dns(values), *deepcopy(list(values.egress.to))]
    allowlist = {"apiVersion": API_VERSION, "kind": KIND, "metadata": subject.metadata(), "spec": spec}
    if not values.default_deny:
        return (allowlist,)
    deny = {"podSelector": {}, "policyTypes": _types(values)}
    return (
        allowlist,
        {"apiVersion": API_VERSION, "kind": KIND, "metadata": subject.metadata(DEFAULT_DENY), "spec": deny},
    )


def may_reach_api_server(values: StagesetValues) -> bool:
    """Whether some egress rule could be the API server's: to addresses or to everybody, by TCP."""
    return any(
        (not rule.get("to") or any("ipBlock" in peer for peer in rule["to"]))
        and (not rule.get("ports") or any(port.get("protocol", "TCP") == "TCP" for port in rule["ports"]))
        for rule in values.egress.to
    )


def _types(values: StagesetValues) -> list[str]:
    return ["Ingress", "Egress"] if values.egress.enabled else ["Ingress"]


def _ingress(sources: Sequence[Rule], port: int) -> Rule:
    """Without `from` when the list is empty: everybody."""
    rule: Rule = {"from": deepcopy(list(sources))} if sources else {}
    return {**rule, "ports": [{"protocol": "TCP", "port": port}]}


def _dns(values: StagesetValues) -> list[Rule]:
    if not values.egress.dns:
        return []
    return [
        {
            "to": [{"namespaceSelector": {"matchLabels": {NAME_LABEL: values.egress.dns_namespace}}}],
            "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
        }
    ]
