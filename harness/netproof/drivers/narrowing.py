"""Policies that hold for a whole cluster, held within one worker's namespaces: workers measure side by side, and one's
deny must not reach the pods of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netproof.model import Manifest

LABEL = "netproof.dev/worker"
"""The label of a worker's namespaces; its value is the worker."""


def confined(manifest: Manifest, worker: str) -> Manifest:
    """The same policy under a name of the worker's own, with pods of the worker's namespaces as its only subjects. What
    is not a policy for the whole cluster stays as it is."""
    narrow = SUBJECTS.get(manifest.get("kind", ""))
    metadata = manifest.get("metadata") or {}
    if narrow is None or "namespace" in metadata:
        return manifest
    name = f"{metadata['name']}-{worker}"
    return {**narrow(manifest, worker), "metadata": {**metadata, "name": name}}


def _calico(manifest: Manifest, worker: str) -> Manifest:
    spec = manifest.get("spec") or {}
    ours = f"{LABEL} == '{worker}'"
    written = spec.get("namespaceSelector")
    return {**manifest, "spec": {**spec, "namespaceSelector": f"({written}) && {ours}" if written else ours}}


def _cilium(manifest: Manifest, worker: str) -> Manifest:
    label = f"io.cilium.k8s.namespace.labels.{LABEL}"

    def narrowed(spec: Mapping[str, Any]) -> dict[str, Any]:
        if "endpointSelector" not in spec:
            return dict(spec)
        return {**spec, "endpointSelector": _labelled(spec["endpointSelector"], label, worker)}

    found: dict[str, Any] = dict(manifest)
    if manifest.get("spec"):
        found["spec"] = narrowed(manifest["spec"])
    if manifest.get("specs"):
        found["specs"] = [narrowed(spec) for spec in manifest["specs"]]
    return found


def _network_policy_api(manifest: Manifest, worker: str) -> Manifest:
    spec = manifest.get("spec") or {}
    subject = dict(spec.get("subject") or {})
    if "namespaces" in subject:
        subject["namespaces"] = _labelled(subject["namespaces"], LABEL, worker)
    if subject.get("pods"):
        pods = subject["pods"]
        subject["pods"] = {**pods, "namespaceSelector": _labelled(pods.get("namespaceSelector"), LABEL, worker)}
    return {**manifest, "spec": {**spec, "subject": subject}}


def _labelled(selector: Mapping[str, Any] | None, label: str, value: str) -> dict[str, Any]:
    selector = selector or {}
    return {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), label: value}}


SUBJECTS = {
    "GlobalNetworkPolicy": _calico,
    "CiliumClusterwideNetworkPolicy": _cilium,
    "ClusterNetworkPolicy": _network_policy_api,
    "AdminNetworkPolicy": _network_policy_api,
}
"""Kind -> what narrows its subjects."""
