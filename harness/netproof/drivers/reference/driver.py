"""The reference driver: keeps what is deployed and applied, and brings the fabric in line with it after each change."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from netproof.clusters.recipes import Recipe
from netproof.drivers import DriverOptions, Environment
from netproof.drivers.reference import addresses, faults, names
from netproof.drivers.reference.compile import ruleset, services
from netproof.drivers.reference.fabric import Fabric
from netproof.errors import AgentLost, ClusterError, InputError
from netproof.model import Channel, External, Manifest, Namespace, Placement, Pod, Port, Say, Service, Topology
from netproof.model.topology import DNS_NAMESPACE, DNS_POD, DNS_SERVICE
from netproof.policy import Policy, read_policies
from netproof.probing.spec import agent_spec, first_attempts
from netproof.wording import count

NODES = tuple(f"node:{index}" for index in range(addresses.NODES))


class ReferenceDriver:
    """One fabric for one process; it ends with the process, whatever happens to that."""

    def __init__(self, recipe: Recipe, options: DriverOptions) -> None:
        self._recipe, self._options = recipe, options
        self._fault = faults.find(options.fault)
        self._running: Fabric | None = None
        self._addresses = addresses.Addresses(())
        self._pids: dict[str, int] = {}
        self._namespaces = {DNS_NAMESPACE.name: DNS_NAMESPACE, "default": Namespace(name="default")}
        self._pods = {DNS_POD.id: DNS_POD}
        self._services: dict[str, Service] = {DNS_SERVICE.id: DNS_SERVICE}
        self._externals: dict[str, External] = {}
        self._manifests: list[Manifest] = []
        self._enforced: tuple[Policy, ...] = ()
        self._seen = Topology(namespaces=(), pods=())
        self._there = Topology(namespaces=(), pods=()), Placement(addresses={})
        """All that is deployed, and where it is."""
        self._loaded: dict[str, str] = {}
        """The kernel's tables: of policies, of Services."""
        self._named: Mapping[str, Sequence[str]] = {}

    def start(self, say: Say) -> Environment:
        """Raises ClusterError when the machine lacks namespaces, forwarding or nft."""
        say("making network namespaces")
        self._running = fabric = Fabric()
        given = self._addresses = addresses.Addresses(fabric.facts["families"])
        given.fixed(DNS_SERVICE.id, addresses.DNS_SERVICE)
        nodes = [self._describe(node, given.node(index), ()) for index, node in enumerate(NODES)]
        nameserver = self._describe(DNS_POD.id, given.pod(DNS_POD.id, DNS_POD.node), ())
        self._pids |= fabric.add([{**nameserver, "nameserver": True}, *nodes])
        facts = {"privilege": fabric.facts["privilege"], "nft": fabric.facts["nft"], "fault": self._options.fault}
        return Environment(
            driver="reference",
            cni=self._recipe.name,
            cni_version=self._recipe.version,
            kernel=platform.release(),
            nodes=NODES,
            families=tuple(fabric.facts["families"]),
            state="created",
            facts={name: fact for name, fact in facts.items() if fact},
        )

    def handle(self) -> Mapping[str, str]:
        """Nothing to share: each process has a fabric of its own."""
        return {}

    def attach(self, handle: Mapping[str, str]) -> Environment:
        return self.start(lambda _: None)

    def deploy(self, topology: Topology, say: Say) -> Placement:
        """What is deployed stays as it is; a pod whose ports or node changed is replaced, at its old address."""
        self._check(topology)
        self._namespaces |= {namespace.name: namespace for namespace in topology.namespaces}
        gone = [pod.id for pod in topology.pods if pod.id in self._pods and not _same(self._pods[pod.id], pod)]
        gone += [e.id for e in topology.externals if e.id in self._externals and self._externals[e.id] != e]
        if gone:
            self._fabric.remove(gone)
        new_pods = [pod for pod in topology.pods if pod.id not in self._pods or pod.id in gone]
        new_externals = [e for e in topology.externals if e.id not in self._externals or e.id in gone]
        say(f"bringing {count(len(new_pods) + len(new_externals), 'endpoint')} up")
        endpoints = [self._describe_pod(pod) for pod in new_pods]
        endpoints += [self._describe(e.id, self._addresses.external(e.id), e.ports) for e in new_externals]
        self._pods |= {pod.id: pod for pod in topology.pods}
        self._externals |= {external.id: external for external in topology.externals}
        self._services |= {service.id: service for service in topology.services}
        for service in topology.services:
            if not service.headless:
                self._addresses.service(service.id)
            for port in service.ports if service.node_port else ():
                self._addresses.node_port(service.id, port.port, port.protocol)
        self._there = self._topology(), self._placement()
        # Rules come before the pods that they are about: a pod is isolated from its first instruction on.
        self._program()
        self._serve()
        if endpoints:
            self._pids |= self._fabric.add(endpoints)
        return self._there[1]

    def open(self, endpoint: str) -> Channel:
        fabric = self._fabric
        try:
            return fabric.open(endpoint)
        except ClusterError as error:
            raise AgentLost(f"no stream to the agent of {endpoint} could be opened: {error}") from None

    def apply(self, manifests: Sequence[Manifest]) -> None:
        """Policies by create or replace."""
        kept = [*self._manifests, *manifests]
        for policy in read_policies(kept):
            namespace = policy.subject.namespace
            if namespace is not None and namespace not in self._namespaces:
                raise InputError(
                    f"its namespace is not deployed; deployed: {', '.join(self._namespaces)}", key=policy.ref
                )
        self._manifests = kept
        self._program()

    def delete(self, manifests: Sequence[Manifest]) -> None:
        gone = {_ref(manifest) for manifest in manifests}
        self._manifests = [manifest for manifest in self._manifests if _ref(manifest) not in gone]
        self._program()

    def reshape(self, topology: Topology) -> Placement:
        """Pods of the topology's namespaces that it no longer lists are removed; the rest is as `deploy` does it."""
        namespaces = {namespace.name for namespace in topology.namespaces}
        wanted = {pod.id for pod in topology.pods}
        gone = [pod.id for pod in self._pods.values() if pod.namespace in namespaces and pod.id not in wanted]
        if gone:
            self._fabric.remove(gone)
            for endpoint in gone:
                del self._pods[endpoint]
        return self.deploy(topology, lambda _: None)

    def reset(self) -> None:
        self._manifests = []
        self._program()

    def disturbed(self) -> str:
        """Nobody else can reach these namespaces."""
        return ""

    def lost(self) -> str:
        """Its processes are this one's own children."""
        return ""

    def evidence(self) -> Mapping[str, str]:
        """The kernel's rules with the number of packets that each one took."""
        return {"ruleset.nft": self._fabric.rules()}

    def reproduce(self, source: str, host: str, port: int, protocol: str) -> str:
        """The network namespaces have no name and end with this process: no command finds them after the run."""
        return ""

    def stop(self, *, keep: bool) -> None:
        """The fabric cannot outlive its process, so there is nothing that could be kept."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    @property
    def _fabric(self) -> Fabric:
        if self._running is None:
            raise ClusterError("the reference dataplane is not running")
        return self._running

    def _program(self) -> None:
        """The policies' rules as they are to be now; the kernel has them when this returns."""
        topology, placement = self._there
        believed = self._fault.world(topology, self._first(topology))
        scene = faults.Scene(topology=believed, enforced=self._enforced)
        self._enforced = self._fault(read_policies(self._manifests), scene)
        self._load("policies", self._fault.rules(ruleset(self._enforced, believed, placement)))

    def _load(self, what: str, table: str) -> None:
        if self._loaded.get(what) != table:
            self._fabric.load(table)
            self._loaded[what] = table

    def _serve(self) -> None:
        """Services and names, which no policy changes."""
        topology, placement = self._there
        self._load("Services", services(topology, placement))
        named = names.table(topology, placement)
        if named != self._named:
            self._fabric.names(DNS_POD.id, named)
            self._named = named

    def _first(self, topology: Topology) -> Topology:
        """Everybody as first seen, for faults that do not learn."""
        known = self._seen
        spaces = {space.name: space for space in (*topology.namespaces, *known.namespaces)}
        pods = {pod.id: pod for pod in (*topology.pods, *known.pods)}
        self._seen = Topology(namespaces=tuple(spaces.values()), pods=tuple(pods.values()))
        return self._seen

    def _topology(self) -> Topology:
        """All that is deployed, and the cluster's DNS."""
        return Topology(
            namespaces=tuple(self._namespaces.values()),
            pods=tuple(self._pods.values()),
            services=tuple(self._services.values()),
            externals=tuple(self._externals.values()),
        )

    def _placement(self) -> Placement:
        return Placement(
            addresses=dict(self._addresses.by_endpoint),
            node_of={pod.id: _node(pod) for pod in self._pods.values()},
            node_ports=dict(self._addresses.node_ports),
            dns_pods=(DNS_POD,),
            hostnames={external.id: names.hostname(external) for external in self._externals.values()},
            api_server=NODES[-1],
        )

    def _check(self, topology: Topology) -> None:
        for node in topology.nodes:
            if node.id not in NODES:
                raise InputError(f"the reference dataplane has no {node.id}; it has {', '.join(NODES)}", key="nodes")

    def _describe_pod(self, pod: Pod) -> dict[str, Any]:
        if pod.host_network:
            return self._describe(pod.id, self._addresses.same(pod.id, _node(pod)), pod.ports, host=_node(pod))
        found = self._describe(pod.id, self._addresses.pod(pod.id, pod.node % len(NODES)), pod.ports)
        return {**found, "spec": {**found["spec"], **first_attempts(pod)}}

    def _describe(
        self, endpoint: str, given: Sequence[str], ports: Sequence[Port], *, host: str | None = None
    ) -> dict[str, Any]:
        """What the supervisor is told of one endpoint."""
        spec = agent_spec(endpoint, self._options.token, ports, **self._resolver(endpoint))
        return {"name": endpoint, "addresses": list(given), "host": host, "nameserver": False, "spec": spec}

    def _resolver(self, endpoint: str) -> dict[str, Any]:
        """By whom an endpoint finds names, and in which domains."""
        resolver = self._addresses.by_endpoint[DNS_SERVICE.id][0]
        namespace = endpoint.partition("/")[0] if "/" in endpoint else "default"
        return {"resolver": resolver, "search": names.search(namespace)}


def _node(pod: Pod) -> str:
    return NODES[pod.node % len(NODES)]


def _ref(manifest: Manifest) -> tuple[str, str, str, str]:
    metadata = manifest["metadata"]
    return manifest["apiVersion"], manifest["kind"], metadata.get("namespace", "default"), metadata["name"]


def _same(old: Pod, new: Pod) -> bool:
    """Whether the same process can go on to be this pod."""
    return replace(old, labels={}) == replace(new, labels={})
