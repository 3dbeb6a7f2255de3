"""`netproof engines`: one intent under several engines, from records or on paper, and an exit code for what differs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netproof.catalogue.scenarios import Scenario
    from netproof.report.engines import Engines

DIFFERENT = 13


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Shows the variants of a chart's scenarios side by side: what is meant, what the policies of each engine say, "
        "and what was measured. Without a record nothing is measured and no cluster is touched."
    )
    parser.add_argument(
        "records", metavar="RECORD", nargs="*", type=Path, help="record.json, or a directory of records"
    )
    parser.add_argument(
        "--chart", metavar="NAME", default="", help="a bundled chart under each of its engines, with --values"
    )
    parser.add_argument(
        "--values",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="values of the chart, with the lists of all engines; may be repeated, later files win",
    )
    parser.add_argument(
        "--scenario-set", metavar="SET", default="", help="the catalogue's scenarios to compare (default: all variants)"
    )
    parser.add_argument("--html", metavar="FILE", type=Path, help="write it as one HTML file")
    parser.add_argument("--markdown", metavar="FILE|-", help="write it as Markdown; - prints it instead of the table")
    parser.add_argument(
        "--fail-on",
        choices=("undeclared", "any", "none"),
        help="exit with 13 on disagreements that no reviewed entry declares; on any; or never (default: undeclared, "
        "with --chart none)",
    )
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 13 when there is what `--fail-on` asks about. Raises InputError."""
    from netproof.commands.console import new_console, show, takes_unicode
    from netproof.report.engines_html import render_engines
    from netproof.report.engines_text import engines_lines, engines_markdown
    from netproof.report.writer import write_file

    engines = _engines(arguments)
    if arguments.markdown == "-":
        print(engines_markdown(engines))
    else:
        show(new_console(), engines_lines(engines, unicode=takes_unicode()))
    for file, render in ((arguments.html, render_engines), (arguments.markdown, engines_markdown)):
        if file and file != "-":
            write_file(Path(file), render(engines))
            print(f"written: {file}", file=sys.stderr)
    failures = engines.failures(arguments.fail_on or ("none" if arguments.chart else "undeclared"))
    if failures:
        print(f"netproof: {'; '.join(failures)}", file=sys.stderr)
        return DIFFERENT
    return 0


def _engines(arguments: argparse.Namespace) -> Engines:
    from netproof.charts.stageset.values import ENGINES
    from netproof.commands.records import read_records
    from netproof.errors import InputError
    from netproof.report.engines import compare_engines

    _fitting(arguments)
    if arguments.records:
        found = compare_engines([(source.label, source.record) for source in read_records(arguments.records)], ENGINES)
        if not found.groups:
            raise InputError(
                "these records have no scenario under two engines; `netproof run --scenario-set stageset` measures some"
            )
        return found
    from netproof.verdicts import on_paper

    if arguments.chart:
        return compare_engines([("", on_paper.record_scenarios(_of_chart(arguments.chart, arguments.values)))], ENGINES)

    from netproof.catalogue.selection import select_scenarios

    chosen = select_scenarios(arguments.scenario_set or "stageset")
    scenarios = [scenario for several in chosen.values() for scenario in several if scenario.engine]
    found = compare_engines([("", on_paper.record_scenarios(scenarios))], ENGINES)
    if not found.groups:
        raise InputError("no scenario of these is there under two engines", key="--scenario-set")
    return found


def _fitting(arguments: argparse.Namespace) -> None:
    from netproof.errors import InputError

    if arguments.values and not arguments.chart:
        raise InputError("goes with --chart NAME", key="--values")
    given = [name for name in ("chart", "scenario_set") if getattr(arguments, name)]
    if given and (arguments.records or len(given) > 1):
        raise InputError(
            "give one of records, --chart and --scenario-set; records say by themselves what was measured",
            key=f"--{given[0].replace('_', '-')}",
        )


def _of_chart(name: str, values: list[Path]) -> list[Scenario]:
    from netproof import charts
    from netproof.catalogue.plans import scenario_of_plan

    return [
        scenario_of_plan(
            plan,
            id=f"{plan.name}-{engine}",
            claim=f"Chart {plan.name} with the engine {engine}",
            engine=engine,
            variant_of=plan.name,
        )
        for engine, plan in charts.engine_plans(name, values).items()
    ]
