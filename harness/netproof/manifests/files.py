"""Our file borders: YAML that knows its lines, and validation that names file, line, key and the nearest valid key."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from netproof.errors import InputError

KeyPath = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)

PACKAGE = Path(__file__).resolve().parent.parent

MOST_NODES = 500_000
"""A document with more keys and items than this is refused: aliases can make a small file endless."""


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

    def error(self, path: KeyPath, message: str) -> InputError:
        """An error about one key of this document, for whoever read its content to raise."""
        return InputError(message, file=self.file, line=self.line(path), key=dotted(path) or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """One object of a document, such as an item of a List, that knows where it stands."""

    content: Mapping[str, Any]
    document: Document
    path: KeyPath = ()

    def line(self, path: KeyPath = ()) -> int | None:
        """The line of one of its keys, or of the nearest parent that has one."""
        return self.document.line((*self.path, *path))


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    pass


def read_yaml(source: Path | str) -> list[Document]:
    """The non-empty documents of a YAML or JSON file, or of standard input for `-`. Raises InputError."""
    name = "<stdin>" if str(source) == "-" else str(source)
    try:
        text = sys.stdin.read() if str(source) == "-" else Path(source).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("this file is not UTF-8 text", file=name) from None
    except OSError as error:
        raise InputError(error.strerror or str(error), file=name) from None
    if name.endswith(".json"):
        # YAML forbids the tabs that JSON may be indented with; no JSON string holds a raw line break.
        text = re.sub(r"^[ \t]+", lambda match: " " * len(match.group()), text, flags=re.MULTILINE)
    return parse_yaml(text, name)


def parse_yaml(text: str, name: str) -> list[Document]:
    """The non-empty documents of a text; `name` is what errors call it. Raises InputError."""
    try:
        loader = _Loader(text)
        documents = []
        while loader.check_node():
            node = loader.get_node()
            lines: dict[KeyPath, int] = {}
            _collect(node, (), lines, name, frozenset())
            content = loader.construct_document(node)
            if content is not None:
                documents.append(Document(file=name, content=content, lines=lines))
        return documents
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"not valid YAML: {error.problem or error.context}"
        raise InputError(message, file=name, line=mark.line + 1 if mark else None) from None
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"not valid YAML: {reason}", file=name) from None


def as_yaml(values: Iterable[Any]) -> str:
    """Plain values as the documents of one text, keys in their order."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump_all(values, Dumper=dumper, sort_keys=False))


def read_one(source: Path | str, *, may_be_empty: bool = False) -> Document:
    """The only document of a file. Raises InputError when there is none, or more than one, or it is no mapping."""
    documents = read_yaml(source)
    name = "<stdin>" if str(source) == "-" else str(source)
    if not documents and not may_be_empty:
        raise InputError("this file is empty", file=name)
    if not documents:
        return Document(file=name, content={}, lines={})
    first, *more = documents
    if more:
        raise InputError("one document is expected here, not several", file=first.file, line=more[0].line(()))
    if not isinstance(first.content, dict):
        raise first.error((), "a mapping (key: value) is expected at the top")
    return first


def _collect(
    node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], name: str, around: frozenset[yaml.Node]
) -> None:
    line = node.start_mark.line + 1
    if node in around:
        raise InputError("an alias contains itself", file=name, line=line, key=dotted(path))
    if len(lines) > MOST_NODES:
        raise InputError(f"more than {MOST_NODES} keys and items, aliases counted", file=name, line=line)
    lines[path] = line
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            word, key_line = str(key.value), key.start_mark.line + 1
            if word in seen and word != "<<":
                raise InputError("this key stands twice", file=name, line=key_line, key=dotted((*path, word)))
            seen.add(word)
            _collect(value, (*path, word), lines, name, around | {node})
            lines[(*path, word)] = key_line
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect(value, (*path, index), lines, name, around | {node})


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
            return f"unknown key; {nearest(str(path[-1]), _fields_at(model, path[:-1]))}"
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


def nearest(word: str, known: Iterable[str]) -> str:
    """The half sentence that follows "unknown …": the nearest known word, or all of them."""
    words = sorted(known)
    near = get_close_matches(word, words, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known here: {', '.join(words)}" if words else "none is known here"


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


def dotted(path: KeyPath) -> str:
    """A key path as messages show it: `services[1].ports[0].name`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def key_path(text: str) -> KeyPath:
    """A key path from its dotted form."""
    words = re.findall(r"\[\d+\]|[^.\[\]]+", text)
    return tuple(int(word[1:-1]) if word.startswith("[") else word for word in words)


@cache
def data_dir(name: str) -> Path:
    """`clusters` or `scenarios`: beside the package in a checkout, inside it in an installed wheel."""
    for root in (PACKAGE.parent.parent, PACKAGE / "data"):
        if (root / name).is_dir():
            return root / name
    raise InputError(f"the folder {name}/ is neither beside the package nor inside it; is the installation whole?")


def shown(path: Path) -> str:
    """A path as records name it: our own files by their place in the project, the user's as they were given."""
    root = PACKAGE.parent.parent
    return str(path.resolve().relative_to(root)) if path.resolve().is_relative_to(root) else str(path)
