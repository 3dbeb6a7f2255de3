"""`netproof engines` as a shell sees it: the catalogue, a chart's values, and what goes together."""

from __future__ import annotations

from pathlib import Path

import pytest

from netproof.charts.stageset import ENGINES, for_engine
from netproof.commands.main import main
from netproof.manifests.yaml_documents import Document

VALUES = """networkPolicy:
  enabled: true
  engine: calico
  gate: {from: [{podSelector: {}}]}
  egress: {enabled: true, to: [{ports: [{port: 443}]}]}
  additionalIngress: [{}]
  cilium: {egress: [{toEntities: [world]}]}
"""


def test_the_catalogue_on_paper_differs_only_where_it_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engines", "--scenario-set", "stageset-developers-policy,stageset-c*-developers-policy"]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[0].split() == ["INTENT", "CELLS", *ENGINES, "AGREE", "DIFFER", "OPEN"]
    row = "stageset-developers-policy 11 11/11 11/11 11/11 8/11 8 3 0"
    assert shown.splitlines()[1].split() == row.split()
    assert "the-baseline-gives-way: clusterNetworkPolicy (3 cells)" in shown
    assert "Nothing was measured" in shown


def test_any_difference_can_be_made_to_fail(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["engines", "--scenario-set", "stageset-developers-policy,stageset-c*-developers-policy"]
    assert main([*words, "--fail-on", "any"]) == 13
    assert capsys.readouterr().err == "netproof: 3 cells: engines differ\n"


def test_each_engine_takes_its_own_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "values.yaml").write_text(VALUES)
    page, text = tmp_path / "out.html", tmp_path / "out.md"
    words = ["engines", "--chart", "stageset", "--values", str(tmp_path / "values.yaml")]
    assert main([*words, "--html", str(page), "--markdown", str(text)]) == 0
    assert "They differ on" in capsys.readouterr().out
    assert "Declared by nobody" in page.read_text(encoding="utf-8")
    assert "| stageset |" in text.read_text(encoding="utf-8")


def test_values_of_another_engine_lack_what_it_would_refuse() -> None:
    import yaml

    document = Document(file="values.yaml", content=yaml.safe_load(VALUES), lines={})
    policy = for_engine(document, "cilium").content["networkPolicy"]
    assert policy == {
        "enabled": True,
        "engine": "cilium",
        "gate": {},
        "egress": {"enabled": True},
        "cilium": {"egress": [{"toEntities": ["world"]}]},
    }
    same = for_engine(document, "kubernetes").content["networkPolicy"]
    assert same == {**document.content["networkPolicy"], "engine": "kubernetes"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--values", "v.yaml"], "--values: goes with --chart NAME"),
        (["--chart", "stageset", "--scenario-set", "stageset"], "--chart: give one of records, --chart and"),
        (["--chart", "berserk"], "chart berserk renders one dialect only; charts with several: stageset"),
        (["--chart", "stagset"], "no chart is called 'stagset'"),
        (["--scenario-set", "isolation"], "--scenario-set: no scenario of these is there under two engines"),
    ],
)
def test_a_wrong_option_is_a_sentence(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engines", *words]) == 12
    assert sentence in capsys.readouterr().err


def test_a_record_without_variants_says_how_to_get_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.report.example import example

    (tmp_path / "record.json").write_text(example().model_dump_json(), encoding="utf-8")
    assert main(["engines", str(tmp_path)]) == 12
    assert "no scenario under two engines; `netproof run --scenario-set stageset`" in capsys.readouterr().err
