"""The values of the Stageset chart, with the names, the structure and the defaults of its documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, StrictBool, StrictInt

from netproof.charts.mapfile import Name, PortNumber
from netproof.charts.values import RawEgress, RawIngress
from netproof.errors import suggest
from netproof.manifests.merging import merge_mappings
from netproof.manifests.validation import StrictModel, validate
from netproof.manifests.yaml_documents import Document, KeyPath

ENGINES = ("kubernetes", "cilium", "calico", "clusterNetworkPolicy")
DEFAULT_ENGINE = "kubernetes"
PORTS = ("webhook", "metrics", "gate")
"""The ports of the chart's ingress table, in its order."""
PEER_KEYS = ("podSelector", "namespaceSelector", "ipBlock")

Rule = dict[str, Any]


def _engine(value: object) -> object:
    if value not in ENGINES:
        raise ValueError(f"{value!r} is no engine; the engines are: {', '.join(ENGINES)}")
    return value


def _peer(value: object) -> object:
    if not isinstance(value, dict) or not value:
        raise ValueError(f"a NetworkPolicy peer is expected: a mapping with {' or '.join(PEER_KEYS)}")
    for key in value:
        if key not in PEER_KEYS:
            raise ValueError(f"{key!r} is no key of such a peer; {suggest(str(key), PEER_KEYS)}")
    return value


def _no_passthrough(value: object) -> object:
    if value is not None:
        raise ValueError("the kubernetes engine has no passthrough lists; its own are additionalIngress and egress.to")
    return value


class _StagesetModel(StrictModel):
    """Keys are the chart's own. A null is what helm makes of it: the key is absent."""

    model_config = ConfigDict(populate_by_name=False)


class SwitchValues(_StagesetModel):
    """Booleans are strict: to a helm template the text "false" is true."""

    enabled: StrictBool | None = None


class DefaultDenyValues(SwitchValues):
    order: StrictInt | None = None


class SourcesValues(_StagesetModel):
    sources: list[Annotated[Rule, BeforeValidator(_peer)]] | None = Field(default=None, alias="from")


class EgressValues(SwitchValues):
    dns: StrictBool | None = None
    dnsNamespace: Name | None = None
    to: list[RawEgress] | None = None


class PassthroughValues(_StagesetModel):
    """Rules in an engine's own dialect; the harness does not look into them."""

    ingress: list[Rule] | None = None
    egress: list[Rule] | None = None


class NetworkPolicyValues(SwitchValues):
    engine: Annotated[str, BeforeValidator(_engine)] | None = None
    defaultDeny: DefaultDenyValues | None = None
    webhook: SourcesValues | None = None
    metrics: SourcesValues | None = None
    gate: SourcesValues | None = None
    additionalIngress: list[RawIngress] | None = None
    egress: EgressValues | None = None
    cilium: PassthroughValues | None = None
    calico: PassthroughValues | None = None
    clusterNetworkPolicy: PassthroughValues | None = None
    kubernetes: Annotated[None, BeforeValidator(_no_passthrough)] = None


class PortsValues(_StagesetModel):
    webhook: PortNumber | None = None
    metrics: PortNumber | None = None
    gate: PortNumber | None = None


class ValuesFile(_StagesetModel):
    networkPolicy: NetworkPolicyValues | None = None
    webhook: SwitchValues | None = None
    gate: SwitchValues | None = None
    ports: PortsValues | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressSettings:
    enabled: bool
    dns: bool
    dns_namespace: str
    to: Sequence[Rule]


@dataclass(frozen=True, slots=True, kw_only=True)
class StagesetValues:
    """Values after the merge. `sources`: port name -> its `from` list. `own_ingress`, `own_egress`: the passthrough
    lists of the engine; `idle`: other engines that have some. `modes`: port name -> whether its row is in force."""

    enabled: bool
    engine: str
    default_deny: bool
    order: int
    ports: Mapping[str, int]
    modes: Mapping[str, bool]
    sources: Mapping[str, Sequence[Rule]]
    additional_ingress: Sequence[Rule]
    egress: EgressSettings
    own_ingress: Sequence[Rule]
    own_egress: Sequence[Rule]
    idle: tuple[str, ...]

    @property
    def open_ports(self) -> tuple[tuple[str, int], ...]:
        """The ports that have a rule, in the order of the table."""
        return tuple((name, self.ports[name]) for name in PORTS if self.modes[name])


def load_values(defaults: Mapping[str, Any], document: Document | None, taken: Mapping[int, str]) -> StagesetValues:
    """The user's values merged over the defaults. `taken`: ports that the controller has beside those of the values.
    Raises InputError with the user's file, line and the nearest key."""
    user = document or Document(file="values", content={}, lines={})
    validate(ValuesFile, user)
    content = merge_mappings(defaults, user.content)
    merged = validate(ValuesFile, Document(file="values", content=content, lines={}))
    policy = merged.networkPolicy or NetworkPolicyValues()
    deny, egress = policy.defaultDeny or DefaultDenyValues(), policy.egress or EgressValues()
    engine = policy.engine or DEFAULT_ENGINE
    lists = {name: getattr(policy, name) or PassthroughValues() for name in ENGINES if name != DEFAULT_ENGINE}
    own = lists.pop(engine, PassthroughValues())
    values = StagesetValues(
        enabled=bool(policy.enabled),
        engine=engine,
        default_deny=bool(deny.enabled),
        order=0 if deny.order is None else deny.order,
        ports=_ports(merged.ports or PortsValues(), user, taken),
        modes={
            "webhook": bool(merged.webhook and merged.webhook.enabled),
            "metrics": True,
            "gate": bool(merged.gate and merged.gate.enabled),
        },
        sources={name: (getattr(policy, name) or SourcesValues()).sources or [] for name in PORTS},
        additional_ingress=policy.additionalIngress or [],
        egress=EgressSettings(
            enabled=bool(egress.enabled),
            dns=bool(egress.dns),
            dns_namespace=egress.dnsNamespace or "",
            to=egress.to or [],
        ),
        own_ingress=own.ingress or [],
        own_egress=own.egress or [],
        idle=tuple(name for name, given in lists.items() if given.ingress or given.egress),
    )
    _check(values, user)
    return values


def _ports(given: PortsValues, user: Document, taken: Mapping[int, str]) -> dict[str, int]:
    seen = dict(taken)
    ports: dict[str, int] = {}
    for name in PORTS:
        number = getattr(given, name)
        if number is None:
            raise user.error(("ports", name), "a port number is needed here")
        if number in seen:
            raise user.error(("ports", name), f"{number} is the controller's port {seen[number]} already")
        seen[number], ports[name] = name, number
    return ports


def _check(values: StagesetValues, user: Document) -> None:
    """The knobs of one engine say nothing to another."""
    if values.egress.enabled and values.egress.dns and not values.egress.dns_namespace:
        raise user.error(("networkPolicy", "egress", "dnsNamespace"), "the DNS rule needs a namespace")
    if values.engine == DEFAULT_ENGINE:
        return
    knobs: list[tuple[KeyPath, Sequence[Rule], str]] = [
        (("networkPolicy", name, "from"), values.sources[name], "ingress") for name in PORTS
    ]
    knobs.append((("networkPolicy", "additionalIngress"), values.additional_ingress, "ingress"))
    knobs.append((("networkPolicy", "egress", "to"), values.egress.to, "egress"))
    for path, given, direction in knobs:
        if given:
            raise user.error(
                path,
                f"is of the kubernetes engine only; with {values.engine} write such rules, in its own dialect, into "
                f"networkPolicy.{values.engine}.{direction}",
            )
