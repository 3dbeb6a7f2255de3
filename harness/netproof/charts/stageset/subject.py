"""What every engine renders its policies for: the release, and the pods that are its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAME = "stageset-controller"
DEFAULT_DENY = "-default-deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """`labels` are the selector labels of the controller's pods."""

    namespace: str
    labels: Mapping[str, str]

    def metadata(self, suffix: str = "") -> dict[str, Any]:
        """Of a namespaced object."""
        return {"name": NAME + suffix, "namespace": self.namespace, "labels": dict(self.labels)}

    def cluster_metadata(self, suffix: str = "") -> dict[str, Any]:
        """Of a cluster-scoped object: two releases of the chart must not meet in one name."""
        return {"name": f"{self.namespace}-{NAME}{suffix}", "labels": dict(self.labels)}
