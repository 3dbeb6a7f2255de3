"""Several values files as one, as `helm --values a.yaml --values b.yaml` lays them over each other: later files win."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from netproof.errors import InputError
from netproof.manifests.yaml_documents import Document, KeyPath, read_document


def read_values(files: Sequence[Path | str]) -> Document | None:
    """The values of these files, in order; None without a file. Errors about a key name the file that it is from.
    Raises InputError."""
    if sum(str(file) == "-" for file in files) > 1:
        raise InputError("standard input can be read once only", key="--values")
    documents = [read_document(file, may_be_empty=True) for file in files]
    if len(documents) < 2:
        return documents[0] if documents else None
    content: dict[str, Any] = {}
    lines: dict[KeyPath, int] = {}
    origins: dict[KeyPath, str] = {}
    for document in documents:
        content = overlay(content, document.content)
        lines |= document.lines
        origins |= dict.fromkeys(document.lines, document.file)
    return Document(file=documents[-1].file, content=content, lines=lines, origins=origins)


def overlay(first: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings key by key, everything else replaced. A null stays: it removes the chart's own default later."""
    merged = dict(first)
    for key, value in later.items():
        before = merged.get(key)
        merged[key] = overlay(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return merged
