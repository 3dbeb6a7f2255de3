"""The page as text: what it says without a browser, and that nothing of a cluster becomes markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

from netproof.report.html import cell_link, render_html

from .example import edited, example

RECORD = example()
PAGE = render_html(RECORD)


class Outline(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.anchors: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.loads += [f"{tag} {name}" for name in ("src", "srcset", "poster", "background") if name in values]
        self.loads += [tag] if tag in ("link", "iframe", "object", "embed", "base") else []
        if tag == "a":
            self.anchors.append(values.get("href") or "")


def test_it_loads_nothing_from_outside() -> None:
    assert Outline(PAGE).loads == []
    assert not re.search(
        r"url\(|@import|https?://(?!docs\.|example\.org)", PAGE.replace("http://www.w3.org/2000/svg", "")
    )
    assert "default-src 'none'" in PAGE


def test_the_policy_allows_this_script_and_no_other() -> None:
    script = PAGE.rsplit("<script>", 1)[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in PAGE or f"script-src 'sha256-{digest}'" in PAGE


def test_anchors_are_unique_and_lead_somewhere() -> None:
    outline = Outline(PAGE)
    assert len(outline.ids) == len(set(outline.ids))
    plain = {anchor[1:] for anchor in outline.anchors if anchor.startswith("#") and "=" not in anchor}
    assert plain <= set(outline.ids)
    assert {"finding-berserk-enabled-policies-applied-berserk-ui-policy-defect", "scenario-berserk-enabled"} <= set(
        outline.ids
    )


def test_a_cells_link_is_stable() -> None:
    cell = RECORD.targets[1].cells[0]
    assert cell_link(RECORD.targets[1], cell) == (
        "#scenario=berserk-enabled&step=policies%20applied&cni=cilium&cell=berserk/meta..berserk/query:9510/TCP/pod"
    )


def test_findings_come_before_the_matrix_and_undeclared_ones_first() -> None:
    order = [
        "can reach berserk/ui:9090",
        "cilium-nodeport-snat declares 1 cell",
        "could not be measured",
        "Documented surprises",
        "By default, HTTPS (443) and PostgreSQL (5432) are open to all IPs.",
        "Known differences",
        "ipBlock 0.0.0.0/0 does not cover pods on Cilium",
        '<section id="matrix"',
    ]
    places = [PAGE.index(text) for text in order]
    assert places == sorted(places)


def test_the_same_finding_on_two_cnis_is_shown_once() -> None:
    assert PAGE.count("<h3>berserk/stranger and berserk-neighbour/neighbour can reach berserk/ui:9090") == 1


def test_without_scripts_the_cells_that_do_not_hold_are_a_table() -> None:
    noscript = PAGE.split("<noscript>")[1].split("</noscript>")[0]
    assert (
        "<td>berserk/nursery → external:postgresql:5432/TCP</td><td>denied</td><td>connected</td><td>unmeasured</td>"
        in (noscript)
    )


def test_text_of_a_cluster_is_never_markup() -> None:
    evil = "</script><script>alert(1)</script><img src=x>"
    target = RECORD.targets[0]
    cell = target.cells[0].model_copy(
        update={"because": evil, "note": evil, "verdict": "cni-difference", "accepted": False, "reproduce": evil}
    )
    scenario = target.scenarios[0].model_copy(update={"claim": evil, "manifests": evil, "warnings": [evil]})
    entry = target.reviewed[0].model_copy(update={"link": "javascript:alert(1)", "sentence": evil, "stale": [evil]})
    page = render_html(edited(RECORD, cells=[cell], scenarios=[scenario], reviewed=[entry], error=evil))
    assert page.count("<script") == 2
    assert "<img" not in page
    assert 'href="javascript' not in page
    block = page.split('<script type="application/json" id="data">')[1].split("</script>")[0]
    assert any("alert(1)" in text for text in json.loads(block)["strings"])


def test_a_run_that_ended_early_and_one_without_targets_are_pages_too() -> None:
    page = render_html(
        edited(RECORD, environment=None, cells=[], scenarios=[], phases=[], error="kind failed\nlast log")
    )
    assert "calico ended early" in page
    assert "It never came up; nothing is known of its environment." in page
    run = RECORD.run.model_copy(update={"interrupted": True})
    empty = render_html(RECORD.model_copy(update={"targets": [], "run": run}))
    assert "Interrupted." in empty
    assert "No undeclared difference" not in empty


def test_a_run_where_all_holds_says_so() -> None:
    cells = [cell for cell in RECORD.targets[0].cells if cell.verdict == "holds"]
    scenarios = RECORD.targets[0].scenarios[3:4]
    record = edited(example("calico"), cells=cells, scenarios=scenarios, reviewed=[])
    page = render_html(record)
    assert "No undeclared difference in 655 measured cells." in page
    assert "✓ OK" in page


def test_thousands_of_findings_stay_readable() -> None:
    cell = RECORD.targets[0].cells[0].model_copy(update={"verdict": "cni-difference", "accepted": False})
    cells = [cell.model_copy(update={"destination": f"x/{n}", "scenario": f"s-{n}"}) for n in range(3000)]
    page = render_html(edited(example("calico"), cells=cells))
    assert "2,960 more findings, one line each" in page
    assert len(page.encode()) < 2_000_000
