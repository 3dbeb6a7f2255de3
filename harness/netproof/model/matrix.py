"""A matrix is a value: probes and what is said of each, that compares and prints itself (rows are sources)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from netproof.model.traffic import Probe

V = TypeVar("V", bound=StrEnum)

MARKS = {"connected": "+", "denied": "·", "unspecified": "~", "unmeasured": "?"}


@dataclass(frozen=True, slots=True)
class Matrix(Generic[V]):
    cells: Mapping[Probe, V] = field(default_factory=dict)

    def __getitem__(self, probe: Probe) -> V:
        return self.cells[probe]

    def __iter__(self) -> Iterator[Probe]:
        return iter(self.cells)

    def __len__(self) -> int:
        return len(self.cells)

    def differences(self, other: Matrix[V]) -> tuple[Probe, ...]:
        """The probes that both have and that differ, in this matrix's order."""
        return tuple(p for p, value in self.cells.items() if p in other.cells and other.cells[p] != value)

    def render(self, mark: Callable[[V], str] | None = None) -> str:
        """Text: one row a source, one column a destination port; `+` connected, `·` denied, blank where not asked."""
        mark = mark or (lambda value: MARKS.get(value.value, "!"))
        rows = list(dict.fromkeys(p.source for p in self.cells))
        columns = list(dict.fromkeys(_column(p) for p in self.cells))
        lookup = {(p.source, _column(p)): mark(v) for p, v in self.cells.items()}
        width = max((len(r) for r in rows), default=0)
        lines = [f"{'':{width}}  " + " ".join(f"{i:>3}" for i in range(1, len(columns) + 1))]
        lines += [f"{row:{width}}  " + " ".join(f"{lookup.get((row, c), ' '):>3}" for c in columns) for row in rows]
        lines.extend(f"{i:>5}  {column}" for i, column in enumerate(columns, 1))
        return "\n".join(lines)


def _column(probe: Probe) -> str:
    how = "" if probe.via in ("pod", "address") else f" via {probe.via}"
    return f"{probe.destination.removeprefix('svc:')}:{probe.port}/{probe.protocol}{how}"
