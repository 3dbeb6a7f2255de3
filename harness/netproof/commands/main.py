"""`netproof`: the same runs without pytest, and what runs leave behind. A user's mistake ends in a sentence."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

from netproof import __version__
from netproof.commands.parser import Parser, refuse_empty_values
from netproof.errors import InputError, NetproofError, suggest
from netproof.report.output import protect_streams, write_failure

INTERRUPTED = 2
GENERAL = ("--help", "--version")

COMMANDS: Mapping[str, str] = {
    "run": "measure scenarios, a chart, or your own service map, on one or several CNIs",
    "matrix": "print the intended and specified matrices; no cluster is touched",
    "check": "check policies without a cluster: against what is meant, and for mistakes",
    "map": "draft a service map from manifests or a helm chart, for a person to review",
    "report": "draw the reports of a record again, or of several as one",
    "compare": "records side by side: CNIs, versions, nights",
    "engines": "one chart under each of its engines: where they agree, and why where they do not",
    "explain": "why one cell of a record is as it is, or what the policies mean for one path",
    "schema": "the JSON Schema of a file that people write: service map, scenario, recipe, …",
    "coverage": "what of the NetworkPolicy API no scenario uses; no cluster is touched",
    "mutate": "plant faults in the reference dataplane and the evaluator, and see that the catalogue catches them",
    "refused": "try generated objects that the API server must refuse, on the reader and a kept cluster",
    "clusters": "clusters that runs made",
    "bench": "time runs, rounds, the evaluator and the page; tables with ratios, JSON, curves",
    "cnis": "the CNIs that have a recipe",
    "doctor": "what this machine can run, what is missing, and the command that would fix it",
}
"""Command -> its help. Each is a module of netproof/commands, imported only when it is asked for: most need little of
the rest, and a check in an editor or a commit hook is to be there at once."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code of one command (docs/architecture.md, decision 14)."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    protect_streams()
    code = _run(words)
    if (failure := write_failure(sys.stdout)) is not None:
        print(f"netproof: standard output: {failure.strerror}", file=sys.stderr)
        return code or NetproofError.exit_code
    return code


def _run(words: Sequence[str]) -> int:
    try:
        asked = _parse(words)
        if asked is None:
            return 0
        code: int = asked.handler(asked)
    except NetproofError as error:
        print(f"netproof: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("netproof: interrupted", file=sys.stderr)
        return INTERRUPTED
    return code


def _parse(words: Sequence[str]) -> argparse.Namespace | None:
    """The words of the command line; None when they ask for help, which is printed. Raises InputError."""
    refuse_empty_values(words)
    command, *rest = words or ("help",)
    if command == "help":
        if not rest:
            _parser("").print_help()
            return None
        command, words = rest[0], [*rest, "--help"]
    if command.startswith("-") and command not in ("-h", *GENERAL):
        raise InputError(f"netproof has no such option; {suggest(command, GENERAL)}", key=command)
    if not command.startswith("-") and command not in COMMANDS:
        raise InputError(f"no command is called {command!r}; {suggest(command, COMMANDS)}")
    try:
        return _parser(command).parse_args(words)
    except SystemExit:  # --help and --version have printed theirs
        return None


def _parser(command: str) -> Parser:
    """All commands by name, this one with its options."""
    parser = Parser(
        prog="netproof",
        description="NetworkPolicy conformance against real CNIs: intended, specified and measured.",
        epilog="`netproof help COMMAND` shows a command's options.",
    )
    parser.add_argument("--version", action="version", version=f"netproof {__version__}")
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        verb = verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name == command:
            import_module(f"netproof.commands.{name}").add(verb)
    return parser


if __name__ == "__main__":
    sys.exit(main())
