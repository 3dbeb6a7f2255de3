"""A report directory: the record and what is drawn from it, each file whole or absent; `latest` beside it where
netproof itself chose the place."""

from __future__ import annotations

import errno
import os
import re
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from netproof.errors import InputError, NetproofError
from netproof.report.conformance import render_badge, render_conformance
from netproof.report.html import render_html
from netproof.report.junit import render_junit
from netproof.report.markdown import render_markdown
from netproof.report.record import Record
from netproof.report.traits import add_traits

DRAWN: dict[str, Callable[[Record], str]] = {
    "report.html": render_html,
    "junit.xml": render_junit,
    "summary.md": render_markdown,
    "conformance.yaml": render_conformance,
    "badge.json": render_badge,
}
"""File name -> what draws it. Adding a form of report is a module and a line here."""


PARENT = "reports"
"""Below the working directory: where reports are written when no --report-dir is given."""
_DEFAULT_NAME = re.compile(r"\d{8}-\d{6}-.+")
_IGNORE = "# Reports of runs, made by netproof.\n*\n"


def default_directory(cnis: str) -> Path:
    """Where a run writes that was given no --report-dir: `reports/<time>-<cni>`."""
    return Path(PARENT) / f"{time.strftime('%Y%m%d-%H%M%S')}-{cnis}"


def is_default(directory: Path) -> bool:
    """Whether `default_directory` made this path: only there `latest` and a `.gitignore` belong to netproof."""
    directory = directory.absolute()
    return directory.parent.name == PARENT and bool(_DEFAULT_NAME.fullmatch(directory.name))


def ensure_writable(directory: Path) -> None:
    """Raises InputError when a report could not be written to the directory, which need not exist. What is made to find
    out is removed again: nothing stays of a run that does not begin."""
    made: list[Path] = []
    try:
        for folder in reversed([directory, *directory.parents]):
            if not folder.is_dir():
                folder.mkdir()
                made.append(folder)
        handle, name = tempfile.mkstemp(prefix=".netproof-", dir=directory)
        os.close(handle)
        Path(name).unlink()
        for name in ("record.json", *DRAWN):
            if (directory / name).is_dir():
                raise IsADirectoryError(errno.EISDIR, f"{name} is a directory")
    except OSError as error:
        raise _sentence(error, directory) from None
    finally:
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()


def write_report(record: Record, directory: Path) -> Path:
    """Write `record.json` (with its traits) first, then all that is drawn from it; returns the path of report.html.

    `evidence/` and other files of the directory stay as they are. Raises InputError when the directory cannot be
    written to, and NetproofError when the disk is full.
    """
    record = add_traits(record)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _write(directory / "record.json", record.model_dump_json() + "\n")
        for name, render in DRAWN.items():
            _write(directory / name, render(record))
    except OSError as error:
        raise _sentence(error, directory) from error
    if is_default(directory):
        _point_latest(directory)
        _ignore(directory.parent)
    return directory / "report.html"


def write_file(path: Path, text: str) -> None:
    """One file, whole or absent. Raises InputError when it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, text)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror or error}", file=path) from error


def _write(path: Path, text: str) -> None:
    """Through a temporary file in the same directory, so that a reader (or a killed run) never meets half a file."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


def _point_latest(directory: Path) -> None:
    """`latest` is a convenience: where symlinks are impossible, or a real file has that name, it is left alone. A
    record that is drawn again is no newer for it: names begin with the time of the run."""
    directory = directory.absolute()
    link = directory.parent / "latest"
    if (link.exists() and not link.is_symlink()) or (link.exists() and link.readlink().name > directory.name):
        return
    temporary = directory.parent / f".latest-{os.getpid()}"
    with suppress(OSError, NotImplementedError):
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(directory.name, target_is_directory=True)
        temporary.replace(link)


def _ignore(folder: Path) -> None:
    """Reports are no part of the repository in which a run happens to be started."""
    with suppress(OSError), (folder / ".gitignore").open("x", encoding="utf-8") as file:
        file.write(_IGNORE)


def _sentence(error: OSError, directory: Path) -> NetproofError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        whole = (directory / "record.json").exists()
        kept = "record.json is whole" if whole else f"what was measured until then is in {directory / 'parts'}"
        again = directory / "record.json" if whole else directory
        return NetproofError(
            f"no space left to write the report to {directory}; {kept}. Free some space, then draw it again with "
            f"`netproof report {again}`"
        )
    reason = error.strerror or str(error)
    return InputError(f"the report cannot be written here: {reason}; choose another --report-dir", file=directory)
