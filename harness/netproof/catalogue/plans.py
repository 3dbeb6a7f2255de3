"""A chart's or a map's plan as a scenario of one step: what users measure of their own."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netproof import charts
from netproof.catalogue.scenarios import Scenario, Step
from netproof.charts import Plan
from netproof.clusters import reviews
from netproof.manifests import placeholders
from netproof.manifests.load import Directions
from netproof.model import Intent
from netproof.model.placement import place_on_paper
from netproof.policy import read_policies

if TYPE_CHECKING:
    from netproof.charts.helm import HelmChart


def scenario_of_plan(plan: Plan, *, claim: str, side: Directions = "both", **more: Any) -> Scenario:
    """A chart's or a map's plan as a scenario of one step; `more` are fields of the scenario."""
    policies = plan.for_side(side)
    step = Step(
        name="applied",
        policies=policies,
        applied=policies,
        topology=plan.topology,
        intended=plan.intended(side),
    )
    fields: dict[str, Any] = {"id": plan.name, "source": "", "documented": reviews.Reviews(fault="policy")} | more
    return Scenario(claim=claim, topology=plan.topology, steps=(step,), warnings=plan.warnings, **fields)


def scenario_of_map(
    service_map: Path, values: Sequence[Path] = (), policies: Sequence[Path | str] | None = None
) -> Scenario:
    """A user's own service map as one scenario: policies generated from it (shaped by values files, later ones win), or
    the user's own manifests."""
    plan = charts.map_plan(service_map, values, policies or None)
    how = f"the manifests of {', '.join(map(str, policies))}" if policies else "the policies generated from the map"
    return scenario_of_plan(
        plan,
        claim=f"With {how}, exactly the paths of the service map connect.",
        source=str(service_map),
        documented=load_documented(Path(service_map), plan),
        values=_texts(values),
        select=_selecting({"--service-map": [service_map], "--values": values, "--policies": policies or ()}),
    )


def scenario_of_chart(chart: HelmChart, service_map: Path | None = None) -> Scenario:
    """A chart that helm renders as one scenario: against the intent of a map, or with none."""
    plan = charts.helm_plan(chart, service_map)
    claim = f"With the policies of the chart {chart.path}, exactly the paths of the service map connect."
    alone = f"Nobody says what is meant of the chart {chart.path}: what its policies mean is what happens."
    given: dict[str, Sequence[object]] = {
        "--chart": [chart.path],
        "--service-map": [service_map],
        "--values": chart.values,
        "--set": chart.sets,
        "--release": [chart.release_name],
        "--namespace": [chart.namespace_name],
    }
    return scenario_of_plan(
        plan,
        claim=claim if service_map else alone,
        source=str(chart.path),
        documented=load_documented(service_map, plan) if service_map else reviews.Reviews(fault="policy"),
        values=_texts(chart.values),
        select=_selecting(given),
    )


def _selecting(given: Mapping[str, Sequence[object]]) -> str:
    """The options that select a scenario, for the shell."""
    return shlex.join(str(word) for flag, words in given.items() for one in words if one for word in (flag, one))


def _texts(files: Sequence[Path]) -> str:
    """Values files as a record keeps them."""
    return "---\n".join(Path(file).read_text(encoding="utf-8") for file in files)


def load_documented(service_map: Path, plan: Plan) -> reviews.Reviews:
    """What the file beside a user's map declares, and what holds for every map. Raises InputError."""
    reviewed = reviews.load(service_map.with_suffix(".findings.yaml"), "policy")
    return replace(reviewed, entries=(*reviewed.entries, *_own_node(plan)))


def _own_node(plan: Plan) -> list[reviews.ReviewedEntry]:
    """No policy keeps a pod's own node out, and a map seldom says so: declared for every map, so that it is shown and
    does not fail."""
    nodes = len(plan.topology.nodes)
    own = {pod.id: f"node:{pod.node % nodes}" for pod in plan.topology.pods} if nodes else {}
    manifests = placeholders.fill(plan.manifests, place_on_paper(plan.topology))
    guarded = {policy.subject.namespace for policy in read_policies(manifests)}
    cells = [
        reviews.CellPattern(source=probe.source, destination=probe.destination, port=probe.port, via=probe.via)
        for probe, meant in plan.intended("both").cells.items()
        if meant is Intent.DENIED
        and own.get(probe.destination) == probe.source
        and probe.destination.partition("/")[0] in guarded
    ]
    entry = reviews.ReviewedEntry.model_construct(
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
