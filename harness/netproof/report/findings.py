"""What a run found, in one grouping that every report draws: same scenario, destination and verdict are one finding.

The words a reader sees (headlines, verdict sentences, counts) are made here, so that the page, the terminal, JUnit and
Markdown say the same. Changing how findings are grouped or named is done here and nowhere else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from netproof.model import Intent, Measured, Specified, Verdict
from netproof.model.verdict import WRONG
from netproof.report.record import Cell, Record, RecordedSide, Reviewed, ScenarioResult, Target
from netproof.wording import agree, count, several


class Standing(StrEnum):
    """How a cell or a finding stands after review. The order is the order in which a reader needs them."""

    DIFFERS = "differs"
    STALE = "stale"
    UNMEASURED = "unmeasured"
    DOCUMENTED = "documented"
    KNOWN = "known"
    UNSPECIFIED = "unspecified"
    HOLDS = "holds"


ORDER = tuple(Standing)

WORDS: Mapping[Standing, str] = {
    Standing.DIFFERS: "FAIL",
    Standing.STALE: "STALE",
    Standing.UNMEASURED: "UNMEASURED",
    Standing.DOCUMENTED: "DOCUMENTED",
    Standing.KNOWN: "KNOWN",
    Standing.UNSPECIFIED: "UNSPECIFIED",
    Standing.HOLDS: "OK",
}

BY: Mapping[str, str] = {
    "pod": "by pod address",
    "service": "by Service address",
    "name": "by DNS name",
    "nodeport": "by node port",
    "address": "",
}
"""How a cell's destination was addressed, in words."""

KINDS: Mapping[str, str] = {
    "lookup": "lookup",
    "held": "kept open",
    "first": "first attempts",
    "tls": "TLS handshake",
    "admission": "webhook call",
}
"""What a probe did that is not the usual one, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinding:
    """Cells of one target that went wrong in the same way, or a reviewed entry that went stale (then without cells)."""

    standing: Standing
    scenario: str
    step: str
    destination: str
    """The endpoint without its `svc:` prefix: a pod and its Service are one destination here."""
    verdict: Verdict | None
    cells: tuple[Cell, ...]
    reviewed: tuple[Reviewed, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(cell.source for cell in self.cells))

    @property
    def place(self) -> str:
        """The destination with its ports: `berserk/ui:8080, 9090`."""
        return place(self.cells) if self.cells else self.destination

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the policies mean this, each sentence once, in the order of the cells."""
        return tuple(dict.fromkeys(cell.because for cell in self.cells if cell.because))

    def headline(self, cni: str) -> str:
        """One sentence: what differs, and for whom."""
        who = several(self.sources)
        if self.verdict is None:
            entry = self.reviewed[0]
            cells = len(entry.stale)
            return f"{entry.id} declares {count(cells, 'cell')} that no longer {agree(cells, 'differ')} on {cni}"
        let = self.cells[0].measured is Measured.CONNECTED
        if self.verdict is Verdict.UNMEASURED:
            return f"{who} → {self.place} could not be measured"
        reach = f"{who} {'can' if let else 'cannot'} reach {self.place}"
        return f"{reach}{_HEADLINES[self.verdict, let].format(cni=cni)}"


_HEADLINES: Mapping[tuple[Verdict, bool], str] = {
    (Verdict.POLICY_DEFECT, True): ": the policies allow it, nobody meant it",
    (Verdict.POLICY_DEFECT, False): ": it is meant to work, the policies deny it",
    (Verdict.CNI_DIFFERENCE, True): ": the policies deny it, {cni} let it through",
    (Verdict.CNI_DIFFERENCE, False): ": the policies allow it, {cni} blocked it",
    (Verdict.MASKED_DEFECT, True): ", as meant, only because {cni} let through what the policies deny",
    (Verdict.MASKED_DEFECT, False): ", as meant, only because {cni} blocked what the policies allow",
}
"""How a headline ends: by verdict, and by whether the cell measured connected. It fits one CNI and several."""


def standing(cell: Cell, reviewed: Mapping[str, Reviewed]) -> Standing:
    """How one cell stands; `reviewed` is the target's entries by id. A CNI's entry outweighs a chart's."""
    if cell.verdict is Verdict.UNMEASURED:
        return Standing.UNMEASURED
    if cell.verdict is Verdict.UNSPECIFIED:
        return Standing.UNSPECIFIED
    if cell.verdict not in WRONG:
        return Standing.HOLDS
    if not cell.accepted:
        return Standing.DIFFERS
    kinds = {reviewed[name].kind for name in cell.reviewed if name in reviewed}
    return Standing.DOCUMENTED if kinds == {"documented"} else Standing.KNOWN


def group(target: Target, scenario: str | None = None) -> list[RunFinding]:
    """The findings of a target (or of one of its scenarios), most urgent first, each in the order of the record."""
    entries = {entry.id: entry for entry in target.reviewed}
    kinds: dict[tuple[object, ...], list[Cell]] = {}
    for cell in target.cells:
        if scenario not in (None, cell.scenario):
            continue
        stands = standing(cell, entries)
        if stands in (Standing.HOLDS, Standing.UNSPECIFIED):
            continue
        note = cell.note if stands is Standing.UNMEASURED else ""
        destination = cell.destination.removeprefix("svc:")
        key = (stands, cell.scenario, cell.step, destination, cell.verdict, cell.measured, tuple(cell.reviewed), note)
        kinds.setdefault(key, []).append(cell)
    found = [
        RunFinding(
            standing=standing(cells[0], entries),
            scenario=cells[0].scenario,
            step=cells[0].step,
            destination=cells[0].destination.removeprefix("svc:"),
            verdict=cells[0].verdict,
            cells=tuple(cells),
            reviewed=tuple(entries[name] for name in cells[0].reviewed if name in entries),
        )
        for cells in kinds.values()
    ]
    found += [
        RunFinding(
            standing=Standing.STALE,
            scenario=entry.scenario,
            step="",
            destination="",
            verdict=None,
            cells=(),
            reviewed=(entry,),
        )
        for entry in target.reviewed
        if entry.stale and scenario in (None, entry.scenario)
    ]
    return sorted(found, key=lambda finding: ORDER.index(finding.standing))


def by_scenario(target: Target) -> dict[str, Target]:
    """The target cut into its scenarios' cells, so that a report with a part for each scenario reads the cells once."""
    parts: dict[str, list[Cell]] = {scenario.id: [] for scenario in target.scenarios}
    for cell in target.cells:
        parts.setdefault(cell.scenario, []).append(cell)
    return {scenario: target.model_copy(update={"cells": cells}) for scenario, cells in parts.items()}


def tally(cells: Iterable[Cell], reviewed: Iterable[Reviewed]) -> Counter[Standing]:
    """How many cells stand how."""
    entries = {entry.id: entry for entry in reviewed}
    return Counter(standing(cell, entries) for cell in cells)


def name(target: Target) -> str:
    """`calico 3.28.5`, or as it was asked for (`calico@3.28.5`) when it never came up."""
    version = target.environment.cni_version if target.environment else ""
    return f"{target.cni.partition('@')[0]} {version}" if version else target.cni


def word(target: Target) -> str:
    """The one word of a target: ENDED EARLY, FAIL, UNMEASURED or OK."""
    if target.error:
        return "ENDED EARLY"
    counts = tally(target.cells, target.reviewed)
    if counts[Standing.DIFFERS] or any(entry.stale for entry in target.reviewed) or failed(target):
        return "FAIL"
    if counts[Standing.UNMEASURED] or not target.cells:
        return "UNMEASURED"
    return "OK"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioCounts:
    """How the scenarios of one CNI ended. Every report that counts scenarios takes its numbers from here."""

    passed: int
    failed: int
    """Failed, or not measured to their end."""
    skipped: int

    @property
    def ran(self) -> int:
        return self.passed + self.failed

    @property
    def words(self) -> str:
        """`3/4 OK`."""
        return f"{self.passed}/{self.ran} OK"


def count_scenarios(target: Target) -> ScenarioCounts:
    """A scenario whose every difference is reviewed has passed."""
    results = Counter(scenario.result for scenario in target.scenarios)
    passed, skipped = results["passed"], results["skipped"]
    return ScenarioCounts(passed=passed, failed=results.total() - passed - skipped, skipped=skipped)


def failed(target: Target) -> list[ScenarioResult]:
    """The scenarios that failed or could not be run to their end."""
    return [scenario for scenario in target.scenarios if scenario.result in ("failed", "error")]


def verdict(target: Target) -> str:
    """What a reader must know of one CNI, in one sentence without its name."""
    if target.error:
        return f"the run ended early: {target.error.splitlines()[0]}"
    if not target.cells:
        return "nothing was measured"
    unmeant, differ = (
        sum(1 for cell in target.cells if cell.verdict in kinds and not cell.accepted)
        for kinds in ({Verdict.POLICY_DEFECT}, WRONG - {Verdict.POLICY_DEFECT})
    )
    counts = tally(target.cells, target.reviewed)
    parts = []
    if differ:
        parts.append(f"{count(differ, 'cell', 'differ')} from what the policies say")
    if unmeant:
        parts.append(f"in {count(unmeant, 'cell')} the policies do not say what was meant")
    stale = sum(len(entry.stale) for entry in target.reviewed)
    if stale:
        parts.append(f"{count(stale, 'declared difference')} no longer {agree(stale, 'happen')}")
    broken = sum(1 for scenario in target.scenarios if scenario.result == "error")
    if broken:
        parts.append(f"{count(broken, 'scenario')} not measured in full")
    if not parts:
        measured = len(target.cells) - counts[Standing.UNMEASURED]
        parts.append(f"no undeclared difference in {count(measured, 'measured cell')}")
    if counts[Standing.UNMEASURED]:
        parts.append(f"{count(counts[Standing.UNMEASURED], 'cell')} not measured")
    if counts[Standing.DOCUMENTED]:
        parts.append(count(counts[Standing.DOCUMENTED], "documented surprise"))
    if counts[Standing.KNOWN]:
        parts.append(count(counts[Standing.KNOWN], "known difference"))
    return "; ".join(parts)


def agreement(record: Record) -> tuple[int, int] | None:
    """Of the cells that every CNI measured: on how many they agree, and how many there are. None with a single CNI."""
    tables = [
        {identity(cell): cell.measured for cell in target.cells if cell.measured is not Measured.UNMEASURED}
        for target in record.targets
        if target.cells
    ]
    if len(tables) < 2:
        return None
    shared = set.intersection(*(set(table) for table in tables))
    return sum(1 for key in shared if len({table[key] for table in tables}) == 1), len(shared)


def identity(cell: Cell) -> tuple[str, str, str]:
    """What makes a cell the same cell on another CNI or in another run: scenario, step and probe."""
    return cell.scenario, cell.step, probe_key(cell)


def probe_key(cell: Cell) -> str:
    """The stable name of a cell within its scenario's step; links to a cell are made of it."""
    how = "" if cell.kind == "echo" else f",{cell.kind}"
    family = "" if cell.family == 4 else ",6"
    return f"{cell.source}..{cell.destination}:{cell.port}/{cell.protocol}/{cell.via}{how}{family}"


def route(cell: Cell) -> str:
    """A cell in words: `berserk/ui → berserk/meta:9500/TCP by pod address`."""
    parts = [f"{cell.source} → {cell.destination.removeprefix('svc:')}:{cell.port}/{cell.protocol}", BY[cell.via]]
    parts += [f"({KINDS[cell.kind]})"] if cell.kind in KINDS else []
    if cell.family == 6:
        parts.append("IPv6")
    return " ".join(filter(None, parts))


def place(cells: Sequence[Cell]) -> str:
    """The one destination of some cells with their ports: `berserk/ui:8080, 9090, 53/UDP`."""
    ports = dict.fromkeys(
        f"{cell.port}" if cell.protocol == "TCP" else f"{cell.port}/{cell.protocol}" for cell in cells
    )
    return f"{cells[0].destination.removeprefix('svc:')}:{', '.join(ports)}"


def commands(target: Target) -> dict[str, str]:
    """For each scenario the command that measures it again."""
    return {scenario.id: scenario.reproduce for scenario in target.scenarios}


def reproduce(cell: Cell, again: Mapping[str, str]) -> str:
    """The command that repeats a cell's probe by hand; where nothing is left to repeat it on, the one that measures its
    scenario again (`again` is what `commands` gives). '' for a cell without a fault."""
    if cell.reproduce or (cell.verdict not in WRONG and cell.verdict is not Verdict.UNMEASURED):
        return cell.reproduce
    return again.get(cell.scenario, "")


def values(cell: Cell) -> tuple[Intent, Specified, Measured]:
    return cell.intended, cell.specified, cell.measured


def side(direction: str, what: RecordedSide) -> str:
    """What the policies say at one end: `ingress: isolated by berserk/ui; allowed by berserk/ui ingress[0]`."""
    subject = f"isolated by {several(what.isolating) or 'a policy'}" if what.isolated else "not isolated"
    if what.rule:
        return f"{direction}: {subject}; {'allowed' if what.allowed else 'denied'} by {what.rule}"
    ends = {
        (True, True): "; allowed by a rule",
        (True, False): "; no rule allows it",
        (False, True): ", so everything is allowed",
        (False, False): "; what its policies mean here is open",
    }
    return f"{direction}: {subject}{ends[what.isolated, what.allowed]}"


def sides(cell: Cell) -> tuple[str, str]:
    return side("egress", cell.egress), side("ingress", cell.ingress)


def seen(cell: Cell) -> str:
    """What was seen on the wire, in one sentence: the attempts in order, what was dialled, and whom the server saw."""
    steps = []
    for attempt in cell.attempts:
        times = f" {attempt.count} times" if attempt.count > 1 else ""
        detail = f" ({attempt.detail})" if attempt.detail else ""
        steps.append(f"{attempt.outcome}{times} from {seconds(attempt.at_s)}{detail}")
    parts = [", then ".join(steps) or f"{cell.outcome}"]
    if cell.host:
        parts.append(f"dialled {cell.host}")
    if cell.seen_source:
        parts.append(f"the server saw {cell.seen_source}")
    return "; ".join(parts)


def seconds(time: float | None) -> str:
    """A duration for people: `0.31 s`, `12 s`, `3 min 05 s`; `never` when it is None."""
    if time is None:
        return "never"
    if time < 10:
        return f"{time:.2f} s"
    if time < 120:
        return f"{time:.0f} s"
    return f"{int(time) // 60} min {int(time) % 60:02d} s"
