"""Which scenarios become items. pytest looks through none of the user's folders for them: a file of scenarios, a map or
a chart may be anywhere, and the root stays the user's project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from netproof.catalogue.scenarios import Scenario
from netproof.errors import InputError, suggest
from netproof.pytest_plugin import paths
from netproof.pytest_plugin.items import FIXTURE, ScenarioFile, ScenarioItem, cni_of
from netproof.pytest_plugin.measuring import Chosen, Measuring
from netproof.run.options import Asked
from netproof.run.session import label

WORDS = {"passed": ("passed", ".", "OK"), "failed": ("failed", "F", "DIFFERS"), "error": ("failed", "U", "UNMEASURED")}
"""A scenario's result -> pytest's category, letter and word for it."""


def named_in_catalogue(config: pytest.Config) -> list[Path]:
    """Files and folders of the catalogue on the command line; its whole folder says nothing of which set. Raises
    InputError for what the catalogue lacks."""
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        return []
    home = paths.catalogue()
    found = []
    for word in config.args:
        path = paths.in_catalogue(config, word)
        if path is None and paths.names_catalogue(config, word):
            raise InputError(f"there is no file or folder {word}", key=paths.CATALOGUE)
        if path is not None and path != home:
            found.append(path)
    return list(dict.fromkeys(found))


def node_paths(config: pytest.Config, files: Sequence[Path]) -> dict[Path, str]:
    """How node ids name these files: the catalogue's as `scenarios/…`, others below pytest's root, else by their name,
    or their whole path where two have the same."""
    home = paths.catalogue()
    root = config.rootpath.resolve()
    names = Counter(file.name for file in files)
    made = {}
    for file in files:
        if home is not None and file.resolve().is_relative_to(home):
            made[file] = f"{paths.CATALOGUE}/{file.resolve().relative_to(home).as_posix()}"
        elif file.resolve().is_relative_to(root):
            made[file] = file.resolve().relative_to(root).as_posix()
        else:
            made[file] = file.name if names[file.name] == 1 else file.as_posix()
    return made


def choose(config: pytest.Config, asked: Asked, scenarios: Mapping[Path, Sequence[Scenario]]) -> Chosen:
    """What the command line's paths leave of the scenarios that were asked for, and what pytest is to collect. Raises
    InputError when a node id names none."""
    cnis = [label(wanted.name, wanted.version) for wanted in asked.cnis]
    everything = {file: [(cni, scenario) for cni in cnis for scenario in found] for file, found in scenarios.items()}
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        return Chosen(scenarios=everything, words=[])
    names = node_paths(config, list(everything))
    chosen: dict[Path, list[tuple[str, Scenario]]] = {}
    words = []
    for word in config.args:
        found, is_ours = _matching(config, word, names)
        if not is_ours:
            words.append(word)
        for file in found:
            mine = _by_id(word, everything[file])
            chosen[file] = [one for one in everything[file] if one in mine or one in chosen.get(file, ())]
    if chosen:
        return Chosen(scenarios={file: chosen[file] for file in everything if file in chosen}, words=words)
    home = paths.catalogue()
    own = [file for file in everything if home is None or not file.resolve().is_relative_to(home)]
    if own or asked.generate is not None:
        return Chosen(scenarios=everything, words=words)
    nothing = (
        f"no scenario of --scenario-set {asked.scenario_set} is in what the command line names "
        f"({', '.join(config.args)}), so nothing would be measured; leave the paths out to measure the set, or the "
        "options of netproof to run the tests alone"
    )
    return Chosen(scenarios={}, words=words, nothing=nothing)


def _matching(config: pytest.Config, word: str, names: Mapping[Path, str]) -> tuple[list[Path], bool]:
    """The files that a word of the command line names, and whether it names nothing else."""
    inside = paths.in_catalogue(config, word)
    path = paths.absolute(config, word)
    if inside is not None:
        return [file for file in names if file.resolve().is_relative_to(inside)], True
    text = word.partition("::")[0]
    from_root = path.relative_to(config.rootpath).as_posix() if path.is_relative_to(config.rootpath) else text
    exact = [file for file, name in names.items() if file == path.resolve() or name in (text, from_root)]
    if exact:
        return exact, True
    if config.invocation_params.dir.is_relative_to(path) or config.rootpath.is_relative_to(path):
        return list(names), False
    return [file for file in names if path.is_dir() and file.is_relative_to(path.resolve())], False


def _by_id(word: str, pairs: Sequence[tuple[str, Scenario]]) -> Sequence[tuple[str, Scenario]]:
    """The scenarios that a node id names: `…::id[cni]`, or `…::id` on every CNI. Raises InputError."""
    _, colons, wanted = word.partition("::")
    if not colons:
        return pairs
    found = [(cni, one) for cni, one in pairs if wanted in (one.id, f"{one.id}[{cni}]")]
    if not found:
        known = [f"{one.id}[{cni}]" for cni, one in pairs]
        raise InputError(f"no scenario is called {wanted!r} there; {suggest(wanted, known)}", key=word)
    return found


class Collection:
    """Adds the scenarios to what pytest collected itself, which comes first."""

    def __init__(self, config: pytest.Config, measuring: Measuring) -> None:
        self._chosen = measuring.chosen.scenarios
        self._nothing = measuring.chosen.nothing
        self._cnis = [label(wanted.name, wanted.version) for wanted in measuring.asked.cnis]
        config.args[:] = measuring.chosen.words

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """What measures nothing comes first, then one CNI after the other: a cluster is made once."""
        names = node_paths(config, list(self._chosen))
        found: list[ScenarioItem] = []
        for file, pairs in self._chosen.items():
            if pairs:
                name = names[file]
                node = ScenarioFile.from_parent(session, name=name, path=file, nodeid=name, chosen=pairs)
                found += [item for item in session.genitems(node) if isinstance(item, ScenarioItem)]
        found.sort(key=lambda item: self._cnis.index(item.cni))
        for order, item in enumerate(found):
            item.order = order
        ranks = {cni: rank for rank, cni in enumerate(self._cnis)}
        items[:] = sorted((*items, *found), key=lambda item: ranks.get(cni_of(item) or "", -1))
        if self._nothing and not any(map(cni_of, items)):
            pytest.exit(self._nothing, returncode=InputError.exit_code)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """A test that has the fixture runs on each CNI."""
        if FIXTURE in metafunc.fixturenames:
            metafunc.parametrize(FIXTURE, self._cnis, indirect=True)

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        if report.when != "call":
            return None
        return WORDS.get(str(dict(report.user_properties).get("netproof_result")))
