"""What `check` and `explain` look at, from the command line: a chart, a map, or manifests alone."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import charts, recipes, reviews
from harness import scenarios as catalogue
from harness.charts.manifests import in_namespace, read_located
from harness.errors import InputError
from harness.files import Document, Located, data_dir, nearest, read_one, read_yaml, shown
from harness.judging import decide
from harness.lint import (
    FEATURES,
    POD_RANGE,
    Cell,
    Engine,
    Ground,
    Intended,
    Known,
    World,
    ground,
    unread,
    world_of,
    written,
)
from harness.model import Intent, Specified, Verdict
from harness.scenarios import Scenario
from harness.synthetic import placed


def add(
    parser: argparse.ArgumentParser, *, required: bool, cni: str = "warn of what these CNIs are known for, too"
) -> None:
    """Declare the options. `required`: one of chart, map and manifests must be given. `cni`: what --cni is for."""
    what = parser.add_mutually_exclusive_group(required=required)
    what.add_argument("--chart", metavar="NAME", help="a bundled chart: " + ", ".join(sorted(charts.CHARTS)))
    what.add_argument("--service-map", metavar="FILE", type=Path, help="your own service map")
    what.add_argument("--manifests", metavar="FILE|DIR|-", help="manifests alone: policies, and workloads if there are")
    parser.add_argument("--values", metavar="FILE", type=Path, help="values of the chart or map")
    parser.add_argument("--policies", metavar="FILE|DIR|-", help="your own manifests instead of the map's policies")
    parser.add_argument(
        "--namespace", metavar="NAME", default="default", help="of manifests that name none (default: default)"
    )
    parser.add_argument(
        "--pod-cidr",
        metavar="CIDR",
        action="append",
        default=[],
        help=f"the cluster's range of pod addresses; may be repeated (default: {POD_RANGE})",
    )
    parser.add_argument("--cni", metavar="NAME,…", default="", help=cni)


def given(arguments: argparse.Namespace) -> bool:
    return bool(arguments.chart or arguments.service_map or arguments.manifests)


def read(arguments: argparse.Namespace) -> Ground:
    """All that was asked for, read and compared. Raises InputError."""
    if arguments.manifests:
        for key in ("values", "policies"):
            if getattr(arguments, key):
                raise InputError("goes with --chart or --service-map, not with --manifests", key=f"--{key}")
        return _of_manifests(arguments)
    if arguments.chart and arguments.policies:
        raise InputError("goes with --service-map FILE, which says what is meant", key="--policies")
    return _of_chart(arguments) if arguments.chart else _of_map(arguments)


def _of_manifests(arguments: argparse.Namespace) -> Ground:
    objects = tuple(_namespaced(read_located(arguments.manifests), arguments.namespace))
    world = world_of(objects, arguments.namespace)
    return ground(written(objects), world, unread=unread(objects), **_options(arguments))


def _of_chart(arguments: argparse.Namespace) -> Ground:
    values = read_one(arguments.values, may_be_empty=True) if arguments.values else None
    plan = charts.chart_plan(arguments.chart, values)
    documented = reviews.load(charts.findings_path(arguments.chart), "policy")
    scenarios, exact = _scenarios(arguments.chart, dict(values.content) if values else {})
    scenario = catalogue.of_plan(plan, claim="", documented=documented)
    document = read_one(charts.findings_path(arguments.chart).with_name("map.yaml"))
    return _compared(arguments, scenario, _Compared(document=document, scenarios=scenarios, exact=exact))


def _of_map(arguments: argparse.Namespace) -> Ground:
    objects = read_located(arguments.policies) if arguments.policies else None
    manifests = tuple(one.content for one in objects) if objects else None
    plan = charts.map_plan(arguments.service_map, arguments.values, manifests)
    documented = catalogue.documented(arguments.service_map, plan)
    scenario = catalogue.of_plan(plan, claim="", documented=documented)
    document = read_one(arguments.service_map)
    how = _Compared(document=document, scenarios=(scenario.id,), exact=True, objects=objects)
    return _compared(arguments, scenario, how)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """`scenarios`: those whose reviewed entries count; `exact`: they are about these very policies, so that an entry
    that does not happen is a mistake. `objects`: where the user's own policies stand."""

    document: Document
    scenarios: tuple[str, ...]
    exact: bool
    objects: tuple[Located, ...] | None = None


def _compared(arguments: argparse.Namespace, scenario: Scenario, how: _Compared) -> Ground:
    placement = placed(scenario.topology)
    step = scenario.filled(placement).steps[0]
    file = shown(Path(how.document.file))
    lines = dict(_lines(how.document))
    if how.objects is not None:
        located = tuple(replace(one, content=m) for one, m in zip(how.objects, step.policies, strict=True))
    else:
        located = tuple(
            Located(content=m, document=Document(file=file, content={}, lines={(): lines.get(_name(m), 1)}))
            for m in step.policies
        )
    decisions = decide(step, placement)
    documented = scenario.documented
    cells = []
    for probe, intended in step.intended.cells.items():
        entries = [entry for one in how.scenarios for entry in documented.declared(one, step.name, probe)]
        reviewed = tuple(dict.fromkeys(entries))
        cells.append(Cell(probe=probe, intended=intended, decision=decisions[probe], reviewed=reviewed))
    verdicts = [(cell.probe, _verdict(cell.intended, cell.decision.specified)) for cell in cells]
    gone = {
        entry: lost
        for one in (how.scenarios if how.exact else ())
        for entry, (_, lost) in documented.stale(one, step.name, verdicts).items()
        if lost
    }
    intent = Intended(
        file=file,
        cells=tuple(cells),
        reasons={entry.id: entry.reason.strip() for entry in documented.entries},
        stale=gone,
        lines=lines,
        warnings=scenario.warnings,
    )
    world = World(topology=step.topology, placement=placement, has=frozenset(("pods", "namespaces")), complete=True)
    policies = written(located, generated=how.objects is None)
    return ground(policies, world, unread=unread(located), intended=intent, **_options(arguments))


def _verdict(intended: Intent, specified: Specified) -> Verdict:
    """As if a CNI did what the policies mean."""
    if specified is Specified.UNSPECIFIED:
        return Verdict.UNSPECIFIED
    return Verdict.HOLDS if specified.value == intended.value else Verdict.POLICY_DEFECT


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


def _namespaced(objects: tuple[Located, ...], namespace: str) -> Iterator[Located]:
    contents = in_namespace(tuple(one.content for one in objects), namespace)
    for one, content in zip(objects, contents, strict=True):
        yield replace(one, content=content)


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


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    return {"pod_ranges": arguments.pod_cidr or (POD_RANGE,), "engines": _engines(arguments.cni)}


def _engines(word: str) -> tuple[Engine, ...]:
    found = []
    for wanted in recipes.parse_cni(word) if word else ():
        recipe = recipes.load(wanted)
        files = recipes.known_differences(recipe)
        known = reviews.load_all(files, "cni", recipe.version.removeprefix("v"))
        for entry in known.entries:
            for feature in entry.lint:
                if feature not in FEATURES:
                    message = f"{entry.id}: no feature is called {feature!r}; {nearest(feature, FEATURES)}"
                    raise InputError(message, file=known.file_of(entry.id), key="lint")
        found.append(
            Engine(
                name=wanted.name,
                version=recipe.version,
                enforces=recipe.enforces,
                hint=recipe.hint,
                dialects=tuple(recipe.dialects),
                known=tuple(
                    Known(id=entry.id, features=tuple(entry.lint), sentence=entry.sentence.strip(), link=entry.link)
                    for entry in known.entries
                    if entry.lint
                ),
            )
        )
    return tuple(found)
