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
    """A worker of a run sees its driver through its own namespaces, unless each process has a place of its own anyway
    (the module says so by `SHARED = False`)."""
    module = import_module(DRIVERS[recipe.driver])
    driver: Driver = module.create(recipe, options)
    if not options.worker or not getattr(module, "SHARED", True):
        return driver
    from netproof.drivers.worker import WorkerDriver

    return WorkerDriver(driver, options.worker)
