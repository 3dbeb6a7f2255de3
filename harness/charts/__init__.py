"""From a service map or a chart with its values to a plan: who exists, what is meant, and which policies say so.

A chart is a folder here with `map.yaml` (its communication table: the intent), `values.yaml` (its defaults) and
`findings.yaml` (its documented surprises), and a line in `CHARTS` with the function that makes its plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness.charts import generated, stageset
from harness.charts import manifests as own
from harness.charts.intent import Side
from harness.charts.manifests import Manifest, read_manifests
from harness.charts.plan import Plan
from harness.charts.servicemap import load_map
from harness.errors import InputError
from harness.files import Document, read_one

ValuesSource = Mapping[str, Any] | Path | Document | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A bundled chart. `plan`: from its folder and the user's values. Raises InputError."""

    folder: Path
    plan: Callable[[Path, Document | None], Plan]


HERE = Path(__file__).parent

CHARTS: Mapping[str, Chart] = {
    "berserk": Chart(folder=HERE / "berserk", plan=generated.chart),
    "stageset": Chart(folder=HERE / "stageset", plan=stageset.chart),
    "stageset-alone": Chart(folder=HERE / "stageset", plan=partial(stageset.chart, alone=True)),
}


def chart_plan(name: str, values: ValuesSource = None) -> Plan:
    """A bundled chart with values merged over its defaults. Raises InputError; for an unknown name with the charts."""
    chart = _chart(name)
    return chart.plan(chart.folder, _document(values))


def findings_path(name: str) -> Path:
    """A bundled chart's documented surprises. Raises InputError as chart_plan does."""
    return _chart(name).folder / "findings.yaml"


def map_plan(
    path: Path, values: ValuesSource = None, policies: Path | str | tuple[Manifest, ...] | None = None
) -> Plan:
    """A user's own map. The policies are generated from it (shaped by `values`), or are the user's own: a file, a
    folder, `-` for standard input, or what was read from them. Raises InputError."""
    service_map = load_map(path)
    if policies is None:
        return generated.own_map(service_map, _document(values))
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


def _chart(name: str) -> Chart:
    if name not in CHARTS:
        raise InputError(f"no chart is called {name!r}; the charts are: {', '.join(sorted(CHARTS))}")
    return CHARTS[name]


def _document(values: ValuesSource) -> Document | None:
    if values is None or isinstance(values, Document):
        return values
    if isinstance(values, Mapping):
        return Document(file="values", content=dict(values), lines={})
    return read_one(values, may_be_empty=True)


__all__ = ["CHARTS", "Manifest", "Plan", "Side", "chart_plan", "findings_path", "map_plan", "read_manifests"]
