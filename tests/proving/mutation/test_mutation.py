"""Planted faults are caught: a few by packets and tables, all others on paper; and the tables fit the source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netproof.catalogue.reading import read_scenarios
from netproof.catalogue.selection import list_files
from netproof.commands.main import main
from netproof.drivers.reference import faults
from netproof.errors import ClusterError, InputError
from netproof.proving.mutation import dataplane, mutants, tables
from netproof.proving.mutation.mutants import Mutant, Result
from netproof.proving.mutation.score import Score
from tests import require

HELD = [one for path in list_files() for one in read_scenarios(path) if tables.is_table(one)]


def test_there_are_enough_of_each_and_each_line_stands_in_the_source_once() -> None:
    assert len(mutants.mutants()) >= 30
    assert len(faults.FAULTS) >= 30
    assert len({mutant.id for mutant in mutants.mutants()}) == len(mutants.mutants())


def test_a_line_that_is_not_there_any_more_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mutants, "PACKAGE", tmp_path)
    with pytest.raises(InputError, match=r"evaluator.yaml:\d+: .*stands 0 times in policy/rules.py"):
        mutants.mutants()


@pytest.mark.parametrize("name", [name for name, fault in faults.FAULTS.items() if not dataplane.blind(fault)])
def test_some_scenario_tells_each_fault_of_policies_on_paper(name: str) -> None:
    assert any(dataplane.predicted(faults.FAULTS[name], one) for one in HELD)


def test_no_fault_is_told_where_there_is_none() -> None:
    assert not any(dataplane.predicted(faults.find(""), one) for one in HELD[:60])


def test_packets_show_a_fault_and_name_the_scenario() -> None:
    try:
        result = dataplane.run("ignore-except", HELD, every=False)
    except ClusterError as error:
        require.skip("reference", str(error))
    assert len(result.caught) == 1
    assert result.measured >= 1


def test_a_mutant_of_the_evaluator_is_caught_by_a_table_and_an_equal_one_by_none() -> None:
    caught = mutants.run(mutants.named("except-ignored"), every=False)
    assert caught.caught[0].startswith("ipblock-except")
    line = '"Exists": lambda value, values: value is not None,'
    equal = Mutant(id="equal", says="nothing", file="policy/rules.py", old=line, new=line + " ")
    assert mutants.run(equal, every=False).caught == ()


def test_the_command_prints_writes_and_fails_for_survivors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left = Result(kind="evaluator", id="left", says="something is ignored", caught=(), looked=400)
    found = Result(kind="dataplane", id="found", says="another thing", caught=("a-scenario",), looked=3, measured=1)
    score = Score(results=(found, left), idle=("idle-one",))
    monkeypatch.setattr("netproof.commands.mutate.run", lambda *given, **more: score)
    assert main(["mutate", "--all", "--json", str(tmp_path / "out.json")]) == 1
    told = capsys.readouterr().out
    assert "score      50 %" in told
    assert "survivor: left (evaluator): something is ignored" in told
    assert "idle-one" in told
    assert json.loads((tmp_path / "out.json").read_text())["survivors"] == ["left"]


def test_a_name_of_no_fault_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutate", "no-such-fault"]) == 12
    assert "no fault is called so" in capsys.readouterr().err
