"""Deliberate defects of the reference dataplane (`--fault NAME`), so that a suite can prove that it notices. Each is a
plausible slip of a CNI; adding one is a function and a line in a table of this room. Pure."""

from __future__ import annotations

from difflib import get_close_matches

from netproof.drivers.reference.faults import isolation, peers, ports, wire
from netproof.drivers.reference.faults.changes import Fault, Scene, unchanged
from netproof.errors import InputError

__all__ = ["FAULTS", "Fault", "Scene", "find"]

FAULTS: dict[str, Fault] = {
    name: fault
    for table in (peers.FAULTS, ports.FAULTS, isolation.FAULTS, wire.FAULTS)
    for name, fault in sorted(table.items())
}
NONE = Fault(says="nothing", policies=unchanged)


def find(name: str) -> Fault:
    """The fault of this name; '' is none. Raises InputError that lists the known ones."""
    if not name:
        return NONE
    if name not in FAULTS:
        near = get_close_matches(name, FAULTS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"unknown fault {name!r}; {hint}known: {', '.join(FAULTS)}", key="--fault")
    return FAULTS[name]
