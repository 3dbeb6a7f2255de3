"""What was timed, as values and as the file that `--json` writes and `--from` reads. Seconds, MiB."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from netproof.manifests.validation import StrictModel, validate
from netproof.manifests.yaml_documents import read_document

SCHEMA_VERSION: Final = 1


class RunFigure(StrictModel):
    """A whole run, as a user starts it."""

    kind: Literal["run"] = "run"
    what: str
    wall_s: float
    up_s: float
    """Until probe pods run: cluster, CNI and pods."""
    round_connected_s: float | None
    """A train of rounds when everything connects, less the spread of its rounds."""
    timeout_s: float | None
    scenario_s: float | None
    """Median of a scenario: reset, apply, settle, verdict, evidence on disk."""
    cells: int
    memory_mib: int


class RoundFigure(StrictModel):
    """One size on one CNI, medians. `denied_s` is a round in which a third of the pods admit nobody; of it `timeout_s`
    is silence. A case is: apply a policy, settle, delete it, see that all connects again."""

    kind: Literal["round"] = "round"
    what: str
    pods: int = Field(gt=0)
    probes: int
    deploy_s: float | None
    connected_s: float
    denied_s: float | None
    timeout_s: float | None
    case_s: float | None
    memory_mib: int
    commands: list[str] = Field(default_factory=list)
    """What was run, where it is another program."""


class EvaluatorFigure(StrictModel):
    """The whole matrix of a made-up cluster, from parsed manifests to the count of every cell."""

    kind: Literal["evaluator"] = "evaluator"
    pods: int = Field(gt=0)
    policies: int
    ports: int
    cells: int
    connected: int
    classes: int
    """Pods that the policies cannot tell apart are one class."""
    seconds: float
    memory_mib: int


class PageFigure(StrictModel):
    """The HTML page of a record. `load_s` is until it is drawn, less what an empty page takes; None: no browser."""

    kind: Literal["page"] = "page"
    cells: int = Field(gt=0)
    write_s: float
    size_kib: int
    load_s: float | None
    memory_mib: int


Figure = RunFigure | RoundFigure | EvaluatorFigure | PageFigure


class Machine(StrictModel):
    """What the figures were taken on; they mean little without it."""

    system: str
    processors: int


class Bench(StrictModel):
    """The file."""

    schema_version: Literal[1] = SCHEMA_VERSION
    netproof: str
    machine: Machine
    figures: list[Annotated[Figure, Field(discriminator="kind")]]


def load(files: Sequence[Path]) -> list[Figure]:
    """The figures of files that `--json` wrote, in order. Raises InputError, which names the file and the key."""
    return [figure for file in files for figure in validate(Bench, read_document(file)).figures]
