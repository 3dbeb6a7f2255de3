"""The policies that decide a cell, as YAML: the rule that decided always, and as much around it as a terminal takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from netproof.report.record import Cell, RecordedSide
from netproof.report.terminal import Line, label_lines
from netproof.wording import count

MOST_LINES = 24
"""Lines of a policy beside the rule that decided."""
INDENT = " " * 15

Spec = Mapping[str, Any]

_RULE = re.compile(r"(?P<key>\w+) rule (?P<number>\d+)\b")
_REF = re.compile(r"(?:(?P<kind>\w+) )?(?:(?P<namespace>[^/ ]+)/)?(?P<name>[^/ ]+)(?: specs\[(?P<place>\d+)\])?")


def policy_lines(cell: Cell, manifests: str) -> Iterator[Line]:
    """For each end of the cell the policies that isolate it, and the one whose rule decided. `manifests` is what the
    scenario applied in all its steps."""
    documents = _read(manifests)
    for direction, side in (("egress", cell.egress), ("ingress", cell.ingress)):
        decider = _find_decider(side, cell.because)
        for name in dict.fromkeys([*side.isolating, *([decider] if decider else [])]):
            specs = _find_specs(documents, name, direction)
            rule = side.rule if name == decider else ""
            if not specs or (len(specs) > 1 and not rule):
                # Of several versions without a rule to show, the record does not say which one was in force.
                continue
            versions = f" (the scenario applies {count(len(specs), 'version')} of it)" if len(specs) > 1 else ""
            what = f"; {rule} decides" if rule else ""
            yield from label_lines("policy", f"{name}, {direction}{what}{versions}")
            for spec in specs:
                yield from _excerpt(spec, rule)


def _find_decider(side: RecordedSide, because: str) -> str:
    """The policy whose rule decided this side: the sentence of the cell names it, where it can be another one."""
    if not side.rule:
        return ""
    named = re.search(rf"{re.escape(side.rule)} of ({_REF.pattern})", because)
    if named:
        return named[1]
    return side.isolating[0] if len(side.isolating) == 1 else ""


def _read(text: str) -> list[dict[str, Any]]:
    try:
        return [document for document in yaml.safe_load_all(text) if isinstance(document, dict)]
    except yaml.YAMLError:
        return []


def _find_specs(documents: Sequence[Mapping[str, Any]], name: str, direction: str) -> list[Spec]:
    """The different specs that policies of this name (`NetworkPolicy berserk/meta`) have over the scenario's steps,
    without the other direction's rules."""
    ref = _REF.fullmatch(name)
    if not ref:
        return []
    other = {"ingress": "egress", "egress": "ingress"}[direction]
    found: list[Spec] = []
    for document in documents:
        metadata = document.get("metadata")
        if not isinstance(metadata, dict) or metadata.get("name") != ref["name"]:
            continue
        if ref["kind"] and document.get("kind") != ref["kind"]:
            continue
        if ref["namespace"] and metadata.get("namespace", ref["namespace"]) != ref["namespace"]:
            continue
        spec = document.get("spec")
        if ref["place"] is not None:
            place, listed = int(ref["place"]), document.get("specs")
            spec = listed[place] if isinstance(listed, list) and place < len(listed) else None
        if isinstance(spec, dict):
            kept = {key: value for key, value in spec.items() if not key.startswith(other)}
            if kept not in found:
                found.append(kept)
    return found


def _excerpt(spec: Spec, rule: str) -> Iterator[Line]:
    """The spec as YAML lines. What does not fit is counted in its place; the deciding rule stands out, whole."""
    named = _RULE.match(rule)
    key, index = (named["key"], int(named["number"]) - 1) if named else ("", -1)
    rules = spec.get(key)
    if not isinstance(rules, list) or index >= len(rules):
        yield from _cut(_dump(spec))
        return
    for name, value in spec.items():
        if name != key:
            yield from _cut(_dump({name: value}), MOST_LINES // 2)
    yield f"{INDENT}{key}:", "dim"
    yield from _neighbours(rules, 0, index, "before")
    yield from ((INDENT + line, "bold") for line in _dump([rules[index]]))
    yield from _neighbours(rules, index + 1, len(rules), "after")


def _neighbours(rules: Sequence[Any], first: int, end: int, where: str) -> Iterator[Line]:
    """The rules of a list from `first` up to `end`: those next to the deciding rule that fit, the others counted."""
    near = range(first, end)
    room, shown = MOST_LINES // 2, list[int]()
    for place in reversed(near) if where == "before" else near:
        room -= len(_dump([rules[place]]))
        if room < 0:
            break
        shown.append(place)
    left = len(near) - len(shown)
    counted: list[Line] = [(f"{INDENT}# {count(left, 'more rule')} {where}", "dim")] if left else []
    lines: list[Line] = [(INDENT + line, "dim") for place in sorted(shown) for line in _dump([rules[place]])]
    yield from counted + lines if where == "before" else lines + counted


def _cut(lines: Sequence[str], most: int = MOST_LINES) -> Iterator[Line]:
    yield from ((INDENT + line, "dim") for line in lines[:most])
    if len(lines) > most:
        yield f"{INDENT}# {count(len(lines) - most, 'more line')}", "dim"


def _dump(value: object) -> list[str]:
    return yaml.safe_dump(value, sort_keys=False).splitlines()
