"""Recipes and their variants: names, overlays, and what a user reads when a word or a file is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from netproof.clusters import recipes
from netproof.clusters.recipes import CniVersion, LocalFile
from netproof.errors import InputError
from netproof.manifests.data_dirs import data_dir
from netproof.manifests.merging import merge_mappings

BASE = """\
name: plain
title: A plain network
driver: kind
version: "1"
kind: {node_image: node:v1, workers: 2, networking: {podSubnet: 10.1.0.0/16}}
images: [a:1, b:1]
ready: {daemonsets: [kube-system/a], deployments: [kube-system/dns]}
"""
OVERLAY = """\
title: A plain network with policies
version: v2.3.0
kind: {workers: 1}
images:
  - policies:v{version}
ready: {daemonsets: [kube-system/b]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One CNI with one variant."""
    (tmp_path / "plain" / "variants" / "walls").mkdir(parents=True)
    (tmp_path / "plain" / "recipe.yaml").write_text(BASE)
    (tmp_path / "plain" / "variants" / "walls" / "recipe.yaml").write_text(OVERLAY)
    monkeypatch.setattr(recipes, "data_dir", lambda _: tmp_path)
    return tmp_path


def overlay(folder: Path) -> Path:
    return folder / "plain" / "variants" / "walls" / "recipe.yaml"


def test_every_recipe_and_variant_of_ours_can_be_read() -> None:
    loaded = {name: recipes.load(CniVersion(name=name)) for name in recipes.names()}
    assert {"calico", "cilium", "none", "reference", "vpc-cni", "vpc-cni+calico"} <= set(loaded)
    assert all(recipe.name == name for name, recipe in loaded.items())
    assert len({recipe.title for recipe in loaded.values()}) == len(loaded)
    for recipe in loaded.values():
        for source in recipe.manifests:
            if isinstance(source, LocalFile):
                assert (data_dir("clusters") / source.local).is_file()


def test_the_documentation_lists_every_cni_and_variant() -> None:
    text = (data_dir("clusters").parent / "docs" / "cnis.md").read_text(encoding="utf-8")
    listed = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `") and line.count("|") == 6]
    assert sorted(listed) == sorted(["--cni", *recipes.names()])


def test_what_enforces_nothing_says_what_to_switch_on() -> None:
    plain = [recipe for name in recipes.names() if not (recipe := recipes.load(CniVersion(name=name))).enforces]
    assert {recipe.name for recipe in plain} == {"none", "vpc-cni"}
    assert all(recipe.hint for recipe in plain)
    hint = recipes.load(CniVersion(name="vpc-cni")).hint
    assert "ENABLE_NETWORK_POLICY=true on the aws-node DaemonSet (VPC CNI 1.14" in hint
    assert "Calico" in hint


def test_a_variant_is_its_cni_with_an_overlay(folder: Path) -> None:
    recipe = recipes.load(CniVersion(name="plain+walls"))
    assert (recipe.name, recipe.title, recipe.version) == ("plain+walls", "A plain network with policies", "v2.3.0")
    assert recipe.kind is not None
    assert (recipe.kind.workers, recipe.kind.networking) == (1, {"podSubnet": "10.1.0.0/16"})
    assert recipe.images == ["policies:v{version}"]
    assert (recipe.ready.daemonsets, recipe.ready.deployments) == (["kube-system/b"], ["kube-system/dns"])
    assert recipes.load(CniVersion(name="plain")).images == ["a:1", "b:1"]


def test_an_overlay_merges_mappings_replaces_the_rest_and_takes_away_with_null() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 1, "e": {"f": 1}}
    assert merge_mappings(base, {"a": {"c": [3]}, "d": None, "e": 2, "g": {"h": 1}}) == {
        "a": {"b": 1, "c": [3]},
        "e": 2,
        "g": {"h": 1},
    }
    assert base["d"] == 1


def test_a_version_of_a_variant_keeps_upstreams_way_of_writing_it(folder: Path) -> None:
    (wanted,) = recipes.parse_cni("plain+walls@2.4.0")
    recipe = recipes.load(wanted)
    assert recipe.version == "v2.4.0"
    assert recipe.fill(recipe.images[0]) == "policies:v2.4.0"


def test_words_are_read_in_order(folder: Path) -> None:
    assert recipes.names() == ["plain", "plain+walls"]
    assert recipes.parse_cni(" plain+walls ,plain@v1") == [
        CniVersion(name="plain+walls"),
        CniVersion(name="plain", version="v1"),
    ]
    assert (CniVersion(name="plain+walls").cni, CniVersion(name="plain+walls").variant) == ("plain", "walls")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("plan", "unknown CNI 'plan'; did you mean plain? known: plain, plain+walls"),
        ("other+walls", "unknown CNI 'other'; known: plain, plain+walls"),
        ("plain+wall", "plain has no variant 'wall'; did you mean plain+walls? known: plain+walls"),
        ("plain+", "plain has no variant ''; did you mean plain+walls? known: plain+walls"),
        ("plain+walls+more", "plain has no variant 'walls+more'; did you mean plain+walls? known: plain+walls"),
        ("plain@2", "plain has one version only, 1: leave out @2"),
        (",", "names no CNI; known: plain, plain+walls"),
    ],
)
def test_a_wrong_word_says_what_is_known(folder: Path, word: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        recipes.parse_cni(word)
    assert str(caught.value) == f"--cni: {said}"


def test_a_cni_without_variants_says_so(folder: Path) -> None:
    overlay(folder).unlink()
    with pytest.raises(InputError, match="plain has no variant 'walls'; known: none"):
        recipes.parse_cni("plain+walls")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: {wokers: 1}", r":6: kind\.wokers: unknown key; did you mean 'workers'\?"),
        ("name: walls", r":6: name: a variant is named by its folder: plain\+walls"),
        ("manifests: [{path: x}]", r":6: manifests\[0\]"),
        ("driver: null", "driver: this key is needed"),
    ],
)
def test_a_wrong_overlay_names_its_own_file_and_line(folder: Path, text: str, said: str) -> None:
    overlay(folder).write_text(OVERLAY.replace("kind: {workers: 1}\n", "") + text + "\n")
    with pytest.raises(InputError, match=said) as caught:
        recipes.load(CniVersion(name="plain+walls"))
    assert str(overlay(folder)) in str(caught.value)


def test_a_variants_known_differences_are_beside_its_overlay(folder: Path) -> None:
    own = overlay(folder).parent / "known-differences.yaml"
    assert recipes.known_differences(recipes.load(CniVersion(name="plain+walls"))) == [own]
    overlay(folder).write_text(OVERLAY + "known_differences: [other/known-differences.yaml]\n")
    others = folder / "other" / "known-differences.yaml"
    assert recipes.known_differences(recipes.load(CniVersion(name="plain+walls"))) == [own, others]
    mine = folder / "plain" / "known-differences.yaml"
    assert recipes.known_differences(recipes.load(CniVersion(name="plain"))) == [mine]
