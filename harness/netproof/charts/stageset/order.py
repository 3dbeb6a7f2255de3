"""Where the default-deny stands in the engines that have a precedence: always behind the allowlists."""

from __future__ import annotations

from collections.abc import Mapping

ALLOWLIST: Mapping[str, int] = {"calico": 1000, "clusterNetworkPolicy": 500}
"""Engine -> the order or priority of its allowlist. Calico gives networking.k8s.io/v1 policies 1000 too."""

HIGHEST: Mapping[str, int] = {"clusterNetworkPolicy": 1000}
"""Engine -> the highest value that its API takes (ClusterNetworkPolicySpec.priority: 0 to 1000)."""


def deny_order(engine: str, order: int) -> int:
    """The value that is rendered: `defaultDeny.order`, moved into the range behind the allowlist. Lower wins."""
    behind = max(order, ALLOWLIST[engine] + 1)
    return min(behind, HIGHEST.get(engine, behind))


def order_warning(engine: str, order: int) -> str:
    """Why another value is rendered, or ''."""
    if engine not in ALLOWLIST or deny_order(engine, order) == order:
        return ""
    rendered = deny_order(engine, order)
    key = f"networkPolicy.defaultDeny.order is {order}"
    if rendered < order:
        return f"{key}, but {engine} takes at most {rendered}: {rendered} is rendered, still behind the allowlist"
    return f"{key}, which would put the deny-all before the allowlist ({ALLOWLIST[engine]}): {rendered} is rendered"
