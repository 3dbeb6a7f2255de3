"""Reviewed data: surprises that a chart documents and differences that a CNI is known for. Strict both ways: a fault
that nobody declared fails, and so does a declared one that does not happen.

A cell has up to two faults. *policy*: intended and specified differ; a chart's `findings.yaml` may declare it. *cni*:
specified and measured differ; `clusters/<cni>/known-differences.yaml` may declare it. `masked-defect` is both at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import Field, field_validator

from harness.errors import InputError
from harness.files import Document, Strict, read_yaml, shown, validate
from harness.model import Probe, Verdict

Fault = Literal["policy", "cni"]

FAULTS: dict[Verdict, frozenset[Fault]] = {
    Verdict.HOLDS: frozenset(),
    Verdict.POLICY_DEFECT: frozenset({"policy"}),
    Verdict.CNI_DIFFERENCE: frozenset({"cni"}),
    Verdict.MASKED_DEFECT: frozenset({"policy", "cni"}),
    Verdict.UNSPECIFIED: frozenset(),
    Verdict.UNMEASURED: frozenset(),
}

KINDS: dict[Fault, Literal["documented", "known-difference"]] = {"policy": "documented", "cni": "known-difference"}


class CellPattern(Strict):
    """Cells by their keys; each key takes one value or a list, and a key left out takes any. Strings may hold `*`."""

    source: str | list[str] | None = None
    destination: str | list[str] | None = None
    port: int | list[int] | None = None
    protocol: str | list[str] | None = None
    via: str | list[str] | None = None

    def matches(self, probe: Probe) -> bool:
        return all(
            wanted is None or any(_same(value, one) for one in (wanted if isinstance(wanted, list) else [wanted]))
            for wanted, value in (
                (self.source, probe.source),
                (self.destination, probe.destination),
                (self.port, probe.port),
                (self.protocol, probe.protocol),
                (self.via, probe.via),
            )
        )


def _same(value: str | int, wanted: str | int) -> bool:
    return value == wanted if isinstance(wanted, int) else fnmatchcase(str(value), wanted)


class Entry(Strict):
    """One reviewed entry. `versions` limits a known difference to versions of its CNI (">=1.20,<1.21")."""

    id: str
    scenarios: list[str]
    steps: list[str] | None = None
    cells: list[CellPattern] = Field(min_length=1)
    sentence: str = ""
    reason: str
    link: str
    evidence: str = ""
    versions: str = ""

    @field_validator("versions")
    @classmethod
    def _readable(cls, value: str) -> str:
        try:
            SpecifierSet(value)
        except InvalidSpecifier as error:
            raise ValueError(f"not a version range: {error}") from None
        return value


class _File(Strict):
    entries: list[Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviews:
    """The entries of one file that count in this run, and which fault they declare."""

    fault: Fault
    entries: tuple[Entry, ...] = ()
    file: str = ""

    def declared(self, scenario: str, step: str, probe: Probe) -> list[str]:
        """The ids of the entries that declare this fault for a cell."""
        return [entry.id for entry in self._for(scenario, step) if any(p.matches(probe) for p in entry.cells)]

    def stale(
        self, scenario: str, step: str, verdicts: Iterable[tuple[Probe, Verdict]]
    ) -> dict[str, tuple[int, list[str]]]:
        """For each entry of a scenario: how many measured cells it declares, and what of it did not happen."""
        cells = [(probe, verdict) for probe, verdict in verdicts if verdict is not Verdict.UNMEASURED]
        found = {}
        for entry in self._for(scenario, step):
            gone, count = [], 0
            for pattern in entry.cells:
                matched = [(probe, verdict) for probe, verdict in cells if pattern.matches(probe)]
                if not matched:
                    gone.append(f"no measured cell matches {_pattern_text(pattern)}")
                count += len(matched)
                gone += [f"{probe} shows no {self.fault} fault" for probe, v in matched if self.fault not in FAULTS[v]]
            found[entry.id] = (count, gone)
        return found

    def entry(self, identifier: str) -> Entry:
        return next(entry for entry in self.entries if entry.id == identifier)

    def _for(self, scenario: str, step: str) -> Sequence[Entry]:
        return [
            entry
            for entry in self.entries
            if any(fnmatchcase(scenario, wanted) for wanted in entry.scenarios)
            and (entry.steps is None or step in entry.steps)
        ]


def _pattern_text(pattern: CellPattern) -> str:
    return ", ".join(f"{key}={value}" for key, value in pattern.model_dump(exclude_none=True).items())


def load(path: Path, fault: Fault, version: str = "") -> Reviews:
    """The entries of a file (none when there is no such file) that apply to `version`. Raises InputError."""
    if not path.exists():
        return Reviews(fault=fault, file=shown(path))
    documents = read_yaml(path)
    entries: list[Entry] = []
    for document in documents:
        shifted = {("entries", *key): line for key, line in document.lines.items()}
        wrapped = Document(file=document.file, content={"entries": document.content}, lines=shifted)
        entries += validate(_File, wrapped).entries
    twice = {entry.id for entry in entries if sum(other.id == entry.id for other in entries) > 1}
    if twice:
        raise InputError(f"these ids stand twice: {', '.join(sorted(twice))}", file=path)
    applying = tuple(e for e in entries if not (e.versions and version) or SpecifierSet(e.versions).contains(version))
    return Reviews(fault=fault, entries=applying, file=shown(path))
