"""`netproof report`: draw the reports of a record again, or of several records as one."""

from __future__ import annotations

import argparse
from pathlib import Path

from netproof.commands.records import read_records
from netproof.errors import InputError
from netproof.report.record import merge
from netproof.report.writer import write_report


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Draws every report from record.json alone. Several records, or directories with records below "
        "them, become one report with all their CNIs."
    )
    parser.add_argument(
        "records", metavar="RECORD", nargs="+", type=Path, help="record.json, or a directory of records"
    )
    parser.add_argument("--report-dir", metavar="DIR", type=Path, help="default: beside the record, if it is one")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the path of the page. Raises InputError."""
    found = read_records(arguments.records)
    if len(found) > 1 and arguments.report_dir is None:
        raise InputError("several records become one report: say where to write it", key="--report-dir")
    directory = arguments.report_dir or Path(found[0].label).resolve().parent
    print(write_report(merge([source.record for source in found]), directory))
    return 0
