"""Faults of the reference dataplane, found by packets. On paper it is known which scenarios a fault of policies should
make fail, so those are measured first; a fault counts as caught only when packets showed it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

from netproof.catalogue.scenarios import Scenario
from netproof.clusters import recipes
from netproof.drivers.reference import faults
from netproof.drivers.reference.faults import Fault
from netproof.errors import NotEnforced
from netproof.model import Specified, Topology
from netproof.model.placement import place_on_paper
from netproof.policy import Evaluator, Policy, read_policies
from netproof.proving.mutation.mutants import Result
from netproof.run.progress import Progress
from netproof.run.session import RunOptions, Session

TRIES = {
    "ipv6-not-judged": ("*famil*", "*v6*", "addressing-*"),
    "own-node-judged": ("hosts-*", "isolation-*"),
    "replies-judged": ("isolation-*",),
    "sctp-not-judged": ("ports-sctp*", "ports-*"),
    "udp-not-judged": ("ports-*",),
}
"""What is measured first for faults of compiled rules, of which nothing is known on paper."""
NEEDS = {"ipv6-not-judged": "IPv6", "sctp-not-judged": "SCTP"}
"""What a machine must have to show a fault at all."""
MOST = 12
"""So many scenarios that should fail are measured before a fault counts as a survivor."""


def run(name: str, scenarios: Sequence[Scenario], *, every: bool) -> Result:
    """One fault against the catalogue. `every`: also which scenarios would notice, on paper. Raises NetproofError."""
    fault = faults.FAULTS[name]
    began = time.monotonic()
    skipped = ""
    with TemporaryDirectory(prefix="netproof-fault-") as folder, _session(name, Path(folder)) as session:
        needs = tuple(filter(None, [NEEDS.get(name)]))
        looked, measured = 0, 0
        caught: list[str] = []
        if not (skipped := session.missing(replace(scenarios[0], needs=needs)) if needs else ""):
            looked, measured, caught = _measured(session, name, fault, scenarios)
    if every and not blind(fault):
        caught += [one.id for one in scenarios if one.id not in caught and predicted(fault, one)]
    return Result(
        kind="dataplane",
        id=name,
        says=fault.says,
        caught=tuple(caught),
        looked=looked,
        measured=measured,
        seconds=round(time.monotonic() - began, 1),
        skipped=skipped,
    )


@contextmanager
def _session(name: str, folder: Path) -> Iterator[Session]:
    options = RunOptions(run_id="mutate", token="mutate", report_dir=folder, fault=name)
    session = Session(recipes.parse_cni("reference")[0], 0, options, Progress(lambda line: None))
    session.start()
    try:
        # Here the catalogue is on trial: a pre-flight that notices does not end it.
        with suppress(NotEnforced):
            session.prepare([])
        yield session
    finally:
        session.close()


def _measured(session: Session, name: str, fault: Fault, scenarios: Sequence[Scenario]) -> tuple[int, int, list[str]]:
    looked = measured = 0
    for scenario, promising in _in_order(name, fault, scenarios):
        looked += 1
        if not promising or session.missing(scenario):
            continue
        measured += 1
        if session.measure(scenario, measured).scenario.result == "failed":
            return looked, measured, [scenario.id]
        if measured >= MOST and not blind(fault):
            break
    return looked, measured, []


def _in_order(name: str, fault: Fault, scenarios: Sequence[Scenario]) -> Iterator[tuple[Scenario, bool]]:
    """The scenarios, and whether each is worth packets."""
    patterns = TRIES.get(name, ())
    first = [one for one in scenarios if any(fnmatchcase(one.id, pattern) for pattern in patterns)]
    for scenario in (*first, *(one for one in scenarios if one not in first)):
        yield scenario, blind(fault) or predicted(fault, scenario)


def blind(fault: Fault) -> bool:
    """Whether nothing can be said of it on paper, since it changes compiled rules."""
    return fault.rules is not str


def predicted(fault: Fault, scenario: Scenario) -> bool:
    """Whether on paper a dataplane with this fault gives another table."""
    first = scenario.topology
    enforced: tuple[Policy, ...] = ()
    for step in scenario.fill(place_on_paper(scenario.topology)).steps:
        placement = place_on_paper(step.topology)
        first = _first(step.topology, first)
        believed = fault.world(step.topology, first)
        meant = read_policies(step.policies)
        enforced = fault(meant, faults.Scene(topology=believed, enforced=enforced))
        if enforced == meant and believed == step.topology:
            continue
        true, false = Evaluator(meant, step.topology, placement), Evaluator(enforced, believed, placement)
        for probe in step.intended:
            said, done = (evaluator.decide(probe).specified for evaluator in (true, false))
            if said is not done and Specified.UNSPECIFIED not in (said, done):
                return True
    return False


def _first(now: Topology, known: Topology) -> Topology:
    spaces = {space.name: space for space in (*now.namespaces, *known.namespaces)}
    pods = {pod.id: pod for pod in (*now.pods, *known.pods)}
    return Topology(namespaces=tuple(spaces.values()), pods=tuple(pods.values()))


def names(patterns: Iterable[str]) -> list[str]:
    """The faults that these patterns name; all without one."""
    given = list(patterns)
    return [name for name in faults.FAULTS if not given or any(fnmatchcase(name, pattern) for pattern in given)]
