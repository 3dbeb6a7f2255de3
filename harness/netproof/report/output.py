"""Standard output and standard error that lose no run: a character that the stream's encoding lacks is replaced, and a
reader that closed its end of a pipe (`| head -1`) is no error. A command calls `protect_streams` before it prints."""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import Any, TextIO

ASCII = str.maketrans(
    {
        **{"→": "->", "…": "...", "–": "-", "—": "-", "·": "-", "’": "'", "“": '"', "”": '"', "×": "x", "≠": "!="},
        **{"✓": "OK", "✕": "x", "✅": "OK", "❌": "FAIL", "⚠": "WARN", "\ufe0f": "", "●": "*", "○": "o", "◌": "?"},
    }
)
"""What a reader of plain ASCII sees in the place of a character."""

ERRORS = "netproof.ascii"
"""The codec error handler: `str.encode("ascii", ERRORS)` never fails."""


def to_ascii(text: str) -> str:
    """The text in ASCII: known characters have a replacement, others become `?`."""
    return text.translate(ASCII).encode("ascii", "replace").decode()


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return to_ascii(error.object[error.start : error.end]), error.end


codecs.register_error(ERRORS, _replace)


class _LenientFile(io.FileIO):
    """A file descriptor of which a failed write is dropped, and all that follows with it. `failure` says why, unless
    the reader of a pipe has gone, which is a reader's right."""

    failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.failure = error
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, self.fileno())
            os.close(silence)
            return len(data)


def open_lenient(stream: TextIO) -> TextIO:
    """A stream on the same file descriptor, which stays open: it encodes every character and survives its reader.
    The stream itself when it has no file descriptor (a test's)."""
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, ValueError):
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_LenientFile(descriptor, "w", closefd=False)),
        encoding=stream.encoding,
        errors=ERRORS,
        line_buffering=getattr(stream, "line_buffering", False),
    )


def protect_streams() -> None:
    """Make this process's own standard output and standard error lenient; streams that somebody else put in their
    places (pytest's capture) stay as they are."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell: `>&-`
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, open_lenient(stream))


def write_failure(stream: TextIO) -> OSError | None:
    """Flush, and give why something that was written to a lenient stream is lost (a full disk), if it is."""
    stream.flush()
    file = getattr(getattr(stream, "buffer", None), "raw", None)
    return file.failure if isinstance(file, _LenientFile) else None
