"""Scenario files -> scenarios: policies with tables of what must connect, or a bundled chart with values."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from netproof import charts
from netproof.catalogue import tables, topologies
from netproof.catalogue.plans import scenario_of_plan
from netproof.catalogue.scenariofile import ScenarioFile, StepEntry
from netproof.catalogue.scenarios import Scenario, Step
from netproof.clusters import reviews
from netproof.errors import InputError
from netproof.manifests.validation import validate
from netproof.manifests.yaml_documents import Document, dump_yaml, read_yaml
from netproof.model import Manifest, Matrix, Probe, Topology
from netproof.model.manifest import name_object
from netproof.model.placement import place_on_paper
from netproof.model.topology import FirstAttempt


def read_scenarios(path: Path) -> list[Scenario]:
    """The scenarios of one file. Raises InputError with file, line and key."""
    return [
        _of_chart(wanted, document)
        if (wanted := validate(ScenarioFile, document)).chart
        else build_scenario(wanted, document)
        for document in read_yaml(path)
    ]


def _of_chart(wanted: ScenarioFile, document: Document) -> Scenario:
    try:
        plan = charts.chart_plan(wanted.chart, wanted.values)
    except InputError as error:
        raise document.error(("values",), str(error)) from None
    scenario = scenario_of_plan(
        plan,
        id=wanted.id,
        claim=wanted.claim,
        side=wanted.side,
        source=wanted.source,
        needs=tuple(wanted.needs),
        documented=_findings(charts.findings_path(wanted.chart)),
        values=dump_yaml([wanted.values]) if wanted.values else "",
        select=f"--scenario-set {wanted.id}",
        engine=plan.engine,
        variant_of=(wanted.variant_of or wanted.id) if plan.engine else "",
    )
    for index, pattern in enumerate(wanted.only):
        if not any(pattern.matches(probe) for step in scenario.steps for probe in step.intended):
            raise document.error(("only", index), f"scenario {wanted.id} has no such cell")
    steps = (_beside(_narrowed(step, wanted.only), wanted, document) for step in scenario.steps)
    scenario = replace(scenario, steps=tuple(steps))
    try:
        scenario.fill(place_on_paper(scenario.topology))
    except InputError as error:
        raise document.error(("values",), f"scenario {wanted.id}: {error}") from None
    return scenario


@cache
def _findings(path: Path) -> reviews.Reviews:
    """A bundled chart's documented surprises: dozens of scenarios share them."""
    return reviews.load(path, "policy")


def _narrowed(step: Step, only: Sequence[reviews.CellPattern]) -> Step:
    cells = step.intended.cells.items()
    kept = {probe: meant for probe, meant in cells if not only or any(pattern.matches(probe) for pattern in only)}
    return replace(step, intended=Matrix(kept))


def _beside(step: Step, wanted: ScenarioFile, document: Document) -> Step:
    """With somebody else's policies beside the chart's, and what a scenario's own tables say. Where they leave a cell
    open the map still says what is meant of it."""
    others = tuple(_manifest(item, document, ("policies", index)) for index, item in enumerate(wanted.policies))
    step = replace(step, policies=step.policies + others, applied=step.applied + others)
    if not wanted.expect:
        return step
    try:
        expected = tables.parse(wanted.expect, step.topology)
    except ValueError as error:
        raise document.error(("expect",), f"scenario {wanted.id}: {error}") from None
    known = step.intended.cells
    said = {p: known.get(p, meant) if p in expected.left_open else meant for p, meant in expected.cells.items()}
    return replace(step, intended=Matrix({**known, **said}), left_open=expected.left_open)


def build_scenario(wanted: ScenarioFile, document: Document) -> Scenario:
    """A scenario of policies and tables; `document` says in errors where they stand. Raises InputError."""
    world = topologies.load_topology(wanted.topology)
    first = StepEntry(apply=wanted.policies, expect=wanted.expect)
    given = [first, *wanted.steps] if wanted.expect or not wanted.steps else wanted.steps
    in_force: dict[str, Manifest] = {}
    steps = []
    for number, entry in enumerate(given):
        where = ("steps", number - len(given) + len(wanted.steps)) if wanted.steps and entry is not first else ()
        applied = tuple(_manifest(item, document, (*where, "apply" if where else "policies")) for item in entry.apply)
        # As the change is carried out: what is deleted and applied under one name is made anew.
        gone = []
        for ref in entry.delete:
            if ref not in in_force:
                raise document.error((*where, "delete"), f"{ref} is not applied; in force: {', '.join(in_force)}")
            gone.append(in_force.pop(ref))
        in_force |= {name_object(manifest): manifest for manifest in applied}
        try:
            world = topologies.change_topology(
                world,
                label=entry.label,
                recreate=entry.recreate,
                remove=entry.remove,
                create=[topologies.load_topology(wanted.topology).pod(name) or name for name in entry.create],
            )
            expected = tables.parse(entry.expect, world)
            _check_held(world, expected.cells)
            world = _with_first(world, expected.cells, {*entry.recreate, *entry.create})
        except ValueError as error:
            raise document.error((*where, "expect"), f"scenario {wanted.id}: {error}") from None
        steps.append(
            Step(
                name=entry.name,
                policies=tuple(in_force.values()),
                applied=applied,
                deleted=tuple(gone),
                topology=world,
                intended=Matrix(expected.cells),
                left_open=expected.left_open,
            )
        )
    scenario = Scenario(
        id=wanted.id,
        claim=wanted.claim,
        source=wanted.source,
        topology=topologies.load_topology(wanted.topology),
        steps=tuple(steps),
        documented=reviews.Reviews(fault="policy"),
        needs=tuple(wanted.needs),
        select=f"--scenario-set {wanted.id}",
    )
    try:
        scenario.fill(place_on_paper(scenario.topology))
    except InputError as error:
        raise document.error(("steps",) if wanted.steps else ("policies",), f"scenario {wanted.id}: {error}") from None
    return scenario


def _check_held(world: Topology, probes: Iterable[Probe]) -> None:
    """Raises ValueError for a kept connection of a pod that was made anew: it ended with the pod that had opened it."""
    for probe in probes:
        for end in (probe.source, probe.destination) if probe.kind == "held" else ():
            pod = world.pod(end)
            if pod is not None and pod.incarnation:
                raise ValueError(
                    f"{probe.port}/{probe.protocol}@held asks about {end}, which is made anew: the connection that is "
                    "kept from before the first step ended with the pod that was there then"
                )


def _with_first(world: Topology, probes: Iterable[Probe], new: Collection[str]) -> Topology:
    """The world whose new pods make the first attempts that a table asks about. Raises ValueError."""
    attempts: dict[str, list[FirstAttempt]] = {name: [] for name in new}
    for probe in probes:
        if probe.kind != "first":
            continue
        if probe.protocol != "TCP" or probe.via not in ("pod", "address") or probe.family != 4:
            raise ValueError(f"{probe}: first attempts are made by TCP, to an IPv4 address")
        if probe.source in new:
            attempts[probe.source].append(FirstAttempt(host=f"{{address:{probe.destination}}}", port=probe.port))
            continue
        helper = world.pod(probe.source)
        port = next((p.port for p in helper.ports if p.protocol == "TCP"), 0) if helper else 0
        if probe.destination not in new or not port:
            raise ValueError(
                f"{probe}: first attempts are between a pod that this step makes and a pod that serves TCP"
            )
        attempts[probe.destination].append(FirstAttempt(host=f"{{address:{probe.source}}}", port=port, back=probe.port))
    pods = (replace(pod, first=tuple(attempts.get(pod.id, pod.first))) for pod in world.pods)
    return replace(world, pods=tuple(pods))


def _manifest(item: Mapping[str, Any], document: Document, path: tuple[str | int, ...]) -> Manifest:
    """A manifest as written, or a NetworkPolicy from its short form `namespace/name: spec`."""
    if "apiVersion" in item:
        return item
    if len(item) != 1 or not next(iter(item)).count("/") == 1:
        raise document.error(path, "a policy is a whole manifest, or one `namespace/name: spec`")
    ((ref, spec),) = item.items()
    namespace, name = ref.split("/")
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
