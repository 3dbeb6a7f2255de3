"""Whether the cluster is still the one that a step began on: its nodes, its CNI and DNS, and the addresses of
our pods. A cell that disagrees while one of them was away says nothing of the CNI."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from netproof.clusters.recipes import Ready
from netproof.drivers.kubernetes import waiting
from netproof.drivers.kubernetes.objects import Api, Refused

Object = Mapping[str, Any]

LASTS = 2.0
"""Seconds for which a pulse serves as the one before a step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """`nodes`: name -> whether it is Ready. `workloads`: the recipe's pods, name -> (uid, restarts, whether it is
    ready)."""

    nodes: Mapping[str, bool] = field(default_factory=dict)
    workloads: Mapping[str, tuple[str, int, bool]] = field(default_factory=dict)


class Watch:
    """The pulse before each step, and what became of it when a cell of the step disagrees."""

    def __init__(self, api: Api, ready: Ready) -> None:
        self._api, self._ready = api, ready
        self._pulse = Pulse()
        self._felt_at = -LASTS
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="netproof-pulse")
        self._feeling: Future[None] = self._pool.submit(lambda: None)

    def begin(self) -> None:
        """Before a step. Feels beside the measuring, which must not wait for it; and not at all after a pulse that is
        young enough: what happened since makes a step that disagrees doubtful, never one that agrees wrong."""
        if time.monotonic() - self._felt_at < LASTS:
            return
        self._felt_at = time.monotonic()
        self._feeling = self._pool.submit(self._feel)

    def compare(self, placed: Mapping[str, Sequence[str]]) -> str:
        """What became of the cluster, and of the pods at these addresses (endpoint id -> addresses), since the step
        began; or ''. Raises Refused."""
        self._feeling.result()
        self._felt_at = -LASTS
        return find_changes(self._pulse, feel(self._api, self._ready)) or find_moved(self._api, placed)

    def close(self) -> None:
        self._pool.shutdown()

    def _feel(self) -> None:
        # Of a cluster that does not answer now, an earlier pulse tells the difference as well.
        with contextlib.suppress(Refused):
            self._pulse = feel(self._api, self._ready)


def feel(api: Api, ready: Ready) -> Pulse:
    """Raises Refused."""
    owners = {("DaemonSet", name) for name in ready.daemonsets} | {("ReplicaSet", name) for name in ready.deployments}
    workloads = {}
    for namespace in sorted({name.partition("/")[0] for _, name in owners}):
        for pod in api.list(f"/api/v1/namespaces/{namespace}/pods"):
            if owners & set(_owners(pod)):
                state = (pod["metadata"]["uid"], sum(waiting.restarts(pod)), waiting.pod_ready(pod))
                workloads[_name(pod)] = state
    nodes = {node["metadata"]["name"]: waiting.node_ready(node) for node in api.list("/api/v1/nodes")}
    return Pulse(nodes=nodes, workloads=workloads)


def find_changes(before: Pulse, now: Pulse) -> str:
    """What became of the cluster between two pulses, or ''."""
    found = [f"the node {node} is not ready" for node, is_ready in now.nodes.items() if not is_ready]
    for pod, (uid, count, is_ready) in now.workloads.items():
        was = before.workloads.get(pod)
        if not is_ready:
            found.append(f"{pod} is not ready")
        elif was is None:
            found.append(f"{pod} is new")
        elif was != (uid, count, True):
            found.append(f"{pod} was not ready" if was[:2] == (uid, count) else f"{pod} started again")
    found += [f"{pod} is gone" for pod in sorted(before.workloads.keys() - now.workloads.keys())]
    return "; ".join(found)


def find_moved(api: Api, placed: Mapping[str, Sequence[str]]) -> str:
    """Which pods do not have the addresses (endpoint id -> addresses) any more that are probed, or ''. Raises
    Refused."""
    now = {_name(pod): pod for pod in api.list("/api/v1/pods")}
    return "; ".join(
        f"{endpoint} has another address now"
        for endpoint, addresses in placed.items()
        if endpoint in now and is_elsewhere(now[endpoint], addresses)
    )


def is_elsewhere(pod: Object, addresses: Sequence[str]) -> bool:
    """Whether it has other addresses than these. One that starts has none yet."""
    now = {one["ip"] for one in pod["status"].get("podIPs") or []}
    return bool(now) and now != set(addresses)


def _name(pod: Object) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _owners(pod: Object) -> list[tuple[str, str]]:
    """(kind, namespace/name) of who made a pod; a ReplicaSet goes by its Deployment's name, to which it adds a hash."""
    found = []
    for owner in pod["metadata"].get("ownerReferences") or []:
        kind, name = owner["kind"], owner["name"]
        name = name.rpartition("-")[0] if kind == "ReplicaSet" else name
        found.append((kind, f"{pod['metadata']['namespace']}/{name}"))
    return found
