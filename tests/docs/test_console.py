"""What pages show of a terminal is what the program prints: `console` blocks are run; `…` stands for any text."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from netproof.commands.main import main

ROOT = Path(__file__).parents[2]


def blocks() -> Iterator[tuple[str, str, str]]:
    """Page, command and what it prints."""
    for page in sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]):
        for block in re.findall(r"^```console\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            command, _, printed = block.removeprefix("$ ").partition("\n")
            yield page.name, command, printed


@pytest.mark.parametrize(("page", "command", "printed"), list(blocks()), ids=lambda value: value.partition("\n")[0])
def test_what_is_shown_is_printed(
    page: str, command: str, printed: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    program, *words = shlex.split(command)
    assert program == "netproof"
    assert main(words) in (0, 1)
    shown = ".*".join(re.escape(part) for part in printed.split("…"))
    assert re.fullmatch(shown, capsys.readouterr().out, re.DOTALL), page
