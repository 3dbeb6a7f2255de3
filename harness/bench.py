"""Benchmarks: whole runs as a user starts them, timed from outside, and what their records say of rounds and scenarios.

Never a test: figures depend on the machine. `netproof bench` prints a table and writes the same as JSON.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

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


def show(found: Sequence[Figure], console: Console) -> None:
    table = Table("run", "wall s", "up s", "round s", "time-out s", "scenario s", "cells", "memory MiB", box=None)
    for figure in found:
        table.add_row(*("–" if value is None else str(value) for value in asdict(figure).values()))
    console.print(table)
    console.print(
        "up: cluster, CNI and probe pods. round: the whole matrix once when everything connects; when something"
    )
    console.print("is denied it takes one time-out more. scenario: reset, apply, settle, verdict (median).")


def main(cnis: Sequence[str], scenario_set: str, again: int, file: Path | None) -> None:
    console = Console(soft_wrap=True)
    found = []
    for figure in figures(cnis, scenario_set, again):
        found.append(figure)
        console.print(f"{figure.what}: {figure.wall_s} s", style="dim")
    show(found, console)
    if file is not None:
        file.write_text(json.dumps([asdict(figure) for figure in found], indent=1) + "\n", encoding="utf-8")
