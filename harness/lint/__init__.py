"""Policies and the pods that they are about -> findings. Pure: knows no driver, no CNI by name, no command line."""

from harness.lint.engines import FEATURES
from harness.lint.ground import POD_RANGE, ground, unread, written
from harness.lint.model import (
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
from harness.lint.table import MISSING, RULES, Checked, check
from harness.lint.workloads import world_of

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
