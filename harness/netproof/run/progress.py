"""What a user sees while long work goes on: phases with times, counts within a phase, elapsed seconds; one line a phase
when nobody looks at a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from netproof.report.record import Phase

if TYPE_CHECKING:
    from rich.status import Status


@dataclass(slots=True)
class Progress:
    """Phases of one CNI's run. `write` takes finished lines; `live` is a terminal for the line that moves, or None."""

    write: Callable[[str], None]
    live: IO[str] | None = None
    phases: list[Phase] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _status: Status | None = None
    _name: str = ""
    _phase_began: float = 0.0

    @contextmanager
    def phase(self, name: str) -> Iterator[Callable[[str], None]]:
        """Time one phase. Gives the function that tells its small steps."""
        self._name, self._phase_began = name, time.monotonic()
        ok = False
        if self.live is not None:
            # Who writes to a file or a pipe need not wait for its import.
            from rich.console import Console
            from rich.text import Text

            self._status = Console(file=self.live, force_terminal=True).status(Text(f"{name} …"), spinner="dots")
            self._status.start()
        try:
            yield self.say
            ok = True
        finally:
            if self._status is not None:
                self._status.stop()
                self._status = None
            duration = time.monotonic() - self._phase_began
            started = self._phase_began - self.began
            self.phases.append(Phase(name=name, started_s=round(started, 3), duration_s=round(duration, 3), ok=ok))
            self.write(f" {'✓' if ok else '✗'} {name}  {duration:.1f} s")

    def say(self, step: str) -> None:
        """A small step of the phase under way: shown on a terminal only."""
        if self._status is not None:
            from rich.text import Text

            elapsed = time.monotonic() - self._phase_began
            self._status.update(Text(f"{self._name}: {step}  ({elapsed:.0f} s)"))
