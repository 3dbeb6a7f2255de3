"""Manifests of an application -> the topology that they make: a pod for each workload, Services, namespaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast, get_args

from netproof.lint.model import Need, World
from netproof.manifests.yaml_documents import KeyPath, Located
from netproof.model import Namespace, Node, Pod, Port, Service, ServicePort, Topology
from netproof.model.placement import place_on_paper
from netproof.model.topology import Protocol

TEMPLATES: Mapping[str, KeyPath] = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Kind of workload -> where its pod (template) stands."""

EVERYWHERE = ("default", "kube-system", "kube-public", "kube-node-lease")
"""Namespaces that every cluster has."""


def world_of(objects: Sequence[Located], namespace: str = "default") -> World:
    """The world of these manifests. `namespace` is that of objects that name none. Raises InputError."""
    namespaces = {name: Namespace(name=name) for name in EVERYWHERE}
    pods: list[Pod] = []
    taken: set[str] = set()
    services: list[Service] = []
    clients: dict[str, str] = {}
    has: set[Need] = set()
    bound = _bound(objects, namespace)
    for one in objects:
        kind = one.content["kind"]
        if kind == "Namespace":
            name = one.content["metadata"]["name"]
            namespaces[name] = Namespace(name=name, labels=_labels(one, ("metadata", "labels")))
            has.add("namespaces")
        elif kind in TEMPLATES:
            pod, spec = _pod(one, namespace)
            if pod.id in taken:
                # Workloads of two kinds may share a name, pods may not.
                pod = replace(pod, name=f"{pod.name}-{kind.lower()}")
            taken.add(pod.id)
            pods.append(pod)
            has.add("pods")
            why = _talks_to_api(spec, pod, bound)
            if why:
                clients[pod.id] = why
        elif kind == "Service":
            services += _service(one, namespace)
    topology = Topology(
        namespaces=tuple(namespaces.values()), pods=tuple(pods), services=tuple(services), nodes=(Node(index=0),)
    )
    return World(topology=topology, placement=place_on_paper(topology), has=frozenset(has), api_clients=clients)


def _pod(one: Located, namespace: str) -> tuple[Pod, Mapping[str, Any]]:
    path = TEMPLATES[one.content["kind"]]
    spec = _mapping(one, (*path, "spec"))
    containers: KeyPath = (*path, "spec", "containers")
    ports = list(_container_ports(one, containers))
    for index, container in enumerate(_list(one, (*path, "spec", "initContainers"))):
        # A sidecar (an init container that is restarted always) listens like any other container.
        if isinstance(container, Mapping) and container.get("restartPolicy") == "Always":
            ports += _ports_of(one, (*path, "spec", "initContainers", index), container)
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    pod = Pod(
        namespace=_namespace(one, namespace),
        name=one.content["metadata"]["name"],
        labels=_labels(one, (*path, "metadata", "labels")),
        ports=tuple(dict.fromkeys(ports)),
        host_network=spec.get("hostNetwork") is True,
        service_account=str(account),
    )
    return pod, spec


def _container_ports(one: Located, path: KeyPath) -> Iterator[Port]:
    for index, container in enumerate(_list(one, path)):
        if not isinstance(container, Mapping):
            raise one.document.error((*one.path, *path, index), "a container is a mapping")
        yield from _ports_of(one, (*path, index), container)


def _ports_of(one: Located, path: KeyPath, container: Mapping[str, Any]) -> Iterator[Port]:
    for index, entry in enumerate(container.get("ports") or ()):
        here = (*path, "ports", index)
        number = entry.get("containerPort") if isinstance(entry, Mapping) else None
        yield Port(
            port=_number(one, (*here, "containerPort"), number),
            protocol=_protocol(one, here, entry),
            name=entry.get("name"),
        )


def _service(one: Located, namespace: str) -> Iterator[Service]:
    spec = _mapping(one, ("spec",))
    if spec.get("type") == "ExternalName":
        return
    ports = []
    for index, entry in enumerate(_list(one, ("spec", "ports"))):
        here: KeyPath = ("spec", "ports", index)
        number = _number(one, (*here, "port"), entry.get("port") if isinstance(entry, Mapping) else None)
        target = entry.get("targetPort", number)
        ports.append(
            ServicePort(port=number, target=target, protocol=_protocol(one, here, entry), name=entry.get("name"))
        )
    yield Service(
        namespace=_namespace(one, namespace),
        name=one.content["metadata"]["name"],
        selector=_labels(one, ("spec", "selector")),
        ports=tuple(ports),
        node_port=spec.get("type") in ("NodePort", "LoadBalancer"),
        headless=spec.get("clusterIP") == "None",
    )


def _bound(objects: Sequence[Located], namespace: str) -> dict[tuple[str, str], str]:
    """Service accounts (namespace, name) that a binding gives rights to -> that binding."""
    found = {}
    for one in objects:
        if one.content["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        binding = f"{one.content['kind']} {one.content['metadata']['name']}"
        for subject in _list(one, ("subjects",)):
            if isinstance(subject, Mapping) and subject.get("kind") == "ServiceAccount":
                key = (subject.get("namespace") or _namespace(one, namespace), str(subject.get("name")))
                found[key] = binding
    return found


def _talks_to_api(spec: Mapping[str, Any], pod: Pod, bound: Mapping[tuple[str, str], str]) -> str:
    if spec.get("automountServiceAccountToken") is False:
        return ""
    binding = bound.get((pod.namespace, pod.service_account))
    if binding:
        return f"{binding} gives rights to its service account {pod.service_account}"
    return "it mounts its service account's token" if spec.get("automountServiceAccountToken") is True else ""


def _at(one: Located, path: KeyPath) -> Any:
    here: Any = one.content
    for part in path:
        here = here.get(part) if isinstance(here, Mapping) else None
    return here


def _mapping(one: Located, path: KeyPath) -> Mapping[str, Any]:
    found = _at(one, path)
    if found is not None and not isinstance(found, Mapping):
        raise one.document.error((*one.path, *path), f"a mapping is expected here (got {found!r})")
    return found or {}


def _list(one: Located, path: KeyPath) -> list[Any]:
    found = _at(one, path)
    if found is not None and not isinstance(found, list):
        raise one.document.error((*one.path, *path), f"a list is expected here (got {found!r})")
    return found or []


def _labels(one: Located, path: KeyPath) -> dict[str, str]:
    labels = _mapping(one, path)
    for key, value in labels.items():
        if not isinstance(value, str):
            raise one.document.error(
                (*one.path, *path, str(key)), f"a label's value is a string; write {str(value).lower()!r} in quotes"
            )
    return dict(labels)


def _namespace(one: Located, namespace: str) -> str:
    return str(one.content["metadata"].get("namespace") or namespace)


def _number(one: Located, path: KeyPath, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
        raise one.document.error((*one.path, *path), f"a port number from 1 to 65535 is expected (got {value!r})")
    return value


def _protocol(one: Located, path: KeyPath, entry: Mapping[str, Any]) -> Protocol:
    word = entry.get("protocol") or "TCP"
    if word not in get_args(Protocol):
        raise one.document.error((*one.path, *path, "protocol"), f"must be TCP, UDP or SCTP (got {word!r})")
    return cast(Protocol, word)
