"""All mutants in parallel, and what the results add up to."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from fnmatch import fnmatchcase

from netproof.catalogue.reading import read_scenarios
from netproof.catalogue.scenarios import Scenario
from netproof.catalogue.selection import list_files
from netproof.errors import InputError
from netproof.proving.mutation import dataplane, mutants, tables
from netproof.proving.mutation.mutants import Mutant, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """`idle`: the scenarios that noticed nothing, where every one was asked."""

    results: tuple[Result, ...]
    idle: tuple[str, ...]

    @property
    def survivors(self) -> tuple[Result, ...]:
        return tuple(result for result in self.results if not result.caught and not result.skipped)

    @property
    def tried(self) -> tuple[Result, ...]:
        return tuple(result for result in self.results if not result.skipped)

    @property
    def percent(self) -> float:
        """Rounded down: one survivor of many is not 100."""
        tried = len(self.tried)
        return int(1000 * (tried - len(self.survivors)) / tried) / 10 if tried else 0.0


def run(
    kinds: Sequence[str], patterns: Sequence[str], jobs: int, *, every: bool, done: Callable[[Result], None]
) -> Score:
    """`done` is told each result as it comes. Raises InputError for a pattern that names nothing, NetproofError."""
    catalogue = [one for path in list_files() for one in read_scenarios(path)]
    held = [one for one in catalogue if tables.is_table(one)]
    chosen = [m for m in mutants.mutants() if not patterns or any(fnmatchcase(m.id, p) for p in patterns)]
    faults = dataplane.names(patterns) if "dataplane" in kinds else []
    if "evaluator" not in kinds:
        chosen = []
    if not chosen and not faults:
        raise InputError("no fault is called so; `netproof mutate --list` shows them", key=", ".join(patterns))
    results = []
    # Forked, so that every process has the catalogue; one for each mutant, so that none inherits a dataplane.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("fork")) as pool:
        waiting = [pool.submit(_fault, name, held, every) for name in faults]
        waiting += [pool.submit(_mutant, mutant, every) for mutant in chosen]
        for future in as_completed(waiting):
            results.append(future.result())
            done(results[-1])
    noticed = {name for result in results for name in result.caught}
    idle = tuple(one.id for one in held if one.id not in noticed) if every else ()
    order = {name: place for place, name in enumerate((*faults, *(m.id for m in chosen)))}
    return Score(results=tuple(sorted(results, key=lambda result: (result.kind, order[result.id]))), idle=idle)


def _fault(name: str, held: list[Scenario], every: bool) -> Result:
    return dataplane.run(name, held, every=every)


def _mutant(mutant: Mutant, every: bool) -> Result:
    return mutants.run(mutant, every=every)


def listed() -> Iterator[tuple[str, str, str]]:
    """Kind, name and sentence of every fault."""
    from netproof.drivers.reference.faults import FAULTS

    yield from (("dataplane", name, fault.says) for name, fault in FAULTS.items())
    yield from (("evaluator", mutant.id, mutant.says) for mutant in mutants.mutants())
