"""Scenarios: what is tested, read from YAML into values that a run measures step by step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field

from harness import charts, reviews
from harness.charts import Plan
from harness.drivers import Manifest
from harness.errors import InputError
from harness.files import Strict, data_dir, read_yaml, validate
from harness.model import Intent, Matrix, Topology
from harness.policy import read_policies


class ScenarioFile(Strict):
    """One YAML document of a scenario file: a chart with values, measured against its communication map."""

    id: str
    claim: str
    source: str
    needs: list[str] = Field(default_factory=list)
    chart: str
    values: dict[str, Any] = Field(default_factory=dict)
    side: Literal["both", "ingress", "egress"] = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is applied (on top of what is there), and what is meant to connect once it is in force."""

    name: str
    manifests: tuple[Manifest, ...]
    intended: Matrix[Intent]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`select` is the option that runs just this one."""

    id: str
    claim: str
    source: str
    topology: Topology
    steps: tuple[Step, ...]
    documented: reviews.Reviews
    needs: tuple[str, ...] = ()
    values: str = ""
    warnings: tuple[str, ...] = ()
    select: str = ""

    def policies_text(self) -> str:
        """All manifests of all steps as YAML, as a user would apply them."""
        manifests = [dict(manifest) for step in self.steps for manifest in step.manifests]
        return yaml.safe_dump_all(manifests, sort_keys=False) if manifests else ""


def read_scenarios(path: Path) -> list[Scenario]:
    """The scenarios of one file. Raises InputError with file, line and key."""
    found = []
    for document in read_yaml(path):
        wanted = validate(ScenarioFile, document)
        try:
            plan = charts.chart_plan(wanted.chart, wanted.values)
        except InputError as error:
            raise InputError(f"scenario {wanted.id}: {error}", file=path, line=document.line(("values",))) from None
        found.append(
            of_plan(
                plan,
                id=wanted.id,
                claim=wanted.claim,
                side=wanted.side,
                source=wanted.source,
                needs=tuple(wanted.needs),
                documented=reviews.load(charts.findings_path(wanted.chart), "policy"),
                values=yaml.safe_dump(wanted.values, sort_keys=False) if wanted.values else "",
                select=f"--scenario-set {wanted.id}",
            )
        )
    return found


def of_plan(plan: Plan, *, claim: str, side: Literal["both", "ingress", "egress"] = "both", **more: Any) -> Scenario:
    """A chart's or a map's plan as a scenario of one step; `more` are fields of the scenario."""
    step = Step(name="applied", manifests=plan.for_side(side), intended=plan.intended(side))
    fields: dict[str, Any] = {"id": plan.name, "source": "", "documented": reviews.Reviews(fault="policy")} | more
    return Scenario(claim=claim, topology=plan.topology, steps=(step,), warnings=plan.warnings, **fields)


def of_map(service_map: Path, values: Path | None = None, policies: Path | str | None = None) -> Scenario:
    """A user's own service map as one scenario: policies generated from it, or the user's own manifests."""
    plan = charts.map_plan(service_map, values, policies)
    how = f"the manifests of {policies}" if policies else "the policies generated from the map"
    options = [f"--service-map {service_map}"]
    options += [f"--values {values}"] if values else []
    options += [f"--policies {policies}"] if policies else []
    reviewed = reviews.load(Path(service_map).with_suffix(".findings.yaml"), "policy")
    return of_plan(
        plan,
        claim=f"With {how}, exactly the paths of the service map connect.",
        source=str(service_map),
        documented=replace(reviewed, entries=(*reviewed.entries, *_own_node(plan))),
        values=Path(values).read_text(encoding="utf-8") if values else "",
        select=" ".join(options),
    )


def _own_node(plan: Plan) -> list[reviews.Entry]:
    """No policy keeps a pod's own node out, and a map seldom says so: declared for every map, so that it is shown and
    does not fail."""
    nodes = len(plan.topology.nodes)
    own = {pod.id: f"node:{pod.node % nodes}" for pod in plan.topology.pods} if nodes else {}
    guarded = {policy.subject.namespace for policy in read_policies(plan.manifests)}
    cells = [
        reviews.CellPattern(source=probe.source, destination=probe.destination, port=probe.port, via=probe.via)
        for probe, meant in plan.intended("both").cells.items()
        if meant is Intent.DENIED
        and own.get(probe.destination) == probe.source
        and probe.destination.partition("/")[0] in guarded
    ]
    entry = reviews.Entry.model_construct(
        id="own-node-is-always-admitted",
        scenarios=[plan.name],
        steps=None,
        cells=cells,
        sentence="Traffic to and from the node where a Pod is running is always allowed, regardless of the IP address "
        "of the Pod or the node. (Kubernetes documentation, Network Policies)",
        reason="A service map that keeps everybody out still does not keep the pod's own node out.",
        link="docs/service-maps.md#nodes",
        evidence="",
        versions="",
    )
    return [entry] if cells else []


def files() -> list[Path]:
    """Every scenario file of the catalogue, sorted."""
    return sorted(data_dir("scenarios").rglob("*.yaml"))


def select(wanted: str) -> dict[Path, list[Scenario]]:
    """The scenarios that a `--scenario-set` takes (comma-separated: `all`, folder names, scenario ids with `*`), by
    file. Raises InputError when a word names nothing."""
    found = {path: read_scenarios(path) for path in files()}
    words = [word.strip() for word in wanted.split(",") if word.strip()]
    folders = {path.parent.name for path in found}
    ids = [scenario.id for scenarios in found.values() for scenario in scenarios]
    for word in words:
        if word not in {"all", *folders} and not any(fnmatchcase(identifier, word) for identifier in ids):
            near = get_close_matches(word, [*folders, *ids, "all"], n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise InputError(
                f"no scenario or set is called {word!r}; {hint}sets: all, {', '.join(sorted(folders))}",
                key="--scenario-set",
            )

    def takes(path: Path, scenario: Scenario) -> bool:
        return any(word in ("all", path.parent.name) or fnmatchcase(scenario.id, word) for word in words)

    return {path: [s for s in scenarios if takes(path, s)] for path, scenarios in found.items()}
