"""Named worlds for scenarios (`scenarios/topologies/*.yaml`), and what a step changes in one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import cast

from pydantic import Field

from netproof.errors import InputError
from netproof.manifests.data_dirs import data_dir
from netproof.manifests.validation import StrictModel, validate
from netproof.manifests.yaml_documents import Document, read_document
from netproof.model import External, Namespace, Node, Pod, Port, Service, ServicePort, Topology
from netproof.model.topology import Protocol

PORT = re.compile(r"(?P<port>\d+)(→(?P<target>\S+?))?/(?P<protocol>TCP|UDP|SCTP)( (?P<name>[a-z0-9-]+))?")


class PodEntry(StrictModel):
    """A pod, under its name `namespace/name`."""

    labels: dict[str, str] = Field(default_factory=dict)
    node: int = 0
    ports: list[str] | None = None
    """Instead of the file's `ports`."""
    hostNetwork: bool = False


class ServicesEntry(StrictModel):
    """One Service for each pod that `pods` names, called as it (`name`, in which `{pod}` is the pod's name), selecting
    its labels; or with a `selector` one Service in each of their namespaces. A port is `80/TCP`, or `8080→80/TCP name`
    for a Service port that leads to another container port (a number or a name)."""

    ports: list[str]
    pods: str = "*"
    name: str = "{pod}"
    selector: dict[str, str] | None = None
    nodePort: bool = False
    externalTrafficPolicy: str = "Local"
    headless: bool = False


class TopologyFile(StrictModel):
    """A world that scenarios run in."""

    namespaces: dict[str, dict[str, str]]
    """Name -> labels."""
    pods: dict[str, PodEntry]
    """`namespace/name` -> the pod."""
    ports: list[str] = Field(default_factory=list)
    """What every pod listens on that names no ports of its own: `80/TCP`, or `80/TCP name`."""
    services: ServicesEntry | list[ServicesEntry] = Field(default_factory=list)
    externals: dict[str, list[str]] = Field(default_factory=dict)
    """Hosts outside the cluster -> what they listen on."""
    nodes: int = 0
    """How many nodes take part as sources and destinations."""


def topologies_dir() -> Path:
    return data_dir("scenarios") / "topologies"


@cache
def load_topology(name: str) -> Topology:
    """The world of that name. Raises InputError that lists the known ones."""
    path = topologies_dir() / f"{name}.yaml"
    if not path.exists():
        known = sorted(file.stem for file in topologies_dir().glob("*.yaml"))
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"no topology is called {name!r}; {hint}known: {', '.join(known)}", key="topology")
    document = read_document(path)
    return _topology(validate(TopologyFile, document), document)


def _topology(file: TopologyFile, document: Document) -> Topology:
    namespaces = tuple(Namespace(name=name, labels=labels) for name, labels in file.namespaces.items())
    pods = []
    for ref, entry in file.pods.items():
        namespace, _, name = ref.partition("/")
        if namespace not in file.namespaces or not name:
            raise document.error(("pods", ref), "a pod is namespace/name, of a namespace above")
        pods.append(
            Pod(
                namespace=namespace,
                name=name,
                labels=entry.labels,
                ports=tuple(_port(text, document) for text in (file.ports if entry.ports is None else entry.ports)),
                node=entry.node,
                host_network=entry.hostNetwork,
            )
        )
    entries = file.services if isinstance(file.services, list) else [file.services]
    found: dict[str, Service] = {}
    for entry_of_services in entries:
        for service in _services(entry_of_services, pods, document):
            if found.setdefault(service.id, service) != service:
                raise document.error(("services",), f"two different Services are called {service.id}")
    return Topology(
        namespaces=namespaces,
        pods=tuple(pods),
        services=tuple(found.values()),
        externals=tuple(
            External(name=name, ports=tuple(_port(text, document) for text in ports))
            for name, ports in file.externals.items()
        ),
        nodes=tuple(Node(index=index) for index in range(file.nodes)),
    )


def _match(text: str, document: Document) -> re.Match[str]:
    match = PORT.fullmatch(text)
    if match is None:
        raise document.error((), f"{text!r} is no port; write 80/TCP, 80/TCP name or 8080→80/TCP")
    return match


def _port(text: str, document: Document) -> Port:
    match = _match(text, document)
    return Port(port=int(match["port"]), protocol=cast(Protocol, match["protocol"]), name=match["name"])


def _services(entry: ServicesEntry, pods: Sequence[Pod], document: Document) -> Iterable[Service]:
    ports = []
    for text in entry.ports:
        match = _match(text, document)
        target = match["target"] or match["port"]
        name = match["name"] or f"p{match['port']}-{match['protocol'].lower()}"
        ports.append(
            ServicePort(
                port=int(match["port"]),
                target=int(target) if target.isdigit() else target,
                protocol=cast(Protocol, match["protocol"]),
                name=name,
            )
        )
    chosen = [pod for pod in pods if fnmatchcase(pod.id, entry.pods)]
    if not chosen:
        raise document.error(("services",), f"{entry.pods} names no pod above")
    for pod in chosen:
        if not pod.host_network:
            yield Service(
                namespace=pod.namespace,
                name=entry.name.replace("{pod}", pod.name),
                selector=dict(pod.labels if entry.selector is None else entry.selector),
                ports=tuple(ports),
                node_port=entry.nodePort,
                external_traffic_policy="Cluster" if entry.externalTrafficPolicy == "Cluster" else "Local",
                headless=entry.headless,
            )


def change_topology(
    world: Topology,
    *,
    label: Mapping[str, Mapping[str, str]] | None = None,
    recreate: Sequence[str] = (),
    remove: Sequence[str] = (),
    create: Sequence[Pod | str] = (),
) -> Topology:
    """The world after a step's changes; `create` holds pods that it lost before (or names that nobody has). Raises
    ValueError for a name that it does not have, and for a new pod that is there already."""
    label = label or {}
    there = {pod.id for pod in world.pods}
    pods = there | {pod.id for pod in create if isinstance(pod, Pod)}
    namespaces = {namespace.name for namespace in world.namespaces}
    for name in (*label, *recreate, *remove):
        if name not in pods and (name not in label or name not in namespaces):
            near = get_close_matches(name, [*pods, *namespaces], n=1)
            raise ValueError(f"there is no {name}" + (f"; did you mean {near[0]}?" if near else ""))
    new = []
    for pod in create:
        if isinstance(pod, str):
            raise ValueError(f"{pod} cannot be created: this scenario's topology does not have it")
        if pod.id in there:
            raise ValueError(f"{pod.id} cannot be created: it is there; an earlier step must remove it")
        new.append(pod)
    return replace(
        world,
        namespaces=tuple(replace(n, labels=dict(label.get(n.name, n.labels))) for n in world.namespaces),
        pods=tuple(
            replace(pod, labels=dict(label.get(pod.id, pod.labels)), incarnation=pod.incarnation + (pod.id in recreate))
            for pod in (*world.pods, *new)
            if pod.id not in remove
        ),
    )
