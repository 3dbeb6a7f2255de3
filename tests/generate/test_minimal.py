"""A disagreement is made small on the driver that showed it, and its file replays."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import pytest
import yaml

from netproof.catalogue.scenarios import Scenario
from netproof.catalogue.selection import select_scenarios
from netproof.clusters import recipes
from netproof.drivers import create
from netproof.errors import ClusterError, InputError
from netproof.generate import documents, minimal
from netproof.generate.shrinking import shrink
from netproof.model import Probe, Specified
from netproof.report.store import ScenarioPart
from netproof.run import session as session_module
from netproof.run.progress import Progress
from netproof.run.session import RunOptions, Session
from tests import require

FAULT = "ignore-except"
NOISE = {"podSelector": {"matchLabels": {"pod": "c"}}, "ingress": [{"from": [{"podSelector": {}}]}]}
BLOCK = {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["{address:y/a}/32", "{address:external:near}/32"]}}
WRONG = {
    "podSelector": {"matchLabels": {"pod": "a"}},
    "policyTypes": ["Ingress"],
    "ingress": [
        {"from": [{"podSelector": {"matchLabels": {"pod": "b"}}}, BLOCK], "ports": [{"port": 80}, {"port": 81}]},
        {"from": [{"namespaceSelector": {"matchLabels": {"ns": "z"}}}]},
    ],
}


def policy(ref: str, spec: dict[str, Any]) -> dict[str, Any]:
    namespace, name = ref.split("/")
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


DRAFT = {
    "topology": "grid",
    "steps": [
        {"name": "applied", "apply": [policy("x/noise", NOISE), policy("y/noise", NOISE)]},
        {"name": "change-1", "apply": [policy("x/wrong", WRONG)]},
        {"name": "change-2", "label": {"z/c": {"pod": "d"}}},
    ],
}

DRAFT_SCENARIO = documents.scenario(DRAFT, "generated-1-1", "seed 1, number 1", "--generate 1-1 --seed 1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def session(folder: Path) -> Iterator[Session]:
    options = RunOptions(run_id="test", token="word", report_dir=folder, fault=FAULT)
    made = Session(recipes.parse_cni("reference")[0], 0, options, Progress(lambda line: None))
    try:
        made.start()
    except ClusterError as error:
        require.skip("reference", str(error))
    yield made
    made.close()


@pytest.fixture(scope="module")
def part(session: Session) -> ScenarioPart:
    """A generated scenario that the planted fault fails."""
    session.prepare([DRAFT_SCENARIO.topology])
    return session.measure(DRAFT_SCENARIO, 0)


def test_a_planted_fault_is_found_and_shrunk_to_one_rule_and_one_cell(
    session: Session, folder: Path, part: ScenarioPart
) -> None:
    assert part.scenario.result == "failed"
    assert "nothing can be left out" in part.scenario.reason
    path = folder / "generated" / "generated-1-1.yaml"
    content = yaml.safe_load(path.read_text())
    ((step,),) = (content["steps"],)
    (manifest,) = step["apply"]
    (rule,) = manifest["spec"]["ingress"]
    (peer,) = rule["from"]
    assert rule.keys() == {"from"}
    assert peer == {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["{address:y/a}/32"]}}
    assert [line.split() for line in step["expect"].splitlines()] == [["80/TCP", "x/a"], ["y/a", "-"]]
    assert path.read_text().startswith("# reference: y/a → x/a:80/TCP: specified denied, measured connected\n")
    ((found,),) = select_scenarios(str(path)).values()
    again = session.measure(replace(found, id="again"), 1)
    assert [(cell.source, cell.destination, cell.verdict.value) for cell in again.cells] == [
        ("y/a", "x/a", "cni-difference")
    ]


LATE, HOLD = 0.5, 0.2
"""Seconds after which a dataplane forgets what it was told, and for which a matrix must hold here."""


class Forgetful:
    """Any driver, with a dataplane that enforces what it is told, and LATE seconds later no exception any more."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._later: list[threading.Timer] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def apply(self, manifests: Any) -> None:
        self._driver.apply(manifests)
        wrong = copy.deepcopy(list(manifests))
        for manifest in wrong:
            for rule in manifest["spec"].get("ingress", ()):
                for peer in rule.get("from", ()):
                    peer.get("ipBlock", {}).pop("except", None)
        self._later.append(threading.Timer(LATE, self._driver.apply, [wrong]))
        self._later[-1].start()

    def reset(self) -> None:
        for timer in self._later:
            timer.cancel()
            timer.join()
        self._driver.reset()


def test_a_disagreement_that_comes_late_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cell that is asked alone agrees for longer than the hold window before it disagrees again."""
    recipe = recipes.load(recipes.parse_cni("reference")[0])
    quick = recipe.model_copy(update={"settle": recipe.settle.model_copy(update={"seconds": HOLD, "limit": 4.0})})
    monkeypatch.setattr(recipes, "load", lambda wanted: quick)
    monkeypatch.setattr(session_module, "create", lambda recipe, options: Forgetful(create(recipe, options)))
    session = Session(
        recipes.parse_cni("reference")[0],
        0,
        RunOptions(run_id="test", token="word", report_dir=tmp_path),
        Progress(lambda line: None),
    )
    rules = [{"from": [BLOCK, {"podSelector": {}}]}]
    spec = {"podSelector": {"matchLabels": {"pod": "a"}}, "ingress": rules}
    draft = {"topology": "grid", "steps": [{"name": "applied", "apply": [policy("x/wrong", spec)]}]}
    wanted = documents.scenario(draft, "late", "nowhere", "", [Probe(source="y/a", destination="x/a", port=80)])
    (probe,) = wanted.steps[0].intended
    try:
        session.start()
        asked = partial(session.shrinker.disagrees, wanted, probe, Specified.DENIED, at_most=inf)
        assert [asked(late=0.0), asked(late=LATE)] == [False, True]
    except ClusterError as error:
        require.skip("reference", str(error))
    finally:
        session.close()


def test_who_shrinks_waits_as_long_as_the_disagreement_took(part: ScenarioPart, tmp_path: Path) -> None:
    asked = []

    def never(scenario: Scenario, probe: Probe, specified: Specified, *, late: float, at_most: float) -> bool:
        asked.append((late, at_most))
        return False

    (wrong, *_) = [cell.model_copy(update={"settled_after_s": 7.5}) for cell in part.cells if not cell.accepted]
    _, told = minimal.find(DRAFT_SCENARIO, [wrong], never, folder=tmp_path, cni="reference")
    assert asked == [(7.5, inf)]
    assert "did not happen again" in told


def test_what_agrees_in_the_end_is_not_what_is_saved(part: ScenarioPart, tmp_path: Path) -> None:
    """Without a second policy, the dataplane is slow and right: only what disagrees for good counts."""

    def slow(scenario: Scenario, probe: Probe, specified: Specified, *, late: float, at_most: float) -> bool:
        policies = [m["metadata"]["name"] for step in scenario.steps for m in step.applied]
        return at_most < inf or len(policies) > 1

    (wrong, *_) = [cell for cell in part.cells if not cell.accepted]
    path, told = minimal.find(DRAFT_SCENARIO, [wrong], slow, folder=tmp_path, cni="reference")
    assert "what is smaller agreed in the end, only later" in told
    steps = yaml.safe_load(path.read_text())["steps"]
    assert [m["metadata"]["name"] for step in steps for m in step.get("apply", ())] == ["noise", "wrong"]


def test_ctrl_c_saves_what_is_small_so_far(part: ScenarioPart, tmp_path: Path) -> None:
    asked = []

    def interrupted(scenario: Scenario, probe: Probe, specified: Specified, *, late: float, at_most: float) -> bool:
        asked.append([m["metadata"]["name"] for step in scenario.steps for m in step.applied])
        if len(asked) > 3:
            raise KeyboardInterrupt
        return True

    (wrong, *_) = [cell for cell in part.cells if not cell.accepted]
    with pytest.raises(KeyboardInterrupt):
        minimal.find(DRAFT_SCENARIO, [wrong], interrupted, folder=tmp_path, cni="reference")
    steps = yaml.safe_load((tmp_path / "generated-1-1.yaml").read_text())["steps"]
    assert [m["metadata"]["name"] for step in steps for m in step.get("apply", ())] == asked[2] != asked[0]


def test_shrinking_leaves_out_all_that_does_not_matter_and_ends_in_time() -> None:
    tries = []

    def still(candidate: dict[str, Any]) -> bool:
        tries.append(candidate)
        return "external:near" in repr(candidate)

    small, minimal = shrink(DRAFT, still, time.monotonic() + 60)
    assert minimal
    assert len(small["steps"]) == 1
    assert "noise" not in repr(small)
    assert "matchLabels" not in repr(small)
    assert len(tries) < 60
    late, minimal = shrink(DRAFT, still, time.monotonic() - 1)
    assert (late, minimal) == (DRAFT, False)


def test_a_file_of_the_users_own_is_a_set(tmp_path: Path) -> None:
    content = documents.document(DRAFT, "own", "nowhere", ["80/TCP  x/a\ny/a     +\n"] * 3)
    (tmp_path / "own.yaml").write_text(documents.text(content, "a note"))
    for word in (str(tmp_path), str(tmp_path / "own.yaml")):
        ((found,),) = select_scenarios(word).values()
        assert (found.id, len(found.steps)) == ("own", 3)
    both = [s.id for found in select_scenarios(f"{tmp_path / 'own.yaml'},isolation-none").values() for s in found]
    assert sorted(both) == ["isolation-none", "own"]
    with pytest.raises(InputError, match="there is no file or folder"):
        select_scenarios(str(tmp_path / "none.yaml"))
