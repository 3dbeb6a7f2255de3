"""The house keeps its size: a module or class that grows past this does more than one thing. Who may import whom is a
contract of its own, in pyproject.toml."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "harness" / "netproof"
MODULE = 400
CLASS = 250
"""Lines at most."""


def modules() -> Iterator[tuple[str, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield str(path.relative_to(PACKAGE)), path.read_text(encoding="utf-8")


def test_no_module_is_longer_than_it_may_be() -> None:
    long = {name: lines for name, text in modules() if (lines := len(text.splitlines())) > MODULE}
    assert not long


def test_no_class_is_longer_than_it_may_be() -> None:
    long = {
        f"{name}: {node.name}": lines
        for name, text in modules()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef) and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > CLASS
    }
    assert not long
