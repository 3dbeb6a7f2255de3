"""The Stageset chart: one controller, its policies in the dialect that the values name, and its two tables of required
traffic. A new engine is one module with `render` and `may_reach_api_server`, and a line in `ENGINES`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

from netproof.charts.map_reader import load_map
from netproof.charts.plan import Plan
from netproof.charts.servicemap import App, ServiceMap
from netproof.charts.stageset import calico, cilium, clusternetworkpolicy, kubernetes
from netproof.charts.stageset.subject import Subject
from netproof.charts.stageset.values import DEFAULT_ENGINE, PORTS, StagesetValues, load_values
from netproof.charts.stageset.warnings import warnings
from netproof.manifests.yaml_documents import Document, read_document
from netproof.model import Manifest, Port

KUBERNETES_ONLY = (*((name, "from") for name in PORTS), ("egress", "to"), ("additionalIngress", ""))
"""Keys of networkPolicy, and the knob below them, that say nothing to another engine."""

CONTROLLER = "controller"
"""The map's name of the workload that the policies are for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyEngine:
    """`render`: the same values give the same manifests. `may_reach_api_server`: whether some egress rule could."""

    render: Callable[[Subject, StagesetValues], tuple[Manifest, ...]]
    may_reach_api_server: Callable[[StagesetValues], bool]


ENGINES: Mapping[str, PolicyEngine] = {
    "kubernetes": PolicyEngine(render=kubernetes.render, may_reach_api_server=kubernetes.may_reach_api_server),
    "cilium": PolicyEngine(render=cilium.render, may_reach_api_server=cilium.may_reach_api_server),
    "calico": PolicyEngine(render=calico.render, may_reach_api_server=calico.may_reach_api_server),
    "clusterNetworkPolicy": PolicyEngine(
        render=clusternetworkpolicy.render, may_reach_api_server=clusternetworkpolicy.may_reach_api_server
    ),
}


def chart(folder: Path, values: Document | None, *, alone: bool = False) -> Plan:
    """The chart in a namespace that it shares with a neighbour, or `alone` in its own. Raises InputError."""
    service_map = load_map(folder / "map.yaml")
    controller = service_map.app(CONTROLLER)
    if alone:
        service_map = _alone(service_map)
    taken = {port.port: port.name or "" for port in controller.ports if port.name not in PORTS}
    wanted = load_values(read_document(folder / "values.yaml").content, values, taken)
    service_map = _changed(service_map, _with_ports(controller, wanted.ports))
    engine = ENGINES[wanted.engine]
    subject = Subject(namespace=controller.namespace, labels=controller.labels)
    topology = service_map.topology()
    neighbours = [pod.id for pod in topology.pods if pod.namespace == subject.namespace and pod.name != CONTROLLER]
    return Plan(
        name="stageset-alone" if alone else service_map.name,
        topology=topology,
        manifests=engine.render(subject, wanted) if wanted.enabled else (),
        warnings=service_map.warnings
        + warnings(wanted, neighbours, reaches_api_server=engine.may_reach_api_server(wanted)),
        service_map=_changed(service_map, _in_force(service_map.app(CONTROLLER), wanted)),
        restricted=wanted.enabled,
        engine=wanted.engine,
    )


def for_engine(values: Document | None, engine: str) -> Document:
    """Values under another engine. What only the kubernetes engine reads is left out for the others: they refuse it."""
    given = values or Document(file="values", content={}, lines={})
    content = deepcopy(dict(given.content))
    policy = content.get("networkPolicy") or {}
    if isinstance(policy, dict):
        own = {**policy, "engine": engine}
        for key, knob in KUBERNETES_ONLY if engine != DEFAULT_ENGINE else ():
            if knob and isinstance(own.get(key), dict):
                own[key] = {name: value for name, value in own[key].items() if name != knob}
            elif not knob:
                own.pop(key, None)
        content["networkPolicy"] = own
    return replace(given, content=content)


def _alone(service_map: ServiceMap) -> ServiceMap:
    """Without the pods that share the controller's namespace."""
    home = service_map.namespace
    apps = tuple(app for app in service_map.apps if app.name == CONTROLLER or app.namespace != home)
    return replace(service_map, apps=apps, bystanders=tuple(p for p in service_map.bystanders if p.namespace != home))


def _changed(service_map: ServiceMap, app: App) -> ServiceMap:
    return replace(service_map, apps=tuple(app if app.name == old.name else old for old in service_map.apps))


def _with_ports(app: App, numbers: Mapping[str, int]) -> App:
    """The controller listening where `ports` says; the table means its rows by the ports' names."""

    def moved(port: Port) -> Port:
        return replace(port, port=numbers.get(port.name or "", port.port))

    return replace(
        app,
        ports=tuple(moved(port) for port in app.ports),
        service_ports=tuple(moved(port) for port in app.service_ports),
        service_numbers={moved(port): number for port, number in app.service_numbers.items()},
        ingress=tuple(replace(arrow, ports=tuple(moved(port) for port in arrow.ports)) for arrow in app.ingress or ()),
    )


def _in_force(app: App, values: StagesetValues) -> App:
    """The controller's rows that count: each port has its mode, and egress only matters when it is enabled."""
    rows = tuple(
        replace(arrow, ports=tuple(port for port in arrow.ports if values.modes.get(port.name or "", True)))
        for arrow in app.ingress or ()
    )
    return replace(app, ingress=rows, egress=app.egress if values.egress.enabled else None)
