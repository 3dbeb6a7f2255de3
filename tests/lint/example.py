"""A small application as manifests, and short ways to check policies beside it."""

from __future__ import annotations

from netproof.lint import (
    CniProfile,
    LintFinding,
    LintInput,
    build_input,
    check,
    find_unread,
    locate_policies,
    read_inventory,
)
from netproof.manifests.load import _objects
from netproof.manifests.yaml_documents import Located, parse_yaml

APP = """
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: shop}}
---
apiVersion: v1
kind: Namespace
metadata: {name: ops, labels: {team: ops}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ui, namespace: shop}
spec:
  template:
    metadata: {labels: {app: ui, tier: web}}
    spec: {containers: [{name: ui, ports: [{containerPort: 8080, name: http}]}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: api, namespace: shop}
spec:
  template:
    metadata: {labels: {app: api, tier: back}}
    spec:
      serviceAccountName: api
      containers: [{name: api, ports: [{containerPort: 9090, name: grpc}]}]
---
apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {selector: {app: api}, ports: [{port: 80, targetPort: grpc}]}
---
apiVersion: v1
kind: Pod
metadata: {name: prober, namespace: ops, labels: {app: prober}}
spec: {containers: [{name: prober}]}
---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: ops, labels: {app: agent}}
spec: {hostNetwork: true, containers: [{name: agent}]}
"""

BINDING = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: api-reads}
subjects: [{kind: ServiceAccount, name: api, namespace: shop}]
"""

DNS = "{ports: [{port: 53, protocol: UDP}]}"


def objects(*texts: str) -> tuple[Located, ...]:
    """The objects of these texts, each of which is a file: `0.yaml`, `1.yaml`, …"""
    return tuple(
        one
        for number, text in enumerate(texts)
        for document in parse_yaml(text, f"{number}.yaml")
        for one in _objects(document, (), document.content)
    )


def policy(spec: str, name: str = "p", namespace: str = "shop", kind: str = "networking.k8s.io/v1") -> str:
    metadata = f"{{name: {name}, namespace: {namespace}}}"
    return f"---\napiVersion: {kind}\nkind: NetworkPolicy\nmetadata: {metadata}\nspec: {spec}\n"


def looked_at(
    *texts: str, cnis: tuple[CniProfile, ...] = (), pod_ranges: tuple[str, ...] = ("10.244.0.0/16",)
) -> LintInput:
    found = objects(*texts)
    return build_input(
        locate_policies(found), read_inventory(found), cnis=cnis, pod_ranges=pod_ranges, unread=find_unread(found)
    )


def findings(rule: str, *texts: str, app: str = APP, **options: object) -> list[LintFinding]:
    """What one rule says of these policies beside the application."""
    given = looked_at(*filter(None, (app, *texts)), **options)  # type: ignore[arg-type]
    return [finding for finding in check(given).findings if finding.rule == rule]
