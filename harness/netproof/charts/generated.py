"""Plans whose policies are generated from a service map, one for each service: Berserk's, and any user's own map."""

from __future__ import annotations

from pathlib import Path

from netproof.charts.intent import add_telemetry
from netproof.charts.map_reader import load_map
from netproof.charts.plan import Plan
from netproof.charts.render import render, telemetry, warnings
from netproof.charts.servicemap import ServiceMap
from netproof.charts.values import ChartValues, derive_defaults, load_values
from netproof.manifests.yaml_documents import Document, read_document


def chart(folder: Path, values: Document | None) -> Plan:
    """A chart of that shape from its folder: `map.yaml`, and `values.yaml` for what the map's policies default to."""
    service_map = load_map(folder / "map.yaml")
    return _plan(service_map, load_values(service_map, read_document(folder / "values.yaml").content, values))


def own_map(service_map: ServiceMap, values: Document | None) -> Plan:
    """A user's own map: its arrows are the defaults."""
    return _plan(service_map, load_values(service_map, derive_defaults(service_map), values))


def _plan(service_map: ServiceMap, values: ChartValues) -> Plan:
    target = telemetry(service_map, values)
    meant = (
        add_telemetry(service_map, target.collector.name, target.port) if target and target.collector else service_map
    )
    return Plan(
        name=service_map.name,
        topology=service_map.topology(),
        manifests=render(service_map, values),
        warnings=service_map.warnings + warnings(service_map, values),
        service_map=meant,
        restricted=bool(values.policy.enabled),
    )
