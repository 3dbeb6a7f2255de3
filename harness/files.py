"""Our file borders: YAML that knows its lines, and validation that names file, line, key and the nearest valid key."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import InputError

KeyPath = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)


class Strict(BaseModel):
    """Base of every file model: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document: its content, and the line of every key and list item (1-based)."""

    file: str
    content: Any
    lines: Mapping[KeyPath, int]

    def line(self, path: KeyPath) -> int | None:
        """The line of a key path, or of its nearest parent that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    pass


def read_yaml(source: Path | str) -> list[Document]:
    """The non-empty documents of a YAML file, or of standard input for `-`. Raises InputError."""
    name = "<stdin>" if str(source) == "-" else str(source)
    try:
        text = sys.stdin.read() if str(source) == "-" else Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(getattr(error, "strerror", None) or str(error), file=name) from None
    return parse_yaml(text, name)


def parse_yaml(text: str, name: str) -> list[Document]:
    try:
        loader = _Loader(text)
        documents = []
        while loader.check_node():
            node = loader.get_node()
            lines: dict[KeyPath, int] = {}
            _collect(node, (), lines, name)
            content = loader.construct_document(node)
            if content is not None:
                documents.append(Document(file=name, content=content, lines=lines))
        return documents
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"not valid YAML: {error.problem or error.context}"
        raise InputError(message, file=name, line=mark.line + 1 if mark else None) from None
    except yaml.YAMLError as error:
        raise InputError(f"not valid YAML: {error}", file=name) from None


def _collect(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], name: str) -> None:
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            word = str(key.value)
            if word in seen and word != "<<":
                raise InputError(
                    "this key stands twice", file=name, line=key.start_mark.line + 1, key=_dotted((*path, word))
                )
            seen.add(word)
            _collect(value, (*path, word), lines, name)
            lines[(*path, word)] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect(value, (*path, index), lines, name)


def validate(model: type[M], document: Document) -> M:
    """The document as a model. The first fault is raised as InputError with file, line, key and the nearest valid key."""
    try:
        return model.model_validate(document.content)
    except ValidationError as error:
        fault = min(error.errors(), key=lambda e: document.line(_plain(e["loc"], document)) or 0)
        path = _plain(fault["loc"], document)
        raise InputError(
            _sentence(model, fault, path), file=document.file, line=document.line(path), key=_dotted(path)
        ) from None


def _plain(location: tuple[int | str, ...], document: Document) -> KeyPath:
    """pydantic's location without the names of union members, so that it is a path of the file."""
    path: KeyPath = ()
    for part in location:
        if (*path, part) in document.lines or part == location[-1]:
            path = (*path, part)
    return path


def _sentence(model: type[BaseModel], fault: Any, path: KeyPath) -> str:
    if fault["type"] == "extra_forbidden":
        known = sorted(_fields_at(model, path[:-1]))
        near = get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
        return f"unknown key; {hint}"
    if fault["type"] == "missing":
        return "this key is needed"
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
            else:
                following.append(candidate)
        candidates = following or candidates
    return {
        info.alias or name
        for candidate in candidates
        if isinstance(candidate, type) and issubclass(candidate, BaseModel)
        for name, info in candidate.model_fields.items()
    }


def _unwrap(annotation: Any) -> list[Any]:
    arguments = getattr(annotation, "__args__", ())
    return [leaf for argument in arguments for leaf in _unwrap(argument)] if arguments else [annotation]


def _dotted(path: KeyPath) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


@cache
def data_dir(name: str) -> Path:
    """`clusters` or `scenarios`: beside the package in a checkout, inside it in an installed wheel."""
    here = Path(__file__).resolve().parent
    for root in (here.parent, here / "data"):
        if (root / name).is_dir():
            return root / name
    raise InputError(f"the folder {name}/ is neither beside the package nor inside it; is the installation whole?")
