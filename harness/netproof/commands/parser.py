"""The commands' command line: no abbreviations, and a mistake is an InputError that names the nearest right word."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from netproof.errors import InputError, suggest

CHOICE = re.compile(r"invalid choice: (?P<word>'.*?'|\S+) \(choose from (?P<known>.*)\)", re.DOTALL)
"""How argparse says it, with quotes or without them."""


class Parser(argparse.ArgumentParser):
    """Ends with an InputError (12) where argparse ends with 2, which is pytest's code of an interrupted run."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.flags: list[str] = []
        super().__init__(*arguments, **{"allow_abbrev": False, **options})

    def add_argument(self, *flags: Any, **options: Any) -> argparse.Action:
        self.flags += [flag for flag in flags if flag.startswith("--")]
        return super().add_argument(*flags, **options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        parsed, unknown = super().parse_known_args(args, namespace)
        if options := [word for word in unknown if word.startswith("-") and word != "-"]:
            flag = options[0].partition("=")[0]
            raise InputError(f"{self.prog} has no such option; {suggest(flag, [*self.flags, '--help'])}", key=flag)
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        key, what = "", message
        if message.startswith("argument "):
            key, _, what = message.removeprefix("argument ").partition(": ")
        if found := CHOICE.fullmatch(what):
            known = [word.strip().strip("'\"") for word in found["known"].split(",")]
            word = found["word"].strip("'")
            what = f"{word!r} is none of the choices; {suggest(word, known)}"
        what = re.sub(r"^the following arguments are required: ", "these are missing: ", what)
        raise InputError(f"{what} (see {self.prog} --help)", key=key or None)


def refuse_empty_values(words: Sequence[str]) -> None:
    """A shell's unset variable gives an empty word, which must not mean a default. Raises InputError."""
    for before, word in zip(["", *words], words, strict=False):
        flag, equals, value = word.partition("=")
        if word == "--":
            return
        is_option = word.startswith("--")
        if (not word.strip()) or (is_option and equals and not value.strip()):
            key = flag if is_option else before if before.startswith("--") else None
            raise InputError(
                "its value is empty; leave the option out, or look at the variable that the value comes from"
                if key
                else "one of the words is empty; look at the variable that it comes from",
                key=key,
            )
