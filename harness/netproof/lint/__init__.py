"""Policies and the pods that they are about -> findings. Pure: knows no driver, no CNI by name, no command line."""

from netproof.lint.engines import FEATURES
from netproof.lint.inputs import POD_RANGE, ground, unread, written
from netproof.lint.model import (
    Cell,
    Engine,
    Finding,
    Ground,
    Intended,
    Known,
    LintRule,
    Place,
    Severity,
    World,
    Written,
)
from netproof.lint.table import MISSING, RULES, Checked, check
from netproof.lint.workloads import world_of

__all__ = [
    "FEATURES",
    "MISSING",
    "POD_RANGE",
    "RULES",
    "Cell",
    "Checked",
    "Engine",
    "Finding",
    "Ground",
    "Intended",
    "Known",
    "LintRule",
    "Place",
    "Severity",
    "World",
    "Written",
    "check",
    "ground",
    "unread",
    "world_of",
    "written",
]
