"""Step 4: where a CNI logs, and what it says of the packets that it denied last."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netproof.doctor.diagnosis import Diagnosis, ok
from netproof.doctor.live.cni import DetectedCni
from netproof.drivers.kubernetes import streams
from netproof.drivers.kubernetes.objects import Api

MOST = 10
"""How many lines of each node are shown."""
INTERFACE_DIGITS = 11


def denials(api: Api, found: DetectedCni) -> Iterator[Diagnosis]:
    known = found.known
    where = f"-n {found.namespace} ds/{found.daemonset} -c {known.container}"
    yield ok(f"{known.title}'s logs", f"kubectl logs {where}")
    yield ok(f"{known.title}'s denials", known.tells)
    pods = api.list(f"/api/v1/namespaces/{found.namespace}/pods", label_selector=found.selector) if known.denied else []
    names = _interfaces(api, known.interfaces) if known.interfaces else {}
    for pod in sorted(pods, key=lambda pod: str(pod["spec"].get("nodeName"))):
        yield _last(api, found, pod, names)


def _last(api: Api, found: DetectedCni, pod: Mapping[str, Any], names: Mapping[str, str]) -> Diagnosis:
    what = f"denied on {pod['spec'].get('nodeName', '?')}"
    for look in found.known.denied:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        text = streams.output(api.configuration, namespace, name, found.known.container, look.command)
        lines = [_named(line, names) for line in text.splitlines() if re.search(look.lines, line)]
        if lines:
            more = f"\n… and {len(lines) - MOST} more" if len(lines) > MOST else ""
            return ok(what, "\n".join((f"`{' '.join(look.command)}` says:", *lines[-MOST:])) + more)
    return ok(what, "nothing is told")


def _interfaces(api: Api, prefixes: Sequence[str]) -> dict[str, str]:
    """The node's end of each pod's interface -> namespace/pod."""
    found: dict[str, str] = {}
    for pod in api.list("/api/v1/pods"):
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        digest = hashlib.sha1(f"{namespace}.{name}".encode(), usedforsecurity=False).hexdigest()
        found |= {prefix + digest[:INTERFACE_DIGITS]: f"{namespace}/{name}" for prefix in prefixes}
    return found


def _named(line: str, names: Mapping[str, str]) -> str:
    words = " ".join(re.sub(r"-m \S+ |--comment \"cali:[^\"]*\" ?|--mark \S+ ", "", line).split())
    pod = next((pod for interface, pod in names.items() if interface in line), "")
    return f"{pod}: {words}" if pod else words
