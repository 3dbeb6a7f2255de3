"""JSON Schemas of the files that people write, made from the models that read them, for editors.

A new kind of file is a line in `FILES`; `netproof schema` prints it and docs/schemas/ has it.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter

from netproof.catalogue.scenariofile import ScenarioFile
from netproof.catalogue.topologies import TopologyFile
from netproof.charts.mapfile import MapFile
from netproof.clusters.recipes import Recipe
from netproof.clusters.reviews import ReviewedEntry
from netproof.errors import InputError, suggest

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaFile:
    """A kind of file: `listed` when it is a list of what `model` reads; `shape` changes what the model gives."""

    title: str
    model: type[BaseModel]
    listed: bool = False
    shape: Callable[[Schema], Schema] = lambda schema: schema


def overlay(schema: Schema) -> Schema:
    """The schema of a variant's recipe: nothing is required, null takes a key of the base away, and it has no name."""
    for part in (schema, *schema.get("$defs", {}).values()):
        part.pop("required", None)
        for key, value in part.get("properties", {}).items():
            part["properties"][key] = {"anyOf": [value, {"type": "null"}]}
    del schema["properties"]["name"]
    return schema


FILES: Mapping[str, SchemaFile] = {
    "service-map": SchemaFile(title="netproof service map", model=MapFile),
    "scenario": SchemaFile(title="netproof scenario", model=ScenarioFile),
    "topology": SchemaFile(title="netproof topology", model=TopologyFile),
    "recipe": SchemaFile(title="netproof recipe of a CNI", model=Recipe),
    "recipe-variant": SchemaFile(title="netproof recipe of a CNI's variant", model=Recipe, shape=overlay),
    "known-differences": SchemaFile(title="netproof known differences of a CNI", model=ReviewedEntry, listed=True),
    "findings": SchemaFile(title="netproof documented findings of a chart or map", model=ReviewedEntry, listed=True),
}
"""Name -> the kind of file. The record, which only netproof writes, has its own beside its model."""


def schema(name: str) -> Schema:
    """The JSON Schema (2020-12) of one kind of file. Raises InputError that names the known ones."""
    if name not in FILES:
        raise InputError(f"no schema is called {name!r}; {suggest(name, FILES)}", key="NAME")
    file = FILES[name]
    kind: Any = list[file.model] if file.listed else file.model  # type: ignore[name-defined]
    found = file.shape(_described(TypeAdapter(kind).json_schema(mode="validation"), file.model))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | found | {"title": file.title}


def _described(found: Schema, model: type[BaseModel]) -> Schema:
    """With the docstrings of fields, which pydantic leaves out unless it reads sources whenever a model is imported."""
    models = {one.__name__: one for one in _models(model)}
    parts = [(found.get("title"), found), *found.get("$defs", {}).items()]
    for name, part in parts:
        for key, text in (_field_texts(models[name]) if name in models else {}).items():
            # A field that is one $ref alone takes a description beside it since 2019-09.
            part.get("properties", {}).get(key, {})["description"] = text
        if "description" in part:
            part["description"] = " ".join(part["description"].split())
    return found


def _models(model: type[BaseModel], seen: frozenset[type] = frozenset()) -> Iterable[type[BaseModel]]:
    yield model
    for info in model.model_fields.values():
        for leaf in _leaves(info.annotation):
            if isinstance(leaf, type) and issubclass(leaf, BaseModel) and leaf not in seen:
                yield from _models(leaf, seen | {model})


def _leaves(annotation: Any) -> Iterable[Any]:
    arguments = getattr(annotation, "__args__", None)
    if not arguments:
        yield annotation
    for argument in arguments or ():
        yield from _leaves(argument)


def _field_texts(model: type[BaseModel]) -> dict[str, str]:
    """Field -> the docstring below it, of the class and those that it inherits from."""
    texts: dict[str, str] = {}
    for cls in reversed([one for one in model.__mro__ if issubclass(one, BaseModel) and one is not BaseModel]):
        body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, below in zip(body.body, body.body[1:], strict=False):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    texts[name] = " ".join(text.split())
                case _:
                    pass
    return texts
