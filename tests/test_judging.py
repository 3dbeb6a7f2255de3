"""What steps leave behind for the decisions of later ones."""

from __future__ import annotations

from harness.files import data_dir
from harness.judging import decide
from harness.model import Probe, Specified
from harness.policy import Decision
from harness.scenarios import read_scenarios
from harness.synthetic import placed


def test_a_connection_that_a_deny_may_have_ended_stays_open_to_question() -> None:
    scenarios = read_scenarios(data_dir("scenarios") / "change" / "connections.yaml")
    scenario = next(s for s in scenarios if s.id == "change-connection-when-the-deny-goes-again")
    held = Probe(source="x/b", destination="x/a", port=80, kind="held")
    new = Probe(source="x/b", destination="x/a", port=80)
    said: list[tuple[Specified, Specified]] = []
    decisions: dict[Probe, Decision] = {}
    for step in scenario.steps:
        decisions = decide(step, placed(step.topology), decisions)
        said.append((decisions[held].specified, decisions[new].specified))
    assert said == [
        (Specified.CONNECTED, Specified.CONNECTED),
        (Specified.UNSPECIFIED, Specified.DENIED),
        (Specified.UNSPECIFIED, Specified.CONNECTED),
    ]
    assert decisions[held].because.startswith("unspecified: an earlier change denied this")
