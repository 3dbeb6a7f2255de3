"""The pods that manifests make: of each workload those that differ, with the labels that its controller adds.

What is exported from a cluster holds one pod several times (a Deployment, its ReplicaSet, the Pod): ownerReferences
say so, and where the Pods themselves are there, they are what is true.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from netproof.manifests.controllers import replicas
from netproof.manifests.fields import (
    field_at,
    labels_at,
    list_at,
    mapping_at,
    mappings_at,
    namespace_of,
    port_number,
    protocol_of,
)
from netproof.manifests.yaml_documents import KeyPath, Located
from netproof.model import Pod, Port

TEMPLATES: Mapping[str, KeyPath] = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Rollout": ("spec", "template"),
}
"""Kind of workload -> where its pod (template) stands."""

ENDED = ("Succeeded", "Failed")
"""Phases in which a pod's containers are gone."""

Owner = tuple[str, str, str]
"""Namespace, kind and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPod:
    """A pod, its spec, and what the manifest of a running one says: its addresses and the name of its node."""

    pod: Pod
    spec: Mapping[str, Any]
    addresses: tuple[str, ...] = ()
    node: str = ""
    node_addresses: tuple[str, ...] = ()


def pods_of(objects: Sequence[Located], namespace: str) -> Iterator[FoundPod]:
    """The pods of these manifests. `namespace` is that of objects that name none. Raises InputError."""
    workloads = [one for one in objects if is_workload(one)]
    known = {_key(one, namespace): one for one in workloads}
    owned: dict[Owner, list[Located]] = {}
    for one in workloads:
        owner = _last_owner(one, known, namespace)
        if owner is not None and one.content["kind"] == "Pod":
            owned.setdefault(owner, []).append(one)
    scaled = _scaled(objects, namespace)
    taken: set[str] = set()
    for key, one in known.items():
        owner = _last_owner(one, known, namespace)
        if owner in known:
            continue
        members = owned.get(key, []) if one.content["kind"] != "Pod" else [one]
        found = [_running(pod, namespace, owner or key) for pod in members if _is_running(pod)]
        # Workloads of two kinds may share a name, pods may not.
        suffix = f"-{one.content['kind'].lower()}" if f"{key[0]}/{key[2]}" in taken else ""
        for pod in found or (() if one.content["kind"] == "Pod" else _made(one, namespace, scaled.get(key, 0))):
            named = pod.pod
            if suffix or named.id in taken:
                suffix = suffix or f"-{one.content['kind'].lower()}"
                named = replace(named, name=f"{named.name}{suffix}", workload=f"{named.workload}{suffix}")
            taken |= {named.id, named.workload}
            yield replace(pod, pod=named)


def is_workload(one: Located) -> bool:
    """Whether the object has a pod, or a template of one. A Rollout may name a Deployment instead."""
    kind = one.content["kind"]
    return kind in TEMPLATES and (kind != "Rollout" or field_at(one, ("spec", "template")) is not None)


def _key(one: Located, namespace: str) -> Owner:
    return namespace_of(one, namespace), one.content["kind"], str(one.content["metadata"]["name"])


def _last_owner(one: Located, known: Mapping[Owner, Located], namespace: str) -> Owner | None:
    """The controller at the end of its ownerReferences, as far as they are among the manifests."""
    found: Owner | None = None
    seen: set[Owner] = set()
    here: Located | None = one
    while here is not None:
        references = mappings_at(here, ("metadata", "ownerReferences"))
        controller = next((reference for reference in references if reference.get("controller") is True), None)
        if controller is None:
            break
        found = (namespace_of(here, namespace), str(controller.get("kind")), str(controller.get("name")))
        if found in seen:
            break
        seen.add(found)
        here = known.get(found)
    return found


def _scaled(objects: Sequence[Located], namespace: str) -> dict[Owner, int]:
    """Workload -> how many pods an autoscaler may make of it."""
    found: dict[Owner, int] = {}
    for one in objects:
        if one.content["kind"] not in ("HorizontalPodAutoscaler", "ScaledObject"):
            continue
        target = mapping_at(one, ("spec", "scaleTargetRef"))
        most = field_at(one, ("spec", "maxReplicas")) or field_at(one, ("spec", "maxReplicaCount")) or 100
        if isinstance(most, int):
            kind = str(target.get("kind") or "Deployment")
            found[namespace_of(one, namespace), kind, str(target.get("name"))] = most
    return found


def _made(one: Located, namespace: str, most: int) -> Iterator[FoundPod]:
    """The pods that a controller will make."""
    pod, spec = _pod(one, namespace)
    node = spec.get("nodeName")
    for replica in replicas(one.content, most):
        yield FoundPod(
            pod=replace(pod, name=replica.name, labels={**pod.labels, **replica.added}, workload=pod.id),
            spec=spec,
            node=node if isinstance(node, str) else "",
        )


def _is_running(one: Located) -> bool:
    return field_at(one, ("status", "phase")) not in ENDED


def _running(one: Located, namespace: str, owner: Owner) -> FoundPod:
    pod, spec = _pod(one, namespace)
    status = mapping_at(one, ("status",))
    node = spec.get("nodeName")
    return FoundPod(
        pod=replace(pod, workload=f"{owner[0]}/{owner[2]}"),
        spec=spec,
        addresses=_addresses(one, status, "podIP", "podIPs"),
        node=node if isinstance(node, str) else "",
        node_addresses=_addresses(one, status, "hostIP", "hostIPs"),
    )


def _addresses(one: Located, status: Mapping[str, Any], single: str, several: str) -> tuple[str, ...]:
    listed = [str(entry["ip"]) for entry in mappings_at(one, ("status", several)) if entry.get("ip")]
    first = [str(status[single])] if status.get(single) else []
    return tuple(dict.fromkeys([*first, *listed]))


def _pod(one: Located, namespace: str) -> tuple[Pod, Mapping[str, Any]]:
    path = TEMPLATES[one.content["kind"]]
    spec = mapping_at(one, (*path, "spec"))
    containers: KeyPath = (*path, "spec", "containers")
    ports = list(_container_ports(one, containers))
    for index, container in enumerate(list_at(one, (*path, "spec", "initContainers"))):
        # A sidecar (an init container that is restarted always) listens like any other container.
        if isinstance(container, Mapping) and container.get("restartPolicy") == "Always":
            ports += _ports_of(one, (*path, "spec", "initContainers", index), container)
    found = tuple(dict.fromkeys(ports))
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    pod = Pod(
        namespace=namespace_of(one, namespace),
        name=one.content["metadata"]["name"],
        labels=labels_at(one, (*path, "metadata", "labels")),
        ports=tuple(dict.fromkeys(port for port, _ in found)),
        host_network=spec.get("hostNetwork") is True,
        service_account=str(account),
        host_ports=tuple((port, number) for port, number in found if number),
    )
    return pod, spec


def _container_ports(one: Located, path: KeyPath) -> Iterator[tuple[Port, int]]:
    for index, container in enumerate(list_at(one, path)):
        if not isinstance(container, Mapping):
            raise one.document.error((*one.path, *path, index), "a container is a mapping")
        yield from _ports_of(one, (*path, index), container)


def _ports_of(one: Located, path: KeyPath, container: Mapping[str, Any]) -> Iterator[tuple[Port, int]]:
    """Each port, and its hostPort or 0."""
    for index, entry in enumerate(container.get("ports") or ()):
        here = (*path, "ports", index)
        number = entry.get("containerPort") if isinstance(entry, Mapping) else None
        port = Port(
            port=port_number(one, (*here, "containerPort"), number),
            protocol=protocol_of(one, here, entry),
            name=entry.get("name"),
        )
        host = entry.get("hostPort")
        yield port, port_number(one, (*here, "hostPort"), host) if host else 0
