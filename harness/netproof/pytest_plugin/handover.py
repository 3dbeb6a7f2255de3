"""How xdist's workers come to the cluster that the controller made. Workers are told everything at their start, and a
second CNI's cluster is made long after it: its handle comes in a file, whose lock the controller holds until then. A
worker waits for the lock, and so also ends when the controller is gone."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from netproof.errors import NetproofError

ERROR = "error"
ENDED = "the run ended before its turn"


class Handover:
    """The controller's side."""

    def __init__(self, cnis: Iterable[str]) -> None:
        self._folder = TemporaryDirectory(prefix="netproof-")
        self._locked: dict[str, IO[str]] = {}
        for cni in cnis:
            self._locked[cni] = (self.folder / cni).open("w", encoding="utf-8")
            fcntl.flock(self._locked[cni], fcntl.LOCK_EX)

    @property
    def folder(self) -> Path:
        return Path(self._folder.name)

    def give(self, cni: str, handle: Mapping[str, str]) -> None:
        """Let the workers go on with a CNI's cluster."""
        with self._locked.pop(cni) as file:
            json.dump(handle, file)
            file.flush()
            # Said, since a child that was forked meanwhile would hold on to it.
            fcntl.flock(file, fcntl.LOCK_UN)

    def refuse(self, cni: str, why: str) -> None:
        """Let the workers go on without a cluster."""
        self.give(cni, {ERROR: why})

    def abandon(self) -> None:
        """The run ends: no worker waits for what was not given."""
        for cni in list(self._locked):
            self.refuse(cni, ENDED)

    def close(self) -> None:
        self.abandon()
        self._folder.cleanup()


def receive(folder: Path, cni: str) -> Mapping[str, str]:
    """The handle of a CNI's cluster, in a worker: waits for its turn. Raises NetproofError when there is no cluster."""
    try:
        with (folder / cni).open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            text = file.read()
    except FileNotFoundError:
        text = ""
    # Without a word: the controller was killed.
    handle: dict[str, str] = json.loads(text or json.dumps({ERROR: ENDED}))
    if error := handle.get(ERROR):
        raise NetproofError(error)
    return handle
