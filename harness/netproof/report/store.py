"""Partial results on disk: every scenario's result is written as soon as it exists, by whichever process measured it,
so that nothing measured is lost when a run is interrupted or killed. The record is put together from these parts."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic_core import PydanticSerializationError

from netproof import __version__
from netproof.errors import NetproofError
from netproof.manifests.validation import StrictModel, validate
from netproof.manifests.yaml_documents import Document
from netproof.report.record import Cell, Record, Reviewed, Run, ScenarioResult, Target

P = TypeVar("P", bound=StrictModel)

INTERRUPTED = 2
"""pytest's exit code of a run that did not come to its end."""


class ScenarioPart(StrictModel):
    """All that one scenario added to its CNI's target. `order` sorts the parts of several workers as collected."""

    cni: str
    order: int
    scenario: ScenarioResult
    cells: list[Cell]
    reviewed: list[Reviewed]


class TargetPart(StrictModel):
    """The frame of a target as one process saw it: all but its scenarios. Written again whenever more is known."""

    order: int
    process: str
    target: Target


class Store:
    """The parts of one run, below the report directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._parts = directory / "parts"

    def put_target(self, part: TargetPart) -> None:
        self._write(f"target-{part.order:03}-{part.process}.json", part)

    def put_scenario(self, part: ScenarioPart) -> None:
        safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in part.scenario.id)
        self._write(f"scenario-{part.cni.replace('@', '_')}-{part.order:05}-{safe}.json", part)

    def record(self, run: Run) -> Record:
        """Everything that was put, as one record."""
        frames = sorted(self._read("target-*.json", TargetPart), key=lambda part: (part.order, part.process))
        parts = sorted(self._read("scenario-*.json", ScenarioPart), key=lambda part: part.order)
        targets = []
        for order in dict.fromkeys(frame.order for frame in frames):
            target = _join_targets([frame.target for frame in frames if frame.order == order])
            mine = [part for part in parts if part.cni == target.cni]
            targets.append(
                target.model_copy(
                    update={
                        "scenarios": [part.scenario for part in mine],
                        "cells": [cell for part in mine for cell in part.cells],
                        "reviewed": [entry for part in mine for entry in part.reviewed],
                    }
                )
            )
        return Record(run=run, targets=targets)

    def recover(self) -> Record | None:
        """What a run that never wrote its record left, as the record of an interrupted run; None where it left nothing.
        Raises InputError for parts that cannot be read."""
        times = [path.stat().st_mtime for path in self._parts.glob("*.json")]
        if not times:
            return None
        run = Run(
            netproof=__version__,
            command="",
            started_at=datetime.fromtimestamp(min(times), UTC).isoformat(timespec="seconds"),
            duration_s=round(max(times) - min(times), 1),
            interrupted=True,
            exit_code=INTERRUPTED,
        )
        return self.record(run)

    def clear(self) -> None:
        """Forget the parts: the record is written, or a new run begins where another one left some."""
        shutil.rmtree(self._parts, ignore_errors=True)

    def _write(self, name: str, part: StrictModel) -> None:
        path = self._parts / name
        fresh = path.with_suffix(f".{os.getpid()}.tmp")
        interrupted = False
        try:
            text = part.model_dump_json()
        except PydanticSerializationError as error:
            # Ctrl-C met the serializer, which wraps it: what was measured is written all the same.
            if "KeyboardInterrupt" not in str(error):
                raise
            interrupted, text = True, part.model_dump_json()
        try:
            self._parts.mkdir(parents=True, exist_ok=True)
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(path)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise NetproofError(
                f"cannot write results below {self.directory}: {error.strerror}; choose another --report-dir"
            ) from None
        if interrupted:
            raise KeyboardInterrupt

    def _read(self, pattern: str, model: type[P]) -> list[P]:
        return [
            validate(model, Document(file=str(path), content=_json(path), lines={}))
            for path in sorted(self._parts.glob(pattern))
        ]


def _join_targets(seen: list[Target]) -> Target:
    """One target of what the controller (first) and its workers saw of it."""
    first = seen[0]
    return first.model_copy(
        update={
            "environment": next((target.environment for target in seen if target.environment), None),
            "capabilities": {key: value for target in reversed(seen) for key, value in target.capabilities.items()},
            "preflight": next((target.preflight for target in seen if target.preflight), []),
            "phases": [phase for target in seen for phase in target.phases],
            "error": next((target.error for target in seen if target.error), ""),
            "error_code": next((target.error_code for target in seen if target.error_code), None),
        }
    )


def _json(path: Path) -> object:
    import json

    return json.loads(path.read_text(encoding="utf-8"))
