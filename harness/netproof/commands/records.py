"""Records from the command line: files, or directories with the records of a whole night below them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from netproof.errors import InputError
from netproof.report.comparison import NamedRecord
from netproof.report.record import load
from netproof.report.store import Store


def read_records(paths: Sequence[Path], key: str = "") -> list[NamedRecord]:
    """The records of these files and directories, each once; of the report directory of a run that was killed, what it
    had measured. Raises InputError when one is no record, or a directory has none; `key` is the option that named
    them."""
    files: dict[Path, Path] = {}
    unfinished: list[NamedRecord] = []
    for path in paths:
        found = [path]
        if path.is_dir():
            own = path / "record.json"
            if not own.exists() and (left := Store(path).recover()):
                unfinished.append(NamedRecord(label=str(own), record=left))
                continue
            found = [own] if own.exists() else sorted(path.glob("**/record.json"))
            if not found:
                raise InputError("there is no record.json in this directory", file=path, key=key or None)
        for file in found:
            files.setdefault(file.resolve(), file)
    return [NamedRecord(label=str(shown), record=load(shown)) for shown in files.values()] + unfinished
