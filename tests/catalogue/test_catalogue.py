"""The catalogue is right by itself: every table, written by hand, is what the evaluator says the API means."""

from __future__ import annotations

from collections import Counter

import pytest

from netproof.catalogue.reading import read_scenarios
from netproof.catalogue.scenarios import Scenario
from netproof.catalogue.selection import list_files
from netproof.manifests.data_dirs import data_dir
from netproof.model import Measured, Specified, judge
from netproof.model.verdict import WRONG
from netproof.verdicts.decisions import decide_on_paper

ALL = [scenario for path in list_files() for scenario in read_scenarios(path)]
CHARTS = [scenario for scenario in ALL if scenario.documented.file != ""]
TABLES = [scenario for scenario in ALL if scenario.documented.file == ""]
ENFORCED = {
    Specified.CONNECTED: Measured.CONNECTED,
    Specified.DENIED: Measured.DENIED,
    # Either would do.
    Specified.UNSPECIFIED: Measured.CONNECTED,
}
"""What a CNI measures that does what the policies say."""


def test_ids_are_unique() -> None:
    assert [identifier for identifier, times in Counter(s.id for s in ALL).items() if times > 1] == []


@pytest.mark.parametrize("scenario", TABLES, ids=lambda scenario: scenario.id)
def test_a_table_is_what_the_api_means(scenario: Scenario) -> None:
    wrong = []
    for decided in decide_on_paper(scenario):
        step = decided.step
        for probe, meant in step.intended.cells.items():
            expected = "unspecified" if probe in step.left_open else meant.value
            decision = decided.decisions[probe]
            if decision.specified.value != expected:
                wrong.append(
                    f"{step.name}: {probe}: table {expected}, evaluator {decision.specified}: {decision.because}"
                )
    assert wrong == []


@pytest.mark.parametrize("scenario", CHARTS, ids=lambda scenario: scenario.id)
def test_a_charts_surprises_are_all_declared_and_all_happen(scenario: Scenario) -> None:
    (decided,) = decide_on_paper(scenario)
    step, decisions = decided.step, decided.decisions
    open_cells = {probe for probe, decision in decisions.items() if decision.specified is Specified.UNSPECIFIED}
    assert open_cells == step.left_open, "what the API leaves open is said by `~` in the scenario's own table"
    verdicts = {
        probe: judge(meant, decisions[probe].specified, ENFORCED[decisions[probe].specified])
        for probe, meant in step.intended.cells.items()
    }
    wrong = [
        str(probe)
        for probe, verdict in verdicts.items()
        if verdict in WRONG and not scenario.documented.declared(scenario.id, step.name, probe)
    ]
    assert wrong == []
    stale = scenario.documented.stale(scenario.id, step.name, verdicts.items())
    assert {name: gone for name, (_, gone) in stale.items() if gone} == {}


def test_every_scenario_stands_in_a_folder_that_is_a_set() -> None:
    assert all(path.parent.parent == data_dir("scenarios") for path in list_files())
