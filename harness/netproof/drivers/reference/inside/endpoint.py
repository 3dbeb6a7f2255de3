"""One endpoint: a process in a network namespace of its own that serves its ports and probes for whoever asks."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import resource
import socket
import sys
import threading
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from . import lines, namespaces, netlink

INSIDE_MAC, ROUTER_MAC = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
ROUTER_ADDRESS = {4: "169.254.1.1", 6: "fd00:169:254::1"}
AGENT = Path(__file__).parents[3] / "probing" / "agent"
LOOPBACK_INDEX, INSIDE_INDEX, FIRST_ROUTER_INDEX = 1, 2, 1000


@cache
def agent() -> ModuleType:
    """The agent that also runs in the pods of real clusters, loaded by its path (see this folder's `__init__`)."""
    spec = importlib.util.spec_from_file_location("agent", AGENT / "__init__.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{AGENT} cannot be loaded")
    sys.modules["agent"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return importlib.import_module("agent.main")


def live(plan: dict[str, Any], index: int, control: socket.socket, router: netlink.Netlink, parent: int) -> NoReturn:
    """The whole life of a forked endpoint: it ends with its parent, or when `control` does."""
    try:
        namespaces.die_with(parent)
        _close_all_but(control.fileno(), router.fileno())
        _raise_file_limit()
        if plan["host"] is None:
            namespaces.unshare(namespaces.CLONE_NEWNET)
            namespaces.prepare_endpoint()
            _connect(index, plan["addresses"], router)
        else:
            namespaces.enter(plan["host"])
        table = _serve(plan)
        lines.send(control, {"ok": True})
        while (received := lines.receive(control)) is not None:
            message, fds = received
            for fd in fds:
                threading.Thread(target=_probe, args=(plan["spec"], fd), daemon=True).start()
            if "names" in message and table is not None:
                table.names = message["names"]
                lines.send(control, {"ok": True})
    except Exception as error:
        with contextlib.suppress(OSError):
            lines.send(control, {"error": f"{plan['name']}: {error}"})
    os._exit(0)


def _connect(index: int, addresses: list[str], router: netlink.Netlink) -> None:
    """A routed link to the router: nothing is learnt on it, so the first packet already arrives."""
    there = FIRST_ROUTER_INDEX + index
    pair = netlink.veth(
        index=there,
        name=f"to-{index}",
        mac=ROUTER_MAC,
        peer_index=INSIDE_INDEX,
        peer_name="eth0",
        peer_mac=INSIDE_MAC,
        pid=os.getpid(),
    )
    outside, inside = [pair], [netlink.up(LOOPBACK_INDEX), netlink.up(INSIDE_INDEX)]
    for address in addresses:
        gateway = ROUTER_ADDRESS[6 if ":" in address else 4]
        inside += [
            netlink.address(INSIDE_INDEX, address),
            netlink.neighbour(INSIDE_INDEX, gateway, ROUTER_MAC),
            netlink.route(INSIDE_INDEX, through=gateway),
        ]
        outside += [netlink.route(there, to=address), netlink.neighbour(there, address, INSIDE_MAC)]
    router.ask(outside)
    netlink.Netlink().ask(inside)


def _serve(plan: dict[str, Any]) -> Any:
    """Listen before anybody is told that the endpoint is ready; the name server's table when it is one."""
    if plan["nameserver"]:
        from . import nameserver

        return nameserver.start(plan["addresses"])
    server = agent().Server(plan["spec"])
    for missing in server.missing:
        if missing["protocol"] == "SCTP":
            continue  # the pre-flight finds out, and scenarios that need it are skipped with the reason
        raise OSError(f"cannot listen on {missing['port']}/{missing['protocol']}: {missing['why']}")
    threading.Thread(target=server.run, daemon=True).start()
    server.try_first()
    return None


def _probe(spec: dict[str, Any], fd: int) -> None:
    """Answer one stream until it ends."""
    with socket.socket(fileno=fd) as stream, contextlib.suppress(OSError):
        agent().probe_loop(spec, stream.makefile("r", encoding="utf-8"), stream.makefile("w", encoding="utf-8"))


def _close_all_but(*keep: int) -> None:
    """The supervisor's other sockets must not stay open here: their ends are what tells the others to end."""
    low = 3
    for fd in sorted(keep):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _raise_file_limit() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
