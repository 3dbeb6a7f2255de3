"""A plan: all that a run needs to know about a chart or a map. Every chart, of whatever shape, ends in one."""

from __future__ import annotations

from dataclasses import dataclass

from harness.charts import manifests as own
from harness.charts.intent import Side, intended
from harness.charts.manifests import Manifest
from harness.charts.servicemap import ServiceMap
from harness.model import Intent, Matrix, Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who exists, what is meant, and the policies that say so."""

    name: str
    topology: Topology
    manifests: tuple[Manifest, ...]
    warnings: tuple[str, ...]
    service_map: ServiceMap
    restricted: bool = True
    """False when the policies are switched off: then every cell is meant to connect."""

    def intended(self, side: Side = "both") -> Matrix[Intent]:
        """What the map wants of every cell; with one side, what that side alone wants."""
        return intended(self.service_map, side, restricted=self.restricted)

    def for_side(self, side: Side) -> tuple[Manifest, ...]:
        """The manifests with only that direction: `policyTypes` reduced to it, the other list removed."""
        return own.for_side(self.manifests, side)
