"""`netproof doctor`: a table of what is here and what is not."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from harness.doctor import Finding, State, examine
from harness.doctor.machine import RUNS
from harness.errors import ClusterError

STYLES = {State.OK: "green", State.WARN: "yellow", State.MISSING: "red"}


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Looks, and touches nothing. OK: it is there. WARN: it works without, or with less. MISSING: something cannot "
        f"run. Exit code 0 when the reference driver can run, {ClusterError.exit_code} when it cannot."
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.add_argument(
        "--online", action="store_true", help="ask upstream for the files that are not here (a HEAD request each)"
    )
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the table. Exit code 11 when not even the reference driver can run."""
    found = list(examine(online=arguments.online))
    able = any(finding.what == RUNS and finding.state is State.OK for finding in found)
    if arguments.format == "json":
        print(json.dumps({"reference": able, "findings": [asdict(finding) for finding in found]}, indent=1))
    else:
        show(found, able)
    return 0 if able else ClusterError.exit_code


def show(found: list[Finding], able: bool) -> None:
    from rich.text import Text

    from harness.commands.console import new_console

    console = new_console()
    width = max(len(finding.what) for finding in found)
    group = ""
    for finding in found:
        if finding.group != group:
            group = finding.group
            console.print(Text(group, style="bold"))
        line = Text(f"  {finding.state:8}", style=STYLES[finding.state]).append(
            f"{finding.what:{width}}  {finding.found}", style=""
        )
        console.print(line)
        if finding.fix:
            console.print(Text(f"  {'':8}{'':{width}}  fix: {finding.fix}", style="dim"))
    count = {state: sum(finding.state is state for finding in found) for state in State}
    told = "the reference driver can run here" if able else "not even the reference driver can run here"
    console.print(Text(f"{told}; {count[State.MISSING]} missing, {count[State.WARN]} warnings", style="bold"))
