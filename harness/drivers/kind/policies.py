"""What a scenario's steps change on a cluster, and its undoing: policies and other objects go, changed labels come back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

import yaml

from harness.drivers import Manifest
from harness.drivers.kind.manifests import MANAGED, RUN
from harness.drivers.kind.objects import Api, Ref, concurrently, submit

FIXED = ("Namespace", "Pod")
"""Of deployed objects of these kinds a step changes labels only: most else of them cannot be changed."""


class Policies:
    """Applied objects of one cluster, as this process knows them."""

    def __init__(self, api: Api, dialects: Sequence[str], run: str) -> None:
        self._api = api
        self._dialects = dialects
        self._run = run
        self._applied: dict[Ref, None] = {}
        self._deployed: dict[Ref, Manifest] = {}
        self._changed: dict[Ref, None] = {}

    def deployed(self, manifests: Iterable[Manifest]) -> None:
        """Objects that a reset brings back to this form instead of deleting them."""
        self._deployed.update((Ref.of(manifest), manifest) for manifest in manifests)

    def apply(self, manifests: Sequence[Manifest]) -> None:
        """In their order of appearance if one needs another, else at once. Raises InputError when one is refused."""
        for manifest in manifests:
            ref = Ref.of(manifest)
            (self._changed if ref in self._deployed else self._applied)[ref] = None
        concurrently(lambda manifest: submit(self._api, self._final(manifest)), manifests)

    def reset(self) -> None:
        """Delete what was applied here, and restore the labels of what was deployed here."""
        concurrently(self._api.delete, list(self._applied))
        concurrently(lambda ref: submit(self._api, self._deployed[ref]), list(self._changed))
        self._applied.clear()
        self._changed.clear()

    def live(self) -> str:
        """The applied objects as the cluster has them now, as YAML."""
        found = [self._api.get(ref) for ref in self._applied]
        for item in found:
            if item:
                item["metadata"].pop("managedFields", None)
        return yaml.safe_dump_all([item for item in found if item], sort_keys=False)

    def clear_leftovers(self, namespaces: Iterable[str]) -> None:
        """Delete what an earlier run left on a kept cluster: everything of the dialects that carries our label, and every
        policy, whoever made it, in these namespaces of ours."""
        names = set(namespaces)
        refs: list[Ref] = []
        for dialect in self._dialects:
            for kind, plural, namespaced in self._api.kinds(dialect):
                for item in self._api.list(f"/apis/{dialect}/{plural}"):
                    metadata = item["metadata"]
                    ours = (metadata.get("labels") or {}).get(MANAGED) == "true"
                    within = namespaced and kind.endswith("Policy") and metadata["namespace"] in names
                    if ours or within:
                        refs.append(Ref(dialect, kind, metadata.get("namespace", ""), metadata["name"]))
        concurrently(self._api.delete, refs)

    def _final(self, manifest: Manifest) -> Manifest:
        """The manifest with our label; for a deployed pod or namespace its deployed form with the manifest's labels."""
        ref = Ref.of(manifest)
        labels = dict((manifest.get("metadata") or {}).get("labels") or {})
        final: dict[str, Any]
        if ref in self._deployed and ref.kind in FIXED:
            final = deepcopy(dict(self._deployed[ref]))
            ours = {key: value for key, value in final["metadata"].get("labels", {}).items() if _infrastructure(key)}
            final["metadata"]["labels"] = {**labels, **ours}
        else:
            final = deepcopy(dict(manifest))
            final["metadata"]["labels"] = {**labels, MANAGED: "true", RUN: self._run}
        return final


def _infrastructure(label: str) -> bool:
    return label.startswith(("netproof.dev/", "pod-security.kubernetes.io/"))
