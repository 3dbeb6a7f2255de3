"""`netproof run`: what `pytest` runs, without pytest."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.text import Text

from netproof.commands.console import new_console, show
from netproof.report import terminal
from netproof.report.store import ScenarioPart
from netproof.report.writer import ensure_writable
from netproof.run import options
from netproof.run.conductor import INTERRUPTED, NOTHING_MEASURED, Conductor, exit_code, load, render_dry_run, run_all
from netproof.run.configuration import find_defaults
from netproof.run.flags import OPTIONS


def add(parser: argparse.ArgumentParser) -> None:
    for option in OPTIONS:
        parser.add_argument(option.flag, **option.arguments(option.dest))
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Measures, prints what differs, and writes the reports. Raises NetproofError."""
    given = {option.dest: getattr(arguments, option.dest) for option in OPTIONS}
    asked = options.check(options.resolve(given, find_defaults(Path.cwd())), ["netproof", *sys.argv[1:]])
    scenarios = [scenario for found in load(asked).values() for scenario in found]
    if not scenarios:
        print("netproof: no scenario is selected, so nothing is measured", file=sys.stderr)
        return NOTHING_MEASURED
    if asked.dry_run:
        print("\n\n".join(render_dry_run(scenario) for scenario in scenarios))
        return 0
    ensure_writable(asked.run.report_dir)
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
    show(console, terminal.reviewed_lines(record))
    show(console, terminal.summary(record, report=page))
    if conductor.interrupted:
        return INTERRUPTED
    return exit_code(record) or (conductor.failed.exit_code if conductor.failed else 0)
