"""A driver on a cluster that an API server answers for: topologies, streams, policies, evidence. It neither makes nor
finds such a cluster, nor removes it; who extends it does (kind makes them, a guest is given one)."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from netproof.clusters.recipes import Recipe
from netproof.drivers.kubernetes import admission, pods, pulse
from netproof.drivers.kubernetes.describe import collect_evidence, describe_environment
from netproof.drivers.kubernetes.externals import Externals, NoExternals
from netproof.drivers.kubernetes.manifests import (
    AGENT_PATH,
    CONTAINER,
    Deployment,
    Terms,
    deployments,
    node_deployment,
    node_order,
    node_pod,
)
from netproof.drivers.kubernetes.objects import Api, Ref, Refused
from netproof.drivers.kubernetes.policies import Policies
from netproof.drivers.kubernetes.polling import NotYet, poll
from netproof.drivers.kubernetes.shape import Shape
from netproof.drivers.kubernetes.streams import LineChannel, PodPipe
from netproof.drivers.protocol import DriverOptions, Environment, Origin
from netproof.errors import AgentLost, ClusterError
from netproof.model import Channel, Manifest, Placement, Say, Topology
from netproof.model.traffic import API_SERVER
from netproof.probing import bundle
from netproof.probing.spec import once_command

NODES_NAMESPACE = "netproof-nodes"
LOST_AFTER = 10.0
"""Seconds for which an API server may be silent that has been silent for all the patience of a scenario's changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A cluster that answers, and what a driver needs to know to work there."""

    api: Api
    nodes: Sequence[Mapping[str, Any]]
    """The nodes that pods may be put on."""
    token: str
    """The secret word without which agents do not answer."""
    origin: Origin
    kubectl: str = "kubectl"
    """The words by which a person's shell reaches it."""
    externals: Externals = field(default_factory=NoExternals)


class _Connected:
    """What a driver keeps of one cluster while it works there."""

    def __init__(self, site: Site, recipe: Recipe, run: str) -> None:
        self.site, self.api, self.externals = site, site.api, site.externals
        self.nodes = node_order(site.nodes)
        self.certificate = site.api.certificate()
        self.policies = Policies(site.api, recipe.dialects, run)
        self.shape = Shape(site.api, recipe.ready, origin=site.origin)
        self.watch = pulse.Watch(site.api, recipe.ready)
        self.peers: dict[str, tuple[str, ...]] = {}
        """Addresses of the peers outside."""
        self.placed: dict[str, tuple[str, ...]] = {}
        """Addresses of the pods."""
        self.opened: set[str] = set()


class KubernetesDriver:
    """One cluster, for one process: `netproof.drivers.Driver` but for `start`, `handle` and `attach`."""

    def __init__(self, recipe: Recipe, options: DriverOptions) -> None:
        self._recipe = recipe
        self._options = options
        self._agent = bundle.archive()
        self._connected: _Connected | None = None
        self._is_lost = False

    def _connect(self, site: Site) -> None:
        """What `start` and `attach` come to."""
        self._connected = _Connected(site, self._recipe, self._options.run_id)

    @property
    def _cluster(self) -> _Connected:
        assert self._connected, "start or attach comes first"
        return self._connected

    def _describe(self) -> Environment:
        there = self._cluster
        return describe_environment(there.api, self._recipe, there.nodes, origin=there.site.origin)

    def deploy(self, topology: Topology, say: Say) -> Placement:
        there = self._cluster
        wanted = self._deployments(topology)
        if there.site.origin == "reused":
            there.policies.clear_leftovers(
                {one.namespace["metadata"]["name"] for one in wanted} - set(there.shape.namespaces)
            )
        with ThreadPoolExecutor(1, thread_name_prefix="netproof-externals") as pool:
            outside = pool.submit(self._ensure_externals, topology)
            there.shape.deploy(topology, wanted, say)
            there.peers.update(outside.result())
        return self._locate(topology)

    def reshape(self, topology: Topology) -> Placement:
        self._cluster.shape.reshape(topology, self._deployments(topology))
        return self._locate(topology)

    def open(self, endpoint: str) -> Channel:
        there = self._cluster
        if endpoint == API_SERVER:
            return admission.Caller(there.api)
        # A first stream is to what was awaited a moment ago. When it ends, its pod may have started again elsewhere.
        if endpoint in there.opened and (why := self._explain_absence(endpoint)):
            raise AgentLost(why, gone=True)
        there.opened.add(endpoint)
        try:
            return self._stream(endpoint)
        except AgentLost as error:
            if why := self._explain_absence(endpoint):
                raise AgentLost(f"{why}: {error}", gone=True) from None
            raise

    def _stream(self, endpoint: str) -> Channel:
        there = self._cluster
        if endpoint.startswith("external:"):
            channel = LineChannel(endpoint, there.externals.open(endpoint))
        else:
            namespace, pod = self._pod(endpoint)
            channel = LineChannel(endpoint, PodPipe(there.api.configuration, namespace, pod, CONTAINER))
        try:
            channel.greet()
        except BaseException:
            channel.close()
            raise
        return channel

    def _explain_absence(self, endpoint: str) -> str:
        """Why the pod or container that was deployed for an endpoint is there no more, or ''."""
        there = self._cluster
        try:
            if endpoint.startswith("external:"):
                return "" if there.externals.is_running(endpoint) else f"{endpoint} does not run any more"
            pod = there.api.get(Ref("v1", "Pod", *self._pod(endpoint)))
        except ClusterError:
            return ""  # nobody answers, so nothing is known
        if pod is None or pods.is_over(pod):
            return f"{endpoint} is gone"
        if endpoint in there.placed and pulse.is_elsewhere(pod, there.placed[endpoint]):
            return f"{endpoint} has another address now"
        return ""

    def apply(self, manifests: Sequence[Manifest]) -> None:
        self._cluster.watch.begin()
        self._cluster.policies.apply(manifests)

    def delete(self, manifests: Sequence[Manifest]) -> None:
        self._cluster.policies.delete(manifests)

    def reset(self) -> None:
        self._cluster.policies.reset()
        self._cluster.watch.begin()

    def disturbed(self) -> str:
        there = self._cluster
        try:
            if why := there.policies.disturbed():
                return f"the policies are not those of this step any more: {why}"
            why = there.watch.compare(there.placed)
        except Refused as error:
            why = str(error)
        return why and f"the cluster is not the one that this step began on: {why}"

    def lost(self) -> str:
        def answers() -> None:
            try:
                self._cluster.api.list("/api/v1/nodes")
            except Refused as error:
                if not error.status:  # whoever refuses is there
                    raise NotYet(str(error)) from None

        try:
            poll(answers, timeout=LOST_AFTER, what="asking the API server once more")
        except ClusterError as error:
            self._is_lost = True
            return str(error)
        return ""

    def evidence(self) -> Mapping[str, str]:
        there = self._cluster
        return collect_evidence(there.api, self._recipe, there.shape.namespaces, there.policies.live())

    def reproduce(self, source: str, host: str, port: int, protocol: str) -> str:
        site = self._cluster.site
        command = once_command(AGENT_PATH, site.token, protocol=protocol, host=host, port=port)
        if source.startswith("external:"):
            return site.externals.command(source, command)
        namespace, pod = self._pod(source)
        return f"{site.kubectl} {shlex.join(['exec', '-n', namespace, pod, '--', *command])}"

    def stop(self, *, keep: bool) -> None:
        """With `keep`, whoever uses the cluster next finds none of this run's policies in force."""
        if self._connected is None:
            return
        self._connected.watch.close()
        if keep and not self._is_lost:
            with contextlib.suppress(ClusterError):
                self._connected.policies.reset(outage=0)

    def _deployments(self, topology: Topology) -> list[Deployment]:
        there = self._cluster
        terms = Terms(
            run=self._options.run_id,
            token=there.site.token,
            image=self._recipe.probe_image,
            agent=self._agent,
            nodes=there.nodes,
        )
        found = deployments(topology, terms)
        if topology.nodes:
            count = max(node.index for node in topology.nodes) + 1
            found.append(node_deployment(self._nodes_namespace(), count, terms))
        return found

    def _ensure_externals(self, topology: Topology) -> Mapping[str, tuple[str, ...]]:
        there = self._cluster
        routes = pods.ranges(there.api) if self._recipe.routed and topology.externals else {}
        return there.externals.ensure(topology.externals, routes)

    def _locate(self, topology: Topology) -> Placement:
        there = self._cluster
        addresses, node_of, dns_pods = pods.locate(there.api, topology, there.nodes)
        services, node_ports = pods.locate_services(there.api, topology)
        there.placed.update({pod.id: addresses[pod.id] for pod in topology.pods if pod.id in addresses})
        there.watch.begin()
        outside = {one.id: there.peers[one.id] for one in topology.externals if one.id in there.peers}
        return Placement(
            addresses={**addresses, **services, **outside},
            node_of=node_of,
            node_ports=node_ports,
            dns_pods=dns_pods,
            hostnames={external.id: there.externals.hostname(external) for external in topology.externals},
            api_server=f"node:{len(there.nodes) - 1}",
            api_certificate=there.certificate,
        )

    def _pod(self, endpoint: str) -> tuple[str, str]:
        """(namespace, pod) of the agent of a pod or a node."""
        kind, _, index = endpoint.partition(":")
        if kind == "node" and index.isdecimal():
            return self._nodes_namespace(), node_pod(int(index))
        namespace, _, name = endpoint.partition("/")
        return namespace, name

    def _nodes_namespace(self) -> str:
        return "-".join(filter(None, (NODES_NAMESPACE, self._options.worker)))
