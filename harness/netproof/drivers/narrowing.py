"""Policies that hold for a whole cluster, held within one worker's namespaces: workers measure side by side, and one's
deny must not reach the pods of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netproof.model import Manifest

LABEL = "netproof.dev/worker"
"""The label of a worker's namespaces; its value is the worker."""


def narrow_subjects(manifest: Manifest, worker: str) -> Manifest:
    """The same policy under a name of the worker's own, with pods of the worker's namespaces as its only subjects. What
    is not a policy for the whole cluster stays as it is."""
    narrow_kind = SUBJECTS.get(manifest.get("kind", ""))
    metadata = manifest.get("metadata") or {}
    if narrow_kind is None or not metadata.get("name"):
        return manifest
    name = f"{metadata['name']}-{worker}"
    return {**narrow_kind(manifest, worker), "metadata": {**metadata, "name": name}}


def _calico(manifest: Manifest, worker: str) -> Manifest:
    spec = _mapping(manifest.get("spec"))
    ours = f"{LABEL} == '{worker}'"
    written = spec.get("namespaceSelector")
    return {**manifest, "spec": {**spec, "namespaceSelector": f"({written}) && {ours}" if written else ours}}


def _cilium(manifest: Manifest, worker: str) -> Manifest:
    label = f"io.cilium.k8s.namespace.labels.{LABEL}"

    def narrow(spec: Any) -> Any:
        if not isinstance(spec, Mapping) or "endpointSelector" not in spec:
            return spec
        return {**spec, "endpointSelector": _require_label(spec["endpointSelector"], label, worker)}

    found: dict[str, Any] = dict(manifest)
    if manifest.get("spec"):
        found["spec"] = narrow(manifest["spec"])
    if isinstance(manifest.get("specs"), list | tuple):
        found["specs"] = [narrow(spec) for spec in manifest["specs"]]
    return found


def _network_policy_api(manifest: Manifest, worker: str) -> Manifest:
    spec = _mapping(manifest.get("spec"))
    subject = dict(_mapping(spec.get("subject")))
    if "namespaces" in subject:
        subject["namespaces"] = _require_label(subject["namespaces"], LABEL, worker)
    if subject.get("pods"):
        pods = _mapping(subject["pods"])
        subject["pods"] = {**pods, "namespaceSelector": _require_label(pods.get("namespaceSelector"), LABEL, worker)}
    return {**manifest, "spec": {**spec, "subject": subject}}


def _require_label(selector: Any, label: str, value: str) -> dict[str, Any]:
    selector = _mapping(selector)
    return {**selector, "matchLabels": {**_mapping(selector.get("matchLabels")), label: value}}


def _mapping(content: Any) -> Mapping[str, Any]:
    """What is no mapping is refused by the API server, with or without what is added here."""
    return content if isinstance(content, Mapping) else {}


SUBJECTS = {
    "GlobalNetworkPolicy": _calico,
    "CiliumClusterwideNetworkPolicy": _cilium,
    "ClusterNetworkPolicy": _network_policy_api,
    "AdminNetworkPolicy": _network_policy_api,
}
"""Kind -> what narrows its subjects."""
