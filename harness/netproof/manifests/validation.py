"""Validation of our own files: a fault is an error with file, line and key, and an unknown key with its nearest one."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from netproof.errors import suggest
from netproof.manifests.yaml_documents import Document, KeyPath

M = TypeVar("M", bound=BaseModel)


class StrictModel(BaseModel):
    """Base of every file model: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def validate(model: type[M], document: Document) -> M:
    """The document as a model. The first fault is an InputError with file, line, key and the nearest valid key."""
    try:
        return model.model_validate(document.content)
    except ValidationError as error:
        faults = [(fault, _plain(fault, document)) for fault in error.errors()]
        # A misspelt key is an unknown one and a missing one: the unknown one is what its author can see. Where no form
        # of a union fits, the form that got furthest is the one that was meant.
        fault, path = min(faults, key=lambda f: (f[0]["type"] == "missing", document.line(f[1]) or 0, -len(f[1])))
        raise document.error(path, _sentence(model, fault, path)) from None


def _plain(fault: Any, document: Document) -> KeyPath:
    """pydantic's location without the names of union members, so that it is a path of the file."""
    path: KeyPath = ()
    here = document.content
    location = fault["loc"]
    for place, part in enumerate(location):
        is_key = isinstance(here, dict) and part in here
        if is_key or (isinstance(here, list) and isinstance(part, int) and part < len(here)):
            here = here[part]
            path = (*path, part)
        elif fault["type"] == "missing" and place == len(location) - 1:
            path = (*path, part)
    return path


def _sentence(model: type[BaseModel], fault: Any, path: KeyPath) -> str:
    match fault["type"]:
        case "extra_forbidden":
            return f"unknown key; {suggest(str(path[-1]), _fields_at(model, path[:-1]))}"
        case "missing":
            return "this key is needed"
        case "model_type" | "model_attributes_type":
            return f"a mapping is expected here, with {', '.join(sorted(_fields_at(model, path)))}"
        case "value_error":
            return str(fault["ctx"]["error"])
        case _:
            pass
    shown = "" if isinstance(fault.get("input"), dict | list) else f" (got {fault.get('input')!r})"
    return f"{fault['msg']}{shown}"


def _fields_at(model: type[BaseModel], path: KeyPath) -> set[str]:
    """The keys that the model knows at a path, through nested models, lists, unions and mappings."""
    candidates: list[Any] = [model]
    for part in path:
        following: list[Any] = []
        for candidate in candidates:
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                for name, info in candidate.model_fields.items():
                    if part in (name, info.alias):
                        following.extend(_unwrap(info.annotation))
        # A list item has its list's models: their fields were unwrapped together with the list.
        candidates = candidates if isinstance(part, int) else following or candidates
    return {
        info.alias or name
        for candidate in candidates
        if isinstance(candidate, type) and issubclass(candidate, BaseModel)
        for name, info in candidate.model_fields.items()
    }


def _unwrap(annotation: Any) -> list[Any]:
    arguments = getattr(annotation, "__args__", ())
    return [leaf for argument in arguments for leaf in _unwrap(argument)] if arguments else [annotation]
