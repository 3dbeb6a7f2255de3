"""The pytest plugin: options, scenarios as items, terminal lines. It conducts a run and knows no CNI; in a run that is
not about scenarios it does nothing.

With xdist the controller makes one CNI's cluster after the other, and the report; workers attach to the cluster and
measure (`-n 2`).
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import IO, Any

import pytest

from netproof.catalogue.scenarios import Scenario
from netproof.clusters import recipes
from netproof.errors import ClusterError, InputError, NetproofError, OwnFault
from netproof.manifests.data_dirs import data_dir
from netproof.model import Topology
from netproof.pytest_plugin import handover, scheduler
from netproof.pytest_plugin.handover import Handover
from netproof.report import terminal
from netproof.report.record import Record, Target
from netproof.report.store import ScenarioPart
from netproof.run import options
from netproof.run.conductor import (
    INTERRUPTED,
    Conductor,
    exit_code,
    interrupt_on_termination,
    load,
    render_dry_run,
)
from netproof.run.progress import Progress
from netproof.run.session import Session, label

PREPARE_TRIES = 3
"""How often a worker tries to get ready on a cluster that is up: one that gave up would skip what the others could
measure, as fast as it can."""
PLUGIN = pytest.StashKey["Netproof | Worker"]()
WORDS = {"passed": ("passed", ".", "OK"), "failed": ("failed", "F", "DIFFERS"), "error": ("failed", "U", "UNMEASURED")}
"""A scenario's result -> pytest's category, letter and word for it."""
STYLES = {"good": {"green": True}, "bad": {"red": True}, "warn": {"yellow": True}, "bold": {"bold": True}, "dim": {}}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("netproof", "netproof: NetworkPolicy conformance")
    for option in options.OPTIONS:
        group.addoption(option.flag, **option.arguments())


def pytest_configure(config: pytest.Config) -> None:
    if not _is_ours(config):
        return
    _choose_set(config)
    try:
        if hasattr(config, "workerinput"):
            plugin: Netproof | Worker = Worker(config)
        else:
            plugin = config.stash.get(PLUGIN, None) or Netproof(config)
            interrupt_on_termination()
        # Workers are given the words of the command line, and so need it as well.
        if own := _own_files(plugin):
            config.args[:] = own
        elif config.args_source is not pytest.Config.ArgsSource.ARGS:
            # Where pytest takes another folder for its root, it does not know where scenarios are.
            config.args[:] = [str(data_dir("scenarios"))]
    except InputError as error:
        pytest.exit(str(error), returncode=error.exit_code)
    config.stash[PLUGIN] = plugin
    config.pluginmanager.register(plugin, "netproof-run")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Many scenarios share xdist's workers, unless the user said how many (`-n 0` for none)."""
    if hasattr(config, "workerinput") or config.getoption("numprocesses", 0) is not None or not _is_ours(config):
        return
    _choose_set(config)
    with suppress(InputError):  # pytest_configure meets it again, and tells
        config.stash[PLUGIN] = plugin = Netproof(config)
        if (workers := plugin.count_workers()) > 1:
            config.option.numprocesses = workers


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    plugin = parent.config.stash.get(PLUGIN, None)
    if plugin is None or file_path not in plugin.scenarios:
        return None
    # pytest has no name for a file outside its root.
    outside = not file_path.is_relative_to(parent.config.rootpath)
    nodeid = file_path.name if outside else None
    return ScenarioCollector.from_parent(parent, path=file_path, nodeid=nodeid)


class ScenarioCollector(pytest.File):
    """A YAML file of scenarios (or the user's service map): one item for each CNI and scenario."""

    def collect(self) -> Iterable[ScenarioItem]:
        plugin = self.config.stash[PLUGIN]
        for wanted in plugin.asked.cnis:
            cni = label(wanted.name, wanted.version)
            for scenario in plugin.scenarios[self.path]:
                yield ScenarioItem.from_parent(self, name=f"{scenario.id}[{cni}]", scenario=scenario, cni=cni)


class Differs(Exception):
    """A scenario whose cells differ from what is declared, or were not measured. Its text is the report's blocks."""


class ScenarioItem(pytest.Item):
    """One scenario on one CNI."""

    def __init__(self, *, scenario: Scenario, cni: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.scenario, self.cni = scenario, cni
        self.order = 0

    def runtest(self) -> None:
        plugin = self.config.stash[PLUGIN]
        try:
            session = plugin.session(self)
            part = session.measure(self.scenario, self.order)
        except NetproofError as error:
            plugin.failed(error, f"{self.cni}: {error}")
            plugin.on_paper(self)
            pytest.skip(f"NOT AVAILABLE: {str(error).splitlines()[0]}")
        except Exception:
            plugin.on_paper(self)
            raise
        self.user_properties.append(("netproof_result", part.scenario.result))
        if part.scenario.result == "skipped":
            pytest.skip(part.scenario.reason)
        if part.scenario.result != "passed":
            raise Differs(_told(part))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, Differs):
            return str(excinfo.value)
        if not isinstance(excinfo.value, Exception):
            return super().repr_failure(excinfo, style)
        # pytest's own frames and sources come to sixty lines, and hide where it happened.
        excinfo.traceback = excinfo.traceback.cut(path=__file__)
        return f"{OwnFault.of(excinfo.value)}\n{excinfo.getrepr(style='native')}"

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """One CNI after the other: a cluster is made once. Other tests come first."""
    plugin = config.stash.get(PLUGIN, None)
    if plugin is None:
        return
    cnis = [label(wanted.name, wanted.version) for wanted in plugin.asked.cnis]
    items.sort(key=lambda item: cnis.index(item.cni) if isinstance(item, ScenarioItem) else -1)
    order = 0
    for item in items:
        if isinstance(item, ScenarioItem):
            item.order, order = order, order + 1


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    if report.when != "call":
        return None
    return WORDS.get(str(dict(report.user_properties).get("netproof_result")))


def _topologies(items: Iterable[pytest.Item], cni: str) -> list[Topology]:
    seen: dict[str, Topology] = {}
    for item in items:
        if isinstance(item, ScenarioItem) and item.cni == cni:
            seen.setdefault(repr(item.scenario.topology), item.scenario.topology)
    return list(seen.values())


class Netproof:
    """The run in the process that the user started: alone, or as xdist's controller."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        command = ["pytest", *config.invocation_params.args]
        self.asked = options.check(config.getoption, [str(word) for word in command])
        self.scenarios = load(self.asked)
        self.conductor = Conductor(self.asked, self.write, self._terminal())
        self.record: Record | None = None
        self.page: Path | None = None
        self.notes: list[str] = []
        self._handover: Handover | None = None

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

    def on_paper(self, item: ScenarioItem) -> None:
        self.conductor.keep_on_paper(item.cni, item.scenario, item.order)

    def session(self, item: ScenarioItem) -> Session:
        known = item.cni in self.conductor.sessions
        together = () if known else _topologies(item.session.items, item.cni)
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
            f"report: {_shown(asked.run.report_dir)}",
        ]
        if asked.run.fault:
            lines.append(f"FAULT PLANTED in the reference dataplane: {asked.run.fault}")
        return lines

    def pytest_xdist_setupnodes(self) -> None:
        """xdist: the controller makes the first cluster before any worker starts."""
        if not self._concerns_scenarios():
            return
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
        many = sum(map(len, self.scenarios.values())) >= scheduler.MANY
        if not many or self.asked.dry_run or not self._concerns_scenarios():
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

    def _concerns_scenarios(self) -> bool:
        """Whether the paths on the command line can hold scenarios: `pytest tests -n 2` must not make a cluster."""
        mine = {self.asked.file.resolve()} if self.asked.file else set(self.scenarios)
        return any(path in mine for path in _paths(self.config)) or _holds_scenarios(self.config)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["netproof_run"] = dict(options.plain(self.asked.run))
        if self._handover is not None:
            node.workerinput["netproof_clusters"] = str(self._handover.folder)

    def pytest_collection_finish(self) -> None:
        gc.freeze()  # modules and scenarios stay: nobody need look through them again

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if not self.asked.dry_run:
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
        if "hypothesis" not in sys.modules and self.config.pluginmanager.has_plugin("hypothesispytest"):
            # Its summary would import the whole library to say nothing, and it comes with us into every environment.
            self.config.pluginmanager.unregister(name="hypothesispytest")
        self.conductor.close()
        if self.asked.dry_run or not self.conductor.sessions:
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


class Worker:
    """The run in an xdist worker: attaches to the controller's cluster."""

    def __init__(self, config: pytest.Config) -> None:
        given: dict[str, Any] = config.workerinput  # type: ignore[attr-defined]
        self.run = options.unplain(given["netproof_run"], given["workerid"])
        self.asked = options.check(config.getoption, [])
        self.scenarios = load(self.asked)
        self._clusters = Path(given.get("netproof_clusters", ""))
        self._sessions: dict[str, Session] = {}

    def failed(self, error: NetproofError, text: str) -> None:
        """The controller reads errors from the record."""

    def on_paper(self, item: ScenarioItem) -> None:
        """A worker starts only when the controller's cluster is there."""

    def session(self, item: ScenarioItem) -> Session:
        cni = item.cni
        if cni not in self._sessions:
            order = next(i for i, w in enumerate(self.asked.cnis) if label(w.name, w.version) == cni)
            handle = handover.receive(self._clusters, cni)
            together = _topologies(item.session.items, cni)
            # What only one of the workers gets is deployed by that one when it does.
            most = scheduler.shared_topology(self.scenarios, scheduler.sharing(self.asked.cnis[order]))
            now, later = ([t for t in together if (repr(t) == most) is is_shared] for is_shared in (True, False))
            for left in reversed(range(PREPARE_TRIES)):
                session = self._sessions[cni] = Session(self.asked.cnis[order], order, self.run, Progress(_silent))
                try:
                    session.attach(handle)
                    session.prepare(now, later)
                    break
                except ClusterError:
                    if not left:
                        raise
                    session.close()
        session = self._sessions[cni]
        if session.error is not None:
            raise session.error
        return session

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
        """Let go of a CNI's cluster with its last scenario here: the controller removes it when all are measured."""
        result = yield
        if isinstance(item, ScenarioItem) and isinstance(nextitem, ScenarioItem) and nextitem.cni != item.cni:
            self._close(item.cni)
        return result

    def pytest_sessionfinish(self) -> None:
        for cni in list(self._sessions):
            self._close(cni)

    def _close(self, cni: str) -> None:
        if session := self._sessions.pop(cni, None):
            session.close()


def _is_ours(config: pytest.Config) -> bool:
    """Whether a run is about scenarios: one of our options is given, or a path that holds the catalogue."""
    if hasattr(config, "workerinput"):
        return "netproof_run" in config.workerinput
    given = any(config.getoption(one.dest) != one.arguments().get("default", False) for one in options.OPTIONS)
    return given or _holds_scenarios(config)


def _choose_set(config: pytest.Config) -> None:
    """Who names files or folders of the catalogue means what is in them, in whichever set."""
    home = data_dir("scenarios")
    named = [path for path in _paths(config) if home in path.parents]
    given = config.args_source is pytest.Config.ArgsSource.ARGS
    if named and given and config.option.scenario_set == options.DEFAULT_SET:
        config.option.scenario_set = ",".join(map(str, dict.fromkeys(named)))


def _paths(config: pytest.Config) -> list[Path]:
    """What is collected."""
    return [(config.invocation_params.dir / word.split("::")[0]).resolve() for word in config.args]


def _holds_scenarios(config: pytest.Config) -> bool:
    home = data_dir("scenarios")
    return any(path.is_relative_to(home) or home.is_relative_to(path) for path in _paths(config))


def _silent(line: str) -> None:
    """The controller tells of the run's phases."""


def _own_files(plugin: Netproof | Worker) -> list[str]:
    """What pytest is to collect instead of the catalogue, when the user named own files or needs none."""
    home = data_dir("scenarios")
    if plugin.asked.generate is None and all(path.is_relative_to(home) for path in plugin.scenarios):
        return []
    return [str(path) for path, found in plugin.scenarios.items() if found]


def _told(part: ScenarioPart) -> str:
    """A scenario's blocks for the terminal."""
    seen = Target(cni=part.cni, title=part.cni, scenarios=[part.scenario], cells=part.cells, reviewed=part.reviewed)
    return "\n".join(text for text, _ in terminal.blocks(seen)) or part.scenario.reason


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
