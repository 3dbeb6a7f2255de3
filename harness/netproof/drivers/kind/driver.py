"""kind clusters: made from a recipe, found again when they were kept, removed. All that is done on one is the work of a
driver over any API server (drivers/kubernetes)."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

from netproof.clusters.recipes import KindCluster, Recipe, recipe_path
from netproof.drivers import programs
from netproof.drivers.kind import artifacts, cluster, docker, state
from netproof.drivers.kind.externals import ContainerExternals
from netproof.drivers.kubernetes import admission, waiting
from netproof.drivers.kubernetes.driver import KubernetesDriver, Site
from netproof.drivers.kubernetes.objects import Api, Refused, install
from netproof.drivers.kubernetes.polling import NotYet, poll
from netproof.drivers.protocol import Applied, DriverOptions, Environment, Origin
from netproof.errors import ClusterError, InputError
from netproof.model import Say

API_TIMEOUT = 180.0


class KindDriver(KubernetesDriver):
    """One cluster, for one process. Satisfies `netproof.drivers.Driver`."""

    def __init__(self, recipe: Recipe, options: DriverOptions) -> None:
        super().__init__(recipe, options)
        self._engine: Mapping[str, Any] = {}
        self._state: state.ClusterState | None = None
        self._origin: Origin = "created"
        self._owner = False

    def start(self, say: Say) -> Environment:
        self._engine = docker.info()
        if self._options.reuse_cluster:
            self._reuse(say)
        else:
            self._create(say)
        return self._describe()

    def handle(self) -> Mapping[str, str]:
        name, kubeconfig = (self._state.name, str(self._state.kubeconfig)) if self._state else ("", "")
        return {"cluster": name, "kubeconfig": kubeconfig, "origin": self._origin}

    def attach(self, handle: Mapping[str, str]) -> Environment:
        found = state.read(handle["cluster"]) if handle["cluster"] else None
        if found is None:
            raise ClusterError(
                f"the cluster {handle['cluster']} is gone" if handle["cluster"] else "the cluster did not come up"
            )
        self._origin = "reused" if handle["origin"] == "reused" else "created"
        self._engine = docker.info()
        self._connect_to(found)
        return self._describe()

    def stop(self, *, keep: bool) -> None:
        super().stop(keep=keep or not self._owner)
        if self._state is None or not self._owner:
            return
        if keep:
            self._state = state.keep(self._state)
        else:
            state.delete(self._state)
            self._state = None

    def _create(self, say: Say) -> None:
        recipe = self._recipe
        programs.require("kind")
        if recipe.helm:
            programs.require("helm")
        say("finding the CNI's files")
        files = artifacts.resolve(recipe, self._options.artifacts)
        images = [recipe.probe_image, *(recipe.fill(image) for image in recipe.images)]
        local = docker.local_images(images)
        self._state = made = state.new(recipe.name, recipe.version, self._options.run_id, self._options.token)
        self._owner = True
        try:
            say("creating the cluster")
            creation = cluster.Creation(made, self._kind, cgroup_v1=docker.cgroup_v1(self._engine))
            with ThreadPoolExecutor(1, thread_name_prefix="netproof-images") as pool:
                try:
                    loading = pool.submit(cluster.give_images, creation, sorted(local))
                    applied = self._install(creation, files, loading, say)
                except BaseException:
                    creation.abort()
                    raise
            self._state = made = replace(
                made,
                applied=[asdict(one) for one in applied],
                images=[f"{image} {local.get(image, '(from its registry)')}" for image in images],
                kind=programs.run(["kind", "version"]).stdout.strip(),
            )
            state.write(made)
            say("waiting for the nodes")
            api = Api(made.kubeconfig)
            waiting.wait_nodes(api, self._kind.workers + 1, timeout=recipe.ready.timeout)
            self._connect_to(made, api)
        except BaseException:
            state.delete(made)
            self._state = None
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
        found = state.find(self._options.reuse_cluster)
        if (found.cni, found.version) != (self._recipe.name, self._recipe.version):
            raise InputError(
                f"the cluster {found.name} runs {found.cni} {found.version}, "
                f"not {self._recipe.name} {self._recipe.version}",
                key="--reuse-cluster",
            )
        say(f"connecting to {found.name}")
        self._origin = "reused"
        try:
            self._connect_to(found)
            admission.clear(self._cluster.api)
        except Refused as error:
            raise ClusterError(
                f"the kept cluster {found.name} does not answer. After a restart of the machine or its engine, "
                "remove it with `netproof clusters reap --all` and let the run make a new one",
                details=str(error),
            ) from None

    def _connect_to(self, known: state.ClusterState, api: Api | None = None) -> None:
        self._state = known
        api = api or Api(known.kubeconfig)
        site = Site(
            api=api,
            nodes=api.list("/api/v1/nodes"),
            token=known.token,
            origin=self._origin,
            kubectl=f'kubectl --kubeconfig "$(netproof clusters kubeconfig {known.name})"',
            externals=ContainerExternals(known, self._options.run_id, self._recipe.probe_image, self._agent),
        )
        self._connect(site)

    def _describe(self) -> Environment:
        """Also what the engine (`docker info`) and the cluster's state tell."""
        known, found = self._state, super()._describe()
        assert known, "start or attach comes first"
        facts = {
            "kind": known.kind,
            "node image": self._recipe.kind.node_image if self._recipe.kind else "",
            **found.facts,
            "cgroup": f"v{self._engine.get('CgroupVersion', '2')}",
            "processors": str(self._engine.get("NCPU", "")),
        }
        return replace(
            found,
            driver="kind",
            cni=known.cni,
            cni_version=known.version,
            cluster=known.name,
            engine=f"docker {self._engine.get('ServerVersion')}",
            applied=tuple(Applied(**one) for one in known.applied),
            images=tuple(known.images),
            facts=facts,
        )

    @property
    def _kind(self) -> KindCluster:
        if self._recipe.kind is None:
            raise InputError(
                f"the recipe of {self._recipe.name} has no `kind` section", file=recipe_path(self._recipe.name)
            )
        return self._recipe.kind
