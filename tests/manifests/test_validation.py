"""File borders: the line of every fault, the nearest key, and files that are no good at all."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import AfterValidator, Field

from netproof.errors import InputError
from netproof.manifests.validation import StrictModel, validate
from netproof.manifests.yaml_documents import Document, parse_yaml


def _even(value: int) -> int:
    if value % 2:
        raise ValueError(f"{value} is odd")
    return value


class Wheel(StrictModel):
    size: int
    even: Annotated[int, AfterValidator(_even)] = 0


class Bell(StrictModel):
    loudness: int


class Cart(StrictModel):
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
