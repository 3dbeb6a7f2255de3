"""A plan: all that a run needs to know about a chart or a map. Every chart, of whatever shape, ends in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netproof.manifests import load as own
from netproof.manifests.load import Directions
from netproof.model import Intent, Manifest, Matrix, Probe, Topology

if TYPE_CHECKING:
    from netproof.charts.servicemap import ServiceMap


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who exists, what is meant, and the policies that say so."""

    name: str
    topology: Topology
    manifests: tuple[Manifest, ...]
    warnings: tuple[str, ...]
    service_map: ServiceMap | None
    """None where nobody says what is meant: then `cells` are asked about, and their intent is unstated."""
    cells: tuple[Probe, ...] = ()
    restricted: bool = True
    """False when the policies are switched off: then every cell is meant to connect."""
    engine: str = ""
    """The dialect that the chart was asked for, where it has several."""

    def intended(self, side: Directions = "both") -> Matrix[Intent]:
        """What the map wants of every cell; with one side, what that side alone wants."""
        if self.service_map is None:
            return Matrix(dict.fromkeys(self.cells, Intent.UNSTATED))
        from netproof.charts.intent import build_intended

        return build_intended(self.service_map, side, restricted=self.restricted)

    def for_side(self, side: Directions) -> tuple[Manifest, ...]:
        """The manifests with only that direction: `policyTypes` reduced to it, the other list removed."""
        return own.restrict_directions(self.manifests, side)
