"""The life of one CNI in a run: its cluster is brought up or attached to, prepared, measured scenario after scenario,
and closed.

A controller makes a `Session` and starts it. xdist workers make one that attaches to the controller's cluster.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from netproof.catalogue.scenarios import Scenario
from netproof.clusters import recipes, reviews
from netproof.clusters.recipes import CniVersion, Recipe
from netproof.drivers import Driver, DriverOptions, create
from netproof.errors import ClusterError, NetproofError, OwnFault
from netproof.model import Topology
from netproof.report.record import PreflightCheck
from netproof.report.store import ScenarioPart
from netproof.run import preflight
from netproof.run.deployment import Deployment, merge
from netproof.run.measurement import MeasuredStep, Measurement
from netproof.run.needs import explain_missing
from netproof.run.progress import Progress
from netproof.run.recorder import Recorder
from netproof.run.run_options import RunOptions
from netproof.run.shrinker import Shrinker
from netproof.verdicts.on_paper import judge_unmeasured
from netproof.verdicts.results import Result, sum_up

__all__ = ["RunOptions", "Session", "label"]

SHARE = 2
"""Workers probe at the same time: each sends this much slower."""


class Session:
    """One CNI in one process. Not thread-safe. `error` ended its life before its time."""

    def __init__(self, wanted_cni: CniVersion, order: int, options: RunOptions, progress: Progress) -> None:
        self.recipe: Recipe = recipes.load(wanted_cni)
        self.cni = label(wanted_cni.name, wanted_cni.version)
        self.failed = False
        self.error: NetproofError | None = None
        self._options, self._progress = options, progress
        self._driver = self._make_driver()
        settle = self.recipe.settle
        self._deployment = Deployment(self._driver, settle, share=SHARE if options.worker else 1)
        known = reviews.load_all(recipes.known_differences(self.recipe), "cni", self.recipe.version)
        self.measurement = Measurement(self._driver, self._deployment, known, progress)
        self._recorder = Recorder(self.cni, self.recipe.title, order, options)
        self.shrinker = Shrinker(
            measurement=self.measurement,
            progress=progress,
            cni=self.cni,
            hold=settle.seconds,
            folder=options.report_dir / "generated",
            reproduce=self._recorder.reproduce,
        )
        self._checks: Sequence[PreflightCheck] = ()
        self._capabilities: Mapping[str, str] = {}
        self._lost = ""
        """Why nothing can be measured any more."""

    def _make_driver(self) -> Driver:
        options = self._options
        driver_options = DriverOptions(
            run_id=options.run_id,
            worker=options.worker,
            reuse_cluster=options.reuse_cluster,
            artifacts=options.artifacts,
            fault=options.fault,
            token=options.token,
        )
        return create(self.recipe, driver_options)

    def start(self) -> None:
        """Bring the cluster up. Raises ClusterError, InputError."""
        with self._keeping_errors(), self._progress.phase(f"{self.recipe.title}: cluster") as say:
            self._recorder.environment = self._driver.start(say)

    def handle(self) -> Mapping[str, str]:
        """What a worker needs to attach."""
        return self._driver.handle()

    def attach(self, handle: Mapping[str, str]) -> None:
        """Use the controller's cluster."""
        with self._keeping_errors():
            self._recorder.environment = self._driver.attach(handle)

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
        with self._keeping_errors():
            with self._progress.phase(f"probe pods ({len(together.pods)})") as say:
                self._deployment.deploy(together, say)
            with self._progress.phase("pre-flight"), self.measurement.begin(first):
                self._preflight()
        self.save()

    def _preflight(self) -> None:
        done = preflight.examine(self._deployment)
        self._capabilities, self._checks = done.capabilities, done.checks
        preflight.judge(self.recipe, done.checks, done.settled)

    def missing(self, scenario: Scenario) -> str:
        """Why a scenario cannot run here, or ''."""
        return explain_missing(scenario, self.recipe, self._recorder.environment, self._capabilities)

    def measure(self, scenario: Scenario, order: int) -> ScenarioPart:
        """Measure one scenario and keep its result on disk. Raises NetproofError when the harness itself failed."""
        began = time.monotonic()
        if self._lost:
            self.error = ClusterError(f"the rest was not tried, the cluster does not answer any more: {self._lost}")
            self.save()
            raise self.error
        steps: list[MeasuredStep] = []

        def keep(result: Result, reason: str) -> ScenarioPart:
            judged, rows = [step.judged for step in steps], [step.describe() for step in steps]
            return self._recorder.keep_scenario(
                scenario, order, judged, result=result, reason=reason, began=began, steps=rows
            )

        if reason := self.missing(scenario):
            return keep("skipped", reason)
        try:
            place = self.measurement.make_ready(scenario)
            scenario = scenario.fill(place.placement)
            for step in self.measurement.measure(scenario, place):
                steps.append(step)
                if step.settled.interrupted:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            keep("interrupted", "interrupted")
            raise
        except Exception as error:
            keep("error", str(OwnFault.of(error)))
            if isinstance(error, ClusterError):
                self._lost = self._driver.lost()
            raise
        part = keep(*sum_up([step.judged for step in steps]))
        if part.scenario.result == "passed":
            return part
        self.failed = True
        self._recorder.keep_evidence(part, self._driver)
        undeclared = [cell for cell in part.cells if not cell.accepted]
        if undeclared and scenario.draft:
            part = self._recorder.amend_scenario(part, self.shrinker.shrink(scenario, undeclared))
        return part

    def keep_on_paper(self, scenario: Scenario, order: int) -> None:
        """Where nothing can be measured: keep what the policies mean against what was meant, marked as such."""
        began = time.monotonic()
        why = f"{self.cni} is not available here"
        judged = list(judge_unmeasured(scenario, why))
        self._recorder.keep_scenario(scenario, order, judged, result="error", reason=why, began=began)

    def save(self) -> None:
        """Keep what is known of this CNI besides its scenarios."""
        self._recorder.keep_target(
            capabilities=self._capabilities, checks=self._checks, phases=self._progress.phases, error=self.error
        )

    def close(self) -> None:
        """Remove what this run created, or keep it as the user asked. Never raises for what is gone already."""
        self._deployment.close()
        keep = self._options.keep_cluster
        with self._progress.phase("clean-up"):
            self._driver.stop(keep=keep == "always" or (keep == "on-failure" and (self.failed or bool(self.error))))
        self.save()

    @contextmanager
    def _keeping_errors(self) -> Iterator[None]:
        """An error of a phase is in the target's record, whoever ends the run with it."""
        try:
            yield
        except Exception as error:
            self.error = OwnFault.of(error)
            self.save()
            raise


def label(name: str, version: str | None) -> str:
    """A CNI as records name it."""
    return f"{name}@{version}" if version else name
