"""`netproof check` finds planted mistakes in example charts, and has nothing to say of the charts as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from netproof.lint import Checked, build_input, check, find_unread, locate_policies, read_inventory
from netproof.lint.cni.profiles import read_profiles
from netproof.manifests.load import read_objects, set_namespace

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PLANTED: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("planted.yaml").read_text(encoding="utf-8"))


def checked(file: Path, cni: str = "") -> Checked:
    objects = set_namespace(read_objects(file), "default")
    profiles = read_profiles(cni) if cni else ()
    return check(
        build_input(locate_policies(objects), read_inventory(objects), cnis=profiles, unread=find_unread(objects))
    )


@pytest.mark.parametrize("cni", ["", "calico", "cilium"])
@pytest.mark.parametrize("chart", [path.stem for path in sorted(EXAMPLES.glob("*.yaml"))])
def test_of_a_correct_chart_nothing_is_said(chart: str, cni: str) -> None:
    assert checked(EXAMPLES / f"{chart}.yaml", cni).findings == ()


def test_there_are_enough_of_every_kind() -> None:
    assert len(PLANTED) >= 25
    assert len({one["rule"] for one in PLANTED}) >= 18


@pytest.mark.parametrize("planted", PLANTED, ids=lambda one: str(one["says"]).replace(" ", "-"))
def test_a_planted_mistake_is_found_where_it_stands(planted: dict[str, Any], tmp_path: Path) -> None:
    text = (EXAMPLES / f"{planted['chart']}.yaml").read_text(encoding="utf-8")
    assert text.count(planted["old"]) == 1
    text = text.replace(planted["old"], planted["new"])
    file = tmp_path / "chart.yaml"
    file.write_text(text, encoding="utf-8")
    found = {(finding.rule, finding.place.line) for finding in checked(file, planted.get("cni", "")).findings}
    assert planted["rule"] in {rule for rule, _ in found}
    if at := planted.get("at"):
        assert text.count(at) == 1
        first = text[: text.index(at)].count("\n") + 1
        lines = range(first, first + at.count("\n") + 1)
        assert any(rule == planted["rule"] and line in lines for rule, line in found), found
