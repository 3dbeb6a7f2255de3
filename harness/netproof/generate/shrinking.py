"""A disagreement made small: fewer steps, policies, rules, peers and ports, until nothing can be left out. Pure:
whether a candidate still disagrees is the caller's to say, who measures it on the driver that disagreed.

hypothesis would try hundreds of candidates by their bytes; a candidate costs seconds on a real CNI, so they are made
here from what objects consist of, the large parts first, and the caller refuses on paper what cannot disagree.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from netproof.model.manifest import name_object

Draft = dict[str, Any]
Path = tuple[str | int, ...]


def shrink(draft: Mapping[str, Any], still: Callable[[Draft], bool], deadline: float) -> tuple[Draft, bool]:
    """The smallest draft found that `still` disagrees, and whether no part of it can be left out; False when
    `deadline` (time.monotonic()) came first."""
    best = deepcopy(dict(draft))
    refused: set[str] = set()
    progress = True
    while progress:
        progress = False
        for candidate in _candidates(best):
            key = repr(candidate)
            if key in refused:
                continue
            if time.monotonic() > deadline:
                return best, False
            if still(candidate):
                best, progress = candidate, True
                break
            refused.add(key)
    return best, True


def _candidates(draft: Draft) -> Iterator[Draft]:
    """Drafts with one part less, the largest part first."""
    if (merged := _merged(draft)) is not None:
        yield merged
    steps = draft["steps"]
    for place in range(len(steps) - 1):
        yield {**draft, "steps": steps[:place] + steps[place + 1 :]}
    for place, step in enumerate(steps):
        for key in ("apply", "delete", "label"):
            for part in range(len(step.get(key, ()))):
                yield _without(draft, ("steps", place, key, _key(step, key, part)))
    specs = [
        ("steps", place, "apply", number, "spec")
        for place, step in enumerate(steps)
        for number in range(len(step.get("apply", ())))
    ]
    paths = [path for root in specs for path in _paths(_at(draft, root), root)]
    for path in sorted(paths, key=len):
        yield _without(draft, path)
    for path in paths:
        if _at(draft, path) not in ({}, []) and isinstance(_at(draft, path), dict | list):
            yield _replaced(draft, path)


def _key(step: Mapping[str, Any], key: str, part: int) -> str | int:
    """How a part of a step is addressed: by its name in a mapping, by its place in a list."""
    return list(step[key])[part] if isinstance(step[key], Mapping) else part


def _merged(draft: Draft) -> Draft | None:
    """All at once what several steps bring about; None where labels change on the way, or there is one step."""
    steps = draft["steps"]
    if len(steps) == 1 or any(step.get("label") for step in steps):
        return None
    in_force: dict[tuple[str, str], Any] = {}
    for step in steps:
        for manifest in step.get("apply", ()):
            in_force[manifest["kind"], name_object(manifest)] = manifest
        for name in step.get("delete", ()):
            in_force = {key: manifest for key, manifest in in_force.items() if key[1] != name}
    return {**draft, "steps": [{"name": "applied", "apply": list(in_force.values())}]}


def _paths(value: Any, root: Path) -> Iterator[Path]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*root, key)
        yield from _paths(inner, (*root, key))


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def _without(draft: Draft, path: Path) -> Draft:
    copy = deepcopy(draft)
    del _at(copy, path[:-1])[path[-1]]
    return copy


def _replaced(draft: Draft, path: Path) -> Draft:
    """With nothing in this part: what must be there may still be empty."""
    copy = deepcopy(draft)
    _at(copy, path[:-1])[path[-1]] = type(_at(draft, path))()
    return copy
