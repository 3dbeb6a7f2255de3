"""What controllers make of a pod template: which pods, and the labels that they add to those of the template.

A policy may select by any of these labels, and they stand in no manifest. Values that only a cluster knows (a hash, a
uid) are made up from the workload's name: always the same, and equal to nothing that a policy can name.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MOST = 5
"""Pods of a workload whose pods have labels of their own (by number); of others two stand for all."""

SEVERAL = 2

HASH, REVISION = "pod-template-hash", "controller-revision-hash"
JOB_NAMES = ("batch.kubernetes.io/job-name", "job-name")
CONTROLLER_UIDS = ("batch.kubernetes.io/controller-uid", "controller-uid")
COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
POD_NAME, POD_INDEX = "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"
GENERATION, ROLLOUT_HASH = "pod-template-generation", "rollouts-pod-template-hash"

ADDED = frozenset(
    {HASH, REVISION, *JOB_NAMES, *CONTROLLER_UIDS, COMPLETION_INDEX, POD_NAME, POD_INDEX, GENERATION, ROLLOUT_HASH}
)
"""All labels that controllers add."""

VERSIONED = frozenset({"helm.sh/chart", "app.kubernetes.io/version", "chart", "heritage"})
"""Labels of a template that change with each version of a chart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One pod of a workload: its name, and the labels that its controller adds."""

    name: str
    added: Mapping[str, str]


def replicas(manifest: Mapping[str, Any], most: int = 0) -> tuple[Replica, ...]:
    """The pods of a workload, as far as they differ, and two where there may be several that are alike. `most`: how
    many an autoscaler may make of it."""
    kind, name = manifest["kind"], str(manifest["metadata"]["name"])
    given = manifest.get("spec")
    spec: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    own = ADDERS[kind](manifest, name, spec) if kind in ADDERS else {}
    count = max(COUNTS[kind](spec) if kind in COUNTS else 1, most)
    numbered = _numbered(kind, spec)
    if numbered is None:
        names = (name,) if count <= 1 else tuple(f"{name}-{place}" for place in range(SEVERAL))
        return tuple(Replica(name=one, added=own) for one in names[:count])
    first, labels = numbered
    return tuple(
        Replica(
            name=name if count == 1 else f"{name}-{number}",
            added={**own, **{key: value(name, number) for key, value in labels.items()}},
        )
        for number in range(first, first + min(count, MOST))
    )


def lasting(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that neither a controller adds nor a new version of a chart changes."""
    return {key: value for key, value in labels.items() if key not in ADDED | VERSIONED}


def _number(spec: Mapping[str, Any], key: str, default: int = 1) -> int:
    value = spec.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else default


def _scaled(spec: Mapping[str, Any]) -> int:
    """Who is scaled to nothing is meant to be scaled again."""
    return max(_number(spec, "replicas"), 1)


def _jobs(spec: Mapping[str, Any]) -> int:
    return max(_number(spec, "completions"), _number(spec, "parallelism"), 1)


COUNTS: Mapping[str, Callable[[Mapping[str, Any]], int]] = {
    "Deployment": _scaled,
    "Rollout": _scaled,
    "StatefulSet": _scaled,
    "ReplicaSet": lambda spec: _number(spec, "replicas"),
    "ReplicationController": lambda spec: _number(spec, "replicas"),
    "DaemonSet": lambda spec: SEVERAL,
    "Job": _jobs,
}
"""Kind -> how many pods there are; of a DaemonSet one on each node."""

Text = Callable[[str, int], str]


def _numbered(kind: str, spec: Mapping[str, Any]) -> tuple[int, Mapping[str, Text]] | None:
    """The first number and the labels by number of a workload that counts its pods."""
    if kind == "StatefulSet":
        ordinals = spec.get("ordinals")
        start = _number(ordinals, "start", 0) if isinstance(ordinals, Mapping) else 0
        return start, {POD_NAME: lambda name, number: f"{name}-{number}", POD_INDEX: lambda name, number: str(number)}
    if kind == "Job" and spec.get("completionMode") == "Indexed":
        return 0, {COMPLETION_INDEX: lambda name, number: str(number)}
    return None


Adder = Callable[[Mapping[str, Any], str, Mapping[str, Any]], dict[str, str]]


def _job(manifest: Mapping[str, Any], name: str, spec: Mapping[str, Any]) -> dict[str, str]:
    if spec.get("manualSelector") is True:
        # The API server then adds nothing (batch/job/strategy.go).
        return {}
    return {**dict.fromkeys(JOB_NAMES, name[:63]), **dict.fromkeys(CONTROLLER_UIDS, _uid(manifest))}


def _cron_job(manifest: Mapping[str, Any], name: str, spec: Mapping[str, Any]) -> dict[str, str]:
    """Each of its Jobs is called after the minute that it is for."""
    return _job(manifest, f"{name}-{int(_digest(name), 16) % 10**8:08}", {})


def _daemon_set(manifest: Mapping[str, Any], name: str, spec: Mapping[str, Any]) -> dict[str, str]:
    return {REVISION: _digest(name), GENERATION: "1"}


ADDERS: Mapping[str, Adder] = {
    "Deployment": lambda manifest, name, spec: {HASH: _digest(name)},
    "Rollout": lambda manifest, name, spec: {ROLLOUT_HASH: _digest(name)},
    "StatefulSet": lambda manifest, name, spec: {REVISION: f"{name}-{_digest(name)}"[-63:].lstrip("-.")},
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CronJob": _cron_job,
}
"""Kind -> the labels that all its pods get."""


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:10]


def _uid(manifest: Mapping[str, Any]) -> str:
    metadata = manifest["metadata"]
    made_up = uuid.uuid5(uuid.NAMESPACE_URL, f"{metadata.get('namespace')}/{metadata['name']}")
    return str(metadata.get("uid") or made_up)
