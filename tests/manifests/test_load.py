"""Reading the user's own manifests, and reducing them to one side."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from netproof.errors import InputError
from netproof.manifests.load import read_objects, restrict_directions

ONE = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: one}\nspec: {podSelector: {}}\n"


def named(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": {}, **spec},
    }


def names(source: Path | str) -> list[str]:
    return [one.content["metadata"]["name"] for one in read_objects(source)]


def test_a_file_with_documents_and_empty_ones(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"---\n# a comment\n---\n{ONE}---\n{ONE.replace('one', 'two')}---\n")
    assert names(tmp_path / "a.yaml") == ["one", "two"]


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "20.yml").write_text(ONE.replace("one", "second"))
    (tmp_path / "10.json").write_text(json.dumps(named("first"), indent="\t"))
    (tmp_path / "30.yaml").write_text(ONE.replace("one", "third"))
    (tmp_path / "NOTES.txt").write_text("not: this")
    (tmp_path / "deeper.yaml").mkdir()
    assert names(tmp_path) == ["first", "second", "third"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(ONE))
    assert names("-") == ["one"]


def test_lists_are_flattened(tmp_path: Path) -> None:
    inner = {"apiVersion": "v1", "kind": "List", "items": [named("b")]}
    typed = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicyList",
        "items": [{"metadata": {"name": "c"}, "spec": {}}],
    }
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [named("a"), inner, typed]})
    (tmp_path / "all.json").write_text(text)
    found = read_objects(tmp_path / "all.json")
    assert [(one.content["apiVersion"], one.content["kind"], one.content["metadata"]["name"]) for one in found] == [
        ("networking.k8s.io/v1", "NetworkPolicy", name) for name in "abc"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{ONE}---\nkind: NetworkPolicy\n", ":6: a Kubernetes object without apiVersion; the keys here are: kind"),
        (
            "apiVersion: v1\nkindd: Pod\n",
            ":1: a Kubernetes object without kind; the keys here are: apiVersion, kindd",
        ),
        ("apiVersion: 1\nkind: Pod\n", ":1: apiVersion: a text is expected (got 1)"),
        ("- a\n", ":1: a Kubernetes object is expected: a mapping with apiVersion, kind and metadata"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {}\n", ":3: metadata: this Pod has no metadata.name"),
        (
            "apiVersion: v1\nkind: List\nitems:\n  - kind: Pod\n",
            ":4: items[0]: a Kubernetes object without apiVersion; the keys here are: kind",
        ),
        ("# nothing\n", ": no Kubernetes object in here"),
        ("a: [\n", ":2: not valid YAML: did not find expected node content"),
    ],
)
def test_faults_name_their_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_objects(file)
    assert str(caught.value) == f"{file}{message}"


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.yaml: No such file or directory"):
        read_objects(tmp_path / "absent.yaml")
    with pytest.raises(InputError, match="no Kubernetes object in here"):
        read_objects(tmp_path)


def test_each_side_follows_the_defaults_of_policy_types() -> None:
    neither = named("neither", ingress=[])
    implied = named("implied", egress=[{}])
    only = named("only", policyTypes=["Egress"])
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "data"}}
    given = (neither, implied, only, other)
    ingress = {m["metadata"]["name"]: m.get("spec") for m in restrict_directions(given, "ingress")}
    assert ingress == {
        "neither": {"podSelector": {}, "ingress": [], "policyTypes": ["Ingress"]},
        "implied": {"podSelector": {}, "policyTypes": ["Ingress"]},
        "data": None,
    }
    egress = {m["metadata"]["name"]: m.get("spec") for m in restrict_directions(given, "egress")}
    assert egress == {
        "implied": {"podSelector": {}, "egress": [{}], "policyTypes": ["Egress"]},
        "only": {"podSelector": {}, "policyTypes": ["Egress"]},
        "data": None,
    }
    assert restrict_directions(given, "both") == given
    assert "policyTypes" not in implied["spec"]


def test_other_dialects_have_no_sides() -> None:
    cilium = {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": {"name": "a"}, "spec": {}}
    assert restrict_directions((cilium,), "both") == (cilium,)
    with pytest.raises(InputError, match=r"not cilium\.io/v2 CiliumNetworkPolicy"):
        restrict_directions((cilium,), "ingress")
