"""`netproof map`: a service map's first draft."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from netproof.commands import inputs
from netproof.errors import InputError


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Derives services, labels and ports from workloads and Services, and arrows from policies where there are any. "
        "Every derived line says from what: a person must review the draft before it is an intent. No cluster is "
        "touched."
    )
    inputs.add_manifests(parser)
    parser.add_argument("--chart", metavar="PATH", help="a helm chart, rendered by your helm")
    inputs.add_values(parser, "values of the chart")
    inputs.add_release(parser)
    parser.add_argument("--name", metavar="NAME", default="", help="the map's name (default: the release or namespace)")
    parser.add_argument("--output", metavar="FILE", type=Path, help="write it there; a file that exists is kept")
    parser.set_defaults(handler=run, service_map=None, policies=[])


def run(arguments: argparse.Namespace) -> int:
    """Prints the draft or writes it. Raises InputError."""
    inputs.fitting(arguments)
    if not inputs.given(arguments):
        raise InputError("one of --manifests and --chart says what to derive it from; none is given")
    chart = inputs.helm_chart(arguments)
    if arguments.chart and not chart:
        raise InputError(f"{arguments.chart} is a bundled chart, which has a map already", key="--chart")
    if arguments.output and arguments.output.exists():
        raise InputError("is there already, and may have been reviewed: choose another --output", file=arguments.output)
    from netproof.charts.draft import draft_map

    objects, namespace = inputs.objects_of(arguments)
    name = arguments.name or (chart.release if chart else namespace)
    text, warnings = draft_map(objects, name=name, namespace=namespace, source=_source(arguments))
    if arguments.output:
        from netproof.report.writer import write_file

        write_file(arguments.output, text)
        print(f"written: {arguments.output}. It is a draft: review every line that says it is derived", file=sys.stderr)
    else:
        print(text, end="")
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def _source(arguments: argparse.Namespace) -> str:
    if arguments.chart:
        given = [*map(str, arguments.values), *arguments.set]
        return f"the chart {arguments.chart}" + (f" with {', '.join(given)}" if given else "")
    return ", ".join("standard input" if source == "-" else source for source in arguments.manifests)
