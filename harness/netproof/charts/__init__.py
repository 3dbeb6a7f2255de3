"""From a service map or a chart with its values to a plan: who exists, what is meant, and which policies say so.

A bundled chart is a folder here with `map.yaml` (its communication table: the intent), `values.yaml` (its defaults) and
`findings.yaml` (its documented surprises), and a line in `CHARTS` with the module that makes its plan. Any other chart
is a path, which helm renders (helm.py). What makes plans is imported when one is made: a check of manifests needs none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netproof.charts.layers import read_values
from netproof.charts.plan import Plan
from netproof.errors import InputError
from netproof.manifests import load as own
from netproof.manifests.load import Directions
from netproof.manifests.yaml_documents import Document
from netproof.model import Manifest
from netproof.model.manifest import describe_object

if TYPE_CHECKING:
    from netproof.charts.helm import HelmChart
    from netproof.manifests.yaml_documents import Located

ValuesSource = Mapping[str, Any] | Path | Document | Sequence[Path] | None
"""Several files are laid over each other, as helm does: later ones win."""
PoliciesSource = Path | str | Sequence[Path | str]
"""Files, folders and `-` for standard input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A bundled chart. `module` has `chart(folder, values, **options)`, which gives its plan or raises InputError."""

    folder: Path
    module: str
    options: Mapping[str, Any] = field(default_factory=dict)


HERE = Path(__file__).parent

CHARTS: Mapping[str, Chart] = {
    "berserk": Chart(folder=HERE / "berserk", module="netproof.charts.generated"),
    "stageset": Chart(folder=HERE / "stageset", module="netproof.charts.stageset"),
    "stageset-alone": Chart(folder=HERE / "stageset", module="netproof.charts.stageset", options={"alone": True}),
}


def chart_plan(name: str, values: ValuesSource = None) -> Plan:
    """A bundled chart with values merged over its defaults. Raises InputError; for an unknown name with the charts."""
    chart = _chart(name)
    plan: Plan = import_module(chart.module).chart(chart.folder, _document(values), **chart.options)
    return plan


def engine_plans(name: str, values: ValuesSource = None) -> dict[str, Plan]:
    """A bundled chart under each engine that it has, with the values that are that engine's own. Raises InputError,
    also for a chart that has one dialect only."""
    chart = _chart(name)
    module = import_module(chart.module)
    if not hasattr(module, "for_engine"):
        having = [other for other in CHARTS if hasattr(import_module(CHARTS[other].module), "for_engine")]
        raise InputError(f"chart {name} renders one dialect only; charts with several: {', '.join(having)}")
    document = _document(values)
    return {
        engine: module.chart(chart.folder, module.for_engine(document, engine), **chart.options)
        for engine in module.ENGINES
    }


def findings_path(name: str) -> Path:
    """A bundled chart's documented surprises. Raises InputError as chart_plan does."""
    return _chart(name).folder / "findings.yaml"


def is_bundled(name: str) -> bool:
    """Whether `--chart` means one of ours. A folder of the same name is meant by `./name`. Raises InputError for what
    is neither ours nor a path."""
    if name in CHARTS:
        return True
    if not Path(name).exists():
        _chart(name)
    return False


def helm_plan(chart: HelmChart, service_map: Path | None = None, objects: tuple[Located, ...] | None = None) -> Plan:
    """A chart that helm renders: against the intent of a map, or with its own workloads as the world and no intent.
    `objects`: what it renders, where that is known. Raises InputError."""
    from netproof.charts import helm, unmapped

    if service_map is None:
        return unmapped.plan(chart, objects or helm.render_chart(chart))
    chart = in_namespace_of(chart, service_map)
    objects = objects or helm.render_chart(chart)
    plan = map_plan(service_map, policies=own.select_policies(objects))
    return replace(
        plan,
        topology=unmapped.add_service_accounts(plan.topology, objects, chart.namespace),
        warnings=(*plan.warnings, *unmapped.warn_of_unmapped(plan.topology, objects, chart.namespace)),
    )


def in_namespace_of(chart: HelmChart, service_map: Path) -> HelmChart:
    """The chart in the map's namespace, unless it was given one. Raises InputError."""
    from netproof.charts.map_reader import load_map

    return chart if chart.namespace_name else replace(chart, namespace_name=load_map(service_map).namespace)


def map_plan(
    path: Path, values: ValuesSource = None, policies: PoliciesSource | Sequence[Located] | None = None
) -> Plan:
    """A user's own map. The policies are generated from it (shaped by `values`), or are the user's own: a file, a
    folder, `-` for standard input, several of them, or what was read from them. Raises InputError."""
    from netproof.charts import generated
    from netproof.charts.map_reader import load_map
    from netproof.policy import read_each

    service_map = load_map(path)
    document = _document(values)
    if policies is None:
        return generated.own_map(service_map, document)
    if document is not None:
        raise InputError(
            "values shape the policies that are generated from the map; with policies of your own, leave them out"
        )
    objects = own.set_namespace(own.read_each_located(policies), service_map.namespace)
    read_each(objects)  # a fault is told with its line, which nobody knows later
    manifests = tuple(one.content for one in objects)
    topology = service_map.topology()
    known = {namespace.name for namespace in topology.namespaces}
    strays = tuple(
        f"{describe_object(m)}: the map has no pod in that namespace"
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
        known = ", ".join(sorted(CHARTS))
        raise InputError(f"no chart is called {name!r}; the charts are: {known}; or give the path of a helm chart")
    return CHARTS[name]


def _document(values: ValuesSource) -> Document | None:
    if values is None or isinstance(values, Document):
        return values
    if isinstance(values, Mapping):
        return Document(file="values", content=dict(values), lines={})
    return read_values([values] if isinstance(values, Path | str) else values)


__all__ = [
    "CHARTS",
    "Directions",
    "Manifest",
    "Plan",
    "chart_plan",
    "findings_path",
    "helm_plan",
    "in_namespace_of",
    "is_bundled",
    "map_plan",
]
