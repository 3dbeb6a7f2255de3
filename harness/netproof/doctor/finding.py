"""One line of the doctor's table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class State(StrEnum):
    """`WARN`: it works without, or with less."""

    OK = "OK"
    WARN = "WARN"
    MISSING = "MISSING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`found`: what is there, or why it matters that it is not. `fix`: one command, or one sentence where none does."""

    what: str
    state: State
    found: str
    fix: str = ""
    group: str = ""

    def of(self, group: str) -> Finding:
        return replace(self, group=group)


def ok(what: str, found: str) -> Finding:
    return Finding(what=what, state=State.OK, found=found)


def warn(what: str, found: str, fix: str = "") -> Finding:
    return Finding(what=what, state=State.WARN, found=found, fix=fix)


def missing(what: str, found: str, fix: str = "") -> Finding:
    return Finding(what=what, state=State.MISSING, found=found, fix=fix)
