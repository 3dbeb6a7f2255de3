"""`netproof schema`: the JSON Schema of a file that people write, for editors."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from netproof.schemas import FILES, schema


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("name", metavar="NAME", nargs="?", help=f"{', '.join(FILES)}; without it they are listed")
    parser.add_argument("--output", metavar="FILE", type=Path, help="write it there (default: print it)")
    parser.add_argument("--all", metavar="DIR", type=Path, help="write all of them there, as NAME.json")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Print or write. Exit code 0."""
    if arguments.all:
        arguments.all.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (arguments.all / f"{name}.json").write_text(text(name), encoding="utf-8")
    elif not arguments.name:
        width = max(map(len, FILES))
        for name, file in FILES.items():
            print(f"{name:{width}}  {file.title}")
    elif arguments.output:
        arguments.output.write_text(text(arguments.name), encoding="utf-8")
    else:
        print(text(arguments.name), end="")
    return 0


def text(name: str) -> str:
    """One schema as JSON. Raises InputError for an unknown name."""
    return json.dumps(schema(name), indent=1, ensure_ascii=False) + "\n"
