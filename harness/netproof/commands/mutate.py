"""`netproof mutate`: plants faults, and says which scenario catches each; what nobody catches is missing a scenario."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from netproof.commands.console import new_console, show
from netproof.errors import InputError
from netproof.proving.mutation.mutants import Result
from netproof.proving.mutation.score import Score, listed, run
from netproof.report.terminal import Line
from netproof.wording import count

SURVIVED = 1
KINDS = ("dataplane", "evaluator")


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Plants each fault, one at a time: in the reference dataplane, where packets must show it, and in "
        "the evaluator, where tables that people wrote must. Stops at the first scenario that notices."
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these faults, with * (default: all)")
    parser.add_argument("--only", choices=KINDS, help="only faults of one kind (default: both)")
    parser.add_argument("--jobs", metavar="N", type=int, default=os.cpu_count() or 1, help="default: one a processor")
    parser.add_argument(
        "--all", action="store_true", help="ask every scenario of every fault, and list those that notice none"
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the results as JSON, too")
    parser.add_argument("--list", action="store_true", help="show the faults, and plant none")
    parser.set_defaults(handler=_run)


def _run(arguments: argparse.Namespace) -> int:
    """Exit code 1 when a fault survived. Raises InputError, NetproofError."""
    console = new_console()
    if arguments.list:
        show(console, [(f"{kind:10} {name:36} {says}", "") for kind, name, says in listed()])
        return 0
    if arguments.jobs < 1:
        raise InputError("at least one", key="--jobs")
    kinds = (arguments.only,) if arguments.only else KINDS
    score = run(
        kinds,
        arguments.names,
        arguments.jobs,
        every=arguments.all,
        done=lambda result: console.print(Text(_row(result), style="" if result.caught or result.skipped else "red")),
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(_plain(score), indent=1) + "\n", encoding="utf-8")
    show(console, _summary(score, every=arguments.all))
    return SURVIVED if score.survivors else 0


def _row(result: Result) -> str:
    caught = result.caught[0] if result.caught else "NOT TRIED" if result.skipped else "SURVIVED"
    more = f" and {len(result.caught) - 1} more" if len(result.caught) > 1 else ""
    asked = f"{result.measured} measured of {result.looked}" if result.kind == "dataplane" else f"{result.looked}"
    return f"{result.kind:10} {result.id:36} {caught}{more}  ({asked} asked, {result.seconds:.1f} s)"


def _summary(score: Score, *, every: bool) -> list[Line]:
    lines: list[Line] = [("", "")]
    for kind in KINDS:
        mine = [result for result in score.tried if result.kind == kind]
        caught = sum(bool(result.caught) for result in mine)
        if mine:
            lines.append((f"{kind:10} {caught} of {len(mine)} caught", "bold"))
    lines.append((f"score      {score.percent:g} %", "good" if not score.survivors else "bad"))
    lines += [(f"survivor: {one.id} ({one.kind}): {one.says}", "bad") for one in score.survivors]
    lines += [(f"not tried: {one.id}: {one.skipped}", "warn") for one in score.results if one.skipped]
    if every:
        lines.append((f"{count(len(score.idle), 'scenario', 'notice')} none of these faults", "bold"))
        lines += [(f"  {name}", "dim") for name in score.idle]
    return lines


def _plain(score: Score) -> dict[str, object]:
    return {
        "percent": score.percent,
        "results": [asdict(result) for result in score.results],
        "survivors": [result.id for result in score.survivors],
        "idle": list(score.idle),
    }
