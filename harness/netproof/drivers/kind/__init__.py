"""The kind driver: real CNIs on clusters of containers. What differs between CNIs is in `clusters/<cni>/recipe.yaml`;
no code here knows a CNI's name. `state` (which clusters are ours) is importable without the kubernetes client."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netproof.clusters.recipes import Recipe
    from netproof.drivers import Driver, DriverOptions


def create(recipe: Recipe, options: DriverOptions) -> Driver:
    from netproof.drivers.kind.driver import KindDriver

    return KindDriver(recipe, options)
