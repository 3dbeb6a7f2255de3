"""One field of an object that stands in a file: a mistake in it is an error with file, line and key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast, get_args

from netproof.manifests.yaml_documents import KeyPath, Located
from netproof.model.topology import Protocol


def field_at(one: Located, path: KeyPath) -> Any:
    here: Any = one.content
    for part in path:
        here = here.get(part) if isinstance(here, Mapping) else None
    return here


def mapping_at(one: Located, path: KeyPath) -> Mapping[str, Any]:
    found = field_at(one, path)
    if found is not None and not isinstance(found, Mapping):
        raise one.document.error((*one.path, *path), f"a mapping is expected here (got {found!r})")
    return found or {}


def list_at(one: Located, path: KeyPath) -> list[Any]:
    found = field_at(one, path)
    if found is not None and not isinstance(found, list):
        raise one.document.error((*one.path, *path), f"a list is expected here (got {found!r})")
    return found or []


def mappings_at(one: Located, path: KeyPath) -> Iterator[Mapping[str, Any]]:
    """The items of a list that are mappings."""
    return (item for item in list_at(one, path) if isinstance(item, Mapping))


def labels_at(one: Located, path: KeyPath) -> dict[str, str]:
    labels = mapping_at(one, path)
    for key, value in labels.items():
        if not isinstance(value, str):
            raise one.document.error(
                (*one.path, *path, str(key)), f"a label's value is a string; write {str(value).lower()!r} in quotes"
            )
    return dict(labels)


def namespace_of(one: Located, default: str) -> str:
    return str(one.content["metadata"].get("namespace") or default)


def port_number(one: Located, path: KeyPath, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
        raise one.document.error((*one.path, *path), f"a port number from 1 to 65535 is expected (got {value!r})")
    return value


def protocol_of(one: Located, path: KeyPath, entry: Mapping[str, Any]) -> Protocol:
    word = entry.get("protocol") or "TCP"
    if word not in get_args(Protocol):
        raise one.document.error((*one.path, *path, "protocol"), f"must be TCP, UDP or SCTP (got {word!r})")
    return cast(Protocol, word)
