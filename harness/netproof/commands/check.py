"""`netproof check`: what can be said of policies without any cluster, with an exit code for CI."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from netproof import __version__
from netproof.commands import inputs
from netproof.commands.console import new_console, show
from netproof.lint import Checked, LintInput, Severity, check, render
from netproof.lint.acceptance import accept_findings, read_baseline, read_ignored, render_baseline
from netproof.wording import link_docs

if TYPE_CHECKING:
    from netproof.report.terminal import Line

FOUND = 1


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Compares what policies mean with what a map or chart says is meant, and looks for what is hardly "
        "ever meant: selectors that match nothing, ports that nobody has, pods without DNS, and more. Every rule is "
        f"described in {link_docs('docs/checking.md')}"
    )
    inputs.add(parser)
    parser.add_argument("--format", choices=("text", "json", "sarif", "junit"), help="how to print it (default: text)")
    parser.add_argument("--output", metavar="FILE", type=Path, help="write it there; a summary is printed")
    parser.add_argument(
        "--fail-on",
        choices=("warning", "error", "never"),
        help="the least severity that ends with exit code 1 (default: error)",
    )
    parser.add_argument(
        "--ignore",
        metavar="RULE[=OBJECT]",
        action="append",
        default=[],
        help="accept what this rule finds, perhaps in these objects only ('NetworkPolicy shop/*'); may be repeated. "
        "In a file: a comment `# netproof: ignore RULE: reason` beside it or above",
    )
    parser.add_argument("--baseline", metavar="FILE", type=Path, help="accept what this file holds")
    parser.add_argument(
        "--write-baseline", metavar="FILE", type=Path, help="write what is found there, to be accepted by --baseline"
    )
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 when something at least as severe as --fail-on is found. Raises InputError."""
    inputs.apply_defaults(arguments)
    form, fail_on = arguments.format or "text", arguments.fail_on or "error"
    lint_input = inputs.read(arguments)
    baseline = read_baseline(arguments.baseline) if arguments.baseline else frozenset()
    checked = accept_findings(check(lint_input), read_ignored(arguments.ignore), baseline)
    if arguments.write_baseline:
        from netproof.report.writer import write_file

        write_file(arguments.write_baseline, render_baseline(checked))
        print(f"written: {arguments.write_baseline}", file=sys.stderr)
        return 0
    least = None if fail_on == "never" else Severity(fail_on)
    lines = list(render.text(checked, lint_input))
    if arguments.output:
        made = "\n".join(lines) + "\n" if form == "text" else _made(form, checked, lint_input, least)
        from netproof.report.writer import write_file

        write_file(arguments.output, made)
        print(lines[-1])
        print(f"written: {arguments.output}", file=sys.stderr)
    elif form == "text":
        show(new_console(), [_styled(line) for line in lines])
    else:
        print(_made(form, checked, lint_input, least), end="")
    return FOUND if least is not None and checked.failing(least) else 0


def _made(form: str, checked: Checked, lint_input: LintInput, least: Severity | None) -> str:
    match form:
        case "json":
            return render.as_json(checked, lint_input)
        case "sarif":
            from netproof.lint.sarif import as_sarif

            return as_sarif(checked.findings, __version__, Path.cwd())
        case _:
            return render.as_junit(checked, least)


def _styled(line: str) -> Line:
    if line.startswith("    "):
        return line, "dim"
    return line, "bad" if ": error: " in line else "warn" if ": warning: " in line else ""
