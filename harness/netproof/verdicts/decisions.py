"""What a scenario's policies mean, step after step. Everybody who needs it walks the steps here: runs, dry runs,
reports on paper, coverage, mutation and shrinking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from netproof.catalogue.scenarios import Scenario, Step
from netproof.clusters.reviews import Reviews
from netproof.model import Intent, Matrix, Measured, Placement, Probe, Specified, Topology
from netproof.model.placement import place_on_paper
from netproof.policy import Decision, Evaluator, Policy, decide_probes, read_policies, warnings


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedStep:
    """A step, the policies that are in force after it, and what they mean for each of its probes. Nobody meant anything
    by a generated step: its cells are intended to be what its policies mean."""

    step: Step
    placement: Placement
    policies: tuple[Policy, ...]
    decisions: Mapping[Probe, Decision]

    @property
    def specified(self) -> Matrix[Specified]:
        return Matrix({probe: decision.specified for probe, decision in self.decisions.items()})


def decide_steps(scenario: Scenario, place: Callable[[Topology], Placement]) -> Iterator[DecidedStep]:
    """A scenario's steps in turn. `place` gives the addresses of a step's topology when the step has its turn: a run
    has carried it out by then. Raises InputError for policies that cannot be read."""
    decided: DecidedStep | None = None
    for step in scenario.steps:
        decided = decide_step(step, place(step.topology), decided)
        yield replace(decided, step=_intend_specified(decided)) if scenario.draft else decided


def decide_on_paper(scenario: Scenario) -> Iterator[DecidedStep]:
    """The same on made-up addresses, which the placeholders of its policies get, too."""
    return decide_steps(scenario.fill(place_on_paper(scenario.topology)), place_on_paper)


def decide_step(step: Step, placement: Placement, before: DecidedStep | None = None) -> DecidedStep:
    """One step; `before` is the one before it."""
    policies = read_policies(step.policies)
    evaluator = Evaluator(policies, step.topology, placement)
    decisions = decide_probes(evaluator, step.intended, before.decisions if before else {})
    return DecidedStep(step=step, placement=placement, policies=policies, decisions=decisions)


def _intend_specified(decided: DecidedStep) -> Step:
    """Such a step asks whether dataplane and evaluator agree."""
    meant = {
        probe: Intent.DENIED if decision.specified is Specified.DENIED else Intent.CONNECTED
        for probe, decision in decided.decisions.items()
    }
    return replace(decided.step, intended=Matrix(meant))


def expect_measured(decided: DecidedStep, known: Reviews, scenario: str) -> dict[Probe, Measured]:
    """What a settled matrix must show so that measuring need not go on: the specified value, or its opposite where a
    reviewed known difference says so."""
    found = {}
    for probe, decision in decided.decisions.items():
        if decision.specified is Specified.UNSPECIFIED:
            continue
        connects = decision.specified is Specified.CONNECTED
        if known.declared(scenario, decided.step.name, probe):
            connects = not connects
        found[probe] = Measured.CONNECTED if connects else Measured.DENIED
    return found


def warn_of_policies(scenario: Scenario, decided: Sequence[DecidedStep]) -> list[str]:
    """What is allowed by the API and hardly ever meant, in all policies that a scenario applies. `decided` are the
    steps that were decided: unless that is all of them, the policies are read on paper."""
    if len(decided) < len(scenario.steps):
        steps = scenario.fill(place_on_paper(scenario.topology)).steps
        return warnings(read_policies([manifest for step in steps for manifest in step.applied]), scenario.topology)
    by_name: dict[str, tuple[Policy, ...]] = {}
    for one in decided:
        # One object may be several policies; a later step may replace it.
        by_name |= {policy.ref: tuple(p for p in one.policies if p.ref == policy.ref) for policy in one.policies}
    return warnings([policy for found in by_name.values() for policy in found], scenario.topology)
