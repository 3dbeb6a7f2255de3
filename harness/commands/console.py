"""How verbs print: the terminal lines of reports, with colour where a terminal takes it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from harness.report.terminal import Line

STYLES = {"good": "green", "bad": "red", "warn": "yellow", "bold": "bold", "dim": "dim", "": ""}


def new_console() -> Console:
    return Console(highlight=False, soft_wrap=True)


def show(console: Console, lines: Sequence[Line]) -> None:
    for text, style in lines:
        console.print(Text(text, style=STYLES[style]))


def takes_unicode() -> bool:
    """Whether the terminal (or the file behind stdout) can take more than ASCII."""
    return (sys.stdout.encoding or "ascii").lower().replace("-", "") in ("utf8", "utf16", "utf32")
