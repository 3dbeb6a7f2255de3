"""The run in the process that the user started: alone, or as xdist's controller. It conducts a run and knows no CNI.

With xdist the controller makes one CNI's cluster after the other, and the report; workers attach to the cluster and
measure (`-n 2`).
"""

from __future__ import annotations

import gc
import os
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import IO, Any

import pytest

from netproof.clusters import recipes
from netproof.errors import InputError, NetproofError, OwnFault
from netproof.pytest_plugin import scheduler
from netproof.pytest_plugin.collection import choose, named_in_catalogue
from netproof.pytest_plugin.handover import Handover
from netproof.pytest_plugin.items import ScenarioItem, cni_of, topologies
from netproof.pytest_plugin.measuring import MEASURING, Asking, read_options
from netproof.report import terminal
from netproof.report.record import Record
from netproof.run import options
from netproof.run.conductor import INTERRUPTED, NOTHING_MEASURED, Conductor, exit_code, load, render_dry_run
from netproof.run.session import Session, label

STYLES = {"good": {"green": True}, "bad": {"red": True}, "warn": {"yellow": True}, "bold": {"bold": True}, "dim": {}}
NONE_LEFT = "no scenario was measured: all were deselected, or the run ended before the first"
ALL_SKIPPED = "no scenario was measured: all were skipped, each with its reason in the report"


def choose_workers(config: pytest.Config) -> None:
    """Many scenarios share xdist's workers, unless the user said how many (`-n 0` for none) or debugs, which needs the
    terminal. What is only rendered needs none."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    with suppress(InputError):  # met again when the run starts, and told then
        config.stash[MEASURING] = controller = Controller(config)
        if controller.asked.dry_run:
            config.option.numprocesses = 0
            return
        said = config.getoption("numprocesses") is not None or config.getoption("tx") or config.getoption("usepdb")
        if not said and (workers := controller.count_workers()) > 1:
            config.option.numprocesses = workers


class Controller:
    """Satisfies `Measuring`, and hears pytest's and xdist's hooks."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.asked = read_options(config, ["pytest", *_words(config)], named_in_catalogue(config))
        self.scenarios = load(self.asked)
        self.chosen = choose(config, self.asked, self.scenarios)
        self.conductor = Conductor(self.asked, self.write, self._terminal())
        self.record: Record | None = None
        self.page: Path | None = None
        self.notes: list[str] = []
        self._handover: Handover | None = None

    @property
    def measures(self) -> bool:
        """Whether this run asks for more than names and paper."""
        return not (self.asked.dry_run or self.config.getoption("collectonly"))

    @property
    def _reporter(self) -> Any:
        return self.config.pluginmanager.getplugin("terminalreporter")

    def write(self, line: str) -> None:
        """A line of progress, past pytest's capture."""
        if self._reporter is not None:
            with self._uncaptured():
                self._reporter.ensure_newline()
                self._reporter.write_line(line)

    def _uncaptured(self) -> AbstractContextManager[Any]:
        capture = self.config.pluginmanager.getplugin("capturemanager")
        return capture.global_and_fixture_disabled() if capture else nullcontext()

    def _terminal(self) -> IO[str] | None:
        """The user's terminal for moving lines, which pytest's capture would swallow; None when output is piped."""
        with self._uncaptured():
            return os.fdopen(os.dup(2), "w") if os.isatty(2) and os.isatty(1) else None

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def failed(self, error: NetproofError, text: str) -> None:
        """An error that ended a scenario: the record may lack it, so the exit code is set by it as well."""
        self.note(text)
        self.conductor.failed = error

    def on_paper(self, item: Asking) -> None:
        self.conductor.keep_on_paper(item.cni, item.scenario, item.order)

    def session(self, item: Asking) -> Session:
        known = item.cni in self.conductor.sessions
        together = () if known else [*topologies(item.session.items, item.cni), item.scenario.topology]
        return self.conductor.prepare_session(item.cni, together, item.scenario)

    def pytest_report_header(self) -> list[str]:
        asked = self.asked
        wanted = [recipes.load(w) for w in asked.cnis]
        made = asked.generate and f"generated {asked.generate.first}-{asked.generate.last}, seed {asked.generate.seed}"
        what = asked.file or made or f"set {asked.scenario_set}"
        policies = ", ".join(asked.policies) or (asked.chart.path if asked.chart else "generated")
        lines = [
            f"cni: {', '.join(f'{r.title} {r.version} ({r.driver} driver)' for r in wanted)}",
            f"scenarios: {what}; policies: {policies}; dialect: networking.k8s.io/v1",
            f"cluster: {asked.run.reuse_cluster or 'new for this run'}, kept: {asked.run.keep_cluster}",
        ]
        if self.config.pluginmanager.hasplugin("dsession"):  # workers collect, and tell nothing of it
            lines.append(self._report_line())
        if asked.run.fault:
            lines.append(f"FAULT PLANTED in the reference dataplane: {asked.run.fault}")
        return lines

    def pytest_report_collectionfinish(self, items: list[pytest.Item]) -> list[str]:
        ours = any(map(cni_of, items))
        return [self._report_line()] if ours and self.measures else []

    def _report_line(self) -> str:
        return f"report: {_shown(self.asked.run.report_dir)}"

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self) -> None:
        """xdist: the controller makes the first cluster before any worker starts."""
        cnis = list(self._sharing())
        self._handover = Handover(cnis)
        self._bring_up(self._handover, cnis[0])

    def _bring_up(self, handover: Handover, cni: str) -> None:
        """Make a CNI's cluster for the workers, after that of the CNI before it is removed."""
        session = self.conductor.open_session(cni)
        try:
            session.start()
            handover.give(cni, session.handle())
        except Exception as error:
            told = OwnFault.of(error)
            if told is not error:
                self.write("".join(traceback.format_exception(error)))
            self.note(f"{cni}: {told}")
            handover.refuse(cni, str(told))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """What fails in a worker keeps the cluster as well, where the user wants it kept on failure."""
        session = self.conductor.sessions.get(report.nodeid.rpartition("[")[2].removesuffix("]"))
        if session is not None and report.failed:
            session.failed = True

    def _sharing(self) -> dict[str, scheduler.Sharing]:
        return {label(wanted.name, wanted.version): scheduler.sharing(wanted) for wanted in self.asked.cnis}

    def count_workers(self) -> int:
        """How many workers are worth their start: one for a run that is short."""
        if sum(map(len, self.scenarios.values())) < scheduler.MANY:
            return 1
        sharing = self._sharing().values()
        useful = max(scheduler.count_workers(self.scenarios, one) for one in sharing)
        return min(useful, *(one.workers for one in sharing))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        if (handover := self._handover) is None:
            return None
        return scheduler.Lanes(
            config,
            log,
            self.scenarios,
            self._sharing(),
            advance=lambda cni: self._bring_up(handover, cni),
            abandon=handover.abandon,
        )

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["netproof_run"] = dict(options.plain(self.asked.run))
        if self._handover is not None:
            node.workerinput["netproof_clusters"] = str(self._handover.folder)

    def pytest_collection_finish(self) -> None:
        gc.freeze()  # modules and scenarios stay: nobody need look through them again

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if not self.asked.dry_run or self.config.getoption("collectonly"):
            return None
        for item in session.items:
            if isinstance(item, ScenarioItem):
                self.write(render_dry_run(item.scenario))
        return True

    def pytest_keyboard_interrupt(self) -> None:
        self.conductor.interrupted = True

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Iterator[None]:
        """After the workers are gone: tear down, write the record, and set the exit code."""
        if self._handover is not None:
            self._handover.close()
        yield
        self.conductor.close()
        if not self.measures:
            return
        if not self.conductor.sessions:
            if exitstatus == pytest.ExitCode.OK and self.conductor.failed is not None:
                session.exitstatus = self.conductor.failed.exit_code
            elif exitstatus == pytest.ExitCode.OK:
                self.note(NONE_LEFT)
                session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
            return
        self.conductor.interrupted |= int(exitstatus) == INTERRUPTED
        try:
            self.record, self.page = self.conductor.finish(int(exitstatus))
        except NetproofError as error:
            self.note(str(error))
            session.exitstatus = error.exit_code
            return
        gc.freeze()  # pytest collects five times at its end; there is nothing to find in a record's million objects
        code = exit_code(self.record, int(exitstatus))
        if code == pytest.ExitCode.OK and self.conductor.failed:
            code = self.conductor.failed.exit_code
        if code == NOTHING_MEASURED:
            self.note(ALL_SKIPPED)
        if int(exitstatus) in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = code

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for note in self.notes:
            terminalreporter.section("not available", red=True)
            terminalreporter.write_line(note)
        if self.record is None:
            return
        terminalreporter.section("netproof", bold=True)
        for text, style in terminal.reviewed_lines(self.record):
            terminalreporter.write_line(text, **STYLES.get(style, {}))
        terminalreporter.write_line("")
        for text, style in terminal.summary(self.record, report=_shown(self.page) if self.page else None):
            terminalreporter.write_line(text, **STYLES.get(style, {}))


def _words(config: pytest.Config) -> list[str]:
    """What the user wrote, also where pytest was started again with other words."""
    from netproof.pytest_plugin.entry import CommandLine

    told = next((one for one in config.invocation_params.plugins or () if isinstance(one, CommandLine)), None)
    return [str(word) for word in (told.words if told else config.invocation_params.args)]


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
