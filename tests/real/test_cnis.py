"""The main job on the real CNIs: cold, again on the kept cluster, shared by workers, and with a probe pod evicted while
it measures. Every cell is measured with packets."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from netproof.clusters import recipes
from netproof.clusters.recipes import CniVersion
from netproof.drivers.kubernetes.manifests import AGENT_PATH
from netproof.drivers.kubernetes.polling import NotYet, poll
from netproof.report.record import Record
from tests.real.conftest import Machine, machine_in, verdicts

PLUGINS = {"calico": "(calico", "cilium": "(cilium-cni"}
DROPS = {"calico": "berserk/", "cilium": "Policy denied"}
"""What the CNI tells of the packets that the last scenario's policies denied: Calico by pod."""

BERSERK = ["berserk-disabled", "berserk-enabled", "berserk-ingress-side", "berserk-egress-side"]
CELLS = 228
"""Of each of these scenarios."""

OVER_WIDE = {
    "calico": ("connected", "connected", "policy-defect"),
    "cilium": ("connected", "denied", "masked-defect"),
}
"""0.0.0.0/0 covers pods by the API's text; Cilium takes it as the world outside, and so hides the defect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cold:
    """A first run, whose cluster was kept."""

    cni: str
    machine: Machine
    code: int
    said: str
    record: Record

    @property
    def cluster(self) -> str:
        environment = self.record.targets[0].environment
        assert environment is not None
        return environment.cluster


@pytest.fixture(scope="module", params=["calico", "cilium"])
def cold(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cold]:
    cni: str = request.param
    with machine_in(tmp_path_factory.mktemp(cni), cni) as machine:
        code, said, record = machine.pytest("--cni", cni, "--keep-cluster", "always", report="cold")
        yield Cold(cni=cni, machine=machine, code=code, said=said, record=record)


def test_cold(cold: Cold) -> None:
    assert cold.code == 0, cold.said
    (target,) = cold.record.targets
    assert [scenario.id for scenario in target.scenarios] == BERSERK
    assert Counter(cell.scenario for cell in target.cells) == dict.fromkeys(BERSERK, CELLS)
    assert {cell.measured.value for cell in target.cells} == {"connected", "denied"}
    assert all(cell.accepted for cell in target.cells)
    assert all(check.measured is check.expected for check in target.preflight)
    assert target.environment is not None
    assert len(target.environment.nodes) == 2
    for name in ("report.html", "junit.xml", "summary.md"):
        assert (cold.machine.folder / "cold" / name).stat().st_size > 1000

    over_wide = next(
        (cell.specified.value, cell.measured.value, cell.verdict.value)
        for cell in target.cells
        if (cell.scenario, cell.source, cell.destination, cell.port)
        == ("berserk-enabled", "berserk/ui", "berserk-neighbour/neighbour", 443)
    )
    assert over_wide == OVER_WIDE[cold.cni]


@pytest.mark.parametrize("cold", ["calico"], indirect=True, scope="module")
def test_an_evicted_pod_makes_no_wrong_verdict_and_is_made_anew(cold: Cold) -> None:
    """The pod goes while the second scenario is measured; what it sends or serves can then only be unmeasured. The next
    scenario has a new one."""
    assert cold.cluster in cold.machine.netproof("clusters", "list")
    arguments = ("--cni", cold.cni, "--reuse-cluster", cold.cluster)
    run = cold.machine.start(*arguments, report="evicted")
    first = cold.machine.folder / "evicted" / "parts"
    poll(lambda: _must(any(first.glob(f"scenario-*-{BERSERK[0]}.json"))), timeout=120, what="the first scenario")
    gone = _kubectl(cold.cluster, "delete", "pod", "-n", "berserk", "query", "--grace-period=0", "--force")
    assert gone.returncode == 0, gone.stderr
    said, _ = run.communicate(timeout=600)
    assert run.returncode in (0, 11), said
    evicted = cold.machine.record(cold.machine.folder / "evicted").targets[0]
    right = verdicts(cold.record.targets[0].cells)
    wrong = {
        key: verdict for key, verdict in verdicts(evicted.cells).items() if verdict not in (right[key], "unmeasured")
    }
    assert wrong == {}
    lost = [cell for cell in evicted.cells if cell.verdict.value == "unmeasured"]
    assert all("query" in cell.source + cell.destination for cell in lost)
    assert {cell.scenario for cell in lost} in ({BERSERK[1]}, {BERSERK[2]}), "only the one that was measured then"

    code, said, again = cold.machine.pytest(*arguments, report="again")
    assert code == 0, said
    assert verdicts(again.targets[0].cells) == right


@pytest.mark.parametrize("cold", ["calico"], indirect=True, scope="module")
def test_a_namespace_that_enforces_the_restricted_standard_accepts_the_probe_pods(cold: Cold) -> None:
    """Asked of the API server with the pods as they run, in a namespace of that kind; a pod that asks for more is the
    proof that it is enforced there."""
    namespace = "enforces-restricted"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
    assert _kubectl(cold.cluster, "apply", "-f", "-", given=json.dumps(made)).returncode == 0
    try:
        listed = _kubectl(cold.cluster, "get", "pods", "-n", "berserk", "-o", "json")
        pods = [_as_made(pod, namespace) for pod in json.loads(listed.stdout)["items"]]
        assert {pod["metadata"]["name"] for pod in pods} >= {"ui", "query", "janitor"}
        ordered = {"apiVersion": "v1", "kind": "List", "items": pods}
        asked = ("apply", "--dry-run=server", "-f", "-")
        accepted = _kubectl(cold.cluster, *asked, given=json.dumps(ordered))
        assert accepted.returncode == 0, accepted.stderr
        assert accepted.stdout.count("created (server dry run)") == len(pods)
        pods[0]["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
        refused = _kubectl(cold.cluster, *asked, given=json.dumps(pods[0]))
        assert "violates PodSecurity" in refused.stderr
    finally:
        _kubectl(cold.cluster, "delete", "namespace", namespace)


@pytest.mark.parametrize("cold", ["calico"], indirect=True, scope="module")
def test_a_probe_pod_has_no_token_of_its_account_and_answers_only_those_who_know_the_runs(cold: Cold) -> None:
    pod = json.loads(_kubectl(cold.cluster, "get", "pod", "-n", "berserk", "query", "-o", "json").stdout)
    assert [volume["name"] for volume in pod["spec"]["volumes"]] == ["agent"]
    mounts = _kubectl(cold.cluster, "exec", "-n", "berserk", "query", "--", "cat", "/proc/mounts").stdout
    assert "/netproof" in mounts
    assert "serviceaccount" not in mounts
    spec = json.loads(pod["spec"]["containers"][0]["command"][-1])
    asked = {"protocol": "TCP", "host": pod["status"]["podIP"], "port": spec["ports"][0]["port"]}
    for token, outcome in ((spec["token"], "connected"), ("guess", "error")):
        question = json.dumps({"token": token, "probe": asked})
        command = ("exec", "-n", "berserk", "ui", "--", "python3", AGENT_PATH, "once", question)
        answer = json.loads(_kubectl(cold.cluster, *command).stdout)
        assert answer["outcome"] == outcome
    assert answer["detail"] == "the server closed the connection without an answer"


@pytest.mark.parametrize("cold", ["calico", "cilium"], indirect=True, scope="module")
def test_the_doctor_tells_what_enforces_and_proves_it_with_a_canary(cold: Cold) -> None:
    kubeconfig = cold.machine.netproof("clusters", "kubeconfig", cold.cluster).strip()
    policies = [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"namespace": "berserk", "name": name},
            "spec": {"podSelector": {"matchLabels": {"app": app}}},
        }
        for name, app in (("typo", "quary"), ("walled", "query"))
    ]
    given = json.dumps({"apiVersion": "v1", "kind": "List", "items": policies})
    assert _reaches(cold.cluster, "ui", "query", 9510)
    assert _kubectl(cold.cluster, "apply", "-f", "-", given=given).returncode == 0
    try:
        poll(lambda: _must(not _reaches(cold.cluster, "ui", "query", 9510)), timeout=30, what="the denial")
        told = cold.machine.netproof("doctor", "--kubeconfig", kubeconfig, "--canary", "--format", "json")
    finally:
        _kubectl(cold.cluster, "delete", "networkpolicy", "-n", "berserk", "typo", "walled")
    found = {one["what"]: one for one in json.loads(told)["findings"]}
    version = recipes.load(CniVersion(name=cold.cni)).version
    assert found[cold.cni.capitalize()]["found"].startswith(f"v{version.removeprefix('v')}; DaemonSet kube-system/")
    assert PLUGINS[cold.cni] in found[f"/etc/cni/net.d on {cold.cluster}-worker"]["found"]
    assert found["enforcement"]["found"].startswith("measured: ")
    assert found["denied at egress, UDP"]["found"].startswith("denied after ")
    assert "app=query" in found["NetworkPolicy berserk/typo spec.podSelector"]["found"]
    drops = "\n".join(one["found"] for what, one in found.items() if what.startswith("denied on "))
    assert DROPS[cold.cni] in drops, drops
    listed = json.loads(_kubectl(cold.cluster, "get", "namespaces", "-o", "json").stdout)["items"]
    assert not any("doctor" in one["metadata"]["name"] for one in listed)


@pytest.mark.parametrize("cold", ["calico", "cilium"], indirect=True, scope="module")
def test_the_real_api_server_calls_a_webhook_and_is_called(cold: Cold) -> None:
    code, said, run = cold.machine.pytest(
        *("--cni", cold.cni, "--reuse-cluster", cold.cluster, "--scenario-set", "stageset-real-apiserver-*"),
        report="api-server",
    )
    assert code == 0, said
    cells = {(cell.scenario, cell.kind, cell.port, cell.via): cell for cell in run.targets[0].cells}
    called = "stageset-real-apiserver-calls-the-webhook"
    assert cells[called, "admission", 9443, "pod"].measured == "connected"
    assert cells[called, "admission", 443, "service"].measured == "connected"
    assert cells[called, "admission", 8081, "pod"].measured == "denied"
    assert cells["stageset-real-apiserver-is-no-namespace", "admission", 9443, "pod"].measured == "denied"
    by_address = cells["stageset-real-apiserver-by-its-address", "tls", 6443, "address"]
    assert by_address.measured == ("connected" if cold.cni == "calico" else "denied")
    left = _kubectl(cold.cluster, "get", "validatingwebhookconfigurations", "-o", "name").stdout
    assert "netproof" not in left


@pytest.mark.parametrize("cold", ["cilium"], indirect=True, scope="module")
def test_again_on_the_kept_cluster(cold: Cold) -> None:
    code, said, again = cold.machine.pytest("--cni", cold.cni, "--reuse-cluster", cold.cluster, report="again")
    assert code == 0, said
    assert verdicts(again.targets[0].cells) == verdicts(cold.record.targets[0].cells)
    left = _kubectl(cold.cluster, "get", "networkpolicies", "--all-namespaces", "--output", "name")
    assert (left.returncode, left.stdout) == (0, ""), "a kept cluster is left without policies"


@pytest.mark.parametrize("cold", ["calico"], indirect=True, scope="module")
def test_workers_share_the_kept_cluster(cold: Cold) -> None:
    code, said, shared = cold.machine.pytest(
        "--cni", cold.cni, "--reuse-cluster", cold.cluster, "-n", "2", report="shared"
    )
    assert code == 0, said
    assert verdicts(shared.targets[0].cells) == verdicts(cold.record.targets[0].cells)


def _must(there: bool) -> None:
    if not there:
        raise NotYet("not yet")


def _kubectl(cluster: str, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = ["docker", "exec", "--interactive", f"{cluster}-control-plane", "kubectl"]
    command += ["--kubeconfig", "/etc/kubernetes/admin.conf", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, input=given)


def _reaches(cluster: str, source: str, destination: str, port: int) -> bool:
    """Whether a pod of the chart connects to another one now."""
    address = _kubectl(cluster, "get", "pod", "-n", "berserk", destination, "-o", "jsonpath={.status.podIP}").stdout
    dial = f"import socket; socket.create_connection(('{address}', {port}), 1)"
    return _kubectl(cluster, "exec", "-n", "berserk", source, "--", "python3", "-c", dial).returncode == 0


def _as_made(pod: dict[str, Any], namespace: str) -> dict[str, Any]:
    """A running pod as it would be made in another namespace."""
    spec = {key: value for key, value in pod["spec"].items() if key not in ("nodeName", "serviceAccount")}
    metadata = {"namespace": namespace, "name": pod["metadata"]["name"], "labels": pod["metadata"].get("labels") or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec | {"serviceAccountName": "default"}}
