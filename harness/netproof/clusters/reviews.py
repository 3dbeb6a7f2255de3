"""Reviewed data: surprises that a chart documents and differences that a CNI is known for. Strict both ways: a fault
that nobody declared fails, and so does a declared one that does not happen.

A cell has up to two faults. *policy*: intended and specified differ; a chart's `findings.yaml` may declare it. *cni*:
specified and measured differ; `clusters/<cni>/known-differences.yaml` may declare it. `masked-defect` is both at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import Field, field_validator, model_validator

from netproof.errors import InputError
from netproof.manifests.data_dirs import display_path
from netproof.manifests.validation import StrictModel, validate
from netproof.manifests.yaml_documents import Document, read_yaml
from netproof.model import Probe, Verdict

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


class CellPattern(StrictModel):
    """Cells by their keys; each key takes one value or a list, and a key left out takes any. Strings may hold `*`.
    `scenario` and `step` say where the pattern counts: one cause is one entry, whatever scenarios it shows in."""

    scenario: str | list[str] | None = None
    step: str | list[str] | None = None
    source: str | list[str] | None = None
    destination: str | list[str] | None = None
    port: int | list[int] | None = None
    protocol: str | list[str] | None = None
    via: str | list[str] | None = None

    def counts(self, scenario: str, step: str) -> bool:
        return _any(self.scenario, scenario) and _any(self.step, step)

    def matches(self, probe: Probe) -> bool:
        return (
            _any(self.source, probe.source)
            and _any(self.destination, probe.destination)
            and _any(self.port, probe.port)
            and _any(self.protocol, probe.protocol)
            and _any(self.via, probe.via)
        )


def _any(wanted: str | int | Sequence[str | int] | None, value: str | int) -> bool:
    if wanted is None or isinstance(wanted, str | int):
        return wanted is None or _same(value, wanted)
    return any(_same(value, one) for one in wanted)


def _same(value: str | int, wanted: str | int) -> bool:
    return value == wanted if isinstance(wanted, int) else fnmatchcase(str(value), wanted)


class ReviewedEntry(StrictModel):
    """One reviewed entry: one cause. `scenarios` and `steps` limit all its patterns; `scenarios` may be left out when
    each pattern names its own. `versions` limits a known difference to versions of its CNI (">=1.20,<1.21")."""

    id: str
    scenarios: list[str] | None = None
    steps: list[str] | None = None
    cells: list[CellPattern] = Field(min_length=1)
    sentence: str = ""
    reason: str
    link: str
    evidence: str = ""
    versions: str = ""
    lint: list[str] = Field(default_factory=list)
    """The features of policies that a known difference shows in, by which `netproof check` warns of it."""

    @field_validator("versions")
    @classmethod
    def _readable(cls, value: str) -> str:
        try:
            SpecifierSet(value)
        except InvalidSpecifier as error:
            raise ValueError(f"not a version range: {error}") from None
        return value

    @model_validator(mode="after")
    def _placed(self) -> ReviewedEntry:
        if self.scenarios is None and any(pattern.scenario is None for pattern in self.cells):
            raise ValueError("name the scenarios: `scenarios` of the entry, or `scenario` of each of its cells")
        return self

    def patterns(self, scenario: str, step: str) -> list[CellPattern]:
        """Those that count in this step of this scenario."""
        if not _any(self.scenarios, scenario) or not _any(self.steps, step):
            return []
        return [pattern for pattern in self.cells if pattern.counts(scenario, step)]


class _File(StrictModel):
    entries: list[ReviewedEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviews:
    """The entries that count in this run, and which fault they declare. `files`: entry id -> its file, where that is
    another than `file`."""

    fault: Fault
    entries: tuple[ReviewedEntry, ...] = ()
    file: str = ""
    files: Mapping[str, str] = field(default_factory=dict)

    def declared(self, scenario: str, step: str, probe: Probe) -> list[str]:
        """The ids of the entries that declare this fault for a cell."""
        return [entry.id for entry, cells in self._for(scenario, step) if any(p.matches(probe) for p in cells)]

    def stale(
        self, scenario: str, step: str, verdicts: Iterable[tuple[Probe, Verdict]]
    ) -> dict[str, tuple[int, list[str]]]:
        """For each entry of a scenario: how many measured cells it declares, and what of it did not happen. A cell that
        was not measured says neither."""
        cells = list(verdicts)
        found = {}
        for entry, patterns in self._for(scenario, step):
            gone, count = [], 0
            for pattern in patterns:
                declared = [(probe, verdict) for probe, verdict in cells if pattern.matches(probe)]
                if not declared:
                    gone.append(f"no cell matches {_pattern_text(pattern)}")
                matched = [(probe, verdict) for probe, verdict in declared if verdict is not Verdict.UNMEASURED]
                count += len(matched)
                gone += [f"{probe} shows no {self.fault} fault" for probe, v in matched if self.fault not in FAULTS[v]]
            found[entry.id] = (count, gone)
        return found

    def entry(self, identifier: str) -> ReviewedEntry:
        return next(entry for entry in self.entries if entry.id == identifier)

    def file_of(self, identifier: str) -> str:
        return self.files.get(identifier, self.file)

    def _for(self, scenario: str, step: str) -> Sequence[tuple[ReviewedEntry, list[CellPattern]]]:
        found = [(entry, entry.patterns(scenario, step)) for entry in self.entries]
        return [(entry, patterns) for entry, patterns in found if patterns]


def _pattern_text(pattern: CellPattern) -> str:
    return ", ".join(f"{key}={value}" for key, value in pattern.model_dump(exclude_none=True).items())


def load(path: Path, fault: Fault, version: str = "") -> Reviews:
    """The entries of a file (none when there is no such file) that apply to `version`. Raises InputError."""
    if not path.exists():
        return Reviews(fault=fault, file=display_path(path))
    documents = read_yaml(path)
    entries: list[ReviewedEntry] = []
    for document in documents:
        shifted = {("entries", *key): line for key, line in document.lines.items()}
        wrapped = Document(file=document.file, content={"entries": document.content}, lines=shifted)
        entries += validate(_File, wrapped).entries
    twice = {entry.id for entry in entries if sum(other.id == entry.id for other in entries) > 1}
    if twice:
        raise InputError(f"these ids stand twice: {', '.join(sorted(twice))}", file=path)
    applying = tuple(e for e in entries if not (e.versions and version) or SpecifierSet(e.versions).contains(version))
    return Reviews(fault=fault, entries=applying, file=display_path(path))


def load_all(paths: Sequence[Path], fault: Fault, version: str = "") -> Reviews:
    """The entries of several files, of which the first may be one's own and the others somebody else's. Raises
    InputError, also when two of them use one id."""
    entries: list[ReviewedEntry] = []
    files: dict[str, str] = {}
    for path in paths:
        found = load(path, fault, version)
        for entry in found.entries:
            if entry.id in files:
                raise InputError(f"the id {entry.id} stands in {files[entry.id]} too", file=path)
            files[entry.id] = found.file
        entries += found.entries
    return Reviews(fault=fault, entries=tuple(entries), file=display_path(paths[0]), files=files)
