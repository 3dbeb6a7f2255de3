"""File borders: the line of every fault, the nearest key, and files that are no good at all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import AfterValidator, Field

from netproof.errors import InputError
from netproof.manifests.files import Document, Strict, nearest, parse_yaml, read_one, read_yaml, validate


def _even(value: int) -> int:
    if value % 2:
        raise ValueError(f"{value} is odd")
    return value


class Wheel(Strict):
    size: int
    even: Annotated[int, AfterValidator(_even)] = 0


class Bell(Strict):
    loudness: int


class Cart(Strict):
    wheels: list[Wheel]
    parts: dict[str, Wheel] = Field(default_factory=dict)
    extra: Wheel | Bell | None = None
    colour: str = Field(default="red", alias="paint-colour")


def fault(text: str) -> str:
    try:
        (document,) = parse_yaml(text, "cart.yaml")
        validate(Cart, document)
    except InputError as error:
        return str(error)
    return "no fault"


def test_a_whole_document() -> None:
    (document,) = parse_yaml("wheels:\n  - size: 1\n  - {size: 2}\npaint-colour: blue\n", "cart.yaml")
    assert validate(Cart, document).model_dump(exclude_unset=True) == {
        "wheels": [{"size": 1}, {"size": 2}],
        "colour": "blue",
    }
    assert [document.line(path) for path in (("wheels",), ("wheels", 1, "size"), ("paint-colour",))] == [1, 3, 4]
    assert document.line(("wheels", 1, "size", "deeper")) == 3
    assert document.line(("nowhere",)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wheels: []\nweels: []\n", "2: weels: unknown key; did you mean 'wheels'?"),
        ("wheels:\n  - sice: 1\n", "2: wheels[0].sice: unknown key; did you mean 'size'?"),
        ("wheels:\n  - size: 1\n    sice: 1\n", "3: wheels[0].sice: unknown key; did you mean 'size'?"),
        ("wheels:\n  - {size: 1, zzz: 1}\n", "2: wheels[0].zzz: unknown key; known here: even, size"),
        ("wheels: []\nparts:\n  a:\n    size: 1\n    evn: 1\n", "5: parts.a.evn: unknown key; did you mean 'even'?"),
        ("wheels: []\nextra:\n  loudnes: 1\n", "3: extra.loudnes: unknown key; did you mean 'loudness'?"),
        ("wheels: []\npaint-color: blue\n", "2: paint-color: unknown key; did you mean 'paint-colour'?"),
        (
            "wheels:\n  - size: big\n",
            "2: wheels[0].size: Input should be a valid integer, unable to parse string as an integer (got 'big')",
        ),
        ("wheels:\n  - {size: 1, even: 3}\n", "2: wheels[0].even: 3 is odd"),
        ("wheels:\n  - even: 2\n", "2: wheels[0].size: this key is needed"),
        ("wheels: [1]\n", "1: wheels[0]: a mapping is expected here, with even, size"),
        ("paint-colour: x\n", "1: wheels: this key is needed"),
        ("wheels: []\nwheels: []\n", "2: wheels: this key stands twice"),
        ("wheels:\n  - a: 1\n    a: 2\n", "3: wheels[0].a: this key stands twice"),
        ("wheels: [\n", "2: not valid YAML: did not find expected node content"),
        ("wheels: &w\n  - *w\n", "1: wheels[0]: an alias contains itself"),
        ("wheels: !!python/object:os.system []\n", "1: not valid YAML: could not determine a constructor"),
    ],
)
def test_a_fault_names_line_and_key(text: str, message: str) -> None:
    assert fault(text).removeprefix("cart.yaml:").startswith(message)


def test_the_first_fault_of_the_file_is_told() -> None:
    assert fault("wheels:\n  - size: x\nzzz: 1\n").startswith("cart.yaml:2: ")


def test_merged_keys_keep_the_line_of_their_parent() -> None:
    text = "parts:\n  a: &a\n    size: 1\n  b:\n    <<: *a\n    evn: 2\nwheels: []\n"
    assert fault(text) == "cart.yaml:6: parts.b.evn: unknown key; did you mean 'even'?"
    assert fault(text.replace("size: 1", "size: x")).startswith("cart.yaml:3: parts.a.size: ")


def test_a_small_file_of_endless_aliases_is_refused() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    with pytest.raises(InputError, match="more than 500000 keys and items, aliases counted"):
        parse_yaml(text, "bomb.yaml")


def test_content_without_lines_still_names_the_key() -> None:
    with pytest.raises(InputError) as caught:
        validate(Cart, Document(file="values", content={"wheels": [{"size": 1, "evn": 2}]}, lines={}))
    assert str(caught.value) == "values: wheels[0].evn: unknown key; did you mean 'even'?"


def test_documents_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "many.yaml"
    file.write_text("---\n---\na: 1\n---\n# nothing\n---\nb: 2\n")
    first, second = read_yaml(file)
    assert (first.content, first.line(("a",)), second.content, second.line(("b",))) == ({"a": 1}, 3, {"b": 2}, 7)
    with pytest.raises(InputError, match=":7: one document is expected here, not several"):
        read_one(file)


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
            read_one(tmp_path / name)
        assert message in str(caught.value)
        assert str(tmp_path) in str(caught.value)
    assert read_one(tmp_path / "empty.yaml", may_be_empty=True).content == {}


def test_a_byte_order_mark_and_json_with_tabs(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    (tmp_path / "a.json").write_text('{\n\t"a": {\n\t\t"b": "x\\ty"\n\t}\n}\n')
    assert read_one(tmp_path / "a.yaml").content == {"a": 1}
    document = read_one(tmp_path / "a.json")
    assert document.content == {"a": {"b": "x\ty"}}
    assert document.line(("a", "b")) == 3


def test_nearest() -> None:
    assert nearest("qery", ["query", "meta"]) == "did you mean 'query'?"
    assert nearest("zzz", ["query", "meta"]) == "known here: meta, query"
    assert nearest("zzz", []) == "none is known here"
