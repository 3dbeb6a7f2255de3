"""Which scenarios a `--scenario-set` takes: of the catalogue, and of the user's own files and folders."""

from __future__ import annotations

import shlex
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from netproof.catalogue import topologies
from netproof.catalogue.reading import read_scenarios
from netproof.catalogue.scenarios import Scenario
from netproof.errors import InputError, nearest
from netproof.manifests.data_dirs import data_dir


def list_files() -> list[Path]:
    """Every scenario file of the catalogue, sorted."""
    home = data_dir("scenarios")
    return sorted(path for path in home.rglob("*.yaml") if path.parent != topologies.topologies_dir())


def select_scenarios(wanted: str) -> dict[Path, list[Scenario]]:
    """The scenarios that a `--scenario-set` takes (comma-separated: `all`, folder names, scenario ids with `*`, the
    user's own files and folders), by file. Raises InputError when a word names nothing."""
    words = [word.strip() for word in wanted.split(",") if word.strip()]
    folders = {path.parent.name for path in list_files()}
    own = {word: [path.resolve() for path in _own_files(word)] for word in words if _is_path(word)}
    words = [word for word in words if word not in own]
    by_id = not set(words) <= {"all", *folders}
    found = {path: read_scenarios(path) for path in list_files() if by_id or {"all", path.parent.name} & set(words)}
    ids = [scenario.id for scenarios in found.values() for scenario in scenarios]
    for word in words:
        if word not in {"all", *folders} and not any(fnmatchcase(identifier, word) for identifier in ids):
            near = nearest(word, [*folders, *ids, "all"], cutoff=0.6)
            hint = f"did you mean {near}? " if near else ""
            raise InputError(
                f"no scenario or set is called {word!r}; {hint}sets: all, {', '.join(sorted(folders))}",
                key="--scenario-set",
            )

    def takes(path: Path, scenario: Scenario) -> bool:
        return any(word in ("all", path.parent.name) or fnmatchcase(scenario.id, word) for word in words)

    chosen = {path: [s for s in scenarios if takes(path, s)] for path, scenarios in found.items()}
    for word, paths in own.items():
        for path in paths:
            chosen[path] = [replace(s, select=f"--scenario-set={shlex.quote(word)}") for s in read_scenarios(path)]
    return chosen


def _is_path(word: str) -> bool:
    """Whether a word of a set is a file or folder of the user's, and not a name of the catalogue."""
    return word.endswith((".yaml", ".yml")) or "/" in word


def _own_files(word: str) -> list[Path]:
    path = Path(word)
    found = sorted(path.rglob("*.y*ml")) if path.is_dir() else [path]
    if not path.exists() or not found:
        raise InputError(
            f"there is no {'file or folder' if not path.exists() else 'YAML file in'} {word}", key="--scenario-set"
        )
    return found
