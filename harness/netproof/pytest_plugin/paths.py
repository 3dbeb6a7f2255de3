"""Words of pytest's command line that mean scenarios, and how node ids name their files. Imports next to nothing: a run
of somebody else's tests asks it, too."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from netproof.errors import InputError
from netproof.manifests.data_dirs import data_dir

CATALOGUE = "scenarios"
"""How node ids name the folder of the catalogue, wherever it is installed."""


@cache
def catalogue() -> Path | None:
    """The folder of the catalogue; None when the installation lacks it."""
    try:
        return data_dir(CATALOGUE).resolve()
    except InputError:
        return None


def absolute(config: pytest.Config, word: str) -> Path:
    """The path that a word (a path or a node id) names, from the working directory; it need not exist."""
    return Path(os.path.abspath(config.invocation_params.dir / word.partition("::")[0]))  # noqa: PTH100


def in_catalogue(config: pytest.Config, word: str) -> Path | None:
    """The file or folder of the catalogue that a word names: by its path, or, where no such path exists, as node ids
    name it (`scenarios/ports/numbers.yaml`), from the working directory or from pytest's root."""
    home = catalogue()
    if home is None:
        return None
    path = absolute(config, word)
    try:
        exists = path.exists()
    except OSError:
        return None
    if exists:
        real = path.resolve()
        return real if real.is_relative_to(home) else None
    for start in (config.rootpath, config.invocation_params.dir):
        if path.is_relative_to(start) and path.relative_to(start).parts[:1] == (CATALOGUE,):
            inside = home.parent / path.relative_to(start)
            if inside.exists():
                return inside
    return None


def names_catalogue(config: pytest.Config, word: str) -> bool:
    """Whether a word means a file or folder of the catalogue, or would if it were spelt right."""
    home = catalogue()
    if home is None:
        return False
    return in_catalogue(config, word) is not None or absolute(config, word).is_relative_to(home)
