"""The cells of a record as columns of numbers, small enough for a page of 100,000 cells. `report.js` reads it back.

The page's data only: `record.json` stays the record. What is rounded here (times to 10 ms, connect times to two digits)
is exact there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from netproof.model import Outcome
from netproof.report import findings
from netproof.report.record import Cell, Record, RecordedAttempt, Target
from netproof.wording import link_docs

Json = Any


class IndexTable:
    """Values in the order of their first use; a value's number is its place."""

    def __init__(self) -> None:
        self.rows: list[Json] = []
        self._places: dict[object, int] = {}

    def place(self, row: Json) -> int:
        key = row if isinstance(row, str) else repr(row)
        if key not in self._places:
            self._places[key] = len(self.rows)
            self.rows.append(row)
        return self._places[key]


class _Encoder:
    def __init__(self) -> None:
        self.strings, self.steps, self.pairs, self.stories = IndexTable(), IndexTable(), IndexTable(), IndexTable()
        self.wires, self.whens, self.times = IndexTable(), IndexTable(), IndexTable()

    def target(self, target: Target) -> Json:
        entries = {entry.id: entry for entry in target.reviewed}
        again = findings.commands(target)
        saw: dict[str, str] = {}
        columns: dict[str, list[int]] = {name: [] for name in ("step", "pair", "story", "wire", "when", "ms")}
        for cell in target.cells:
            text = self.strings.place
            columns["step"].append(self.steps.place([cell.scenario, cell.step]))
            columns["pair"].append(
                self.pairs.place(
                    [
                        *(text(cell.source), text(cell.destination), cell.port),
                        *(text(word) for word in (cell.protocol, cell.via, cell.kind)),
                        cell.family,
                    ]
                )
            )
            short = _shortener(cell)
            sides = [text(short(side)) for side in findings.sides(cell)]
            columns["story"].append(
                self.stories.place(
                    [
                        *(text(value) for value in (*findings.values(cell), cell.outcome, cell.verdict)),
                        *(text(findings.standing(cell, entries)), text(short(cell.because)), *sides, text(cell.note)),
                        [text(name) for name in cell.reviewed],
                    ]
                )
            )
            if cell.seen_source or cell.outcome is Outcome.CONNECTED:
                saw[cell.source] = cell.seen_source
            columns["wire"].append(
                self.wires.place(
                    [text(cell.host), text(saw.get(cell.source, "")), text(short(findings.reproduce(cell, again)))]
                )
            )
            columns["when"].append(self.whens.place(self._when(cell)))
            ms = _two_digits(cell.attempts[-1].ms) if cell.attempts else None
            columns["ms"].append(self.times.place(ms))
        return {
            "cni": target.cni,
            "name": findings.name(target),
            "columns": {name: pack(column) for name, column in columns.items()},
        }

    def _when(self, cell: Cell) -> Json:
        settled = None if cell.settled_after_s is None else round(cell.settled_after_s, 2)
        return [settled, [self._attempt(attempt) for attempt in cell.attempts]]

    def _attempt(self, attempt: RecordedAttempt) -> Json:
        return [
            round(attempt.at_s, 2),
            self.strings.place(attempt.outcome),
            attempt.count,
            self.strings.place(attempt.detail),
        ]


def encode(record: Record) -> Json:
    """What `report.js` needs of a record: shared tables, and for each target its columns."""
    encoder = _Encoder()
    targets = [encoder.target(target) for target in record.targets]
    reviewed = {
        entry.id: [entry.kind, entry.sentence, entry.reason, link_docs(entry.link)]
        for target in record.targets
        for entry in target.reviewed
    }
    return {
        "targets": targets,
        "strings": encoder.strings.rows,
        "steps": encoder.steps.rows,
        "pairs": [pack(column) for column in zip(*encoder.pairs.rows, strict=True)],
        "stories": encoder.stories.rows,
        "wires": encoder.wires.rows,
        "whens": encoder.whens.rows,
        "times": encoder.times.rows,
        "reviewed": reviewed,
        "by": dict(findings.BY),
        "kinds": dict(findings.KINDS),
    }


DIGITS = "".join(chr(code) for code in range(35, 127) if chr(code) not in "\\<")
"""90 signs that JSON and HTML leave as they are."""


def pack(values: Sequence[int]) -> Json:
    """The shortest of three forms: `[0, values]` or `[0, width, text]` with `width` digits of base 90 a value;
    `[1, value, times, …]`; `[2, …]`, the same of differences to the value before (the first one's to 0)."""
    differences = [b - a for a, b in zip([0, *values], values, strict=False)]
    forms = [[0, list(values)], [1, *_runs(values)], [2, *_runs(differences)]]
    if values and min(values) >= 0:
        width = 1
        while max(values) >= len(DIGITS) ** width:
            width += 1
        forms.append([0, width, "".join(_digits(value, width) for value in values)])
    return min(forms, key=lambda form: len(json.dumps(form, separators=(",", ":"))))


def _digits(value: int, width: int) -> str:
    text = ""
    for _ in range(width):
        value, digit = divmod(value, len(DIGITS))
        text = DIGITS[digit] + text
    return text


def _runs(values: Sequence[int]) -> list[int]:
    runs: list[list[int]] = []
    for value in values:
        if runs and runs[-1][0] == value:
            runs[-1][1] += 1
        else:
            runs.append([value, 1])
    return [part for run in runs for part in run]


def _shortener(cell: Cell) -> Callable[[str], str]:
    """Puts placeholders for the cell's own names into its sentences, so that equal sentences are stored once."""
    names = (("\x01", cell.source), ("\x02", cell.destination.removeprefix("svc:")), ("\x03", cell.host))
    port = str(cell.port)

    def short(text: str) -> str:
        for mark, name in names:
            if name:
                text = text.replace(name, mark)
        return _NUMBER.sub(lambda found: "\x04" if found[0] == port else found[0], text) if port in text else text

    return short


_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")


def _two_digits(ms: float | None) -> float | None:
    if ms is None:
        return None
    rounded = float(f"{ms:.2g}")
    return int(rounded) if rounded.is_integer() else rounded
