"""Labels that a scenario's steps changed, over those that were deployed. A reset forgets them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.errors import InputError
from harness.model import Namespace, Pod

Changes = dict[str, dict[str, str | None]]
"""Name -> label -> its new value; None takes the label away, as in a merge patch."""


class Labels:
    def __init__(self) -> None:
        self._namespaces: Changes = {}
        self._pods: Changes = {}

    def apply(
        self, manifests: Sequence[Mapping[str, Any]], namespaces: Mapping[str, Namespace], pods: Mapping[str, Pod]
    ) -> None:
        """Take the labels of Namespaces and Pods. Raises InputError, and changes nothing, if one is not deployed."""
        wished: list[tuple[Changes, str, dict[str, str | None]]] = []
        for manifest in manifests:
            metadata = manifest.get("metadata") or {}
            name, labels = metadata.get("name"), metadata.get("labels") or {}
            match manifest.get("kind"):
                case "Namespace":
                    changes, owner, known = self._namespaces, name, list(namespaces)
                case "Pod":
                    changes, owner, known = self._pods, f"{metadata.get('namespace', 'default')}/{name}", list(pods)
                case _:
                    continue
            if owner not in known:
                raise InputError(f"is not deployed; deployed: {', '.join(known)}", key=f"{manifest['kind']} {owner}")
            wished.append((changes, owner, labels))
        for changes, owner, labels in wished:
            changes.setdefault(owner, {}).update(labels)

    def reset(self) -> None:
        self._namespaces.clear()
        self._pods.clear()

    def namespace(self, namespace: Namespace) -> Namespace:
        return replace(namespace, labels=_merged(namespace.labels, self._namespaces.get(namespace.name, {})))

    def pod(self, pod: Pod) -> Pod:
        return replace(pod, labels=_merged(pod.labels, self._pods.get(pod.id, {})))


def _merged(labels: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in {**labels, **changes}.items() if value is not None}
