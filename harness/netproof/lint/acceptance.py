"""Findings that somebody accepted, so that a check can fail on every new one: by a comment beside what is found, by
`--ignore`, or by a baseline file. An accepted finding is shown as reviewed, and never fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from netproof.errors import InputError, suggest
from netproof.lint.model import LintFinding, Severity
from netproof.lint.table import RULES, Checked

COMMENT = re.compile(r"#\s*netproof: ignore (?P<rules>[a-z0-9-]+(?:\s*,\s*[a-z0-9-]+)*)(?:\s*:\s*(?P<reason>.*))?$")
"""`# netproof: ignore rule, rule: reason`, on the line of the finding or above it; in a template, which has no lines,
anywhere."""

IDS = frozenset(rule.id for rule in RULES)
Fingerprint = tuple[str, str, str]
"""Rule, object and key: what stays when lines move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A rule, and the objects that it is ignored for (`*` allowed)."""

    rule: str
    objects: str = "*"


def read_ignored(words: Sequence[str]) -> tuple[Ignored, ...]:
    """`RULE` or `RULE=OBJECT`, where OBJECT is as findings name it (`NetworkPolicy shop/*`). Raises InputError."""
    found = []
    for word in words:
        rule, equals, objects = word.partition("=")
        if rule not in IDS:
            raise InputError(f"no rule is called {rule!r}; {suggest(rule, IDS)}", key="--ignore")
        if equals and not objects:
            raise InputError(f"{word!r} names no object", key="--ignore")
        found.append(Ignored(rule=rule, objects=objects or "*"))
    return tuple(found)


def read_baseline(file: Path) -> frozenset[Fingerprint]:
    """What `write_baseline` wrote. Raises InputError."""
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))["accepted"]
        return frozenset((str(one["rule"]), str(one["object"]), str(one["key"])) for one in entries)
    except OSError as error:
        raise InputError(error.strerror or str(error), file=file, key="--baseline") from None
    except (ValueError, KeyError, TypeError):
        raise InputError("this is no baseline: write one with --write-baseline", file=file, key="--baseline") from None


def render_baseline(checked: Checked) -> str:
    """All findings that nobody accepted otherwise, in a stable order."""
    found = sorted({_fingerprint(one) for one in checked.findings if not one.reviewed})
    entries: list[Mapping[str, Any]] = [{"rule": rule, "object": name, "key": key} for rule, name, key in found]
    return json.dumps({"accepted": entries}, indent=1, ensure_ascii=False) + "\n"


def accept_findings(
    checked: Checked, ignored: Iterable[Ignored] = (), baseline: frozenset[Fingerprint] = frozenset()
) -> Checked:
    """The same findings, those that are accepted as notes with the reason."""
    ignored = tuple(ignored)
    return replace(checked, findings=tuple(_accepted(one, ignored, baseline) for one in checked.findings))


def _accepted(finding: LintFinding, ignored: Sequence[Ignored], baseline: frozenset[Fingerprint]) -> LintFinding:
    if finding.reviewed:
        return finding
    reason = _comment(finding)
    if not reason and any(one.rule == finding.rule and _is_about(one, finding) for one in ignored):
        reason = "--ignore"
    if not reason and _fingerprint(finding) in baseline:
        reason = "it is in the baseline"
    return replace(finding, severity=Severity.NOTE, reviewed=reason) if reason else finding


def _is_about(ignored: Ignored, finding: LintFinding) -> bool:
    return fnmatchcase(finding.place.object, ignored.objects)


def _comment(finding: LintFinding) -> str:
    lines = _lines(finding.place.file)
    number = finding.place.line
    # A place without a line is one of a template.
    near = lines if number is None else lines[max(number - 2, 0) : number]
    for line in near:
        found = COMMENT.search(line.rstrip())
        if found and finding.rule in re.split(r"\s*,\s*", found["rules"]):
            return found["reason"] or "a comment in the file"
    return ""


@cache
def _lines(file: str) -> tuple[str, ...]:
    try:
        return tuple(Path(file).read_text(encoding="utf-8").splitlines()) if file else ()
    except (OSError, UnicodeDecodeError):
        return ()


def _fingerprint(finding: LintFinding) -> Fingerprint:
    return finding.rule, finding.place.object, finding.place.key
