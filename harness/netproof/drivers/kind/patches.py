"""Changes to upstream's objects before they are applied, so that a recipe can use upstream's own file and say exactly
what it has otherwise. Pure, and strict: a patch that finds nothing to change says that upstream's file has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netproof.clusters.recipes import Patch
from netproof.errors import ClusterError

DIRECTIVE, DELETE = "$patch", "delete"
ANOTHER = "was the patch written for another version?"


def apply_patches(objects: Iterable[dict[str, Any]], patches: Sequence[Patch], file: str) -> list[dict[str, Any]]:
    """The objects with their changes, those deleted left out. `file` is what errors call their file.

    Of Kubernetes' strategic merge patches there are: mappings are merged; null takes a key away; lists of named items
    (containers, env, volumes) are merged by name; `$patch: delete` takes an object or an item away; all else replaces.
    Raises ClusterError when an object, or an item to delete, is not there.
    """
    found = list(objects)
    for patch in patches:
        where = f"{file}: {patch.object}"
        places = [place for place, item in enumerate(found) if _name(item) == patch.object]
        if not places:
            raise ClusterError(f"{where} is not there, but the recipe patches it: {ANOTHER}")
        for place in reversed(places):
            if patch.patch.get(DIRECTIVE) == DELETE:
                del found[place]
            else:
                found[place] = _mapping(found[place], patch.patch, where)
    return found


def _name(item: Mapping[str, Any]) -> str:
    return f"{item.get('kind')}/{(item.get('metadata') or {}).get('name')}"


def _mapping(old: Mapping[str, Any], patch: Mapping[str, Any], where: str) -> dict[str, Any]:
    new = dict(old)
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        elif isinstance(value, Mapping):
            new[key] = _mapping(_as(new.get(key), Mapping) or {}, value, f"{where}.{key}")
        elif _named(value):
            new[key] = _list(_as(new.get(key), list) or [], value, f"{where}.{key}")
        else:
            new[key] = value
    return new


def _list(old: Sequence[Any], patch: Sequence[Mapping[str, Any]], where: str) -> list[Any]:
    new = list(old)
    for item in patch:
        name = item["name"]
        place = next((n for n, one in enumerate(new) if isinstance(one, Mapping) and one.get("name") == name), None)
        if item.get(DIRECTIVE) == DELETE:
            if place is None:
                raise ClusterError(f"{where} has no {name}, but the recipe deletes it: {ANOTHER}")
            del new[place]
        elif place is None:
            new.append(_mapping({}, item, f"{where}[{name}]"))
        else:
            new[place] = _mapping(new[place], item, f"{where}[{name}]")
    return new


def _named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) and "name" in one for one in value)


def _as(value: Any, kind: type) -> Any:
    return value if isinstance(value, kind) else None
