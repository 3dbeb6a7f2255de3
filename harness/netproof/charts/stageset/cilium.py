"""The engine `cilium`: CiliumNetworkPolicy of cilium.io/v2. Allow rules add up; there is no precedence."""

from __future__ import annotations

from copy import deepcopy

from netproof.charts.stageset.subject import DEFAULT_DENY, Subject
from netproof.charts.stageset.values import Rule, StagesetValues

API_VERSION, KIND = "cilium.io/v2", "CiliumNetworkPolicy"
NAMESPACE_LABEL = "k8s:io.kubernetes.pod.namespace"
"""How a namespaced CiliumNetworkPolicy selects endpoints of another namespace."""

OUTSIDE_ENTITIES = frozenset({"all", "cluster", "host", "remote-node", "kube-apiserver", "world", "world-ipv4"})


def render(subject: Subject, values: StagesetValues) -> tuple[Rule, ...]:
    """The allowlist, and the default-deny when it is enabled. The passthrough lists come before the chart's rules."""
    spec: Rule = {
        "endpointSelector": {"matchLabels": dict(subject.labels)},
        "ingress": [
            *deepcopy(list(values.own_ingress)),
            *({"fromEntities": ["all"], "toPorts": [_ports(port, "TCP")]} for _, port in values.open_ports),
        ],
    }
    egress = [*deepcopy(list(values.own_egress)), *_dns(values)]
    if values.egress.enabled or egress:
        # A list without rules would not isolate; an empty rule does, and allows nothing.
        spec["egress"] = egress or [{}]
    allowlist = {"apiVersion": API_VERSION, "kind": KIND, "metadata": subject.metadata(), "spec": spec}
    if not values.default_deny:
        return (allowlist,)
    deny: Rule = {"endpointSelector": {}, "ingress": [{}]}
    if values.egress.enabled:
        deny["egress"] = [{}]
    return (
        allowlist,
        {"apiVersion": API_VERSION, "kind": KIND, "metadata": subject.metadata(DEFAULT_DENY), "spec": deny},
    )


def may_reach_api_server(values: StagesetValues) -> bool:
    """Whether some egress rule could be the API server's: by address, by an entity, or to everybody."""
    return any(
        rule.get("toCIDR")
        or rule.get("toCIDRSet")
        or rule.get("toServices")
        or rule.get("toNodes")
        or OUTSIDE_ENTITIES & set(rule.get("toEntities") or ())
        or ("toPorts" in rule and not any(key.startswith("to") and key != "toPorts" for key in rule))
        for rule in values.own_egress
    )


def _dns(values: StagesetValues) -> list[Rule]:
    if not (values.egress.enabled and values.egress.dns):
        return []
    ports = _ports(53, "UDP", "TCP")
    if any("toFQDNs" in rule for rule in values.own_egress):
        # Cilium learns the addresses of names from answers that pass its DNS proxy, and only a DNS rule leads there.
        ports["rules"] = {"dns": [{"matchPattern": "*"}]}
    return [{"toEndpoints": [{"matchLabels": {NAMESPACE_LABEL: values.egress.dns_namespace}}], "toPorts": [ports]}]


def _ports(port: int, *protocols: str) -> Rule:
    return {"ports": [{"port": str(port), "protocol": protocol} for protocol in protocols]}
