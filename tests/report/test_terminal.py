"""What a terminal prints, word for word where it matters."""

from __future__ import annotations

from netproof.report.html import render_html
from netproof.report.junit import render_junit
from netproof.report.markdown import render_markdown
from netproof.report.terminal import WIDTH, blocks, reviewed_lines, summary

from .example import edited, example

RECORD = example()
CALICO, CILIUM = RECORD.targets


def test_a_block_says_what_where_why_seen_and_how_to_reproduce() -> None:
    lines = blocks(CILIUM, scenario="berserk-enabled")
    start = next(n for n, (text, _) in enumerate(lines) if text.startswith("FAIL") and "node:1" in text)
    assert [text for text, _ in lines[start : start + 11]] == [
        "FAIL  berserk-enabled: node:1 can reach berserk/meta:9500: the policies deny it, cilium 1.17.2 let",
        "      it through",
        "  verdict    cni-difference: the CNI or its set-up: it does not do what the policy says",
        "  where      node:1 → berserk/meta:9500/TCP by pod address",
        "  values     intended denied, specified denied, measured connected",
        "  why        berserk/meta isolates ingress and none of its rules allows node:1 on port 9500.",
        "             egress: not isolated, so everything is allowed",
        "             ingress: isolated by berserk/meta; no rule allows it",
        "  seen       connected 5 times from 0.05 s; dialled 10.244.1.17; the server saw 10.244.1.25",
        "  reproduce  docker exec netproof-node-1 python3 /agent.py dial 10.244.1.17 9500 TCP",
        "",
    ]
    assert [style for _, style in lines[start : start + 3]] == ["bad", "bad", "bad"]


def test_what_reviewed_entries_declare_is_told_once_for_all_cnis() -> None:
    lines = reviewed_lines(RECORD)
    assert lines[0] == ("Documented surprises (reviewed; the report has the cells):", "bold")
    titles = [text for text, style in lines if style == "warn"]
    assert len(titles) == len(set(titles))
    assert any(text.startswith("  cilium-cidr-excludes-pods (") and text.endswith(", cilium)") for text in titles)
    assert not any("cilium-cidr-excludes-pods" in text for text, _ in blocks(CILIUM))


def test_a_stale_entry_says_what_to_do() -> None:
    texts = [text for text, _ in blocks(CILIUM, scenario="berserk-ingress-side")]
    assert any(text.startswith("STALE  berserk-ingress-side: cilium-nodeport-snat declares 1 cell") for text in texts)
    assert "  do         remove the entry cilium-nodeport-snat, or narrow it to the cells that still differ" in texts


def test_many_cells_are_cut() -> None:
    wrong = CILIUM.cells[0].model_copy(
        update={"verdict": "policy-defect", "accepted": False, "destination": "berserk/meta", "reviewed": []}
    )
    cells = [wrong.model_copy(update={"source": f"berserk/pod-{n}"}) for n in range(13)]
    texts = [text for text, _ in blocks(CILIUM.model_copy(update={"cells": cells, "reviewed": []}))]
    assert sum("→ berserk/meta:" in text and text.lstrip().startswith(("where", "berserk/pod")) for text in texts) == 10
    assert "             +3 more" in texts


def test_ascii_has_no_other_sign() -> None:
    for text, _ in blocks(CALICO, unicode=False) + summary(RECORD, unicode=False):
        assert text.isascii()
    assert any("berserk/stranger -> berserk/ui:9090" in text for text, _ in blocks(CALICO, unicode=False))


def test_lines_are_short_except_commands_and_names() -> None:
    for text, _ in blocks(CALICO):
        assert len(text) <= WIDTH or text.startswith(("  reproduce", "DOCUMENTED", "KNOWN")), text


def test_the_summary_is_a_table_a_sentence_each_and_the_path() -> None:
    lines = summary(RECORD, report="reports/latest/report.html")
    assert lines[0][0].split() == [
        *("CNI", "RESULT", "SCENARIOS", "HOLD", "DOCUMENTED", "KNOWN", "DIFFER"),
        *("UNSPECIFIED", "UNMEASURED", "SLOWEST"),
    ]
    assert lines[1][0].split() == [
        *("calico", "3.28.5", "FAIL", "3/4", "OK,", "1", "skipped", "655", "114", "0", "2", "12", "1", "0.52", "s"),
    ]
    assert lines[-2] == ("The CNIs agree on 758 of 783 cells that all of them measured.", "")
    assert lines[-1] == ("report: reports/latest/report.html", "bold")


def test_an_interrupted_run_says_so() -> None:
    record = RECORD.model_copy(update={"run": RECORD.run.model_copy(update={"interrupted": True})})
    assert ("INTERRUPTED: the run was stopped; what is missing was not measured.", "warn") in summary(record)


def test_a_cni_that_never_came_up_is_in_the_table() -> None:
    record = edited(RECORD, environment=None, cells=[], scenarios=[], reviewed=[], error="no node became ready")
    text, style = summary(record)[1]
    assert (text.split(), style) == (["calico", "ENDED", "EARLY", "0/0", "OK", *"000000", "-"], "bad")


def test_where_nothing_is_left_to_repeat_a_probe_on_the_scenario_is_repeated() -> None:
    """The reference driver's namespaces end with the run."""
    target = RECORD.targets[1]
    gone = target.model_copy(update={"cells": [cell.model_copy(update={"reproduce": ""}) for cell in target.cells]})
    record = RECORD.model_copy(update={"targets": [gone]})
    again = f"pytest --cni cilium --scenario-set {gone.scenarios[0].id}"
    scenarios = [one.model_copy(update={"reproduce": again}) for one in gone.scenarios]
    record = record.model_copy(update={"targets": [gone.model_copy(update={"scenarios": scenarios})]})
    assert (f"  reproduce  {again}", "bold") in blocks(record.targets[0])
    for drawn in (render_markdown(record), render_junit(record), render_html(record)):
        assert again in drawn
