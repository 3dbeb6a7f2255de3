"""Figures as tables, one for each kind, with ratios to its first line. A new figure is a field, and a line here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from netproof.proving.bench.figures import EvaluatorFigure, Figure, PageFigure, RoundFigure, RunFigure


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """`columns`: field -> its head. Each field of `compared` has a column after it with the ratio to the first line."""

    columns: dict[str, str]
    compared: frozenset[str]
    legend: str


LAYOUTS: dict[type[Figure], Layout] = {
    RunFigure: Layout(
        columns={
            "what": "run",
            "wall_s": "wall s",
            "up_s": "up s",
            "round_connected_s": "round s",
            "timeout_s": "time-out s",
            "scenario_s": "scenario s",
            "cells": "cells",
            "memory_mib": "memory MiB",
        },
        compared=frozenset(("wall_s",)),
        legend="up: cluster, CNI and probe pods. round: the whole matrix once when everything connects; what is denied "
        "takes one time-out more. scenario: reset, apply, settle, verdict (median). memory: of the largest process.",
    ),
    RoundFigure: Layout(
        columns={
            "what": "cni",
            "pods": "pods",
            "probes": "probes",
            "deploy_s": "deploy s",
            "connected_s": "connected s",
            "denied_s": "denied s",
            "timeout_s": "time-out s",
            "case_s": "case s",
            "memory_mib": "memory MiB",
        },
        compared=frozenset(("connected_s", "case_s")),
        legend="connected, denied: one round of every pod to every pod, medians. case: apply a policy, settle, delete "
        "it, see that all connects again. memory: the most so far. Of cyclonus they are the wall time of its process.",
    ),
    EvaluatorFigure: Layout(
        columns={
            "pods": "pods",
            "policies": "policies",
            "ports": "ports",
            "cells": "cells",
            "classes": "classes",
            "seconds": "seconds",
            "memory_mib": "memory MiB",
        },
        compared=frozenset(("cells", "seconds")),
        legend="From parsed manifests to the count of every cell. classes: pods that the policies cannot tell apart.",
    ),
    PageFigure: Layout(
        columns={
            "cells": "cells",
            "write_s": "write s",
            "size_kib": "KiB",
            "load_s": "load s",
            "memory_mib": "memory MiB",
        },
        compared=frozenset(("cells", "write_s", "size_kib")),
        legend="load: until a headless browser has drawn the page, less what an empty page takes (–: no browser).",
    ),
}


def show(found: Sequence[Figure], console: Console) -> None:
    """A table for each kind of figure."""
    for kind, layout in LAYOUTS.items():
        mine = [figure for figure in found if isinstance(figure, kind)]
        if not mine:
            continue
        table = Table(box=None)
        for name, head in layout.columns.items():
            table.add_column(head, no_wrap=True, justify="left" if name == "what" else "right")
            if name in layout.compared:
                table.add_column("ratio", no_wrap=True, justify="right", style="dim")
        for figure in mine:
            table.add_row(*row(figure, mine[0]))
        console.print(table)
        console.print(layout.legend, style="dim")
        for command in dict.fromkeys(one for figure in mine for one in getattr(figure, "commands", ())):
            console.print(f"$ {command}", style="dim", soft_wrap=True, highlight=False)


def row(figure: Figure, first: Figure) -> list[str]:
    """The figure's cells as words; `first` is the line that ratios are to."""
    layout = LAYOUTS[type(figure)]
    words = []
    for name in layout.columns:
        value = getattr(figure, name)
        words.append("–" if value is None else f"{value:,}" if isinstance(value, int) else str(value))
        if name in layout.compared:
            words.append(ratio(value, getattr(first, name)))
    return words


def ratio(value: float | None, to: float | None) -> str:
    """`×0.51`, `×3.2`, `×24`; a dash where one of the two is missing or zero."""
    if not value or not to:
        return "–"
    times = value / to
    return f"×{times:,.{0 if times >= 10 else 1 if times >= 2 else 2}f}"
