"""One CNI's run: bring it up, deploy, pre-flight, baseline, then scenario after scenario. Sees all rooms.

A controller makes a `Session` and starts it. xdist workers make one that attaches to the controller's cluster.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from netproof.catalogue.scenarios import Scenario, Step
from netproof.clusters import recipes, reviews
from netproof.clusters.recipes import CniVersion, Recipe
from netproof.drivers import Driver, DriverOptions, Environment, create
from netproof.errors import ClusterError, InputError, NetproofError, OwnFault
from netproof.manifests.data_dirs import display_path
from netproof.model import Measured, Probe, Specified, Topology
from netproof.model.placement import place_on_paper
from netproof.policy import Decision, read_policies
from netproof.policy import warnings as policy_warnings
from netproof.probing import Settled
from netproof.report.record import Cell, EnvironmentRecord, PreflightCheck, ScenarioResult, StepResult, Target, Variant
from netproof.report.store import ScenarioPart, Store, TargetPart
from netproof.report.writer import write_file
from netproof.run import preflight
from netproof.run.deployment import Deployment, Place, changes, merge
from netproof.run.progress import Progress
from netproof.verdicts.judging import Judged, as_specified, decide, expect_measured, judge_step
from netproof.wording import count

SHARE = 2
"""Workers probe at the same time: each sends this much slower."""


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


class Session:
    """One CNI in one process. Not thread-safe."""

    def __init__(self, wanted_cni: CniVersion, order: int, options: RunOptions, progress: Progress) -> None:
        self.recipe: Recipe = recipes.load(wanted_cni)
        self.cni = wanted_cni.name + (f"@{wanted_cni.version}" if wanted_cni.version else "")
        self.failed = False
        self.error: NetproofError | None = None
        self.checks: list[PreflightCheck] = []
        self.environment: Environment | None = None
        self._options, self._progress, self._order = options, progress, order
        self._store = Store(options.report_dir)
        self._known = reviews.load_all(recipes.known_differences(self.recipe), "cni", self.recipe.version)
        driver_options = DriverOptions(
            run_id=options.run_id,
            worker=options.worker,
            reuse_cluster=options.reuse_cluster,
            artifacts=options.artifacts,
            fault=options.fault,
            token=options.token,
        )
        self._driver: Driver = create(self.recipe, driver_options)
        self._deployment = Deployment(self._driver, self.recipe.settle, share=SHARE if options.worker else 1)
        self._capabilities: dict[str, str] = {}
        self._lost = ""

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

    def prepare(
        self, topologies: Sequence[Topology], later: Sequence[Topology] = (), first: Scenario | None = None
    ) -> None:
        """Deploy the canaries and all topologies that fit together, then run the pre-flight, and beside it, on other
        pods, what of the `first` scenario needs no policies. Those of `later` are deployed when they are needed. Raises
        NotEnforced."""
        together = preflight.TOPOLOGY
        for topology in topologies if self.recipe.enforces else ():
            together = merge(together, topology) or together
        for topology in later:
            # Peers outside are few, and one that gets more ports has to start again.
            together = merge(together, Topology(externals=topology.externals)) or together
        with self._guarded():
            with self._progress.phase(f"probe pods ({len(together.pods)})") as say:
                self._deployment.deploy(together, say)
            with self._progress.phase("pre-flight"), self._beginning(first):
                self._preflight()
        self.save()

    @contextmanager
    def _beginning(self, first: Scenario | None) -> Iterator[None]:
        if first is None or not self._deployment.has(first.topology):
            yield
            return
        place = self._deployment.place(first.topology)
        self._deployment.renew_held(place)
        pool = ThreadPoolExecutor(1, thread_name_prefix="netproof-baseline")
        try:
            begun = pool.submit(self._begin, first, place)
            yield
            begun.result()
        finally:
            # Who ends the run meanwhile does not wait for it: it ends with the streams.
            pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, first: Scenario, place: Place) -> None:
        """The baseline of a scenario, and its first step where that changes nothing: judged when it has its turn."""
        self._deployment.warm(place, _probes(first))
        step = first.steps[0]
        if not changes(place, step):
            decisions = decide(step, place.rounds.placement)
            self._deployment.begin(place, list(decisions), expect_measured(decisions, self._known, first.id, step.name))

    def _preflight(self) -> None:
        done = preflight.examine(self._deployment)
        self._capabilities, self.checks = dict(done.capabilities), done.checks
        preflight.judge(self.recipe, self.checks, done.settled)

    def missing(self, scenario: Scenario) -> str:
        """Why a scenario cannot run here, or ''."""
        known: dict[str, Any] = {
            **self._capabilities,
            "API server": self.recipe.driver == "kind" or "the reference dataplane has none",
            "nodes:2": self._nodes() > 1 or "one node only",
            "IPv6": (self.environment is not None and 6 in self.environment.families) or "pods have no IPv6 address",
        }
        if foreign := self.recipe.not_enforced(m for step in scenario.steps for m in step.applied):
            return foreign
        lacks = [
            f"{need}: {known.get(need, 'unknown')}" for need in scenario.needs if known.get(need) not in ("yes", True)
        ]
        return f"needs {'; '.join(lacks)}" if lacks else ""

    def _nodes(self) -> int:
        return len(self.environment.nodes) if self.environment else 0

    def measure(self, scenario: Scenario, order: int) -> ScenarioPart:
        """Measure one scenario and keep its result on disk. Raises NetproofError when the harness itself failed."""
        began = time.monotonic()
        if self._lost:
            self.error = ClusterError(f"the rest was not tried, the cluster does not answer any more: {self._lost}")
            self.save()
            raise self.error
        if reason := self.missing(scenario):
            return self._keep(scenario, order, began, [], [], result="skipped", reason=reason)
        judged: list[Judged] = []
        steps: list[StepResult] = []
        decisions: dict[Probe, Decision] = {}
        try:
            place = self._ready(scenario)
            scenario = scenario.fill(place.rounds.placement)
            for change in scenario.steps:
                changed_at = self._deployment.change(place, change)
                decisions = decide(change, place.rounds.placement, decisions)
                step = as_specified(change, decisions) if scenario.draft else change
                found, settled = self._measure_step(scenario, step, place, decisions, changed_at)
                judged.append(found)
                steps.append(_step_result(step, settled, place.timeout))
                if settled.interrupted:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            self._keep(scenario, order, began, judged, steps, result="interrupted", reason="interrupted")
            raise
        except Exception as error:
            self._keep(scenario, order, began, judged, steps, result="error", reason=str(OwnFault.of(error)))
            if isinstance(error, ClusterError):
                self._lost = self._driver.lost()
            raise
        undeclared = [cell for part in judged for cell in part.undeclared]
        stale = [line for part in judged for line in part.stale]
        unmeasured = [c for part in judged for c in part.cells if c.measured is Measured.UNMEASURED]
        reasons = []
        if undeclared:
            reasons.append(f"{count(len(undeclared), 'cell', 'differ')}, declared by nothing")
        if stale:
            reasons.append(f"{count(len(stale), 'declared difference')} did not happen")
        result = "failed" if reasons else "error" if unmeasured else "passed"
        if unmeasured:
            reasons.append(f"{count(len(unmeasured), 'cell')} could not be measured")
        part = self._keep(scenario, order, began, judged, steps, result=result, reason="; ".join(reasons))
        if result != "passed":
            self.failed = True
            self._save_evidence(part)
        if undeclared and scenario.draft:
            smaller = part.scenario.model_copy(update=self._shrunk(scenario, undeclared))
            part = part.model_copy(update={"scenario": smaller})
            self._store.put_scenario(part)
        return part

    def _shrunk(self, scenario: Scenario, wrong: Sequence[Cell]) -> dict[str, str]:
        """A generated scenario's disagreement made minimal on this CNI, and saved as a scenario file that replays."""
        from netproof.generate import minimal

        with self._progress.phase(f"{scenario.id}: shrinking"):
            path, told = minimal.find(
                scenario, wrong, self.disagrees, folder=self._options.report_dir / "generated", cni=self.cni
            )
        self._progress.write(f"   {told}")
        replay = self._reproduce(replace(scenario, select=f"--scenario-set={shlex.quote(display_path(path))}"))
        return {"reason": told, "reproduce": replay}

    def disagrees(self, scenario: Scenario, probe: Probe, specified: Specified, *, late: float, at_most: float) -> bool:
        """Whether a probe of the last step is specified so and measured otherwise, after `at_most` seconds if the CNI's
        settle limit is later. It once did so `late` seconds after the step's change: for so long an agreement says
        nothing. What is specified otherwise, and what the API server refuses, does not disagree. Raises NetproofError
        when nothing can be measured any more."""
        hold = late + self.recipe.settle.seconds
        place = self._ready(scenario)
        try:
            scenario = scenario.fill(place.rounds.placement)
            decisions: list[dict[Probe, Decision]] = []
            for step in scenario.steps:
                decisions.append(decide(step, place.rounds.placement, decisions[-1] if decisions else None))
            if decisions[-1][probe].specified is not specified:
                return False
            settled = None
            for step, decided in zip(scenario.steps, decisions, strict=True):
                changed_at = self._deployment.change(place, step)
                goal = expect_measured(decided, self._known, scenario.id, step.name)
                settled = self._deployment.settle(place, list(decided), goal, changed_at, at_most=at_most, hold=hold)
                if settled.interrupted:
                    raise KeyboardInterrupt
        except InputError:
            return False
        measured = settled.readings[probe].measured if settled else Measured.UNMEASURED
        return measured is not Measured.UNMEASURED and measured.value != specified.value

    def keep_on_paper(self, scenario: Scenario, order: int) -> None:
        """Where nothing can be measured: keep what the policies mean against what was meant, marked as such."""
        began = time.monotonic()
        decisions: dict[Probe, Decision] = {}
        judged = []
        for change in scenario.fill(place_on_paper(scenario.topology)).steps:
            decisions = decide(change, place_on_paper(change.topology), decisions)
            step = as_specified(change, decisions) if scenario.draft else change
            nothing = Settled.nothing(decisions, f"{self.cni} is not available here")
            judged.append(judge_step(scenario, step, decisions, nothing, (), reproduce=lambda probe, host: ""))
        self._keep(scenario, order, began, judged, [], result="error", reason=f"{self.cni} is not available here")

    def _measure_step(
        self, scenario: Scenario, step: Step, place: Place, decisions: Mapping[Probe, Decision], changed_at: float
    ) -> tuple[Judged, Settled]:
        goal = expect_measured(decisions, self._known, scenario.id, step.name)
        settled = self._deployment.settle(place, list(decisions), goal, changed_at)
        wrong = any(settled.readings[p].measured not in (value, Measured.UNMEASURED) for p, value in goal.items())
        if wrong and (why := self._driver.disturbed()):
            # Whatever disagrees now may say nothing of the CNI.
            settled = settled.doubt(why)
        reviewed = (scenario.documented, self._known)
        return judge_step(scenario, step, decisions, settled, reviewed, reproduce=self._by_hand), settled

    def _by_hand(self, probe: Probe, host: str) -> str:
        return self._driver.reproduce(probe.source, host, probe.port, probe.protocol)

    def _ready(self, scenario: Scenario) -> Place:
        """The scenario's topology in place, free of policies, with a baseline of every probe."""
        probes = _probes(scenario)
        if gone := self._deployment.gone:
            with self._progress.phase(f"making anew what is gone: {', '.join(gone)}") as say:
                self._deployment.heal(say)
        if not self._deployment.has(scenario.topology):
            with self._progress.phase(f"probe pods ({len(scenario.topology.pods)})") as say:
                self._deployment.deploy(scenario.topology, say)
        place = self._deployment.place(scenario.topology)
        self._deployment.renew_held(place)
        fresh = [probe for probe in probes if probe not in place.rounds.connected_before]
        if fresh and place.is_cold:
            with self._progress.phase(f"baseline without policies ({count(len(fresh), 'cell')})"):
                self._deployment.warm(place, fresh)
        elif fresh:
            self._deployment.warm(place, fresh)
        return place

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
        steps_on_paper = scenario.fill(place_on_paper(scenario.topology)).steps
        known = policy_warnings(read_policies([m for s in steps_on_paper for m in s.applied]), scenario.topology)
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
                variant=Variant(of=scenario.variant_of, engine=scenario.engine) if scenario.engine else None,
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

    def _save_evidence(self, part: ScenarioPart) -> None:
        """While the policies are in force: what was applied, the matrix, what the CNI says, and how to repeat it."""
        folder = self._options.report_dir / "evidence" / self.cni / part.scenario.id
        wrong = [cell for cell in part.cells if not cell.accepted or cell.measured is Measured.UNMEASURED]
        files = {
            "policies.yaml": part.scenario.manifests,
            "matrix.json": json.dumps([cell.model_dump(mode="json") for cell in part.cells], indent=1),
            "reproduce.sh": _script(self.environment, wrong),
            **self._seen(),
        }
        for name, text in files.items():
            write_file(folder / name, text)

    def _seen(self) -> Mapping[str, str]:
        try:
            return self._driver.evidence()
        except NetproofError as error:
            return {"none.txt": f"{error}\n"}

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
        self._deployment.close()
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
        if isinstance(error, Exception):
            self._session.error = OwnFault.of(error)
            self._session.save()


def _probes(scenario: Scenario) -> list[Probe]:
    return list(dict.fromkeys(probe for step in scenario.steps for probe in step.intended))


def _script(environment: Environment | None, wrong: Sequence[Cell]) -> str:
    """A shell script that applies a scenario's policies on a kept cluster and repeats the probes that went wrong."""
    lines = ["#!/bin/sh", "# Repeats by hand what went wrong, on a kept cluster (--keep-cluster on-failure).", "set -u"]
    if environment is not None and environment.cluster:
        lines.append(
            f'kubectl --kubeconfig "$(netproof clusters kubeconfig {environment.cluster})" apply -f policies.yaml'
        )
    for cell in wrong:
        lines += ["", f"# {cell.source} to {cell.destination}:{cell.port}/{cell.protocol}: measured {cell.measured}"]
        lines.append(cell.reproduce or "# no command repeats this probe")
    return "\n".join(lines) + "\n"


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


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
