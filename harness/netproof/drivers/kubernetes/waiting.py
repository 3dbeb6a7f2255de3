"""Readiness of nodes, rollouts and pods, by polling with deadlines; and what to show when one does not come up."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from netproof.clusters.recipes import Ready
from netproof.drivers.kubernetes import nodeports
from netproof.drivers.kubernetes.objects import Api, Ref, Refused
from netproof.drivers.kubernetes.polling import NotYet, TooLate, poll
from netproof.errors import ClusterError
from netproof.wording import count_of

T = TypeVar("T")
Object = Mapping[str, Any]

HOPELESS = ("InvalidImageName", "ErrImageNeverPull")
STUCK = ("ErrImagePull", "ImagePullBackOff", "CrashLoopBackOff", "CreateContainerConfigError", "CreateContainerError")
PATIENCE = 45.0
"""Seconds that a container may be stuck before its pod is given up: registries and CNIs recover, but not for ever."""
RENEW_PAUSE = 2.0
"""Seconds between two new pods in the same place."""
LOG_LINES = 12
SHOWN = 4
"""So many pods are shown in an error; the rest is mostly the same."""


class Stuck:
    """Ends a wait early, once containers have been stuck for too long."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def check(self, pods: Iterable[Object], api: Api) -> None:
        for pod in pods:
            key = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
            reasons = [reason for _, reason, _ in _troubles(pod)]
            if any(reason in HOPELESS for reason in reasons):
                self._since[key] = -math.inf
            elif any(reason in STUCK for reason in reasons):
                self._since.setdefault(key, time.monotonic())
            else:
                self._since.pop(key, None)
            if key in self._since and time.monotonic() - self._since[key] > PATIENCE:
                image = any("Image" in reason for reason in reasons)
                hint = (
                    "; an image is neither in the local engine nor to be had from its registry: "
                    "`docker pull` or `docker load` it, then run again"
                    if image
                    else ""
                )
                raise ClusterError(
                    f"the pod {key} does not start ({', '.join(reasons)}){hint}", details=diagnose(api, [pod])
                )


class Sandboxes:
    """Makes pods anew whose network was asked for before the CNI could give one. The kubelet would try them again by
    itself, but only after ten seconds and more; a new pod is tried at once. `plain`: the pods that are ours to make."""

    def __init__(self, api: Api, plain: Iterable[Object]) -> None:
        self._api = api
        self._plain = {(pod["metadata"]["namespace"], pod["metadata"]["name"]): pod for pod in plain}
        self._paused: dict[str, float] = {}
        self._awaited: set[tuple[str, str]] = set()

    def renew(self) -> None:
        """Called at each poll of a wait. Touches only pods that a ReplicaSet replaces, and the `plain` ones."""
        for key in list(self._awaited):
            with contextlib.suppress(Refused):
                if self._api.get(Ref("v1", "Pod", *key)) is None:
                    self._api.apply(self._plain[key])
                    self._awaited.remove(key)
        failed = _list(self._api, "/api/v1/events", field_selector="reason=FailedCreatePodSandBox")
        uids = {event["involvedObject"].get("uid") for event in failed}
        late = [
            pod
            for pod in (_list(self._api, "/api/v1/pods", field_selector="status.phase=Pending") if uids else [])
            if pod["metadata"]["uid"] in uids
            and not pod["status"].get("podIP")
            and "deletionTimestamp" not in pod["metadata"]
        ]
        now = time.monotonic()
        paused = {place for place, until in self._paused.items() if until > now}
        for pod in late:
            metadata = pod["metadata"]
            key = (metadata["namespace"], metadata["name"])
            owners = {owner["kind"] for owner in metadata.get("ownerReferences") or []}
            if key not in self._plain and owners != {"ReplicaSet"}:
                continue
            place = "/".join((key[0], metadata.get("generateName") or key[1]))
            if place in paused:
                continue
            self._paused[place] = now + RENEW_PAUSE
            with contextlib.suppress(Refused):
                self._api.delete(Ref("v1", "Pod", *key))
                if key in self._plain:
                    self._awaited.add(key)


def pod_ready(pod: Object) -> bool:
    status = pod.get("status", {})
    containers = status.get("containerStatuses") or []
    running = status.get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
    return running and bool(containers) and all(one.get("ready") for one in containers)


def node_ready(node: Object) -> bool:
    conditions = node.get("status", {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def restarts(pod: Object) -> list[int]:
    return [one.get("restartCount", 0) for one in _statuses(pod)]


def wait_nodes(api: Api, count: int, *, timeout: float) -> None:
    """Until so many nodes are there, and every one is Ready, which takes a CNI on each."""
    stuck = Stuck()

    def step() -> None:
        nodes = _list(api, "/api/v1/nodes")
        if len(nodes) < count:
            # A kubelet that has joined registers its node a moment later.
            raise NotYet(f"{count_of(len(nodes), count, 'node', 'have')} registered")
        waiting = [node["metadata"]["name"] for node in nodes if not node_ready(node)]
        if waiting:
            stuck.check(_list(api, "/api/v1/pods", field_selector="spec.hostNetwork=true"), api)
            raise NotYet(f"not ready: {', '.join(waiting)}")

    _poll_and_explain(api, step, timeout=timeout, what="the nodes' way to Ready")


def wait_rollouts(api: Api, ready: Ready, *, timeout: float, nudge: Callable[[], None] | None = None) -> None:
    """Until all workloads of a recipe have all their pods available. `nudge` is called at each poll."""
    stuck = Stuck()
    paths = [f"/apis/apps/v1/namespaces/{n}/daemonsets/{m}" for n, _, m in map(_split, ready.daemonsets)]
    paths += [f"/apis/apps/v1/namespaces/{n}/deployments/{m}" for n, _, m in map(_split, ready.deployments)]
    namespaces = sorted({_split(name)[0] for name in (*ready.daemonsets, *ready.deployments)})

    def step() -> None:
        if nudge:
            nudge()
        for path in list(paths):
            problem = _rollout(_read(api, path))
            if problem:
                for namespace in namespaces:
                    stuck.check(_list(api, f"/api/v1/namespaces/{namespace}/pods"), api)
                raise NotYet(f"{'/'.join(path.split('/')[-2:])}: {problem}")
            paths.remove(path)

    _poll_and_explain(api, step, timeout=timeout, what="the CNI's rollout")


def wait_pods(
    api: Api, wanted: Iterable[tuple[str, str]], *, timeout: float, nudge: Callable[[], None] | None = None
) -> dict[tuple[str, str], Object]:
    """Until the pods (namespace, name) run: their objects. `nudge` is called at each poll. Raises ClusterError at once
    for a pod that its node refuses: it never starts."""
    stuck = Stuck()
    names = set(wanted)

    def step() -> dict[tuple[str, str], Object]:
        if nudge:
            nudge()
        there = _list(api, "/api/v1/pods")
        found: dict[tuple[str, str], Object] = {
            key: pod for pod in there if (key := (pod["metadata"]["namespace"], pod["metadata"]["name"])) in names
        }
        for pod in found.values():
            # One that is deleted to be made anew ends as failed, too.
            if pod.get("status", {}).get("phase") == "Failed" and "deletionTimestamp" not in pod["metadata"]:
                raise ClusterError(_explain_refusal(pod, there), details=diagnose(api, [pod]))
        late = sorted("/".join(key) for key in names if key not in found or not pod_ready(found[key]))
        if late:
            stuck.check(found.values(), api)
            names_of_some = ", ".join(late[:SHOWN])
            raise NotYet(f"{count_of(len(late), len(names), 'pod', 'do')} not run yet: {names_of_some}", left=len(late))
        return found

    return _poll_and_explain(api, step, timeout=timeout, what="starting the pods", among=names)


def _explain_refusal(pod: Object, others: Iterable[Object]) -> str:
    """Why a pod has failed as a whole, which only its node's kubelet says: it did not admit it, or evicted it."""
    status, node = pod["status"], pod["spec"].get("nodeName", "?")
    reason, message = status.get("reason", ""), " ".join(status.get("message", "").split())
    why = ": ".join(filter(None, (reason, message))) or "it has ended"
    what = f"the pod {nodeports.name(pod)} cannot run on {node}"
    if "NodePorts" not in why:
        return f"{what}: {why}"
    running = (one for one in others if one.get("status", {}).get("phase") not in ("Failed", "Succeeded"))
    if found := nodeports.find_holder(pod, running):
        holder, port = found
        return f"{what}: a port of the node is taken by the pod {nodeports.name(holder)} ({port})"
    return f"{what}: a port of the node is taken, by none of the pods that are there now ({why})"


def diagnose(api: Api, pods: Iterable[Object]) -> str:
    """What is wrong with pods: their containers' states, last events and last log lines."""
    lines: list[str] = []
    for pod in list(pods)[:SHOWN]:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        lines.append(f"pod {namespace}/{name}: {pod.get('status', {}).get('phase')} on {pod['spec'].get('nodeName')}")
        lines += [f"  container {which}: {reason} {message}".rstrip() for which, reason, message in _troubles(pod)]
        lines += [f"  event: {line}" for line in events(api, namespace, name)[-5:]]
        for which in (status["name"] for status in _statuses(pod) if _started(status) and not status.get("ready")):
            lines += [f"  log of {which}: {line}" for line in logs(api, namespace, name, which).splitlines()]
    return "\n".join(lines)


def events(api: Api, namespace: str, name: str = "") -> list[str]:
    """Events of a namespace, or of one object in it, oldest first, one line each."""
    query = {"field_selector": f"involvedObject.name={name}"} if name else {}
    try:
        found = api.list(f"/api/v1/namespaces/{namespace}/events", **query)
    except Refused as error:
        return [f"(events could not be read: {error})"]
    found.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
    return [
        f"{event.get('lastTimestamp') or event.get('eventTime') or '-'} {event.get('type')} {event.get('reason')} "
        f"{event['involvedObject'].get('kind')}/{event['involvedObject'].get('name')}: "
        f"{' '.join((event.get('message') or '').split())}"
        for event in found
    ]


def logs(api: Api, namespace: str, pod: str, container: str, lines: int = LOG_LINES) -> str:
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}&tailLines={lines}"
    try:
        return api.text(path)
    except Refused as error:
        return f"(logs could not be read: {error})"


def _poll_and_explain(
    api: Api,
    step: Callable[[], T],
    *,
    timeout: float,
    what: str,
    among: set[tuple[str, str]] | None = None,
) -> T:
    """Poll; on a time-out say how the pods are that are not ready."""
    try:
        return poll(step, timeout=timeout, what=what)
    except TooLate as error:
        pods: list[Object] = []
        with contextlib.suppress(NotYet):
            pods += [
                pod
                for pod in _list(api, "/api/v1/pods")
                if not pod_ready(pod)
                and (among is None or (pod["metadata"]["namespace"], pod["metadata"]["name"]) in among)
            ]
        raise ClusterError(error.args[0], details=f"{error.details}\n{diagnose(api, pods)}") from None


def _rollout(workload: Object) -> str:
    """What a daemonset or deployment still lacks; '' when it is complete."""
    spec, status = workload["spec"], workload.get("status", {})
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 0):
        return "not yet seen by its controller"
    if workload["kind"] == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        if wanted == 0:
            return "on no node yet"
        updated, available = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
    else:
        wanted = spec.get("replicas", 1)
        updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    return "" if updated >= wanted and available >= wanted else f"{available} of {wanted} pods available"


def _statuses(pod: Object) -> list[Object]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _troubles(pod: Object) -> list[tuple[str, str, str]]:
    """(container, reason, message) of the containers that wait."""
    waiting = ((one["name"], one.get("state", {}).get("waiting") or {}) for one in _statuses(pod))
    return [
        (name, state.get("reason", ""), " ".join(state.get("message", "").split())) for name, state in waiting if state
    ]


def _started(status: Object) -> bool:
    return bool(status.get("restartCount") or status.get("started") or status.get("state", {}).get("terminated"))


def _split(name: str) -> tuple[str, str, str]:
    return name.partition("/")


def _read(api: Api, path: str) -> dict[str, Any]:
    try:
        return api.read(path)
    except Refused as error:
        raise NotYet(str(error)) from None


def _list(api: Api, path: str, **query: str) -> list[dict[str, Any]]:
    try:
        return api.list(path, **query)
    except Refused as error:
        raise NotYet(str(error)) from None
