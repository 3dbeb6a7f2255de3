"""Which outside peers of a kept cluster are used again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from netproof.drivers.kind import docker, externals, peers, state
from netproof.model import External, Port

BANK = External(name="bank", ports=(Port(port=443),))
RECORD = state.ClusterState(
    name="netproof-x", cni="x", version="1", run="r", token="word", created="", host="", pid=1, started=""
)


@pytest.fixture
def containers(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """An engine that keeps containers in a mapping: id -> what inspecting them says."""
    there: dict[str, dict[str, Any]] = {}

    def start(peer: peers.Peer, image: str, agent: bytes) -> None:
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
    monkeypatch.setattr(externals, "_inspect", lambda record: list(there.values()))
    monkeypatch.setattr(docker, "remove_containers", remove)
    return there


def test_a_peer_is_used_again_while_it_runs_the_same_agent(containers: dict[str, dict[str, Any]]) -> None:
    assert externals.ensure(RECORD, "run", "image", b"agent", [BANK]) == {"external:bank": ("172.18.0.9",)}
    externals.ensure(RECORD, "run", "image", b"agent", [BANK])
    assert list(containers) == ["bank-5"]
    externals.ensure(RECORD, "run", "image", b"newer agent", [BANK])
    assert list(containers) == ["bank-11"]


ONE_IMPORTER = """
import sys, threading
from netproof.drivers.kind import docker, externals, state
from netproof.model import External, Port

importers = set()

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("docker", "testcontainers"):
            importers.add(threading.current_thread().name)

sys.meta_path.insert(0, Watch())
externals._inspect = lambda record: []
docker.local_images = lambda images: {}
record = state.ClusterState(
    name="netproof-x", cni="x", version="1", run="r", token="word", created="", host="", pid=1, started=""
)
wanted = [External(name=f"peer-{number}", ports=(Port(port=443),)) for number in range(8)]
try:
    externals.ensure(record, "run", "image", b"agent", wanted)
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
