#!/usr/bin/env python3
"""Raises a CNI's version: in its recipe, where it stands, and wherever else that version is repeated.

    make bump CNI=calico VERSION=3.29.0

Results, evidence and reviewed differences stay: they say what was measured, and on which version.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
REPEATED = (".github/workflows/*.yml", "docs/ci/*.yml", "docs/cnis.md")
"""Where versions of recipes are repeated: as `NAME@VERSION` in workflows, and in the page's table."""
NAME = r"[a-z0-9-]+(?:\+[a-z0-9-]+)?"
VERSION = r"v?\d+(?:\.\d+)*(?:-[0-9A-Za-z.]+)?"
PINNED = re.compile(rf"(?<![\w+-])(?P<name>{NAME})@(?P<version>{VERSION})(?=[\s,\"'`]|$)")
ROW = re.compile(rf"^\| `(?P<name>{NAME})` \|[^|]*\| (?P<version>{VERSION}) \|")
OWN = re.compile(rf"^version: (?P<version>\"?{VERSION}\"?)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A version that stands in a file, and where: characters `start` to `end`."""

    file: Path
    line: int
    start: int
    end: int
    name: str
    version: str


def recipe_path(root: Path, name: str) -> Path:
    cni, _, variant = name.partition("+")
    return root / "clusters" / cni / (f"variants/{variant}/recipe.yaml" if variant else "recipe.yaml")


def read_versions(root: Path) -> dict[str, str]:
    """CNI or variant -> the version of its recipe, as upstream writes it; a variant without one has its CNI's."""
    found = {}
    for path in sorted((root / "clusters").glob("*/recipe.yaml")):
        for recipe in (path, *sorted(path.parent.glob("variants/*/recipe.yaml"))):
            name = path.parent.name + (f"+{recipe.parent.name}" if recipe != path else "")
            own = OWN.search(recipe.read_text(encoding="utf-8"))
            found[name] = own["version"].strip('"') if own else found[path.parent.name]
    return found


def find_mentions(root: Path, names: Mapping[str, str]) -> Iterator[Mention]:
    """Every place that repeats the version of one of these CNIs."""
    for path in sorted(path for pattern in REPEATED for path in root.glob(pattern)):
        text = path.read_text(encoding="utf-8")
        start = 0
        for number, line in enumerate(text.splitlines(keepends=True), 1):
            for match in ROW.finditer(line) if path.suffix == ".md" else PINNED.finditer(line):
                if match["name"] in names:
                    begin, end = (start + at for at in match.span("version"))
                    yield Mention(
                        file=path, line=number, start=begin, end=end, name=match["name"], version=match["version"]
                    )
            start += len(line)


def bump(root: Path, name: str, version: str) -> list[str]:
    """Write the version into the recipe and every mention of it: what was changed, a line each. Raises ValueError."""
    before = read_versions(root)
    if name not in before:
        raise ValueError(f"no recipe is called {name!r}; known: {', '.join(before)}")
    if not re.fullmatch(VERSION, version):
        raise ValueError(f"{version!r} is no version; write 3.29.0")
    recipe = recipe_path(root, name)
    text = recipe.read_text(encoding="utf-8")
    own = OWN.search(text)
    if own is None:
        raise ValueError(f"{name} has the version of {name.partition('+')[0]}: raise that one")
    full = ("v" if before[name].startswith("v") else "") + version.removeprefix("v")
    recipe.write_text(text[: own.start("version")] + full + text[own.end("version") :], encoding="utf-8")
    changed = [f"{recipe.relative_to(root)}: {before[name]} -> {full}"]
    now = read_versions(root)
    moved = {one: now[one] for one in now if now[one] != before[one]}
    by_file: dict[Path, list[Mention]] = {}
    for mention in find_mentions(root, moved):
        by_file.setdefault(mention.file, []).append(mention)
    for path, mentions in by_file.items():
        text = path.read_text(encoding="utf-8")
        for mention in sorted(mentions, key=lambda one: one.start, reverse=True):
            new = moved[mention.name]
            new = new if mention.version.startswith("v") else new.removeprefix("v")
            text = text[: mention.start] + new + text[mention.end :]
            changed.append(f"{path.relative_to(root)}:{mention.line}: {mention.version} -> {new}")
        path.write_text(text, encoding="utf-8")
    return changed


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="a CNI of clusters/, or cni+variant")
    parser.add_argument("version", help="with or without v: it is written as the recipe writes it")
    arguments = parser.parse_args(words)
    try:
        changed = bump(ROOT, arguments.name, arguments.version)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 12
    print("\n".join(changed))
    folder = f"clusters/{arguments.name.partition('+')[0]}"
    print(f"\nNow measure it, and review what changed: pytest --cni {arguments.name} --scenario-set all")
    print(f"{folder}/known-differences.yaml may name versions; docs/results/ has what was measured on the one before.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
