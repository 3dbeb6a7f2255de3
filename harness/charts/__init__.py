"""From a service map or a chart with its values to a plan: who exists, what is meant, and which policies say so.

A chart is a folder here with `map.yaml` (its communication table: the intent), `values.yaml` (its defaults) and
`findings.yaml` (its documented surprises), and a line in `CHARTS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.charts import manifests as own
from harness.charts.intent import Side, intended, with_telemetry
from harness.charts.manifests import Manifest, read_manifests
from harness.charts.render import render, telemetry, warnings
from harness.charts.servicemap import ServiceMap, load_map
from harness.charts.values import Values, defaults_of, load_values
from harness.errors import InputError
from harness.files import Document, read_one
from harness.model import Intent, Matrix, Topology

ValuesSource = Mapping[str, Any] | Path | Document | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a scenario needs to know about a chart or a map."""

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


CHARTS: Mapping[str, Path] = {
    "berserk": Path(__file__).parent / "berserk",
}
"""Chart name -> its folder."""


def chart_plan(name: str, values: ValuesSource = None) -> Plan:
    """A bundled chart with values merged over its defaults. Raises InputError; for an unknown name with the charts."""
    folder = _folder(name)
    service_map = load_map(folder / "map.yaml")
    defaults = read_one(folder / "values.yaml").content
    return _generated(service_map, load_values(service_map, defaults, _document(values)))


def findings_path(name: str) -> Path:
    """A bundled chart's documented surprises. Raises InputError as chart_plan does."""
    return _folder(name) / "findings.yaml"


def map_plan(
    path: Path, values: ValuesSource = None, policies: Path | str | tuple[Manifest, ...] | None = None
) -> Plan:
    """A user's own map. The policies are generated from it (shaped by `values`), or are the user's own: a file, a
    folder, `-` for standard input, or what was read from them. Raises InputError."""
    service_map = load_map(path)
    if policies is None:
        return _generated(service_map, load_values(service_map, defaults_of(service_map), _document(values)))
    if values is not None:
        raise InputError(
            "values shape the policies that are generated from the map; with policies of your own, leave them out"
        )
    given = policies if isinstance(policies, tuple) else read_manifests(policies)
    manifests = own.in_namespace(given, service_map.namespace)
    topology = service_map.topology()
    known = {namespace.name for namespace in topology.namespaces}
    strays = tuple(
        f"{m['kind']} {m['metadata']['namespace']}/{m['metadata']['name']}: the map has no pod in that namespace"
        for m in manifests
        if m["metadata"].get("namespace", service_map.namespace) not in known
    )
    return Plan(
        name=service_map.name,
        topology=topology,
        manifests=manifests,
        warnings=service_map.warnings + strays,
        service_map=service_map,
    )


def _folder(name: str) -> Path:
    if name not in CHARTS:
        raise InputError(f"no chart is called {name!r}; the charts are: {', '.join(sorted(CHARTS))}")
    return CHARTS[name]


def _generated(service_map: ServiceMap, values: Values) -> Plan:
    target = telemetry(service_map, values)
    meant = (
        with_telemetry(service_map, target.collector.name, target.port) if target and target.collector else service_map
    )
    return Plan(
        name=service_map.name,
        topology=service_map.topology(),
        manifests=render(service_map, values),
        warnings=service_map.warnings + warnings(service_map, values),
        service_map=meant,
        restricted=bool(values.policy.enabled),
    )


def _document(values: ValuesSource) -> Document | None:
    if values is None or isinstance(values, Document):
        return values
    if isinstance(values, Mapping):
        return Document(file="values", content=dict(values), lines={})
    return read_one(values, may_be_empty=True)


__all__ = ["CHARTS", "Manifest", "Plan", "Side", "chart_plan", "findings_path", "map_plan", "read_manifests"]
