"""A driver seen through one worker's eyes: every namespace gets the worker's suffix on the cluster, and nobody above
notices, and its policies reach no other worker's pods. So several xdist workers measure the same scenarios on one
cluster without meeting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from netproof.drivers.narrowing import LABEL, narrow_subjects
from netproof.drivers.protocol import Driver, Environment
from netproof.drivers.renaming import Renaming, rename_namespaces
from netproof.model import Channel, Manifest, Placement, Say, Topology
from netproof.model.topology import DNS_NAMESPACE

SHARED = frozenset({DNS_NAMESPACE.name, "default"})
"""Namespaces that belong to the cluster and keep their names."""


class WorkerDriver:
    """Wraps a driver; satisfies `Driver`."""

    def __init__(self, driver: Driver, worker: str) -> None:
        self._driver, self._worker = driver, worker
        self._renaming = Renaming(suffix=f"-{worker}")

    def start(self, say: Say) -> Environment:
        return self._driver.start(say)

    def handle(self) -> Mapping[str, str]:
        return self._driver.handle()

    def attach(self, handle: Mapping[str, str]) -> Environment:
        return self._driver.attach(handle)

    def deploy(self, topology: Topology, say: Say) -> Placement:
        return self._rename(topology, lambda renamed: self._driver.deploy(renamed, say))

    def reshape(self, topology: Topology) -> Placement:
        return self._rename(topology, self._driver.reshape)

    def _rename(self, topology: Topology, put: Callable[[Topology], Placement]) -> Placement:
        """Put the topology under the cluster's names; the placement comes back under the topology's."""
        names = {namespace.name for namespace in topology.namespaces} - SHARED
        self._renaming = replace(self._renaming, names=self._renaming.names | names)
        rename = self._renaming.rename
        renamed = Topology(
            namespaces=tuple(
                replace(n, name=rename(n.name), labels={**n.labels, LABEL: self._worker}) for n in topology.namespaces
            ),
            pods=tuple(replace(p, namespace=rename(p.namespace)) for p in topology.pods),
            services=tuple(replace(s, namespace=rename(s.namespace)) for s in topology.services),
            externals=tuple(replace(e, name=f"{e.name}{self._renaming.suffix}") for e in topology.externals),
            nodes=topology.nodes,
        )
        there = put(renamed)
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
            namespaces={namespace.name: rename(namespace.name) for namespace in topology.namespaces},
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

    def _endpoint(self, endpoint: str) -> str:
        if endpoint.startswith("external:"):
            return f"{endpoint}{self._renaming.suffix}"
        prefix = "svc:" if endpoint.startswith("svc:") else ""
        namespace, slash, name = endpoint.removeprefix("svc:").partition("/")
        return f"{prefix}{self._renaming.rename(namespace)}/{name}" if slash else endpoint

    def _own(self, manifest: Manifest) -> Manifest:
        return narrow_subjects(rename_namespaces(manifest, self._renaming), self._worker)
