"""Where probe pods run. A driver is a module that satisfies `Driver`; adding one is a file and a line in `DRIVERS`."""

from __future__ import annotations

from importlib import import_module

from netproof.clusters.recipes import Recipe
from netproof.drivers.protocol import Applied, Driver, DriverOptions, Environment

__all__ = ["DRIVERS", "Applied", "Driver", "DriverOptions", "Environment", "create"]

DRIVERS = {
    "reference": "netproof.drivers.reference",
    "kind": "netproof.drivers.kind",
}
"""Driver name (a recipe's `driver`) -> module with `create(recipe, options) -> Driver`."""


def create(recipe: Recipe, options: DriverOptions) -> Driver:
    driver: Driver = import_module(DRIVERS[recipe.driver]).create(recipe, options)
    return driver
