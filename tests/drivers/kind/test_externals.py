"""Which outside peers of a kept cluster are used again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from testcontainers.core.config import testcontainers_config

from netproof.drivers.kind import docker, peers, state
from netproof.drivers.kind.externals import ContainerExternals
from netproof.model import External, Port

BANK = External(name="bank", ports=(Port(port=443),))
CLUSTER = state.ClusterState(
    name="netproof-x", cni="x", version="1", run="r", token="word", created="", host="", pid=1, started=""
)


@pytest.fixture
def containers(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """An engine that keeps containers in a mapping: id -> what inspecting them says."""
    there: dict[str, dict[str, Any]] = {}

    def start(peer: peers.Peer, image: str, agent: bytes) -> None:
        assert testcontainers_config.ryuk_disabled
        identifier = f"{peer.title}-{len(agent)}"
        there[identifier] = {
            "Id": identifier,
            "State": {"Running": True},
            "Config": {"Labels": peer.labels, "Cmd": peer.command},
            "NetworkSettings": {"Networks": {docker.NETWORK: {"IPAddress": "172.18.0.9", "GlobalIPv6Address": ""}}},
        }

    def remove(ids: Sequence[str]) -> None:
        for identifier in ids:
            del there[identifier]

    monkeypatch.setattr(peers, "start", start)
    monkeypatch.setattr(docker, "containers", lambda *labels: list(there))
    monkeypatch.setattr(docker, "inspect_containers", lambda ids: [there[one] for one in ids])
    monkeypatch.setattr(docker, "remove_containers", remove)
    return there


def ensure(agent: bytes) -> Mapping[str, tuple[str, ...]]:
    return ContainerExternals(CLUSTER, "run", "image", agent).ensure([BANK], {})


def test_a_peer_is_used_again_while_it_runs_the_same_agent(containers: dict[str, dict[str, Any]]) -> None:
    assert ensure(b"agent") == {"external:bank": ("172.18.0.9",)}
    assert not testcontainers_config.ryuk_disabled, "other tests in this process have their own settings"
    ensure(b"agent")
    assert list(containers) == ["bank-5"]
    ensure(b"newer agent")
    assert list(containers) == ["bank-11"]


def test_a_peer_that_has_stopped_is_told_apart_and_started_anew(containers: dict[str, dict[str, Any]]) -> None:
    ensure(b"agent")
    peers = ContainerExternals(CLUSTER, "run", "image", b"agent")
    assert peers.is_running("external:bank")
    containers["bank-5"]["State"]["Running"] = False
    assert not peers.is_running("external:bank")
    assert not peers.is_running("external:other")
    ensure(b"agent")
    assert peers.is_running("external:bank")


def test_who_looks_for_a_peer_by_hand_reaches_its_container() -> None:
    peers = ContainerExternals(CLUSTER, "run", "image", b"agent")
    assert peers.command("external:bank", ["echo", "a b"]) == "docker exec netproof-x-bank echo 'a b'"
    assert peers.hostname(BANK) == "bank.netproof-x.test"


ONE_IMPORTER = """
import sys, threading
from netproof.drivers.kind import docker, state
from netproof.drivers.kind.externals import ContainerExternals
from netproof.model import External, Port

importers = set()

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("docker", "testcontainers"):
            importers.add(threading.current_thread().name)

sys.meta_path.insert(0, Watch())
docker.containers = lambda *labels: []
docker.local_images = lambda images: {}
cluster = state.ClusterState(
    name="netproof-x", cni="x", version="1", run="r", token="word", created="", host="", pid=1, started=""
)
wanted = [External(name=f"peer-{number}", ports=(Port(port=443),)) for number in range(8)]
try:
    ContainerExternals(cluster, "run", "image", b"agent").ensure(wanted, {})
finally:
    print(len(importers))
"""


def test_the_container_library_is_imported_by_one_thread() -> None:
    """Its modules import one another: when several threads begin that at once, one of them finds half a module, about
    once in fifteen runs."""
    nowhere = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    done = subprocess.run(
        [sys.executable, "-c", ONE_IMPORTER], capture_output=True, text=True, env=nowhere, check=False
    )
    assert done.stdout == "1\n", done.stderr
    assert "the outside peer peer-0 could not be started from image" in done.stderr.splitlines()[-2], done.stderr
