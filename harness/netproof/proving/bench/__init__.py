"""Benchmarks: whole runs, rounds and cases, the evaluator, the HTML page; and Cyclonus beside them, where it is found.

Never a test: figures depend on the machine. `netproof bench` prints tables, writes the same as JSON, and draws curves.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from netproof import __version__
from netproof.clusters.recipes import CniVersion
from netproof.errors import NetproofError
from netproof.proving.bench import cyclonus, evaluator, page, plot, rounds, runs, table
from netproof.proving.bench.figures import (
    Bench,
    EvaluatorFigure,
    Figure,
    Machine,
    PageFigure,
    RoundFigure,
    RunFigure,
    load,
)
from netproof.report.writer import write_file
from netproof.wording import count

What = Literal["all", "runs", "rounds", "evaluator", "page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """What to time. `sizes` and `evaluator_sizes` are numbers of pods, `page_sizes` of cells; with `one_port` rounds
    ask one port of each pod. `files` are figures of earlier; with them nothing is timed."""

    what: What
    scenario_set: str
    again: int
    sizes: Sequence[int]
    one_port: bool
    evaluator_sizes: Sequence[int]
    page_sizes: Sequence[int]
    reuse_cluster: str
    image_registry: str
    json: Path | None
    plot: Path | None
    files: Sequence[Path]


def main(cnis: Sequence[CniVersion], asked: BenchOptions) -> None:
    """Time, or read, what is asked; print the tables; write the files. Raises NetproofError."""
    console = Console(width=max(150, Console().width))
    found: list[Figure] = load(asked.files)
    if not asked.files:
        for figure in _time(cnis, asked, console):
            found.append(figure)
            console.print(_describe(figure), style="dim")
            if asked.json is not None:
                # After each figure: whoever interrupts a long benchmark keeps what there is.
                _write(asked.json, found)
    elif asked.json is not None:
        _write(asked.json, found)
    table.show(found, console)
    if asked.plot is not None:
        write_file(asked.plot, plot.render(found))


def _time(cnis: Sequence[CniVersion], asked: BenchOptions, console: Console) -> Iterator[Figure]:
    if asked.what in ("all", "runs"):
        yield from runs.figures([wanted.name for wanted in cnis], asked.scenario_set, asked.again)
    if asked.what in ("all", "rounds"):
        listening = rounds.ONE if asked.one_port else rounds.PEERS
        artifacts = os.environ.get("NETPROOF_ARTIFACTS", "")
        yield from rounds.figures(cnis, asked.sizes, listening, asked.reuse_cluster, artifacts)
        yield from _peer(cnis, asked, console)
    if asked.what in ("all", "evaluator"):
        yield from evaluator.figures(asked.evaluator_sizes)
    if asked.what in ("all", "page"):
        yield from page.figures(asked.page_sizes)


def _peer(cnis: Sequence[CniVersion], asked: BenchOptions, console: Console) -> Iterator[RoundFigure]:
    """Cyclonus on the kept cluster, or a line that says why not. That it fails is no reason to lose our own figures."""
    if not cyclonus.found():
        console.print(cyclonus.NOT_FOUND)
        return
    if not asked.reuse_cluster:
        console.print(cyclonus.NO_CLUSTER)
        return
    from netproof.drivers import clusters

    cluster = cyclonus.Cluster(
        cni=cnis[0].name,
        kubeconfig=clusters.find_kubeconfig(asked.reuse_cluster, key="--reuse-cluster"),
        registry=asked.image_registry,
    )
    try:
        yield from cyclonus.figures(cluster)
    except NetproofError as error:
        console.print(f"cyclonus is not timed: {error}", highlight=False, markup=False)


def _describe(figure: Figure) -> str:
    match figure:
        case RunFigure():
            return f"{figure.what}: {figure.wall_s} s"
        case RoundFigure():
            return (
                f"{figure.what}, {count(figure.pods, 'pod')}: {figure.connected_s} s a round, {figure.case_s} s a case"
            )
        case EvaluatorFigure():
            return f"evaluator, {count(figure.pods, 'pod')}, {count(figure.policies, 'policy')}: {figure.seconds} s"
        case PageFigure():
            opened = "" if figure.load_s is None else f", opened in {figure.load_s} s"
            return f"page, {count(figure.cells, 'cell')}: written in {figure.write_s} s{opened}"


def _write(file: Path, found: Sequence[Figure]) -> None:
    machine = Machine(system=f"{platform.system()} {platform.release()}", processors=os.cpu_count() or 0)
    bench = Bench(netproof=__version__, machine=machine, figures=list(found))
    write_file(file, bench.model_dump_json(indent=1) + "\n")
