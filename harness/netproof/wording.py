"""How messages and pages write numbers and lists, and where the documentation stands. It imports nothing of the package
but its version, so that every room may use it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from netproof import __version__

DOCS = "https://netproof.github.io/netproof"
"""The site of the documentation; each version has a folder of its own there. pyproject.toml and mkdocs.yml name the
same address."""


def count(number: int, noun: str, verb: str = "") -> str:
    """`1 cell`, `2 cells`, `1,000 policies`; with `verb` as the plural has it: `1 cell differs`, `2 cells differ`."""
    plural = re.sub(r"(?<=[^aeiou])y$", "ie", noun) + "s"
    words = f"{number:,} {noun if number == 1 else plural}"
    return f"{words} {agree(number, verb)}" if verb else words


def count_of(part: int, total: int, noun: str, verb: str = "") -> str:
    """`1 of 228 cells`; with `verb` as the plural has it: `1 of 228 cells differs`."""
    return f"{part:,} of {count(total, noun)}{f' {agree(part, verb)}' if verb else ''}"


def agree(number: int, verb: str) -> str:
    """A verb in the form that goes with a number: `differ` becomes `differs` for one."""
    if number != 1:
        return verb
    return {"are": "is", "were": "was", "have": "has", "do": "does"}.get(verb, f"{verb}s")


def several(names: Iterable[str], most: int = 3) -> str:
    """`a, b and c`, or `a, b and 4 more`."""
    names = list(names)
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def link_docs(path: str, version: str = __version__) -> str:
    """The address of a page of a version's documentation; `path` is its file in the repository with an anchor, such as
    `docs/checking.md#map-warning`. Any other link stays as it is."""
    if not path.startswith("docs/"):
        return path
    file, hash_sign, anchor = path.removeprefix("docs/").partition("#")
    page = re.sub(r"(^|/)(index|README)\.md$", r"\1", file)
    page = re.sub(r"\.md$", "/", page)
    return f"{DOCS}/{version}/{page}{hash_sign}{anchor}"
