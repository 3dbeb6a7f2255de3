"""The policies that a scenario's steps apply, and their removal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netproof.drivers.kubernetes.manifests import MANAGED, RUN
from netproof.drivers.kubernetes.objects import OUTAGE, Api, Ref, concurrently, submit, withdraw
from netproof.manifests.yaml_documents import dump_yaml
from netproof.model import Manifest


class Policies:
    """Applied policies of one cluster, as this process knows them."""

    def __init__(self, api: Api, dialects: Sequence[str], run: str) -> None:
        self._api = api
        self._dialects = dialects
        self._run = run
        self._applied: dict[Ref, tuple[str, int]] = {}
        """Object -> its uid and generation when it was accepted: a changed spec has another generation."""

    def apply(self, manifests: Sequence[Manifest]) -> None:
        """All at once; one that is there already is replaced. Raises InputError when one is refused."""
        there = set(self._applied)
        self._applied.update((Ref.of(manifest), ("", 0)) for manifest in manifests)

        def put(manifest: Manifest) -> tuple[Ref, tuple[str, int]]:
            ref = Ref.of(manifest)
            return ref, _identity(submit(self._api, self._label(manifest), replace=ref in there))

        self._applied.update(concurrently(put, manifests))

    def delete(self, manifests: Sequence[Manifest]) -> None:
        refs = [Ref.of(manifest) for manifest in manifests]
        concurrently(lambda ref: withdraw(self._api, ref), refs)
        for ref in refs:
            self._applied.pop(ref, None)

    def reset(self, *, outage: float = OUTAGE) -> None:
        """Delete what was applied here. Raises ClusterError when nobody answers for `outage` seconds."""
        concurrently(lambda ref: withdraw(self._api, ref, outage=outage), list(self._applied))
        self._applied.clear()

    def disturbed(self) -> str:
        """What somebody else did to the applied policies, or ''."""
        for ref, identity in self._applied.items():
            item = self._api.get(ref)
            if item is None:
                return f"{ref} was deleted by somebody else"
            if _identity(item) != identity:
                return f"{ref} was changed by somebody else"
        return ""

    def live(self) -> str:
        """The applied policies as the cluster has them now, as YAML."""
        found = [item for ref in self._applied if (item := self._api.get(ref))]
        for item in found:
            item["metadata"].pop("managedFields", None)
        return dump_yaml(found)

    def clear_leftovers(self, namespaces: Iterable[str]) -> None:
        """Delete what earlier runs left on a kept cluster: all objects of the dialects with our label but not of this
        run, since its other workers measure meanwhile, and every policy, whoever made it, in these namespaces."""
        names = set(namespaces)
        kinds = [(dialect, *kind) for dialect in self._dialects for kind in self._api.kinds(dialect)]

        def left(which: tuple[str, str, str, bool]) -> list[Ref]:
            dialect, kind, plural, namespaced = which
            refs = []
            for item in self._api.list(f"/apis/{dialect}/{plural}"):
                metadata = item["metadata"]
                labels = metadata.get("labels") or {}
                within = namespaced and kind.endswith("Policy") and metadata["namespace"] in names
                if (labels.get(MANAGED) == "true" or within) and labels.get(RUN) != self._run:
                    refs.append(Ref(dialect, kind, metadata.get("namespace", ""), metadata["name"]))
            return refs

        concurrently(self._api.delete, [ref for found in concurrently(left, kinds) for ref in found])

    def _label(self, manifest: Manifest) -> Manifest:
        metadata = manifest["metadata"]
        labels = {**(metadata.get("labels") or {}), MANAGED: "true", RUN: self._run}
        return {**manifest, "metadata": {**metadata, "labels": labels}}


def _identity(item: Mapping[str, Any]) -> tuple[str, int]:
    metadata = item["metadata"]
    return metadata.get("uid", ""), metadata.get("generation", 0)
