"""The table of evaluator mutants, and one of them planted in a private copy of the package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import Field

from netproof.errors import InputError, NetproofError
from netproof.manifests.data_dirs import data_dir
from netproof.manifests.validation import StrictModel, validate
from netproof.manifests.yaml_documents import read_document

PACKAGE = Path(__file__).parents[2]
PATIENCE = 600.0
"""Seconds after which a mutant that runs for ever counts as caught."""


class Mutant(StrictModel):
    """One line of a source file that becomes another one. `old` must stand in the file exactly once."""

    id: str
    says: str
    file: str
    old: str
    new: str
    folders: list[str] = Field(default_factory=list)


class _Table(StrictModel):
    mutants: list[Mutant]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`caught` are the scenarios that noticed, the first one only unless all were asked; `looked` how many were held
    against it on paper, `measured` on packets. `skipped`: why this machine cannot tell."""

    kind: str
    id: str
    says: str
    caught: tuple[str, ...]
    looked: int
    measured: int = 0
    seconds: float = 0.0
    skipped: str = ""


def mutants() -> list[Mutant]:
    """The table. Raises InputError when a text is not found, as the source has changed."""
    document = read_document(Path(__file__).parent / "evaluator.yaml")
    found = validate(_Table, document).mutants
    for place, mutant in enumerate(found):
        source = PACKAGE / mutant.file
        times = source.read_text(encoding="utf-8").count(mutant.old) if source.exists() else 0
        if times != 1:
            raise document.error(("mutants", place), f"{mutant.id}: this text stands {times} times in {mutant.file}")
    return found


def run(mutant: Mutant, *, every: bool) -> Result:
    """The catalogue's tables against a copy of the package with this mutant. Raises NetproofError."""
    began = time.monotonic()
    with TemporaryDirectory(prefix="netproof-mutant-") as folder:
        copy = Path(folder) / PACKAGE.parent.name / PACKAGE.name
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "data"))
        for name in ("scenarios", "clusters"):
            (Path(folder) / name).symlink_to(data_dir(name), target_is_directory=True)
        target = copy / mutant.file
        target.write_text(target.read_text(encoding="utf-8").replace(mutant.old, mutant.new), encoding="utf-8")
        words = ["--every"] if every else []
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "netproof.proving.mutation.tables", *words, *mutant.folders],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(copy.parent), "PYTHONDONTWRITEBYTECODE": "1"},
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Result(
                kind="evaluator", id=mutant.id, says=mutant.says, caught=("it never ends",), looked=0, seconds=PATIENCE
            )
    if ended.returncode:
        raise NetproofError(f"mutant {mutant.id}: {ended.stderr.strip().splitlines()[-1] if ended.stderr else 'ended'}")
    told = json.loads(ended.stdout)
    result = Result(
        kind="evaluator", id=mutant.id, says=mutant.says, caught=tuple(told["caught"]), looked=told["looked"]
    )
    return replace(result, seconds=round(time.monotonic() - began, 1))


def named(wanted: str) -> Mutant:
    for mutant in mutants():
        if mutant.id == wanted:
            return mutant
    raise InputError(f"no mutant is called {wanted!r}", key="netproof mutate")
