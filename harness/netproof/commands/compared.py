"""What a map or chart says is meant, beside what its policies mean: the lint_input that has an intent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from netproof import charts
from netproof.catalogue.plans import load_documented, scenario_of_plan
from netproof.catalogue.scenarios import Scenario
from netproof.charts import helm
from netproof.charts.helm import HelmChart
from netproof.charts.layers import read_values
from netproof.clusters import reviews
from netproof.lint import IntendedCells, Inventory, LintInput, MapCell, build_input, find_unread, locate_policies
from netproof.manifests.data_dirs import data_dir, display_path
from netproof.manifests.load import read_each_located, select_policies
from netproof.manifests.yaml_documents import Document, Located, read_document, read_yaml
from netproof.model import judge_on_paper
from netproof.verdicts.decisions import decide_on_paper

Options = Mapping[str, Any]
"""Keyword arguments of `lint_input`."""


def of_chart(name: str, files: Sequence[Path], options: Options) -> LintInput:
    """A bundled chart with the values of these files; later ones win. Raises InputError."""
    values = read_values(files)
    plan = _in_ranges(charts.chart_plan(name, values), options)
    documented = reviews.load(charts.findings_path(name), "policy")
    scenarios, exact = _scenarios(name, dict(values.content) if values else {})
    scenario = scenario_of_plan(plan, claim="", documented=documented)
    document = read_document(charts.findings_path(name).with_name("map.yaml"))
    return _compared(scenario, _Compared(document=document, scenarios=scenarios, exact=exact), options)


def of_map(service_map: Path, values: Sequence[Path], policies: Sequence[str], options: Options) -> LintInput:
    """A map with the policies that are generated from it, or with the user's own. Raises InputError."""
    objects = read_each_located(policies) if policies else None
    return _of_map(service_map, charts.map_plan(service_map, values, objects), objects, options)


def of_helm(chart: HelmChart, service_map: Path, options: Options) -> LintInput:
    """The policies of a helm chart against a map. Raises InputError."""
    chart = charts.in_namespace_of(chart, service_map)
    objects = helm.render_chart(chart)
    plan = charts.helm_plan(chart, service_map, objects)
    return _of_map(service_map, plan, select_policies(objects), options)


def _in_ranges(plan: charts.Plan, options: Options) -> charts.Plan:
    return replace(plan, topology=replace(plan.topology, pod_ranges=tuple(options["pod_ranges"])))


def _of_map(service_map: Path, plan: charts.Plan, objects: tuple[Located, ...] | None, options: Options) -> LintInput:
    plan = _in_ranges(plan, options)
    documented = load_documented(service_map, plan)
    scenario = scenario_of_plan(plan, claim="", documented=documented)
    how = _Compared(document=read_document(service_map), scenarios=(scenario.id,), exact=True, objects=objects)
    return _compared(scenario, how, options)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """`scenarios`: those whose reviewed entries count; `exact`: they are about these very policies, so that an entry
    that does not happen is a mistake. `objects`: where the user's own policies stand."""

    document: Document
    scenarios: tuple[str, ...]
    exact: bool
    objects: tuple[Located, ...] | None = None


def _compared(scenario: Scenario, how: _Compared, options: Options) -> LintInput:
    decided = next(decide_on_paper(scenario))
    step = decided.step
    file = display_path(Path(how.document.file))
    lines = dict(_lines(how.document))
    if how.objects is not None:
        located = tuple(replace(one, content=m) for one, m in zip(how.objects, step.policies, strict=True))
    else:
        located = tuple(
            Located(content=m, document=Document(file=file, content={}, lines={(): lines.get(_name(m), 1)}))
            for m in step.policies
        )
    documented = scenario.documented
    cells = []
    for probe, intended in step.intended.cells.items():
        entries = [entry for one in how.scenarios for entry in documented.declared(one, step.name, probe)]
        reviewed = tuple(dict.fromkeys(entries))
        cells.append(MapCell(probe=probe, intended=intended, decision=decided.decisions[probe], reviewed=reviewed))
    verdicts = [(cell.probe, judge_on_paper(cell.intended, cell.decision.specified)) for cell in cells]
    gone = {
        entry: lost
        for one in (how.scenarios if how.exact else ())
        for entry, (_, lost) in documented.stale(one, step.name, verdicts).items()
        if lost
    }
    intent = IntendedCells(
        file=file,
        cells=tuple(cells),
        reasons={entry.id: entry.reason.strip() for entry in documented.entries},
        stale=gone,
        lines=lines,
        warnings=scenario.warnings,
    )
    inventory = Inventory(
        topology=step.topology, placement=decided.placement, has=frozenset(("pods", "namespaces")), complete=True
    )
    policies = locate_policies(located, generated=how.objects is None)
    return build_input(policies, inventory, unread=find_unread(located), intended=intent, **options)


def _scenarios(chart: str, values: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    """The catalogue's scenarios of a chart with these very values; where there is none, all that ask both sides and
    every cell, since what is declared for the chart's own values is known with the user's, too."""
    wanted = f"chart: {chart}"
    found: list[tuple[str, bool]] = []
    for file in sorted(data_dir("scenarios").rglob("*.yaml")):
        if wanted not in file.read_text(encoding="utf-8"):
            continue
        for document in read_yaml(file):
            content = document.content
            if isinstance(content, dict) and content.get("chart") == chart and not {"only", "side"} & set(content):
                found.append((content["id"], content.get("values", {}) == values))
    same = tuple(name for name, equal in found if equal)
    return (same, True) if same else (tuple(name for name, _ in found), False)


def _lines(document: Document) -> Iterator[tuple[str, int]]:
    """`namespace/name` of services, and of their pods -> where the map has them."""
    for index, entry in enumerate(document.content.get("services") or ()):
        line = document.line(("services", index))
        name = f"{entry.get('namespace') or document.content.get('namespace')}/{entry.get('name')}"
        if line is not None:
            yield name, line
            for replica in range(int(entry.get("replicas") or 1)):
                yield f"{name}-{replica}", line


def _name(manifest: Mapping[str, Any]) -> str:
    return f"{manifest['metadata'].get('namespace')}/{manifest['metadata']['name']}"
