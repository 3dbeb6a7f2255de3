"""`netproof coverage`: what of the API no scenario uses."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from netproof.catalogue.selection import select_scenarios
from netproof.commands.console import new_console, show
from netproof.proving import coverage
from netproof.report.terminal import Line
from netproof.wording import count_of

UNDER = 1


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Counts, for every field of the API and every value of it that means something, the scenarios that "
        "use it; and for every pair of selector, direction, port, protocol and addressing, those whose probes meet it."
    )
    parser.add_argument(
        "--scenario-set", metavar="SET,…", default="all", help="folders, scenario ids with *, or all (default: all)"
    )
    parser.add_argument(
        "--fail-under", metavar="PERCENT", type=float, default=0.0, help="exit code 1 when less is covered (default: 0)"
    )
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints both tables. Exit code 1 when fields or pairs are covered less than --fail-under. Raises InputError."""
    found = coverage.measure(s for part in select_scenarios(arguments.scenario_set).values() for s in part)
    show(new_console(), [*_fields(found.fields), ("", ""), *_pairs(found.pairs)])
    return UNDER if found.percent < arguments.fail_under else 0


def _fields(counts: Mapping[tuple[str, str], int]) -> list[Line]:
    lines: list[Line] = [(f"FIELDS  {_covered(counts, 'value')} used; how many scenarios use each", "bold")]
    width = max(len(field) for field, _ in counts)
    for field, group in groupby(counts, key=lambda use: use[0]):
        told = ", ".join(f"{value} {counts[field, value] or 'NONE'}" for _, value in group)
        lines.append((f"{field:{width}}  {told}", "bad" if told.endswith("NONE") or "NONE," in told else ""))
    return lines


def _pairs(counts: Mapping[coverage.Pair, int]) -> list[Line]:
    lines: list[Line] = [(f"PAIRS  {_covered(counts, 'pair')} met by the probes of some scenario", "bold")]
    named = {pair: f"{pair[0][0]} × {pair[1][0]}" for pair in counts}
    width = max(map(len, named.values()))
    for name, group in groupby(counts, key=lambda pair: named[pair]):
        pairs = list(group)
        missing = [f"{pair[0][1]} × {pair[1][1]}" for pair in pairs if not counts[pair]]
        told = f"{name:{width}}  {len(pairs) - len(missing):3} of {len(pairs):3}"
        lines.append((told + (f"  NONE: {', '.join(missing)}" if missing else ""), "bad" if missing else ""))
    left = coverage.load_target().left_out
    if left:
        lines.append(("left out: " + "; ".join(f"{' × '.join(one.pair.values())}: {one.why}" for one in left), "dim"))
    return lines


def _covered(counts: Mapping[Any, int], noun: str) -> str:
    return count_of(sum(uses > 0 for uses in counts.values()), len(counts), noun)
