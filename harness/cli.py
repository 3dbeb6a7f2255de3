"""`netproof`: the same runs without pytest, and what runs leave behind. A user's mistake ends in a sentence."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness import __version__, charts, options, recipes
from harness import scenarios as catalogue
from harness.commands import check, compare, coverage, explain, report
from harness.commands.console import new_console, show
from harness.conduct import INTERRUPTED, Conductor, dry_run_text, exit_code, load, run_all, specified
from harness.errors import InputError, NetproofError
from harness.report import terminal
from harness.report.store import ScenarioPart


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code of one command (design, decision 14)."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    try:
        code: int = asked.handler(asked)
    except NetproofError as error:
        print(f"netproof: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("netproof: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="netproof", description="NetworkPolicy conformance against real CNIs: intended, specified and measured."
    )
    parser.add_argument("--version", action="version", version=f"netproof {__version__}")
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    run = verbs.add_parser("run", help="measure scenarios, or your own service map, on one or several CNIs")
    for option in options.OPTIONS:
        run.add_argument(option.flag, **option.arguments())
    run.set_defaults(handler=_run)

    matrix = verbs.add_parser("matrix", help="print the intended and specified matrices; no cluster is touched")
    what = matrix.add_mutually_exclusive_group(required=True)
    what.add_argument("--chart", metavar="NAME", help="a bundled chart: " + ", ".join(sorted(charts.CHARTS)))
    what.add_argument("--service-map", metavar="FILE", help="your own service map")
    matrix.add_argument("--values", metavar="FILE", help="values of the chart or map")
    matrix.add_argument("--policies", metavar="FILE|DIR|-", help="your own manifests instead of generated policies")
    matrix.add_argument("--side", choices=("both", "ingress", "egress"), default="both", help="only one direction")
    matrix.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    matrix.set_defaults(handler=_matrix)

    for command in (check, report, compare, explain, coverage):
        command.add(verbs)

    clusters = verbs.add_parser("clusters", help="clusters that runs made").add_subparsers(
        required=True, metavar="VERB"
    )
    listing = clusters.add_parser("list", help="those that still exist")
    listing.set_defaults(handler=_clusters_list)
    reap = clusters.add_parser("reap", help="remove what killed runs left behind")
    reap.add_argument("--all", action="store_true", help="remove kept clusters too")
    reap.set_defaults(handler=_clusters_reap)

    delete = clusters.add_parser("delete", help="remove kept clusters by name")
    delete.add_argument("names", metavar="NAME", nargs="+")
    delete.set_defaults(handler=_clusters_delete)
    kubeconfig = clusters.add_parser("kubeconfig", help="print the path of a cluster's kubeconfig")
    kubeconfig.add_argument("name", metavar="NAME")
    kubeconfig.set_defaults(handler=_clusters_kubeconfig)

    bench = verbs.add_parser("bench", help="time whole runs, cold and again; prints a table")
    bench.add_argument("--cni", metavar="NAME,…", default="reference", help="default: reference")
    bench.add_argument("--scenario-set", metavar="SET", default="berserk", help="default: berserk")
    bench.add_argument("--again", metavar="N", type=int, default=3, help="runs on the kept cluster (default: 3)")
    bench.add_argument("--json", metavar="FILE", type=Path, help="write the figures as JSON, too")
    bench.set_defaults(handler=_bench)

    cnis = verbs.add_parser("cnis", help="the CNIs that have a recipe")
    cnis.set_defaults(handler=_cnis)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    asked = options.check(lambda name: getattr(arguments, name), ["netproof", *sys.argv[1:]])
    scenarios = [scenario for found in load(asked).values() for scenario in found]
    if asked.dry_run:
        print("\n\n".join(dry_run_text(scenario) for scenario in scenarios))
        return 0
    console = new_console()
    conductor = Conductor(asked, lambda line: console.print(Text(line)), sys.stderr if sys.stderr.isatty() else None)

    def done(part: ScenarioPart) -> None:
        word = {"passed": "OK", "failed": "DIFFERS", "error": "UNMEASURED"}.get(
            part.scenario.result, part.scenario.result
        )
        console.print(Text(f"{word:10} {part.scenario.id}[{part.cni}]  {part.scenario.duration_s:.1f} s"))

    run_all(conductor, scenarios, done)
    record, page = conductor.finish(0)
    for target in record.targets:
        show(console, terminal.blocks(target))
    show(console, terminal.declared(record))
    show(console, terminal.summary(record, report=page))
    return INTERRUPTED if conductor.interrupted else exit_code(record)


def _matrix(arguments: argparse.Namespace) -> int:
    values = Path(arguments.values) if arguments.values else None
    if arguments.chart:
        if arguments.policies:
            raise InputError("goes with --service-map FILE, which says what is meant", key="--policies")
        plan = charts.chart_plan(arguments.chart, values)
    else:
        plan = charts.map_plan(Path(arguments.service_map), values, arguments.policies)
    scenario = catalogue.of_plan(plan, claim="intended and specified", side=arguments.side)
    if arguments.format == "text":
        print(dry_run_text(scenario))
        return 0
    cells: list[dict[str, Any]] = []
    for step, intended, meant in specified(scenario):
        for probe in intended:
            key = {
                name: getattr(probe, name) for name in ("source", "destination", "via", "protocol", "port", "family")
            }
            cells.append({"step": step, **key, "intended": intended[probe], "specified": meant[probe]})
    print(json.dumps({"name": plan.name, "warnings": list(plan.warnings), "cells": cells}, indent=1))
    return 0


def _clusters_list(arguments: argparse.Namespace) -> int:
    from harness.drivers.kind import state

    found = state.list_clusters()
    if not found:
        print("no clusters")
        return 0
    table = Table("name", "cni", "version", "created", "state", box=None, pad_edge=False)
    for cluster in found:
        table.add_row(cluster.name, cluster.cni, cluster.version, cluster.created, cluster.state)
    _print(table)
    return 0


def _print(table: Table) -> None:
    """A table whose first column can be copied: names are never cut, and a pipe gets whole lines."""
    table.columns[0].no_wrap = True
    Console(soft_wrap=True, width=None if sys.stdout.isatty() else 1000).print(table)


def _clusters_reap(arguments: argparse.Namespace) -> int:
    from harness.drivers.kind import state

    removed = state.reap(all=arguments.all)
    print("\n".join(f"removed {name}" for name in removed) or "nothing to remove")
    return 0


def _clusters_delete(arguments: argparse.Namespace) -> int:
    from harness.drivers.kind import state

    for name in arguments.names:
        state.delete(state.find(name))
        print(f"removed {name}")
    return 0


def _clusters_kubeconfig(arguments: argparse.Namespace) -> int:
    from harness.drivers.kind import state

    print(state.find(arguments.name).kubeconfig)
    return 0


def _bench(arguments: argparse.Namespace) -> int:
    from harness import bench

    cnis = [wanted.name for wanted in recipes.parse_cni(arguments.cni)]
    bench.main(cnis, arguments.scenario_set, arguments.again, arguments.json)
    return 0


def _cnis(arguments: argparse.Namespace) -> int:
    table = Table("name", "version", "driver", "what", box=None, pad_edge=False)
    for name in recipes.names():
        recipe = recipes.load(recipes.Wanted(name=name))
        table.add_row(recipe.name, recipe.version, recipe.driver, recipe.title)
    _print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
