"""A Kubernetes object as plain data. Dialects and deliberately odd objects go the same way: none has its own type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Manifest = Mapping[str, Any]


def name_object(manifest: Manifest) -> str:
    """`namespace/name`, or the name alone where it names no namespace; empty for what is no valid object."""
    metadata = manifest.get("metadata")
    names = [metadata.get(key) for key in ("namespace", "name")] if isinstance(metadata, Mapping) else []
    return "/".join(str(name) for name in names if name)


def describe_object(manifest: Manifest) -> str:
    """The object as messages name it: `NetworkPolicy shop/api`."""
    return " ".join(str(word) for word in (manifest.get("kind"), name_object(manifest)) if word)
