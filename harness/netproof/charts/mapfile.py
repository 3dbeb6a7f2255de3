"""A service map as its author writes it (YAML): the models of the file, and the short forms that it allows."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictBool, WithJsonSchema, model_validator

from netproof.manifests.validation import StrictModel
from netproof.model.topology import Protocol

NAME = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
NAMESPACE_NAME = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
PORT_NAME = r"(?=.*[a-z])[a-z0-9](-?[a-z0-9])*"
PORT_SCHEMA = {"type": "integer", "minimum": 1, "maximum": 65535}


def _name(value: str) -> str:
    if not re.fullmatch(NAME, value):
        raise ValueError(
            f"{value!r} cannot name an object: lower-case letters, digits and '-', starting with a letter, at most 63"
        )
    return value


def _namespace_name(value: str) -> str:
    """An RFC 1123 label, unlike the name of a Service, may begin with a digit."""
    if not re.fullmatch(NAMESPACE_NAME, value):
        raise ValueError(f"{value!r} cannot name a namespace: lower-case letters, digits and '-', at most 63")
    return value


def _port_name(value: str) -> str:
    if not re.fullmatch(PORT_NAME, value) or len(value) > 15:
        raise ValueError(f"{value!r} cannot name a port: lower-case letters, digits and '-', at most 15")
    return value


def _port_number(value: object) -> object:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
        raise ValueError(f"a port number from 1 to 65535 is expected (got {value!r})")
    return value


def _port_reference(value: object) -> object:
    return value if isinstance(value, str) else _port_number(value)


def _labels(value: dict[str, str]) -> dict[str, str]:
    for key, text in value.items():
        prefix, _, word = key.rpartition("/")
        good = re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", word)
        if not good or len(prefix) > 253 or not re.fullmatch(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", text):
            raise ValueError(f"{key!r}: {text!r} is not a label that Kubernetes accepts")
    return value


def _port_as_mapping(value: object) -> object:
    return value if isinstance(value, dict) else {"port": value}


def _destination_as_mapping(value: object) -> object:
    """`s3:443` and `s3` are short for `{external: s3, ports: [443]}` and `{external: s3}`."""
    if not isinstance(value, str):
        return value
    name, colon, port = value.partition(":")
    if not colon:
        return {"external": name}
    return {"external": name, "ports": [int(port) if port.isdecimal() else port]}


def _source_as_mapping(value: object) -> object:
    if isinstance(value, str):
        raise ValueError(f"write {{app: {value}}} for a service, or {{external: {value}}} for an outside source")
    return value


def _carried(value: object) -> object:
    return value if isinstance(value, bool) else _port_number(value)


Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{NAME}$"})]
NamespaceName = Annotated[
    str, AfterValidator(_namespace_name), WithJsonSchema({"type": "string", "pattern": f"^{NAMESPACE_NAME}$"})
]
PortName = Annotated[
    str,
    AfterValidator(_port_name),
    WithJsonSchema({"type": "string", "pattern": f"^{PORT_NAME}$", "maxLength": 15}),
]
PortNumber = Annotated[int, BeforeValidator(_port_number), WithJsonSchema(PORT_SCHEMA)]
NodeIndex = Annotated[int, Field(strict=True, ge=0, le=1)]
PortReference = Annotated[
    int | str, BeforeValidator(_port_reference), WithJsonSchema({"anyOf": [PORT_SCHEMA, {"type": "string"}]})
]
Labels = Annotated[dict[str, str], AfterValidator(_labels)]


class PortEntry(StrictModel):
    """A container port."""

    name: PortName | None = None
    port: PortNumber
    protocol: Protocol = "TCP"


class ServicePortEntry(PortEntry):
    service: Annotated[
        bool | int, BeforeValidator(_carried), WithJsonSchema({"anyOf": [{"type": "boolean"}, PORT_SCHEMA]})
    ] = True
    """False: a container port that the Service does not carry; it is reached by pod address only. A number: the Service
    carries it under that one."""


AnyPort = Annotated[PortEntry, BeforeValidator(_port_as_mapping, json_schema_input_type=PortNumber | PortEntry)]
AnyServicePort = Annotated[
    ServicePortEntry, BeforeValidator(_port_as_mapping, json_schema_input_type=PortNumber | ServicePortEntry)
]


class PeerEntry(StrictModel):
    """The other end of an arrow. Absent `ports`: all ports of the Service or external destination that is reached."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["app"]}, {"required": ["external"]}]})

    app: str | None = None
    """A service or a peer of this map."""
    external: str | None = None
    """A name of `external.destinations` (egressTo) or `external.sources` (ingressFrom)."""
    ports: Annotated[list[PortReference], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_peer(self) -> PeerEntry:
        if (self.app is None) == (self.external is None):
            raise ValueError("name one peer: either `app` or `external`")
        return self


class ServiceEntry(StrictModel):
    """A service that the map is about."""

    name: Name
    namespace: NamespaceName | None = None
    labels: Labels | None = None
    """Default: `app` with the service's name. No other pod of the namespace may carry all of them."""
    ports: list[AnyServicePort]
    """Container ports: a number, or a mapping with `port`, `name`, `protocol` and `service`."""
    node: NodeIndex | None = None
    """The node it runs on. Absent: services take turns."""
    replicas: Annotated[int, Field(strict=True, ge=1, le=50)] = 1
    """How many probe pods stand for it: one has the service's name, more are `name-0`, `name-1`, …"""
    ingressFrom: list[Annotated[PeerEntry, BeforeValidator(_source_as_mapping)]] | None = None
    """Who may reach this service. Absent: unrestricted. `[]`: nobody."""
    egressTo: (
        list[Annotated[PeerEntry, BeforeValidator(_destination_as_mapping, json_schema_input_type=str | PeerEntry)]]
        | None
    ) = None
    """Whom this service may reach; `s3:443` is an external destination. Absent: unrestricted. `[]`: nobody."""
    externalIngress: StrictBool | Annotated[list[PortReference], Field(min_length=1)] = False
    """True: all ports of the Service. A list: those container ports."""
    """Whether every source that is not a pod may reach the ports of the Service."""


class PeerPodEntry(StrictModel):
    """Somebody else's pod that arrows may name: the map asks only about its cells with the map's services."""

    name: Name
    namespace: NamespaceName | None = None
    labels: Labels | None = None
    ports: list[AnyServicePort] = Field(default_factory=list)
    node: NodeIndex | None = None
    hostNetwork: StrictBool = False


class DestinationEntry(StrictModel):
    name: Name
    ports: Annotated[list[AnyPort], Field(min_length=1)]


class SourceEntry(StrictModel):
    name: Name


class ExternalEntry(StrictModel):
    destinations: list[DestinationEntry] = Field(default_factory=list)
    """Hosts that services may reach, with the ports they listen on."""
    sources: list[SourceEntry] = Field(default_factory=list)
    """Hosts that try to come in."""


class BystanderEntry(StrictModel):
    name: Name
    namespace: NamespaceName | None = None
    labels: Labels = Field(default_factory=dict)
    ports: list[AnyPort] = Field(default_factory=list)


class MapFile(StrictModel):
    """A service map's file: who may talk to whom."""

    name: Name
    namespace: NamespaceName
    """The namespace of everything that names none."""
    namespaceLabels: dict[NamespaceName, Labels] = Field(default_factory=dict)
    """Labels of namespaces, beside `kubernetes.io/metadata.name`, which every namespace has."""
    services: Annotated[list[ServiceEntry], Field(min_length=1)]
    peers: list[PeerPodEntry] = Field(default_factory=list)
    """Pods of others that `ingressFrom` and `egressTo` may name, such as Prometheus."""
    external: ExternalEntry = Field(default_factory=ExternalEntry)
    """Hosts outside the cluster."""
    bystanders: list[BystanderEntry] = Field(default_factory=list)
    """Pods that the map has no arrow for. Without any there are two: `stranger` and `neighbour`."""
