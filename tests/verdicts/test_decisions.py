"""What steps leave behind for the decisions of later ones."""

from __future__ import annotations

import pytest

from netproof.catalogue.reading import read_scenarios
from netproof.catalogue.selection import select_scenarios
from netproof.manifests.data_dirs import data_dir
from netproof.model import Probe, Specified
from netproof.model.placement import place_on_paper
from netproof.verdicts.decisions import decide_on_paper, warn_of_policies


def test_a_connection_that_a_deny_may_have_ended_stays_open_to_question() -> None:
    scenarios = read_scenarios(data_dir("scenarios") / "change" / "connections.yaml")
    scenario = next(s for s in scenarios if s.id == "change-connection-when-the-deny-goes-again")
    held = Probe(source="x/b", destination="x/a", port=80, kind="held")
    new = Probe(source="x/b", destination="x/a", port=80)
    said: list[tuple[Specified, Specified]] = []
    for decided in decide_on_paper(scenario):
        said.append((decided.specified[held], decided.specified[new]))
    assert said == [
        (Specified.CONNECTED, Specified.CONNECTED),
        (Specified.UNSPECIFIED, Specified.DENIED),
        (Specified.UNSPECIFIED, Specified.CONNECTED),
    ]
    assert decided.decisions[held].because.startswith("unspecified: an earlier change denied this")


def test_a_new_pods_denials_hold_from_its_first_instruction_and_what_is_allowed_may_come_later() -> None:
    scenarios = read_scenarios(data_dir("scenarios") / "time" / "start-up.yaml")
    by_id = {scenario.id: list(decide_on_paper(scenario))[-1] for scenario in scenarios}
    step = by_id["time-first-ingress"].step
    first = {p: meant for p, meant in by_id["time-first-ingress"].specified.cells.items() if p.kind == "first"}
    assert {probe.source: specified for probe, specified in first.items()} == {
        "x/b": Specified.UNSPECIFIED,
        "x/c": Specified.DENIED,
        "y/a": Specified.DENIED,
    }
    pod = step.topology.pod("x/a")
    assert pod is not None
    assert [(one.host, one.port, one.back) for one in pod.first] == [
        (place_on_paper(step.topology).address(source), 80, 80) for source in ("x/b", "x/c", "y/a")
    ]
    free = by_id["time-first-of-a-free-pod"]
    assert Specified.CONNECTED in {meant for p, meant in free.specified.cells.items() if p.kind == "first"}


@pytest.mark.parametrize("folder", ["change", "peers", "calico", "time"])
def test_warnings_are_the_same_from_decided_steps_and_from_the_applied_manifests(folder: str) -> None:
    """A run has read its policies step by step; a scenario that is skipped has not."""
    found = [scenario for several in select_scenarios(folder).values() for scenario in several]
    said = {one.id: warn_of_policies(one, list(decide_on_paper(one))) for one in found}
    assert said == {one.id: warn_of_policies(one, []) for one in found}
