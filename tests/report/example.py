"""A record as a real run of the Berserk chart on two CNIs would leave it, written by a toy network. For tests and for
looking at the page: `python -m tests.report.example DIR` writes the report there."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netproof.model import Intent, Measured, Outcome, Specified, judge
from netproof.model.verdict import WRONG
from netproof.report.record import (
    AppliedFile,
    Cell,
    EnvironmentRecord,
    Phase,
    PreflightCheck,
    Record,
    RecordedAttempt,
    RecordedSide,
    Reviewed,
    Run,
    ScenarioResult,
    StepResult,
    Target,
)

PORTS = {"meta": 9500, "query": 9510, "ingest": 4317, "janitor": 9530, "ui": 8080, "nursery": 9540}
INGRESS = {
    "meta": ["query", "ingest", "janitor", "ui", "nursery"],
    "query": ["ui", "janitor"],
    "ingest": [],
    "janitor": [],
    "ui": [],
    "nursery": [],
}
EXTERNAL_INGRESS = {"query", "ingest", "ui"}
SCENARIOS = {
    "berserk-enabled": (True, True),
    "berserk-ingress-side": (True, False),
    "berserk-egress-side": (False, True),
    "berserk-disabled": (False, False),
}
CLAIMS = {
    "berserk-enabled": "Only known communication paths are allowed, in both directions.",
    "berserk-ingress-side": "Without its egress rules, the ingress rules alone keep unknown callers out.",
    "berserk-egress-side": "Without its ingress rules, the egress rules alone keep services from calling out.",
    "berserk-disabled": "Network policies are disabled by default: everything reaches everything.",
}
DOCS = "Berserk Docs, Network Policies"
EVERYWHERE = "documented-egress-everywhere"
EXTERNAL = "documented-allow-external"
NOT_PODS = "cilium-cidr-excludes-pods"
GONE = "cilium-nodeport-snat"

Pair = tuple[str, str, int, str, str, str]  # source, destination, port, protocol, via, kind


@dataclass(frozen=True)
class Meaning:
    intended: bool
    specified: bool | None
    because: str
    egress: RecordedSide
    ingress: RecordedSide


def pairs() -> Iterator[Pair]:
    pods = [f"berserk/{name}" for name in PORTS]
    bystanders = ["berserk/stranger", "berserk-neighbour/neighbour"]
    for source in [*pods, *bystanders]:
        for name, port in PORTS.items():
            if source != f"berserk/{name}":
                for number in (port, 9090):
                    yield source, f"berserk/{name}", number, "TCP", "pod", "echo"
                yield source, f"svc:berserk/{name}", port, "TCP", "service", "echo"
        for peer in bystanders:
            if source != peer:
                yield source, peer, 443, "TCP", "pod", "echo"
        for peer, port in (("s3", 443), ("postgresql", 5432), ("outsider", 8443)):
            yield source, f"external:{peer}", port, "TCP", "address", "echo"
        for protocol in ("UDP", "TCP"):
            yield source, "svc:kube-system/kube-dns", 53, protocol, "service", "lookup"
    for source, name in (
        ("telemetry", "ingest"),
        ("ingress-controller", "ui"),
        ("outsider", "ui"),
        ("outsider", "query"),
    ):
        yield f"external:{source}", f"svc:berserk/{name}", PORTS[name], "TCP", "nodeport", "echo"
    for node in ("node:0", "node:1"):
        for name, port in PORTS.items():
            yield node, f"berserk/{name}", port, "TCP", "pod", "echo"


def meaning(pair: Pair, ingress_on: bool, egress_on: bool) -> Meaning:
    """The chart's service map and its rendered policies, worked out by hand."""
    source, destination, port, _, _, kind = pair
    short, target = source.split("/")[-1], destination.split("/")[-1]
    ours, theirs = source in {f"berserk/{n}" for n in PORTS}, "berserk/" in destination and target in PORTS
    meant_out, allowed_out, rule_out = True, True, ""
    if ours and egress_on:
        known = short in INGRESS.get(target, []) and port == PORTS.get(target)
        s3 = destination == "external:s3"
        database = destination == "external:postgresql" and short == "meta"
        meant_out = known or s3 or database or kind == "lookup"
        anywhere = port in (443, 5432)
        allowed_out = meant_out or anywhere
        rule_out = "" if not allowed_out else f"berserk/{short} egress[{0 if known else 1 if kind == 'lookup' else 2}]"
    meant_in, allowed_in, rule_in = True, True, ""
    if theirs and ingress_on:
        listed = short in INGRESS[target] and ours and port == PORTS[target]
        meant_in = listed or (source.startswith("external:") and target in EXTERNAL_INGRESS)
        allowed_in = listed or target in EXTERNAL_INGRESS
        rule_in = "" if not allowed_in else f"berserk/{target} ingress[{0 if listed else 1}]"
    egress = RecordedSide(
        isolated=ours and egress_on,
        isolating=[f"berserk/{short}"] if ours and egress_on else [],
        allowed=allowed_out,
        rule=rule_out,
    )
    ingress = RecordedSide(
        isolated=theirs and ingress_on,
        isolating=[f"berserk/{target}"] if theirs and ingress_on else [],
        allowed=allowed_in,
        rule=rule_in,
    )
    if not (egress.isolated or ingress.isolated):
        because = "No policy isolates either end, so all traffic is allowed."
    elif allowed_out and allowed_in:
        because = "; ".join(
            f"{rule} allows {what}"
            for rule, what in (
                (rule_out, f"egress to port {port}" + (" of 0.0.0.0/0" if rule_out.endswith("[2]") else "")),
                (rule_in, f"port {port} from " + ("anywhere" if rule_in.endswith("[1]") else f"app={short}")),
            )
            if rule
        )
    elif not allowed_out:
        because = f"berserk/{short} isolates egress and none of its 3 rules allows {target}:{port}."
    else:
        because = f"berserk/{target} isolates ingress and none of its rules allows {short} on port {port}."
    specified: bool | None = allowed_out and allowed_in
    if source == "node:0" and ingress.isolated:
        specified = None
        because = "Traffic from a pod's own node is not covered by the API's text."
    return Meaning(
        intended=meant_out and meant_in, specified=specified, because=because, egress=egress, ingress=ingress
    )


def target_of(destination: str) -> str:
    return destination.rsplit("/", maxsplit=1)[-1]


def wire(cni: str, scenario: str, pair: Pair, what: Meaning) -> tuple[Measured, list[str], str]:
    """What the toy CNI does with a cell: the measurement, the entries that declare it, and a note."""
    source, destination, port, _, _, _ = pair
    if cni == "calico" and scenario == "berserk-enabled" and source == "berserk/nursery" and port == 5432:
        return (
            Measured.UNMEASURED,
            [],
            "The stream to berserk/nursery ended during round 7 (pod evicted: node is low on memory).",
        )
    let = what.specified if what.specified is not None else True
    declared: list[str] = []
    to_pods = destination in ("berserk/stranger", "berserk-neighbour/neighbour")
    if what.specified and not what.intended:
        if to_pods or destination.startswith("external:"):
            declared.append(EVERYWHERE)
        elif not (target_of(destination) == "ui" and port == 9090 and scenario == "berserk-enabled"):
            declared.append(EXTERNAL)
    if cni == "cilium":
        if to_pods and what.egress.isolated and what.egress.rule.endswith("[2]"):
            let, declared = False, [*declared, NOT_PODS]
        if source == "node:1" and destination == "berserk/meta" and scenario == "berserk-enabled":
            let = True
    return (Measured.CONNECTED if let else Measured.DENIED), declared, ""


def cell(cni: str, scenario: str, pair: Pair, rng: random.Random, place: dict[str, str]) -> Cell:
    source, destination, port, protocol, via, kind = pair
    what = meaning(pair, *SCENARIOS[scenario])
    measured, declared, note = wire(cni, scenario, pair, what)
    intended = Intent.CONNECTED if what.intended else Intent.DENIED
    specified = {True: Specified.CONNECTED, False: Specified.DENIED, None: Specified.UNSPECIFIED}[what.specified]
    verdict = judge(intended, specified, measured)
    slow = 0.31 if cni == "calico" else 1.12
    rounds = 3 + rng.randrange(2)
    ms = round(rng.uniform(0.2, 1.9), 2)
    if measured is Measured.UNMEASURED:
        outcome = Outcome.ERROR
        attempts = [RecordedAttempt(at_s=0.05, outcome=Outcome.ERROR, count=1, detail="stream ended")]
    elif measured is Measured.CONNECTED:
        outcome = Outcome.CONNECTED
        attempts = [RecordedAttempt(at_s=0.05, outcome=outcome, count=rounds + 2, ms=ms)]
    else:
        outcome = Outcome.DROPPED
        attempts = [
            RecordedAttempt(at_s=0.05, outcome=Outcome.CONNECTED, count=1 if cni == "calico" else 4, ms=ms),
            RecordedAttempt(at_s=slow, outcome=outcome, count=rounds, ms=250.4),
        ]
    host = place.setdefault(destination, f"10.244.{len(place) % 2}.{len(place) + 4}")
    port_dialled = 30080 if via == "nodeport" else port
    context = f"kind-netproof-{cni}"
    where = source.split("/")
    probe = f"python3 /agent.py dial {host} {port_dialled} {protocol}"
    command = (
        f"kubectl --context {context} -n {where[0]} exec {where[1]} -- {probe}"
        if len(where) == 2
        else f"docker exec netproof-{source.replace(':', '-')} {probe}"
    )
    return Cell(
        scenario=scenario,
        step="policies applied",
        source=source,
        destination=destination,
        via=via,  # type: ignore[arg-type]
        protocol=protocol,  # type: ignore[arg-type]
        port=port,
        family=4,
        kind=kind,  # type: ignore[arg-type]
        intended=intended,
        specified=specified,
        measured=measured,
        outcome=outcome,
        verdict=verdict,
        accepted=verdict not in WRONG or bool(declared),
        because=what.because,
        egress=what.egress,
        ingress=what.ingress,
        attempts=attempts,
        settled_after_s=None if measured is Measured.UNMEASURED else attempts[-1].at_s,
        host=host,
        seen_source=place.setdefault(source, f"10.244.{len(place) % 2}.{len(place) + 4}")
        if measured is Measured.CONNECTED
        else "",
        note=note,
        reproduce=command,
        reviewed=declared if verdict in WRONG else [],
    )


def manifests(scenario: str) -> str:
    ingress_on, egress_on = SCENARIOS[scenario]
    documents = []
    for service in PORTS if ingress_on or egress_on else ():
        kinds = [word for word, on in (("Ingress", ingress_on), ("Egress", egress_on)) if on]
        peers = INGRESS[service]
        text = (
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
            f"metadata:\n  name: {service}\n  namespace: berserk\n"
            f"spec:\n  podSelector:\n    matchLabels:\n      app: {service}\n  policyTypes: [{', '.join(kinds)}]\n"
        )
        if ingress_on and peers:
            text += "  ingress:\n    - from:\n"
            text += "".join(f"        - podSelector: {{matchLabels: {{app: {peer}}}}}\n" for peer in peers)
            text += f"      ports: [{{port: {PORTS[service]}, protocol: TCP}}]\n"
        if egress_on:
            text += "  egress:\n    - ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]\n"
            text += "    - to: [{ipBlock: {cidr: 0.0.0.0/0}}]\n      ports: [{port: 443}, {port: 5432}]\n"
        documents.append(text)
    return "---\n".join(documents)


def target(cni: str, title: str, version: str, seed: int = 7) -> Target:
    rng = random.Random(f"{cni}{seed}")
    place: dict[str, str] = {}
    cells = [cell(cni, scenario, pair, rng, place) for scenario in SCENARIOS for pair in pairs()]
    cilium = cni == "cilium"
    counted = {name: sum(name in c.reviewed for c in cells) for name in (EVERYWHERE, EXTERNAL, NOT_PODS)}
    reviewed = [
        Reviewed(
            id=EVERYWHERE,
            kind="documented",
            scenario="berserk-enabled",
            sentence="By default, HTTPS (443) and PostgreSQL (5432) are open to all IPs. Tighten these for production.",
            reason="The default externalEgress is 0.0.0.0/0, which by the API's text covers every pod too.",
            link="https://docs.bzrk.dev/network-policies#external-egress",
            cells=counted[EVERYWHERE],
            file="scenarios/berserk/documented.yaml",
        ),
        Reviewed(
            id=EXTERNAL,
            kind="documented",
            scenario="berserk-enabled",
            sentence="allowExternal: Allow ingress from any source on service ports",
            reason="The chart cannot tell the ingress controller from any other pod, so every pod may call it.",
            link="https://docs.bzrk.dev/network-policies#per-service-configuration",
            cells=counted[EXTERNAL],
            file="scenarios/berserk/documented.yaml",
        ),
    ]
    if cilium:
        reviewed += [
            Reviewed(
                id=NOT_PODS,
                kind="known-difference",
                scenario="berserk-enabled",
                sentence="ipBlock 0.0.0.0/0 does not cover pods on Cilium",
                reason="Cilium gives every pod an identity, and CIDR rules never match an endpoint that has one.",
                link="https://docs.cilium.io/en/stable/network/kubernetes/policy/#known-missing-features",
                cells=counted[NOT_PODS],
                file="clusters/cilium/known-differences.yaml",
            ),
            Reviewed(
                id=GONE,
                kind="known-difference",
                scenario="berserk-ingress-side",
                sentence="Node ports hide the client's address",
                reason="With externalTrafficPolicy: Cluster the server sees the node.",
                link="https://docs.cilium.io/en/stable/network/kubernetes/kubeproxy-free/",
                cells=1,
                stale=["external:outsider → berserk/query:9510/TCP by node port"],
                file="clusters/cilium/known-differences.yaml",
            ),
        ]
    scenarios = []
    for index, scenario in enumerate(SCENARIOS):
        mine = [c for c in cells if c.scenario == scenario]
        stale = any(entry.stale and entry.scenario == scenario for entry in reviewed)
        bad = sum(not c.accepted for c in mine)
        settle = (0.31 if not cilium else 1.12) + 0.07 * index
        scenarios.append(
            ScenarioResult(
                id=scenario,
                claim=CLAIMS[scenario],
                source=DOCS,
                result="failed" if bad or stale else "passed",
                reason=f"{bad} cells differ" if bad else "a declared difference is gone" if stale else "",
                duration_s=round(3.1 + rng.random() * 2, 2),
                steps=[
                    StepResult(
                        name="policies applied",
                        rounds=7 + index,
                        first_correct_s=None if bad and cilium else settle,
                        settled_after_s=settle,
                        flaps=2 if cilium and index == 0 else 0,
                        round_s=0.27,
                        timeout_s=0.25,
                    )
                ],
                manifests=manifests(scenario),
                values=f"global:\n  networkPolicy:\n    enabled: {str(index != 3).lower()}\n",
                warnings=["OTLP is enabled with a non-default endpoint but no otlpEgress rules are configured."]
                if index == 0
                else [],
                reproduce=f"pytest 'scenarios/berserk::{scenario}' --cni {cni} --reuse-cluster netproof-{cni} --seed 7",
            )
        )
    scenarios.append(
        ScenarioResult(
            id="stageset-sctp",
            claim="SCTP ports can be allowed one by one.",
            source="NetworkPolicy API, ports[].protocol",
            result="skipped",
            reason="SCTP: the kernel has no sctp module",
            duration_s=0.0,
        )
    )
    phases = [
        ("create cluster", 21.4),
        ("load images", 6.2),
        ("install CNI", 38.0 if cilium else 24.1),
        ("wait for nodes", 9.3),
    ]
    phases += [
        ("deploy probes", 5.2),
        ("baseline", 1.1),
        ("pre-flight", 4.4),
        ("scenarios", 19.8),
        ("remove cluster", 2.2),
    ]
    started, timed = 0.0, []
    for name, duration in phases:
        timed.append(Phase(name=name, started_s=round(started, 1), duration_s=duration))
        started += duration
    return Target(
        cni=cni,
        title=title,
        environment=EnvironmentRecord(
            driver="kind",
            cni=cni,
            cni_version=version,
            kernel="6.1.0-28-amd64",
            nodes=["netproof-control-plane", "netproof-worker"],
            families=[4],
            kubernetes="v1.34.2",
            cluster=f"netproof-{cni}",
            engine="docker 28.3.1",
            state="created",
            applied=[
                AppliedFile(
                    name="cilium.yaml" if cilium else "calico.yaml",
                    source=f"https://example.org/{cni}/{version}/install.yaml",
                    sha256="9f2c" + "0123456789abcdef" * 3 + "0123456789ab",
                )
            ],
            images=["python:3.11-slim-bookworm", f"quay.io/{cni}/{'cilium' if cilium else 'node'}:v{version}"],
            facts={"kube-proxy": "replaced" if cilium else "iptables", "dataplane": "eBPF" if cilium else "iptables"},
        ),
        capabilities={"SCTP": "no: the kernel has no sctp module", "IPv6": "no: the cluster is IPv4", "nodes": "2"},
        preflight=[
            PreflightCheck(name=f"{direction} {word} {protocol}", expected=value, measured=value, after_s=0.4 + 0.1 * n)
            for n, (direction, protocol) in enumerate((d, p) for d in ("ingress", "egress") for p in ("TCP", "UDP"))
            for word, value in (("deny", Measured.DENIED), ("allow", Measured.CONNECTED))
        ],
        phases=timed,
        scenarios=scenarios,
        cells=cells,
        reviewed=reviewed,
    )


def example(*cnis: str) -> Record:
    """The record of a run on the named CNIs (default: calico and cilium)."""
    known = {"calico": ("Calico", "3.28.5"), "cilium": ("Cilium", "1.17.2")}
    chosen = cnis or tuple(known)
    return Record(
        run=Run(
            netproof="0.1.0",
            command=f"pytest --cni {','.join(chosen)} scenarios/berserk --seed 7",
            seed=7,
            started_at="2026-11-21T03:12:44Z",
            duration_s=252.7,
            interrupted=False,
            exit_code=1,
        ),
        targets=[target(cni, *known[cni]) for cni in chosen],
    )


def edited(record: Record, **changes: Any) -> Record:
    """A copy of the record with fields of its first target changed."""
    first = record.targets[0].model_copy(update=changes)
    return record.model_copy(update={"targets": [first, *record.targets[1:]]})


if __name__ == "__main__":
    from netproof.report.writer import write_report

    print(write_report(example(), Path(sys.argv[1])))
