"""The run record: one JSON file that says everything a run measured. Everything drawn is drawn from it alone.

Its JSON Schema is `record.schema.json` beside this file (made by `schema()`; a test keeps the two equal).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field

from netproof.manifests.validation import StrictModel, validate
from netproof.manifests.yaml_documents import Document
from netproof.model import Intent, Measured, Outcome, Specified, Verdict
from netproof.model.topology import Family
from netproof.model.traffic import Kind, Probe, ProbeProtocol, Via

SCHEMA_VERSION: Final = 1


class RecordedAttempt(StrictModel):
    """Equal outcomes of one cell in a row: the first one's time (seconds after the change), how many, the last's ms."""

    at_s: float
    outcome: Outcome
    count: int = 1
    ms: float | None = None
    detail: str = ""


class RecordedSide(StrictModel):
    """What the policies say at one end of a cell: does a policy isolate it in this direction, and which rule allows."""

    isolated: bool
    isolating: list[str] = Field(default_factory=list)
    allowed: bool
    rule: str = ""


class Cell(StrictModel):
    """One row of the record. `reviewed` lists the ids of reviewed entries that declare this cell's faults."""

    scenario: str
    step: str
    source: str
    destination: str
    via: Via
    protocol: ProbeProtocol
    port: int
    family: Family
    kind: Kind
    intended: Intent
    specified: Specified
    measured: Measured
    outcome: Outcome
    verdict: Verdict
    accepted: bool
    """False when the verdict is a fault that no reviewed entry declares: such a cell fails its scenario."""
    because: str
    """One sentence: why the policies mean this."""
    egress: RecordedSide
    ingress: RecordedSide
    attempts: list[RecordedAttempt]
    settled_after_s: float | None
    host: str = ""
    """The address that was dialled."""
    seen_source: str = ""
    """The source address that the server saw."""
    note: str = ""
    """Why a cell is unmeasured, or what else was odd."""
    reproduce: str = ""
    reviewed: list[str] = Field(default_factory=list)

    @property
    def probe(self) -> Probe:
        """The question that was asked."""
        return Probe(
            source=self.source,
            destination=self.destination,
            port=self.port,
            protocol=self.protocol,
            via=self.via,
            family=self.family,
            kind=self.kind,
        )


class Reviewed(StrictModel):
    """A reviewed entry that applied to this run: a chart's documented surprise or a CNI's known difference."""

    id: str
    kind: Literal["documented", "known-difference"]
    scenario: str
    sentence: str
    reason: str
    link: str
    cells: int
    """How many measured cells it declares."""
    stale: list[str] = Field(default_factory=list)
    """Cells that it declares and that do not show the fault any more: these fail the scenario."""
    file: str = ""


class StepResult(StrictModel):
    name: str
    rounds: int
    first_correct_s: float | None
    """Seconds from the change to the first round that agrees with what is specified; None when none did."""
    settled_after_s: float | None
    """Seconds from the change to the first of the equal rounds at the end; None when it never settled."""
    flaps: int
    """Cells that changed more than once."""
    round_s: float
    """The median duration of a round."""
    timeout_s: float


class Variant(StrictModel):
    """`engine`: the dialect that a chart was asked to render. Scenarios of one `of` mean the same, each by its own."""

    of: str
    engine: str


class ScenarioResult(StrictModel):
    id: str
    claim: str
    source: str
    result: Literal["passed", "failed", "skipped", "error", "interrupted"]
    reason: str = ""
    duration_s: float
    steps: list[StepResult] = Field(default_factory=list)
    manifests: str = ""
    """What was applied, as YAML."""
    values: str = ""
    warnings: list[str] = Field(default_factory=list)
    reproduce: str = ""
    variant: Variant | None = None


class Phase(StrictModel):
    name: str
    started_s: float
    duration_s: float
    ok: bool = True


class PreflightCheck(StrictModel):
    """One canary: what it should do and what it did."""

    name: str
    expected: Measured
    measured: Measured
    after_s: float | None


class AppliedFile(StrictModel):
    name: str
    source: str
    sha256: str


class EnvironmentRecord(StrictModel):
    driver: str
    cni: str
    cni_version: str
    kernel: str
    nodes: list[str]
    families: list[int]
    kubernetes: str = ""
    cluster: str = ""
    engine: str = ""
    state: str = ""
    applied: list[AppliedFile] = Field(default_factory=list)
    images: list[str] = Field(default_factory=list)
    facts: dict[str, str] = Field(default_factory=dict)


class Vote(StrictModel):
    """One answer to a trait's question: how many cells gave it, and the first of them (its scenario, step and name)."""

    answer: str
    cells: int
    scenario: str
    step: str
    cell: str


class Trait(StrictModel):
    """How a CNI behaves where the API leaves it open, as measured: a question and its answer in words."""

    id: str
    question: str
    answer: str
    measured: bool
    votes: list[Vote] = Field(default_factory=list)
    """The different answers of its cells, the most frequent first; none for times, and for what was not measured."""


class Target(StrictModel):
    """One CNI of a run."""

    cni: str
    title: str
    environment: EnvironmentRecord | None = None
    capabilities: dict[str, str] = Field(default_factory=dict)
    preflight: list[PreflightCheck] = Field(default_factory=list)
    phases: list[Phase] = Field(default_factory=list)
    scenarios: list[ScenarioResult] = Field(default_factory=list)
    cells: list[Cell] = Field(default_factory=list)
    reviewed: list[Reviewed] = Field(default_factory=list)
    traits: list[Trait] = Field(default_factory=list)
    error: str = ""
    """Why this CNI's run ended early, in a sentence (with the last events and logs)."""
    error_code: int | None = None


class Run(StrictModel):
    netproof: str
    command: str
    seed: int | None = None
    started_at: str
    duration_s: float
    interrupted: bool
    exit_code: int


class Record(StrictModel):
    """`record.json`."""

    schema_version: Literal[1] = SCHEMA_VERSION
    run: Run
    targets: list[Target]


def load(path: Path) -> Record:
    """Read a record back. Raises InputError."""
    import json

    from netproof.errors import InputError

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(error.strerror or str(error), file=path) from None
    except ValueError as error:
        raise InputError(f"not valid JSON: {error}", file=path) from None
    return validate(Record, Document(file=str(path), content=content, lines={}))


def merge(records: Sequence[Record]) -> Record:
    """Several records as one with all their targets, as if one run had measured them: it began with the first one and
    its exit code is the worst."""
    if len(records) == 1:
        return records[0]
    runs = [record.run for record in records]
    run = Run(
        netproof=max(run.netproof for run in runs),
        command="\n".join(dict.fromkeys(run.command for run in runs)),
        started_at=min(run.started_at for run in runs),
        duration_s=round(sum(run.duration_s for run in runs), 1),
        interrupted=any(run.interrupted for run in runs),
        exit_code=max(run.exit_code for run in runs),
    )
    return Record(run=run, targets=[target for record in records for target in record.targets])


def schema() -> dict[str, Any]:
    """The JSON Schema of a record."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "netproof run record"} | (
        Record.model_json_schema(mode="serialization")
    )
