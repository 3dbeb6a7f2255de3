"""Generated scenarios: valid, the same for a seed, without what is left out; and objects that must be refused."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from netproof.errors import InputError
from netproof.generate import plan, refused, strategies
from netproof.generate.request import DIALECTS, parse_request
from netproof.policy import read_policies

CODE = "from netproof.generate import strategies; print(strategies.draw_scenarios(7, 3, 5, 'kubernetes', frozenset()))"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_objects_are_valid_and_tables_can_be_read(dialect: str) -> None:
    made = plan.generate_scenarios(parse_request("25", "5", dialect, []))
    assert len({scenario.id for scenario in made}) == 25
    for scenario in made:
        assert all(step.intended.cells for step in scenario.steps)
        read_policies([m for m in _filled(scenario.steps) if m["kind"] != "Namespace"])


def _filled(steps: Any) -> list[dict[str, Any]]:
    from netproof.manifests.placeholders import fill
    from netproof.model.placement import place_on_paper

    return [dict(m) for step in steps for m in fill(step.applied, place_on_paper(step.topology))]


def test_a_number_of_a_seed_is_the_same_however_many_are_asked_for_and_in_every_process() -> None:
    many = dict(strategies.draw_scenarios(7, 1, 8, "kubernetes", frozenset()))
    few = dict(strategies.draw_scenarios(7, 3, 5, "kubernetes", frozenset()))
    assert few == {number: many[number] for number in (3, 4, 5)}
    # A process that has loaded other modules, whose constants must not matter.
    other = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout
    assert other.strip() == repr(list(few.items()))
    assert few != dict(strategies.draw_scenarios(8, 3, 5, "kubernetes", frozenset()))


@pytest.mark.parametrize(
    ("left_out", "words"),
    [
        ("ipblock", ["ipBlock"]),
        ("ipblock-pods", ["0.0.0.0/0", "{address:x", "{network/24:x"]),
        ("end-port", ["endPort"]),
        ("named-ports", ["serve-80-tcp"]),
        ("sctp", ["SCTP"]),
        ("steps", ["change-1"]),
    ],
)
def test_what_is_left_out_is_not_there(left_out: str, words: list[str]) -> None:
    everything = repr(strategies.draw_scenarios(1, 1, 150, "kubernetes", frozenset()))
    without = repr(strategies.draw_scenarios(1, 1, 150, "kubernetes", frozenset((left_out,))))
    for word in words:
        assert word in everything
        assert word not in without


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("0", "1", "kubernetes", []), "--generate: a number of scenarios"),
        (("9-3", "1", "kubernetes", []), "--generate: a number of scenarios"),
        (("5", "x", "kubernetes", []), "--seed: a whole number"),
        (("5", "1", "ciliun", []), "--generate-dialect: 'ciliun' is not known; did you mean cilium"),
        (("5", "1", "cilium", ["ipblok"]), "--generate-without: 'ipblok' is not known; did you mean ipblock"),
    ],
)
def test_a_wrong_wish_is_a_sentence(options: tuple[str, str, str, list[str]], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence.replace("?", ".")):
        parse_request(*options)


@settings(max_examples=150, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
@given(refused.objects())
def test_our_reader_refuses_what_the_api_server_must_refuse(slip: tuple[str, dict[str, Any]]) -> None:
    _, manifest = slip
    with pytest.raises(InputError):
        read_policies([manifest])


def test_every_slip_is_tried() -> None:
    found = {what for what, _ in refused.draw_refused(1, 1200)}
    assert found >= {what for _, what in refused.SLIPS}


def test_cluster_policies_leave_out_what_drowns_the_rest_on_one_cni() -> None:
    """Negative selectors of a peer's namespaces, and what the Baseline tier accepts; both are there otherwise."""

    def found(without: frozenset[str]) -> tuple[bool, bool]:
        drafts = strategies.draw_scenarios(1, 1, 150, "clusternetworkpolicy", without)
        policies = [
            policy
            for _, draft in drafts
            for step in draft["steps"]
            for policy in step.get("apply", ())
            if policy["kind"] == "ClusterNetworkPolicy"
        ]
        rules = [
            (p["spec"]["tier"], rule)
            for p in policies
            for side in ("ingress", "egress")
            for rule in p["spec"].get(side, ())
        ]
        peers = [peer for _, rule in rules for peer in (*rule.get("from", ()), *rule.get("to", ()))]
        spaces = [peer.get("namespaces") or peer.get("pods", {}).get("namespaceSelector") or {} for peer in peers]
        operators = {one["operator"] for space in spaces for one in space.get("matchExpressions", ())}
        accepts = any(tier == "Baseline" and rule["action"] == "Accept" for tier, rule in rules)
        return not operators.isdisjoint(("NotIn", "DoesNotExist")), accepts

    assert found(frozenset()) == (True, True)
    assert found(frozenset(("negative-namespaces", "baseline-accept"))) == (False, False)
