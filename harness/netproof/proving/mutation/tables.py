"""The catalogue's tables against the evaluator of this very package, with no cluster. As a program it runs in a copy
that has a mutant, and prints which scenarios noticed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator

from netproof.catalogue.reading import read_scenarios
from netproof.catalogue.scenarios import Scenario
from netproof.catalogue.selection import list_files
from netproof.verdicts.decisions import decide_on_paper

EVERY = "--every"


def wrong(scenario: Scenario) -> Iterator[str]:
    """The cells of a table in which the evaluator does not say what the table says."""
    for decided in decide_on_paper(scenario):
        step = decided.step
        for probe, meant in step.intended.cells.items():
            expected = "unspecified" if probe in step.left_open else meant.value
            specified = decided.decisions[probe].specified
            if specified.value != expected:
                yield f"{step.name}: {probe}: table {expected}, evaluator {specified}"


def is_table(scenario: Scenario) -> bool:
    """Whether people wrote its table: a chart's map is an intent, from which its policies may differ as documented."""
    return scenario.documented.file == ""


def check(folders: Iterable[str], *, every: bool) -> dict[str, object]:
    """`caught`: the scenarios that notice, the first one only without `every`; `looked`: how many were asked."""
    first = list(folders)
    paths = sorted(
        list_files(), key=lambda path: first.index(path.parent.name) if path.parent.name in first else len(first)
    )
    looked, caught = 0, []
    for path in paths:
        for scenario in read_scenarios(path):
            if not is_table(scenario):
                continue
            looked += 1
            try:
                noticed = any(wrong(scenario))
            except Exception:
                # A mutant that cannot even decide is noticed, too.
                noticed = True
            if noticed:
                caught.append(scenario.id)
                if not every:
                    return {"caught": caught, "looked": looked}
    return {"caught": caught, "looked": looked}


if __name__ == "__main__":
    print(json.dumps(check((word for word in sys.argv[1:] if word != EVERY), every=EVERY in sys.argv)))
