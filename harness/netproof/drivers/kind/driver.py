"""The driver's life: a cluster from a recipe (or a kept one), topologies on it, streams, policies, evidence."""

from __future__ import annotations

import contextlib
import json
import shlex
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

from netproof.clusters.recipes import KindCluster, Recipe, recipe_path
from netproof.drivers import Applied, DriverOptions, Environment, programs
from netproof.drivers.kind import artifacts, cluster, docker, externals, state
from netproof.drivers.kubernetes import admission, observed, pods, pulse, waiting
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
from netproof.drivers.kubernetes.objects import Api, Ref, Refused, install
from netproof.drivers.kubernetes.policies import Policies
from netproof.drivers.kubernetes.polling import NotYet, poll
from netproof.drivers.kubernetes.shape import Shape
from netproof.drivers.kubernetes.streams import LineChannel, PodPipe, ProcessPipe
from netproof.errors import AgentLost, ClusterError, InputError
from netproof.model import Channel, Manifest, Placement, Say, Topology
from netproof.model.traffic import API_SERVER
from netproof.probing import bundle

NODES_NAMESPACE = "netproof-nodes"
API_TIMEOUT = 180.0

LOST_AFTER = 10.0
"""Seconds for which an API server may be silent that has been silent for all the patience of a scenario's changes."""

PULSE_LASTS = 2.0
"""Seconds for which a pulse serves as the one before a step."""


class KindDriver:
    """One cluster, for one process. Satisfies `netproof.drivers.Driver`."""

    def __init__(self, recipe: Recipe, options: DriverOptions) -> None:
        self._recipe = recipe
        self._options = options
        self._agent = bundle.archive()
        self._engine: Mapping[str, Any] = {}
        self._record: state.ClusterState | None = None
        self._api: Api | None = None
        self._policies: Policies | None = None
        self._deployed: Shape | None = None
        self._nodes: list[str] = []
        self._certificate = ""
        self._peers: dict[str, tuple[str, ...]] = {}
        self._placed: dict[str, tuple[str, ...]] = {}
        self._opened: set[str] = set()
        self._pulse = pulse.Pulse()
        self._felt_at = -PULSE_LASTS
        self._feeler = ThreadPoolExecutor(1, thread_name_prefix="netproof-pulse")
        self._feeling: Future[None] = self._feeler.submit(lambda: None)
        self._origin = "created"
        self._owner = False
        self._is_lost = False

    @classmethod
    def visiting(
        cls, api: Api, recipe: Recipe, options: DriverOptions, nodes: Sequence[Mapping[str, Any]]
    ) -> KindDriver:
        """On these nodes of a cluster that is not ours: what it deploys there is for the caller to remove."""
        driver = cls(recipe, options)
        driver._record = state.guest(recipe.name, options.run_id, options.token)
        driver._use(api, nodes)
        return driver

    def start(self, say: Say) -> Environment:
        self._engine = docker.info()
        if self._options.reuse_cluster:
            self._reuse(say)
        else:
            self._create(say)
        return self._environment()

    def handle(self) -> Mapping[str, str]:
        name, kubeconfig = (self._record.name, str(self._record.kubeconfig)) if self._record else ("", "")
        return {"cluster": name, "kubeconfig": kubeconfig, "origin": self._origin}

    def attach(self, handle: Mapping[str, str]) -> Environment:
        record = state.read(handle["cluster"]) if handle["cluster"] else None
        if record is None:
            raise ClusterError(
                f"the cluster {handle['cluster']} is gone" if handle["cluster"] else "the cluster did not come up"
            )
        self._origin = handle["origin"]
        self._engine = docker.info()
        self._connect(record)
        return self._environment()

    def deploy(self, topology: Topology, say: Say) -> Placement:
        wanted = self._wanted(topology)
        if self._origin != "created":
            self._steps.clear_leftovers(
                {one.namespace["metadata"]["name"] for one in wanted} - set(self._shape.namespaces)
            )
        with ThreadPoolExecutor(1, thread_name_prefix="netproof-externals") as pool:
            outside = pool.submit(self._outside, topology)
            self._shape.deploy(topology, wanted, say)
            self._peers.update(outside.result())
        return self._placement(topology)

    def reshape(self, topology: Topology) -> Placement:
        self._shape.reshape(topology, self._wanted(topology))
        return self._placement(topology)

    def open(self, endpoint: str) -> Channel:
        if endpoint == API_SERVER:
            return admission.Caller(self._reachable)
        # A first stream is to what was awaited a moment ago. When it ends, its pod may have started again elsewhere.
        if endpoint in self._opened and (why := self._gone(endpoint)):
            raise AgentLost(why, gone=True)
        self._opened.add(endpoint)
        try:
            return self._stream(endpoint)
        except AgentLost as error:
            if why := self._gone(endpoint):
                raise AgentLost(f"{why}: {error}", gone=True) from None
            raise

    def _stream(self, endpoint: str) -> Channel:
        if endpoint.startswith("external:"):
            name = externals.container(self._mine, endpoint)
            channel = LineChannel(endpoint, ProcessPipe(["docker", "attach", "--sig-proxy=false", name]))
        else:
            namespace, pod = self._pod(endpoint)
            channel = LineChannel(endpoint, PodPipe(self._reachable.configuration, namespace, pod, CONTAINER))
        try:
            channel.greet()
        except BaseException:
            channel.close()
            raise
        return channel

    def _gone(self, endpoint: str) -> str:
        """Why the pod or container that was deployed for an endpoint is there no more, or ''."""
        try:
            if endpoint.startswith("external:"):
                return "" if externals.is_running(self._mine, endpoint) else f"{endpoint} does not run any more"
            pod = self._reachable.get(Ref("v1", "Pod", *self._pod(endpoint)))
        except ClusterError:
            return ""  # nobody answers, so nothing is known
        if pod is None or pods.is_over(pod):
            return f"{endpoint} is gone"
        if endpoint in self._placed and pulse.is_elsewhere(pod, self._placed[endpoint]):
            return f"{endpoint} has another address now"
        return ""

    def apply(self, manifests: Sequence[Manifest]) -> None:
        self._feel()
        self._steps.apply(manifests)

    def delete(self, manifests: Sequence[Manifest]) -> None:
        self._steps.delete(manifests)

    def reset(self) -> None:
        self._steps.reset()
        self._feel()

    def disturbed(self) -> str:
        try:
            if why := self._steps.disturbed():
                return f"the policies are not those of this step any more: {why}"
            self._feeling.result()
            self._felt_at = -PULSE_LASTS
            now = pulse.feel(self._reachable, self._recipe.ready)
            why = pulse.missed(self._pulse, now) or pulse.moved(self._reachable, self._placed)
        except Refused as error:
            why = str(error)
        return why and f"the cluster is not the one that this step began on: {why}"

    def lost(self) -> str:
        def answers() -> None:
            try:
                self._reachable.list("/api/v1/nodes")
            except Refused as error:
                if not error.status:  # whoever refuses is there
                    raise NotYet(str(error)) from None

        try:
            poll(answers, timeout=LOST_AFTER, what="asking the API server once more")
        except ClusterError as error:
            self._is_lost = True
            return str(error)
        return ""

    def _feel(self) -> None:
        """Beside the measuring, which must not wait for it. One that is young enough does: what happened since makes a
        step that disagrees doubtful, never one that agrees wrong."""
        if time.monotonic() - self._felt_at < PULSE_LASTS:
            return
        self._felt_at = time.monotonic()

        def feel() -> None:
            # Of a cluster that does not answer now, an earlier pulse tells the difference as well.
            with contextlib.suppress(Refused):
                self._pulse = pulse.feel(self._reachable, self._recipe.ready)

        self._feeling = self._feeler.submit(feel)

    def evidence(self) -> Mapping[str, str]:
        return observed.evidence(self._reachable, self._recipe, self._shape.namespaces, self._steps.live())

    def reproduce(self, source: str, host: str, port: int, protocol: str) -> str:
        probe = {"protocol": protocol, "host": host, "port": port}
        command = ["python3", AGENT_PATH, "once", json.dumps({"token": self._mine.token, "probe": probe})]
        if source.startswith("external:"):
            return shlex.join(["docker", "exec", externals.container(self._mine, source), *command])
        namespace, pod = self._pod(source)
        kubeconfig = f'"$(netproof clusters kubeconfig {self._mine.name})"'
        return f"kubectl --kubeconfig {kubeconfig} {shlex.join(['exec', '-n', namespace, pod, '--', *command])}"

    def stop(self, *, keep: bool) -> None:
        self._feeler.shutdown()
        if self._policies is not None and (keep or not self._owner) and not self._is_lost:
            # Whoever uses the cluster next finds none of these policies in force.
            with contextlib.suppress(ClusterError):
                self._policies.reset(outage=0)
        if self._record is None or not self._owner:
            return
        if keep:
            self._record = state.keep(self._record)
        else:
            state.delete(self._record)
            self._record = None

    def _create(self, say: Say) -> None:
        recipe = self._recipe
        programs.require("kind")
        if recipe.helm:
            programs.require("helm")
        say("finding the CNI's files")
        files = artifacts.resolve(recipe, self._options.artifacts)
        images = [recipe.probe_image, *(recipe.fill(image) for image in recipe.images)]
        local = docker.local_images(images)
        self._record = state.new(recipe.name, recipe.version, self._options.run_id, self._options.token)
        self._owner = True
        try:
            say("creating the cluster")
            creation = cluster.Creation(self._record, self._kind, cgroup_v1=docker.cgroup_v1(self._engine))
            with ThreadPoolExecutor(1, thread_name_prefix="netproof-images") as pool:
                try:
                    loading = pool.submit(cluster.give_images, creation, sorted(local))
                    applied = self._install(creation, files, loading, say)
                except BaseException:
                    creation.abort()
                    raise
            images_used = [f"{image} {local.get(image, '(from its registry)')}" for image in images]
            self._record = replace(
                self._record,
                applied=[asdict(one) for one in applied],
                images=images_used,
                kind=programs.run(["kind", "version"]).stdout.strip(),
            )
            state.write(self._record)
            self._connect(self._record)
            say("waiting for the nodes")
            waiting.wait_nodes(self._reachable, self._kind.workers + 1, timeout=recipe.ready.timeout)
            self._nodes = node_order(self._reachable.list("/api/v1/nodes"))
        except BaseException:
            state.delete(self._record)
            self._record = None
            raise

    def _install(
        self, creation: cluster.Creation, files: artifacts.Artifacts, loading: Future[None], say: Say
    ) -> list[Applied]:
        """Install the CNI once the API server answers and its images are on the nodes, while later nodes still join."""
        api = Api(creation.wait_kubeconfig())

        def answers() -> str:
            creation.alive()
            try:
                api.list("/api/v1/nodes")
                return api.version()
            except Refused as error:
                raise NotYet(str(error)) from None

        version = poll(answers, timeout=API_TIMEOUT, what="the start of the API server")
        objects, applied = artifacts.render(self._recipe, files, kubernetes=version)
        say("loading images")
        loading.result()
        say("installing the CNI")
        install(api, objects)
        creation.finish()
        return applied

    def _reuse(self, say: Say) -> None:
        record = state.find(self._options.reuse_cluster)
        if (record.cni, record.version) != (self._recipe.name, self._recipe.version):
            raise InputError(
                f"the cluster {record.name} runs {record.cni} {record.version}, "
                f"not {self._recipe.name} {self._recipe.version}",
                key="--reuse-cluster",
            )
        say(f"connecting to {record.name}")
        self._origin = "reused"
        try:
            self._connect(record)
            admission.clear(self._reachable)
        except Refused as error:
            raise ClusterError(
                f"the kept cluster {record.name} does not answer. After a restart of the machine or its engine, "
                "remove it with `netproof clusters reap --all` and let the run make a new one",
                details=str(error),
            ) from None

    def _connect(self, record: state.ClusterState) -> None:
        self._record = record
        api = Api(record.kubeconfig)
        self._use(api, api.list("/api/v1/nodes"))

    def _use(self, api: Api, nodes: Sequence[Mapping[str, Any]]) -> None:
        self._api = api
        self._policies = Policies(api, self._recipe.dialects, self._options.run_id)
        self._deployed = Shape(api, self._recipe.ready, fresh=self._origin == "created")
        self._nodes = node_order(nodes)
        self._certificate = api.certificate()

    def _environment(self) -> Environment:
        return observed.environment(
            self._reachable, self._mine, self._recipe, self._nodes, origin=self._origin, engine=self._engine
        )

    def _wanted(self, topology: Topology) -> list[Deployment]:
        terms = self._terms()
        wanted = deployments(topology, terms)
        if topology.nodes:
            count = max(node.index for node in topology.nodes) + 1
            wanted.append(node_deployment(self._nodes_namespace(), count, terms))
        return wanted

    def _outside(self, topology: Topology) -> dict[str, tuple[str, ...]]:
        image, run = self._recipe.probe_image, self._options.run_id
        found = externals.ensure(self._mine, run, image, self._agent, topology.externals)
        if self._recipe.routed:
            externals.route(self._mine, found, pods.ranges(self._reachable))
        return found

    def _placement(self, topology: Topology) -> Placement:
        addresses, node_of, dns_pods = pods.locate(self._reachable, topology, self._nodes)
        services, node_ports = pods.locate_services(self._reachable, topology)
        self._placed.update({pod.id: addresses[pod.id] for pod in topology.pods if pod.id in addresses})
        self._feel()
        outside = {
            external.id: self._peers[external.id] for external in topology.externals if external.id in self._peers
        }
        return Placement(
            addresses={**addresses, **services, **outside},
            node_of=node_of,
            node_ports=node_ports,
            dns_pods=dns_pods,
            hostnames={external.id: externals.hostname(self._mine, external) for external in topology.externals},
            api_server=f"node:{len(self._nodes) - 1}",
            api_certificate=self._certificate,
        )

    def _terms(self) -> Terms:
        return Terms(
            run=self._options.run_id,
            token=self._mine.token,
            image=self._recipe.probe_image,
            agent=self._agent,
            nodes=self._nodes,
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

    @property
    def _kind(self) -> KindCluster:
        if self._recipe.kind is None:
            raise InputError(
                f"the recipe of {self._recipe.name} has no `kind` section", file=recipe_path(self._recipe.name)
            )
        return self._recipe.kind

    @property
    def _mine(self) -> state.ClusterState:
        assert self._record, "start or attach comes first"
        return self._record

    @property
    def _reachable(self) -> Api:
        assert self._api, "start or attach comes first"
        return self._api

    @property
    def _shape(self) -> Shape:
        assert self._deployed, "start or attach comes first"
        return self._deployed

    @property
    def _steps(self) -> Policies:
        assert self._policies, "start or attach comes first"
        return self._policies
