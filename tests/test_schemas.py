"""JSON Schemas: docs/schemas is current, every file of the repository fits, and schema and loader agree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from netproof.charts.map_reader import load_map
from netproof.commands.main import main
from netproof.commands.schema import text
from netproof.errors import InputError
from netproof.manifests.yaml_documents import read_yaml
from netproof.schemas import FILES, schema

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "docs" / "schemas"

OURS = {
    "service-map": ["harness/netproof/charts/*/map.yaml", "docs/examples/map/shop.yaml"],
    "scenario": ["scenarios/*/*.yaml"],
    "topology": ["scenarios/topologies/*.yaml"],
    "recipe": ["clusters/*/recipe.yaml"],
    "recipe-variant": ["clusters/*/variants/*/recipe.yaml"],
    "known-differences": ["clusters/**/known-differences.yaml"],
    "findings": ["harness/netproof/charts/*/findings.yaml"],
}


def ours(name: str) -> Iterator[Path]:
    for pattern in OURS[name]:
        for path in sorted(ROOT.glob(pattern)):
            if name != "scenario" or path.parent.name != "topologies":
                yield path


@cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    found = schema(name)
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


@pytest.mark.parametrize("name", FILES)
def test_published_schemas_are_current(name: str) -> None:
    published = (PUBLISHED / f"{name}.json").read_text(encoding="utf-8")
    assert json.loads(published) == schema(name), "run: netproof schema --all docs/schemas"
    assert published == text(name)


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_the_repository_fits(name: str) -> None:
    files = list(ours(name))
    assert files
    for file in files:
        for document in read_yaml(file):
            faults = list(validator(name).iter_errors(document.content))
            assert not faults, f"{file}: {faults[0].json_path}: {faults[0].message}"


def test_an_editor_has_something_to_say_of_each_key() -> None:
    described = schema("scenario")["properties"]
    assert described["claim"]["description"] == "One sentence that is true or not."
    assert "description" in schema("service-map")["$defs"]["ServiceEntry"]["properties"]["egressTo"]


SERVICE: dict[str, Any] = {"name": "web", "ports": [80]}
MAPS: dict[str, tuple[dict[str, Any], bool]] = {
    "short port": (SERVICE, True),
    "port in full": (SERVICE | {"ports": [{"port": 80, "name": "http", "protocol": "UDP", "service": 8080}]}, True),
    "port of no Service": (SERVICE | {"ports": [{"port": 80, "service": False}]}, True),
    "short destination": (SERVICE | {"egressTo": ["s3:443", "s3"]}, True),
    "destination in full": (SERVICE | {"egressTo": [{"external": "s3", "ports": [443]}]}, True),
    "nobody": (SERVICE | {"ingressFrom": [], "egressTo": []}, True),
    "null is absent": (SERVICE | {"ingressFrom": None, "namespace": None}, True),
    "port by name": (
        SERVICE | {"ports": [{"port": 80, "name": "http"}], "ingressFrom": [{"app": "web", "ports": ["http"]}]},
        True,
    ),
    "short source": (SERVICE | {"ingressFrom": ["web"]}, False),
    "two peers in one": (SERVICE | {"egressTo": [{"app": "web", "external": "s3"}]}, False),
    "no peer": (SERVICE | {"egressTo": [{"ports": [443]}]}, False),
    "no ports": (SERVICE | {"egressTo": [{"external": "s3", "ports": []}]}, False),
    "unknown key": (SERVICE | {"egressto": []}, False),
    "port out of range": (SERVICE | {"ports": [70000]}, False),
    "port as text": (SERVICE | {"ports": ["80"]}, False),
    "port name without a letter": (SERVICE | {"ports": [{"port": 80, "name": "80"}]}, False),
    "upper-case name": (SERVICE | {"name": "Web"}, False),
    "no replicas": (SERVICE | {"replicas": 0}, False),
    "third node": (SERVICE | {"node": 2}, False),
    "a word for a truth": (SERVICE | {"externalIngress": "yes"}, False),
}


@pytest.mark.parametrize("case", MAPS)
def test_schema_and_loader_accept_the_same_maps(tmp_path: Path, case: str) -> None:
    service, accepted = MAPS[case]
    content = {
        "name": "shop",
        "namespace": "shop",
        "services": [service],
        "external": {"destinations": [{"name": "s3", "ports": [443]}]},
    }
    file = tmp_path / "map.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert validator("service-map").is_valid(content) is accepted
    if accepted:
        load_map(file)
    else:
        with pytest.raises(InputError):
            load_map(file)


def test_a_variant_needs_nothing_and_takes_away_with_null() -> None:
    assert validator("recipe-variant").is_valid({"title": "the same", "helm": None})
    assert not validator("recipe-variant").is_valid({"name": "a+b"})
    assert not validator("recipe-variant").is_valid({"titel": "the same"})


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["schema"]) == 0
    assert "service-map" in capsys.readouterr().out
    assert main(["schema", "findings"]) == 0
    assert json.loads(capsys.readouterr().out) == schema("findings")
    assert main(["schema", "findings", "--output", str(tmp_path / "x.json")]) == 0
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == schema("findings")
    assert main(["schema", "finding"]) == 12
    assert "did you mean 'findings'?" in capsys.readouterr().err
