"""The engine `calico`: NetworkPolicy of projectcalico.org/v3, in the default tier. Lower orders win."""

from __future__ import annotations

from copy import deepcopy

from netproof.charts.stageset.order import ALLOWLIST, deny_order
from netproof.charts.stageset.subject import DEFAULT_DENY, Subject
from netproof.charts.stageset.values import Rule, StagesetValues
from netproof.model.topology import NAME_LABEL

API_VERSION, KIND = "projectcalico.org/v3", "NetworkPolicy"
ENGINE = "calico"
SELECTORS = frozenset({"selector", "namespaceSelector", "serviceAccounts"})
"""What makes a destination pods."""


def render(subject: Subject, values: StagesetValues) -> tuple[Rule, ...]:
    """The allowlist, and the default-deny when it is enabled. The passthrough lists come before the chart's rules, so
    that a Deny there counts."""
    egress = [*deepcopy(list(values.own_egress)), *_dns(values)]
    isolates = values.egress.enabled or bool(egress)
    spec: Rule = {
        "order": ALLOWLIST[ENGINE],
        "selector": " && ".join(f"{key} == '{value}'" for key, value in subject.labels.items()),
        "types": ["Ingress", "Egress"] if isolates else ["Ingress"],
        "ingress": [
            *deepcopy(list(values.own_ingress)),
            *(
                {"action": "Allow", "protocol": "TCP", "destination": {"ports": [port]}}
                for _, port in values.open_ports
            ),
        ],
    }
    if isolates:
        spec["egress"] = egress
    allowlist = {"apiVersion": API_VERSION, "kind": KIND, "metadata": subject.metadata(), "spec": spec}
    if not values.default_deny:
        return (allowlist,)
    deny: Rule = {
        "order": deny_order(ENGINE, values.order),
        "selector": "all()",
        "types": ["Ingress", "Egress"] if values.egress.enabled else ["Ingress"],
        "ingress": [{"action": "Deny"}],
    }
    if values.egress.enabled:
        deny["egress"] = [{"action": "Deny"}]
    return (
        allowlist,
        {"apiVersion": API_VERSION, "kind": KIND, "metadata": subject.metadata(DEFAULT_DENY), "spec": deny},
    )


def may_reach_api_server(values: StagesetValues) -> bool:
    """Whether some egress rule could be the API server's: allowed to networks, to Services or to everybody."""
    return any(
        rule.get("action") == "Allow" and _leads_out(rule.get("destination") or {}) for rule in values.own_egress
    )


def _leads_out(destination: Rule) -> bool:
    return bool({"nets", "services"} & destination.keys()) or not SELECTORS & destination.keys()


def _dns(values: StagesetValues) -> list[Rule]:
    if not (values.egress.enabled and values.egress.dns):
        return []
    return [
        {
            "action": "Allow",
            "protocol": protocol,
            "destination": {"namespaceSelector": f"{NAME_LABEL} == '{values.egress.dns_namespace}'", "ports": [53]},
        }
        for protocol in ("UDP", "TCP")
    ]
