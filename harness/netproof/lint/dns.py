"""Rules about looking up names, wherever a cluster's DNS is.

Which DNS a cluster has is a profile: given by `--dns`, or what the manifests show. Without either, a pod can look up
names when a rule lets it reach any DNS that clusters are known to have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address

from netproof.errors import InputError
from netproof.lint.model import DnsProfile, Hit, LintInput, LocatedPolicy
from netproof.model import External, Namespace, Pod, Port, Probe, Specified
from netproof.model.topology import DNS_SERVICE
from netproof.policy import Evaluator
from netproof.policy.decision import join_names
from netproof.policy.rules import Rule

LOCAL_ADDRESS = "169.254.20.10"
"""Where NodeLocal DNSCache listens on every node, by its manifest."""

OPENSHIFT = Pod(
    namespace="openshift-dns",
    name="any-dns-default",
    labels={"dns.operator.openshift.io/daemonset-dns": "default"},
    ports=(Port(port=5353, protocol="UDP", name="dns"), Port(port=5353, name="dns-tcp")),
)


def _of_address(address: str) -> DnsProfile:
    fix = f"add an egress rule to the ipBlock {address}/{128 if ':' in address else 32} on 53/UDP and 53/TCP"
    return DnsProfile(endpoint=f"external:{address}", port=53, fix=fix)


PROFILES: Mapping[str, DnsProfile] = {
    "kube-dns": DnsProfile(
        endpoint=DNS_SERVICE.id,
        port=53,
        fix="add an egress rule to pods k8s-app=kube-dns in namespace kube-system on 53/UDP and 53/TCP",
    ),
    "openshift": DnsProfile(
        endpoint=OPENSHIFT.id,
        port=5353,
        fix="add an egress rule to namespace openshift-dns on 5353/UDP and 5353/TCP",
    ),
    "nodelocal": _of_address(LOCAL_ADDRESS),
}


def read_dns(words: Sequence[str]) -> tuple[DnsProfile, ...]:
    """The profiles of `--dns`: names of ours, or addresses. Raises InputError."""
    found = []
    for word in words:
        if word in PROFILES:
            found.append(PROFILES[word])
            continue
        try:
            found.append(_of_address(str(ip_address(word))))
        except ValueError:
            known = ", ".join(PROFILES)
            raise InputError(f"must be one of {known}, or an address (got {word!r})", key="--dns") from None
    return tuple(found)


def without_dns(inputs: LintInput) -> Iterator[Hit]:
    """Pods that may reach something and cannot look up a name. Pods that may reach nothing need none."""
    lookups = _Lookups(inputs)
    for policies, groups in isolated_for_egress(inputs):
        if not any(rule.action == "allow" for one in policies for rule in egress_rules(one)):
            continue
        lost = [pod for group in groups for pod in inputs.of_group.get(group, ()) if lookups.is_denied(pod)]
        if lost:
            their = join_names([one.policy.ref for one in policies])
            yield Hit(
                sentence=f"{join_names(lost)}: isolated for egress by {their}, and no rule lets them look up names "
                "(53/UDP to the cluster's DNS)",
                place=first_with_rules(policies).place_of_list("egress"),
                fix=lookups.of(lost[0])[0].fix,
            )


def without_local_dns(inputs: LintInput) -> Iterator[Hit]:
    """Where NodeLocal DNSCache runs, lookups end on the pod's node, which no selector of pods means."""
    if inputs.dns or not _shows_local_dns(inputs):
        return
    lookups = _Lookups(inputs)
    for policies, groups in isolated_for_egress(inputs):
        pods = [pod for group in groups for pod in inputs.of_group.get(group, ()) if pod in lookups.asked]
        lost = [pod for pod in pods if lookups.decide(pod, PROFILES["nodelocal"]) is Specified.DENIED]
        lost = [pod for pod in lost if not lookups.is_denied(pod)]
        if lost:
            their = join_names([one.policy.ref for one in policies])
            yield Hit(
                sentence=f"{join_names(lost)}: isolated for egress by {their}, which let them look up names at the DNS "
                f"pods only, while NodeLocal DNSCache answers at {LOCAL_ADDRESS} on their node",
                place=first_with_rules(policies).place_of_list("egress"),
                fix=PROFILES["nodelocal"].fix,
            )


def _shows_local_dns(inputs: LintInput) -> bool:
    return any(
        pod.host_network and "node-local-dns" in (pod.labels.get("k8s-app"), pod.name.removesuffix("-0"))
        for pod in inputs.inventory.topology.pods
    )


class _Lookups:
    """Asks for every pod whether it reaches one of its DNS profiles."""

    def __init__(self, inputs: LintInput) -> None:
        self._inputs = inputs
        self.asked = frozenset(pod for pods in inputs.of_group.values() for pod in pods)
        self._elsewhere: Evaluator | None = None

    def of(self, pod: str) -> Sequence[DnsProfile]:
        """Where this pod's lookups may go. Its own resolvers, where it has such, replace the cluster's."""
        resolvers = self._inputs.inventory.resolvers
        if pod in resolvers:
            return [_of_address(address) for address in resolvers[pod]]
        return self._inputs.dns or tuple(PROFILES.values())

    def is_denied(self, pod: str) -> bool:
        profiles = self.of(pod)
        return bool(profiles) and all(self.decide(pod, profile) is Specified.DENIED for profile in profiles)

    def decide(self, pod: str, profile: DnsProfile) -> Specified:
        if profile.endpoint == DNS_SERVICE.id:
            probe = Probe(source=pod, destination=DNS_SERVICE.id, port=53, protocol="UDP", via="service", kind="lookup")
            return self._inputs.evaluator.decide(probe).specified
        probe = Probe(
            source=pod,
            destination=profile.endpoint,
            port=profile.port,
            protocol="UDP",
            via="address" if profile.endpoint.startswith("external:") else "pod",
            family=6 if ":" in profile.endpoint.removeprefix("external:") else 4,
        )
        side = self._evaluator().decide(probe).egress
        return Specified.DENIED if side.allowed is False else Specified.CONNECTED

    def _evaluator(self) -> Evaluator:
        """With DNS servers that no manifest holds; made only when somebody is not let to the usual one."""
        if self._elsewhere is None:
            inventory = self._inputs.inventory
            profiles = {*PROFILES.values(), *self._inputs.dns}
            profiles |= {_of_address(address) for found in inventory.resolvers.values() for address in found}
            addresses = [one.endpoint.removeprefix("external:") for one in profiles if one.endpoint[:9] == "external:"]
            known = {external.name for external in inventory.topology.externals}
            topology = replace(
                inventory.topology,
                namespaces=(*inventory.topology.namespaces, Namespace(name=OPENSHIFT.namespace)),
                pods=(*inventory.topology.pods, OPENSHIFT),
                externals=(
                    *inventory.topology.externals,
                    *(External(name=address) for address in addresses if address not in known),
                ),
            )
            places = {**inventory.placement.addresses, **{f"external:{one}": (one,) for one in addresses}}
            places[OPENSHIFT.id] = tuple(str(pods) for pods in self._inputs.pod_ranges)
            placement = replace(inventory.placement, addresses=places)
            self._elsewhere = Evaluator([one.policy for one in self._inputs.policies], topology, placement)
        return self._elsewhere


def isolated_for_egress(inputs: LintInput) -> Iterator[tuple[tuple[LocatedPolicy, ...], list[int]]]:
    """The policies that govern egress together, and the groups that they isolate."""
    found: dict[tuple[str, ...], tuple[tuple[LocatedPolicy, ...], list[int]]] = {}
    for group, governing in inputs.governing["egress"].items():
        if group in inputs.of_group and any("egress" in one.policy.isolates for one in governing):
            key = tuple(one.policy.ref for one in governing)
            found.setdefault(key, (governing, []))[1].append(group)
    yield from found.values()


def egress_rules(one: LocatedPolicy) -> Iterator[Rule]:
    return (rule for rule in one.policy.rules if rule.direction == "egress")


def first_with_rules(policies: tuple[LocatedPolicy, ...]) -> LocatedPolicy:
    return next((one for one in policies if any(egress_rules(one))), policies[0])
