"""The Services that manifests make, and where those without a selector lead: to the addresses of their EndpointSlices.

A Service's address is never that of an outside host: who is asked about it is asked about the Service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from netproof.manifests.fields import (
    labels_at,
    list_at,
    mapping_at,
    mappings_at,
    namespace_of,
    port_number,
    protocol_of,
)
from netproof.manifests.yaml_documents import KeyPath, Located
from netproof.model import External, Pod, Port, Service, ServicePort
from netproof.model.topology import API_SERVER, Backend

KUBERNETES = Service(
    namespace="default",
    name="kubernetes",
    selector={},
    ports=(ServicePort(port=443, target=6443, name="https"),),
    backends=(Backend(to=API_SERVER.id, ports=API_SERVER.ports),),
)
"""The Service that every cluster has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundService:
    """A Service, the addresses that lead to it (inside the cluster, and from `outside`), and the hosts outside that it
    leads to."""

    service: Service
    addresses: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    external: tuple[External, ...] = ()

    @property
    def all_addresses(self) -> tuple[str, ...]:
        return (*self.addresses, *self.outside)


def services_of(objects: Sequence[Located], namespace: str, by_address: Mapping[str, str]) -> Iterator[FoundService]:
    """The Services of these manifests. `by_address`: the id of the pod that has an address. Raises InputError."""
    slices: dict[tuple[str, str], list[Located]] = {}
    for one in objects:
        if one.content["kind"] in ("EndpointSlice", "Endpoints"):
            labels = mapping_at(one, ("metadata", "labels"))
            name = labels.get("kubernetes.io/service-name") or one.content["metadata"]["name"]
            slices.setdefault((namespace_of(one, namespace), str(name)), []).append(one)
    for one in objects:
        if one.content["kind"] == "Service":
            key = (namespace_of(one, namespace), str(one.content["metadata"]["name"]))
            yield _service(one, key, slices.get(key, ()), by_address)


def host_ports(pods: Sequence[Pod]) -> Iterator[Service]:
    """Each hostPort as a port of its pod's node: it is a node port that leads to that one pod."""
    for pod in pods:
        for port, number in pod.host_ports if not pod.host_network else ():
            yield Service(
                namespace=pod.namespace,
                name=f"hostPort-{number}-of-{pod.name}",
                selector={},
                ports=(ServicePort(port=number, target=port.port, protocol=port.protocol),),
                backends=(Backend(to=pod.id, ports=(Port(port=port.port, protocol=port.protocol),)),),
                node_port=True,
            )


def _service(
    one: Located, key: tuple[str, str], slices: Sequence[Located], by_address: Mapping[str, str]
) -> FoundService:
    spec = mapping_at(one, ("spec",))
    kind = spec.get("type") or "ClusterIP"
    ports = []
    for index, entry in enumerate(list_at(one, ("spec", "ports"))):
        here: KeyPath = ("spec", "ports", index)
        number = port_number(one, (*here, "port"), entry.get("port") if isinstance(entry, Mapping) else None)
        ports.append(
            ServicePort(
                port=number,
                target=entry.get("targetPort") or number,
                protocol=protocol_of(one, here, entry),
                name=entry.get("name"),
            )
        )
    selector = labels_at(one, ("spec", "selector"))
    unready = spec.get("publishNotReadyAddresses") is True
    reached = () if selector else tuple(_endpoints(slices, by_address, unready=unready))
    balanced = [str(entry["ip"]) for entry in mappings_at(one, ("status", "loadBalancer", "ingress")) if "ip" in entry]
    own = [spec.get("clusterIP"), *list_at(one, ("spec", "clusterIPs"))]
    given = [spec.get("loadBalancerIP"), *list_at(one, ("spec", "externalIPs")), *balanced]
    return FoundService(
        service=Service(
            namespace=key[0],
            name=key[1],
            selector=selector,
            ports=tuple(ports),
            node_port=kind in ("NodePort", "LoadBalancer"),
            external_traffic_policy=_traffic_policy(spec),
            headless=spec.get("clusterIP") == "None",
            backends=tuple(end for end, _ in reached),
            external_name=str(spec.get("externalName") or "").rstrip(".") if kind == "ExternalName" else "",
        ),
        addresses=tuple(dict.fromkeys(str(address) for address in own if address and address != "None")),
        outside=tuple(dict.fromkeys(str(address) for address in given if address)),
        external=tuple({external.name: external for _, external in reached if external}.values()),
    )


def _traffic_policy(spec: Mapping[str, Any]) -> Literal["Local", "Cluster"]:
    """Service.spec.externalTrafficPolicy: Cluster unless it is given."""
    return "Local" if spec.get("externalTrafficPolicy") == "Local" else "Cluster"


def _endpoints(
    slices: Sequence[Located], by_address: Mapping[str, str], *, unready: bool
) -> Iterator[tuple[Backend, External | None]]:
    for one in slices:
        if one.content["kind"] == "EndpointSlice":
            parts: list[tuple[KeyPath, list[str]]] = [(("ports",), list(_ready(one, unready=unready)))]
        else:
            parts = [
                (("subsets", index, "ports"), _of_subset(subset, unready=unready))
                for index, subset in enumerate(mappings_at(one, ("subsets",)))
            ]
        for path, addresses in parts:
            ports = tuple(_ports(one, path))
            for address in addresses:
                if address in by_address:
                    yield Backend(to=by_address[address], ports=ports), None
                else:
                    external = External(name=address, ports=ports)
                    yield Backend(to=external.id, ports=ports), external


def _ready(one: Located, *, unready: bool) -> Iterator[str]:
    for entry in mappings_at(one, ("endpoints",)):
        conditions = entry.get("conditions")
        is_ready = not isinstance(conditions, Mapping) or conditions.get("ready") is not False
        if is_ready or unready:
            yield from (str(address) for address in entry.get("addresses") or ())


def _of_subset(subset: Mapping[str, Any], *, unready: bool) -> list[str]:
    listed = [*(subset.get("addresses") or ()), *((subset.get("notReadyAddresses") or ()) if unready else ())]
    return [str(entry["ip"]) for entry in listed if isinstance(entry, Mapping) and entry.get("ip")]


def _ports(one: Located, path: KeyPath) -> Iterator[Port]:
    found = one.content if path == ("ports",) else one.content["subsets"][path[1]]
    for index, entry in enumerate(found.get("ports") or ()):
        if isinstance(entry, Mapping) and entry.get("port") is not None:
            here = (*path, index)
            number = port_number(one, (*here, "port"), entry["port"])
            yield Port(port=number, protocol=protocol_of(one, here, entry), name=entry.get("name") or None)
