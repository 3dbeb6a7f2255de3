"""What items need of the process that they run in: the one that the user started, or one of xdist's workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from netproof.catalogue.scenarios import Scenario
from netproof.errors import NetproofError
from netproof.run import options
from netproof.run.configuration import find_defaults
from netproof.run.flags import OPTIONS
from netproof.run.options import Asked
from netproof.run.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """`scenarios`: those that become items, by file, each with its CNI. `words`: what pytest collects beside them.
    `nothing`: where no scenario becomes an item, the sentence that says why."""

    scenarios: Mapping[Path, Sequence[tuple[str, Scenario]]]
    words: list[str]
    nothing: str = ""


class Asking(Protocol):
    """Who measures a scenario: an item of a scenario, or a test that has the fixture."""

    @property
    def cni(self) -> str: ...
    @property
    def session(self) -> pytest.Session: ...
    @property
    def scenario(self) -> Scenario: ...
    @property
    def order(self) -> int: ...


class Measuring(Protocol):
    """Gives items their sessions and hears what became of them."""

    asked: Asked
    chosen: Chosen

    def session(self, item: Asking) -> Session:
        """The prepared session of the item's CNI. Raises NetproofError when it did not come up."""

    def failed(self, error: NetproofError, text: str) -> None:
        """An error ended a scenario; `text` tells it to the user."""

    def on_paper(self, item: Asking) -> None:
        """Keep what the policies of a scenario mean, which could not be measured."""


MEASURING = pytest.StashKey[Measuring]()
"""In the stash of the config: what this process measures with; absent in a run that is not ours."""


def read_options(config: pytest.Config, command: list[str], named: list[Path]) -> Asked:
    """The options of this run. `named`: files and folders of the catalogue on the command line; who names some means
    what is in them, in whichever set. Raises InputError with options as pytest knows them."""
    given: dict[str, Any] = {option.dest: config.getoption(option.pytest_dest) for option in OPTIONS}
    if named and given["scenario_set"] is None:
        given["scenario_set"] = [str(path) for path in named]
    return options.check(options.resolve(given, find_defaults(config.invocation_params.dir)), command)
