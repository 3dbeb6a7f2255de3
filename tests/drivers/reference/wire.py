"""A driver on a small topology, and probes on the wire in few words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from netproof.clusters.recipes import CniVersion, load
from netproof.drivers import DriverOptions
from netproof.drivers.reference.driver import ReferenceDriver
from netproof.model import External, Namespace, Node, Placement, Pod, Port, Service, ServicePort, Topology

HTTP, DNS, METRICS = Port(port=80, name="http"), Port(port=53, protocol="UDP", name="dns"), Port(port=9090)

SHOP = Topology(
    namespaces=(Namespace(name="shop", labels={"team": "a"}), Namespace(name="ops", labels={"team": "b"})),
    pods=(
        Pod(namespace="shop", name="web", labels={"app": "web"}, ports=(HTTP, DNS, METRICS)),
        Pod(namespace="shop", name="db", labels={"app": "db"}, ports=(Port(port=8080, name="http"), DNS), node=1),
        Pod(namespace="shop", name="job", labels={"app": "job"}, node=1),
        Pod(namespace="ops", name="web", labels={"app": "web"}, ports=(HTTP,), node=1),
        Pod(namespace="ops", name="job", labels={"app": "job"}),
        Pod(namespace="ops", name="host", labels={"app": "host"}, ports=(Port(port=7070),), node=1, host_network=True),
    ),
    services=(
        Service(namespace="shop", name="web", selector={"app": "web"}, ports=(ServicePort(port=8000, target=80),)),
        Service(
            namespace="shop",
            name="local",
            selector={"app": "db"},
            ports=(ServicePort(port=8000, target="http"), ServicePort(port=53, target=53, protocol="UDP")),
            node_port=True,
        ),
        Service(
            namespace="shop",
            name="anywhere",
            selector={"app": "db"},
            ports=(ServicePort(port=8000, target="http"),),
            node_port=True,
            external_traffic_policy="Cluster",
        ),
        Service(namespace="shop", name="empty", selector={"app": "none"}, ports=(ServicePort(port=80, target=80),)),
        Service(
            namespace="shop",
            name="bare",
            selector={"app": "db"},
            ports=(ServicePort(port=8080, target=8080),),
            headless=True,
        ),
    ),
    externals=(External(name="store", ports=(Port(port=443),)), External(name="user")),
    nodes=(Node(index=0), Node(index=1)),
)


def make(fault: str = "") -> ReferenceDriver:
    return ReferenceDriver(load(CniVersion(name="reference")), DriverOptions(run_id="test", token="word", fault=fault))


def quiet(text: str) -> None:
    """Told each step; keeps it to itself."""


class Wire:
    """A running driver with SHOP on it."""

    def __init__(self, fault: str = "") -> None:
        self.driver = make(fault)
        self.environment = self.driver.start(quiet)
        self.placement: Placement = self.driver.deploy(SHOP, quiet)

    def at(self, endpoint: str, family: int = 4) -> str:
        address = self.placement.address(endpoint, 6 if family == 6 else 4)
        assert address is not None
        return address

    def ask(self, source: str, *targets: str, timeout: float = 1.0) -> list[dict[str, Any]]:
        """One answer a target; a target is `host:port` or `host:port/UDP`, the host an endpoint id or anything else."""
        probes = []
        for number, target in enumerate(targets):
            protocol = "UDP" if target.endswith("/UDP") else "TCP"
            host, _, port = target.removesuffix("/UDP").rpartition(":")
            where = {"protocol": protocol, "host": self._host(host), "port": int(port)}
            probes.append({"id": number, "kind": "echo", **where})
        return self.batch(source, probes, timeout)

    def batch(self, source: str, probes: Sequence[Mapping[str, Any]], timeout: float = 1.0) -> list[dict[str, Any]]:
        channel = self.driver.open(source)
        channel.send(json.dumps({"round": 1, "timeout": timeout, "probes": probes}))
        answer = json.loads(channel.receive(timeout + 5))
        channel.close()
        results: list[dict[str, Any]] = answer["results"]
        return results

    def outcomes(self, source: str, *targets: str, timeout: float = 1.0) -> list[str]:
        return [result["outcome"] for result in self.ask(source, *targets, timeout=timeout)]

    def connects(self, source: str, target: str) -> bool:
        return self.outcomes(source, target) == ["connected"]

    def _host(self, host: str) -> str:
        return self.at(host) if host in self.placement.addresses else host


def policy(namespace: str, name: str = "p", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"podSelector": {}, **spec},
    }
