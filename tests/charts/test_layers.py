"""Several values files, laid over each other as helm does."""

from __future__ import annotations

from pathlib import Path

import pytest

from netproof.charts.layers import read_values
from netproof.errors import InputError
from netproof.manifests.merging import merge_mappings


def write(folder: Path, *texts: str) -> list[Path]:
    files = [folder / f"{number}.yaml" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    return files


def test_later_files_win_and_mappings_are_laid_over_each_other(tmp_path: Path) -> None:
    found = read_values(write(tmp_path, "a: {b: 1, c: 2}\nl: [1, 2]\n", "a: {c: 3}\nl: [4]\n"))
    assert found is not None
    assert found.content == {"a": {"b": 1, "c": 3}, "l": [4]}


def test_a_null_removes_the_default_unless_a_later_file_gives_a_value_again(tmp_path: Path) -> None:
    found = read_values(write(tmp_path, "a: null\nb: 1\n", "a: {x: 1}\nb: null\n"))
    assert found is not None
    assert merge_mappings({"a": {"y": 2}, "b": 0}, found.content) == {"a": {"y": 2, "x": 1}}


def test_a_fault_names_the_file_that_it_is_in(tmp_path: Path) -> None:
    first, second = write(tmp_path, "a:\n  b: 1\n", "c:\n\n  d: 1\n")
    found = read_values([first, second])
    assert found is not None
    assert str(found.error(("a", "b"), "no")) == f"{first}:2: a.b: no"
    assert str(found.error(("c", "d"), "no")) == f"{second}:3: c.d: no"


def test_no_file_is_no_values_and_one_file_stays_as_it_is(tmp_path: Path) -> None:
    (file,) = write(tmp_path, "a: 1\n")
    assert read_values([]) is None
    one = read_values([file])
    assert one is not None
    assert (one.file, one.origins) == (str(file), {})


def test_standard_input_is_read_once() -> None:
    with pytest.raises(InputError, match="once"):
        read_values(["-", "-"])
