"""The values of a chart: one model for every map, with the names and the structure that the Berserk chart gave them.

A values file merges over the defaults as helm merges: mappings key by key, lists as a whole, null removes the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictBool, create_model

from netproof.charts.mapfile import PortReference
from netproof.charts.servicemap import ServiceMap
from netproof.errors import suggest
from netproof.manifests import placeholders
from netproof.manifests.merging import merge_mappings
from netproof.manifests.validation import StrictModel, validate
from netproof.manifests.yaml_documents import Document, KeyPath
from netproof.model.topology import Protocol


def _cidr(value: str) -> str:
    """An address range; addresses may be placeholders, which are filled once pods run (manifests/placeholders.py)."""
    example = placeholders.fill_examples(value)
    try:
        ip_network(example, strict=False)
    except ValueError:
        raise ValueError(f"{value!r} is not a CIDR such as 10.0.0.0/16") from None
    if "/" not in example:
        raise ValueError(f"{value!r} needs a prefix length, such as {value}/32")
    return value


def _raw_rule(value: object, peers: str) -> object:
    if not isinstance(value, dict):
        raise ValueError(f"a NetworkPolicy rule is expected: a mapping with `{peers}` and `ports`")
    for key in value:
        if key not in (peers, "ports"):
            raise ValueError(f"{key!r} is no key of such a rule; {suggest(str(key), (peers, 'ports'))}")
    return value


def _raw_ingress(value: object) -> object:
    return _raw_rule(value, "from")


def _raw_egress(value: object) -> object:
    return _raw_rule(value, "to")


def _port_as_mapping(value: object) -> object:
    return value if isinstance(value, dict) else {"port": value}


RawIngress = Annotated[dict[str, Any], BeforeValidator(_raw_ingress)]
RawEgress = Annotated[dict[str, Any], BeforeValidator(_raw_egress)]


class _ValuesModel(StrictModel):
    """Keys are the chart's own. A null is what helm makes of it: the key is absent."""

    model_config = ConfigDict(populate_by_name=False)


class PortRule(_ValuesModel):
    """NetworkPolicyPort."""

    port: PortReference
    protocol: Protocol = "TCP"


class CidrRule(_ValuesModel):
    """Addresses and the ports there. Absent `ports`: every port."""

    cidr: Annotated[str, AfterValidator(_cidr)]
    ports: list[PortRule] | None = None


class PeerRule(_ValuesModel):
    """A peer by its service's name. Absent `ports`: all ports of the Service that is reached."""

    app: str
    ports: Annotated[list[Annotated[PortRule, BeforeValidator(_port_as_mapping)]], Field(min_length=1)] | None = None


class ServicePolicyValues(_ValuesModel):
    """Booleans are strict: to a helm template the text "false" is true."""

    allowExternal: StrictBool | None = None
    allowExternalEgress: StrictBool | None = None
    ingressFrom: list[PeerRule] | None = None
    egressTo: list[PeerRule] | None = None
    additionalIngress: list[RawIngress] | None = None
    additionalEgress: list[RawEgress] | None = None


class ServiceValues(_ValuesModel):
    networkPolicy: ServicePolicyValues | None = None


class GlobalPolicyValues(_ValuesModel):
    enabled: StrictBool | None = None
    externalEgress: list[CidrRule] | None = None
    otlpEgress: list[CidrRule] | None = None
    additionalIngress: list[RawIngress] | None = None
    additionalEgress: list[RawEgress] | None = None


class ObservabilityValues(_ValuesModel):
    otlpEnabled: StrictBool | None = None
    otlpEndpoint: str | None = None


class GlobalValues(_ValuesModel):
    networkPolicy: GlobalPolicyValues | None = None
    observability: ObservabilityValues | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartValues:
    """Values after the merge."""

    policy: GlobalPolicyValues
    observability: ObservabilityValues
    services: Mapping[str, ServicePolicyValues]


def load_values(service_map: ServiceMap, defaults: Mapping[str, Any], document: Document | None) -> ChartValues:
    """The user's values merged over the defaults. Raises InputError with the user's file, line and the nearest key."""
    model = _model(service_map)
    content = dict(defaults)
    if document is not None:
        validate(model, document)
        _check_peers(service_map, document)
        content = merge_mappings(content, document.content)
    merged: Any = validate(model, Document(file="values", content=content, lines={}))
    top: GlobalValues = merged.top or GlobalValues()
    blocks: Mapping[str, ServiceValues | None] = {
        app.name: getattr(merged, f"service_{index}") for index, app in enumerate(service_map.services)
    }
    return ChartValues(
        policy=top.networkPolicy or GlobalPolicyValues(),
        observability=top.observability or ObservabilityValues(),
        services={
            name: (block.networkPolicy if block else None) or ServicePolicyValues() for name, block in blocks.items()
        },
    )


def derive_defaults(service_map: ServiceMap) -> dict[str, Any]:
    """The values that a user's own map stands for: its arrows, its external destinations' ports to every address."""
    ports = dict.fromkeys((p.port, p.protocol) for external in service_map.destinations for p in external.ports)
    egress = [{"port": port, "protocol": protocol} for port, protocol in ports]
    values: dict[str, Any] = {
        "global": {
            "networkPolicy": {
                "enabled": True,
                "externalEgress": [{"cidr": "0.0.0.0/0", "ports": egress}] if egress else [],
            }
        }
    }
    for app in service_map.services:
        block: dict[str, Any] = {
            "allowExternal": bool(app.external_ports),
            "allowExternalEgress": any(arrow.kind == "external" for arrow in app.egress or ()),
        }
        for key, arrows in (("ingressFrom", app.ingress), ("egressTo", app.egress)):
            if arrows is not None:
                block[key] = [
                    {"app": a.name, "ports": [{"port": p.port, "protocol": p.protocol} for p in a.ports]}
                    for a in arrows
                    if a.kind == "app" and a.ports
                ]
        values[app.name] = {"networkPolicy": block}
    return values


def _model(service_map: ServiceMap) -> type[StrictModel]:
    # Fields have names of our own, since a service may be called like something that pydantic's models have.
    fields: dict[str, Any] = {
        f"service_{index}": (ServiceValues | None, Field(default=None, alias=app.name))
        for index, app in enumerate(service_map.services)
    }
    fields["top"] = (GlobalValues | None, Field(default=None, alias="global"))
    model: type[StrictModel] = create_model("values", __base__=_ValuesModel, **fields)
    return model


def _check_peers(service_map: ServiceMap, document: Document) -> None:
    """Peers are the map's services, and a port's name is one that the reached service has."""
    known = {app.name: app for app in service_map.apps}
    for name in known:
        policy = ((document.content.get(name) or {}).get("networkPolicy")) or {}
        for key in ("ingressFrom", "egressTo"):
            for index, peer in enumerate(policy.get(key) or ()):
                here: KeyPath = (name, "networkPolicy", key, index)
                if peer["app"] not in known:
                    raise document.error(
                        (*here, "app"), f"no service is called {peer['app']!r}; {suggest(peer['app'], known)}"
                    )
                reached = known[name if key == "ingressFrom" else peer["app"]]
                names = {port.name for port in reached.ports if port.name}
                for place, port in enumerate(peer.get("ports") or ()):
                    reference = port["port"] if isinstance(port, dict) else port
                    if isinstance(reference, str) and reference not in names:
                        raise document.error(
                            (*here, "ports", place),
                            f"{reached.name} has no port called {reference!r}; {suggest(reference, names)}",
                        )
