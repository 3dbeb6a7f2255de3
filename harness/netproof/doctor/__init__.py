"""What this machine can run, what is missing, and the command that would fix it. Looks only: nothing is changed,
started or fetched. A new check is a function that gives findings, and a line in `CHECKS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from netproof.doctor import clusters, kernel, machine
from netproof.doctor.diagnosis import Diagnosis, DiagnosisState

Check = Callable[[], Iterable[Diagnosis]]

CHECKS: Mapping[str, Check] = {
    "this machine": machine.python,
    "reference driver": machine.of_this_machine,
    "clusters": clusters.programs,
    "kernel": kernel.features,
    "limits": kernel.limits,
    "leftovers": clusters.leftovers,
}
"""Group -> what looks. The CNIs come last, since they need to know what the others found."""


def examine(*, online: bool = False) -> Iterator[Diagnosis]:
    """All findings, in the order of the table. `online`: ask whether upstream can be reached for what is not here."""
    for group, check in CHECKS.items():
        for finding in check():
            yield finding.of(group)
    for finding in clusters.recipes_here(online=online):
        yield finding.of("CNIs")


__all__ = ["CHECKS", "Diagnosis", "DiagnosisState", "examine"]
