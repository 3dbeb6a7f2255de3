"""The kind driver: real CNIs on clusters of containers. What differs between CNIs is in `clusters/<cni>/recipe.yaml`;
no code here knows a CNI's name. `state` (which clusters are ours) is importable without the kubernetes client."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.drivers import Driver, DriverOptions
    from harness.recipes import Recipe


def create(recipe: Recipe, options: DriverOptions) -> Driver:
    from harness.drivers.kind.driver import KindDriver

    return KindDriver(recipe, options)
