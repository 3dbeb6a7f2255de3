"""The job summary."""

from __future__ import annotations

from netproof.report.markdown import render_markdown

from .example import edited, example

RECORD = example()


def test_the_verdict_comes_first() -> None:
    assert render_markdown(RECORD).splitlines()[:3] == [
        "# netproof",
        "",
        "- **FAIL** calico 3.28.5: in 2 cells the policies do not say what was meant; 1 cell not measured; "
        "114 documented surprises",
    ]


def test_every_table_has_as_many_cells_in_each_row() -> None:
    rows = [line for line in render_markdown(RECORD).splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {13, 7, 4}


def test_text_of_a_cluster_is_not_markup() -> None:
    cell = (
        RECORD.targets[0]
        .cells[0]
        .model_copy(
            update={
                **{"verdict": "cni-difference", "accepted": False, "because": "a | b <img> [x](y) `z`"},
                **{"reproduce": "echo '```'; true"},
            }
        )
    )
    text = render_markdown(edited(RECORD, cells=[cell]))
    assert r"- why: a \| b \<img\> \[x\](y) \`z\`" in text
    assert "````sh\necho '```'; true\n````" in text


def test_long_runs_stay_below_a_mebibyte() -> None:
    cell = RECORD.targets[0].cells[0].model_copy(update={"verdict": "cni-difference", "accepted": False})
    cells = [cell.model_copy(update={"destination": f"x/{n}", "scenario": f"s-{n}"}) for n in range(5000)]
    text = render_markdown(edited(RECORD, cells=cells))
    assert "+4,980 more findings in report.html" in text
    assert len(text) < 2**20
