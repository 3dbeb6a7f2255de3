"""Peers outside the cluster: containers beside the nodes on kind's network, running the same agent. They are found
again by their labels, and their removal depends on no helper container."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from netproof.drivers.kind import docker
from netproof.drivers.kind.state import ClusterState
from netproof.drivers.kubernetes.manifests import AGENT_PATH
from netproof.drivers.kubernetes.streams import Pipe, ProcessPipe
from netproof.model import External
from netproof.probing.spec import agent_spec, serve_command

CONCURRENT = 8

T = TypeVar("T")


class ContainerExternals:
    """The peers of one cluster. Satisfies `netproof.drivers.kubernetes.externals.Externals`."""

    def __init__(self, cluster: ClusterState, run: str, image: str, agent: bytes) -> None:
        self._cluster, self._run, self._image, self._agent = cluster, run, image, agent
        self._digest = hashlib.sha256(agent).hexdigest()[:10]

    def ensure(self, wanted: Sequence[External], routes: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
        """A peer that runs this agent with the same ports is used as it is."""
        if not wanted:
            return {}
        there = self._inspect()
        missing = []
        for external in wanted:
            item = there.get(external.id)
            if item and item["State"]["Running"] and self._is_current(item, external):
                continue
            if item:
                docker.remove_containers([item["Id"]])
            missing.append(external)
        if missing:
            self._start(missing)
            there = self._inspect()
        if routes:
            self._route([external.id for external in wanted], routes)
        return {external.id: _addresses(there[external.id]) for external in wanted}

    def is_running(self, endpoint: str) -> bool:
        item = self._inspect().get(endpoint)
        return bool(item and item["State"]["Running"])

    def open(self, endpoint: str) -> Pipe:
        return ProcessPipe(docker.attach_command(self._container(endpoint)))

    def hostname(self, external: External) -> str:
        """The engine's resolver knows it, and the cluster's DNS asks that one. It is the cluster's own, since all
        clusters share one network."""
        return f"{external.name}.{self._cluster.name}.test"

    def command(self, endpoint: str, command: Sequence[str]) -> str:
        return shlex.join(docker.exec_command(self._container(endpoint), command))

    def _start(self, missing: Iterable[External]) -> None:
        # Its import takes as long as all that a run on a kept cluster, whose peers are there, has to do with peers. It
        # is not for the threads of the pool: imports that need each other fail when two threads begin them at once.
        from netproof.drivers.kind import peers

        made = [
            peers.Peer(
                name=self._container(external.id),
                hostname=self.hostname(external),
                title=external.name,
                command=self._command(external),
                labels={
                    docker.LABEL_CLUSTER: self._cluster.name,
                    docker.LABEL_RUN: self._run,
                    docker.LABEL_PEER: external.id,
                    docker.LABEL_AGENT: self._digest,
                },
            )
            for external in missing
        ]
        with peers.without_reaper():
            _concurrently(lambda peer: peers.start(peer, self._image, self._agent), made)

    def _route(self, endpoints: Iterable[str], routes: Mapping[str, str]) -> None:
        """Give peers a route to each range of pods. Nothing but the peers themselves changes; their own agents have no
        right to do this, so it is done from outside. Repeating it changes nothing."""
        words = [f"{pods}={gateway}" for pods, gateway in sorted(routes.items())]
        script = (Path(__file__).parent / "inside_peer.py").read_text(encoding="utf-8")
        _concurrently(
            lambda endpoint: docker.run_in(
                self._container(endpoint),
                ["python3", "-c", script, *words],
                privileged=True,
                purpose=f"giving the outside peer {endpoint.partition(':')[2]} routes to pods",
            ),
            endpoints,
        )

    def _container(self, endpoint: str) -> str:
        """The name of the container that is a peer."""
        return f"{self._cluster.name}-{endpoint.partition(':')[2]}"

    def _command(self, external: External) -> list[str]:
        return serve_command(AGENT_PATH, agent_spec(external.id, self._cluster.token, external.ports))

    def _is_current(self, item: Mapping[str, Any], external: External) -> bool:
        """Whether its agent is this one, and was told the same."""
        config = item["Config"]
        return bool(
            config["Cmd"] == self._command(external) and config["Labels"].get(docker.LABEL_AGENT) == self._digest
        )

    def _inspect(self) -> dict[str, dict[str, Any]]:
        """Endpoint id -> what the engine knows of the container."""
        ids = docker.containers(f"{docker.LABEL_CLUSTER}={self._cluster.name}", docker.LABEL_PEER)
        return {item["Config"]["Labels"][docker.LABEL_PEER]: item for item in docker.inspect_containers(ids)}


def _concurrently(work: Callable[[T], object], items: Iterable[T]) -> None:
    with ThreadPoolExecutor(CONCURRENT, thread_name_prefix="netproof-external") as pool:
        for future in [pool.submit(work, item) for item in items]:
            future.result()


def _addresses(item: Mapping[str, Any]) -> tuple[str, ...]:
    network = item["NetworkSettings"]["Networks"][docker.NETWORK]
    return tuple(address for address in (network["IPAddress"], network["GlobalIPv6Address"]) if address)
