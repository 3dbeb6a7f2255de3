"""What a run keeps of one CNI on disk: a part for each scenario, the frame around them, and evidence."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from netproof.catalogue.scenarios import Scenario
from netproof.drivers import Driver, Environment
from netproof.errors import NetproofError
from netproof.model import Measured
from netproof.report.record import Cell, EnvironmentRecord, Phase, PreflightCheck, StepResult, Target
from netproof.report.store import ScenarioPart, Store, TargetPart
from netproof.report.writer import write_file
from netproof.run.run_options import RunOptions
from netproof.verdicts.decisions import warn_of_policies
from netproof.verdicts.judging import Judged
from netproof.verdicts.results import Result, describe_scenario


class Recorder:
    """Keeps the parts of one CNI. `order`: its place among the CNIs of the run. `environment` is set once the cluster
    is there."""

    def __init__(self, cni: str, title: str, order: int, options: RunOptions) -> None:
        self.cni = cni
        self.environment: Environment | None = None
        self._title, self._order, self._options = title, order, options
        self._store = Store(options.report_dir)

    def keep_target(
        self,
        *,
        capabilities: Mapping[str, str],
        checks: Sequence[PreflightCheck],
        phases: Sequence[Phase],
        error: NetproofError | None,
    ) -> None:
        """Keep what is known of this CNI besides its scenarios."""
        environment = None
        if self.environment is not None:
            environment = EnvironmentRecord.model_validate(_with_lists(asdict(self.environment)))
        target = Target(
            cni=self.cni,
            title=self._title,
            environment=environment,
            capabilities=dict(capabilities),
            preflight=list(checks),
            phases=list(phases),
            error=str(error) if error else "",
            error_code=error.exit_code if error else None,
        )
        self._store.put_target(TargetPart(order=self._order, process=self._options.worker, target=target))

    def keep_scenario(
        self,
        scenario: Scenario,
        order: int,
        judged: Sequence[Judged],
        *,
        result: Result,
        reason: str,
        began: float,
        steps: Sequence[StepResult] = (),
    ) -> ScenarioPart:
        """Keep what became of a scenario that began at `began` (time.monotonic()), with its steps as far as they were
        judged. `order`: its place among the scenarios of the run."""
        part = ScenarioPart(
            cni=self.cni,
            order=order,
            scenario=describe_scenario(
                scenario,
                result,
                reason,
                duration_s=round(time.monotonic() - began, 3),
                steps=steps,
                warnings=warn_of_policies(scenario, [one.decided for one in judged]),
                reproduce=self.reproduce(scenario),
            ),
            cells=[cell for one in judged for cell in one.cells],
            reviewed=[entry for one in judged for entry in one.reviewed],
        )
        self._store.put_scenario(part)
        return part

    def amend_scenario(self, part: ScenarioPart, update: Mapping[str, str]) -> ScenarioPart:
        """Keep a scenario's result anew, with other texts."""
        part = part.model_copy(update={"scenario": part.scenario.model_copy(update=update)})
        self._store.put_scenario(part)
        return part

    def keep_evidence(self, part: ScenarioPart, driver: Driver) -> None:
        """While the policies are in force: what was applied, the matrix, what the CNI says, and how to repeat it."""
        folder = self._options.report_dir / "evidence" / self.cni / part.scenario.id
        wrong = [cell for cell in part.cells if not cell.accepted or cell.measured is Measured.UNMEASURED]
        try:
            said = driver.evidence()
        except NetproofError as error:
            said = {"none.txt": f"{error}\n"}
        files = {
            "policies.yaml": part.scenario.manifests,
            "matrix.json": json.dumps([cell.model_dump(mode="json") for cell in part.cells], indent=1),
            "reproduce.sh": self._render_script(wrong, part.scenario.reproduce),
            **said,
        }
        for name, text in files.items():
            write_file(folder / name, text)

    def reproduce(self, scenario: Scenario) -> str:
        """The command that measures this scenario again, on the same cluster where that has a name."""
        again = f" --reuse-cluster {self._cluster}" if self._cluster else ""
        fault = f" --fault {shlex.quote(self._options.fault)}" if self._options.fault else ""
        return f"pytest --cni {self.cni} {scenario.select}{fault}{again}"

    @property
    def _cluster(self) -> str:
        return self.environment.cluster if self.environment else ""

    def _render_script(self, wrong: Sequence[Cell], again: str) -> str:
        """A shell script that applies the policies on a kept cluster and repeats the probes that went wrong. `again`
        measures the scenario again, for a driver that leaves nothing to repeat them on."""
        if not any(cell.reproduce for cell in wrong):
            why = "# No probe can be repeated by hand on what is left of the run: this measures the scenario again."
            return f"#!/bin/sh\n{why}\n{again}\n"
        lines = [
            "#!/bin/sh",
            "# Repeats by hand what went wrong, on a kept cluster (--keep-cluster on-failure).",
            "set -u",
        ]
        if self._cluster:
            kubeconfig = f"$(netproof clusters kubeconfig {self._cluster})"
            lines.append(f'kubectl --kubeconfig "{kubeconfig}" apply -f policies.yaml')
        for cell in wrong:
            said = f"# {cell.source} to {cell.destination}:{cell.port}/{cell.protocol}: measured {cell.measured}"
            lines += ["", said, cell.reproduce or "# no command repeats this probe"]
        return "\n".join(lines) + "\n"


def _with_lists(value: Any) -> Any:
    """A record's file has lists where values have tuples."""
    if isinstance(value, dict):
        return {key: _with_lists(item) for key, item in value.items()}
    return [_with_lists(item) for item in value] if isinstance(value, list | tuple) else value
