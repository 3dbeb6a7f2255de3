"""Conducts a whole run for whoever asked (pytest or the CLI): one CNI after the other, one record at the end."""

from __future__ import annotations

import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from netproof import __version__
from netproof.catalogue import topologies
from netproof.catalogue.plans import scenario_of_chart, scenario_of_map
from netproof.catalogue.scenarios import Scenario
from netproof.catalogue.selection import select_scenarios
from netproof.clusters import recipes
from netproof.errors import ClusterError, InputError, NetproofError, OwnFault
from netproof.model import Intent, Topology
from netproof.report import page
from netproof.report.record import Record, Run
from netproof.report.store import ScenarioPart, Store
from netproof.report.writer import write_report
from netproof.run.options import Asked
from netproof.run.progress import Progress
from netproof.run.session import Session, label
from netproof.verdicts.decisions import decide_on_paper
from netproof.wording import count, count_of

FAILED, INTERRUPTED, NOTHING_MEASURED, UNMEASURED = 1, 2, 5, 11
"""Exit codes: pytest's own for failed, interrupted and a run without tests; cells that could not be measured are
infrastructure."""

SAME_INTERRUPT = 2.0
"""Seconds within which another signal is the same wish to end: it must not cut the writing of results short."""

GENERATED = topologies.topologies_dir() / "grid.yaml"
"""What stands for scenarios that no file holds, where pytest wants a file: the world that most of them are in."""


@dataclass(slots=True)
class Conductor:
    """`write` takes finished lines for the user; `live` is a terminal, or None when output is piped."""

    asked: Asked
    write: Callable[[str], None]
    live: IO[str] | None = None
    sessions: dict[str, Session] = field(default_factory=dict)
    current: Session | None = None
    interrupted: bool = False
    failed: NetproofError | None = None
    """The last error that ended a scenario: the record may lack it, so the exit code is set by it as well."""
    _began: float = field(default_factory=time.monotonic)
    _started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def open_session(self, cni: str) -> Session:
        """A session that is not started yet; the one before it is closed."""
        self.close()
        if not self.sessions:
            Store(self.asked.run.report_dir).clear()
            threading.Thread(target=page.prepare, args=("report",), daemon=True).start()
        order = next(i for i, wanted in enumerate(self.asked.cnis) if label(wanted.name, wanted.version) == cni)
        session = Session(self.asked.cnis[order], order, self.asked.run, Progress(self.write, self.live))
        self.sessions[cni] = self.current = session
        return session

    def prepare_session(self, cni: str, topologies: Sequence[Topology], first: Scenario) -> Session:
        """The started and prepared session of a CNI, whose first scenario this will be. Raises its NetproofError again
        when it did not come up."""
        if cni not in self.sessions:
            session = self.open_session(cni)
            session.start()
            session.prepare(topologies, first=first)
        session = self.sessions[cni]
        if session.error is not None:
            raise session.error
        return session

    def keep_on_paper(self, cni: str, scenario: Scenario, order: int) -> None:
        """A CNI that did not come up measures nothing: its report still has what the policies mean."""
        session = self.sessions.get(cni)
        if session is not None and isinstance(session.error, ClusterError | OwnFault):
            session.keep_on_paper(scenario, order)

    def close(self) -> None:
        """End the current session, whatever became of it."""
        session, self.current = self.current, None
        if session is not None:
            try:
                session.close()
            except NetproofError as error:
                self.write(f"clean-up: {error}")

    def finish(self, exit_code: int) -> tuple[Record, Path]:
        """Write the record and every report from the parts on disk. Gives the record and the path of the HTML page."""
        store = Store(self.asked.run.report_dir)
        run = Run(
            netproof=__version__,
            command=self.asked.run.command,
            started_at=self._started_at,
            duration_s=round(time.monotonic() - self._began, 1),
            interrupted=self.interrupted,
            exit_code=exit_code,
        )
        record = store.record(run)
        self.asked.run.report_dir.mkdir(parents=True, exist_ok=True)
        drawn = write_report(record, self.asked.run.report_dir)
        store.clear()
        return record, drawn


def interrupt_on_termination() -> None:
    """A CI system that cancels a job sends SIGTERM: it counts as Ctrl-C, which tears down and still reports."""

    told = -SAME_INTERRUPT

    def interrupt(signum: int, frame: object) -> None:
        nonlocal told
        before, told = told, time.monotonic()
        if told - before >= SAME_INTERRUPT:
            raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        # SIGINT too: a shell that starts a job in the background has it ignored.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, interrupt)


def load(asked: Asked) -> dict[Path, list[Scenario]]:
    """The scenarios that were asked for, by the file that holds them. Raises InputError."""
    if asked.chart is not None:
        scenario = scenario_of_chart(asked.chart, asked.service_map)
        return {asked.file.resolve(): [scenario]} if asked.file else {}
    if asked.service_map is not None:
        scenario = scenario_of_map(asked.service_map, asked.values, asked.policies)
        for wanted in asked.cnis:
            if foreign := recipes.load(wanted).not_enforced(m for step in scenario.steps for m in step.applied):
                raise InputError(f"{foreign}. Nothing was applied", key="--policies")
        return {asked.service_map.resolve(): [scenario]}
    if asked.generate is not None:
        from netproof.generate import plan

        return {GENERATED: plan.generate_scenarios(asked.generate)}
    return select_scenarios(asked.scenario_set)


def exit_code(record: Record, default: int = 0) -> int:
    """What a record means for the shell: a CNI that did not come up, then failures, then cells that nobody measured.
    A run of which everything was skipped is no success."""
    for target in record.targets:
        if target.error_code is not None:
            return target.error_code
    results = {scenario.result for target in record.targets for scenario in target.scenarios}
    if "failed" in results:
        return FAILED
    if "error" in results:
        return UNMEASURED
    return NOTHING_MEASURED if results == {"skipped"} and not default else default


def run_all(conductor: Conductor, scenarios: Sequence[Scenario], show: Callable[[ScenarioPart], None]) -> None:
    """Every scenario on every CNI. One that fails is recorded; the next one has its turn."""
    interrupt_on_termination()
    unique = list({repr(scenario.topology): scenario.topology for scenario in scenarios}.values())
    try:
        for wanted in conductor.asked.cnis:
            cni = label(wanted.name, wanted.version)
            for order, scenario in enumerate(scenarios):
                try:
                    show(conductor.prepare_session(cni, unique, scenario).measure(scenario, order))
                except Exception as error:
                    told = OwnFault.of(error)
                    if str(told) != str(conductor.failed):
                        conductor.write("" if told is error else "".join(traceback.format_exception(error)))
                        conductor.write(f"{cni}: {told}")
                    conductor.failed = told
                    conductor.keep_on_paper(cni, scenario, order)
    except KeyboardInterrupt:
        conductor.interrupted = True
        conductor.write("interrupted: tearing down, then writing what was measured")
    finally:
        conductor.close()


def render_dry_run(scenario: Scenario) -> str:
    """What `--dry-run` and `netproof matrix` print of a scenario."""
    lines = [f"{scenario.id}: {scenario.claim}", ""]
    lines += [f"warning: {warning}" for warning in scenario.warnings]
    lines.append(scenario.policies_text() or "# no policies are rendered")
    for decided in decide_on_paper(scenario):
        intended, meant = decided.step.intended, decided.specified
        said = [p for p in intended if intended[p] is not Intent.UNSTATED]
        lines += [f"step {decided.step.name}", *(["intended (from the map)", intended.render(), ""] if said else [])]
        lines += ["specified (what the policies mean)", meant.render(), ""]
        depending = [probe for probe, decision in decided.decisions.items() if decision.depends]
        if depending:
            lines += [f"depends on the node (connects from the pod's own node only): {count(len(depending), 'cell')}"]
            lines += [*(f"  {probe}" for probe in depending), ""]
        if not said:
            lines.append(f"{count(len(meant), 'cell')}; what is intended is unstated, so none of them can differ")
            continue
        differing = [p for p in intended if intended[p].value != meant[p].value]
        lines.append(count_of(len(differing), len(intended), "cell", "differ"))
        lines += [f"  {probe}: intended {intended[probe]}, specified {meant[probe]}" for probe in differing]
    return "\n".join(lines)
