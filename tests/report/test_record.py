"""The record's JSON Schema is committed, true, and what example records satisfy."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import netproof.report.record as record_module
from netproof.errors import InputError
from netproof.report.record import load, schema

from .example import example

SCHEMA = Path(record_module.__file__).with_name("record.schema.json")


def test_the_committed_schema_is_the_models_schema() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == schema(), (
        "record.py changed: write `json.dumps(schema(), indent=2)` to record.schema.json"
    )


def test_a_record_satisfies_the_schema_and_an_unknown_key_does_not() -> None:
    content = json.loads(example().model_dump_json())
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    validator.validate(content)
    content["targets"][0]["cells"][0]["colour"] = "red"
    assert [list(error.path) for error in validator.iter_errors(content)] == [["targets", 0, "cells", 0]]


def test_a_record_comes_back_equal(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_text(example().model_dump_json(), encoding="utf-8")
    assert load(file) == example()


def test_half_a_record_is_an_input_error(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_text(example().model_dump_json()[:500], encoding="utf-8")
    with pytest.raises(InputError, match="not valid JSON"):
        load(file)
