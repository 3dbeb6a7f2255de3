"""What every pytest loads of us, in any project: the options, and whether a run is ours. All else is imported then.

Keep it so: nothing at the top of this module but pytest and what is as small (tests/installed measures it).
"""

from __future__ import annotations

import copy
import importlib.machinery
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest

from netproof.pytest_plugin.words import LONG, lengthen, mention_options, paths_in_values
from netproof.run.flags import BY_FLAG, OPTIONS


class CommandLine:
    """The words that the user wrote, where pytest was given others."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup(
        "netproof",
        "netproof: NetworkPolicy conformance (--cni, and the other names without `netproof-`, are short for these "
        "where no other plugin or conftest has options of those names)",
    )
    for option in OPTIONS:
        group.addoption(option.pytest_flag, **option.arguments(option.pytest_dest))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Iterator[None]:
    """Short names become long ones, once the conftests have declared theirs."""
    if not mention_options(args):
        result = yield
        if any(word.startswith("--") for word in args):
            _suggest(parser, _unknown(parser, args), ["--cni", *LONG])
        return result

    def is_taken(flag: str) -> bool:
        return _is_declared(parser, f"{flag}=1")

    # Values of ours are no paths whose conftests are loaded.
    known = early_config.known_args_namespace
    known.file_or_dir = _paths(parser, lengthen(args, is_taken), early_config.option)
    result = yield
    args[:] = lengthen(args, is_taken)
    given = [str(word) for word in early_config.invocation_params.args]
    strays = paths_in_values([*shlex.split(os.environ.get("PYTEST_ADDOPTS", "")), *given], is_taken)
    if strays and _moved_root(early_config, strays, _paths(parser, args, early_config.option)):
        early_config.pluginmanager.register(_RunAgain(lengthen(given, is_taken)), "netproof-run-again")
    else:
        _suggest(parser, _unknown(parser, args), [*BY_FLAG, *LONG])
    return result


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Iterator[None]:
    """Many scenarios share xdist's workers, unless the user said how many (`-n 0` for none). A wrapper, since xdist
    reads the number in this hook, too, and may be loaded before or after us."""
    elsewhere = hasattr(config, "workerinput") or config.pluginmanager.hasplugin("netproof-run-again")
    if not elsewhere and is_ours(config):
        _import("netproof.pytest_plugin.controller").choose_workers(config)
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    if is_ours(config):
        _import("netproof.pytest_plugin.start").start(config)


@pytest.fixture
def netproof(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A cluster of --cni, for tests in Python: deploy a topology or a service map, apply manifests, and ask who
    connects (netproof.pytest_plugin.fixture.Netproof)."""
    yield from _import("netproof.pytest_plugin.fixture").open_netproof(request)


def is_ours(config: pytest.Config) -> bool:
    """Whether a run is about scenarios: one of our options is given, or a path of the catalogue."""
    if hasattr(config, "workerinput"):
        return "netproof_run" in config.workerinput
    if config.getoption("help") or config.getoption("version"):
        return False
    if any(config.getoption(option.pytest_dest) is not None for option in OPTIONS):
        return True
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        return False
    from netproof.pytest_plugin.paths import names_catalogue

    return any(names_catalogue(config, word) for word in config.args)


def _is_declared(parser: pytest.Parser, word: str) -> bool:
    try:
        _, unknown = parser.parse_known_and_unknown_args([word])
    except pytest.UsageError as error:
        # An option that is always needed is missing in this probe, and says nothing of the word.
        return word.partition("=")[0] in str(error).partition("error:")[2]
    return word not in unknown


def _paths(parser: pytest.Parser, words: list[str], defaults: Any) -> list[str]:
    try:
        return list(parser.parse_known_args(words, namespace=copy.copy(defaults)).file_or_dir)
    except pytest.UsageError:  # told when pytest parses them
        return []


def _unknown(parser: pytest.Parser, words: list[str]) -> list[str]:
    try:
        return parser.parse_known_and_unknown_args(words)[1]
    except pytest.UsageError:
        return []


def _suggest(parser: pytest.Parser, unknown: Sequence[str], names: Sequence[str]) -> None:
    """Below pytest's own message about options that it does not know."""
    if not unknown:
        return
    from netproof.errors import nearest

    for word in unknown:
        flag = word.partition("=")[0]
        if (near := nearest(flag, names, cutoff=0.8)) is not None:
            parser.extra_info[f"instead of {flag}"] = f"did you mean {near}?"


def _moved_root(config: pytest.Config, strays: Sequence[str], paths: Sequence[str]) -> bool:
    """Whether pytest may have another root without the stray paths. Those below the working directory do no harm where
    nothing else is named and the root is there or above."""
    here = config.invocation_params.dir
    if paths or config.rootpath not in (here, *here.parents):
        return True
    return not all((here / stray).resolve().is_relative_to(here.resolve()) for stray in strays)


class _RunAgain:
    """pytest chose its root by paths that are values of our options: it chooses again, without them."""

    def __init__(self, words: list[str]) -> None:
        self._words = words

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        original = CommandLine([str(word) for word in config.invocation_params.args])
        before = os.environ.get("PYTEST_ADDOPTS")
        if before:
            os.environ["PYTEST_ADDOPTS"] = shlex.join(lengthen(shlex.split(before), lambda flag: False))
        try:
            return pytest.main(self._words, plugins=[*(config.invocation_params.plugins or ()), original])
        finally:
            if before:
                os.environ["PYTEST_ADDOPTS"] = before


class _PlainImports:
    """Finds our own modules as Python does. pytest rewrites the asserts of a plugin's whole package, in each process
    anew where no bytecode may be written; ours has none to rewrite."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return importlib.machinery.PathFinder.find_spec(name, path, target) if name.startswith("netproof.") else None


def _import(name: str) -> Any:
    if _PlainImports not in sys.meta_path:
        sys.meta_path.insert(0, _PlainImports)
    return importlib.import_module(name)
