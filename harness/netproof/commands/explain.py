"""`netproof explain`: one cell of a record, with the rules, the attempts and the CNI's own view of it; or one path
on paper, with the rule that it lacks."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from netproof.commands import inputs
from netproof.commands.console import new_console, show, takes_unicode
from netproof.errors import InputError
from netproof.lint.path_explanation import explain_path
from netproof.lint.paths import read_probe
from netproof.report import explain
from netproof.report.record import Record, load
from netproof.wording import count

MOST = 20


def add(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        "netproof explain RECORD CELL [--scenario ID] [--step NAME] [--cni NAME]\n"
        "       netproof explain FROM TO PORT (--chart NAME|PATH | --service-map FILE | --manifests FILE|DIR|-) […]"
    )
    parser.description = (
        "RECORD CELL explains a measured cell: what was intended, specified and measured, the deciding "
        "rules, every attempt with its time, and what the CNI itself said. FROM TO PORT needs no cluster: whether "
        "the policies let the path connect, what isolates each end, and the smallest rule that is missing."
    )
    parser.add_argument(
        "words",
        metavar="RECORD CELL | FROM TO PORT",
        nargs="+",
        help="record.json, or the report directory that has it, and a cell as reports show it, * allowed: "
        "'berserk/ui->berserk/meta:9500/TCP via service'. Or the two ends (ui, shop/ui, svc:shop/api, external:s3, an "
        "address) and a port (443, 53/UDP, http)",
    )
    parser.add_argument("--scenario", metavar="ID", default="*", help="only in this scenario, * allowed (default: all)")
    parser.add_argument("--step", metavar="NAME", default="*", help="only in this step (default: all)")
    inputs.add(parser, cni="a record's cell only on this CNI (default: all)")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Explains the cell of a record when the first word is one, else the path. Raises InputError."""
    words = arguments.words
    if not inputs.given(arguments) and (len(words) == 2 or _is_record(Path(words[0]))):
        if len(words) != 2:
            raise InputError(
                f"{words[0]} is a record, and takes one CELL (got {count(len(words) - 1, 'word')})", key="CELL"
            )
        arguments.record, arguments.cell = Path(words[0]), words[1]
        return _cell(arguments)
    if len(words) != 3:
        raise InputError(f"a path is FROM TO PORT, three words (got {len(words)})", key="PORT")
    if not inputs.given(arguments):
        raise InputError("a path needs one of --chart, --service-map and --manifests", key="FROM TO PORT")
    # What CNIs are known for is for `check`: a path is decided by the API's text.
    arguments.cni = []
    lint_input, probe = read_probe(inputs.read(arguments), *words)
    print("\n".join(explain_path(lint_input, probe)))
    return 0


def _is_record(path: Path) -> bool:
    return path.is_file() or (path / "record.json").is_file()


def _cell(arguments: argparse.Namespace) -> int:
    """Explains the one cell that matches on each CNI; lists them when there are several. Raises InputError."""
    file = arguments.record / "record.json" if arguments.record.is_dir() else arguments.record
    record = load(file)
    wanted = explain.parse(arguments.cell)
    cni = ",".join(arguments.cni) or "*"
    found = explain.find(record, wanted, scenario=arguments.scenario, step=arguments.step, cni=cni)
    if not found:
        raise InputError(_nothing(record, arguments), file=file)
    if len(found) > 1:
        print(_list(found, arguments.record))
        return 0
    console = new_console()
    for n, (target, cell) in enumerate(found[0].on):
        evidence = _evidence(file.resolve().parent / "evidence" / target.cni / cell.scenario)
        if n:
            console.print()
        show(console, explain.explain_cell(target, cell, evidence, unicode=takes_unicode()))
    return 0


def _list(found: list[explain.MatchedCell], record: Path) -> str:
    lines = [f"{count(len(found), 'cell', 'match')}; explain one of them:"]
    for one in found[:MOST]:
        scenario, step, _ = one.key
        words = ["netproof", "explain", str(record), explain.short(one.cell), "--scenario", scenario]
        several = any(other.key != one.key and other.key[::2] == one.key[::2] for other in found)
        lines.append(f"  {shlex.join([*words, *(['--step', step] if several else [])])}")
    if len(found) > MOST:
        lines.append(f"  +{len(found) - MOST} more; narrow it with --scenario, --step, a port or via")
    return "\n".join(lines)


def _nothing(record: Record, arguments: argparse.Namespace) -> str:
    if not any(target.cells for target in record.targets):
        return "this record has no cells: nothing was measured"
    near = explain.nearest(record, arguments.cell, arguments.scenario)
    if not near:
        scenarios = dict.fromkeys(scenario.id for target in record.targets for scenario in target.scenarios)
        return f"no cell matches {arguments.cell!r} there; its scenarios are {', '.join(scenarios)}"
    return "\n  ".join([f"no cell matches {arguments.cell!r}; the nearest are", *near])


def _evidence(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        return {}
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "policies.yaml")
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8", errors="replace") for path in files}
