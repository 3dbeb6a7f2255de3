"""The ends of a probe as policies know them, and how each of them sees the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from netproof.errors import InputError, nearest
from netproof.model.placement import Placement
from netproof.model.topology import API_SERVER, Family, Topology
from netproof.policy.addresses import AddressClasses
from netproof.policy.groups import Groups
from netproof.policy.matching import Matcher, View
from netproof.policy.rules import Entity, PodPeer, Policy, ServicePeer, leaves
from netproof.policy.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A source or destination. `node`: the node it is or runs on, if known. `host`: it is on a node's own network."""

    id: str
    group: int | None
    """As a subject; None for what no policy can isolate."""
    peer: int | None
    """As a peer of others; None with `group`."""
    node: str | None
    host: bool
    address: int


class Endpoints:
    """The endpoints of a topology. Remembers what it worked out."""

    def __init__(
        self,
        topology: Topology,
        placement: Placement,
        groups: Groups,
        classes: AddressClasses,
        services: Services,
        *,
        representatives: tuple[list[int], list[int]],
        sees_kinds: bool,
    ) -> None:
        """`representatives`: see `choose_representatives`. `sees_kinds`: some policy asks what the far end is, beside
        its labels and addresses."""
        self._topology, self._placement = topology, placement
        self._groups, self._classes, self._services = groups, classes, services
        self._as_subject, self._as_peer = representatives
        self._sees_kinds = sees_kinds
        self._nodes = frozenset(node.id for node in topology.nodes)
        self._externals = frozenset(external.id for external in topology.externals)
        self.depend_on_nodes = bool(self._nodes) or any(pod.host_network for pod in groups.pods.values())
        """Whether it matters to any of them on which node a pod runs."""
        self._known: dict[tuple[str, Family], Endpoint] = {}

    def find(self, endpoint: str, family: Family) -> Endpoint:
        """Raises InputError, with the nearest name, for what the topology does not have."""
        key = (endpoint, family)
        if key not in self._known:
            self._known[key] = self._make(endpoint, family)
        return self._known[key]

    def view(self, subject: Endpoint, other: Endpoint, port: int) -> View:
        """The other end, dialled by its own address on a port, as the subject sees it."""
        far = self._far(subject, other) if self._sees_kinds else None
        return View(other.peer, other.address, port, port, far=far)

    def _far(self, subject: Endpoint, other: Endpoint) -> frozenset[Entity] | None:
        """What the far end is, as seen from the subject; None where that is not known."""
        if other.id == API_SERVER.id:
            return frozenset(("api-server",))
        if other.id in self._externals:
            return frozenset(("outside",))
        if not other.host:
            return frozenset(("pods",))
        if subject.node is None or other.node is None:
            return None
        api: tuple[Entity, ...] = ("api-server",) if other.node == self._placement.api_server else ()
        return frozenset(("own-node" if subject.node == other.node else "other-nodes", *api))

    def _make(self, endpoint: str, family: Family) -> Endpoint:
        pod = self._groups.pods.get(endpoint)
        is_node = endpoint in self._nodes
        if pod is None and not is_node and endpoint not in self._externals:
            known = [*self._topology.endpoints(), *self._services, *self._groups.pods]
            near = nearest(endpoint, known, cutoff=0.6)
            raise InputError(
                f"no endpoint {endpoint!r} in the topology" + (f"; did you mean {near!r}?" if near else "")
            )
        node = endpoint if is_node else self._placement.node_of.get(endpoint)
        host = is_node or (pod is not None and pod.host_network)
        group = self._groups.of(endpoint)
        address = self._placement.address(endpoint, family)
        if address is None and host and node is not None:
            address = self._placement.address(node, family)
        return Endpoint(
            id=endpoint,
            group=None if group is None else self._as_subject[group],
            peer=None if group is None else self._as_peer[group],
            node=node,
            host=host,
            address=self._classes.of(address, family),
        )


def choose_representatives(
    policies: Sequence[Policy],
    groups: Groups,
    matcher: Matcher,
    governing: Iterable[Mapping[int, Sequence[Policy]]],
) -> tuple[list[int], list[int]]:
    """For each group the first one that these policies cannot tell from it: as a subject, and as a peer.

    `governing`: for each direction, group -> the policies that have a say there. Thousands of groups come down to the
    few that policies distinguish; decisions are worked out for those only.
    """
    by_direction = tuple(governing)
    peers = {
        peer
        for policy in policies
        for rule in policy.rules
        for peer in leaves(rule.peers or ())
        if isinstance(peer, PodPeer | ServicePeer)
    }
    chosen = matcher.distinguish(peers)
    narrowed = {rule.subject for policy in policies for rule in policy.rules if rule.subject is not None}
    concerned = matcher.distinguish(narrowed)
    subjects: dict[object, int] = {}
    sources: dict[object, int] = {}
    as_subject, as_peer = [], []
    for index, group in enumerate(groups.groups):
        governed = (tuple(id(policy) for policy in by.get(index, ())) for by in by_direction)
        as_subject.append(subjects.setdefault((*governed, concerned[index], group.ports), index))
        as_peer.append(sources.setdefault((chosen[index], group.ports), index))
    return as_subject, as_peer
