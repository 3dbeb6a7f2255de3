"""Where the package's data folders are: beside it in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from netproof.errors import InputError

PACKAGE = Path(__file__).resolve().parent.parent


@cache
def data_dir(name: str) -> Path:
    """`clusters` or `scenarios`: beside the package in a checkout, inside it in an installed wheel."""
    for root in (PACKAGE.parent.parent, PACKAGE / "data"):
        if (root / name).is_dir():
            return root / name
    raise InputError(f"the folder {name}/ is neither beside the package nor inside it; is the installation whole?")


def display_path(path: Path) -> str:
    """A path as records name it: our own files by their place in the project, the user's as they were given."""
    root = PACKAGE.parent.parent
    return str(path.resolve().relative_to(root)) if path.resolve().is_relative_to(root) else str(path)
