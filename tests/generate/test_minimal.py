"""A disagreement is made small on the driver that showed it, and its file replays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import recipes, scenarios
from harness.errors import ClusterError, InputError
from harness.generate import documents
from harness.generate.shrinking import shrunk
from harness.progress import Progress
from harness.run import RunOptions, Session

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


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    options = RunOptions(run_id="test", token="word", report_dir=tmp_path, fault=FAULT)
    made = Session(recipes.parse_cni("reference")[0], 0, options, Progress(lambda line: None))
    try:
        made.start()
    except ClusterError as error:
        pytest.skip(str(error))
    yield made
    made.close()


def test_a_planted_fault_is_found_and_shrunk_to_one_rule_and_one_cell(session: Session, tmp_path: Path) -> None:
    wanted = documents.scenario(DRAFT, "generated-1-1", "seed 1, number 1", "--generate 1-1 --seed 1")
    session.prepare([wanted.topology])
    part = session.measure(wanted, 0)
    assert part.scenario.result == "failed"
    assert "nothing can be left out" in part.scenario.reason
    path = tmp_path / "generated" / "generated-1-1.yaml"
    content = yaml.safe_load(path.read_text())
    ((step,),) = (content["steps"],)
    (manifest,) = step["apply"]
    (rule,) = manifest["spec"]["ingress"]
    (peer,) = rule["from"]
    assert rule.keys() == {"from"}
    assert peer == {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["{address:y/a}/32"]}}
    assert [line.split() for line in step["expect"].splitlines()] == [["80/TCP", "x/a"], ["y/a", "-"]]
    assert path.read_text().startswith("# reference: y/a → x/a:80/TCP: specified denied, measured connected\n")
    ((found,),) = scenarios.select(str(path)).values()
    again = session.measure(replace(found, id="again"), 1)
    assert [(cell.source, cell.destination, cell.verdict.value) for cell in again.cells] == [
        ("y/a", "x/a", "cni-difference")
    ]


def test_shrinking_leaves_out_all_that_does_not_matter_and_ends_in_time() -> None:
    tries = []

    def still(candidate: dict[str, Any]) -> bool:
        tries.append(candidate)
        return "external:near" in repr(candidate)

    small, minimal = shrunk(DRAFT, still, time.monotonic() + 60)
    assert minimal
    assert len(small["steps"]) == 1
    assert "noise" not in repr(small)
    assert "matchLabels" not in repr(small)
    assert len(tries) < 60
    late, minimal = shrunk(DRAFT, still, time.monotonic() - 1)
    assert (late, minimal) == (DRAFT, False)


def test_a_file_of_the_users_own_is_a_set(tmp_path: Path) -> None:
    content = documents.document(DRAFT, "own", "nowhere", ["80/TCP  x/a\ny/a     +\n"] * 3)
    (tmp_path / "own.yaml").write_text(documents.text(content, "a note"))
    for word in (str(tmp_path), str(tmp_path / "own.yaml")):
        ((found,),) = scenarios.select(word).values()
        assert (found.id, len(found.steps)) == ("own", 3)
    both = [s.id for found in scenarios.select(f"{tmp_path / 'own.yaml'},isolation-none").values() for s in found]
    assert sorted(both) == ["isolation-none", "own"]
    with pytest.raises(InputError, match="there is no file or folder"):
        scenarios.select(str(tmp_path / "none.yaml"))
