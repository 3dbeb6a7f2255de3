"""The HTML page of large records: how long it takes to write, its size, and how long a browser takes to show it.

As a program (`python -m netproof.proving.bench.page CELLS FILE`) it writes one page, and prints its figure as JSON.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import count, islice
from math import isqrt
from pathlib import Path

from netproof.errors import NetproofError
from netproof.model import Intent, Measured, Outcome, Probe, Specified, Topology, Verdict
from netproof.model.placement import place_on_paper
from netproof.policy import Decision, DirectionDecision, Evaluator, read_policies
from netproof.proving.bench import evaluator
from netproof.proving.bench.figures import PageFigure
from netproof.proving.bench.process import peak_mib, timed
from netproof.report import record
from netproof.report.html import render_html
from netproof.report.record import Record
from netproof.report.writer import write_file

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
TIMES = 3
"""How often each page is opened; the quickest counts, what else the machine does only adds."""
ODD = 500
"""Every 500th cell differs from what is specified, so that there are findings to draw."""
EMPTY = "<!doctype html><meta charset=utf-8><title>empty</title>"
PODS_OF_A_POLICY = 5


def probes(cells: int) -> tuple[Topology, list[Probe]]:
    """So many probes, every pod to every other one on four ports, in a made-up cluster that is just large enough."""
    pods = next(pods for pods in count(isqrt(cells // len(evaluator.PORTS))) if pods * (pods - 1) * 4 >= cells)
    topology = evaluator.world(pods, max(1, pods // PODS_OF_A_POLICY))
    every = (
        Probe(source=source.id, destination=destination.id, port=port, protocol=protocol)
        for source in topology.pods
        for destination in topology.pods
        if source.id != destination.id
        for port, protocol in evaluator.PORTS
    )
    return topology, list(islice(every, cells))


def made(cells: int) -> Record:
    """A record of so many cells on one CNI, as a run of one scenario leaves it; the outcomes are made up."""
    topology, asked = probes(cells)
    placement = place_on_paper(topology)
    policies = evaluator.manifests(max(1, len(topology.pods) // PODS_OF_A_POLICY))
    decider = Evaluator(read_policies(policies), topology, placement)
    rows = [
        _cell(probe, decider.decide(probe), number, placement.address(probe.destination) or "")
        for number, probe in enumerate(asked)
    ]
    step = record.StepResult(
        name="policies applied",
        rounds=4,
        first_correct_s=0.2,
        settled_after_s=0.4,
        flaps=0,
        round_s=0.1,
        timeout_s=0.1,
    )
    scenario = record.ScenarioResult(
        id="large",
        claim="A page of many cells opens quickly.",
        source="made up",
        result="failed",
        duration_s=2.0,
        steps=[step],
    )
    target = record.Target(cni="calico", title="Calico", scenarios=[scenario], cells=rows)
    run = record.Run(
        netproof="0",
        command="netproof bench --what page",
        started_at="2026-01-01T00:00:00Z",
        duration_s=2.0,
        interrupted=False,
        exit_code=1,
    )
    return Record(run=run, targets=[target])


def _cell(probe: Probe, decision: Decision, number: int, host: str) -> record.Cell:
    connected = decision.specified is Specified.CONNECTED
    odd = number % ODD == ODD - 1
    outcome = Outcome.CONNECTED if connected != odd else Outcome.DROPPED
    first = record.RecordedAttempt(at_s=0.05, outcome=Outcome.CONNECTED, ms=0.2 + number % 37 / 20)
    last = record.RecordedAttempt(at_s=0.2 + number % 3 / 10, outcome=outcome, count=3, ms=0.2 + number % 91 / 50)
    return record.Cell(
        scenario="large",
        step="policies applied",
        source=probe.source,
        destination=probe.destination,
        via=probe.via,
        protocol=probe.protocol,
        port=probe.port,
        family=probe.family,
        kind=probe.kind,
        intended=Intent.CONNECTED if connected else Intent.DENIED,
        specified=decision.specified,
        measured=Measured.CONNECTED if outcome is Outcome.CONNECTED else Measured.DENIED,
        outcome=outcome,
        verdict=Verdict.CNI_DIFFERENCE if odd else Verdict.HOLDS,
        accepted=not odd,
        because=decision.because,
        egress=_side(decision.egress),
        ingress=_side(decision.ingress),
        attempts=[first, last],
        settled_after_s=last.at_s,
        host=host,
        seen_source="",
        reproduce=f"kubectl -n {probe.source.replace('/', ' exec ')} -- dial {host} {probe.port} {probe.protocol}",
    )


def _side(side: DirectionDecision) -> record.RecordedSide:
    return record.RecordedSide(
        isolated=side.isolated,
        isolating=list(side.isolating),
        allowed=bool(side.allowed),
        rule=f"{side.policy} {side.rule}" if side.rule else "",
    )


def browser() -> str | None:
    """The path of a browser that can run headless, if there is one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def figures(sizes: Sequence[int]) -> Iterator[PageFigure]:
    """A page for each number of cells, written by a process of its own. Raises NetproofError when that fails."""
    with tempfile.TemporaryDirectory(prefix="netproof-bench-") as folder:
        for cells in sizes:
            file = Path(folder) / f"{cells}.html"
            done = timed([sys.executable, "-m", "netproof.proving.bench.page", str(cells), str(file)])
            if done.code:
                raise NetproofError(f"the page's process failed:\n{done.output}")
            figure = PageFigure.model_validate_json(done.output.splitlines()[-1])
            yield figure.model_copy(update={"load_s": _load(file)})


def _load(page: Path) -> float | None:
    """Seconds from the browser's start until the page's script has drawn it, less those of an empty page; None where
    there is no browser. Raises NetproofError when it fails."""
    found = browser()
    if found is None:
        return None
    empty = page.with_name("empty.html")
    empty.write_text(EMPTY, encoding="utf-8")
    took = [(_opened(found, page), _opened(found, empty)) for _ in range(TIMES)]
    return round(max(0.0, min(full for full, _ in took) - min(bare for _, bare in took)), 2)


def _opened(browser: str, page: Path) -> float:
    with tempfile.TemporaryDirectory(prefix="netproof-bench-", ignore_cleanup_errors=True) as profile:
        # A picture is taken once the page is loaded and painted; --dump-dom would add the time to write the page out.
        picture = Path(profile) / "page.png"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        done = timed(
            [browser, *options, f"--user-data-dir={profile}", f"--screenshot={picture}", page.absolute().as_uri()]
        )
        if done.code or not picture.exists():
            raise NetproofError(f"{browser} did not open the page:\n{done.output}")
    return done.wall_s


def written(cells: int, file: Path) -> PageFigure:
    """One page, timed without the making of its record."""
    report = made(cells)
    began = time.monotonic()
    write_file(file, render_html(report))
    took = time.monotonic() - began
    return PageFigure(
        cells=cells,
        write_s=round(took, 2),
        size_kib=file.stat().st_size // 1024,
        load_s=None,
        memory_mib=peak_mib(),
    )


if __name__ == "__main__":
    print(written(int(sys.argv[1]), Path(sys.argv[2])).model_dump_json())
