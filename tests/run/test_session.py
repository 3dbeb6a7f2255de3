"""One CNI's run: what is measured when."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from netproof.catalogue.scenarios import Scenario
from netproof.catalogue.selection import select_scenarios
from netproof.clusters.recipes import CniVersion
from netproof.drivers import DRIVERS
from netproof.run.progress import Progress
from netproof.run.session import RunOptions, Session
from tests import fakes
from tests.fakes import FakeDriver


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    made = FakeDriver()
    monkeypatch.setattr(fakes, "create", lambda recipe, options: made, raising=False)
    monkeypatch.setitem(DRIVERS, "reference", "tests.fakes")
    monkeypatch.setattr(Session, "_preflight", lambda self: None)
    return made


@pytest.fixture
def session(driver: FakeDriver, tmp_path: Path) -> Session:
    made = Session(
        CniVersion(name="reference"),
        0,
        RunOptions(run_id="run", token="word", report_dir=tmp_path),
        Progress(lambda _: None),
    )
    made.start()
    return made


def named(name: str) -> Scenario:
    return next(one for found in select_scenarios("berserk").values() for one in found if one.id == name)


def test_a_first_step_that_changes_nothing_is_measured_beside_the_pre_flight(
    driver: FakeDriver, session: Session
) -> None:
    first = named("berserk-disabled")
    session.prepare([first.topology], first=first)
    asked = driver.rounds_asked
    part = session.measure(first, 0)
    assert driver.rounds_asked == asked
    assert (part.scenario.result, {cell.measured.value for cell in part.cells}) == ("passed", {"connected"})
    again = session.measure(first, 1)
    assert driver.rounds_asked > asked
    assert again.scenario.result == "passed"


def test_what_does_not_connect_beside_the_pre_flight_is_measured_again_after_it(
    driver: FakeDriver, session: Session
) -> None:
    """The canaries' policies were in force meanwhile."""
    seen = 0

    def sees(source: str, probe: Mapping[str, Any]) -> str:
        nonlocal seen
        if (source, probe["port"]) != ("berserk/ui", 9510) or probe.get("expect") == [source]:
            return "connected"
        seen += 1
        return "connected" if seen <= 3 else "dropped"

    first = named("berserk-disabled")
    driver.sees = sees
    session.prepare([first.topology], first=first)
    assert seen > 3
    driver.sees = lambda source, probe: "connected"
    assert session.measure(first, 0).scenario.result == "passed"


def test_a_first_step_with_policies_waits_for_the_pre_flight(driver: FakeDriver, session: Session) -> None:
    first = named("berserk-enabled")
    applied = []

    def sees(source: str, probe: Mapping[str, Any]) -> str:
        applied.append(bool(driver.applied))
        shut = (source, probe["port"], probe.get("expect")) == ("berserk/ui", 9510, ["berserk/query"])
        return "dropped" if driver.applied and shut else "connected"

    driver.sees = sees
    session.prepare([first.topology], first=first)
    assert not any(applied)
    measured = {(c.source, c.destination, c.port): c.measured.value for c in session.measure(first, 0).cells}
    assert any(applied)
    assert measured["berserk/ui", "berserk/query", 9510] == "denied"


def test_what_was_measured_beside_the_pre_flight_serves_no_step_that_changes_something(
    driver: FakeDriver, session: Session
) -> None:
    first, next_one = named("berserk-disabled"), named("berserk-enabled")
    assert first.topology == next_one.topology
    session.prepare([first.topology], first=first)
    asked = driver.rounds_asked
    assert session.measure(next_one, 0).scenario.result == "failed"  # this driver enforces nothing
    assert driver.rounds_asked > asked
