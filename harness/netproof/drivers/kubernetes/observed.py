"""What a cluster says of itself: the environment of a run, and the evidence for a failed cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netproof.clusters.recipes import Recipe
from netproof.drivers import Applied, Environment
from netproof.drivers.kind import state
from netproof.drivers.kubernetes import streams, waiting
from netproof.drivers.kubernetes.objects import Api

EVIDENCE_LINES = 200


def environment(
    api: Api,
    record: state.ClusterState,
    recipe: Recipe,
    nodes: Sequence[str],
    *,
    origin: str,
    engine: Mapping[str, Any],
) -> Environment:
    """Everything here was read from the engine (`docker info`), the nodes or the cluster's record."""
    items = {item["metadata"]["name"]: item for item in api.list("/api/v1/nodes")}
    about = items[nodes[0]]["status"]["nodeInfo"]
    ranges = items[nodes[0]]["spec"].get("podCIDRs") or []
    node_image = recipe.kind.node_image if recipe.kind else ""
    return Environment(
        driver="kind",
        cni=record.cni,
        cni_version=record.version,
        kernel=about["kernelVersion"],
        nodes=tuple(nodes),
        families=tuple(sorted({6 if ":" in one else 4 for one in ranges})) or (4,),
        kubernetes=api.version(),
        cluster=record.name,
        engine=f"docker {engine.get('ServerVersion')}",
        state=origin,
        applied=tuple(Applied(**one) for one in record.applied),
        images=tuple(record.images),
        facts={
            "kind": record.kind,
            "node image": node_image,
            "container runtime": about["containerRuntimeVersion"],
            "node system": f"{about['osImage']}, {about['architecture']}",
            "cgroup": f"v{engine.get('CgroupVersion', '2')}",
            "pod ranges": ", ".join(
                sorted(cidr for item in items.values() for cidr in item["spec"].get("podCIDRs") or [])
            ),
            "processors": str(engine.get("NCPU", "")),
        },
    )


def evidence(api: Api, recipe: Recipe, namespaces: Sequence[str], policies: str) -> Mapping[str, str]:
    """File name -> text: policies as the cluster has them, pods, events of our namespaces, the CNI's logs and state."""
    files = {"policies.yaml": policies, "pods.txt": _pods(api)}
    for namespace in namespaces:
        files[f"events-{namespace}.txt"] = "\n".join(waiting.events(api, namespace)) + "\n"
    for container, where in recipe.logs.items():
        namespace, _, selector = where.partition("/")
        for pod in api.list(f"/api/v1/namespaces/{namespace}/pods", label_selector=selector):
            name = pod["metadata"]["name"]
            files[f"log-{name}.txt"] = waiting.logs(api, namespace, name, container, EVIDENCE_LINES)
    for title, look in recipe.state.items():
        namespace, _, selector = look.pods.partition("/")
        for pod in api.list(f"/api/v1/namespaces/{namespace}/pods", label_selector=selector):
            name, node = pod["metadata"]["name"], pod["spec"].get("nodeName", "")
            text = streams.output(api.configuration, namespace, name, look.container, look.command)
            files[f"{title}-{node}.txt"] = f"# {' '.join(look.command)} in {name} on {node}\n{text}"
    return files


def _pods(api: Api) -> str:
    lines = [
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']} {pod['status'].get('phase')} "
        f"ready={waiting.pod_ready(pod)} restarts={sum(waiting.restarts(pod))} "
        f"address={pod['status'].get('podIP', '-')} node={pod['spec'].get('nodeName', '-')} "
        f"labels={','.join(f'{key}={value}' for key, value in (pod['metadata'].get('labels') or {}).items()) or '-'}"
        for pod in api.list("/api/v1/pods")
    ]
    return "\n".join(lines) + "\n"
