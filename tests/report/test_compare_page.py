"""The comparison's page in a real browser: the list, its filters in the address, and evidence from each side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from netproof.report.compare_groups import group_rows
from netproof.report.compare_html import link, render_compare
from netproof.report.comparison import Comparison

from .browser import CHROMIUM, Page, browser
from .example import example
from .test_compare import leak, night, only, small
from .test_html import Outline

needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed: the page's script is not tested"
)
COUNT = "document.querySelector('#shown').innerText"
PANEL = "document.querySelector('#panel').hidden ? '' : document.querySelector('#panel').innerText"


def today() -> Comparison:
    """Two CNIs, the night before for one of them, and one that nobody measured."""
    return only(night(example(), 21), baseline=(night(example("calico"), 20),), expect=("calico", "cilium", "antrea"))


PAGE = render_compare(today())


def test_it_loads_nothing_from_outside_and_says_it_without_a_script() -> None:
    outline = Outline(PAGE)
    assert outline.loads == []
    assert len(outline.ids) == len(set(outline.ids))
    assert "antrea is missing: no record has it. Nothing is known about it." in PAGE
    assert "node:1 → berserk/meta:9500: denied on calico 3.28.5, connected on cilium 1.17.2" in PAGE
    assert "default-src 'none'" in PAGE


def test_equal_records_say_so() -> None:
    page = render_compare(only(small(), baseline=(small(),)))
    assert "No difference in what was measured on several sides." in page


def test_text_of_a_cluster_is_never_markup() -> None:
    def odd(_: object) -> dict[str, object]:
        return {"note": "</script><script>alert(1)</script>", "source": "<b>x</b>"}

    assert "<script>alert" not in render_compare(only(small(odd), baseline=(small(),)))
    assert "<b>x</b>" not in render_compare(only(small(odd), baseline=(small(),)))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with browser() as page:
        yield page


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compare") / "compare.html"
    path.write_text(PAGE, encoding="utf-8")
    return path


@pytest.fixture
def page(chromium: Page, file: Path) -> Iterator[Page]:
    chromium.problems.clear()
    chromium.requests.clear()
    yield chromium.open(file)
    assert chromium.problems == []
    assert {url.split("#")[0] for url in chromium.requests} <= {file.as_uri(), "about:blank"}


def choose(page: Page, name: str, value: str) -> None:
    page.run(
        f"(e => {{ e.value = '{value}'; e.dispatchEvent(new Event('change')) }})(document.getElementById('{name}'))"
    )


@needs_browser
def test_only_rows_that_differ_are_shown_until_asked(page: Page) -> None:
    before = int(page.run(COUNT).split()[0].replace(",", ""))
    assert page.run("document.querySelector('#differ').checked") is True
    assert page.run("document.querySelectorAll('#list tr[data-n] .absent.missing').length") > 0
    page.run("document.querySelector('#differ').click()")
    shown, total = (int(word.replace(",", "")) for word in page.run(COUNT).split() if word[0].isdigit())
    assert before < shown == total
    assert "all=1" in page.run("location.hash")


@needs_browser
def test_every_filter_is_in_the_address_and_comes_back(page: Page, file: Path) -> None:
    choose(page, "scenario", "berserk-enabled")
    choose(page, "source", "node:1")
    choose(page, "destination", "berserk/meta")
    choose(page, "verdict", "cni-difference")
    choose(page, "cni", "cilium")
    page.run("(f => { f.value = '9500 connected'; f.dispatchEvent(new Event('input')) })(document.querySelector('#q'))")
    assert page.run(COUNT).startswith("1 of ")
    address = page.run("location.hash")
    for part in ("scenario=berserk-enabled", "source=node:1", "destination=berserk/meta", "cni=cilium", "q=9500"):
        assert part in address
    rows = page.run("document.querySelector('#list').innerText")
    page.open(file, address)
    assert page.run("document.querySelector('#list').innerText") == rows
    page.run("document.querySelector('#reset').click()")
    assert page.run("location.hash") == ""


@needs_browser
def test_a_row_opens_the_evidence_of_each_side(page: Page) -> None:
    choose(page, "source", "node:1")
    page.run("[...document.querySelectorAll('#list tr[data-n]')].find(r => r.innerText.includes('meta:9500')).click()")
    shown = page.run(PANEL)
    for text in ("calico 3.28.5 of 2026-11-20", "calico 3.28.5 of 2026-11-21", "cilium 1.17.2", "antrea", "dropped × "):
        assert text in shown
    assert "no record has it. Nothing is known of this cell here." in shown
    assert "cell=node:1..berserk/meta:9500/TCP/pod" in page.run("location.hash")
    page.key("Escape")
    assert page.run(PANEL) == ""
    assert "cell=" not in page.run("location.hash")


@needs_browser
def test_arrows_walk_the_rows_and_enter_opens_one(page: Page) -> None:
    page.run("document.querySelector('#list').focus()")
    page.key("ArrowDown")
    page.key("ArrowDown")
    page.key("Enter")
    first = page.run("document.querySelector('#panel h3').innerText")
    page.run("document.querySelector('#list').focus()")
    page.key("ArrowDown")
    assert page.run("document.querySelector('#panel h3').innerText") != first


@needs_browser
def test_every_listed_difference_links_to_its_row(page: Page, file: Path) -> None:
    comparison = today()
    from netproof.report.comparison import LOUD

    for kind in LOUD:
        for group in group_rows(comparison, kind)[:2]:
            page.open(file, link(group))
            assert page.run(PANEL), link(group)
            assert page.run("document.querySelector('#list tr.at') !== null")


@needs_browser
def test_it_is_readable_in_the_dark_on_a_phone_and_on_paper(page: Page, file: Path, tmp_path: Path) -> None:
    page.open(file, "#theme=dark", width=390)
    assert page.run("document.documentElement.scrollWidth") == 390
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    page.print(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


@needs_browser
def test_new_and_gone_are_told_apart(chromium: Page, tmp_path: Path) -> None:
    file = tmp_path / "night.html"
    file.write_text(render_compare(only(night(small(leak), 21), baseline=(night(small(), 20),))), encoding="utf-8")
    chromium.open(file)
    assert chromium.run("[...document.querySelectorAll('#classes button')].map(b => b.innerText)") == [
        *("all kinds", "new since1"),
    ]
    assert chromium.run("document.querySelector('#list tr[data-n]').innerText").endswith("✕ new")
