"""One CNI's run: bring it up, deploy, pre-flight, baseline, then scenario after scenario. Sees all rooms.

A controller makes a `Session` and starts it. xdist workers make one that attaches to the controller's cluster.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness import preflight, recipes, reviews
from harness.drivers import Driver, DriverOptions, Environment, Manifest, Say, create
from harness.errors import ClusterError, NetproofError
from harness.judging import Judged, judge_step, wanted
from harness.model import Measured, Placement, Probe, Topology
from harness.policy import Evaluator, read_policies
from harness.policy import warnings as policy_warnings
from harness.probing import Fleet, Round, Rounds, Settled, settle
from harness.probing.rounds import adaptive_timeout
from harness.progress import Progress
from harness.recipes import Recipe, Wanted
from harness.relocated import Relocated
from harness.report.record import EnvironmentRecord, PreflightCheck, ScenarioResult, StepResult, Target
from harness.report.store import ScenarioPart, Store, TargetPart
from harness.scenarios import Scenario, Step

BASELINE_ROUNDS = 2
"""The first round fills neighbour and conntrack tables; time-outs are taken from the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the user asked for, the same for every CNI of a run."""

    run_id: str
    token: str
    report_dir: Path
    command: str = ""
    artifacts: str = ""
    reuse_cluster: str = ""
    keep_cluster: str = "never"
    fault: str = ""
    worker: str = ""


@dataclass(slots=True)
class _Deployed:
    """A topology in place: its rounds, its time-out for silence, and whether policies may still be in force."""

    rounds: Rounds
    timeout: float
    denied: set[Probe] = field(default_factory=set)


class Session:
    """One CNI in one process. Not thread-safe."""

    def __init__(self, wanted_cni: Wanted, order: int, options: RunOptions, progress: Progress) -> None:
        self.recipe: Recipe = recipes.load(wanted_cni)
        self.cni = wanted_cni.name + (f"@{wanted_cni.version}" if wanted_cni.version else "")
        self.failed = False
        self.error: NetproofError | None = None
        self.checks: list[PreflightCheck] = []
        self.environment: Environment | None = None
        self._options, self._progress, self._order = options, progress, order
        self._store = Store(options.report_dir)
        self._known = reviews.load(
            recipes.recipe_path(wanted_cni.name).parent / "known-differences.yaml", "cni", self.recipe.version
        )
        driver_options = DriverOptions(
            run_id=options.run_id,
            worker=options.worker,
            reuse_cluster=options.reuse_cluster,
            artifacts=options.artifacts,
            fault=options.fault,
            token=options.token,
        )
        driver = create(self.recipe, driver_options)
        self._driver: Driver = Relocated(driver, options.worker) if options.worker else driver
        self._fleet = Fleet(self._driver.open)
        self._placed: list[tuple[Topology, Placement]] = []
        self._deployed: dict[str, _Deployed] = {}
        self._capabilities: dict[str, str] = {}
        self._dirty = False

    def start(self) -> None:
        """Bring the cluster up. Raises ClusterError, InputError."""
        with self._guarded(), self._progress.phase(f"{self.recipe.title}: cluster") as say:
            self.environment = self._driver.start(say)

    def handle(self) -> Mapping[str, str]:
        """What a worker needs to attach."""
        return self._driver.handle()

    def attach(self, handle: Mapping[str, str]) -> None:
        """Use the controller's cluster."""
        with self._guarded():
            self.environment = self._driver.attach(handle)

    def prepare(self, topologies: Sequence[Topology]) -> None:
        """Deploy the canaries and all topologies that fit together, then run the pre-flight. Raises NotEnforced."""
        together = preflight.TOPOLOGY
        for topology in topologies:
            together = _merged(together, topology) or together
        with self._guarded():
            with self._progress.phase(f"probe pods ({len(together.pods)})") as say:
                self._place(together, say)
            with self._progress.phase("pre-flight"):
                self._preflight()
        self.save()

    def _preflight(self) -> None:
        rounds = Rounds(preflight.TOPOLOGY, self._placement(preflight.TOPOLOGY), self._fleet)
        settings = self.recipe.settle
        probes = preflight.probes()
        first = self._baseline(rounds, probes)
        self._capabilities = preflight.capabilities(first)
        if self._capabilities["TCP"] != "yes":
            raise ClusterError(f"the canary pods cannot reach each other by TCP: {self._capabilities['TCP']}")
        usable = preflight.probes(self._capabilities)
        timeout = adaptive_timeout(first.connect_ms(), settings.floor, settings.ceiling)
        expected = preflight.expected(self._capabilities)
        changed_at = time.monotonic()
        self._driver.apply(preflight.POLICIES)
        settled = settle(
            lambda train: rounds.ask(usable, timeout, train),
            settings,
            agrees=lambda measured: measured == expected,
            changed_at=changed_at,
        )
        self._driver.reset()
        self.checks = preflight.checks(settled, self._capabilities)
        preflight.judge(self.recipe, self.checks, settled)

    def missing(self, scenario: Scenario) -> str:
        """Why a scenario cannot run here, or ''."""
        known: dict[str, Any] = {**self._capabilities, "nodes:2": self._nodes() > 1 or "one node only"}
        lacks = [
            f"{need}: {known.get(need, 'unknown')}" for need in scenario.needs if known.get(need) not in ("yes", True)
        ]
        return f"needs {'; '.join(lacks)}" if lacks else ""

    def _nodes(self) -> int:
        return len(self.environment.nodes) if self.environment else 0

    def measure(self, scenario: Scenario, order: int) -> ScenarioPart:
        """Measure one scenario and keep its result on disk. Raises NetproofError when the harness itself failed."""
        began = time.monotonic()
        if reason := self.missing(scenario):
            return self._keep(scenario, order, began, [], [], result="skipped", reason=reason)
        judged: list[Judged] = []
        steps: list[StepResult] = []
        try:
            deployed = self._ready(scenario)
            applied: list[Manifest] = []
            for step in scenario.steps:
                applied += step.manifests
                found, settled = self._measure_step(scenario, step, applied, deployed)
                judged.append(found)
                steps.append(_step_result(step, settled, deployed.timeout))
                if settled.interrupted:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            self._keep(scenario, order, began, judged, steps, result="interrupted", reason="interrupted")
            raise
        except NetproofError as error:
            self._keep(scenario, order, began, judged, steps, result="error", reason=str(error))
            raise
        undeclared = [cell for part in judged for cell in part.undeclared]
        stale = [line for part in judged for line in part.stale]
        unmeasured = [c for part in judged for c in part.cells if c.measured is Measured.UNMEASURED]
        reasons = []
        if undeclared:
            reasons.append(f"{len(undeclared)} cells differ and nothing declares them")
        if stale:
            reasons.append(f"{len(stale)} declared differences did not happen")
        result = "failed" if reasons else "error" if unmeasured else "passed"
        if unmeasured:
            reasons.append(f"{len(unmeasured)} cells could not be measured")
        part = self._keep(scenario, order, began, judged, steps, result=result, reason="; ".join(reasons))
        if result != "passed":
            self.failed = True
            self._save_evidence(scenario)
        return part

    def _measure_step(
        self, scenario: Scenario, step: Step, applied: Sequence[Manifest], deployed: _Deployed
    ) -> tuple[Judged, Settled]:
        rounds = deployed.rounds
        evaluator = Evaluator(read_policies(applied), rounds.topology, rounds.placement)
        probes = list(step.intended)
        decisions = {probe: evaluator.decide(probe) for probe in probes}
        goal = wanted(decisions, self._known, scenario.id, step.name)
        changed_at = time.monotonic()
        self._dirty = True
        self._driver.apply(step.manifests)
        settled = settle(
            lambda train: rounds.ask(probes, deployed.timeout, train),
            self.recipe.settle,
            agrees=lambda measured: all(measured[probe] is value for probe, value in goal.items()),
            changed_at=changed_at,
        )
        deployed.denied |= {p for p, r in settled.readings.items() if r.measured is not Measured.CONNECTED}
        reviewed = (scenario.documented, self._known)
        return judge_step(scenario, step, decisions, settled, reviewed, reproduce=self._by_hand), settled

    def _by_hand(self, probe: Probe, host: str) -> str:
        return self._driver.reproduce(probe.source, host, probe.port, probe.protocol)

    def _ready(self, scenario: Scenario) -> _Deployed:
        """The scenario's topology in place, free of policies, with a baseline of every probe."""
        topology = scenario.topology
        probes = list(dict.fromkeys(probe for step in scenario.steps for probe in step.intended))
        key = repr(topology)
        if self._dirty:
            self._driver.reset()
            self._dirty = False
            for deployed in self._deployed.values():
                self._restored(deployed)
        if key not in self._deployed:
            if not any(_covers(placed, topology) for placed, _ in self._placed):
                with self._progress.phase(f"probe pods ({len(topology.pods)})") as say:
                    self._place(topology, say)
            self._deployed[key] = _Deployed(
                rounds=Rounds(topology, self._placement(topology), self._fleet), timeout=self.recipe.settle.ceiling
            )
        deployed = self._deployed[key]
        fresh = [probe for probe in probes if probe not in deployed.rounds.connected_before]
        if fresh:
            with self._progress.phase(f"baseline without policies ({len(fresh)} cells)"):
                last = self._baseline(deployed.rounds, fresh)
            settings = self.recipe.settle
            deployed.timeout = adaptive_timeout(last.connect_ms(), settings.floor, settings.ceiling)
        return deployed

    def _restored(self, deployed: _Deployed) -> None:
        """See that what policies denied connects again; what does not is no longer vouched for by the baseline."""
        if deployed.denied:
            deployed.rounds.connected_before -= deployed.denied
            self._baseline(deployed.rounds, deployed.denied, timeout=deployed.timeout, at_least=1)
            deployed.denied.clear()

    def _baseline(
        self,
        rounds: Rounds,
        probes: Collection[Probe],
        *,
        timeout: float | None = None,
        at_least: int = BASELINE_ROUNDS,
    ) -> Round:
        """Rounds without policies until every probe connected once, or the CNI's settle limit has passed."""
        settings = self.recipe.settle
        began = time.monotonic()
        asked = 0
        while True:
            (current,) = rounds.ask(probes, timeout or settings.ceiling, baseline=True)
            asked += 1
            rounds.connected_before |= {p for p, r in current.readings.items() if r.measured is Measured.CONNECTED}
            missing = [
                p
                for p, r in current.readings.items()
                if r.measured is not Measured.CONNECTED and not _hopeless(r.detail)
            ]
            late = time.monotonic() - began > settings.limit
            if asked >= at_least and (late or all(p in rounds.connected_before for p in missing)):
                return current

    def _place(self, topology: Topology, say: Say) -> None:
        self._placed.append((topology, self._driver.deploy(topology, say)))

    def _placement(self, topology: Topology) -> Placement:
        return next(placement for placed, placement in reversed(self._placed) if _covers(placed, topology))

    def _keep(
        self,
        scenario: Scenario,
        order: int,
        began: float,
        judged: Iterable[Judged],
        steps: list[StepResult],
        *,
        result: Any,
        reason: str,
    ) -> ScenarioPart:
        judged = list(judged)
        known = policy_warnings(read_policies([m for s in scenario.steps for m in s.manifests]), scenario.topology)
        part = ScenarioPart(
            cni=self.cni,
            order=order,
            scenario=ScenarioResult(
                id=scenario.id,
                claim=scenario.claim,
                source=scenario.source,
                result=result,
                reason=reason,
                duration_s=round(time.monotonic() - began, 3),
                steps=steps,
                manifests=scenario.policies_text(),
                values=scenario.values,
                warnings=[*scenario.warnings, *known],
                reproduce=self._reproduce(scenario),
            ),
            cells=[cell for part in judged for cell in part.cells],
            reviewed=[entry for part in judged for entry in part.reviewed],
        )
        self._store.put_scenario(part)
        return part

    def _reproduce(self, scenario: Scenario) -> str:
        again = f" --reuse-cluster {self.environment.cluster}" if self.environment and self.environment.cluster else ""
        fault = f" --fault {shlex.quote(self._options.fault)}" if self._options.fault else ""
        return f"pytest --cni {self.cni} {scenario.select}{fault}{again}"

    def _save_evidence(self, scenario: Scenario) -> None:
        folder = self._options.report_dir / "evidence" / self.cni / scenario.id
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "policies.yaml").write_text(scenario.policies_text(), encoding="utf-8")
        for name, text in self._driver.evidence().items():
            (folder / name).write_text(text, encoding="utf-8")

    def save(self) -> None:
        """Keep what is known of this CNI besides its scenarios."""
        environment = None
        if self.environment is not None:
            environment = EnvironmentRecord.model_validate(_plain(asdict(self.environment)))
        target = Target(
            cni=self.cni,
            title=self.recipe.title,
            environment=environment,
            capabilities=self._capabilities,
            preflight=self.checks,
            phases=list(self._progress.phases),
            error=str(self.error) if self.error else "",
            error_code=self.error.exit_code if self.error else None,
        )
        self._store.put_target(TargetPart(order=self._order, process=self._options.worker, target=target))

    def close(self) -> None:
        """Remove what this run created, or keep it as the user asked. Never raises for what is gone already."""
        self._fleet.close()
        keep = self._options.keep_cluster
        with self._progress.phase("clean-up"):
            self._driver.stop(keep=keep == "always" or (keep == "on-failure" and (self.failed or bool(self.error))))
        self.save()

    def _guarded(self) -> _Guard:
        return _Guard(self)


class _Guard:
    """Keeps an error of a phase in the target's record, whoever ends the run with it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, NetproofError):
            self._session.error = error
            self._session.save()


def _step_result(step: Step, settled: Settled, timeout: float) -> StepResult:
    return StepResult(
        name=step.name,
        rounds=settled.rounds,
        first_correct_s=settled.first_correct_s,
        settled_after_s=settled.settled_after_s,
        flaps=settled.flaps,
        round_s=settled.round_s,
        timeout_s=round(timeout, 3),
    )


def _hopeless(detail: str) -> bool:
    """The machine cannot do this at all: no use waiting for it."""
    return detail.startswith("no ") and "socket" in detail


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _covers(placed: Topology, wanted_topology: Topology) -> bool:
    return all(
        set(map(repr, getattr(wanted_topology, part))) <= set(map(repr, getattr(placed, part)))
        for part in ("namespaces", "pods", "services", "externals", "nodes")
    )


def _merged(first: Topology, second: Topology) -> Topology | None:
    """Both topologies as one, or None when they give one name two meanings."""
    parts: dict[str, Any] = {}
    for part in ("namespaces", "pods", "services", "externals", "nodes"):
        by_id = {getattr(item, "id", getattr(item, "name", "")): item for item in getattr(first, part)}
        for item in getattr(second, part):
            if by_id.setdefault(getattr(item, "id", getattr(item, "name", "")), item) != item:
                return None
        parts[part] = tuple(by_id.values())
    return Topology(**parts)
