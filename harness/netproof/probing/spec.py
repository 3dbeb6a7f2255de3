"""What an agent is told when it starts (protocol.md): its name and what it listens on. Drivers start agents by it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from netproof.model import Pod, Port
from netproof.model.topology import FIRST_SECONDS


def agent_spec(name: str, token: str, ports: Sequence[Port], **more: Any) -> dict[str, Any]:
    """Its name, the word that it answers to, and the ports that it listens on."""
    listening = [{"port": port.port, "protocol": port.protocol} for port in ports]
    return {"name": name, "token": token, "ports": listening, **more}


def first_attempts(pod: Pod) -> dict[str, Any]:
    """What a pod tries before all else, as a part of its agent's spec; or nothing."""
    probes = [
        {"host": one.host, "port": one.port} | ({"kind": "back", "back": one.back} if one.back else {})
        for one in pod.first
    ]
    return {"first": {"seconds": FIRST_SECONDS, "probes": probes}} if probes else {}


def serve_command(archive: str, spec: Mapping[str, Any]) -> list[str]:
    """The command of an agent that is a container's main process. `archive`: where the container has the agent."""
    return ["python3", "-I", "-S", archive, "serve", json.dumps(spec, separators=(",", ":"))]


def once_command(archive: str, token: str, *, protocol: str, host: str, port: int) -> list[str]:
    """A command that sends one probe and prints what came of it."""
    probe = {"protocol": protocol, "host": host, "port": port}
    return ["python3", archive, "once", json.dumps({"token": token, "probe": probe})]
