"""The shape of what is deployed: which pods there are, with which labels and in which incarnation, and how one shape
becomes another. Knows what this process deployed, so that only differences go to the API server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netproof.clusters.recipes import Ready
from netproof.drivers.kubernetes import pods, waiting
from netproof.drivers.kubernetes.manifests import Deployment
from netproof.drivers.kubernetes.objects import Api, concurrently
from netproof.drivers.kubernetes.pods import Name
from netproof.drivers.protocol import Origin
from netproof.model import Manifest, Say, Topology


class Shape:
    """Of a cluster that this run created the CNI may still be starting; on one of the user's, other runs may be at
    work."""

    def __init__(self, api: Api, ready: Ready, *, origin: Origin) -> None:
        self._api, self._ready, self._origin = api, ready, origin
        self._spaces: dict[str, Manifest] = {}
        self._pods: dict[Name, Manifest] = {}
        self._incarnations: dict[Name, int] = {}

    @property
    def namespaces(self) -> list[str]:
        return sorted(self._spaces)

    def deploy(self, topology: Topology, wanted: Sequence[Deployment], say: Say) -> None:
        """Pods are made while the rest of the CNI still starts, and awaited together with it."""
        say("making pods")
        kept = pods.ensure(self._api, wanted, say, own=self._spaces, clear=self._origin != "existing")
        self._spaces.update((one.namespace["metadata"]["name"], one.namespace) for one in wanted)
        made = _pods(wanted)
        self._pods.update(made)
        self._incarnations.update(_incarnations(topology))
        nudge = waiting.Sandboxes(self._api, made.values()).renew if self._origin == "created" else None
        say("waiting for the CNI")
        waiting.wait_rollouts(self._api, self._ready, timeout=self._ready.timeout, nudge=nudge)
        say("waiting for pods")
        pods.wait_serving(self._api, made, nudge=nudge, said_before=kept)

    def reshape(self, topology: Topology, wanted: Sequence[Deployment]) -> None:
        """Labels change in place; pods that the topology's namespaces no longer hold are deleted; new ones, those of a
        higher incarnation, and those of another spec are made and awaited."""
        made, incarnations = _pods(wanted), _incarnations(topology)
        spaces = {one.namespace["metadata"]["name"]: one.namespace for one in wanted}
        gone = [name for name in self._pods if name[0] in spaces and name not in made]
        again = [
            name
            for name, pod in made.items()
            if incarnations.get(name, 0) > self._incarnations.get(name, 0)
            or (name in self._pods and self._pods[name]["spec"] != pod["spec"])
        ]
        pods.remove_pods(self._api, [name for name in (*gone, *again) if name in self._pods])
        relabelled = [
            {**old, "metadata": {**old["metadata"], "labels": new["metadata"]["labels"]}}
            for name, new in spaces.items()
            if (old := self._spaces.get(name)) and old["metadata"]["labels"] != new["metadata"]["labels"]
        ]
        concurrently(lambda manifest: pods.apply(self._api, manifest), relabelled)
        changed = {name: pod for name, pod in made.items() if name in again or self._pods.get(name) != pod}
        concurrently(lambda manifest: pods.apply(self._api, manifest), changed.values())
        self._spaces.update((manifest["metadata"]["name"], manifest) for manifest in relabelled)
        for name in gone:
            del self._pods[name]
        self._pods.update(made)
        self._incarnations.update(incarnations)
        pods.wait_serving(self._api, changed)


def _pods(wanted: Sequence[Deployment]) -> dict[Name, Manifest]:
    return {(pod["metadata"]["namespace"], pod["metadata"]["name"]): pod for one in wanted for pod in one.pods}


def _incarnations(topology: Topology) -> Mapping[Name, int]:
    return {(pod.namespace, pod.name): pod.incarnation for pod in topology.pods}
