"""A CNI's version stands in its recipe; what repeats it has the same one, and one command raises all."""

from __future__ import annotations

import re
import shutil
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from netproof.clusters import recipes
from netproof.clusters.recipes import CniVersion

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = spec_from_file_location("bump_cni", ROOT / "tools" / "bump_cni.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["bump_cni"] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copy(tool: ModuleType, tmp_path: Path) -> Path:
    """The files that have versions, in a folder of their own."""
    for pattern in (*tool.REPEATED, "clusters/*/recipe.yaml", "clusters/*/variants/*/recipe.yaml"):
        for path in ROOT.glob(pattern):
            (tmp_path / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tmp_path / path.relative_to(ROOT))
    return tmp_path


def differing(tool: ModuleType, root: Path) -> list[str]:
    versions = tool.read_versions(root)
    return [
        f"{one.file.relative_to(root)}:{one.line}: {one.name} {one.version}, its recipe has {versions[one.name]}"
        for one in tool.find_mentions(root, versions)
        if one.version.removeprefix("v") != versions[one.name].removeprefix("v")
    ]


def test_the_tool_reads_the_versions_that_runs_read(tool: ModuleType) -> None:
    assert tool.read_versions(ROOT) == {name: recipes.load(CniVersion(name=name)).version for name in recipes.names()}


def test_no_file_has_another_version_than_the_recipe(tool: ModuleType) -> None:
    assert differing(tool, ROOT) == []
    mentions = list(tool.find_mentions(ROOT, tool.read_versions(ROOT)))
    assert {one.file.name for one in mentions} == {"nightly.yml", "gitlab-nightly.yml", "cnis.md"}
    assert {one.name for one in mentions} >= {"calico", "calico+apiserver", "cilium", "cilium+cnp", "vpc-cni+calico"}


def test_tests_of_real_files_take_their_version_from_the_recipe(tool: ModuleType) -> None:
    """Tests of what is drawn have versions of their own making."""
    versions = {one.removeprefix("v") for one in tool.read_versions(ROOT).values()} - {"1"}
    written = re.compile(
        rf"v?({'|'.join(map(re.escape, versions))})/|[a-z][@-]v?({'|'.join(map(re.escape, versions))})"
    )
    for folder in ("real", "drivers", "charts", "clusters"):
        for path in (ROOT / "tests" / folder).rglob("*.py"):
            assert not written.search(path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize(("name", "version", "moved"), [("calico", "9.8.7", 6), ("cilium", "v1.21.0-rc.1", 7)])
def test_one_command_raises_a_version_everywhere(
    tool: ModuleType, copy: Path, name: str, version: str, moved: int
) -> None:
    before = {path: path.read_text(encoding="utf-8") for path in copy.rglob("*") if path.is_file()}
    old = tool.read_versions(copy)[name].removeprefix("v")
    changed = tool.bump(copy, name, version)
    assert differing(tool, copy) == []
    assert tool.read_versions(copy)[name].removeprefix("v") == version.removeprefix("v")
    assert tool.read_versions(copy)["vpc-cni+calico"] == tool.read_versions(ROOT)["vpc-cni+calico"]
    assert len(changed) >= moved
    for path, text in before.items():
        assert path.read_text(encoding="utf-8").replace(version.removeprefix("v"), old) == text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["calicoo", "3.29.0"], "no recipe is called 'calicoo'; known: calico, calico+apiserver"),
        (["calico", "newest"], "'newest' is no version"),
        (["calico+apiserver", "3.29.0"], "calico+apiserver has the version of calico: raise that one"),
    ],
)
def test_what_cannot_be_raised_is_a_sentence(
    tool: ModuleType, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert tool.main(words) == 12
    assert sentence in capsys.readouterr().err
