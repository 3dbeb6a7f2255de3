"""What a cluster says of itself: the environment of a run, and the evidence for a failed cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netproof.clusters.recipes import Recipe
from netproof.drivers.kubernetes import streams, waiting
from netproof.drivers.kubernetes.objects import Api
from netproof.drivers.protocol import Environment, Origin

EVIDENCE_LINES = 200


def describe_environment(api: Api, recipe: Recipe, nodes: Sequence[str], *, origin: Origin) -> Environment:
    """What the API server and the nodes tell. Who made the cluster knows more."""
    items = {item["metadata"]["name"]: item for item in api.list("/api/v1/nodes")}
    about = items[nodes[0]]["status"]["nodeInfo"]
    ranges = items[nodes[0]]["spec"].get("podCIDRs") or []
    return Environment(
        driver=recipe.driver,
        cni=recipe.name,
        cni_version=recipe.version,
        kernel=about["kernelVersion"],
        nodes=tuple(nodes),
        families=tuple(sorted({6 if ":" in one else 4 for one in ranges})) or (4,),
        kubernetes=api.version(),
        state=origin,
        facts={
            "container runtime": about["containerRuntimeVersion"],
            "node system": f"{about['osImage']}, {about['architecture']}",
            "pod ranges": ", ".join(
                sorted(cidr for item in items.values() for cidr in item["spec"].get("podCIDRs") or [])
            ),
        },
    )


def collect_evidence(api: Api, recipe: Recipe, namespaces: Sequence[str], policies: str) -> Mapping[str, str]:
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
