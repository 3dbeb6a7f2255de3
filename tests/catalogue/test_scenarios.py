"""Scenario files: charts with part of their cells, and new pods with first attempts; messages name file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from netproof.catalogue.reading import read_scenarios
from netproof.catalogue.scenarios import Scenario
from netproof.errors import InputError
from netproof.model.placement import place_on_paper
from netproof.verdicts.decisions import decide_step

CHART = """id: some-chart
claim: A claim.
source: a source
chart: berserk
values: {global: {networkPolicy: {enabled: true, externalEgress: [{cidr: "{address:external:s3}/32"}]}}}
"""
STEPS = """id: some-steps
claim: A claim.
source: a source
steps:
  - recreate: [x/a]
    expect: |
"""


def read(tmp_path: Path, text: str) -> Scenario:
    file = tmp_path / "some.yaml"
    file.write_text(text, encoding="utf-8")
    (scenario,) = read_scenarios(file)
    return scenario


def test_only_keeps_the_cells_that_match_any_pattern(tmp_path: Path) -> None:
    only = """only:
  - {source: berserk/ui, port: 9500}
  - {source: berserk/meta, destination: "external:*", port: 443}
"""
    (step,) = read(tmp_path, CHART + only).steps
    assert [str(probe) for probe in step.intended] == [
        "berserk/meta → external:s3:443/TCP",
        "berserk/meta → external:outsider:443/TCP",
        "berserk/ui → berserk/meta:9500/TCP",
        "berserk/ui → berserk/meta:9500/TCP via service",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (CHART + "only:\n  - {source: berserk/uii}\n", "some.yaml:7: only[0]: scenario some-chart has no such cell"),
        (CHART.replace("external:s3", "external:s4"), "nobody is called 'external:s4'; did you mean 'external:s3'?"),
        (CHART.replace("/32", ""), "needs a prefix length"),
        (STEPS + "      80/UDP@first  x/b\n      x/a  -\n", "first attempts are made by TCP, to an IPv4 address"),
        (STEPS + "      80/TCP@first  x/c\n      x/b  -\n", "between a pod that this step makes and a pod that serves"),
        (STEPS + "      80/TCP@first  x/a\n      out:near  -\n", "between a pod that this step makes and a pod that"),
    ],
)
def test_a_wrong_scenario_says_where_and_what(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    assert says in str(error.value)


def test_a_new_pod_is_told_what_to_try_in_both_directions(tmp_path: Path) -> None:
    text = STEPS + "      80/TCP@first  x/b  out:near\n      x/a  +  +\n\n      81/TCP@first  x/a\n      y/c  +\n"
    (step,) = read(tmp_path, text).steps
    pod = step.topology.pod("x/a")
    assert pod is not None
    assert [(one.host, one.port, one.back) for one in pod.first] == [
        ("{address:x/b}", 80, 0),
        ("{address:external:near}", 80, 0),
        ("{address:y/c}", 80, 81),
    ]
    assert all(other.first == () for other in step.topology.pods if other is not pod)


MADE_ANEW = """id: some-steps
claim: A claim.
source: a source
policies:
- x/p: {podSelector: {matchLabels: {pod: a}}, policyTypes: [Ingress]}
expect: |
  80/TCP  x/a  x/b
  x/c     -    +
steps:
- delete: [x/p]
  apply:
  - x/p: {podSelector: {matchLabels: {pod: b}}, policyTypes: [Ingress]}
  expect: |
    80/TCP  x/a  x/b
    x/c     +    -
"""


def test_a_policy_deleted_and_applied_under_one_name_is_made_anew(tmp_path: Path) -> None:
    """As a change is carried out: first what goes, then what comes."""
    _, step = read(tmp_path, MADE_ANEW).steps
    assert [policy["spec"]["podSelector"] for policy in step.policies] == [{"matchLabels": {"pod": "b"}}]
    assert (len(step.deleted), len(step.applied)) == (1, 1)
    decided = decide_step(step, place_on_paper(step.topology)).decisions
    assert all(decided[probe].specified.value == intent.value for probe, intent in step.intended.cells.items())


@pytest.mark.parametrize(
    "pair", ["80/TCP@held  x/b\n      x/a          +\n", "80/TCP@held  x/a\n      x/b          +\n"]
)
def test_no_connection_outlives_its_pod(tmp_path: Path, pair: str) -> None:
    with pytest.raises(InputError, match="asks about x/a, which is made anew"):
        read(tmp_path, f"{STEPS}      {pair}")
