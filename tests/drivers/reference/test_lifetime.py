"""A fabric ends with its process, comes up without privileges, says in a sentence why it cannot, and is quick."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from netproof.drivers.reference.inside import supervisor
from netproof.drivers.reference.inside.namespaces import Unavailable
from netproof.errors import AgentLost, ClusterError
from netproof.model import Pod, Port, Topology
from tests.drivers.reference.wire import SHOP, Wire, make, quiet

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
HOLD = """
import json, sys, time
from tests.drivers.reference.wire import Wire, policy
from netproof.errors import ClusterError
try:
    wire = Wire()
except ClusterError as error:
    sys.exit(f"ClusterError: {error}")
wire.driver.apply([policy("shop", podSelector={"matchLabels": {"app": "db"}})])
outcomes = wire.outcomes("shop/job", "shop/web:80", "svc:shop/web:8000", "shop/web:53/UDP", "shop/db:8080")
print(json.dumps({"outcomes": outcomes, **wire.environment.facts}), flush=True)
if sys.argv[1:] == ["hold"]:
    time.sleep(60)
wire.driver.stop(keep=False)
"""
"""Run as a program of its own, for its death or its privileges to be changed."""

RIGHT = ["connected", "connected", "connected", "dropped"]


def start(*arguments: str, before: Sequence[str] = (), python: str = sys.executable) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    return subprocess.Popen(
        [*before, python, "-c", HOLD, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env={**os.environ, "PYTHONPATH": path},
    )


def run(before: Sequence[str], python: str = sys.executable) -> tuple[int, str]:
    process = start(before=before, python=python)
    out, err = process.communicate(timeout=60)
    return process.returncode, out + err


def descendants(pid: int) -> set[int]:
    parents: dict[int, list[int]] = {}
    for child, parent in _processes():
        parents.setdefault(parent, []).append(child)
    found, waiting = set(), [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found.update(children)
        waiting.extend(children)
    return found


def _processes() -> Iterator[tuple[int, int]]:
    """Process and parent, of those that have not ended."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state not in "ZX":
            yield int(path.parent.name), int(parent)


def are_gone(pids: set[int], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not pids & {pid for pid, _ in _processes()}:
            return True
        time.sleep(0.01)
    return False


def namespaces(pids: set[int]) -> set[str]:
    return {str(Path(f"/proc/{pid}/ns/net").readlink()) for pid in pids}


@pytest.mark.usefixtures("wire")
def test_nothing_is_left_when_netproof_is_killed() -> None:
    process = start("hold")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["outcomes"] == RIGHT
    below = descendants(process.pid)
    endpoints = len(SHOP.pods) + len(SHOP.externals) + len(SHOP.nodes) + 1
    assert len(below) == endpoints + 1, "one process an endpoint, and the supervisor"
    assert len(namespaces(below)) == endpoints, "the pod on its node's network shares it; the router has its own"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    assert are_gone(below)


@pytest.mark.usefixtures("wire")
def test_endpoints_end_with_the_supervisor_and_the_driver_says_so() -> None:
    wire = Wire()
    channel = wire.driver.open("shop/web")
    below = descendants(supervisor_of(wire))
    assert below
    os.kill(supervisor_of(wire), signal.SIGKILL)
    assert are_gone(below)
    with pytest.raises(AgentLost, match="shop/web has ended"):
        channel.receive(1)
    with pytest.raises(ClusterError, match="supervisor process has ended"):
        wire.driver.evidence()
    wire.driver.stop(keep=False)


def supervisor_of(wire: Wire) -> int:
    fabric = wire.driver._running
    assert fabric is not None
    return fabric.pid


def test_stopping_twice_is_harmless_and_nothing_runs_afterwards(wire: Wire) -> None:
    other = Wire()
    below = descendants(supervisor_of(other)) | {supervisor_of(other)}
    other.driver.stop(keep=True)
    other.driver.stop(keep=False)
    assert are_gone(below)
    with pytest.raises(ClusterError, match="not running"):
        other.driver.open("shop/web")
    assert wire.connects("shop/job", "shop/web:80")


@pytest.mark.usefixtures("wire")
def test_an_agent_that_is_killed_is_lost_alone(wire: Wire) -> None:
    other = Wire()
    channel = other.driver.open("shop/job")
    os.kill(other.driver._pids["shop/job"], signal.SIGKILL)
    with pytest.raises(AgentLost):
        channel.receive(1)
    with pytest.raises((AgentLost, ClusterError)):
        other.driver.open("shop/job").receive(1)
    assert other.connects("shop/db", "shop/web:80")
    other.driver.stop(keep=False)


@pytest.mark.usefixtures("wire")
def test_an_ordinary_user() -> None:
    as_nobody = needs_root_and("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    versions = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = (sys.executable, f"/usr/bin/{versions}", f"/usr/local/bin/{versions}")
    for python in candidates:
        attempt = subprocess.run([*as_nobody, python, "-c", ""], check=False, capture_output=True)
        if (
            attempt.returncode == 0
            and os.access(python, os.X_OK)
            and not str(Path(python).resolve()).startswith("/root")
        ):
            code, output = run(as_nobody, python)
            break
    else:
        pytest.skip(f"no {versions} that an ordinary user may run")
    assert code == 0, output
    assert json.loads(output)["outcomes"] == RIGHT
    assert json.loads(output)["privilege"] == "user namespace"


@pytest.mark.usefixtures("wire")
def test_root_without_privileges_as_in_a_container() -> None:
    code, output = run(needs_root_and("setpriv", "--bounding-set=-sys_admin,-net_admin", "--inh-caps=-all"))
    assert code == 0, output
    assert json.loads(output)["privilege"] == "user namespace"
    assert json.loads(output)["outcomes"] == RIGHT


@pytest.mark.usefixtures("wire")
def test_where_user_namespaces_are_forbidden() -> None:
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --bounding-set=-sys_admin "$@"'
    code, output = run(needs_root_and("unshare", "--user", "--map-root-user", "sh", "-c", forbid, "sh"))
    assert code == 1
    assert output.startswith("ClusterError: reference dataplane: network namespaces cannot be made here (No space left")
    assert "as root run: sysctl user.max_user_namespaces=10000" in output


@pytest.mark.usefixtures("wire")
def test_where_sysctls_are_read_only() -> None:
    read_only = 'mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && exec "$@"'
    code, output = run(needs_root_and("unshare", "--mount", "sh", "-c", read_only, "sh"))
    assert code == 1
    assert "/proc/sys/net/ipv4/ip_forward cannot be written (Read-only file system): in a container" in output


def test_elsewhere_than_on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    with pytest.raises(ClusterError, match="needs Linux, this is Darwin"):
        make().start(quiet)


def test_without_nft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "SEARCH", "/nonexistent")
    with pytest.raises(Unavailable, match="nft was not found: install the package nftables"):
        supervisor.Supervisor()


@pytest.mark.usefixtures("wire")
def test_thirty_endpoints_come_up_and_answer() -> None:
    pods = tuple(
        Pod(namespace="shop", name=f"pod-{number}", labels={"app": "web"}, ports=(Port(port=80),), node=number)
        for number in range(27)
    )
    driver = make()
    driver.start(quiet)
    placement = driver.deploy(Topology(namespaces=SHOP.namespaces, pods=pods), quiet)
    channel = driver.open("shop/pod-0")
    probes = [
        {"id": number, "kind": "echo", "protocol": "TCP", "host": placement.addresses[pod.id][0], "port": 80}
        for number, pod in enumerate(pods)
    ]
    channel.send(json.dumps({"round": 1, "timeout": 10, "probes": probes}))
    assert {result["outcome"] for result in json.loads(channel.receive(20))["results"]} == {"connected"}
    driver.stop(keep=False)


def test_another_process_attaches_by_making_its_own(wire: Wire) -> None:
    other = make()
    environment = other.attach(wire.driver.handle())
    assert replace(environment, facts={}) == replace(wire.environment, facts={})
    other.stop(keep=False)


def needs_root_and(tool: str, *arguments: str) -> list[str]:
    if os.geteuid() != 0:
        pytest.skip("only root can take privileges away from a test")
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    return [tool, *arguments]
