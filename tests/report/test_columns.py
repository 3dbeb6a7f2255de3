"""The page's columns can be read back; the reader of these tests is the script's reader in Python."""

from __future__ import annotations

import json
from typing import Any

import pytest

from netproof.report.columns import DIGITS, encode, pack

from .example import example
from .large import large


def unpack(packed: list[Any]) -> list[int]:
    form, *rest = packed
    if form == 0 and len(rest) == 1:
        return list(rest[0])
    if form == 0:
        width, text = rest
        parts = [text[start : start + width] for start in range(0, len(text), width)]
        return [sum(DIGITS.index(sign) * 90**place for place, sign in enumerate(reversed(part))) for part in parts]
    out: list[int] = []
    total = 0
    for value, times in zip(rest[::2], rest[1::2], strict=True):
        for _ in range(times):
            total = total + value if form == 2 else value
            out.append(total)
    return out


@pytest.mark.parametrize(
    ("values", "packed"),
    [
        ([], [1]),
        ([5, 1, 9, 89, 0], [0, 1, "($,~#"]),
        ([90, 8099, 1], [0, 2, "$#~~#$"]),
        ([4, 4, 4, 4, 4, 4, 4, 4, 4], [1, 4, 9]),
        ([3, *range(3, 40)], [2, 3, 1, 0, 1, 1, 36]),
    ],
)
def test_pack(values: list[int], packed: list[Any]) -> None:
    assert pack(values) == packed
    assert unpack(packed) == values


def test_every_cell_comes_back() -> None:
    record = example()
    data = encode(record)
    strings, pairs = data["strings"], [unpack(column) for column in data["pairs"]]
    for target, coded in zip(record.targets, data["targets"], strict=True):
        columns = {name: unpack(column) for name, column in coded["columns"].items()}
        for index, cell in enumerate(target.cells):
            source, destination, port, protocol, via, kind, family = (c[columns["pair"][index]] for c in pairs)
            assert data["steps"][columns["step"][index]] == [cell.scenario, cell.step]
            assert (strings[source], strings[destination], port) == (cell.source, cell.destination, cell.port)
            assert [strings[n] for n in (protocol, via, kind)] == [cell.protocol, cell.via, cell.kind]
            assert family == cell.family
            story = data["stories"][columns["story"][index]]
            assert [strings[n] for n in story[:5]] == [
                *(cell.intended, cell.specified, cell.measured, cell.outcome, cell.verdict),
            ]
            host, seen, reproduce = (strings[n] for n in data["wires"][columns["wire"][index]])
            assert host == cell.host
            assert not cell.seen_source or seen == cell.seen_source
            for text, short in ((cell.reproduce, reproduce), (cell.because, strings[story[6]])):
                long = short.replace("\x04", str(cell.port)).replace("\x03", cell.host)
                assert long.replace("\x02", cell.destination.removeprefix("svc:")).replace("\x01", cell.source) == text
            settled, attempts = data["whens"][columns["when"][index]]
            assert settled == cell.settled_after_s
            assert [(at, strings[outcome], count) for at, outcome, count, _ in attempts] == [
                (a.at_s, a.outcome, a.count) for a in cell.attempts
            ]


def test_cells_cost_little() -> None:
    record = large(services=20, ports=10, cnis=2)
    cells = sum(len(target.cells) for target in record.targets)
    assert cells == 8000
    assert len(json.dumps(encode(record), separators=(",", ":"))) / cells < 12
