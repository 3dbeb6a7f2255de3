"""`netproof compare`: several records side by side, and an exit code for what is new."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from netproof.commands.console import new_console, show, takes_unicode
from netproof.commands.records import read_records
from netproof.errors import InputError
from netproof.report.compare import compare
from netproof.report.compare_html import render_compare
from netproof.report.compare_text import compare_lines, compare_markdown
from netproof.report.writer import write_file

NEW_DIFFERENCES = 13


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Shows where CNIs differ, what is new since an earlier record, and what is gone. Takes record.json "
        "files, or directories with such files below them."
    )
    parser.add_argument(
        "records", metavar="RECORD", nargs="+", type=Path, help="record.json, or a directory of records"
    )
    parser.add_argument(
        "--baseline",
        metavar="RECORD",
        nargs="+",
        action="extend",
        type=Path,
        default=[],
        help="records of an earlier night; new and gone are said against them (default: the same CNI's record before)",
    )
    parser.add_argument(
        "--expect", metavar="CNI[@VERSION],…", default="", help="CNIs that must be there; others are shown as missing"
    )
    parser.add_argument("--html", metavar="FILE", type=Path, help="write the comparison as one HTML file")
    parser.add_argument("--markdown", metavar="FILE|-", help="write it as Markdown; - prints it instead of the table")
    parser.add_argument(
        "--fail-on",
        choices=("new", "any", "none"),
        help="exit with 13 on new differences that no reviewed entry declares; on any difference or missing CNI; or "
        "never (default: new with --baseline, else none)",
    )
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 13 when there is what `--fail-on` asks about. Raises InputError."""
    comparison = compare(
        read_records(arguments.records),
        baseline=read_records(arguments.baseline, "--baseline"),
        expect=[cni.strip() for cni in arguments.expect.split(",") if cni.strip()],
    )
    if not comparison.sides:
        raise InputError("these records have no CNI in them: nothing can be compared")
    console = new_console()
    if arguments.markdown == "-":
        print(compare_markdown(comparison))
    else:
        show(console, compare_lines(comparison, unicode=takes_unicode()))
    for file, render in ((arguments.html, render_compare), (arguments.markdown, compare_markdown)):
        if file and file != "-":
            write_file(Path(file), render(comparison))
            print(f"written: {file}", file=sys.stderr)
    failures = comparison.failures(arguments.fail_on or ("new" if arguments.baseline else "none"))
    if failures:
        print(f"netproof: {'; '.join(failures)}", file=sys.stderr)
        return NEW_DIFFERENCES
    return 0
