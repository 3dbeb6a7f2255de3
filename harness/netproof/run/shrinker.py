"""A generated scenario's disagreement made minimal on the CNI that showed it, and saved as a file that replays."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from netproof.catalogue.scenarios import Scenario
from netproof.errors import InputError
from netproof.manifests.data_dirs import display_path
from netproof.model import Measured, Probe, Specified
from netproof.report.record import Cell
from netproof.run.measurement import Measurement
from netproof.run.progress import Progress
from netproof.verdicts.decisions import decide_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrinker:
    """`hold`: the CNI's hold window (seconds). `folder`: where the files are written. `reproduce` gives the
    command that runs one scenario again."""

    measurement: Measurement
    progress: Progress
    cni: str
    hold: float
    folder: Path
    reproduce: Callable[[Scenario], str]

    def shrink(self, scenario: Scenario, wrong: Sequence[Cell]) -> dict[str, str]:
        """What of the scenario's result is another one then: its reason, and how to reproduce it. `wrong` are the cells
        that disagree."""
        from netproof.generate import minimal

        with self.progress.phase(f"{scenario.id}: shrinking"):
            path, reason = minimal.find(scenario, wrong, self.disagrees, folder=self.folder, cni=self.cni)
        self.progress.write(f"   {reason}")
        file = f"--scenario-set={shlex.quote(display_path(path))}"
        return {"reason": reason, "reproduce": self.reproduce(replace(scenario, select=file))}

    def disagrees(self, scenario: Scenario, probe: Probe, specified: Specified, *, late: float, at_most: float) -> bool:
        """Whether a probe of the last step is specified so and measured otherwise, after `at_most` seconds if the CNI's
        settle limit is later. It once did so `late` seconds after the step's change: for so long an agreement says
        nothing. What is specified otherwise, and what the API server refuses, does not disagree. Raises NetproofError
        when nothing can be measured any more."""
        place = self.measurement.make_ready(scenario)
        try:
            scenario = scenario.fill(place.placement)
            steps = list(decide_steps(scenario, lambda _: place.placement))
            if steps[-1].decisions[probe].specified is not specified:
                return False
            settled = self.measurement.settle_last(scenario, place, steps, hold=late + self.hold, at_most=at_most)
        except InputError:
            return False
        measured = settled.readings[probe].measured
        return measured is not Measured.UNMEASURED and measured.value != specified.value
