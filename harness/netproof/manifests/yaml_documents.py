"""YAML whose keys know their lines: documents as they are read, and key paths as messages show them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from netproof.errors import InputError

KeyPath = tuple[str | int, ...]

MOST_NODES = 500_000
"""A document with more keys and items than this is refused: aliases can make a small file endless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document: its content, and the line of every key and list item (1-based)."""

    file: str
    content: Any
    lines: Mapping[KeyPath, int]
    origins: Mapping[KeyPath, str] = field(default_factory=dict)
    """Of several files that are laid over each other: the file of each key and list item."""

    def line(self, path: KeyPath) -> int | None:
        """The line of a key path, or of its nearest parent that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def error(self, path: KeyPath, message: str) -> InputError:
        """An error about one key of this document, for whoever read its content to raise."""
        place = path
        while place and place not in self.origins:
            place = place[:-1]
        file = self.origins.get(place, self.file)
        return InputError(message, file=file, line=self.line(path), key=format_key_path(path) or None)


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


def dump_yaml(values: Iterable[Any]) -> str:
    """Plain values as the documents of one text, keys in their order."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump_all(values, Dumper=dumper, sort_keys=False))


def read_document(source: Path | str, *, may_be_empty: bool = False) -> Document:
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
        raise InputError("an alias contains itself", file=name, line=line, key=format_key_path(path))
    if len(lines) > MOST_NODES:
        raise InputError(f"more than {MOST_NODES} keys and items, aliases counted", file=name, line=line)
    lines[path] = line
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            word, key_line = str(key.value), key.start_mark.line + 1
            if word in seen and word != "<<":
                raise InputError("this key stands twice", file=name, line=key_line, key=format_key_path((*path, word)))
            seen.add(word)
            _collect(value, (*path, word), lines, name, around | {node})
            lines[(*path, word)] = key_line
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect(value, (*path, index), lines, name, around | {node})


def format_key_path(path: KeyPath) -> str:
    """A key path as messages show it: `services[1].ports[0].name`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def parse_key_path(text: str) -> KeyPath:
    """A key path from its dotted form."""
    words = re.findall(r"\[\d+\]|[^.\[\]]+", text)
    return tuple(int(word[1:-1]) if word.startswith("[") else word for word in words)
