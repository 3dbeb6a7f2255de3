"""One round: every probe of a matrix once, with the controls that make a denial believable
(docs/architecture.md, decision 4)."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import quantiles
from typing import Any

from netproof.model import Measured, Outcome, Placement, Pod, Probe, Topology
from netproof.model.outcome import DENIALS
from netproof.model.topology import DNS_SERVICE
from netproof.model.traffic import API_SERVER
from netproof.probing.client import Answer, Fleet, Lost, Schedule

Control = tuple[str, str, int]
"""Endpoint, protocol (or `TLS`, for the API server), port: a server that vouches for itself in every round."""

ONCE = Schedule()

LOOPBACK = "127.0.0.1"

UNANSWERED = "did not answer"
"""In an agent's words for a lookup that failed: whether anything came back."""

LOOKUP_NAME = "kubernetes.default.svc.cluster.local"
"""The name that lookups ask for: every cluster's DNS has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one probe of one round saw, and what it counts as once the controls are weighed."""

    measured: Measured
    outcome: Outcome
    ms: float | None = None
    detail: str = ""
    host: str = ""
    seen_source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """`began` and `ended` are time.monotonic() values; rounds of one train end together."""

    began: float
    ended: float
    readings: Mapping[Probe, Reading]

    def measured(self) -> dict[Probe, Measured]:
        return {probe: reading.measured for probe, reading in self.readings.items()}

    def connect_ms(self) -> dict[Probe, float]:
        return {p: r.ms for p, r in self.readings.items() if r.measured is Measured.CONNECTED and r.ms is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """Where a probe is sent, who may answer, and the controls (endpoint, protocol, port) that vouch for the server.
    For first attempts it is the new pod that is `asked`, for the one with this `index`, on a port of its own; for a
    webhook's call it is the API server."""

    host: str
    port: int
    expect: tuple[str, ...]
    controls: tuple[Control, ...]
    asked: str = ""
    index: int = 0


@dataclass(slots=True)
class Rounds:
    """Asks rounds of one deployed topology. `connected_before` are the probes whose baseline connected: a denial of any
    other probe proves nothing and stays unmeasured."""

    topology: Topology
    placement: Placement
    fleet: Fleet
    connected_before: set[Probe] = field(default_factory=set)
    key: str = ""
    """Names the kept connections of `held` probes: another key opens new ones."""
    _targets: dict[Probe, _Target | str] = field(default_factory=dict, init=False)

    def ask(
        self,
        probes: Collection[Probe],
        timeout: float,
        schedule: Schedule = ONCE,
        *,
        baseline: bool = False,
        gently: bool = False,
        before: Mapping[Probe, Measured] | None = None,
    ) -> list[Round]:
        """Send every probe and every control concurrently, once for each round of the train, or `gently`, in twice the
        time, so that connect times are the network's. `timeout` in seconds. With `before`, what was
        measured last, a train can tell that something changed; other probes keep it from no end."""
        batches: dict[str, list[dict[str, Any]]] = {}
        asked: dict[str, list[Probe | Control]] = {}

        def put(source: str, what: Probe | Control, request: dict[str, Any]) -> None:
            batch = batches.setdefault(source, [])
            batch.append({"id": len(batch), **request})
            asked.setdefault(source, []).append(what)

        unplaced: dict[Probe, str] = {}
        controls: dict[Control, None] = {}
        for probe in probes:
            target = self._target(probe)
            if isinstance(target, str):
                unplaced[probe] = target
                continue
            request = self._request(probe, target)
            if before and probe in before:
                request["was"] = before[probe].value
            put(target.asked or probe.source, probe, request)
            controls.update(dict.fromkeys(target.controls))
        for control in controls:
            self._put_control(control, put)
        rounds = []
        for began, answers in self.fleet.ask(timeout, batches, schedule, gently=gently):
            readings, held = self._read(asked, answers)
            for probe, why in unplaced.items():
                readings[probe] = Reading(measured=Measured.UNMEASURED, outcome=Outcome.ERROR, detail=why)
            weighed = {probe: self._weigh(probe, readings[probe], held, baseline=baseline) for probe in probes}
            rounds.append(Round(began=began, ended=time.monotonic(), readings=weighed))
        return rounds

    def is_hopeless(self, probe: Probe) -> bool:
        """Whether an agent that this probe needs is gone: no waiting makes it measurable."""
        needed, target = {probe.source}, self._target(probe)
        if isinstance(target, _Target):
            needed |= {target.asked, *(endpoint for endpoint, _, _ in target.controls)}
        return not self.fleet.gone.isdisjoint(needed)

    def _request(self, probe: Probe, target: _Target) -> dict[str, Any]:
        request: dict[str, Any] = {"protocol": probe.protocol, "host": target.host, "port": target.port}
        if probe.kind == "lookup":
            return request | {"kind": "lookup", "name": LOOKUP_NAME}
        if probe.family == 6:
            request["family"] = 6
        if probe.kind == "held":
            request |= {"kind": "held", "key": self.key}
        if probe.kind in ("tls", "admission"):
            request |= {"kind": probe.kind}
        elif target.asked:
            request |= {"kind": "first", "index": target.index}
        return request | {"expect": list(target.expect)}

    def _put_control(self, control: Control, put: Any) -> None:
        """A server answers a local probe of its own agent; the cluster's DNS, which has none, answers a node."""
        endpoint, protocol, port = control
        request: dict[str, Any] = {"protocol": protocol, "port": port}
        if endpoint == DNS_SERVICE.id:
            witness = next((node.id for node in self.topology.nodes), None)
            if witness is None:
                return
            host = self.placement.address(endpoint)
            put(witness, control, request | {"host": host, "kind": "lookup", "name": LOOKUP_NAME})
        elif protocol == "TLS":
            known = {"protocol": "TCP", "kind": "tls", "expect": [self.placement.api_certificate]}
            put(endpoint, control, request | known | {"host": self.placement.address(endpoint)})
        else:
            put(
                endpoint,
                control,
                request | {"host": self.placement.address(endpoint), "expect": [self._name(endpoint)]},
            )

    def _read(
        self, asked: Mapping[str, Sequence[Probe | Control]], answers: Mapping[str, list[Answer] | Lost]
    ) -> tuple[dict[Probe, Reading], dict[Control, str]]:
        """Raw readings, and for every control why it did not hold ('' when it held)."""
        readings: dict[Probe, Reading] = {}
        held: dict[Control, str] = {}
        for source, questions in asked.items():
            answer = answers[source]
            for index, question in enumerate(questions):
                if isinstance(question, Probe):
                    readings[question] = _lost(answer) if isinstance(answer, Lost) else _reading(answer[index])
                elif isinstance(answer, Lost):
                    held[question] = answer.reason
                elif answer[index]["outcome"] != Outcome.CONNECTED:
                    held[question] = f"{answer[index]['outcome']} ({answer[index].get('detail', '')})"
                else:
                    held[question] = ""
        return readings, held

    def _weigh(self, probe: Probe, reading: Reading, held: Mapping[Control, str], *, baseline: bool) -> Reading:
        """A denial counts only when the server was there and the pair connected before the policies."""
        target = self._targets[probe]
        if isinstance(target, _Target) and target.asked:
            # No command repeats a new pod's first attempts, nor what the API server does.
            reading = replace(reading, host="")
        if reading.outcome in (Outcome.CONNECTED, Outcome.ERROR):
            return reading
        assert isinstance(target, _Target)
        failed = [
            f"{control[0]}: {held.get(control, 'no witness')}" for control in target.controls if held.get(control, "?")
        ]
        outcome = reading.outcome
        if outcome is Outcome.REFUSED and not failed:
            outcome = Outcome.REJECTED
        if failed:
            doubt = f"the server's own control probe failed: {'; '.join(failed)}"
        elif not baseline and probe not in self.connected_before:
            doubt = "this pair did not connect before the policies were applied either"
        elif outcome not in DENIALS and outcome is not Outcome.NAME_FAILED:
            doubt = "nobody listens there"
        elif outcome is Outcome.NAME_FAILED and UNANSWERED not in reading.detail:
            doubt = "the cluster's DNS answered"
        else:
            return replace(reading, measured=Measured.DENIED, outcome=outcome)
        detail = f"{reading.outcome}, {reading.detail}; {doubt}" if reading.detail else f"{reading.outcome}; {doubt}"
        return replace(reading, measured=Measured.UNMEASURED, outcome=outcome, detail=detail)

    def _target(self, probe: Probe) -> _Target | str:
        """Where to send a probe, or why it cannot be sent."""
        if probe not in self._targets:
            find = {"tls": self._api_server, "admission": self._called}.get(probe.kind, self._find_target)
            self._targets[probe] = find(probe)
        return self._targets[probe]

    def _api_server(self, probe: Probe) -> _Target | str:
        host = self.placement.address(probe.destination, probe.family)
        known = self.placement.api_certificate
        if host is None or not known or probe.destination != self.placement.api_server:
            return f"no API server is known on {probe.destination}"
        itself: Control = (probe.destination, "TLS", probe.port)
        return _Target(host=host, port=probe.port, expect=(known,), controls=(itself,))

    def _called(self, probe: Probe) -> _Target | str:
        if probe.source != self.placement.api_server:
            return f"the API server does not run on {probe.source}"
        target = self._find_target(probe)
        return target if isinstance(target, str) else replace(target, asked=API_SERVER)

    def _find_target(self, probe: Probe) -> _Target | str:
        destination, placement = probe.destination, self.placement
        if not destination.startswith("svc:"):
            named = probe.via == "name"
            host = placement.hostnames.get(destination) if named else placement.address(destination, probe.family)
            if host is None:
                return f"{destination} has no {'name' if named else f'IPv{probe.family} address'} here"
            own: tuple[Control, ...] = ((destination, probe.protocol, probe.port),)
            dialled = _Target(host=host, port=probe.port, expect=(self._name(destination),), controls=own)
            return self._remembered(probe, dialled) if probe.kind == "first" else dialled
        service = self.topology.service(destination)
        if service is None:
            return f"{destination} is not deployed"
        port = next((p for p in service.ports if (p.port, p.protocol) == (probe.port, probe.protocol)), None)
        if port is None:
            return f"{destination} has no port {probe.port}/{probe.protocol}"
        if service == DNS_SERVICE:
            backends: tuple[Pod, ...] = ()
            controls: tuple[Control, ...] = ((destination, probe.protocol, probe.port),)
        else:
            backends = self.topology.backends(service)
            controls = tuple(
                (pod.id, probe.protocol, number)
                for pod in backends
                if (number := pod.port_number(port.target, probe.protocol)) is not None
            )
        expect = tuple(self._name(pod.id) for pod in backends)
        match probe.via:
            case "name":
                # Who cannot look the name up is denied only while others can.
                controls += ((DNS_SERVICE.id, "UDP", DNS_SERVICE.ports[0].port),) if self.topology.nodes else ()
                namespace = placement.namespaces.get(service.namespace, service.namespace)
                host, number = f"{service.name}.{namespace}.svc.cluster.local", probe.port
            case "nodeport":
                node = placement.node_of.get(backends[0].id, "") if backends else ""
                host = placement.address(node, probe.family) or ""
                number = placement.node_ports.get((destination, probe.port, probe.protocol), 0)
            case _:
                host, number = placement.address(destination, probe.family) or "", probe.port
        if not host or not number:
            return f"{destination} has no address for via {probe.via} here"
        return _Target(host=host, port=number, expect=expect, controls=controls)

    def _remembered(self, probe: Probe, dialled: _Target) -> _Target | str:
        """Where the new pod tells what it remembers of this. Without one, as for the baseline, the pair is dialled."""
        news = False
        for endpoint, other, port, back in (
            (probe.source, probe.destination, probe.port, 0),
            (probe.destination, probe.source, 0, probe.port),
        ):
            pod, host = self.topology.pod(endpoint), self.placement.address(other)
            for index, one in enumerate(pod.first if pod else ()):
                news = True
                if pod and (one.host, one.back) == (host, back) and port in (0, one.port):
                    own = next((p.port for p in pod.ports if p.protocol == "TCP"), 0)
                    expect = (self._name(endpoint),)
                    return replace(dialled, host=LOOPBACK, port=own, expect=expect, asked=endpoint, index=index)
        return "the new pod was not told to try this" if news else dialled

    def _name(self, endpoint: str) -> str:
        return self.placement.server_names.get(endpoint, endpoint)


def _lost(lost: Lost) -> Reading:
    return Reading(measured=Measured.UNMEASURED, outcome=Outcome.ERROR, detail=lost.reason)


def _reading(answer: Answer) -> Reading:
    outcome = Outcome(answer["outcome"])
    measured = Measured.CONNECTED if outcome is Outcome.CONNECTED else Measured.UNMEASURED
    detail = answer.get("detail", "") or (f"DNS code {answer['rcode']}" if answer.get("rcode") else "")
    return Reading(
        measured=measured,
        outcome=outcome,
        ms=answer.get("ms"),
        detail=detail,
        host=answer.get("host", ""),
        seen_source=answer.get("peer", ""),
    )


PATIENCE = 20
"""So many times as long as connecting takes, silence must last to count as dropped."""


def adaptive_timeout(connect_ms: Iterable[float], floor: float, ceiling: float) -> float:
    """Seconds of silence that count as dropped: p99 of the baseline's connect times x `PATIENCE`, within bounds."""
    times = sorted(connect_ms)
    if not times:
        return ceiling
    p99 = quantiles(times, n=100, method="inclusive")[98] if len(times) > 1 else times[0]
    return min(max(p99 * PATIENCE / 1000, floor), ceiling)
