"""From rules to a decision for each probe, by the API's text. What the text leaves open is `unspecified`, and why.

A *view* (matching.py) is one way to see the far end of a packet. Where the API does not say whether addresses are
rewritten before or after policies act, a side is judged in every view, and is open where they disagree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from itertools import groupby

from netproof.errors import InputError
from netproof.model.outcome import Specified
from netproof.model.placement import Placement
from netproof.model.topology import DNS_SERVICE, Family, Service, Topology
from netproof.model.traffic import Probe
from netproof.policy.addresses import AddressClasses
from netproof.policy.decision import Decision, DirectionDecision, combine_directions, join_names, leave_open
from netproof.policy.groups import Groups, dns_pods
from netproof.policy.matching import Compiled, Match, Matcher, View, decide_by_rule
from netproof.policy.reasons import (
    EQUAL_PRIORITY,
    ESTABLISHED,
    HOST_NETWORK,
    ITSELF,
    OTHER_PROTOCOL,
    OWN_NODE,
    REWRITTEN_NODE_PORT,
    REWRITTEN_SOURCE,
    SERVICE_ADDRESS,
    TO_OWN_NODE,
    UNKNOWN_ADDRESS,
    UNKNOWN_NODE,
)
from netproof.policy.rules import (
    UNION_ORDER,
    Action,
    Direction,
    Entity,
    EntityPeer,
    Leaf,
    NamePeer,
    NetworkPeer,
    PodPeer,
    Policy,
    ServicePeer,
    leaves,
)
from netproof.policy.services import Services, target

PERHAPS: dict[Action, set[bool]] = {"allow": {True}, "deny": {False}, "pass": {True, False}}
"""What a rule may come to when it is not known whether it matches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """A source or destination. `node`: the node it is or runs on, if known. `host`: it is on a node's own network."""

    id: str
    group: int | None
    """As a subject; None for what no policy can isolate."""
    peer: int | None
    """As a peer of others; None with `group`."""
    node: str | None
    host: bool
    address: int


class Evaluator:
    """Decides probes. Build a new one when policies, labels or addresses change: it remembers what it worked out."""

    def __init__(
        self, policies: Sequence[Policy], topology: Topology, placement: Placement, *, host_pods: bool = False
    ) -> None:
        """With `host_pods` policies select pods on a node's own network like any others; otherwise what depends on that
        is unspecified ("NetworkPolicy behaviour for hostNetwork pods is undefined": CNIs may do either)."""
        self._topology = topology
        self._placement = placement
        self._dns = dns_pods(placement)
        self._groups = Groups(topology, self._dns, host_pods=host_pods)
        self._clear_on_nodes = frozenset(policy.ref for policy in policies if policy.judges_own_node)
        self._close_to_nodes = frozenset(policy.ref for policy in policies if policy.denies_own_node)
        leaves_hosts_open = not host_pods and len(self._clear_on_nodes) < len({policy.ref for policy in policies})
        self._on_host = frozenset(pod.id for pod in topology.pods if pod.host_network and leaves_hosts_open)
        self._given = policies
        self._nodes = frozenset(node.id for node in topology.nodes)
        self._externals = frozenset(external.id for external in topology.externals)
        self._services = Services(topology, self._dns)
        self._classes = AddressClasses(
            peer
            for policy in policies
            for rule in policy.rules
            for peer in leaves(rule.peers or ())
            if isinstance(peer, NetworkPeer)
        )
        self._matcher = Matcher(self._groups, self._classes, topology)
        self._policies = self._by_subject(policies)
        self._rules = {id(policy): self._matcher.compiled(policy) for policy in policies}
        kinds = {type(leaf) for policy in policies for rule in policy.rules for leaf in leaves(rule.peers or ())}
        self._by_kind = not kinds.isdisjoint((EntityPeer, NamePeer)) or self._classes.any_outside
        self._as_subject, self._as_peer = self._representatives(policies)
        self._ends: dict[tuple[str, Family], _End] = {}
        self._sides: dict[tuple[Direction, int, View, str], DirectionDecision] = {}

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

    def side(
        self, direction: Direction, subject: str, other: str, port: int, protocol: str, *, family: Family
    ) -> DirectionDecision:
        """The subject's side of a probe between two pods by address, whatever the other side says."""
        near, far = self._end(subject, family), self._end(other, family)
        return self._side(direction, near, far, (self._view(near, far, port),), protocol)

    def alike(self, pod: str, family: Family) -> Hashable | None:
        """A key that pods share which mean the same as ends of any probe by address, but from a pod to itself. None:
        the pod is on a node's own network, where nothing is said of it here."""
        end = self._end(pod, family)
        if end.host or end.group is None:
            return None
        return (end.group, end.peer, end.address, end.node if self._node_matters else None)

    def governing(self, direction: Direction, pod: str, family: Family) -> Sequence[Policy]:
        """The policies that have a say on this side of the pod."""
        group = self._end(pod, family).group
        return () if group is None else self._policies[direction].get(group, ())

    def means(self, peer: Leaf, pod: str, family: Family) -> bool | None:
        """Whether a peer means the pod; None where that is not known, or it is no matter of pods and addresses."""
        end = self._end(pod, family)
        match peer:
            case PodPeer() | ServicePeer():
                return end.peer in self._matcher.selected(peer)
            case NetworkPeer():
                return self._classes.holds(peer, end.address)
            case _:
                return None

    @cached_property
    def _node_matters(self) -> bool:
        return bool(self._nodes) or any(pod.host_network for pod in self._groups.pods.values())

    @cached_property
    def _with_host_pods(self) -> Evaluator:
        return Evaluator(self._given, self._topology, self._placement, host_pods=True)

    def _concerns_host(self, probe: Probe) -> bool:
        if probe.destination.startswith("svc:"):
            destinations = [pod.id for pod in self._services.backends(self._services.dialled(probe))]
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
        source = self._end(probe.source, probe.family)
        if probe.destination.startswith("svc:"):
            return self._through_service(probe, source)
        named = probe.via == "name" and probe.destination in self._placement.hostnames
        if probe.via in ("service", "name", "nodeport") and not named:
            raise InputError(f"{probe}: via {probe.via} needs a Service as its destination (svc:namespace/name)")
        destination = self._end(probe.destination, probe.family)
        if source.id == destination.id:
            egress, ingress = ITSELF, ITSELF
        else:
            far = self._view(source, destination, probe.port)
            if names := self._placement.hostnames.get(destination.id):
                far = far._replace(names=(names,), dialled=probe.via == "name")
            near = self._view(destination, source, probe.port)
            egress = self._side("egress", source, destination, (far,), probe.protocol)
            ingress = self._side("ingress", destination, source, (near,), probe.protocol)
        return combine_directions(egress, ingress, source.id, destination.id, f"{probe.port}/{probe.protocol}")

    def _through_service(self, probe: Probe, source: _End) -> Decision:
        """Policies act on the pods behind a Service and on their ports (NetworkPolicyPort.port: "a port on a pod")."""
        service = self._services.dialled(probe)
        name = probe.destination.removeprefix("svc:")
        ways: dict[tuple[object, ...], tuple[_End, int]] = {}
        for pod in self._services.backends(service):
            port = target(service, probe, pod)
            if port is not None:
                end = self._end(pod.id, probe.family)
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

    def _to_backend(self, probe: Probe, service: Service, source: _End, *, backend: _End, port: int) -> Decision:
        far, near = self._view(source, backend, port), self._view(backend, source, port)
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

    def _is_open_to_itself(self, pod: _End, egress: DirectionDecision, ingress: DirectionDecision) -> bool:
        """What comes back by a Service may have a node's address: no ingress rule surely matches it, or fails to."""
        ruled = pod.group is not None and bool(self._policies["ingress"].get(pod.group))
        return egress.isolated or ingress.isolated or (ruled and egress.allowed is not False)

    def _through_node_port(
        self, probe: Probe, service: Service, ends: tuple[_End, _End], far: View, near: View
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
        subject: _End,
        other: _End,
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
        sides = [self._seen(direction, subject.group, view, protocol) for view in views]
        if any(side.allowed != sides[0].allowed for side in sides):
            return DirectionDecision(isolated=True, isolating=sides[0].isolating, allowed=None, reason=open_because)
        side = sides[0]
        denying = (side.policy,) if side.policy else side.isolating
        if own_node and not side.allowed and self._clear_on_nodes.isdisjoint(denying):
            return DirectionDecision(isolated=True, isolating=side.isolating, allowed=None, reason=TO_OWN_NODE)
        if other.host and not side.allowed and (subject.node is None or other.node is None):
            return DirectionDecision(isolated=True, isolating=side.isolating, allowed=None, reason=UNKNOWN_NODE)
        return side

    def _from_own_node(
        self, subject: int, views: tuple[View, ...], protocol: str, open_because: str
    ) -> DirectionDecision:
        """Always allowed, but for deny rules of dialects that know no such exception."""
        sides = [self._seen("ingress", subject, view, protocol) for view in views]
        denied = [side for side in sides if side.allowed is False and side.policy in self._close_to_nodes]
        if 0 < len(denied) < len(sides):
            return DirectionDecision(isolated=True, isolating=denied[0].isolating, allowed=None, reason=open_because)
        return denied[0] if denied else OWN_NODE

    def _view(self, subject: _End, other: _End, port: int) -> View:
        far = self._far(subject, other) if self._by_kind else None
        return View(other.peer, other.address, port, port, far=far)

    def _far(self, subject: _End, other: _End) -> frozenset[Entity] | None:
        """What the far end is, as seen from the subject; None where that is not known."""
        if other.id in self._externals:
            return frozenset(("outside",))
        if not other.host:
            return frozenset(("pods",))
        if subject.node is None or other.node is None:
            return None
        api: tuple[Entity, ...] = ("api-server",) if other.node == self._placement.api_server else ()
        return frozenset(("own-node" if subject.node == other.node else "other-nodes", *api))

    def _seen(self, direction: Direction, subject: int, view: View, protocol: str) -> DirectionDecision:
        key = (direction, subject, view, protocol)
        if key not in self._sides:
            self._sides[key] = self._judge(*key)
        return self._sides[key]

    def _judge(self, direction: Direction, subject: int, view: View, protocol: str) -> DirectionDecision:
        """Tier by tier, and in each level by level of precedence. A tier whose policies isolate denies at its end."""
        policies = self._policies[direction].get(subject, [])
        isolating = [policy for policy in policies if direction in policy.isolates]
        refs = tuple(policy.ref for policy in isolating)
        count = sum(rule.direction == direction for policy in isolating for rule in policy.rules)
        perhaps: set[bool] = set()
        side = DirectionDecision(isolated=bool(refs), isolating=refs, allowed=True, rules=count)
        ends: list[DirectionDecision] = []
        rivals: list[str] = []
        for _, tier in groupby(policies, key=lambda policy: policy.precedence[0]):
            members = list(tier)
            found = self._first(members, (direction, subject, view, protocol), perhaps)
            if len({rule.rule.action for rule, _ in found}) > 1:
                rivals += [rule.policy.ref for rule, _ in found]
            ends += [decide_by_rule(side, rule, match) for rule, match in found if rule.rule.action != "pass"]
            if found and all(rule.rule.action != "pass" for rule, _ in found):
                break
            if not found and any(direction in policy.isolates for policy in members):
                near = self._nearest(members, direction, subject, view, protocol)
                ends.append(replace(side, allowed=False, reason=near))
                break
        else:
            ends.append(side)
        if len({end.allowed for end in ends}) > 1:
            return replace(side, allowed=None, reason=EQUAL_PRIORITY.format(join_names(rivals)))
        if perhaps - {ends[0].allowed}:
            return replace(side, allowed=None, reason=UNKNOWN_ADDRESS)
        return ends[0]

    def _first(
        self, members: Sequence[Policy], asked: tuple[Direction, int, View, str], perhaps: set[bool]
    ) -> list[tuple[Compiled, Match]]:
        """The tier's first rule that surely matches; of `ordered` policies of equal precedence the first of each. What
        earlier rules may come to, which match perhaps, is added to `perhaps`."""
        direction, subject, view, protocol = asked
        for _, level in groupby(members, key=lambda policy: policy.precedence):
            found: list[tuple[Compiled, Match]] = []
            for rules in self._in_turn(list(level), direction):
                for rule in rules:
                    match = self._match(rule, subject, view, protocol)
                    if match is not None and match.certain:
                        found.append((rule, match))
                        break
                    if match is not None:
                        perhaps |= PERHAPS[rule.rule.action]
            if found:
                return found
        return []

    def _in_turn(self, level: Sequence[Policy], direction: Direction) -> list[list[Compiled]]:
        """The rules of policies of equal precedence in the order in which they are asked: a list for each that is
        `ordered`, else one for their union."""
        each = [[rule for rule in self._rules[id(p)] if rule.rule.direction == direction] for p in level]
        if level[0].ordered:
            return each
        return [sorted((rule for rules in each for rule in rules), key=lambda rule: UNION_ORDER[rule.rule.action])]

    def _match(self, rule: Compiled, subject: int, view: View, protocol: str) -> Match | None:
        if view.names and rule.rule.direction == "egress" and not self._learns(subject):
            # Nothing is learnt now, but what was learnt under an earlier policy may not be forgotten yet.
            view = view._replace(dialled=False)
        return self._matcher.match(rule, subject, view, protocol)

    def _learns(self, subject: int) -> bool:
        """Whether addresses are learnt from the DNS answers that the subject gets."""
        policies = self._policies["egress"].get(subject, [])
        return any(rule.learns_names for policy in policies for rule in policy.rules)

    def _nearest(self, members: Sequence[Policy], direction: Direction, subject: int, view: View, protocol: str) -> str:
        """The rule that names the peer but not the port: the most frequent slip, so a denial tells of it."""
        rules = (rule for policy in members for rule in self._rules[id(policy)])
        for rule in rules:
            if rule.rule.action == "allow" and rule.rule.ports and rule.rule.direction == direction:
                anywhere = rule._replace(rule=replace(rule.rule, ports=None))
                match = self._match(anywhere, subject, view, protocol)
                if match is not None and match.certain:
                    ports = join_names([str(port) for port in rule.rule.ports])
                    return f"{direction} rule {rule.rule.index + 1} names this peer, but only for {ports}"
        return ""

    def _by_subject(self, policies: Iterable[Policy]) -> dict[Direction, dict[int, list[Policy]]]:
        """Direction -> group -> the policies that have a say there, by precedence."""
        found: dict[Direction, dict[int, list[Policy]]] = {"ingress": defaultdict(list), "egress": defaultdict(list)}
        for policy in sorted(policies, key=lambda policy: policy.precedence):
            members = self._groups.selected(policy.subject)
            for direction, by_group in found.items():
                if direction in policy.isolates or any(rule.direction == direction for rule in policy.rules):
                    for group in members:
                        by_group[group].append(policy)
        return found

    def _representatives(self, policies: Iterable[Policy]) -> tuple[list[int], list[int]]:
        """For each group the first one that these policies cannot tell from it: as a subject, and as a peer.

        Thousands of groups come down to the few that policies distinguish; sides are worked out for those only.
        """
        peers = {
            peer
            for policy in policies
            for rule in policy.rules
            for peer in leaves(rule.peers or ())
            if isinstance(peer, PodPeer | ServicePeer)
        }
        chosen = self._matcher.told_apart(peers)
        narrowed = {rule.subject for policy in policies for rule in policy.rules if rule.subject is not None}
        concerned = self._matcher.told_apart(narrowed)
        subjects: dict[object, int] = {}
        sources: dict[object, int] = {}
        as_subject, as_peer = [], []
        for index, group in enumerate(self._groups.groups):
            governed = (tuple(id(policy) for policy in by.get(index, ())) for by in self._policies.values())
            as_subject.append(subjects.setdefault((*governed, concerned[index], group.ports), index))
            as_peer.append(sources.setdefault((chosen[index], group.ports), index))
        return as_subject, as_peer

    def _end(self, endpoint: str, family: Family) -> _End:
        key = (endpoint, family)
        if key not in self._ends:
            self._ends[key] = self._made_end(endpoint, family)
        return self._ends[key]

    def _made_end(self, endpoint: str, family: Family) -> _End:
        pod = self._groups.pods.get(endpoint)
        is_node = endpoint in self._nodes
        if pod is None and not is_node and endpoint not in self._externals:
            known = [*self._topology.endpoints(), *self._services, *(pod.id for pod in self._dns)]
            near = get_close_matches(endpoint, known, n=1)
            raise InputError(
                f"no endpoint {endpoint!r} in the topology" + (f"; did you mean {near[0]!r}?" if near else "")
            )
        node = endpoint if is_node else self._placement.node_of.get(endpoint)
        host = is_node or (pod is not None and pod.host_network)
        group = self._groups.of(endpoint)
        address = self._placement.address(endpoint, family)
        if address is None and host and node is not None:
            address = self._placement.address(node, family)
        return _End(
            id=endpoint,
            group=None if group is None else self._as_subject[group],
            peer=None if group is None else self._as_peer[group],
            node=node,
            host=host,
            address=self._classes.of(address, family),
        )
