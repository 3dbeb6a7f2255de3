"""How commands print: the terminal lines of reports, with colour where a terminal takes it, and tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from netproof.report.terminal import Line

STYLES = {"good": "green", "bad": "red", "warn": "yellow", "bold": "bold", "dim": "dim", "": ""}


def new_console() -> Console:
    return Console(highlight=False, soft_wrap=True)


def show(console: Console, lines: Sequence[Line]) -> None:
    for text, style in lines:
        console.print(Text(text, style=STYLES[style]))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table whose first column can be copied: names are never cut, and a pipe gets whole lines."""
    from rich.table import Table

    table = Table(*head, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(word) for word in row))
    table.columns[0].no_wrap = True
    Console(soft_wrap=True, width=None if sys.stdout.isatty() else 1000).print(table)


def takes_unicode() -> bool:
    """Whether the terminal (or the file behind stdout) can take more than ASCII."""
    return (sys.stdout.encoding or "ascii").lower().replace("-", "") in ("utf8", "utf16", "utf32")
