"""Pre-flight refuses to lie: before any scenario a canary deny must deny and a canary allow must connect, in each
direction and protocol. A CNI that accepts policies and enforces nothing ends the run here
(docs/architecture.md, decision 7)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netproof.catalogue.scenarios import Step
from netproof.clusters.recipes import Recipe
from netproof.errors import ClusterError, NotEnforced
from netproof.model import Manifest, Matrix, Measured, Namespace, Pod, Port, Probe, Topology
from netproof.model.topology import Protocol
from netproof.model.traffic import ProbeProtocol
from netproof.probing import Round, Settled
from netproof.report.record import PreflightCheck

if TYPE_CHECKING:
    from netproof.run.deployment import Deployment

NAMESPACE = "netproof-canary"
PORT = 8080
PROTOCOLS: tuple[Protocol, ...] = ("TCP", "UDP", "SCTP")
"""What canaries are sent by. ICMP is only tried: no policy promises anything of it."""
ICMP: ProbeProtocol = "ICMP"
_PORTS = tuple(Port(port=PORT, protocol=protocol) for protocol in PROTOCOLS)

TOPOLOGY = Topology(
    namespaces=(Namespace(name=NAMESPACE),),
    pods=tuple(
        Pod(namespace=NAMESPACE, name=name, labels={"canary": name}, ports=_PORTS, node=node)
        for name, node in (("client", 0), ("open", 1), ("walled", 0), ("muzzled", 1))
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A pair of canary pods, and what it must do once the canary policies are in force."""

    claim: str
    source: str
    destination: str
    expected: Measured

    def probe(self, protocol: ProbeProtocol) -> Probe:
        return Probe(
            source=f"{NAMESPACE}/{self.source}",
            destination=f"{NAMESPACE}/{self.destination}",
            port=0 if protocol == "ICMP" else PORT,
            protocol=protocol,
        )


CANARIES = (
    Canary(claim="allowed both ways", source="client", destination="open", expected=Measured.CONNECTED),
    Canary(claim="denied at ingress", source="client", destination="walled", expected=Measured.DENIED),
    Canary(claim="denied at egress", source="muzzled", destination="open", expected=Measured.DENIED),
)


def _policy(name: str, direction: str, allows: list[str] | None) -> Manifest:
    section, peers = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    spec: dict[str, object] = {"podSelector": {"matchLabels": {"canary": name}}, "policyTypes": [direction]}
    if allows is not None:
        ports = [{"port": PORT, "protocol": protocol} for protocol in PROTOCOLS]
        spec[section] = [
            {peers: [{"podSelector": {"matchLabels": {"canary": peer}}} for peer in allows], "ports": ports}
        ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"{name}-{direction.lower()}", "namespace": NAMESPACE},
        "spec": spec,
    }


POLICIES: tuple[Manifest, ...] = (
    _policy("open", "Ingress", ["client", "muzzled"]),
    _policy("client", "Egress", ["open", "walled"]),
    _policy("walled", "Ingress", None),
    _policy("muzzled", "Egress", None),
)


CANARY_TRIES = 4
"""How often the canaries are asked before what nobody could measure counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What the canaries did. `capabilities`: protocol -> `yes`, or why it cannot be measured."""

    capabilities: Mapping[str, str]
    checks: list[PreflightCheck]
    settled: Settled


STEP = Step(name="canaries", policies=POLICIES, applied=POLICIES, topology=TOPOLOGY, intended=Matrix({}))


def examine(deployment: Deployment) -> Examined:
    """Apply the canary policies to the canaries, which are deployed, and see what they do. Raises ClusterError when
    they cannot reach each other without policies."""
    place = deployment.place(TOPOLOGY)
    baseline = place.warm(list_probes())
    able = find_capabilities(baseline)
    for protocol in ("TCP", "UDP"):
        if able[protocol] != "yes":
            raise ClusterError(f"the canary pods cannot reach each other by {protocol}: {able[protocol]}")
    goal = expect_canaries(able)
    change = deployment.change(place, STEP)
    left = CANARY_TRIES
    while True:
        settled = place.settle(change, list(goal), goal, hold=0.0)
        done = describe_checks(settled, able)
        left -= 1
        # A machine that is busy with the start of pods may not answer in time: that is asked again. What was
        # measured, right or wrong, is not.
        if not left or all(check.measured is not Measured.UNMEASURED for check in done):
            place.denied.clear()  # nothing is asked of the canaries again
            return Examined(capabilities=able, checks=done, settled=settled)
        change = replace(change, at=time.monotonic())


def find_capabilities(baseline: Sequence[Round]) -> dict[str, str]:
    """Protocol -> `yes`, or why it cannot be measured here, from the canaries' baseline rounds: what connected in any
    of them can, however busy the machine was in another."""
    found: dict[str, str] = {}
    able = {p for current in baseline for p, m in current.measured().items() if m is Measured.CONNECTED}
    last = {p: reading for current in baseline for p, reading in current.readings.items()}
    for protocol in (*PROTOCOLS, ICMP):
        wrong = [last[p] for c in CANARIES if (p := c.probe(protocol)) not in able]
        found[protocol] = f"no ({wrong[0].detail or wrong[0].outcome})" if wrong else "yes"
    return found


def list_probes() -> list[Probe]:
    """The canaries' probes, of every protocol that may be measured here."""
    return [canary.probe(protocol) for protocol in (*PROTOCOLS, ICMP) for canary in CANARIES]


def expect_canaries(protocols: Mapping[str, str]) -> dict[Probe, Measured]:
    return {c.probe(p): c.expected for p in PROTOCOLS if protocols[p] == "yes" for c in CANARIES}


def describe_checks(settled: Settled, protocols: Mapping[str, str]) -> list[PreflightCheck]:
    """What each canary did, for the record."""
    return [
        PreflightCheck(
            name=f"{canary.claim}, {protocol}",
            expected=canary.expected,
            measured=settled.readings[canary.probe(protocol)].measured,
            after_s=settled.since_s.get(canary.probe(protocol)),
        )
        for protocol in PROTOCOLS
        if protocols[protocol] == "yes"
        for canary in CANARIES
    ]


def judge(recipe: Recipe, done: list[PreflightCheck], settled: Settled) -> None:
    """Raises NotEnforced when a canary did the wrong thing, ClusterError when one could not be measured."""
    wrong = [check for check in done if check.measured is not check.expected]
    if not wrong:
        return
    unmeasured = [check for check in wrong if check.measured is Measured.UNMEASURED]
    if unmeasured:
        details = {r.detail for r in settled.readings.values() if r.measured is Measured.UNMEASURED and r.detail}
        raise ClusterError(
            f"the pre-flight canaries could not be measured ({', '.join(check.name for check in unmeasured)})",
            details="\n".join(sorted(details)),
        )
    open_ones = [check.name for check in wrong if check.expected is Measured.DENIED]
    shut_ones = [check.name for check in wrong if check.expected is Measured.CONNECTED]
    said = []
    if open_ones:
        said.append(f"pairs that a policy denies still connect ({'; '.join(open_ones)})")
    if shut_ones:
        said.append(f"pairs that the policies allow do not connect ({'; '.join(shut_ones)})")
    what = "accepts NetworkPolicy objects and enforces nothing" if not shut_ones else "does not enforce NetworkPolicy"
    hint = f" {recipe.hint}" if recipe.hint else ""
    raise NotEnforced(f"{recipe.title} {what}: {' and '.join(said)}. Nothing measured on it would mean anything.{hint}")
