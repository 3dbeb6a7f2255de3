"""What steps leave behind for the decisions of later ones."""

from __future__ import annotations

from netproof.catalogue.scenarios import read_scenarios
from netproof.manifests.data_dirs import data_dir
from netproof.model import Probe, Specified
from netproof.model.placement import place_on_paper
from netproof.policy import Decision
from netproof.verdicts.judging import decide


def test_a_connection_that_a_deny_may_have_ended_stays_open_to_question() -> None:
    scenarios = read_scenarios(data_dir("scenarios") / "change" / "connections.yaml")
    scenario = next(s for s in scenarios if s.id == "change-connection-when-the-deny-goes-again")
    held = Probe(source="x/b", destination="x/a", port=80, kind="held")
    new = Probe(source="x/b", destination="x/a", port=80)
    said: list[tuple[Specified, Specified]] = []
    decisions: dict[Probe, Decision] = {}
    for step in scenario.steps:
        decisions = decide(step, place_on_paper(step.topology), decisions)
        said.append((decisions[held].specified, decisions[new].specified))
    assert said == [
        (Specified.CONNECTED, Specified.CONNECTED),
        (Specified.UNSPECIFIED, Specified.DENIED),
        (Specified.UNSPECIFIED, Specified.CONNECTED),
    ]
    assert decisions[held].because.startswith("unspecified: an earlier change denied this")


def test_a_new_pods_denials_hold_from_its_first_instruction_and_what_is_allowed_may_come_later() -> None:
    scenarios = read_scenarios(data_dir("scenarios") / "time" / "start-up.yaml")
    by_id = {scenario.id: scenario.fill(place_on_paper(scenario.topology)).steps[-1] for scenario in scenarios}
    step = by_id["time-first-ingress"]
    first = {p: d.specified for p, d in decide(step, place_on_paper(step.topology)).items() if p.kind == "first"}
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
    assert Specified.CONNECTED in {
        d.specified for p, d in decide(free, place_on_paper(free.topology)).items() if p.kind == "first"
    }
