"""The fixture `netproof`, for tests in Python: it deploys a topology or a service map on the cluster of
`--cni`, applies manifests, and answers who connects to whom.

What is in force when a question is asked becomes a scenario: the whole matrix of the topology is measured, with the
baseline, the controls, the verdicts and the record of every other scenario, and later questions are answered from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from netproof import charts
from netproof.catalogue import topologies
from netproof.catalogue.scenarios import Scenario, Step
from netproof.clusters.reviews import Reviews
from netproof.errors import InputError, NetproofError, suggest
from netproof.manifests.load import read_objects
from netproof.model import Intent, Manifest, Matrix, Measured, Probe, Topology, Via
from netproof.model.topology import Family
from netproof.model.traffic import ProbeProtocol
from netproof.pytest_plugin.items import render_part
from netproof.pytest_plugin.measuring import MEASURING, Measuring
from netproof.report.record import Cell
from netproof.report.store import ScenarioPart

AFTER_SCENARIOS = 1_000_000
"""Where the record puts what fixtures measured: behind the scenarios."""


class Unmeasured(NetproofError):
    """The path was asked about and could not be measured, so it neither connects nor is it denied."""

    exit_code = 11


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a path connects: true or false as `connects` says. Its text, which a failed assert shows, tells the rest.
    `cell` is the row of the record."""

    cell: Cell

    def __bool__(self) -> bool:
        return self.cell.measured is Measured.CONNECTED

    def __repr__(self) -> str:
        cell = self.cell
        path = cell.probe
        return f"<{path}: measured {cell.measured}, the policies say {cell.specified}: {cell.because}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a test measures at the moment. Satisfies `Asking`."""

    cni: str
    session: pytest.Session
    scenario: Scenario
    order: int


@dataclass(slots=True, kw_only=True, repr=False)
class Netproof:
    """What a test asks of one CNI. Made by the fixture; one for each test and CNI."""

    cni: str
    session: pytest.Session
    measuring: Measuring
    name: str
    """The test's node id."""
    _topology: Topology | None = None
    _probes: tuple[Probe, ...] = ()
    _policies: dict[str, Manifest] = field(default_factory=dict)
    _answers: dict[Probe, Cell] = field(default_factory=dict)
    _parts: list[ScenarioPart] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<netproof on {self.cni}>"

    def deploy(self, world: Topology | Path | str) -> None:
        """Make these pods, Services and peers outside be there, without policies. `world`: a service map (a file), the
        name of a topology of the catalogue (`grid`), or a Topology. Raises InputError."""
        self._policies.clear()
        self._answers.clear()
        if isinstance(world, Topology):
            self._topology, self._probes = world, tuple(_everybody(world))
        elif isinstance(world, Path) or world.endswith((".yaml", ".yml", ".json")):
            plan = charts.map_plan(Path(world))
            self._topology, self._probes = plan.topology, tuple(plan.intended("both").cells)
        else:
            self._topology = topologies.load_topology(world)
            self._probes = tuple(_everybody(self._topology))

    def apply(self, *manifests: Manifest | Path | str) -> None:
        """Apply policies beside those that are in force: files, folders, or manifests as mappings. One of the same kind
        and name replaces the other. Raises InputError."""
        self._answers.clear()
        for given in manifests:
            for manifest in [given] if isinstance(given, Mapping) else [o.content for o in read_objects(given)]:
                self._policies[_reference(manifest)] = manifest

    def delete(self, kind: str, name: str) -> None:
        """Delete a policy that `apply` applied; `name` is `namespace/name`. Raises InputError."""
        reference = f"{kind} {name}"
        if reference not in self._policies:
            raise InputError(f"{reference} is not in force; {suggest(reference, self._policies)}")
        self._answers.clear()
        del self._policies[reference]

    def connects(
        self,
        source: str,
        destination: str,
        port: int,
        protocol: ProbeProtocol = "TCP",
        *,
        via: Via | None = None,
        family: Family = 4,
    ) -> Answer:
        """Whether the source connects to the destination's port now. Both are endpoint ids: `namespace/name` of a pod,
        `svc:namespace/name`, `external:name`, `node:0`. `via`: how the destination is dialled; without it a Service by
        its address, all else directly. Raises Unmeasured when that could not be measured, and InputError."""
        via = via or self._choose_via(source, destination)
        probe = Probe(source=source, destination=destination, port=port, protocol=protocol, via=via, family=family)
        self._check_port(probe)
        if probe not in self._answers:
            self._measure(probe)
        cell = self._answers[probe]
        if cell.measured is Measured.UNMEASURED:
            raise Unmeasured(f"{self.cni}: {probe} could not be measured: {cell.note or 'no reason was given'}")
        return Answer(cell)

    def matrix(self) -> Matrix[Measured]:
        """Who connects to whom now: every pod to every pod on its ports, or all paths that a service map asks about.
        Raises InputError before `deploy`."""
        missing = [probe for probe in self._need_topology()[1] if probe not in self._answers]
        if missing:
            self._measure(missing[0])
        return Matrix({probe: cell.measured for probe, cell in self._answers.items()})

    def finish(self) -> None:
        """Fail the test where the CNI did otherwise than the policies say, whatever was asserted."""
        if wrong := [part for part in self._parts if part.scenario.result == "failed"]:
            pytest.fail("\n".join(render_part(part) for part in wrong), pytrace=False)

    def _need_topology(self) -> tuple[Topology, tuple[Probe, ...]]:
        if self._topology is None:
            raise InputError("nothing is deployed: call netproof.deploy(SERVICE MAP or TOPOLOGY) first")
        return self._topology, self._probes

    def _choose_via(self, source: str, destination: str) -> Via:
        topology, _ = self._need_topology()
        services = {service.id: service for service in topology.services}
        for name, known in ((source, [*topology.endpoints()]), (destination, [*topology.endpoints(), *services])):
            if name not in known:
                raise InputError(f"nobody is called {name!r} in what is deployed; {suggest(name, known)}")
        return "service" if destination in services else "pod" if topology.pod(destination) else "address"

    def _check_port(self, probe: Probe) -> None:
        ports = _ports_of(self._need_topology()[0], probe.destination)
        if ports and (probe.port, probe.protocol) not in ports and probe.protocol != "ICMP":
            known = ", ".join(f"{number}/{word}" for number, word in ports)
            raise InputError(f"{probe.destination} does not listen on {probe.port}/{probe.protocol}, but on {known}")

    def _measure(self, asked: Probe) -> None:
        topology, probes = self._need_topology()
        policies = tuple(self._policies.values())
        cells = dict.fromkeys((*probes, *self._answers, asked), Intent.UNSTATED)
        step = Step(name="applied", policies=policies, applied=policies, topology=topology, intended=Matrix(cells))
        number = len(self._parts) + 1
        scenario = Scenario(
            id=name_scenario(self.name, self.cni) + (f"-{number}" if number > 1 else ""),
            claim=f"What {self.name} asks about.",
            source=self.name,
            topology=topology,
            steps=(step,),
            documented=Reviews(fault="policy"),
            select=self.name.rpartition("[")[0] or self.name,
        )
        turn = Turn(cni=self.cni, session=self.session, scenario=scenario, order=AFTER_SCENARIOS + number)
        try:
            part = self.measuring.session(turn).measure(scenario, turn.order)
        except NetproofError as error:
            self.measuring.failed(error, f"{self.cni}: {error}")
            if not isinstance(error, InputError):
                pytest.skip(f"NOT AVAILABLE: {str(error).splitlines()[0]}")
            raise
        if part.scenario.result == "skipped":
            pytest.skip(part.scenario.reason)
        self._parts.append(part)
        self._answers = {cell.probe: cell for cell in part.cells}


def open_netproof(request: pytest.FixtureRequest) -> Iterator[Netproof]:
    """What the fixture gives a test, and what it checks afterwards."""
    measuring = request.config.stash.get(MEASURING, None)
    if measuring is None:
        pytest.fail(
            "the fixture netproof needs to know where to measure: run pytest with --cni NAME (for example "
            "--cni reference)",
            pytrace=False,
        )
    asking = Netproof(cni=request.param, session=request.session, measuring=measuring, name=request.node.nodeid)
    yield asking
    asking.finish()


def _everybody(topology: Topology) -> Iterable[Probe]:
    """Every pod to every other pod, Service and peer outside, and every peer outside to every pod, on their ports;
    SCTP, which many machines lack, only where a test asks for it."""
    pods = [pod.id for pod in topology.pods]
    outside = [external.id for external in topology.externals]
    for destination in (*pods, *(service.id for service in topology.services), *outside):
        via: Via = "service" if destination.startswith("svc:") else "pod" if destination in pods else "address"
        for source in (*pods, *(outside if destination in pods else ())):
            for port, protocol in _ports_of(topology, destination) if source != destination else ():
                if protocol != "SCTP":
                    yield Probe(source=source, destination=destination, port=port, protocol=protocol, via=via)


def _ports_of(topology: Topology, endpoint: str) -> Sequence[tuple[int, ProbeProtocol]]:
    """What an endpoint listens on; nothing where that is not known, as of nodes."""
    everyone: list[Any] = [*topology.pods, *topology.services, *topology.externals]
    found = next((one for one in everyone if one.id == endpoint), None)
    return [(port.port, port.protocol) for port in found.ports] if found else []


def _reference(manifest: Manifest) -> str:
    metadata = manifest.get("metadata") or {}
    names = (metadata.get("namespace"), metadata.get("name"))
    return f"{manifest.get('kind')} {'/'.join(str(name) for name in names if name)}"


def name_scenario(name: str, cni: str) -> str:
    """A test's node id as a scenario's id: `test_shop.py::test_ui[calico]` is `test-shop-test-ui`."""
    path, _, test = name.partition("::")
    test, _, parameters = test.removesuffix("]").partition("[")
    others = f"-{parameters}-".replace(f"-{cni}-", "-", 1)
    return re.sub(r"[^a-z0-9]+", "-", f"{Path(path).stem}-{test}{others}".lower()).strip("-")
