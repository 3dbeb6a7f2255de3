"""Whole runs as a user starts them, timed from outside, and what their records say of rounds and scenarios."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from netproof.errors import NetproofError
from netproof.proving.bench.figures import RunFigure
from netproof.proving.bench.process import Done, timed
from netproof.report.record import Record, ScenarioResult


def figures(cnis: Sequence[str], scenario_set: str, again: int) -> Iterator[RunFigure]:
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
                done, record = _run([*options, *reuse], Path(folder) / f"{cni}-{number}")
                yield _figure(f"{cni}, again {number + 1}", done, record)
            if name:
                subprocess.run([sys.executable, "-m", "netproof.commands.main", "clusters", "delete", name], check=True)


def _run(options: Sequence[str], where: Path) -> tuple[Done, Record]:
    command = [sys.executable, "-m", "netproof.commands.main", "run", "--report-dir", str(where), *options]
    done = timed(command)
    if not (where / "record.json").exists():
        raise NetproofError(f"{' '.join(command)} wrote no record:\n{done.output}")
    return done, Record.model_validate(json.loads((where / "record.json").read_text()))


def _figure(what: str, done: Done, record: Record) -> RunFigure:
    (target,) = record.targets
    steps = [step for scenario in target.scenarios for step in scenario.steps]
    quiet = [step.round_s for scenario in target.scenarios if _all_connect(record, scenario) for step in scenario.steps]
    up = [phase.duration_s for phase in target.phases if "cluster" in phase.name or "probe pods" in phase.name]
    return RunFigure(
        what=what,
        wall_s=round(done.wall_s, 2),
        up_s=round(sum(up), 2),
        round_connected_s=min(quiet) if quiet else None,
        timeout_s=max((step.timeout_s for step in steps), default=None),
        scenario_s=round(median(s.duration_s for s in target.scenarios), 2) if target.scenarios else None,
        cells=len(target.cells),
        memory_mib=done.memory_mib,
    )


def _all_connect(record: Record, scenario: ScenarioResult) -> bool:
    return all(c.measured == "connected" for t in record.targets for c in t.cells if c.scenario == scenario.id)
