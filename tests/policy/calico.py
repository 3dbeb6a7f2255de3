"""Short ways to write Calico's objects."""

from __future__ import annotations

from typing import Any

import yaml


def calico(name: str, spec: str) -> dict[str, Any]:
    """`namespace/name` is a NetworkPolicy, `name` a GlobalNetworkPolicy."""
    namespace, _, own = name.rpartition("/")
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": "NetworkPolicy" if namespace else "GlobalNetworkPolicy",
        "metadata": {"name": own, "namespace": namespace} if namespace else {"name": own},
        "spec": yaml.safe_load(spec),
    }


def tier(name: str, spec: str = "{}") -> dict[str, Any]:
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": "Tier",
        "metadata": {"name": name},
        "spec": yaml.safe_load(spec),
    }
