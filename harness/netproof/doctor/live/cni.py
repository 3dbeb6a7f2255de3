"""Step 1: which CNI is there, its version, what it enforces by its own documents, and what it does not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from netproof.doctor.diagnosis import Diagnosis, ok, warn
from netproof.doctor.live.policies import Counted
from netproof.drivers.kind import docker
from netproof.drivers.kubernetes import waiting
from netproof.drivers.kubernetes.objects import Api, Ref
from netproof.errors import NetproofError
from netproof.manifests.validation import StrictModel, validate
from netproof.manifests.yaml_documents import read_document
from netproof.wording import count_of

CONFIGS = "/etc/cni/net.d"


class Setting(StrictModel):
    """A container, one that has an argument, or a key of a ConfigMap in the DaemonSet's namespace."""

    container: str = ""
    argument: str = ""
    configmap: str = ""
    key: str = ""
    value: str = ""

    def __str__(self) -> str:
        if self.configmap:
            return f"{self.key}={self.value} in the ConfigMap {self.configmap}"
        return " ".join(filter(None, (f"container {self.container}" if self.container else "", self.argument)))


class Switch(Setting):
    """A setting that adds a dialect."""

    dialect: str


class DenialCommand(StrictModel):
    """A command, and a pattern of the lines of its output that tell of denied packets."""

    command: list[str]
    lines: str


class CniSignature(StrictModel):
    """An entry of cnis.yaml."""

    name: str
    title: str
    daemonsets: list[str]
    container: str
    dialects: list[str]
    switched: list[Switch] = Field(default_factory=list)
    needs: Setting | None = None
    disabled: Setting | None = None
    recipe: str = ""
    tells: str
    denied: list[DenialCommand] = Field(default_factory=list)
    interfaces: list[str] = Field(default_factory=list)


class SignatureFile(StrictModel):
    cnis: list[CniSignature]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectedCni:
    """A CNI, or what enforces policies beside one, on a cluster. `idle`: why it enforces nothing, or ''."""

    known: CniSignature
    namespace: str
    daemonset: str
    version: str
    ready: int
    wanted: int
    selector: str
    dialects: tuple[str, ...]
    idle: str


@cache
def read_signatures() -> tuple[CniSignature, ...]:
    return tuple(validate(SignatureFile, read_document(Path(__file__).with_name("cnis.yaml"))).cnis)


def detect(api: Api) -> list[DetectedCni]:
    """Those of the table that the cluster has. Raises Refused."""
    return [
        _found(api, known, item)
        for item in api.list("/apis/apps/v1/daemonsets")
        for known in read_signatures()
        if item["metadata"]["name"] in known.daemonsets
    ]


def _found(api: Api, known: CniSignature, item: Mapping[str, Any]) -> DetectedCni:
    containers = _containers(item)
    image = containers.get(known.container, {}).get("image", "")
    namespace = item["metadata"]["namespace"]
    idle = ""
    if known.needs and not _is_set(api, namespace, containers, known.needs):
        idle = f"it enforces nothing without {known.needs}"
    if known.disabled and _is_set(api, namespace, containers, known.disabled):
        idle = f"{known.disabled} switches enforcement off"
    switched = [one.dialect for one in known.switched if _is_set(api, namespace, containers, one)]
    status = item.get("status", {})
    labels = item["spec"]["selector"].get("matchLabels") or {}
    return DetectedCni(
        known=known,
        namespace=namespace,
        daemonset=item["metadata"]["name"],
        version=image.partition("@")[0].rpartition("/")[2].partition(":")[2] or "of unknown version",
        ready=status.get("numberReady", 0),
        wanted=status.get("desiredNumberScheduled", 0),
        selector=",".join(f"{key}={value}" for key, value in labels.items()),
        dialects=() if idle else (*known.dialects, *switched),
        idle=idle,
    )


def _containers(item: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {one["name"]: one for one in item["spec"]["template"]["spec"]["containers"]}


def _is_set(api: Api, namespace: str, containers: Mapping[str, Mapping[str, Any]], wanted: Setting) -> bool:
    if wanted.configmap:
        found = api.get(Ref("v1", "ConfigMap", namespace, wanted.configmap)) or {}
        return (found.get("data") or {}).get(wanted.key) == wanted.value
    asked = [containers.get(wanted.container)] if wanted.container else list(containers.values())
    return any(
        one is not None
        and (not wanted.argument or wanted.argument in (*(one.get("command") or ()), *(one.get("args") or ())))
        for one in asked
    )


def describe(
    api: Api, nodes: Sequence[Mapping[str, Any]], found: Sequence[DetectedCni], counted: Counted
) -> Iterator[Diagnosis]:
    ready = sum(waiting.node_ready(node) for node in nodes)
    yield (ok if ready == len(nodes) else warn)(
        "Kubernetes", f"{api.version()}; {count_of(ready, len(nodes), 'node', 'are')} ready"
    )
    for one in found:
        where = f"DaemonSet {one.namespace}/{one.daemonset}, {one.ready} of {one.wanted} ready"
        told = f"{one.version}; {where}" + (f"; {one.idle}" if one.idle else "")
        yield (warn if one.idle or one.ready < one.wanted else ok)(one.known.title, told)
    if not found:
        names = ", ".join(known.title for known in read_signatures())
        yield warn(
            "CNI", f"no DaemonSet here is one of those that enforce policies: {names}", f"ls {CONFIGS} on a node"
        )
    yield from _files(nodes, found)
    enforced = {dialect for one in found for dialect in one.dialects}
    if enforced:
        yield ok("enforces", f"by its documents {', '.join(sorted(enforced))}; `--canary` measures it")
    for dialect, count in counted.items():
        if dialect in enforced:
            yield ok(dialect, _policies(count))
        elif count:
            yield warn(
                dialect,
                f"{_policies(count)}, which nothing here enforces: the API server takes them, and nothing happens",
                "remove them, or install what enforces them",
            )


def _policies(count: int) -> str:
    return f"{count} {'policy' if count == 1 else 'policies'}"


def _files(nodes: Sequence[Mapping[str, Any]], found: Sequence[DetectedCni]) -> Iterator[Diagnosis]:
    """What the runtime of each node calls, where the nodes are containers of this machine's engine (kind). It takes the
    first file by name."""
    for node in nodes:
        name = node["metadata"]["name"]
        try:
            if not _is_here(node):
                continue
            listed = docker.run_in(name, ["ls", CONFIGS]).stdout.split()
            first = next((file for file in sorted(listed) if file.endswith((".conf", ".conflist", ".json"))), "")
            content = docker.run_in(name, ["cat", f"{CONFIGS}/{first}"]).stdout if first else "{}"
        except NetproofError:
            continue
        what = f"{CONFIGS} on {name}"
        if not first:
            yield warn(what, "empty: pods get no network", "see the logs below")
            continue
        plugins = _plugins(content)
        others = f"; not used: {', '.join(sorted(set(listed) - {first}))}" if len(listed) > 1 else ""
        yield ok(what, f"{first} ({', '.join(plugins) or 'cannot be read'}){others}")


def _is_here(node: Mapping[str, Any]) -> bool:
    """A container of that name and address is kind's."""
    addresses = {one["address"] for one in node["status"].get("addresses") or () if one["type"] == "InternalIP"}
    return docker.is_kind_node(node["metadata"]["name"], addresses)


def _plugins(text: str) -> list[str]:
    try:
        content = json.loads(text)
        return [one["type"] for one in content.get("plugins") or [content]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
