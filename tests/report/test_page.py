"""The page in a real browser: keys, evidence, links, filters, dark mode and paper."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from netproof.report.html import cell_link, render_html

from .browser import CHROMIUM, Page, browser
from .example import example
from .large import large

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: the page's script is not tested")
RECORD = example()
SHOWN = "document.querySelector('#grid td:focus')?.getAttribute('aria-label')"
PANEL = "document.querySelector('#panel').hidden ? '' : document.querySelector('#panel').innerText"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Page]:
    with browser() as page:
        yield page


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_html(RECORD), encoding="utf-8")
    return path


@pytest.fixture
def page(chromium: Page, file: Path) -> Iterator[Page]:
    chromium.problems.clear()
    chromium.requests.clear()
    yield chromium.open(file)
    assert chromium.problems == []
    assert {url.split("#")[0] for url in chromium.requests} <= {file.as_uri(), "about:blank"}


def focus_first(page: Page) -> None:
    page.run("document.querySelector('#grid td[tabindex=\"0\"]').focus()")


def test_it_opens_on_the_first_scenario_with_a_fault(page: Page) -> None:
    assert page.run("document.querySelector('#scenario').selectedOptions[0].text") == "✕ berserk-enabled"
    assert page.run("[...document.querySelectorAll('#tabs button')].map(b => b.textContent)") == [
        *("By pod address✕ 4", "By Service address", "Outside & nodes✕ 1", "DNS"),
    ]
    assert page.run("document.querySelectorAll('#grid tbody tr').length") == 16


def test_without_a_fault_it_opens_on_the_first_scenario_in_which_something_is_denied(
    chromium: Page, tmp_path: Path
) -> None:
    """The chart without policies, in which everything connects, is measured first and tells nothing."""
    target, *_ = RECORD.targets
    accepted = [cell for cell in target.cells if cell.accepted]
    quiet = [cell for cell in accepted if cell.scenario == "berserk-disabled"]
    others = [cell for cell in accepted if cell.scenario != "berserk-disabled"]
    reordered = target.model_copy(update={"cells": [*quiet, *others]})
    path = tmp_path / "report.html"
    path.write_text(render_html(RECORD.model_copy(update={"targets": [reordered]})), encoding="utf-8")
    page = chromium.open(path)
    options = "[...document.querySelector('#scenario').options].map(o => o.text)"
    assert page.run(options)[0].endswith("berserk-disabled")
    assert page.run("document.querySelector('#scenario').selectedOptions[0].text").endswith(others[0].scenario)


def test_a_cell_has_three_marks_and_words(page: Page) -> None:
    label = "node:1 → berserk/meta:9500/TCP by pod address on cilium: intended denied, specified denied, "
    page.run("document.querySelector('[data-tab=outside]').click()")
    cell = page.run(
        "(() => { const td = [...document.querySelectorAll('#grid td')].find(t => (t.getAttribute('aria-label') || '')"
        f".startsWith('{label}')); return [td.getAttribute('aria-label'), td.querySelectorAll('path').length] }})()"
    )
    assert cell == [f"{label}measured connected; cni-difference, undeclared", 3]


def test_arrows_move_over_empty_cells_enter_opens_and_escape_closes(page: Page) -> None:
    focus_first(page)
    assert page.run(SHOWN).startswith("berserk/meta → berserk/query:9510/TCP by pod address on calico")
    page.key("ArrowRight")
    assert page.run(SHOWN).startswith("berserk/meta → berserk/query:9090/TCP by pod address on calico")
    page.key("ArrowDown")
    assert page.run(SHOWN).startswith("berserk/meta → berserk/query:9090/TCP by pod address on cilium")
    page.key("ArrowDown")
    assert page.run(SHOWN).startswith("berserk/ingest → berserk/query:9090/TCP by pod address on calico")
    page.key("Enter")
    shown = page.run(PANEL)
    for text in (
        "berserk/ingest → berserk/query:9090/TCP by pod address",
        "berserk/ingest isolates egress and none of its 3 rules allows query:9090.",
        "egress: isolated by berserk/ingest; no rule allows it",
        "dropped × ",
        "0.31 s after the change",
        "kubectl --context kind-netproof-calico -n berserk exec ingest -- python3 /agent.py dial",
        "Other CNIs",
    ):
        assert text in shown
    assert "cell=berserk/ingest..berserk/query:9090/TCP/pod" in page.run("location.hash")
    page.key("Escape")
    assert page.run(PANEL) == ""
    assert page.run(SHOWN).startswith("berserk/ingest → berserk/query:9090/TCP by pod address on calico")
    assert "cell=" not in page.run("location.hash")


def test_a_cells_link_opens_its_evidence(page: Page, file: Path) -> None:
    target = RECORD.targets[0]
    lost = next(cell for cell in target.cells if cell.measured == "unmeasured")
    page.open(file, cell_link(target, lost))
    assert "The stream to berserk/nursery ended during round 7 (pod evicted: node is low on memory)." in page.run(PANEL)
    assert "? unmeasured" in page.run(PANEL)
    assert page.run("document.querySelector('#tabs [aria-selected=true]').dataset.tab") == "outside"


def test_every_link_to_a_cell_finds_it(page: Page, file: Path) -> None:
    links = page.run("[...document.querySelectorAll('a[href*=\"cell=\"]')].map(a => a.getAttribute('href'))")
    assert len(links) > 10
    for link in links[:: max(1, len(links) // 8)]:
        page.open(file, link)
        assert page.run(PANEL), link


def test_filters_are_in_the_address_and_come_back(page: Page, file: Path) -> None:
    page.run("document.querySelector('#differ').click()")
    page.run("[...document.querySelectorAll('#cnis button')].find(b => b.textContent === 'cilium').click()")
    page.run("(f => { f.value = 'ui'; f.dispatchEvent(new Event('input')) })(document.querySelector('#filter'))")
    address = page.run("location.hash")
    rows = page.run("document.querySelector('#grid').innerText")
    for part in ("scenario=berserk-enabled", "cni=cilium", "differ=1", "q=ui"):
        assert part in address
    page.open(file, address)
    assert page.run("document.querySelector('#grid').innerText") == rows
    assert page.run("document.querySelector('#differ').checked") is True


def test_only_rows_that_differ_hides_the_others(page: Page, file: Path) -> None:
    page.open(file, "#scenario=berserk-enabled&tab=dns&differ=1")
    assert page.run("document.querySelector('#grid').innerText") == "No row differs here."
    page.open(file, "#scenario=berserk-enabled&tab=outside&differ=1&cni=calico")
    names = page.run("[...document.querySelectorAll('#grid tbody th')].map(th => th.textContent)")
    assert "berserk/meta" not in names
    assert "node:1" in names


def test_the_tooltip_says_it_in_words(page: Page) -> None:
    focus_first(page)
    assert page.run("document.querySelector('#tip').innerText") == (
        "berserk/meta → berserk/query:9510/TCP by pod address\n"
        "intended denied, specified denied, measured denied\ncalico: holds"
    )


def test_dark_and_light(page: Page) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    page.run("localStorage.clear()")
    before = page.run(paper)
    page.run("document.querySelector('#theme').click()")
    after = page.run(paper)
    page.run("localStorage.clear()")
    assert {before, after} == {"rgb(251, 251, 249)", "rgb(20, 23, 26)"}


def test_nothing_is_wider_than_a_phone(page: Page, file: Path) -> None:
    page.open(file, width=390)
    assert page.run("document.documentElement.scrollWidth") == 390


def test_it_prints(page: Page, tmp_path: Path) -> None:
    page.print(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


def test_a_large_matrix_draws_only_what_is_in_view(chromium: Page, tmp_path: Path) -> None:
    file = tmp_path / "large.html"
    file.write_text(render_html(large(services=40, ports=10, cnis=2)), encoding="utf-8")
    chromium.open(file)
    assert chromium.run("document.querySelectorAll('#grid td[data-i]').length") < 3000
    assert chromium.run(f"performance.now() < {30_000 if os.environ.get('CI') else 10_000}")
    chromium.run("document.querySelector('#grid').scrollTo(99999, 99999)")
    chromium.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    last = "[...document.querySelectorAll('#grid td[data-i]')].at(-1).getAttribute('aria-label')"
    assert chromium.run(last).startswith("shop-4/service-39 → shop-4/service-39:8004/TCP by pod address on cilium-1")
    assert chromium.problems == []
