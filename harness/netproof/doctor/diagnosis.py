"""One line of the doctor's table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class DiagnosisState(StrEnum):
    """`WARN`: it works without, or with less."""

    OK = "OK"
    WARN = "WARN"
    MISSING = "MISSING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """`found`: what is there, or why it matters that it is not. `fix`: one command, or one sentence where none does."""

    what: str
    state: DiagnosisState
    found: str
    fix: str = ""
    group: str = ""

    def of(self, group: str) -> Diagnosis:
        return replace(self, group=group)


def ok(what: str, found: str) -> Diagnosis:
    return Diagnosis(what=what, state=DiagnosisState.OK, found=found)


def warn(what: str, found: str, fix: str = "") -> Diagnosis:
    return Diagnosis(what=what, state=DiagnosisState.WARN, found=found, fix=fix)


def missing(what: str, found: str, fix: str = "") -> Diagnosis:
    return Diagnosis(what=what, state=DiagnosisState.MISSING, found=found, fix=fix)
