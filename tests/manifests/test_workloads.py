"""Manifests of an application become the pods, Services and namespaces that its policies are about."""

from __future__ import annotations

import pytest

from netproof.errors import InputError
from netproof.manifests.controllers import lasting
from netproof.manifests.workloads import read_workloads
from netproof.model import Port
from tests.lint.example import APP, objects


def test_workloads_services_and_namespaces_are_read() -> None:
    found = read_workloads(objects(APP))
    topology = found.topology
    assert [pod.id for pod in topology.pods] == ["shop/ui", "shop/api", "ops/prober", "ops/agent"]
    assert topology.pods[1].ports == (Port(port=9090, name="grpc"),)
    assert topology.pods[1].service_account == "api"
    assert topology.pods[3].host_network
    assert topology.namespace("shop").labels == {"team": "shop"}
    service, kubernetes = topology.services
    assert kubernetes.id == "svc:default/kubernetes"
    assert [pod.id for pod in topology.backends(service)] == ["shop/api"]
    assert (service.ports[0].port, service.ports[0].target) == (80, "grpc")
    assert found.names_namespaces


def test_jobs_and_sidecars_count() -> None:
    text = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  jobTemplate:
    spec:
      template:
        metadata: {labels: {app: nightly}}
        spec:
          initContainers:
            - {name: first, ports: [{containerPort: 1}]}
            - {name: proxy, restartPolicy: Always, ports: [{containerPort: 15001, protocol: UDP}]}
          containers: [{name: main}]
"""
    (pod,) = read_workloads(objects(text), "shop").topology.pods
    assert (pod.id, lasting(pod.labels)) == ("shop/nightly", {"app": "nightly"})
    assert pod.ports == (Port(port=15001, protocol="UDP"),)


def test_other_objects_name_nobody() -> None:
    found = read_workloads(objects("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}"))
    assert (found.topology.pods, found.names_namespaces) == ((), False)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{containers: [{name: a, ports: [{containerPort: http}]}]}", "a port number from 1 to 65535 is expected"),
        ("{containers: [{name: a, ports: [{containerPort: 1, protocol: tcp}]}]}", "must be TCP, UDP or SCTP"),
        ("{containers: {name: a}}", "a list is expected here"),
        ("{containers: [a]}", "a container is a mapping"),
    ],
)
def test_a_mistake_names_file_line_and_key(spec: str, message: str) -> None:
    text = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {spec}\n"
    with pytest.raises(InputError, match=message) as caught:
        read_workloads(objects(text))
    assert (caught.value.file, caught.value.line) == ("0.yaml", 4)


def test_labels_are_strings() -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {on: 1}}\nspec: {}\n"
    with pytest.raises(InputError, match="write '1' in quotes"):
        read_workloads(objects(text))
