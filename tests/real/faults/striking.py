"""Faults as data (faults.yaml), how they strike and are lifted, and the table of what came of them."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from netproof.drivers.kubernetes.polling import NotYet, poll
from netproof.report.record import Cell, ScenarioResult
from netproof.report.store import ScenarioPart

HERE = Path(__file__).parent
TABLE = HERE.parent.parent.parent / "reports" / "faults"
"""Where the table of a run goes; the rows of faults that were not run this time stay."""
STRIKE_TIMEOUT = 120.0
WHOLE_TIMEOUT = 240.0
PART_TIMEOUT = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One entry of faults.yaml, which says what the fields mean."""

    name: str
    what: str
    strike: str
    seen: str
    exits: tuple[int, ...]
    late: str
    lift: str = ""
    lift_when: Literal["end", "next"] = "end"
    touches: str = ""
    disk: str = ""


def faults() -> list[Fault]:
    found: list[dict[str, Any]] = yaml.safe_load((HERE / "faults.yaml").read_text(encoding="utf-8"))
    return [Fault(**one | {"exits": tuple(one["exits"])}) for one in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Runs the commands of a fault against one cluster."""

    cluster: str
    report: Path
    folder: Path

    def run(self, command: str, *, timeout: float = STRIKE_TIMEOUT) -> subprocess.CompletedProcess[str]:
        names = {"CLUSTER": self.cluster, "REPORT": str(self.report), "FOLDER": str(self.folder)}
        values = "".join(f"{name}='{value}'\n" for name, value in names.items())
        script = values + (HERE / "commands.sh").read_text(encoding="utf-8") + command
        return subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=timeout, check=False)

    def do(self, command: str) -> None:
        done = self.run(command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    def wait_until_seen(self, command: str, before: str) -> None:
        def step() -> None:
            now = self.run(command).stdout.strip()
            if now in ("", before):
                raise NotYet(f"it still says {now!r}")

        poll(step, timeout=STRIKE_TIMEOUT, what=f"seeing that it struck ({command})")

    def wait_until_whole(self) -> None:
        def step() -> None:
            done = self.run("whole")
            if done.returncode:
                raise NotYet(done.stdout + done.stderr)

        poll(step, timeout=WHOLE_TIMEOUT, every=1.0, what="the cluster's way back")


def parts(report: Path) -> list[ScenarioPart]:
    """The results of scenarios that are on disk, all of them valid."""
    found = [
        ScenarioPart.model_validate(json.loads(path.read_text(encoding="utf-8")))
        for path in sorted((report / "parts").glob("scenario-*.json"))
    ]
    return sorted(found, key=lambda part: part.order)


def wait_for_parts(report: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Until so many results are on disk, or the run has ended."""

    def step() -> None:
        if process.poll() is None and len(list((report / "parts").glob("scenario-*.json"))) < count:
            raise NotYet("not yet")

    poll(step, timeout=PART_TIMEOUT, every=0.05, what=f"scenario {count}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of one fault. Times in seconds: from the run's start, from a change to the matrix that held."""

    fault: str
    what: str
    struck: str
    scenarios: int
    cells: int
    wrong: int
    unmeasured: int
    settled: float | None
    exit: str
    after: str
    """How the next run went, or what was left."""

    @classmethod
    def of(cls, name: str, what: str, cells: Sequence[Cell], scenarios: Sequence[ScenarioResult], **rest: Any) -> Row:
        settled = [s.settled_after_s for one in scenarios for s in one.steps if s.settled_after_s is not None]
        return cls(
            fault=name,
            what=what,
            scenarios=len(scenarios),
            cells=len(cells),
            unmeasured=sum(cell.verdict.value == "unmeasured" for cell in cells),
            settled=max(settled, default=None),
            **rest,
        )


def tell(row: Row) -> None:
    """Put a row into the table: JSON and Markdown."""
    TABLE.mkdir(parents=True, exist_ok=True)
    data, page = TABLE / "faults.json", TABLE / "faults.md"
    rows = {one["fault"]: one for one in json.loads(data.read_text(encoding="utf-8"))} if data.exists() else {}
    rows[row.fault] = asdict(row)
    data.write_text(json.dumps(list(rows.values()), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    heads = ("fault", "what is done", "struck at", "scenarios", "cells", "wrong verdicts", "unmeasured")
    heads += ("slowest settle, s", "exit code", "afterwards")
    lines = [heads, ("---",) * len(heads)]
    lines += [tuple("–" if value is None else str(value) for value in one.values()) for one in rows.values()]
    page.write_text("".join(f"| {' | '.join(line)} |\n" for line in lines), encoding="utf-8")


def since(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s"
