"""What helm would print in NOTES.txt: values that cut the controller off, open more than they seem to or do nothing."""

from __future__ import annotations

from collections.abc import Sequence

from netproof.charts.stageset.order import order_warning
from netproof.charts.stageset.values import DEFAULT_ENGINE, PORTS, StagesetValues

CUT_OFF = (
    "this cuts the controller off from the cluster; it can no longer read or write any object, "
    "and every reconcile fails"
)
ISOLATING = ("cilium", "calico")
"""Engines whose egress rules isolate by being there."""


def warnings(values: StagesetValues, neighbours: Sequence[str], *, reaches_api_server: bool) -> tuple[str, ...]:
    """`neighbours`: the other pods of the namespace. `reaches_api_server`: some egress rule could be its."""
    if not values.enabled:
        return ()
    engine = values.engine
    idle = (f"networkPolicy.{name} has rules, but the engine is {engine}: they change nothing" for name in values.idle)
    egress = _egress(values, reaches_api_server) if values.egress.enabled else _no_egress(values, reaches_api_server)
    return (*_ingress(values), *egress, *_default_deny(values, neighbours), *idle)


def _ingress(values: StagesetValues) -> list[str]:
    found = [
        f"networkPolicy.{name}.from is set, but {name}.enabled is false: it changes nothing"
        for name in PORTS
        if values.sources[name] and not values.modes[name]
    ]
    if values.engine == "cilium" and values.own_ingress:
        found.append(
            "networkPolicy.cilium.ingress can only open more: the required ports are open to everybody, and in Cilium "
            "allow rules add up"
        )
    return found


def _egress(values: StagesetValues, reaches_api_server: bool) -> list[str]:
    kubernetes = values.engine == DEFAULT_ENGINE
    given, key = (values.egress.to, "egress.to") if kubernetes else (values.own_egress, f"{values.engine}.egress")
    found = []
    if not values.egress.dns and not given:
        found.append("networkPolicy.egress is enabled and allows nothing: an empty allowlist denies all that it sends")
    if not reaches_api_server:
        found.append(
            f"networkPolicy.egress is enabled, but no rule of networkPolicy.{key} names addresses that could be the "
            f"kube-apiserver's: {CUT_OFF}"
        )
    if not values.egress.dns:
        found.append(
            "networkPolicy.egress.dns is false: without cluster DNS every other egress flow fails name resolution"
        )
    found += [
        f"networkPolicy.egress.to[{index}] has no ports: it opens every port of its peers"
        for index, rule in enumerate(values.egress.to)
        if not rule.get("ports")
    ]
    return found


def _no_egress(values: StagesetValues, reaches_api_server: bool) -> list[str]:
    if values.egress.to:
        return ["networkPolicy.egress.to has rules, but networkPolicy.egress.enabled is false: they change nothing"]
    if not values.own_egress or values.engine not in ISOLATING:
        return []
    lacks = "" if reaches_api_server else f", nor with one that could be the kube-apiserver's; {CUT_OFF}"
    return [
        f"networkPolicy.{values.engine}.egress has rules while networkPolicy.egress.enabled is false: they isolate "
        f"the controller for egress all the same, without a DNS rule{lacks}"
    ]


def _default_deny(values: StagesetValues, neighbours: Sequence[str]) -> list[str]:
    if not values.default_deny:
        return []
    found = []
    if neighbours:
        found.append(
            "networkPolicy.defaultDeny is enabled in a namespace that the controller shares: it also denies "
            f"{', '.join(neighbours)}, which need allowing policies of their own"
        )
    moved = order_warning(values.engine, values.order)
    return [*found, moved] if moved else found
