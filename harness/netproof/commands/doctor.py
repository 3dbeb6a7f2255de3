"""`netproof doctor`: a table of what this machine has, or of what a cluster's CNI and policies are like."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from netproof.doctor import Diagnosis, DiagnosisState, examine
from netproof.doctor.machine import RUNS
from netproof.errors import ClusterError, InputError, NotEnforced
from netproof.wording import count

WIDEST = 48
"""Columns that names may take before what was found."""

STYLES = {DiagnosisState.OK: "green", DiagnosisState.WARN: "yellow", DiagnosisState.MISSING: "red"}


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Without --context: what this machine can run. Looks, and touches nothing. OK: it is there. WARN: it works "
        "without, or with less. MISSING: something cannot run. Exit code 0 when the reference driver can run, "
        f"{ClusterError.exit_code} when it cannot. With --context: which CNI a cluster has and what it enforces, "
        "selectors that match nothing, policies that meet on a pod, and what was denied last; only reads. Exit code 0, "
        f"{ClusterError.exit_code} when the cluster does not answer, {NotEnforced.exit_code} when the canary shows "
        "that policies are not enforced."
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.add_argument(
        "--online", action="store_true", help="ask upstream for the files that are not here (a HEAD request each)"
    )
    parser.add_argument(
        "--context",
        metavar="NAME",
        nargs="?",
        const="",
        help="look at the cluster of this context of your kubeconfig (without NAME: the current one)",
    )
    parser.add_argument(
        "--kubeconfig", metavar="FILE", type=Path, help="default: $KUBECONFIG or ~/.kube/config; it is only read"
    )
    parser.add_argument(
        "--canary",
        action="store_true",
        help="with --context: measure whether policies are enforced, by four pods in a namespace that is made for it, "
        "and deleted",
    )
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the table. Raises InputError and ClusterError with --context."""
    if arguments.context is not None or arguments.kubeconfig:
        return _cluster(arguments)
    if arguments.canary:
        raise InputError("goes with --context or --kubeconfig", key="--canary")
    found = list(examine(online=arguments.online))
    able = any(finding.what == RUNS and finding.state is DiagnosisState.OK for finding in found)
    if arguments.format == "json":
        print(json.dumps({"reference": able, "findings": [asdict(finding) for finding in found]}, indent=1))
    else:
        told = "the reference driver can run here" if able else "not even the reference driver can run here"
        show(found, told)
    return 0 if able else ClusterError.exit_code


def _cluster(arguments: argparse.Namespace) -> int:
    from netproof.doctor import live
    from netproof.run.conductor import interrupt_on_termination
    from netproof.run.progress import Progress

    interrupt_on_termination()  # the canary's namespace must go, whoever ends this
    progress = Progress(lambda line: print(line, file=sys.stderr), sys.stderr if sys.stderr.isatty() else None)
    found: list[Diagnosis] = []
    try:
        with progress.phase("the cluster") as say:
            found.extend(live.examine(arguments.kubeconfig, arguments.context or "", measure=arguments.canary, say=say))
    finally:
        # What was found before an error, or Ctrl-C, is told as well.
        if arguments.format == "json":
            print(json.dumps({"findings": [asdict(finding) for finding in found]}, indent=1))
        elif found:
            show(found, "")
    return NotEnforced.exit_code if any(finding.state is DiagnosisState.MISSING for finding in found) else 0


def show(found: list[Diagnosis], told: str) -> None:
    from rich.text import Text

    from netproof.commands.console import new_console

    console = new_console()
    width = min(max(len(finding.what) for finding in found), WIDEST)
    group = ""
    for finding in found:
        if finding.group != group:
            group = finding.group
            console.print(Text(group, style="bold"))
        first, *rest = finding.found.splitlines() or [""]
        line = Text(f"  {finding.state:8}", style=STYLES[finding.state])
        line.append(f"{finding.what:{width}}  {first}", style="")
        console.print(line)
        for text in rest:
            console.print(Text(f"  {'':8}{'':{width}}  {text}"))
        if finding.fix:
            console.print(Text(f"  {'':8}{'':{width}}  fix: {finding.fix}", style="dim"))
    number = {state: sum(finding.state is state for finding in found) for state in DiagnosisState}
    summary = f"{number[DiagnosisState.MISSING]} missing, {count(number[DiagnosisState.WARN], 'warning')}"
    console.print(Text("; ".join(filter(None, (told, summary))), style="bold"))
