"""Scenarios as pytest's items. Their node ids are `scenarios/ports/numbers.yaml::endport[calico]`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from netproof.catalogue.scenarios import Scenario
from netproof.errors import NetproofError, OwnFault
from netproof.model import Topology
from netproof.pytest_plugin.measuring import MEASURING
from netproof.report import terminal
from netproof.report.record import Target
from netproof.report.store import ScenarioPart

FIXTURE = "netproof"
"""The name of the fixture for tests in Python; each CNI is a parameter of it."""


class ScenarioFile(pytest.Collector):
    """The scenarios of one file. It is no pytest.File, since pytest does not look for it: it may be anywhere."""

    def __init__(self, *, chosen: Iterable[tuple[str, Scenario]], **rest: Any) -> None:
        super().__init__(**rest)
        self.chosen = list(chosen)

    def collect(self) -> Iterable[ScenarioItem]:
        for cni, scenario in self.chosen:
            name = f"{scenario.id}[{cni}]"
            # As text, which pytest reads as it reads ids from the command line and from its cache (--lf).
            nodeid = f"{self.nodeid}::{name}"
            yield ScenarioItem.from_parent(self, name=name, nodeid=nodeid, scenario=scenario, cni=cni)


class Differs(Exception):
    """A scenario whose cells differ from what is declared, or were not measured. Its text is the report's blocks."""


class ScenarioItem(pytest.Item):
    """One scenario on one CNI."""

    def __init__(self, *, scenario: Scenario, cni: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.scenario, self.cni = scenario, cni
        self.order = 0

    def runtest(self) -> None:
        measuring = self.config.stash[MEASURING]
        try:
            session = measuring.session(self)
            part = session.measure(self.scenario, self.order)
        except NetproofError as error:
            measuring.failed(error, f"{self.cni}: {error}")
            measuring.on_paper(self)
            pytest.skip(f"NOT AVAILABLE: {str(error).splitlines()[0]}")
        except Exception:
            measuring.on_paper(self)
            raise
        self.user_properties.append(("netproof_result", part.scenario.result))
        if part.scenario.result == "skipped":
            pytest.skip(part.scenario.reason)
        if part.scenario.result != "passed":
            raise Differs(render_part(part))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, Differs):
            return str(excinfo.value)
        if not isinstance(excinfo.value, Exception):
            return super().repr_failure(excinfo, style)
        # pytest's own frames and sources come to sixty lines, and hide where it happened.
        excinfo.traceback = excinfo.traceback.cut(path=__file__)
        return f"{OwnFault.of(excinfo.value)}\n{excinfo.getrepr(style='native')}"

    def reportinfo(self) -> tuple[Path, None, str]:
        # As the node id names the file: where it really is, pytest would show as a way through ../../..
        return self.config.rootpath / self.nodeid.split("::")[0], None, self.name


def cni_of(item: pytest.Item) -> str | None:
    """The CNI that an item measures on: a scenario's, or its fixture's; None where it measures none."""
    if isinstance(item, ScenarioItem):
        return item.cni
    chosen = getattr(item, "callspec", None)
    return chosen.params.get(FIXTURE) if chosen else None


def topologies(items: Iterable[pytest.Item], cni: str) -> list[Topology]:
    """What the scenarios of a CNI among these items are deployed in, each once."""
    seen: dict[str, Topology] = {}
    for item in items:
        if isinstance(item, ScenarioItem) and item.cni == cni:
            seen.setdefault(repr(item.scenario.topology), item.scenario.topology)
    return list(seen.values())


def render_part(part: ScenarioPart) -> str:
    """A scenario's blocks for the terminal."""
    seen = Target(cni=part.cni, title=part.cni, scenarios=[part.scenario], cells=part.cells, reviewed=part.reviewed)
    return "\n".join(text for text, _ in terminal.blocks(seen)) or part.scenario.reason
