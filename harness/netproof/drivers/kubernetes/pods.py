"""Topologies on a cluster: namespaces, pods and services exist and run, and where they are. Only namespaces that carry
our label are ever changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, get_args

from netproof.drivers.kubernetes import nodeports, waiting
from netproof.drivers.kubernetes.manifests import CONTAINER, FIRST, MANAGED, RUN, SPEC, Deployment
from netproof.drivers.kubernetes.objects import Api, Ref, Refused, concurrently
from netproof.drivers.kubernetes.polling import NotYet, poll
from netproof.errors import ClusterError, InputError
from netproof.model import Manifest, Pod, Port, Say, Service, Topology
from netproof.model.topology import DNS_LABELS, DNS_NAMESPACE, DNS_SERVICE, NAME_LABEL, Protocol
from netproof.wording import count

POD_TIMEOUT = 180.0
DELETE_TIMEOUT = 120.0

Addresses = dict[str, tuple[str, ...]]
Name = tuple[str, str]
"""Namespace and name."""


def ensure(
    api: Api, wanted: Sequence[Deployment], say: Say, *, own: Collection[str] = (), clear: bool = True
) -> set[Name]:
    """Make namespaces and all that is in them exist. What a namespace of ours holds is made anew when it is something
    else; the namespace stays, since the cluster takes seconds to delete one. Gives the pods that were there and stay.

    A pod with a port of a node that is needed now goes, if this process deployed it before (in the namespaces `own`),
    or with `clear` if an earlier run left it. Raises ClusterError where another one has such a port; InputError when a
    namespace of that name is not ours, or an object is refused.
    """
    made = [pod for one in wanted for pod in one.pods]
    for number, pod in enumerate(made):
        nodeports.refuse_if_taken(pod, made[:number])
    there = {item["metadata"]["name"]: item["metadata"] for item in api.list("/api/v1/namespaces")}
    dying, other = [], []
    for deployment in wanted:
        name = deployment.namespace["metadata"]["name"]
        if name not in there:
            continue
        if not _is_managed(there[name]):
            raise InputError(
                f"the namespace {name} exists and was not made by netproof (it lacks the label {MANAGED}): "
                "it is left alone; rename the namespace in the topology, or remove it from the cluster"
            )
        if "deletionTimestamp" in there[name]:
            dying.append(name)
        elif (there[name].get("annotations") or {}).get(SPEC) != deployment.digest:
            other.append(name)
    if dying:
        say(f"waiting for the end of namespaces {', '.join(dying)}")
        remove(api, dying)
    if other:
        say(f"replacing what is in {count(len(other), 'namespace')}")
        empty(api, other)
    concurrently(lambda manifest: apply(api, manifest), [deployment.namespace for deployment in wanted])
    # What else a kept namespace holds is what its digest says; only labels of pods change while scenarios run.
    kept = there.keys() - {*dying, *other}
    fresh = [one for one in wanted if one.namespace["metadata"]["name"] not in kept]
    concurrently(lambda manifest: apply(api, manifest), [item for one in fresh for item in (*one.basis, *one.services)])
    runs = {one.namespace["metadata"]["annotations"][RUN] for one in wanted}
    left = [name for name, metadata in there.items() if _is_managed(metadata) and _run(metadata) not in runs]
    running = _make_room(api, wanted, there, {*own, *(left if clear else ())})
    missing = [pod for pod in made if not _has(running.get(_name(pod)), pod)]
    concurrently(lambda manifest: apply(api, manifest), missing)
    return running.keys() - {_name(pod) for pod in missing}


def _make_room(
    api: Api, wanted: Sequence[Deployment], there: Mapping[str, Mapping[str, Any]], may_go: Collection[str]
) -> dict[Name, Mapping[str, Any]]:
    """Remove pods that stand in the way: those whose time is over, and in the namespaces of `may_go` those with a port
    of a node that is needed now. Gives the metadata of our other pods."""
    made = {_name(pod): pod for one in wanted for pod in one.pods}
    on_nodes = [pod for pod in made.values() if any(nodeports.node_ports(pod))]
    names = {one.namespace["metadata"]["name"] for one in wanted}
    gone: list[Name] = []
    ending: list[Name] = []
    stay: dict[Name, Mapping[str, Any]] = {}
    for item in api.list("/api/v1/pods"):
        name = _name(item)
        is_first = FIRST in (item["metadata"].get("annotations") or {})
        in_the_way = (
            [] if name in made or has_ended(item) else [p for p in on_nodes if nodeports.find_holder(p, [item])]
        )
        if name[0] in names and (is_first or in_the_way or is_over(item)):
            gone.append(name)
        elif in_the_way and "deletionTimestamp" in item["metadata"]:
            ending.append(name)
        elif in_the_way and name[0] in may_go:
            gone.append(name)
        elif in_the_way:
            nodeports.refuse_if_taken(in_the_way[0], [item])
        elif _is_managed(there.get(name[0], {})) or name[0] in names:
            stay[name] = item["metadata"]
    remove_pods(api, gone)
    wait_gone(api, ending)
    return stay


def _is_managed(metadata: Mapping[str, Any]) -> bool:
    return bool((metadata.get("labels") or {}).get(MANAGED) == "true")


def _run(metadata: Mapping[str, Any]) -> str:
    """The run that deployed a namespace last."""
    return str((metadata.get("annotations") or {}).get(RUN))


def _name(item: Mapping[str, Any]) -> Name:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def has_ended(pod: Mapping[str, Any]) -> bool:
    """For good: it has nothing of its node's any more."""
    return (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")


def is_over(pod: Mapping[str, Any]) -> bool:
    """Whether it ends or has ended for good, as when its node evicted it for want of memory."""
    return "deletionTimestamp" in pod["metadata"] or has_ended(pod)


def _has(there: Mapping[str, Any] | None, manifest: Manifest) -> bool:
    """Whether the object of this metadata has the labels and annotations of the manifest, and no label beside them."""
    if there is None or "deletionTimestamp" in there:
        return False
    labels = {key: value for key, value in (there.get("labels") or {}).items() if key != NAME_LABEL}
    annotations = there.get("annotations") or {}
    wanted = manifest["metadata"]
    return labels == dict(wanted.get("labels") or {}) and all(
        annotations.get(key) == value for key, value in (wanted.get("annotations") or {}).items()
    )


def remove(api: Api, namespaces: Iterable[str]) -> None:
    """Delete namespaces and wait until they are gone."""
    names = set(namespaces)
    concurrently(api.delete, [Ref("v1", "Namespace", "", name) for name in names])

    def step() -> None:
        left = names & {item["metadata"]["name"] for item in api.list("/api/v1/namespaces")}
        if left:
            raise NotYet(f"still there: {', '.join(sorted(left))}", left=len(left))

    poll(step, timeout=DELETE_TIMEOUT, what="deleting namespaces")


def empty(api: Api, namespaces: Iterable[str]) -> None:
    """Delete the pods and Services of namespaces, and wait until they are gone."""
    names = set(namespaces)
    found = {
        kind: [
            (item["metadata"]["namespace"], item["metadata"]["name"])
            for item in api.list(f"/api/v1/{kind}")
            if item["metadata"]["namespace"] in names
        ]
        for kind in ("services", "pods")
    }
    concurrently(api.delete, [Ref("v1", "Service", *name) for name in found["services"]])
    remove_pods(api, found["pods"])


def remove_pods(api: Api, names: Iterable[tuple[str, str]]) -> None:
    """Delete pods (namespace, name) and wait until their containers have ended."""
    names = list(names)
    concurrently(api.delete, [Ref("v1", "Pod", *name) for name in names])
    wait_gone(api, names)


def wait_gone(api: Api, names: Iterable[tuple[str, str]]) -> None:
    """Until pods (namespace, name) that are being deleted are gone."""
    refs = {Ref("v1", "Pod", *name) for name in names}

    def step() -> None:
        while refs:
            ref = next(iter(refs))
            if api.get(ref):
                raise NotYet(f"still there: {ref} and {len(refs) - 1} more, not looked at again", left=len(refs))
            refs.discard(ref)

    poll(step, timeout=DELETE_TIMEOUT, every=0.1, what="deleting pods")


def wait_serving(
    api: Api,
    names: Iterable[tuple[str, str]],
    *,
    timeout: float = POD_TIMEOUT,
    nudge: Callable[[], None] | None = None,
    said_before: Collection[Name] = (),
) -> None:
    """Until these pods (namespace, name) run and their agents have said that they listen on their ports (SCTP excepted:
    a kernel may lack it, and the run detects that). Those of `said_before` have told an earlier run, and their log may
    have been rotated since. Raises ClusterError with the pod's events and log."""
    names = list(names)
    if not names:
        return
    found = waiting.wait_pods(api, names, timeout=timeout, nudge=nudge)

    def serving(name: tuple[str, str]) -> None:
        def step() -> None:
            try:
                text = api.text(
                    f"/api/v1/namespaces/{name[0]}/pods/{name[1]}/log?container={CONTAINER}&limitBytes=4096"
                )
            except Refused as error:
                raise NotYet(str(error)) from None
            if not text.startswith("ready"):
                raise NotYet(text or "the agent has said nothing yet")
            missing = json.loads(text.partition("\n")[0].removeprefix("ready") or "{}").get("missing", [])
            lacking = [
                f"{one['protocol']} {one['port']} ({one['why']})" for one in missing if one["protocol"] != "SCTP"
            ]
            if lacking:
                raise ClusterError(
                    f"the agent of pod {'/'.join(name)} cannot listen on {', '.join(lacking)}",
                    details=waiting.diagnose(api, [found[name]]),
                )

        poll(step, timeout=30, every=0.1, what=f"starting the agent of pod {'/'.join(name)}")

    concurrently(serving, [name for name in names if name not in said_before])


def locate(api: Api, topology: Topology, nodes: Sequence[str]) -> tuple[Addresses, dict[str, str], tuple[Pod, ...]]:
    """(addresses of pods, services and nodes; node id of each pod; the DNS pods) of a topology that runs."""
    addresses: Addresses = {}
    node_of: dict[str, str] = {}
    dns: list[Pod] = []
    wanted = {pod.id for pod in topology.pods}
    for item in api.list("/api/v1/pods"):
        metadata, status = item["metadata"], item.get("status", {})
        endpoint = f"{metadata['namespace']}/{metadata['name']}"
        is_dns = (
            metadata["namespace"] == DNS_NAMESPACE.name and DNS_LABELS.items() <= (metadata.get("labels") or {}).items()
        )
        if endpoint not in wanted and not (is_dns and waiting.pod_ready(item)):
            continue
        index = nodes.index(item["spec"]["nodeName"])
        addresses[endpoint] = _ipv4_first(one["ip"] for one in status.get("podIPs") or [])
        node_of[endpoint] = f"node:{index}"
        if is_dns:
            dns.append(_as_pod(item, index))
    for item in api.list("/api/v1/nodes"):
        found = item["status"].get("addresses") or []
        endpoint = f"node:{nodes.index(item['metadata']['name'])}"
        addresses[endpoint] = _ipv4_first(one["address"] for one in found if one["type"] == "InternalIP")
    return addresses, node_of, tuple(sorted(dns, key=lambda pod: pod.name))


def locate_services(api: Api, topology: Topology) -> tuple[Addresses, dict[tuple[str, int, str], int]]:
    """(addresses, node ports) of a topology's services and of the cluster's DNS. A headless service has no address."""
    services: Mapping[tuple[str, str], Service] = {
        (service.namespace, service.name): service for service in (*topology.services, DNS_SERVICE)
    }
    addresses: Addresses = {}
    node_ports: dict[tuple[str, int, str], int] = {}
    for item in api.list("/api/v1/services"):
        service = services.get((item["metadata"]["namespace"], item["metadata"]["name"]))
        if service is None:
            continue
        addresses[service.id] = _ipv4_first(ip for ip in item["spec"].get("clusterIPs") or [] if ip != "None")
        for port in item["spec"]["ports"]:
            if "nodePort" in port:
                node_ports[service.id, port["port"], port["protocol"]] = port["nodePort"]
    return addresses, node_ports


def ranges(api: Api) -> dict[str, str]:
    """The range of each node's pods -> the node's address of that family."""
    return {
        pods: one["address"]
        for item in api.list("/api/v1/nodes")
        for pods in item["spec"].get("podCIDRs") or []
        for one in item["status"].get("addresses") or []
        if one["type"] == "InternalIP" and (":" in one["address"]) == (":" in pods)
    }


def _as_pod(item: Mapping[str, Any], index: int) -> Pod:
    return Pod(
        namespace=item["metadata"]["namespace"],
        name=item["metadata"]["name"],
        labels=item["metadata"].get("labels") or {},
        ports=tuple(
            Port(port=port["containerPort"], protocol=port.get("protocol", "TCP"), name=port.get("name"))
            for container in item["spec"]["containers"]
            for port in container.get("ports") or []
            if port.get("protocol", "TCP") in get_args(Protocol)
        ),
        node=index,
        service_account=item["spec"].get("serviceAccountName", "default"),
    )


def _ipv4_first(found: Iterable[str]) -> tuple[str, ...]:
    """IPv4 before IPv6."""
    return tuple(sorted(found, key=lambda address: ":" in address))


def apply(api: Api, manifest: Manifest) -> None:
    """Apply an object of ours, with patience for a namespace's first moments. Raises InputError when it is refused."""

    def step() -> None:
        try:
            api.apply(manifest)
        except Refused as error:
            # A namespace's first moments: its quota and accounts are still being made by controllers.
            if error.status in (400, 404, 422):
                raise InputError(f"{Ref.of(manifest)} is refused by the API server: {error.answer}") from None
            raise NotYet(str(error)) from None

    poll(step, timeout=30, what=f"applying {Ref.of(manifest)}")
