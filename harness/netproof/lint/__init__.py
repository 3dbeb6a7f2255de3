"""Policies and the pods that they are about -> findings. Pure: knows no driver, no CNI by name, no command line."""

from netproof.lint.cni.rules import FEATURES
from netproof.lint.inputs import POD_RANGE, build_input, find_unread, locate_policies, read_inventory
from netproof.lint.model import (
    CniProfile,
    IntendedCells,
    Inventory,
    KnownDifference,
    LintFinding,
    LintInput,
    LintRule,
    LocatedPolicy,
    MapCell,
    Severity,
    SourceLocation,
)
from netproof.lint.table import MISSING, RULES, Checked, check

__all__ = [
    "FEATURES",
    "MISSING",
    "POD_RANGE",
    "RULES",
    "Checked",
    "CniProfile",
    "IntendedCells",
    "Inventory",
    "KnownDifference",
    "LintFinding",
    "LintInput",
    "LintRule",
    "LocatedPolicy",
    "MapCell",
    "Severity",
    "SourceLocation",
    "build_input",
    "check",
    "find_unread",
    "locate_policies",
    "read_inventory",
]
