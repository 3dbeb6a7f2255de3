"""YAML whose keys know their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from netproof.errors import InputError
from netproof.manifests.yaml_documents import read_document, read_yaml


def test_documents_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "many.yaml"
    file.write_text("---\n---\na: 1\n---\n# nothing\n---\nb: 2\n")
    first, second = read_yaml(file)
    assert (first.content, first.line(("a",)), second.content, second.line(("b",))) == ({"a": 1}, 3, {"b": 2}, 7)
    with pytest.raises(InputError, match=":7: one document is expected here, not several"):
        read_document(file)


def test_files_that_are_no_good(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    (tmp_path / "list.yaml").write_text("# above\n- a\n")
    (tmp_path / "null.yaml").write_text("a: \x00\n")
    for name, message in {
        "binary": "this file is not UTF-8 text",
        "empty.yaml": "this file is empty",
        "list.yaml": "a mapping (key: value) is expected at the top",
        "absent.yaml": "No such file or directory",
        ".": "Is a directory",
        "null.yaml": "not valid YAML: ",
    }.items():
        with pytest.raises(InputError) as caught:
            read_document(tmp_path / name)
        assert message in str(caught.value)
        assert str(tmp_path) in str(caught.value)
    assert read_document(tmp_path / "empty.yaml", may_be_empty=True).content == {}


def test_a_byte_order_mark_and_json_with_tabs(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    (tmp_path / "a.json").write_text('{\n\t"a": {\n\t\t"b": "x\\ty"\n\t}\n}\n')
    assert read_document(tmp_path / "a.yaml").content == {"a": 1}
    document = read_document(tmp_path / "a.json")
    assert document.content == {"a": {"b": "x\ty"}}
    assert document.line(("a", "b")) == 3
