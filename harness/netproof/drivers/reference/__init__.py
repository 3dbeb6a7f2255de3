"""The reference dataplane: the agents of real clusters in network namespaces, nftables rules from the policies.

It comes up in a fraction of a second and is gone with its process: every namespace lives only as long as a process in
it, and every process only as long as netproof, so there is nothing to clean up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netproof.clusters.recipes import Recipe
    from netproof.drivers import Driver, DriverOptions

SHARED = False
"""Each process has a fabric of its own."""


def create(recipe: Recipe, options: DriverOptions) -> Driver:
    """Raises InputError for an unknown fault."""
    from netproof.drivers.reference.driver import ReferenceDriver

    return ReferenceDriver(recipe, options)
