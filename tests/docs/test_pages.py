"""Pages: every link leads somewhere, no page is a diary, and the site builds and loads nothing from elsewhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
WRITTEN = [page for page in PAGES if page.parent.name != "results" and page.name != "CHANGELOG.md"]
LINK = re.compile(r"!?\[[^]]*\]\((?P<target>[^)\s]+)\)")
REFERENCE = re.compile(r"\bdocs/[\w/.+-]*\.(?:md|txt|html|json|yaml|yml)(?:#[\w-]+)?")
DIARY = re.compile(
    r"since then|on one afternoon|not always so|last time|\bon that day\b|\bon the day of\b|\bused to\b"
    r"|\bpreviously\b|\bearlier runs?\b|\bthe first run had\b",
    re.IGNORECASE,
)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(text: str) -> str:
    """Without code blocks and code spans, which hold no links."""
    return re.sub(r"`[^`\n]*`", "`", re.sub(r"^(\s*)(```|~~~).*?^\1\2", "", text, flags=re.DOTALL | re.MULTILINE))


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors that a page has both where the repository is browsed and on the site."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = [
        re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", title) for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    ]
    plain = [re.sub(r"[^\w\s-]", "", title).strip().lower() for title in titles]
    return frozenset(re.sub(r"\s", "-", title) for title in plain) & frozenset(
        re.sub(r"[-\s]+", "-", title) for title in plain
    )


def broken(base: Path, target: str) -> str:
    """Why a relative link leads nowhere, or ''."""
    path, _, anchor = target.partition("#")
    place = (base.parent / path).resolve() if path else base
    if not place.exists():
        return f"{target}: there is no such file"
    if anchor and place.suffix == ".md" and anchor not in anchors(place):
        return f"{target}: that page has no such heading"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [match["target"] for match in LINK.finditer(prose(page.read_text(encoding="utf-8")))]
    faults = [broken(page, target) for target in targets if not re.match(r"[a-z]+:", target)]
    assert not list(filter(None, faults))


def sources() -> Iterator[Path]:
    for folder in ("harness", "clusters", "scenarios", "tools", ".github"):
        yield from (
            path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".yaml", ".yml", ".j2", ".md")
        )


def test_references_from_code_and_data_lead_somewhere() -> None:
    faults = []
    for source in sources():
        for match in REFERENCE.finditer(source.read_text(encoding="utf-8")):
            before = source.read_text(encoding="utf-8")[: match.start()]
            # Addresses, and pages of other projects, are none of ours.
            if re.search(r"(https?://\S*|amazon-vpc-cni-k8s\S* )$", before):
                continue
            if fault := broken(ROOT / "README.md", match[0]):
                faults.append(f"{source.relative_to(ROOT)}: {fault}")
    assert not faults


def test_the_house_is_described_as_it_is_built() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ][0]
    layers = [re.split(r" [|:] ", layer) for layer in contract["layers"]]
    table = (DOCS / "architecture.md").read_text(encoding="utf-8").partition("## The house")[2].partition("\n## ")[0]
    rooms = [
        room.removesuffix("/").removesuffix(".py")
        for room in re.findall(r"^\| `(\w+(?:/|\.py))` \|", table, re.MULTILINE)
    ]
    place = {room: number for number, layer in enumerate(layers) for room in layer}
    assert set(place) - {"__main__", "errors", "junit", "wording"} == set(rooms)
    assert [place[room] for room in rooms] == sorted(place[room] for room in rooms)


def test_functions_that_the_architecture_names_are_where_it_says() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"\[`([\w.]+)`\]\((\.\./harness/[\w/.]+\.py)\)", text)
    assert len(named) > 20
    faults = []
    for name, path in named:
        source = (DOCS / path).read_text(encoding="utf-8") if (DOCS / path).exists() else ""
        words = [rf"^\s*(def|class) {word}\b|^{word}\b.* = " for word in name.split(".")]
        faults += [f"{name} in {path}"] if not all(re.search(word, source, re.MULTILINE) for word in words) else []
    assert not faults


def test_decisions_that_docstrings_cite_are_there() -> None:
    numbered = set(re.findall(r"^(\d+)\. \*\*", (DOCS / "architecture.md").read_text(encoding="utf-8"), re.MULTILINE))
    cited = [re.findall(r"decision (\d+)", source.read_text(encoding="utf-8")) for source in sources()]
    assert {number for numbers in cited for number in numbers} <= numbered
    assert not [source for source in sources() if re.search(r"\(design, ", source.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_a_page_says_what_is_true_now(page: Path) -> None:
    found = DIARY.search(prose(page.read_text(encoding="utf-8")))
    assert found is None, f"history belongs into CHANGELOG.md: {found and found[0]!r}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_examples_are_yaml_and_json(page: Path) -> None:
    for kind, text in re.findall(
        r"^```(yaml|json)\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    ):
        list(yaml.safe_load_all(text)) if kind == "yaml" else json.loads(text)


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if page.parent.name != "results"}
    assert pages - set(re.findall(r"[\w/-]+\.md", navigation)) == set()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("mkdocs") is None or find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed (dependency group docs)")
    place = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(place)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return place


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = [page for page in site.rglob("*.html") if "results" not in page.relative_to(site).parts[:1]]
    assert len(pages) > 15
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)[^>]*\ssrc=[\"']?([^\"'\s>]+)", text)
        loaded += re.findall(r"<link(?![^>]*rel=[\"']?canonical)[^>]*\shref=[\"']?([^\"'\s>]+)", text)
        assert not [address for address in loaded if re.match(r"(https?:)?//", address)], page


def test_the_site_has_the_options_of_the_program(site: Path) -> None:
    commands = (site / "reference" / "cli" / "index.html").read_text(encoding="utf-8")
    assert "netproof clusters reap" in commands
    assert "--service-map FILE" in commands
    assert "--cni" in (site / "reference" / "pytest" / "index.html").read_text(encoding="utf-8")
