"""A driver seen through one worker's eyes: every namespace gets the worker's suffix on the cluster, and nobody above
notices, and its policies reach no other worker's pods. So several xdist workers measure the same scenarios on one
cluster without meeting."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from netproof.drivers import Driver, Environment
from netproof.drivers.narrowing import LABEL, confined
from netproof.model import Channel, Manifest, Placement, Say, Topology
from netproof.model.topology import DNS_NAMESPACE, NAME_LABEL

NAMES = frozenset({NAME_LABEL, "io.kubernetes.pod.namespace", f"io.cilium.k8s.namespace.labels.{NAME_LABEL}"})
SELECTORS = frozenset({"selector", "notSelector", "namespaceSelector"})
"""Keys under which Calico has selectors; elsewhere they hold mappings."""
COMPARED = re.compile(
    r"((?:kubernetes\.io/metadata\.name|projectcalico\.org/name(?:space)?)\s*(?:==|!=|not\s+in|in)\s*)"
    r"(\{[^}]*\}|'[^']*'|\"[^\"]*\")"
)
"""In such a text a label that stands for a namespace's name, and what it is compared with."""
QUOTED = re.compile(r"(['\"])(.*?)\1")
SHARED = frozenset({DNS_NAMESPACE.name, "default"})
"""Namespaces that belong to the cluster and keep their names."""


class WorkerDriver:
    """Wraps a driver; satisfies `Driver`."""

    def __init__(self, driver: Driver, worker: str) -> None:
        self._driver, self._worker, self._suffix = driver, worker, f"-{worker}"
        self._moved: set[str] = set()

    def start(self, say: Say) -> Environment:
        return self._driver.start(say)

    def handle(self) -> Mapping[str, str]:
        return self._driver.handle()

    def attach(self, handle: Mapping[str, str]) -> Environment:
        return self._driver.attach(handle)

    def deploy(self, topology: Topology, say: Say) -> Placement:
        return self._moving(topology, lambda moved: self._driver.deploy(moved, say))

    def reshape(self, topology: Topology) -> Placement:
        return self._moving(topology, self._driver.reshape)

    def _moving(self, topology: Topology, put: Callable[[Topology], Placement]) -> Placement:
        self._moved |= {namespace.name for namespace in topology.namespaces} - SHARED
        moved = Topology(
            namespaces=tuple(
                replace(n, name=self._away(n.name), labels={**n.labels, LABEL: self._worker})
                for n in topology.namespaces
            ),
            pods=tuple(replace(p, namespace=self._away(p.namespace)) for p in topology.pods),
            services=tuple(replace(s, namespace=self._away(s.namespace)) for s in topology.services),
            externals=tuple(replace(e, name=f"{e.name}{self._suffix}") for e in topology.externals),
            nodes=topology.nodes,
        )
        there = put(moved)
        home = {
            self._endpoint(endpoint): endpoint
            for endpoint in (*topology.endpoints(), *(service.id for service in topology.services))
        }
        return Placement(
            addresses={home.get(key, key): value for key, value in there.addresses.items()},
            node_of={home.get(key, key): value for key, value in there.node_of.items()},
            node_ports={(home.get(key, key), *rest): port for (key, *rest), port in there.node_ports.items()},  # type: ignore[misc]
            dns_pods=there.dns_pods,
            server_names={endpoint: there.server_names.get(away, away) for away, endpoint in home.items()},
            namespaces={namespace.name: self._away(namespace.name) for namespace in topology.namespaces},
            hostnames={home.get(key, key): name for key, name in there.hostnames.items()},
            api_server=there.api_server,
            api_certificate=there.api_certificate,
        )

    def open(self, endpoint: str) -> Channel:
        return self._driver.open(self._endpoint(endpoint))

    def apply(self, manifests: Sequence[Manifest]) -> None:
        self._driver.apply([self._own(manifest) for manifest in manifests])

    def delete(self, manifests: Sequence[Manifest]) -> None:
        self._driver.delete([self._own(manifest) for manifest in manifests])

    def reset(self) -> None:
        self._driver.reset()

    def disturbed(self) -> str:
        return self._driver.disturbed()

    def lost(self) -> str:
        return self._driver.lost()

    def evidence(self) -> Mapping[str, str]:
        return self._driver.evidence()

    def reproduce(self, source: str, host: str, port: int, protocol: str) -> str:
        return self._driver.reproduce(self._endpoint(source), host, port, protocol)

    def stop(self, *, keep: bool) -> None:
        self._driver.stop(keep=keep)

    def _away(self, namespace: str) -> str:
        return f"{namespace}{self._suffix}" if namespace in self._moved else namespace

    def _endpoint(self, endpoint: str) -> str:
        if endpoint.startswith("external:"):
            return f"{endpoint}{self._suffix}"
        prefix = "svc:" if endpoint.startswith("svc:") else ""
        namespace, slash, name = endpoint.removeprefix("svc:").partition("/")
        return f"{prefix}{self._away(namespace)}/{name}" if slash else endpoint

    def _own(self, manifest: Manifest) -> Manifest:
        return confined(self._rewritten(manifest), self._worker)

    def _rewritten(self, value: Any, key: str = "") -> Any:
        """A manifest with every namespace it names moved: `namespace` keys, labels that stand for a namespace's name in
        each dialect, and Calico's selectors, which are text."""
        if isinstance(value, Mapping):
            if _stands_for_a_name(value.get("key")) and "values" in value:
                return {**value, "values": [self._away(name) for name in value["values"]]}
            moved = {k: self._rewritten(v, k) for k, v in value.items()}
            if value.get("kind") == "Namespace" and "metadata" in moved:
                moved["metadata"] = {**moved["metadata"], "name": self._away(value["metadata"]["name"])}
            return moved
        if isinstance(value, list | tuple):
            return [self._rewritten(item) for item in value]
        if not isinstance(value, str):
            return value
        if key in SELECTORS:
            return COMPARED.sub(lambda found: found[1] + QUOTED.sub(self._quoted, found[2]), value)
        return self._away(value) if key == "namespace" or _stands_for_a_name(key) else value

    def _quoted(self, found: re.Match[str]) -> str:
        quote, name = found[1], found[2]
        return f"{quote}{self._away(name)}{quote}"


def _stands_for_a_name(label: Any) -> bool:
    """Whether a label's value is the name of a namespace. Cilium's labels may have a source in front (`k8s:`)."""
    return isinstance(label, str) and label.rpartition(":")[2] in NAMES
