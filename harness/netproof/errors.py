"""Every error that a user can meet: what happened, what was probably wanted, what to change. One exit code a class.

pytest's own exit codes 0–6 stay pytest's; these start at 10 (docs/architecture.md, decision 14).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar


class NetproofError(Exception):
    """Base of all errors that end a run with a sentence instead of a traceback."""

    exit_code: ClassVar[int] = 3


class OwnFault(NetproofError):
    """Something went wrong in netproof that no error tells of: what was measured until then is kept."""

    @classmethod
    def of(cls, error: Exception) -> NetproofError:
        """Any error as one that can be told in a sentence; one of ours is that already."""
        if isinstance(error, NetproofError):
            return error
        return cls(f"a fault of netproof's own, please report it: {type(error).__name__}: {error}")


class NotEnforced(NetproofError):
    """The CNI accepts policies and does not enforce them. Common causes: policy support is switched off (AWS VPC CNI's
    default), a CNI without policies (flannel), a kernel that lacks what the enforcer needs."""

    exit_code = 10


class ClusterError(NetproofError):
    """A cluster, its CNI, the engine or a probe pod did not come up. `details` holds the last events and logs."""

    exit_code = 11

    def __init__(self, message: str, *, details: str = "") -> None:
        super().__init__(message)
        self.details = details

    def __str__(self) -> str:
        return f"{self.args[0]}\n{self.details}".rstrip()


class InputError(NetproofError):
    """A file or option that the user gave is wrong. Prints as `file:line: key: sentence`."""

    exit_code = 12

    def __init__(
        self, message: str, *, file: Path | str | None = None, line: int | None = None, key: str | None = None
    ) -> None:
        where = ":".join(str(part) for part in (file, line) if part is not None)
        super().__init__(": ".join(part for part in (where, key, message) if part))
        self.file, self.line, self.key = file, line, key


class NotUnderstood(InputError):
    """A policy is as its engine takes it, and says something that nobody reads here: what it means is not known."""


class AgentLost(NetproofError):
    """The stream to one agent ended (pod evicted, agent killed). Its cells become `unmeasured`; the run goes on.
    `gone`: so is what it ran in, and waiting does not bring it back."""

    exit_code = 11

    def __init__(self, message: str, *, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone


def suggest(word: str, known: Iterable[str]) -> str:
    """The half sentence that follows "unknown …": the nearest known word, or all of them."""
    words = sorted(known)
    near = nearest(word, words)
    if near is not None:
        return f"did you mean {near!r}?"
    return f"known here: {', '.join(words)}" if words else "none is known here"


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.5) -> str | None:
    """The known word that is most like another one; None where none is. `cutoff` is difflib's, from 0 to 1."""
    from difflib import get_close_matches  # used in errors only

    return next(iter(get_close_matches(word, list(known), n=1, cutoff=cutoff)), None)
