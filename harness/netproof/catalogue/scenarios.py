"""Scenarios: what is tested, read from YAML into values that a run measures step by step."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from netproof import charts
from netproof.catalogue import tables, topologies
from netproof.charts import Plan
from netproof.clusters import reviews
from netproof.errors import InputError
from netproof.manifests import placeholders
from netproof.manifests.data_dirs import data_dir
from netproof.manifests.validation import StrictModel, validate
from netproof.manifests.yaml_documents import Document, dump_yaml, read_yaml
from netproof.model import Intent, Manifest, Matrix, Placement, Pod, Probe, Topology
from netproof.model.placement import place_on_paper
from netproof.model.topology import FirstAttempt
from netproof.policy import read_policies

if TYPE_CHECKING:
    from netproof.charts.helm import HelmChart


PolicyEntry = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "object", "required": ["apiVersion", "kind", "metadata"]},
                {
                    "type": "object",
                    "patternProperties": {"^[^/]+/[^/]+$": {"type": "object"}},
                    "additionalProperties": False,
                    "minProperties": 1,
                    "maxProperties": 1,
                },
            ]
        }
    ),
]
"""A whole manifest, or `namespace/name: spec` for a NetworkPolicy."""


class StepEntry(StrictModel):
    """One step: changes, and the table that must hold once they are in force.

    `apply`: whole manifests, or `namespace/name: spec` for a NetworkPolicy; addresses may be placeholders, which stand
    for what they are before the first step (manifests/placeholders.py). `delete`: names of such policies. `label`: pods
    (`namespace/name`) or namespaces with their new labels. `recreate`: pods that are replaced by new ones of the
    same name. `remove`: pods that are deleted. `create`: pods that an earlier step removed come as new ones.
    """

    name: str = "applied"
    apply: list[PolicyEntry] = Field(default_factory=list)
    delete: list[str] = Field(default_factory=list)
    label: dict[str, dict[str, str]] = Field(default_factory=dict)
    recreate: list[str] = Field(default_factory=list)
    remove: list[str] = Field(default_factory=list)
    create: list[str] = Field(default_factory=list)
    expect: str = ""


class ScenarioFile(StrictModel):
    """One YAML document of a scenario file: policies with a table of what must connect, in one step or several; or a
    chart with values, measured against its communication map. A chart's `policies` are somebody else's beside it, and
    its `expect` says what is meant of the cells that the map does not have or that those policies change."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    claim: str
    """One sentence that is true or not."""
    source: str
    """Where the claim comes from."""
    needs: list[str] = Field(default_factory=list)
    """What the cluster must have: SCTP, IPv6, nodes:2, …; without it the scenario is skipped with that reason."""
    topology: str = "grid"
    """A world of scenarios/topologies/."""
    policies: list[PolicyEntry] = Field(default_factory=list)
    expect: str = ""
    steps: list[StepEntry] = Field(default_factory=list)
    chart: str = ""
    values: dict[str, Any] = Field(default_factory=dict)
    side: Literal["both", "ingress", "egress"] = "both"
    only: list[reviews.CellPattern] = Field(default_factory=list)
    """Of a chart's cells only those that match one of these; all when it is empty."""
    variant_of: str = ""
    """Another scenario of the chart, with the same intent under another engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What changes, the world afterwards, and what is meant to connect once the changes are in force.

    `policies` are all that are in force then; `applied` and `deleted` are the change. `left_open` are cells that the
    API leaves open.
    """

    name: str
    policies: tuple[Manifest, ...]
    applied: tuple[Manifest, ...]
    topology: Topology
    intended: Matrix[Intent]
    deleted: tuple[Manifest, ...] = ()
    left_open: frozenset[Probe] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`topology` is the world before the first step; `select` is the option that runs just this scenario. `engine` is
    the dialect that its chart renders, where charts have several, and `variant_of` the scenario with the same intent
    that the others of its kind refer to (its own id for that one)."""

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
    draft: Mapping[str, Any] | None = None
    """What it was generated as (generate/): then nobody meant anything, and the evaluator says what is meant."""
    engine: str = ""
    variant_of: str = ""

    def fill(self, placement: Placement) -> Scenario:
        """With the addresses of a placement instead of placeholders (manifests/placeholders.py). Raises InputError."""

        def put(step: Step) -> Step:
            policies, applied, deleted = (
                placeholders.fill(part, placement) for part in (step.policies, step.applied, step.deleted)
            )
            pods = tuple(_with_hosts(pod, placement) for pod in step.topology.pods)
            topology = replace(step.topology, pods=pods)
            return replace(step, policies=policies, applied=applied, deleted=deleted, topology=topology)

        return replace(self, steps=tuple(put(step) for step in self.steps))

    def policies_text(self) -> str:
        """All manifests of all steps as YAML, as a user would apply them."""
        manifests = [dict(manifest) for step in self.steps for manifest in step.applied]
        return dump_yaml(manifests) if manifests else ""


def read_scenarios(path: Path) -> list[Scenario]:
    """The scenarios of one file. Raises InputError with file, line and key."""
    return [
        _of_chart(wanted, document)
        if (wanted := validate(ScenarioFile, document)).chart
        else of_tables(wanted, document)
        for document in read_yaml(path)
    ]


def _of_chart(wanted: ScenarioFile, document: Document) -> Scenario:
    try:
        plan = charts.chart_plan(wanted.chart, wanted.values)
    except InputError as error:
        raise document.error(("values",), str(error)) from None
    scenario = of_plan(
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


def of_tables(wanted: ScenarioFile, document: Document) -> Scenario:
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
        in_force |= {_ref(manifest): manifest for manifest in applied}
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


def _with_hosts(pod: Pod, placement: Placement) -> Pod:
    first = (replace(one, host=placeholders.fill_text(one.host, placement)) for one in pod.first)
    return replace(pod, first=tuple(first)) if pod.first else pod


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


def _ref(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if "namespace" in metadata else str(metadata["name"])


def of_plan(plan: Plan, *, claim: str, side: Literal["both", "ingress", "egress"] = "both", **more: Any) -> Scenario:
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


def of_map(service_map: Path, values: Sequence[Path] = (), policies: Sequence[Path | str] | None = None) -> Scenario:
    """A user's own service map as one scenario: policies generated from it (shaped by values files, later ones win), or
    the user's own manifests."""
    plan = charts.map_plan(service_map, values, policies or None)
    how = f"the manifests of {', '.join(map(str, policies))}" if policies else "the policies generated from the map"
    return of_plan(
        plan,
        claim=f"With {how}, exactly the paths of the service map connect.",
        source=str(service_map),
        documented=documented(Path(service_map), plan),
        values=_texts(values),
        select=_selecting({"--service-map": [service_map], "--values": values, "--policies": policies or ()}),
    )


def of_helm(chart: HelmChart, service_map: Path | None = None) -> Scenario:
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
    return of_plan(
        plan,
        claim=claim if service_map else alone,
        source=str(chart.path),
        documented=documented(service_map, plan) if service_map else reviews.Reviews(fault="policy"),
        values=_texts(chart.values),
        select=_selecting(given),
    )


def _selecting(given: Mapping[str, Sequence[object]]) -> str:
    """The options that select a scenario, for the shell."""
    return shlex.join(str(word) for flag, words in given.items() for one in words if one for word in (flag, one))


def _texts(files: Sequence[Path]) -> str:
    """Values files as a record keeps them."""
    return "---\n".join(Path(file).read_text(encoding="utf-8") for file in files)


def documented(service_map: Path, plan: Plan) -> reviews.Reviews:
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


def files() -> list[Path]:
    """Every scenario file of the catalogue, sorted."""
    home = data_dir("scenarios")
    return sorted(path for path in home.rglob("*.yaml") if path.parent != topologies.topologies_dir())


def select(wanted: str) -> dict[Path, list[Scenario]]:
    """The scenarios that a `--scenario-set` takes (comma-separated: `all`, folder names, scenario ids with `*`, the
    user's own files and folders), by file. Raises InputError when a word names nothing."""
    words = [word.strip() for word in wanted.split(",") if word.strip()]
    folders = {path.parent.name for path in files()}
    own = {word: [path.resolve() for path in _own_files(word)] for word in words if _is_path(word)}
    words = [word for word in words if word not in own]
    by_id = not set(words) <= {"all", *folders}
    found = {path: read_scenarios(path) for path in files() if by_id or {"all", path.parent.name} & set(words)}
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

    chosen = {path: [s for s in scenarios if takes(path, s)] for path, scenarios in found.items()}
    for word, paths in own.items():
        for path in paths:
            chosen[path] = [replace(s, select=f"--scenario-set={shlex.quote(word)}") for s in read_scenarios(path)]
    return chosen


def _is_path(word: str) -> bool:
    """Whether a word of a set is a file or folder of the user's, and not a name of the catalogue."""
    return word.endswith((".yaml", ".yml")) or "/" in word


def _own_files(word: str) -> list[Path]:
    path = Path(word)
    found = sorted(path.rglob("*.y*ml")) if path.is_dir() else [path]
    if not path.exists() or not found:
        raise InputError(
            f"there is no {'file or folder' if not path.exists() else 'YAML file in'} {word}", key="--scenario-set"
        )
    return found
