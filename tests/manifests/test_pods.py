"""The pods of workloads: how many stand for them, the labels that controllers add, and what running ones say."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from netproof.manifests.controllers import lasting
from netproof.manifests.pods import FoundPod, pods_of
from tests.lint.example import objects

TEMPLATE = "template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c, image: x}]}}"


def workload(kind: str, spec: str = "", name: str = "a") -> list[FoundPod]:
    text = f"apiVersion: x/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{{spec}{TEMPLATE}}}\n"
    return list(pods_of(objects(text), "default"))


def labels(found: FoundPod) -> Mapping[str, str]:
    return found.pod.labels


@pytest.mark.parametrize(
    ("kind", "spec", "names"),
    [
        ("Deployment", "", ["a"]),
        ("Deployment", "replicas: 1, ", ["a"]),
        ("Deployment", "replicas: 0, ", ["a"]),
        ("Deployment", "replicas: 7, ", ["a-0", "a-1"]),
        ("Rollout", "replicas: 2, ", ["a-0", "a-1"]),
        ("ReplicaSet", "replicas: 0, ", []),
        ("ReplicationController", "replicas: 2, ", ["a-0", "a-1"]),
        ("DaemonSet", "", ["a-0", "a-1"]),
        ("StatefulSet", "", ["a"]),
        ("StatefulSet", "replicas: 3, ", ["a-0", "a-1", "a-2"]),
        ("StatefulSet", "replicas: 2, ordinals: {start: 5}, ", ["a-5", "a-6"]),
        ("StatefulSet", "replicas: 100, ", ["a-0", "a-1", "a-2", "a-3", "a-4"]),
        ("Job", "", ["a"]),
        ("Job", "parallelism: 2, ", ["a-0", "a-1"]),
        ("Job", "completions: 3, completionMode: Indexed, ", ["a-0", "a-1", "a-2"]),
    ],
)
def test_as_many_pods_as_differ_and_two_where_there_may_be_several(kind: str, spec: str, names: list[str]) -> None:
    found = workload(kind, spec)
    assert [one.pod.name for one in found] == names
    assert {one.pod.workload for one in found} <= {"shop/a"}


def test_a_job_is_called_by_its_pods() -> None:
    (job,) = workload("Job")
    assert labels(job)["batch.kubernetes.io/job-name"] == labels(job)["job-name"] == "a"
    assert labels(job)["batch.kubernetes.io/controller-uid"] == labels(job)["controller-uid"]
    (manual,) = workload("Job", "manualSelector: true, ")
    assert labels(manual) == {"app": "a"}
    indexed = workload("Job", "completions: 2, completionMode: Indexed, ")
    assert [labels(one)["batch.kubernetes.io/job-completion-index"] for one in indexed] == ["0", "1"]


def test_a_cron_jobs_pods_have_the_labels_of_a_job() -> None:
    text = (
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: nightly, namespace: shop}\n"
        f"spec: {{jobTemplate: {{spec: {{{TEMPLATE}}}}}}}\n"
    )
    (pod,) = pods_of(objects(text), "default")
    assert labels(pod)["job-name"].startswith("nightly-")
    assert lasting(labels(pod)) == {"app": "a"}


def test_a_stateful_sets_pods_have_names_and_numbers() -> None:
    first, second = workload("StatefulSet", "replicas: 2, ")
    assert labels(first)["statefulset.kubernetes.io/pod-name"] == "a-0"
    assert labels(second)["apps.kubernetes.io/pod-index"] == "1"
    (alone,) = workload("StatefulSet")
    assert labels(alone)["statefulset.kubernetes.io/pod-name"] == "a-0"


def test_hashes_are_there_and_always_the_same() -> None:
    for kind, key in (
        ("Deployment", "pod-template-hash"),
        ("Rollout", "rollouts-pod-template-hash"),
        ("StatefulSet", "controller-revision-hash"),
        ("DaemonSet", "controller-revision-hash"),
    ):
        (one, *_), (again, *_) = workload(kind), workload(kind)
        assert labels(one)[key] == labels(again)[key] != ""
        assert len(labels(workload(kind, name="x" * 63)[0])[key]) <= 63


def test_an_autoscaler_makes_several() -> None:
    scaler = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: a, namespace: shop}
spec: {scaleTargetRef: {kind: Deployment, name: a}, maxReplicas: 4}
"""
    text = f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a, namespace: shop}}\nspec: {{{TEMPLATE}}}\n"
    assert [one.pod.name for one in pods_of(objects(text, scaler), "default")] == ["a-0", "a-1"]


RUNNING = """
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  namespace: shop
  labels: {{app: a, pod-template-hash: 7d9f}}
  ownerReferences: [{{apiVersion: apps/v1, kind: ReplicaSet, name: a-7d9f, uid: b, controller: true}}]
spec: {{nodeName: worker, containers: [{{name: c}}]}}
status: {{phase: {phase}, podIP: {address}, podIPs: [{{ip: {address}}}, {{ip: 'fd00::{name}'}}], hostIP: 192.0.2.7}}
"""


def test_pods_that_run_are_what_is_true() -> None:
    head = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: shop}\n"
    deployment = f"{head}spec: {{{TEMPLATE}}}\n"
    replica_set = (
        "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: a-7d9f, namespace: shop, ownerReferences: "
        f"[{{kind: Deployment, name: a, controller: true}}]}}\nspec: {{{TEMPLATE}}}\n"
    )
    ended = RUNNING.format(name="c", phase="Succeeded", address="10.1.2.9")
    pods = [RUNNING.format(name=name, phase="Running", address=f"10.1.2.{n}") for n, name in enumerate("ab")]
    first, second = pods_of(objects(deployment, replica_set, *pods, ended), "default")
    assert (first.pod.id, first.pod.workload, second.pod.id) == ("shop/a", "shop/a", "shop/b")
    assert labels(first)["pod-template-hash"] == "7d9f"
    assert (first.addresses, first.node, first.node_addresses) == (("10.1.2.0", "fd00::a"), "worker", ("192.0.2.7",))


def test_pods_of_an_owner_that_is_not_there_are_one_workload() -> None:
    pods = [RUNNING.format(name=name, phase="Running", address=f"10.1.2.{n}") for n, name in enumerate("ab")]
    assert {one.pod.workload for one in pods_of(objects(*pods), "default")} == {"shop/a-7d9f"}
