"""Peers outside the cluster: containers beside the nodes on kind's network, running the same agent. They are found
again by their labels, and their removal depends on no helper container."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from netproof.drivers import programs
from netproof.drivers.kind import docker, state
from netproof.drivers.kubernetes.manifests import AGENT_PATH
from netproof.model import External


def ensure(
    record: state.ClusterState, run: str, image: str, agent: bytes, wanted: Iterable[External]
) -> dict[str, tuple[str, ...]]:
    """Make the peers run: endpoint id -> addresses. One that runs this agent with the same ports is used as it is."""
    wanted = list(wanted)
    if not wanted:
        return {}
    there = {item["Config"]["Labels"].get(docker.LABEL_PEER): item for item in _inspect(record)}
    missing = []
    for external in wanted:
        item = there.get(external.id)
        if item and item["State"]["Running"] and _fits(item, _command(record, external), _digest(agent)):
            continue
        if item:
            docker.remove_containers([item["Id"]])
        missing.append(external)
    if missing:
        # Its import takes as long as all that a run on a kept cluster, whose peers are there, has to do with peers. It
        # is not for the threads of the pool: imports that need each other fail when two threads begin them at once.
        from netproof.drivers.kind import peers

        made = [
            peers.Peer(
                name=container(record, external.id),
                hostname=hostname(record, external),
                title=external.name,
                command=_command(record, external),
                labels={
                    docker.LABEL_CLUSTER: record.name,
                    docker.LABEL_RUN: run,
                    docker.LABEL_PEER: external.id,
                    docker.LABEL_AGENT: _digest(agent),
                },
            )
            for external in missing
        ]
        with ThreadPoolExecutor(8, thread_name_prefix="netproof-external") as pool:
            for future in [pool.submit(peers.start, peer, image, agent) for peer in made]:
                future.result()
        there = {item["Config"]["Labels"].get(docker.LABEL_PEER): item for item in _inspect(record)}
    return {external.id: _addresses(there[external.id]) for external in wanted}


def route(record: state.ClusterState, peers: Iterable[str], routes: Mapping[str, str]) -> None:
    """Give peers a route to each range of pods: range -> its node's address. Nothing but the peers themselves changes;
    their own agents have no right to do this, so it is done from outside. Repeating it changes nothing."""
    words = [f"{pods}={gateway}" for pods, gateway in sorted(routes.items())]
    script = (Path(__file__).parent / "inside_peer.py").read_text(encoding="utf-8")
    with ThreadPoolExecutor(8, thread_name_prefix="netproof-route") as pool:
        for future in [
            pool.submit(
                programs.run,
                [
                    "docker",
                    "exec",
                    "--privileged",
                    "--user",
                    "0",
                    container(record, peer),
                    "python3",
                    "-c",
                    script,
                    *words,
                ],
                purpose=f"giving the outside peer {peer.partition(':')[2]} routes to pods",
            )
            for peer in peers
        ]:
            future.result()


def is_running(record: state.ClusterState, endpoint: str) -> bool:
    """Whether a peer's container runs."""
    return any(
        item["Config"]["Labels"].get(docker.LABEL_PEER) == endpoint and item["State"]["Running"]
        for item in _inspect(record)
    )


def container(record: state.ClusterState, endpoint: str) -> str:
    """The name of the container that is a peer."""
    return f"{record.name}-{endpoint.partition(':')[2]}"


def hostname(record: state.ClusterState, external: External) -> str:
    """The name under which pods find a peer: the engine's resolver knows it, and the cluster's DNS asks that one. It is
    the cluster's own, since all clusters share one network."""
    return f"{external.name}.{record.name}.test"


def _command(record: state.ClusterState, external: External) -> list[str]:
    ports = [{"port": port.port, "protocol": port.protocol} for port in external.ports]
    spec = {"name": external.id, "token": record.token, "ports": ports}
    return ["python3", "-I", "-S", AGENT_PATH, "serve", json.dumps(spec, separators=(",", ":"))]


def _fits(item: Mapping[str, Any], command: list[str], digest: str) -> bool:
    config = item["Config"]
    return bool(config["Cmd"] == command and config["Labels"].get(docker.LABEL_AGENT) == digest)


def _digest(agent: bytes) -> str:
    return hashlib.sha256(agent).hexdigest()[:10]


def _inspect(record: state.ClusterState) -> list[dict[str, Any]]:
    ids = docker.containers(f"{docker.LABEL_CLUSTER}={record.name}", docker.LABEL_PEER)
    return docker.inspect_containers(ids)


def _addresses(item: dict[str, Any]) -> tuple[str, ...]:
    network = item["NetworkSettings"]["Networks"][docker.NETWORK]
    return tuple(address for address in (network["IPAddress"], network["GlobalIPv6Address"]) if address)
