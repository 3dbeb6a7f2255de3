"""`netproof doctor --context`: what it says of a cluster, here one that is made of lists."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from netproof.commands.main import main
from netproof.doctor import DiagnosisState, live
from netproof.doctor.diagnosis import Diagnosis, ok
from netproof.doctor.live import canary, cni, denials, policies
from netproof.drivers import programs
from netproof.drivers.kubernetes import streams
from netproof.errors import ClusterError
from netproof.model import Measured
from netproof.probing import Settled
from netproof.report.record import PreflightCheck
from netproof.run import preflight

NODE = {
    "metadata": {"name": "one-worker"},
    "spec": {"podCIDRs": ["10.244.0.0/24"]},
    "status": {
        "conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": "172.18.0.2"}],
    },
}


class Lists:
    """Answers as `objects.Api` does, from lists by path and objects by name."""

    def __init__(self, objects: str = "", **configmaps: Mapping[str, str]) -> None:
        self.configuration = SimpleNamespace()
        self.objects = [one for one in yaml.safe_load_all(objects) if one]
        self.configmaps = configmaps

    def version(self) -> str:
        return "v1.36.3"

    def kinds(self, group_version: str) -> Sequence[tuple[str, str, bool]]:
        found = {one["kind"] for one in self.objects if one["apiVersion"] == group_version}
        return [(kind, kind.lower() + "s", True) for kind in sorted(found)]

    def list(self, path: str, **query: str) -> list[dict[str, Any]]:
        plural = path.rpartition("/")[2]
        return [
            {key: value for key, value in one.items() if key not in ("apiVersion", "kind")}
            for one in self.objects
            if one["kind"].lower() + "s" == plural
        ]

    def get(self, ref: Any) -> dict[str, Any] | None:
        data = self.configmaps.get(ref.name.replace("-", "_"))
        return None if data is None else {"data": data}


def daemonset(name: str, image: str, *containers: Mapping[str, Any], ready: int = 2) -> str:
    spec = {
        "selector": {"matchLabels": {"app": name}},
        "template": {"spec": {"containers": [{"name": name, "image": image}, *containers]}},
    }
    return yaml.safe_dump(
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": name, "namespace": "kube-system"},
            "spec": spec,
            "status": {"numberReady": ready, "desiredNumberScheduled": 2},
        }
    )


SHOP = """
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {kubernetes.io/metadata.name: shop}}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: web, labels: {app: web}}, spec: {containers: []}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: db, labels: {app: db}}, spec: {containers: []}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: job, labels: {app: dd}}, spec: {containers: []},
 status: {phase: Succeeded}}
"""


def policy(name: str, spec: str, kind: str = "networking.k8s.io/v1 NetworkPolicy") -> str:
    version, _, word = kind.partition(" ")
    return (
        f"\n---\n{{apiVersion: {version}, kind: {word}, metadata: {{namespace: shop, name: {name}}}, spec: {spec}}}\n"
    )


TO_DB = "{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}"


TYPO = policy("typo", "{podSelector: {matchLabels: {app: bd}}}")


def described(api: Any) -> dict[str, Diagnosis]:
    nodes = [NODE]
    found = cni.detect(api)
    live = policies.read(api, nodes, [])
    return {finding.what: finding for finding in cni.describe(api, nodes, found, live.counted)}


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: Any, **__: Any) -> None:
        raise ClusterError("no engine here")

    monkeypatch.setattr(programs, "run", absent)


def test_a_cni_that_enforces_is_named_with_its_version() -> None:
    shown = described(Lists(daemonset("calico-node", "quay.io/calico/node:v3.28.5@sha256:12")))
    assert shown["Calico"].state is DiagnosisState.OK
    assert shown["Calico"].found == "v3.28.5; DaemonSet kube-system/calico-node, 2 of 2 ready"
    assert "networking.k8s.io/v1" in shown["enforces"].found


def test_one_that_is_not_ready_everywhere_is_a_warning() -> None:
    shown = described(Lists(daemonset("calico-node", "calico/node:v3", ready=1)))
    assert (shown["Calico"].state, "1 of 2 ready" in shown["Calico"].found) == (DiagnosisState.WARN, True)


@pytest.mark.parametrize(
    ("name", "container", "configmaps", "idle"),
    [
        ("kube-flannel-ds", None, {}, "it enforces nothing without container kube-network-policies"),
        ("kube-flannel-ds", {"name": "kube-network-policies"}, {}, ""),
        (
            "aws-node",
            {"name": "aws-eks-nodeagent", "args": ["--enable-network-policy=false"]},
            {},
            "it enforces nothing without container aws-eks-nodeagent --enable-network-policy=true",
        ),
        ("aws-node", {"name": "aws-eks-nodeagent", "args": ["--enable-network-policy=true"]}, {}, ""),
        (
            "cilium",
            None,
            {"cilium_config": {"enable-policy": "never"}},
            "enable-policy=never in the ConfigMap cilium-config switches enforcement off",
        ),
        ("cilium", None, {"cilium_config": {"enable-policy": "default"}}, ""),
        (
            "kube-router",
            {"name": "x", "args": ["--run-firewall=false"]},
            {},
            "--run-firewall=false switches enforcement off",
        ),
    ],
)
def test_settings_decide_whether_it_enforces(
    name: str, container: Mapping[str, Any] | None, configmaps: Mapping[str, Any], idle: str
) -> None:
    api = Lists(daemonset(name, "image:v1", *([container] if container else [])), **configmaps)
    (found,) = cni.detect(api)  # type: ignore[arg-type]
    assert found.idle == idle
    assert bool(found.dialects) is not bool(idle)


def test_policies_that_nobody_enforces_are_the_trap() -> None:
    api = Lists(SHOP + policy("a", TO_DB) + "---\n" + daemonset("kube-flannel-ds", "flannel:v0.28.9"))
    shown = described(api)
    assert shown["networking.k8s.io/v1"].state is DiagnosisState.WARN
    assert shown["networking.k8s.io/v1"].found.startswith("1 policy, which nothing here enforces")
    assert "enforces" not in shown


def test_a_switch_adds_a_dialect() -> None:
    on = Lists(daemonset("cilium", "cilium:v1"), cilium_config={"enable-k8s-cluster-network-policy": "true"})
    (found,) = cni.detect(on)  # type: ignore[arg-type]
    assert "policy.networking.k8s.io/v1alpha2" in found.dialects


def test_no_known_cni_is_said() -> None:
    shown = described(Lists(daemonset("something", "else:v1")))
    assert shown["CNI"].state is DiagnosisState.WARN
    assert "Cilium" in shown["CNI"].found


def test_what_the_runtime_calls_is_read_from_a_node_that_is_a_container_here(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "inspect": "one 172.18.0.2 \n",
        "ls": "10-calico.conflist\n05-old.conflist\n",
        "cat": '{"plugins": [{"type": "calico"}, {"type": "portmap"}]}',
    }

    def run(command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        word = next(word for word in answers if word in command)
        return subprocess.CompletedProcess(command, 0, answers[word], "")

    monkeypatch.setattr(programs, "run", run)
    what = "/etc/cni/net.d on one-worker"
    assert described(Lists())[what].found == "05-old.conflist (calico, portmap); not used: 10-calico.conflist"
    answers["inspect"] = "other 172.18.0.9 \n"
    assert what not in described(Lists())


def selected(objects: str) -> list[Diagnosis]:
    return list(policies.selected(policies.read(Lists(objects), [NODE], [])))  # type: ignore[arg-type]


def test_a_typo_in_a_selector_names_the_nearest_label() -> None:
    (finding,) = selected(SHOP + TYPO)
    assert finding.what == "NetworkPolicy shop/typo spec.podSelector"
    assert "(selector-matches-nothing)" in finding.found
    assert "app=db" in finding.found


def test_a_pod_that_has_ended_is_nobodys() -> None:
    (finding,) = selected(SHOP + policy("of-a-job", "{podSelector: {matchLabels: {app: dd}}}"))
    assert "(selector-matches-nothing)" in finding.found


def test_what_selects_somebody_is_not_warned_of() -> None:
    (finding,) = selected(SHOP + policy("fine", TO_DB))
    assert (finding.state, finding.found) == (DiagnosisState.OK, "1 policy selects what is there")


def test_a_policy_that_cannot_be_read_leaves_the_others() -> None:
    layer7 = "{endpointSelector: {}, ingress: [{toPorts: [{rules: {http: [{}]}}]}]}"
    first, second = selected(SHOP + policy("l7", layer7, "cilium.io/v2 CiliumNetworkPolicy") + TYPO)
    assert first.what == "CiliumNetworkPolicy shop/l7"
    assert "cannot be judged here" in first.found
    assert "(selector-matches-nothing)" in second.found


def overlapping(objects: str) -> dict[str, Diagnosis]:
    live = policies.read(Lists(objects), [NODE], [])  # type: ignore[arg-type]
    return {finding.what: finding for finding in policies.overlapping(live)}


def test_policies_that_meet_on_a_pod_are_named() -> None:
    shown = overlapping(SHOP + policy("a", TO_DB) + policy("deny", "{podSelector: {}, policyTypes: [Ingress, Egress]}"))
    assert shown["ingress of shop/db"].state is DiagnosisState.OK
    assert shown["ingress of shop/db"].found.startswith(
        "NetworkPolicy shop/a, NetworkPolicy shop/deny: what any of them allows"
    )
    assert not any(what.startswith("egress of") for what in shown)
    assert shown["not isolated in ingress"].found == "no pod"


def test_policies_with_an_order_are_a_warning() -> None:
    calico = "{selector: all(), types: [Ingress], ingress: [{action: Deny}]}"
    shown = overlapping(SHOP + policy("a", TO_DB) + policy("deny", calico, "projectcalico.org/v3 NetworkPolicy"))
    assert shown["ingress of shop/db"].state is DiagnosisState.WARN
    assert "order" in shown["ingress of shop/db"].found


def test_who_is_isolated_by_nothing_is_counted_by_namespace() -> None:
    shown = overlapping(SHOP + policy("a", TO_DB))
    assert shown["not isolated in ingress"].found == "1 pod: shop 1"
    assert shown["not isolated in egress"].found == "2 pods: shop 2"


WEB = "551b05c3e54"  # printf shop.web | sha1sum

DROP = '-m comment --comment "cali:x" -m comment --comment "Drop if no policies passed packet" -j DROP'
COUNTERS = f"""
[0:0] -A cali-tw-cali86b2d9e1ab5 {DROP}
[7:420] -A cali-tw-cali{WEB} {DROP}
[9:540] -A cali-tw-cali{WEB} -j ACCEPT
"""


def test_calicos_counters_are_told_by_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = (
        "{apiVersion: v1, kind: Pod, metadata: {namespace: kube-system, name: calico-node-x}, spec: {nodeName: one}}"
    )
    api = Lists(SHOP + "---\n" + agent + "\n---\n" + daemonset("calico-node", "calico/node:v3"))
    api.objects = [one for one in api.objects if one["metadata"]["name"] not in ("db", "job")]
    commands = []

    def output(configuration: Any, namespace: str, pod: str, container: str, command: Sequence[str]) -> str:
        commands.append((pod, container, command[0]))
        return COUNTERS

    monkeypatch.setattr(streams, "output", output)
    (found,) = cni.detect(api)  # type: ignore[arg-type]
    shown = {finding.what: finding for finding in denials.denials(api, found)}  # type: ignore[arg-type]
    lines = shown["denied on one"].found.splitlines()
    assert lines[0] == "`iptables-save -c -t filter` says:"
    assert lines[1].startswith("shop/web: [7:420] -A cali-tw-cali")
    assert len(lines) == 2
    assert ("calico-node-x", "calico-node", "iptables-save") in commands


def test_options_that_need_a_cluster_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--canary"]) == 12
    assert "--context" in capsys.readouterr().err


def test_a_kubeconfig_that_is_not_there_is_a_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    assert main(["doctor", "--kubeconfig", str(tmp_path / "none")]) == 12
    assert "--kubeconfig: Invalid kube-config file" in capsys.readouterr().err


def cilium(tag: str) -> str:
    return daemonset("cilium", "-", {"name": "cilium-agent", "image": f"quay.io/cilium/cilium:{tag}"})


def test_what_is_known_of_a_cni_is_of_its_version_and_of_all_that_enforces() -> None:
    """Here one is there for the network and the other for policies."""
    both = daemonset("aws-node", "cni:v1.19.0") + "---\n" + cilium("v1.20.2@sha256:1")
    (profile,) = live._profiles(cni.detect(Lists(both)))  # type: ignore[arg-type]
    assert profile.known
    assert (profile.name, profile.enforces) == ("cilium", True)
    assert set(profile.dialects) == {"networking.k8s.io/v1", "cilium.io/v2"}
    (older,) = live._profiles(cni.detect(Lists(cilium("v1.14.5-gke.3"))))  # type: ignore[arg-type]
    assert older.known == ()
    assert live._profiles(cni.detect(Lists(cilium("latest")))) == []  # type: ignore[arg-type]
    calico = live._profiles(cni.detect(Lists(daemonset("calico-node", "calico/node:v3.28.5"))))  # type: ignore[arg-type]
    assert "projectcalico.org/v3" in calico[0].dialects


def test_what_a_killed_canary_left_is_told_with_the_command() -> None:
    namespace = (
        "{apiVersion: v1, kind: Namespace, metadata: {name: netproof-canary-doctor-12ab, creationTimestamp: then}}"
    )
    (finding,) = canary.find_leftovers(Lists(SHOP + "---\n" + namespace))  # type: ignore[arg-type]
    assert (finding.what, finding.state) == ("netproof-canary-doctor-12ab", DiagnosisState.WARN)
    assert finding.fix.startswith("kubectl delete namespace netproof-canary-doctor-12ab")


@pytest.mark.parametrize(
    ("measured", "state", "says"),
    [
        (Measured.CONNECTED, DiagnosisState.MISSING, "accepts NetworkPolicy objects and enforces nothing"),
        (Measured.UNMEASURED, None, "could not be measured"),
    ],
)
def test_a_canary_that_could_not_be_measured_is_no_sign_of_a_cni_that_enforces_nothing(
    monkeypatch: pytest.MonkeyPatch, measured: Measured, state: DiagnosisState | None, says: str
) -> None:
    check = PreflightCheck(name="denied at egress, TCP", expected=Measured.DENIED, measured=measured, after_s=None)
    done = preflight.Examined(capabilities={}, checks=[check], settled=Settled.nothing([], "x"))
    removed: list[str] = []
    world = SimpleNamespace(deploy=lambda *_: None, close=lambda: None)
    monkeypatch.setattr(canary, "Deployment", lambda *_: world)
    monkeypatch.setattr(canary, "GuestDriver", lambda *_: SimpleNamespace(stop=lambda keep: None))
    monkeypatch.setattr(canary.preflight, "examine", lambda _: done)
    monkeypatch.setattr(canary.pods, "remove", lambda _, names: removed.extend(names))
    found: list[Diagnosis] = []
    if state is None:
        with pytest.raises(ClusterError, match=says):
            found.extend(canary.measure(Lists(), [NODE], "Some CNI", lambda _: None))  # type: ignore[arg-type]
        assert [one.state for one in found] == [DiagnosisState.WARN]
    else:
        found.extend(canary.measure(Lists(), [NODE], "Some CNI", lambda _: None))  # type: ignore[arg-type]
        assert found[-1].state is state
        assert says in found[-1].found
    assert [name.startswith(canary.PREFIX) for name in removed] == [True]


def test_what_was_found_before_an_error_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def examine(*_: Any, **__: Any) -> Any:
        yield ok("Kubernetes", "v1.36.3")
        raise ClusterError("the API server went away")

    monkeypatch.setattr(live, "examine", examine)
    assert main(["doctor", "--context"]) == 11
    told = capsys.readouterr()
    assert "v1.36.3" in told.out
    assert "the API server went away" in told.err


def test_a_job_that_is_cancelled_removes_its_canary(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cleaned = []

    def examine(*_: Any, **__: Any) -> Any:
        yield ok("Kubernetes", "v1.36.3")
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            yield ok("nobody", "gets here")
        finally:
            cleaned.append(True)

    monkeypatch.setattr(live, "examine", examine)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert main(["doctor", "--context"]) == 2
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    told = capsys.readouterr()
    assert cleaned == [True]
    assert "v1.36.3" in told.out
    assert "gets here" not in told.out
    assert "interrupted" in told.err
