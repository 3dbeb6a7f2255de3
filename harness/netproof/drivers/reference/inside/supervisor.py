"""The router: the parent of all endpoints, the only one that changes rules. When netproof ends, all of it ends.

It answers one request at a time on the socket that it was started with: `add`, `remove`, `open`, `names`, `nft`.
"""

from __future__ import annotations

import errno
import gc
import os
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from typing import Any

from . import endpoint, lines, namespaces, netlink
from .namespaces import Unavailable

SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
"""Ordinary users of some distributions do not have nft's folder on their PATH."""


@dataclass
class Child:
    pid: int
    index: int
    has_link: bool
    control: socket.socket


class Supervisor:
    def __init__(self) -> None:
        found = shutil.which("nft", path=SEARCH)
        if found is None:
            raise Unavailable("the command nft was not found: install the package nftables")
        self._nft = found
        self.privilege = namespaces.become_router()
        self._router = netlink.Netlink()
        # Without an address of its own the router could not send the messages that make a rejected probe fail at once.
        own = list(endpoint.ROUTER_ADDRESS.values())
        self.families = [4, 6]
        self._router.ask([netlink.up(endpoint.LOOPBACK_INDEX), netlink.address(endpoint.LOOPBACK_INDEX, own[0])])
        self._run_nft("add table inet netproof\n")
        if namespaces.switch_on_routing():
            self._router.ask([netlink.address(endpoint.LOOPBACK_INDEX, own[1])])
        else:
            self.families = [4]
        self._children: dict[str, Child] = {}
        self._forked = 0
        endpoint.agent()
        gc.freeze()

    def facts(self) -> dict[str, Any]:
        version = subprocess.run([self._nft, "--version"], capture_output=True, text=True, check=False).stdout
        return {"privilege": self.privilege, "families": self.families, "nft": version.strip()}

    def add(self, message: dict[str, Any]) -> dict[str, Any]:
        """Fork all endpoints, then wait until each one listens."""
        new = {plan["name"]: self._fork(plan) for plan in message["endpoints"]}
        self._children.update(new)
        errors = []
        for name, child in new.items():
            received = lines.receive(child.control)
            if received is None:
                errors.append(f"{name} ended while it started")
            elif "error" in received[0]:
                errors.append(received[0]["error"])
        return {"error": "; ".join(errors)} if errors else {"pids": {name: child.pid for name, child in new.items()}}

    def _fork(self, plan: dict[str, Any]) -> Child:
        ours, theirs = socket.socketpair()
        self._forked += 1
        plan["host"] = self._children[plan["host"]].pid if plan["host"] else None
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            endpoint.live(plan, self._forked, theirs, self._router, parent)
        theirs.close()
        return Child(pid=pid, index=self._forked, has_link=plan["host"] is None, control=ours)

    def remove(self, message: dict[str, Any]) -> dict[str, Any]:
        children = [self._children.pop(name) for name in message["names"]]
        for child in children:
            child.control.close()
            os.kill(child.pid, signal.SIGKILL)
        for child in children:
            os.waitpid(child.pid, 0)
            if child.has_link:
                # The kernel removes a namespace some time after its last process; its address must be free now.
                try:
                    self._router.ask([netlink.delete_link(endpoint.FIRST_ROUTER_INDEX + child.index)])
                except OSError as error:
                    if error.errno != errno.ENODEV:
                        raise
        return {}

    def open(self, message: dict[str, Any]) -> tuple[dict[str, Any], socket.socket]:
        """A stream to the prober of an endpoint: the caller's end."""
        ours, theirs = socket.socketpair()
        with theirs:
            lines.send(self._children[message["name"]].control, {}, (theirs.fileno(),))
        return {}, ours

    def names(self, message: dict[str, Any]) -> dict[str, Any]:
        control = self._children[message["name"]].control
        lines.send(control, {"names": message["names"]})
        return {} if lines.receive(control) else {"error": f"{message['name']} has ended"}

    def nft(self, message: dict[str, Any]) -> dict[str, Any]:
        """Load a ruleset in one transaction, or list what is loaded when there is none."""
        return {"text": self._run_nft(message["ruleset"])}

    def _run_nft(self, ruleset: str | None) -> str:
        command = [self._nft, "list", "ruleset"] if ruleset is None else [self._nft, "-f", "-"]
        done = subprocess.run(command, input=ruleset, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"nft refused: {done.stderr.strip()}")
        return done.stdout

    def answer(self, control: socket.socket, message: dict[str, Any]) -> None:
        operation = message["op"]
        try:
            if operation == "open":
                answer, stream = self.open(message)
                with stream:
                    lines.send(control, answer, (stream.fileno(),))
                return
            operations = {"add": self.add, "remove": self.remove, "names": self.names, "nft": self.nft}
            answer = operations[operation](message)
        except (OSError, KeyError, Unavailable) as error:
            answer = {"error": f"{operation}: {error!r}" if isinstance(error, KeyError) else str(error)}
        lines.send(control, answer)


def main(fd: int) -> None:
    """Serve the socket `fd` until it ends. The kernel closes its other end however netproof ends."""
    with socket.socket(fileno=fd) as control:
        try:
            supervisor = Supervisor()
            lines.send(control, supervisor.facts())
        except (Unavailable, OSError) as error:
            lines.send(control, {"error": str(error)})
            return
        while (received := lines.receive(control)) is not None:
            supervisor.answer(control, received[0])
    # Children are killed by the kernel as soon as this process ends.
    os._exit(0)
