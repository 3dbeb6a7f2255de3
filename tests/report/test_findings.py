"""Grouping and words, expected by hand from the Berserk example."""

from __future__ import annotations

import pytest

from netproof.model import Intent, Measured, Specified, Verdict, judge
from netproof.report import findings
from netproof.report.findings import Standing, group, several, standing

from .example import edited, example

RECORD = example()
CALICO, CILIUM = RECORD.targets


def test_findings_come_most_urgent_first() -> None:
    assert list(dict.fromkeys(finding.standing for finding in group(CILIUM))) == [
        Standing.DIFFERS,
        Standing.STALE,
        Standing.DOCUMENTED,
        Standing.KNOWN,
    ]
    assert [finding.standing for finding in group(CALICO)][:2] == [Standing.DIFFERS, Standing.UNMEASURED]


def test_cells_of_one_kind_are_one_finding() -> None:
    first = group(CALICO)[0]
    assert first.verdict is Verdict.POLICY_DEFECT
    assert [findings.route(cell) for cell in first.cells] == [
        "berserk/stranger → berserk/ui:9090/TCP by pod address",
        "berserk-neighbour/neighbour → berserk/ui:9090/TCP by pod address",
    ]
    assert first.headline("calico 3.28.5") == (
        "berserk/stranger and berserk-neighbour/neighbour can reach berserk/ui:9090: "
        "the policies allow it, nobody meant it"
    )


def test_every_cell_that_does_not_hold_is_in_exactly_one_finding() -> None:
    for target in RECORD.targets:
        shown = [findings.identity(cell) for finding in group(target) for cell in finding.cells]
        wrong = [
            findings.identity(cell) for cell in target.cells if cell.verdict not in (Verdict.HOLDS, Verdict.UNSPECIFIED)
        ]
        assert sorted(shown) == sorted(wrong)


def test_a_scenarios_findings_are_only_its_own() -> None:
    assert {finding.scenario for finding in group(CILIUM, "berserk-ingress-side")} == {"berserk-ingress-side"}
    assert group(CILIUM, "berserk-disabled") == []


@pytest.mark.parametrize(
    ("intended", "specified", "measured", "sentence"),
    [
        ("connected", "denied", "denied", "cannot reach x/b:80: it is meant to work, the policies deny it"),
        ("denied", "connected", "connected", "can reach x/b:80: the policies allow it, nobody meant it"),
        ("connected", "connected", "denied", "cannot reach x/b:80: the policies allow it, antrea 2 blocked it"),
        ("denied", "denied", "connected", "can reach x/b:80: the policies deny it, antrea 2 let it through"),
        (
            "connected",
            "denied",
            "connected",
            "can reach x/b:80, as meant, only because antrea 2 let through what the policies deny",
        ),
        (
            "denied",
            "connected",
            "denied",
            "cannot reach x/b:80, as meant, only because antrea 2 blocked what the policies allow",
        ),
    ],
)
def test_a_headline_says_who_is_right(intended: str, specified: str, measured: str, sentence: str) -> None:
    verdict = judge(Intent(intended), Specified(specified), Measured(measured))
    cell = CALICO.cells[0].model_copy(
        update={
            **{"source": "x/a", "destination": "svc:x/b", "port": 80, "verdict": verdict, "accepted": False},
            **{"intended": Intent(intended), "specified": Specified(specified), "measured": Measured(measured)},
        }
    )
    [finding] = group(CALICO.model_copy(update={"cells": [cell], "reviewed": []}))
    assert finding.headline("antrea 2") == f"x/a {sentence}"


def test_a_cni_entry_outweighs_a_charts() -> None:
    entries = {entry.id: entry for entry in CILIUM.reviewed}
    both = next(cell for cell in CILIUM.cells if len(cell.reviewed) == 2)
    assert standing(both, entries) is Standing.KNOWN
    assert standing(both.model_copy(update={"reviewed": both.reviewed[:1]}), entries) is Standing.DOCUMENTED
    assert standing(both.model_copy(update={"accepted": False}), entries) is Standing.DIFFERS


def test_unmeasured_is_never_anything_else() -> None:
    lost = next(cell for cell in CALICO.cells if cell.measured is Measured.UNMEASURED)
    assert standing(lost.model_copy(update={"accepted": False}), {}) is Standing.UNMEASURED


def test_the_verdict_sentence_counts_cells() -> None:
    assert findings.verdict(CALICO) == (
        "in 2 cells the policies do not say what was meant; 1 cell not measured; 114 documented surprises"
    )
    assert findings.verdict(CILIUM) == (
        "1 cell differs from what the policies say; in 2 cells the policies do not say what was meant; "
        "1 declared difference no longer happens; 91 documented surprises; 24 known differences"
    )


@pytest.mark.parametrize(
    ("changes", "word", "sentence"),
    [
        (
            {"error": "the node never became ready\nlast events: none", "cells": []},
            "ENDED EARLY",
            "the run ended early: the node never became ready",
        ),
        ({"cells": [], "reviewed": [], "scenarios": []}, "UNMEASURED", "nothing was measured"),
        ({"cells": CALICO.cells[:1], "scenarios": []}, "OK", "no undeclared difference in 1 measured cell"),
    ],
)
def test_a_target_has_one_word(changes: dict[str, object], word: str, sentence: str) -> None:
    target = edited(RECORD, **changes).targets[0]
    assert (findings.word(target), findings.verdict(target)) == (word, sentence)


def test_agreement_leaves_unmeasured_cells_out() -> None:
    assert findings.agreement(RECORD) == (758, 783)
    assert findings.agreement(example("calico")) is None


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (list("abcde"), "a, b and 3 more"),
    ],
)
def test_several(names: list[str], text: str) -> None:
    assert several(names) == text


@pytest.mark.parametrize(("time", "text"), [(None, "never"), (0.314, "0.31 s"), (12.4, "12 s"), (185.2, "3 min 05 s")])
def test_seconds(time: float | None, text: str) -> None:
    assert findings.seconds(time) == text
