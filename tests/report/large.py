"""The example's record grown to any size, for sizes and speed."""

from __future__ import annotations

import random

from netproof.model import Intent, Measured, Outcome, Specified, Verdict
from netproof.report.record import Record, RecordedAttempt

from .example import example


def large(services: int = 50, ports: int = 10, cnis: int = 4) -> Record:
    """`cnis * services * services * ports` cells in one scenario each, for sizes and speed."""
    rng = random.Random(1)
    record = example("calico", "cilium")
    made = []
    for index in range(cnis):
        model = record.targets[index % 2]
        template = model.cells[0]
        cells = []
        for half in (range(ports // 2), range(ports // 2, ports)):
            for s in range(services):
                for d in range(services):
                    for p in half:
                        let = (s * 7 + d * 3 + p) % 4 == 0
                        wrong = rng.random() < 0.002
                        measured = Measured.CONNECTED if let != wrong else Measured.DENIED
                        outcome = Outcome.CONNECTED if let != wrong else Outcome.DROPPED
                        ms = rng.uniform(0.1, 2.0) if let != wrong else 250 + rng.random()
                        cells.append(
                            template.model_copy(
                                update={
                                    "scenario": f"large-{p // 5}",
                                    "source": f"shop-{s % 5}/service-{s}",
                                    "destination": f"shop-{d % 5}/service-{d}",
                                    "port": 8000 + p,
                                    "intended": Intent.CONNECTED if let else Intent.DENIED,
                                    "specified": Specified.CONNECTED if let else Specified.DENIED,
                                    "measured": measured,
                                    "outcome": outcome,
                                    "verdict": Verdict.CNI_DIFFERENCE if wrong else Verdict.HOLDS,
                                    "accepted": not wrong,
                                    "attempts": [
                                        RecordedAttempt(at_s=0.05, outcome=Outcome.CONNECTED, count=1, ms=rng.random()),
                                        RecordedAttempt(
                                            at_s=round(rng.choice([0.3, 0.6, 0.9]), 2), outcome=outcome, count=4, ms=ms
                                        ),
                                    ],
                                    "settled_after_s": 0.9,
                                    "host": f"10.{index}.{d // 250}.{d % 250}",
                                    "seen_source": f"10.{index}.1.{s % 250}" if let != wrong else "",
                                    "reproduce": f"kubectl --context c{index} -n shop-{s % 5} exec service-{s} -- dial "
                                    f"10.{index}.{d // 250}.{d % 250} {8000 + p} TCP",
                                }
                            )
                        )
        made.append(
            model.model_copy(
                update={
                    "cni": f"{model.cni}-{index}",
                    "cells": cells,
                    "reviewed": [],
                    "scenarios": [
                        model.scenarios[0].model_copy(update={"id": f"large-{n}"}) for n in range((ports + 4) // 5)
                    ],
                }
            )
        )
    return record.model_copy(update={"targets": made})
