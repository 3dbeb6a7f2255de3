"""The page's columns can be read back; the reader of these tests is the script's reader in Python."""

from __future__ import annotations

import json

import pytest

from harness.report.columns import encode, pack

from .example import example, large


def unpack(packed: list[float]) -> list[float]:
    form, *rest = packed
    if form == 0:
        return rest
    out: list[float] = []
    total = 0.0
    for value, times in zip(rest[::2], rest[1::2], strict=True):
        for _ in range(int(times)):
            total = total + value if form == 2 else value
            out.append(total)
    return out


@pytest.mark.parametrize(
    ("values", "form"),
    [([], 0), ([5, 1, 9], 0), ([4, 4, 4, 4], 1), ([3, 4, 5, 6, 7, 8], 2), ([0.5, 0.5, 0.5, None], 0)],
)
def test_pack(values: list[float], form: int) -> None:
    assert pack(values)[0] == form
    assert unpack(pack(values)) == values


def test_every_cell_comes_back() -> None:
    record = example()
    data = encode(record)
    strings, pairs = data["strings"], [unpack(column) for column in data["pairs"]]
    for target, coded in zip(record.targets, data["targets"], strict=True):
        columns = {name: unpack(column) for name, column in coded["columns"].items()}
        for index, cell in enumerate(target.cells):
            source, destination, port, protocol, via, kind, family = (c[int(columns["pair"][index])] for c in pairs)
            assert data["steps"][int(columns["step"][index])] == [cell.scenario, cell.step]
            assert (strings[int(source)], strings[int(destination)], port) == (cell.source, cell.destination, cell.port)
            assert [strings[int(n)] for n in (protocol, via, kind)] == [cell.protocol, cell.via, cell.kind]
            assert family == cell.family
            story = data["stories"][int(columns["story"][index])]
            assert [strings[n] for n in story[:5]] == [
                *(cell.intended, cell.specified, cell.measured, cell.outcome, cell.verdict),
            ]
            host, seen, reproduce = (strings[n] for n in data["wires"][int(columns["wire"][index])])
            assert host == cell.host
            assert not cell.seen_source or seen == cell.seen_source
            for text, short in ((cell.reproduce, reproduce), (cell.because, strings[story[6]])):
                long = short.replace("\x04", str(cell.port)).replace("\x03", cell.host)
                assert long.replace("\x02", cell.destination.removeprefix("svc:")).replace("\x01", cell.source) == text
            settled, attempts = data["whens"][int(columns["when"][index])]
            assert settled == cell.settled_after_s
            assert [(at, strings[outcome], count) for at, outcome, count, _ in attempts] == [
                (a.at_s, a.outcome, a.count) for a in cell.attempts
            ]


def test_cells_cost_little() -> None:
    record = large(services=20, ports=10, cnis=2)
    cells = sum(len(target.cells) for target in record.targets)
    assert cells == 8000
    assert len(json.dumps(encode(record), separators=(",", ":"))) / cells < 20
