"""What scenarios use of the API: every value has its name in coverage.yaml, and the command says what is missing."""

from __future__ import annotations

import pytest

from netproof.catalogue.reading import read_scenarios
from netproof.catalogue.scenarios import Scenario
from netproof.catalogue.selection import list_files
from netproof.commands.main import main
from netproof.manifests.placeholders import fill_examples
from netproof.model import Probe
from netproof.model.placement import place_on_paper
from netproof.proving import coverage

CATALOGUE = [scenario for path in list_files() for scenario in read_scenarios(path)]


def policy(**spec: object) -> dict[str, object]:
    metadata = {"name": "a", "namespace": "x"}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def by_id(identifier: str) -> Scenario:
    return next(scenario for scenario in CATALOGUE if scenario.id == identifier)


def test_the_smallest_policy() -> None:
    assert set(coverage.uses(policy())) == {
        ("spec.podSelector", "empty"),
        ("spec.policyTypes", "absent"),
        ("spec.ingress", "absent"),
        ("spec.egress", "absent"),
    }


def test_a_policy_with_everything() -> None:
    several = {
        "matchLabels": {"a": "b", "c": "d"},
        "matchExpressions": [{"key": "e", "operator": "In", "values": ["f"]}],
    }
    block = {"cidr": "10.0.0.0/24", "except": ["10.0.0.0/25", "10.0.0.128/25"]}
    port = {"port": 80, "endPort": 81, "protocol": "UDP"}
    rule = {"from": [{"namespaceSelector": {}, "podSelector": several}, {"ipBlock": block}], "ports": [port]}
    used = set(coverage.uses(policy(policyTypes=["Egress", "Ingress"], ingress=[rule, None], egress=[])))
    assert used >= {
        ("spec.policyTypes", "Ingress and Egress"),
        ("spec.ingress", "several rules"),
        ("spec.egress", "empty"),
        ("spec.ingress.from", "several peers"),
        ("spec.ingress.from", "absent"),
        ("spec.ingress.from.peer", "namespaceSelector and podSelector"),
        ("spec.ingress.from.peer", "ipBlock"),
        ("spec.ingress.from.namespaceSelector", "empty"),
        ("spec.ingress.from.podSelector", "both"),
        ("spec.ingress.from.podSelector.matchLabels", "several labels"),
        ("spec.ingress.from.podSelector.matchExpressions.operator", "In one value"),
        ("spec.ingress.from.ipBlock.cidr", "IPv4 range"),
        ("spec.ingress.from.ipBlock.except", "several ranges"),
        ("spec.ingress.ports.protocol", "UDP"),
        ("spec.ingress.ports.port", "number"),
        ("spec.ingress.ports.endPort", "above port"),
    }
    assert used <= coverage.measure([]).fields.keys()


def test_what_scenarios_use_is_all_in_the_list() -> None:
    """A field or value that the list does not know would be counted nowhere."""
    listed = coverage.measure([]).fields.keys()
    used = {use for s in CATALOGUE for step in s.steps for m in step.applied for use in coverage.uses(_plain(m))}
    assert used - listed == set()
    rows = coverage.load_target().dimensions.values()
    for meeting in {meeting for name in ("pairs-ipv6-blocks", "berserk-enabled") for meeting in _met(name)}:
        assert all(value in row for value, row in zip(meeting, rows, strict=True)), meeting


def _plain(manifest: object) -> dict[str, object]:
    """Placeholders are no addresses yet."""
    if isinstance(manifest, dict):
        return {key: _plain(value) for key, value in manifest.items()}
    if isinstance(manifest, list):
        return [_plain(item) for item in manifest]  # type: ignore[return-value]
    return fill_examples(manifest) if isinstance(manifest, str) else manifest  # type: ignore[return-value]


def _met(identifier: str) -> set[coverage.Meeting]:
    scenario = by_id(identifier)
    return coverage.meetings(scenario.fill(place_on_paper(scenario.topology)))


def test_a_probe_meets_the_rules_of_policies_that_isolate_its_ends_in_their_direction() -> None:
    assert _met("pairs-egress-range-of-one-port") == {
        ("everybody", "egress", "number", "TCP", "pod"),
        ("everybody", "egress", "number", "TCP", "outside"),
    }


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        (Probe(source="x/a", destination="x/b", port=80), "pod"),
        (Probe(source="x/a", destination="x/b", port=80, family=6), "pod by IPv6"),
        (Probe(source="x/a", destination="svc:x/b", port=80, via="name"), "name"),
        (Probe(source="external:near", destination="svc:x/b", port=80, via="nodeport"), "node port"),
        (Probe(source="x/a", destination="external:near", port=80, via="address"), "outside"),
        (Probe(source="node:0", destination="x/b", port=80), "node"),
    ],
)
def test_addressing(probe: Probe, expected: str) -> None:
    assert coverage.addressing(probe) == expected


def test_the_catalogue_covers_the_api(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["coverage", "--fail-under", "100"]) == 0
    shown = capsys.readouterr().out
    assert "NONE" not in shown
    assert "spec.policyTypes" in shown


def test_part_of_the_catalogue_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["coverage", "--scenario-set", "isolation-none", "--fail-under", "1"]) == 1
    assert main(["coverage", "--scenario-set", "isolation-none"]) == 0
    shown = capsys.readouterr().out
    assert "FIELDS  0 of " in shown
    assert "NONE: everybody × ingress, everybody × egress" in shown
