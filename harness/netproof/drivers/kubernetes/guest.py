"""A driver on a cluster that is somebody else's, for as long as it is needed there."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from netproof.clusters.recipes import Recipe
from netproof.drivers.kubernetes.driver import KubernetesDriver, Site
from netproof.drivers.kubernetes.objects import Api
from netproof.drivers.protocol import DriverOptions, Environment
from netproof.errors import ClusterError
from netproof.model import Say


class GuestDriver(KubernetesDriver):
    """On these nodes of a cluster that answers. What it deploys there is for the caller to remove; of what others have
    there it touches nothing."""

    def __init__(self, api: Api, nodes: Sequence[Mapping[str, Any]], recipe: Recipe, options: DriverOptions) -> None:
        super().__init__(recipe, options)
        self._connect(Site(api=api, nodes=nodes, token=options.token or secrets.token_hex(8), origin="existing"))

    def start(self, say: Say) -> Environment:
        return self._describe()

    def handle(self) -> Mapping[str, str]:
        return {}

    def attach(self, handle: Mapping[str, str]) -> Environment:
        raise ClusterError("a guest on a cluster shares it with no other process")
