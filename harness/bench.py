"""Benchmarks: whole runs as a user starts them, timed from outside, and what their records say of rounds and scenarios.

Never a test: figures depend on the machine. `netproof bench` prints a table and writes the same as JSON.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Literal

from rich.console import Console
from rich.table import Table

from harness import benchrounds
from harness.benchrounds import RoundFigure
from harness.recipes import Wanted
from harness.report.record import Record, ScenarioResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table. Seconds, but for `memory_mib` (the largest process of the run)."""

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


def figures(cnis: Sequence[str], scenario_set: str, again: int) -> Iterator[Figure]:
    """Each CNI cold (kept), then `again` times on the kept cluster; clusters are removed at the end."""
    with tempfile.TemporaryDirectory(prefix="netproof-bench-") as folder:
        for cni in cnis:
            options = ["--cni", cni, "--scenario-set", scenario_set]
            cold, record = _run([*options, "--keep-cluster", "always"], Path(folder) / f"{cni}-cold")
            yield _figure(f"{cni}, cold", cold, record)
            environment = record.targets[0].environment
            name = environment.cluster if environment else ""
            for number in range(again):
                reuse = ["--reuse-cluster", name] if name else []
                wall, record = _run([*options, *reuse], Path(folder) / f"{cni}-{number}")
                yield _figure(f"{cni}, again {number + 1}", wall, record)
            if name:
                subprocess.run([sys.executable, "-m", "harness.cli", "clusters", "delete", name], check=True)


def _run(options: Sequence[str], where: Path) -> tuple[float, Record]:
    began = time.monotonic()
    command = [sys.executable, "-m", "harness.cli", "run", "--report-dir", str(where), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall = time.monotonic() - began
    if not (where / "record.json").exists():
        raise SystemExit(f"{' '.join(command)} wrote no record:\n{done.stdout}{done.stderr}")
    return wall, Record.model_validate(json.loads((where / "record.json").read_text()))


def _figure(what: str, wall: float, record: Record) -> Figure:
    (target,) = record.targets
    steps = [step for scenario in target.scenarios for step in scenario.steps]
    quiet = [step.round_s for scenario in target.scenarios if _all_connect(record, scenario) for step in scenario.steps]
    up = [phase.duration_s for phase in target.phases if "cluster" in phase.name or "probe pods" in phase.name]
    return Figure(
        what=what,
        wall_s=round(wall, 2),
        up_s=round(sum(up), 2),
        round_connected_s=min(quiet) if quiet else None,
        timeout_s=max((step.timeout_s for step in steps), default=None),
        scenario_s=round(median(s.duration_s for s in target.scenarios), 2) if target.scenarios else None,
        cells=len(target.cells),
        memory_mib=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    )


def _all_connect(record: Record, scenario: ScenarioResult) -> bool:
    return all(c.measured == "connected" for t in record.targets for c in t.cells if c.scenario == scenario.id)


HEADS = {
    Figure: ("run", "wall s", "up s", "round s", "time-out s", "scenario s", "cells", "memory MiB"),
    RoundFigure: ("cni", "pods", "probes", "deploy s", "connected s", "denied s", "time-out s", "case s", "memory MiB"),
}
LEGENDS = {
    Figure: "up: cluster, CNI and probe pods. round: the whole matrix once when everything connects; what is denied "
    "takes one time-out more. scenario: reset, apply, settle, verdict (median).",
    RoundFigure: "connected, denied: one round of every pod to every pod, medians. case: apply a policy, settle, "
    "delete it, see that all connects again.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What to time. `sizes` are numbers of pods."""

    what: Literal["all", "runs", "rounds"]
    scenario_set: str
    again: int
    sizes: Sequence[int]
    reuse_cluster: str
    file: Path | None


def show(found: Sequence[Figure | RoundFigure], console: Console) -> None:
    """A table for each kind of figure."""
    for kind, heads in HEADS.items():
        mine = [figure for figure in found if isinstance(figure, kind)]
        if not mine:
            continue
        table = Table(*heads, box=None)
        for column in table.columns:
            column.no_wrap = True
        for figure in mine:
            table.add_row(*("–" if value is None else str(value) for value in asdict(figure).values()))
        console.print(table)
        console.print(LEGENDS[kind], style="dim")


def main(cnis: Sequence[Wanted], asked: Asked) -> None:
    console = Console(width=max(100, Console().width))
    found: list[Figure | RoundFigure] = []
    if asked.what != "rounds":
        for figure in figures([wanted.name for wanted in cnis], asked.scenario_set, asked.again):
            found.append(figure)
            console.print(f"{figure.what}: {figure.wall_s} s", style="dim")
    if asked.what != "runs":
        for one in benchrounds.figures(
            cnis, asked.sizes, asked.reuse_cluster, os.environ.get("NETPROOF_ARTIFACTS", "")
        ):
            found.append(one)
            console.print(
                f"{one.what}, {one.pods} pods: {one.connected_s} s a round, {one.case_s} s a case", style="dim"
            )
    show(found, console)
    if asked.file is not None:
        asked.file.write_text(json.dumps([asdict(figure) for figure in found], indent=1) + "\n", encoding="utf-8")
