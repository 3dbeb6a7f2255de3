"""From rules to a decision for each probe, by the API's text. What the text leaves open is `unspecified`, and why.

A *view* (matching.py) is one way to see the far end of a packet. Where the API does not say whether addresses are
rewritten before or after policies act, a side is judged in every view, and is open where they disagree.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import replace
from functools import cached_property

from netproof.errors import InputError
from netproof.model.outcome import Specified
from netproof.model.placement import Placement
from netproof.model.topology import DNS_SERVICE, Family, Service, Topology
from netproof.model.traffic import Probe
from netproof.policy.addresses import AddressClasses
from netproof.policy.decision import Decision, DirectionDecision, combine_directions, leave_open
from netproof.policy.directions import DirectionJudge, find_governing
from netproof.policy.endpoints import Endpoint, Endpoints, choose_representatives
from netproof.policy.groups import Groups, dns_pods
from netproof.policy.matching import Matcher, View
from netproof.policy.reasons import (
    DEPENDS_ON_NODE,
    ESTABLISHED,
    HOST_NETWORK,
    ITSELF,
    OTHER_PROTOCOL,
    OWN_NODE,
    REWRITTEN_NODE_PORT,
    REWRITTEN_SOURCE,
    SERVICE_ADDRESS,
    TO_OWN_NODE,
    UNKNOWN_NODE,
)
from netproof.policy.rules import (
    Direction,
    EntityPeer,
    Leaf,
    NamePeer,
    NetworkPeer,
    PodPeer,
    Policy,
    ServicePeer,
    leaves,
)
from netproof.policy.services import Services


class Evaluator:
    """Decides probes. Build a new one when policies, labels or addresses change: it remembers what it worked out."""

    def __init__(
        self, policies: Sequence[Policy], topology: Topology, placement: Placement, *, host_pods: bool = False
    ) -> None:
        """With `host_pods` policies select pods on a node's own network like any others; otherwise what depends on that
        is unspecified ("NetworkPolicy behaviour for hostNetwork pods is undefined": CNIs may do either)."""
        self._given, self._topology, self._placement = policies, topology, placement
        dns = dns_pods(placement)
        groups = Groups(topology, dns, host_pods=host_pods)
        self._clear_on_nodes = frozenset(policy.ref for policy in policies if policy.judges_own_node)
        self._close_to_nodes = frozenset(policy.ref for policy in policies if policy.denies_own_node)
        leaves_hosts_open = not host_pods and len(self._clear_on_nodes) < len({policy.ref for policy in policies})
        self._on_host = frozenset(pod.id for pod in topology.pods if pod.host_network and leaves_hosts_open)
        self._services = Services(topology, dns)
        peers = [peer for policy in policies for rule in policy.rules for peer in leaves(rule.peers or ())]
        self._classes = AddressClasses(peer for peer in peers if isinstance(peer, NetworkPeer))
        self._matcher = Matcher(groups, self._classes, topology)
        self._policies = find_governing(policies, groups)
        self._judge = DirectionJudge(policies, self._policies, self._matcher)
        self._endpoints = Endpoints(
            topology,
            placement,
            groups,
            self._classes,
            self._services,
            representatives=choose_representatives(policies, groups, self._matcher, self._policies.values()),
            sees_kinds=any(isinstance(peer, EntityPeer | NamePeer) for peer in peers) or self._classes.any_outside,
        )

    def decide(self, probe: Probe) -> Decision:
        """What the policies mean for this probe.

        Via a name the source's lookup counts too. A `held` connection that would be denied anew is left open.
        Raises InputError for an endpoint that is not in the topology, and for a port that a Service does not have.
        """
        decision = self._decide(probe)
        if probe.protocol == "ICMP" and (decision.egress.isolated or decision.ingress.isolated):
            return leave_open(OTHER_PROTOCOL, decision.egress, decision.ingress)
        if probe.via == "name":
            decision = self._after_lookup(probe, decision)
        if self._on_host and self._concerns_host(probe):
            other = self._with_host_pods.decide(probe)
            if other.specified is not decision.specified:
                return leave_open(HOST_NETWORK, other.egress, other.ingress)
        if probe.kind == "held" and decision.specified is Specified.DENIED:
            return leave_open(ESTABLISHED, decision.egress, decision.ingress)
        return decision

    def decide_direction(
        self, direction: Direction, subject: str, other: str, port: int, protocol: str, *, family: Family
    ) -> DirectionDecision:
        """The subject's side of a probe between two pods by address, whatever the other side says."""
        near, far = self._endpoints.find(subject, family), self._endpoints.find(other, family)
        return self._side(direction, near, far, (self._endpoints.view(near, far, port),), protocol)

    def classify(self, pod: str, family: Family) -> Hashable | None:
        """A key that pods share which mean the same as ends of any probe by address, but from a pod to itself. None:
        the pod is on a node's own network, where nothing is said of it here."""
        end = self._endpoints.find(pod, family)
        if end.host or end.group is None:
            return None
        return (end.group, end.peer, end.address, end.node if self._endpoints.depend_on_nodes else None)

    def governing(self, direction: Direction, pod: str, family: Family) -> Sequence[Policy]:
        """The policies that have a say on this side of the pod."""
        group = self._endpoints.find(pod, family).group
        return () if group is None else self._policies[direction].get(group, ())

    def means(self, peer: Leaf, pod: str, family: Family) -> bool | None:
        """Whether a peer means the pod; None where that is not known, or it is no matter of pods and addresses."""
        end = self._endpoints.find(pod, family)
        match peer:
            case PodPeer() | ServicePeer():
                return end.peer in self._matcher.select(peer)
            case NetworkPeer():
                return self._classes.holds(peer, end.address)
            case _:
                return None

    @cached_property
    def _with_host_pods(self) -> Evaluator:
        return Evaluator(self._given, self._topology, self._placement, host_pods=True)

    def _concerns_host(self, probe: Probe) -> bool:
        if probe.destination.startswith("svc:"):
            destinations = [end for end, _ in self._services.destinations(self._services.resolve(probe), probe)]
        else:
            destinations = [probe.destination]
        return not self._on_host.isdisjoint((probe.source, *destinations))

    def _after_lookup(self, probe: Probe, decision: Decision) -> Decision:
        """A name must be looked up at the cluster's DNS, by UDP, before its address is dialled."""
        lookup = self._decide(
            Probe(
                source=probe.source, destination=DNS_SERVICE.id, port=53, protocol="UDP", via="service", kind="lookup"
            )
        )
        if lookup.specified is Specified.CONNECTED or decision.specified is Specified.DENIED:
            return decision
        return replace(lookup, because=f"the name must be looked up first. {lookup.because}")

    def _decide(self, probe: Probe) -> Decision:
        source = self._endpoints.find(probe.source, probe.family)
        if probe.destination.startswith("svc:"):
            return self._through_service(probe, source)
        named = probe.via == "name" and probe.destination in self._placement.hostnames
        if probe.via in ("service", "name", "nodeport") and not named:
            raise InputError(f"{probe}: via {probe.via} needs a Service as its destination (svc:namespace/name)")
        destination = self._endpoints.find(probe.destination, probe.family)
        if source.id == destination.id:
            egress, ingress = ITSELF, ITSELF
        else:
            far = self._endpoints.view(source, destination, probe.port)
            if names := self._placement.hostnames.get(destination.id):
                far = far._replace(names=(names,), dialled=probe.via == "name")
            near = self._endpoints.view(destination, source, probe.port)
            egress = self._side("egress", source, destination, (far,), probe.protocol)
            ingress = self._side("ingress", destination, source, (near,), probe.protocol)
        return combine_directions(egress, ingress, source.id, destination.id, f"{probe.port}/{probe.protocol}")

    def _through_service(self, probe: Probe, source: Endpoint) -> Decision:
        """Policies act on the pods behind a Service and on their ports (NetworkPolicyPort.port: "a port on a pod")."""
        service = self._services.resolve(probe)
        name = probe.destination.removeprefix("svc:")
        ways: dict[tuple[object, ...], tuple[Endpoint, int]] = {}
        for backend, port in self._services.destinations(service, probe):
            if port is not None:
                end = self._endpoints.find(backend, probe.family)
                node = end.node if source.host or end.host else ""
                alike = (end.group, end.peer, end.address, port, node, end.id == source.id)
                ways.setdefault(alike, (end, port))
        if not ways:
            return leave_open(f"no pod is behind port {probe.port}/{probe.protocol} of Service {name}")
        decisions = [self._to_backend(probe, service, source, backend=end, port=port) for end, port in ways.values()]
        kinds = {decision.specified: decision for decision in reversed(decisions)}
        if len(kinds) == 1:
            return decisions[0]
        told = " ".join(f"{decision.specified}: {decision.because}" for decision in kinds.values())
        return replace(
            decisions[0],
            specified=Specified.UNSPECIFIED,
            because=f"unspecified: the pods behind Service {name} differ, and any of them may answer. {told}",
        )

    def _to_backend(
        self, probe: Probe, service: Service, source: Endpoint, *, backend: Endpoint, port: int
    ) -> Decision:
        far, near = self._endpoints.view(source, backend, port), self._endpoints.view(backend, source, port)
        if probe.via == "nodeport":
            egress, ingress = self._through_node_port(probe, service, (source, backend), far, near)
        else:
            views: tuple[View, ...] = (far,)
            if not service.headless:
                address = self._placement.address(service.id, probe.family)
                service_address = self._classes.of(address, probe.family)
                views = (far, far._replace(address=service_address, block_port=probe.port, named=False, behind=far))
            egress = self._side("egress", source, backend, views, probe.protocol, open_because=SERVICE_ADDRESS)
            ingress = self._side("ingress", backend, source, (near,), probe.protocol)
            if source.id == backend.id and service.headless:
                egress, ingress = ITSELF, ITSELF
            elif source.id == backend.id and self._is_open_to_itself(source, egress, ingress):
                return leave_open(
                    f"{source.id} reaches itself through its own Service, and the API leaves open which source address "
                    "its policies then see",
                    egress,
                    ingress,
                )
        decision = combine_directions(egress, ingress, source.id, backend.id, f"{port}/{probe.protocol}")
        lead = f"Service {service.id.removeprefix('svc:')} leads to {backend.id} on {port}/{probe.protocol}. "
        return replace(decision, because=lead + decision.because)

    def _is_open_to_itself(self, pod: Endpoint, egress: DirectionDecision, ingress: DirectionDecision) -> bool:
        """What comes back by a Service may have a node's address: no ingress rule surely matches it, or fails to."""
        ruled = pod.group is not None and bool(self._policies["ingress"].get(pod.group))
        return egress.isolated or ingress.isolated or (ruled and egress.allowed is not False)

    def _through_node_port(
        self, probe: Probe, service: Service, ends: tuple[Endpoint, Endpoint], far: View, near: View
    ) -> tuple[DirectionDecision, DirectionDecision]:
        source, backend = ends
        nobody = self._classes.of(None, probe.family)
        if source.group is None:
            egress = self._side("egress", source, backend, (far,), probe.protocol)
        else:
            node_port = self._placement.node_ports.get((service.id, probe.port, probe.protocol), 0)
            node = View(None, nobody, node_port, node_port)
            egress = self._side(
                "egress", source, backend, (far, node), probe.protocol, open_because=REWRITTEN_NODE_PORT
            )
            if egress.allowed is False:
                # The node that is dialled may be the pod's own, to which traffic may be allowed.
                egress = DirectionDecision(
                    isolated=True, isolating=egress.isolating, allowed=None, reason=REWRITTEN_NODE_PORT
                )
        rewritten = near._replace(group=None, address=nobody, far=None)
        kept = service.external_traffic_policy == "Local" and source.group is None
        views = (near,) if kept else (near, rewritten)
        return egress, self._side("ingress", backend, source, views, probe.protocol, open_because=REWRITTEN_SOURCE)

    def _side(
        self,
        direction: Direction,
        subject: Endpoint,
        other: Endpoint,
        views: tuple[View, ...],
        protocol: str,
        *,
        open_because: str = "",
    ) -> DirectionDecision:
        """One end's side. Of several views that disagree, the reason is `open_because`."""
        if subject.group is None:
            what = "on a node's own network" if subject.host else "outside the cluster"
            return DirectionDecision(
                isolated=False, allowed=True, reason=f"{subject.id} is {what}, where no policy applies"
            )
        own_node = other.host and subject.node is not None and subject.node == other.node
        if own_node and direction == "ingress":
            return self._from_own_node(subject.group, views, protocol, open_because)
        sides = [self._judge.decide(direction, subject.group, view, protocol) for view in views]
        if any(side.allowed != sides[0].allowed for side in sides):
            return DirectionDecision(isolated=True, isolating=sides[0].isolating, allowed=None, reason=open_because)
        side = sides[0]
        denying = (side.policy,) if side.policy else side.isolating
        if own_node and not side.allowed and self._clear_on_nodes.isdisjoint(denying):
            return DirectionDecision(isolated=True, isolating=side.isolating, allowed=None, reason=TO_OWN_NODE)
        if other.host and side.allowed is False and (subject.node is None or other.node is None):
            at_home = self._from_own_node(subject.group, views, protocol, "")
            return _decide_on_unknown_node(direction, side, at_home, self._clear_on_nodes)
        return side

    def _from_own_node(
        self, subject: int, views: tuple[View, ...], protocol: str, open_because: str
    ) -> DirectionDecision:
        """Always allowed, but for deny rules of dialects that know no such exception."""
        sides = [self._judge.decide("ingress", subject, view, protocol) for view in views]
        denied = [side for side in sides if side.allowed is False and side.policy in self._close_to_nodes]
        if 0 < len(denied) < len(sides):
            return DirectionDecision(isolated=True, isolating=denied[0].isolating, allowed=None, reason=open_because)
        return denied[0] if denied else OWN_NODE


def _decide_on_unknown_node(
    direction: Direction, elsewhere: DirectionDecision, at_home: DirectionDecision, clear_on_nodes: Collection[str]
) -> DirectionDecision:
    """What is denied where the far end is another node and may be open where it is the pod's own."""
    denying = (elsewhere.policy,) if elsewhere.policy else elsewhere.isolating
    is_open = at_home.allowed if direction == "ingress" else set(clear_on_nodes).isdisjoint(denying)
    if not is_open:
        return elsewhere
    depends = direction == "ingress"
    reason = DEPENDS_ON_NODE if depends else UNKNOWN_NODE
    isolating = elsewhere.isolating
    return DirectionDecision(isolated=True, isolating=isolating, allowed=None, reason=reason, depends=depends)
