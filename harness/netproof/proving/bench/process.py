"""A process that is timed from outside, with the peak of its memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """`wall_s` seconds; `memory_mib` of its largest process, of those that it waited for."""

    wall_s: float
    memory_mib: int
    code: int
    output: str
    """Standard output and error together."""


def timed(command: Sequence[str], *, env: Mapping[str, str] | None = None) -> Done:
    """Run a command to its end. `env` is added to this process's own. Raises OSError when it cannot be started."""
    with tempfile.TemporaryFile() as output:
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )
        _, status, usage = os.wait4(process.pid, 0)
        took = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        return Done(
            wall_s=took,
            memory_mib=_mib(usage.ru_maxrss),
            code=process.returncode,
            output=output.read().decode(errors="replace"),
        )


def peak_mib() -> int:
    """The most memory that this process has had, in MiB. What getrusage says may be its parent's (exec keeps it)."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return _mib(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _mib(maxrss: int) -> int:
    """getrusage counts in KiB on Linux and in bytes on macOS."""
    return maxrss // (1024 * 1024 if sys.platform == "darwin" else 1024)
