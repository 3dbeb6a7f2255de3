"""One cell of a record, explained: found by the name that reports show, then everything the record knows of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import get_args

from netproof.errors import InputError
from netproof.model.traffic import Kind
from netproof.model.verdict import WHOSE
from netproof.report import findings
from netproof.report.findings import seconds
from netproof.report.policy_text import policy_lines
from netproof.report.record import Cell, Record, ScenarioResult, Target
from netproof.report.terminal import STYLES, Line, label_lines, safe, wrap_lines
from netproof.wording import count, link_docs

HOW = {"pod": "pod", "service": "service", "service address": "service", "name": "name", "dns name": "name"}
HOW |= {"pod address": "pod", "nodeport": "nodeport", "node port": "nodeport", "address": "address"}
MOST_LINES = 12

_NAME = re.compile(
    r"""^\s*(?P<source>\S+?)\s*(?:->|→|\.\.)\s*(?P<destination>\S+?)(?::(?P<port>\d+|\*))?(?:/(?P<protocol>TCP|UDP|SCTP|ICMP))?
    (?:/(?P<key>pod|service|name|nodeport|address)(?P<kind>,\w+)?(?P<six>,6)?)?
    (?:\s+(?:via|by)\s+(?P<via>[A-Za-z ]+?))?
    (?:\s+\((?P<what>[A-Za-z ]+)\))?(?:\s+IPv(?P<family>[46]))?\s*$""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellQuery:
    """A cell's name as somebody wrote it; what was left out is None, and matches anything. `*` stands for any text."""

    source: str
    destination: str
    port: int | None = None
    protocol: str | None = None
    via: str | None = None
    kind: str | None = None
    family: int | None = None

    def matches(self, cell: Cell) -> bool:
        return (
            fnmatchcase(cell.source, self.source)
            and fnmatchcase(cell.destination.removeprefix("svc:"), self.destination)
            and all(
                wanted is None or wanted == value
                for wanted, value in (
                    (self.port, cell.port),
                    (self.protocol, cell.protocol),
                    (self.via, cell.via),
                    (self.kind, cell.kind),
                    (self.family, cell.family),
                )
            )
        )


def parse(name: str) -> CellQuery:
    """`berserk/ui->berserk/meta:9500/TCP via service`, or any form that a report or a link shows. Raises InputError."""
    found = _NAME.match(name)
    if not found:
        raise InputError(
            f"{name!r} is no cell; a cell is written SOURCE->DESTINATION:PORT/PROTOCOL, for example "
            "'berserk/ui->berserk/meta:9500/TCP via service'"
        )
    destination, port = found["destination"], found["port"]
    via = found["key"] or found["via"]
    if via and via.lower() not in HOW:
        raise InputError(f"{name!r}: via {', '.join(dict.fromkeys(HOW.values()))}, not {via!r}")
    kinds = {words.lower(): kind for kind, words in findings.KINDS.items()} | {f",{k}": k for k in get_args(Kind)}
    kind = (found["what"] or found["kind"] or "").lower()
    if kind and kind not in kinds:
        raise InputError(f"{name!r}: ({'), ('.join(findings.KINDS.values())}), not ({kind})")
    if destination.startswith("svc:") and via is None:
        via = "service"
    family = 6 if found["six"] else int(found["family"]) if found["family"] else None
    return CellQuery(
        source=found["source"],
        destination=destination.removeprefix("svc:"),
        port=int(port) if port and port != "*" else None,
        protocol=found["protocol"].upper() if found["protocol"] else None,
        via=HOW[via.lower()] if via else None,
        kind=kinds.get(kind),
        family=family,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedCell:
    """The same cell (scenario, step and probe) on every CNI that has it."""

    key: tuple[str, str, str]
    on: tuple[tuple[Target, Cell], ...]

    @property
    def cell(self) -> Cell:
        return self.on[0][1]


def find(
    record: Record, wanted: CellQuery, *, scenario: str = "*", step: str = "*", cni: str = "*"
) -> list[MatchedCell]:
    """Every cell that matches, in the order of the record. `scenario`, `step` and `cni` take `*`, and `cni`
    several names with commas."""
    found: dict[tuple[str, str, str], list[tuple[Target, Cell]]] = {}
    for target in record.targets:
        names = (target.cni, target.cni.partition("@")[0])
        if not any(fnmatchcase(name, one.strip()) for one in cni.split(",") for name in names):
            continue
        for cell in target.cells:
            if fnmatchcase(cell.scenario, scenario) and fnmatchcase(cell.step, step) and wanted.matches(cell):
                found.setdefault(findings.identity(cell), []).append((target, cell))
    return [MatchedCell(key=key, on=tuple(on)) for key, on in found.items()]


def short(cell: Cell) -> str:
    """A cell as a user may write it: `berserk/ui->berserk/meta:9500/TCP via service`."""
    how = "" if cell.via == "address" else f" via {cell.via}"
    kind = f" ({findings.KINDS[cell.kind]})" if cell.kind in findings.KINDS else ""
    family = " IPv6" if cell.family == 6 else ""
    return f"{cell.source}->{cell.destination.removeprefix('svc:')}:{cell.port}/{cell.protocol}{how}{kind}{family}"


def nearest(record: Record, name: str, scenario: str = "*") -> list[str]:
    """Names of cells that look like this one, the likeliest first."""
    names = dict.fromkeys(
        short(cell) for target in record.targets for cell in target.cells if fnmatchcase(cell.scenario, scenario)
    )
    return get_close_matches(name, names, n=5, cutoff=0.3)


Evidence = Mapping[str, str]
"""File name -> text: what a run kept of the CNI's own view."""


def explain_cell(target: Target, cell: Cell, evidence: Evidence, *, unicode: bool = True) -> list[Line]:
    """Everything that is known of one cell on one CNI."""
    entries = {entry.id: entry for entry in target.reviewed}
    stands = findings.standing(cell, entries)
    result = next((scenario for scenario in target.scenarios if scenario.id == cell.scenario), None)
    intended, specified, measured = findings.values(cell)
    lines: list[Line] = list(wrap_lines("", f"{findings.route(cell)} on {findings.name(target)}", "bold"))
    where = ", ".join(filter(None, (cell.scenario, cell.step)))
    lines += label_lines("in", f"{where}: {result.claim}" if result else where)
    lines += label_lines("verdict", f"{cell.verdict}: {WHOSE[cell.verdict]}", STYLES[stands])
    lines += label_lines("values", f"intended {intended}, specified {specified}, measured {measured} ({cell.outcome})")
    for identifier in cell.reviewed:
        entry = entries.get(identifier)
        words = f"{entry.sentence or entry.reason} {link_docs(entry.link)}".strip() if entry else ""
        lines += label_lines("declared", f"{identifier}: {words}" if words else identifier, STYLES[stands])
    lines += label_lines("why", cell.because or "the record gives no reason")
    for side in findings.sides(cell):
        lines += label_lines("", side)
    lines += policy_lines(cell, result.manifests if result else "")
    lines += _attempts(cell)
    if cell.note:
        lines += label_lines("note", cell.note)
    if result:
        lines += _settling(cell, result)
    lines += _view(cell, evidence)
    again = result.reproduce if result else ""
    for label, command in (("reproduce", cell.reproduce), ("repeat", again)):
        if command:
            lines.append((f"  {label:11}{command}", "bold"))
    return safe(lines, unicode)


def _attempts(cell: Cell) -> Iterator[Line]:
    for n, attempt in enumerate(cell.attempts):
        times = f" {attempt.count} times" if attempt.count > 1 else ""
        took = f", the last after {attempt.ms:g} ms" if attempt.ms is not None else ""
        detail = f" ({attempt.detail})" if attempt.detail else ""
        text = f"from {seconds(attempt.at_s)} after the change: {attempt.outcome}{times}{took}{detail}"
        yield from label_lines("attempts" if n == 0 else "", text)
    if not cell.attempts:
        yield from label_lines("attempts", "none are recorded", "dim")
    if cell.host:
        yield from label_lines("dialled", cell.host)
    if cell.seen_source:
        yield from label_lines("server saw", cell.seen_source)


def _settling(cell: Cell, result: ScenarioResult) -> Iterator[Line]:
    step = next((step for step in result.steps if step.name == cell.step), None)
    own = (
        "it never settled"
        if cell.settled_after_s is None
        else f"settled {seconds(cell.settled_after_s)} after the change"
    )
    if step:
        own += f"; the whole step {seconds(step.settled_after_s)}, first correct {seconds(step.first_correct_s)}"
        own += f", {count(step.rounds, 'round')}"
    yield from label_lines("time", own)


def _view(cell: Cell, evidence: Evidence) -> Iterator[Line]:
    """What the CNI's own files say of this cell's addresses and policies: the lines that name them."""
    policies = [name.rpartition(" ")[2] for side in (cell.egress, cell.ingress) for name in side.isolating]
    plain = {name.rpartition("/")[2] for name in policies}
    words = {word: _word(word) for word in {cell.host, cell.seen_source, *plain, *policies} - {""}}
    for name, text in evidence.items():
        scored = [
            (sum(bool(pattern.search(line)) for pattern in words.values()), line.strip()) for line in text.splitlines()
        ]
        hits = [line for score, line in sorted(scored, key=lambda pair: -pair[0]) if score]
        yield from label_lines("evidence", f"{name}: {count(len(hits), 'line')} about this cell")
        yield from ((f"  {'':11}  {line[:160]}", "dim") for line in hits[:MOST_LINES])
        if len(hits) > MOST_LINES:
            yield f"  {'':11}  +{count(len(hits) - MOST_LINES, 'more line')}", "dim"


def _word(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.]){re.escape(word)}(?!\w)")
