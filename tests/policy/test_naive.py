"""The evaluator's groups, indexes and memory against a plain reading of the same manifests, asked pod by pod.

The plain reader below shares no code with the package: it walks the YAML for each probe, and knows direct probes only.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netproof.model import Pod, Probe, Specified
from netproof.policy import Evaluator, read_policies

from .example import PLACEMENT, TOPOLOGY

PODS = {pod.id: pod for pod in TOPOLOGY.pods}
NAMESPACES = {space.name: {"kubernetes.io/metadata.name": space.name, **space.labels} for space in TOPOLOGY.namespaces}
ENDS = [*PODS, "external:client", "external:rival", "node:0", "node:1"]


SPECIFIED = {(1, True): Specified.CONNECTED, (1, False): Specified.DENIED} | dict.fromkeys(
    [(2, True), (2, False)], Specified.UNSPECIFIED
)


def matches(selector: dict[str, Any] | None, labels: Any) -> bool:
    selector = selector or {}
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for line in selector.get("matchExpressions", []):
        value = labels.get(line["key"])
        holds = {
            "In": value in line.get("values", []),
            "NotIn": value not in line.get("values", []),
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not holds[line["operator"]]:
            return False
    return True


def plain_pod(end: str, host: bool) -> Pod | None:
    """The pod that selectors see; with `host` those on a node's own network too."""
    pod = PODS.get(end)
    return None if pod is None or (pod.host_network and not host) else pod


def peer_matches(peer: dict[str, Any], own: str, end: str, host: bool) -> bool:
    if "ipBlock" in peer:
        address = ip_address(PLACEMENT.addresses[end][0])
        block = peer["ipBlock"]
        inside = address in ip_network(block["cidr"])
        return inside and not any(address in ip_network(cidr) for cidr in block.get("except", []))
    pod = plain_pod(end, host)
    if pod is None:
        return False
    if "namespaceSelector" in peer:
        return matches(peer["namespaceSelector"], NAMESPACES[pod.namespace]) and matches(
            peer.get("podSelector"), pod.labels
        )
    return pod.namespace == own and matches(peer["podSelector"], pod.labels)


def port_matches(entry: dict[str, Any], destination: str, number: int, protocol: str, host: bool) -> bool:
    if entry.get("protocol", "TCP") != protocol:
        return False
    wanted = entry.get("port")
    if isinstance(wanted, str):
        pod = plain_pod(destination, host)
        return pod is not None and (wanted, number, protocol) in [(p.name, p.port, p.protocol) for p in pod.ports]
    return wanted is None or wanted <= number <= entry.get("endPort", wanted)


def allowed(manifests: list[dict[str, Any]], asked: Probe, direction: str, host: bool, spared: bool) -> bool:
    """`spared`: what a pod sends to its own node is not policed, as the documentation says and the API does not."""
    subject, other = (asked.source, asked.destination) if direction == "egress" else (asked.destination, asked.source)
    pod = plain_pod(subject, host)
    if pod is None:
        return True
    far = PODS.get(other)
    if (other.startswith("node:") or (far and far.host_network)) and (
        PLACEMENT.node_of.get(other, other) == PLACEMENT.node_of[subject] and (spared or direction == "ingress")
    ):
        return True
    isolated = False
    for manifest in manifests:
        spec, own = manifest["spec"], manifest["metadata"]["namespace"]
        types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
        if own != pod.namespace or direction.capitalize() not in types or not matches(spec["podSelector"], pod.labels):
            continue
        isolated = True
        for rule in spec.get(direction, []):
            peers, ports = rule.get("to" if direction == "egress" else "from"), rule.get("ports")
            if (not peers or any(peer_matches(peer, own, other, host) for peer in peers)) and (
                not ports or any(port_matches(p, asked.destination, asked.port, asked.protocol, host) for p in ports)
            ):
                return True
    return not isolated


KEYS = {"app": ["ui", "api", "db", "worker", "agent"], "tier": ["web", "back"], "role": ["admin"]}
SPACE_KEYS = {"team": ["shop", "ops"], "trusted": ["yes"], "kubernetes.io/metadata.name": ["shop", "ops"]}


def selectors(keys: dict[str, list[str]]) -> st.SearchStrategy[dict[str, Any]]:
    def expression(key: str) -> st.SearchStrategy[dict[str, Any]]:
        values = st.lists(st.sampled_from(keys[key]), min_size=1, max_size=2)
        return st.one_of(
            st.builds(
                lambda operator, some: {"key": key, "operator": operator, "values": some},
                st.sampled_from(["In", "NotIn"]),
                values,
            ),
            st.sampled_from([{"key": key, "operator": word} for word in ("Exists", "DoesNotExist")]),
        )

    label = st.sampled_from([{key: value} for key, values in keys.items() for value in values])
    lines = st.lists(st.sampled_from(sorted(keys)).flatmap(expression), max_size=2)
    return st.fixed_dictionaries({}, optional={"matchLabels": label, "matchExpressions": lines})


PEERS = st.one_of(
    st.fixed_dictionaries({"podSelector": selectors(KEYS)}),
    st.fixed_dictionaries({"namespaceSelector": selectors(SPACE_KEYS)}, optional={"podSelector": selectors(KEYS)}),
    st.sampled_from(
        [
            {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.244.0.0/24", "192.0.2.0/24"]}},
            {"ipBlock": {"cidr": "10.244.0.0/16"}},
            {"ipBlock": {"cidr": "172.18.0.0/31"}},
            {"ipBlock": {"cidr": "172.16.0.0/12", "except": ["172.18.0.3/32"]}},
            {"ipBlock": {"cidr": "::/0"}},
        ]
    ),
)
PORTS = st.sampled_from(
    [{}, {"port": 8080}, {"port": "http"}, {"port": 8081, "endPort": 9090}, {"protocol": "UDP"}, {"port": "metrics"}]
)


def rules(peers: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    optional = {peers: st.lists(PEERS, max_size=2), "ports": st.lists(PORTS, max_size=2)}
    return st.lists(st.fixed_dictionaries({}, optional=optional), max_size=2)


SPECS = st.fixed_dictionaries(
    {"podSelector": selectors(KEYS)},
    optional={
        "policyTypes": st.sampled_from([[], ["Ingress"], ["Egress"], ["Ingress", "Egress"]]),
        "ingress": rules("from"),
        "egress": rules("to"),
    },
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(sorted(NAMESPACES)), SPECS), min_size=1, max_size=4))
def test_same_as_a_plain_reading(specs: list[tuple[str, dict[str, Any]]]) -> None:
    manifests = [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": f"p{place}", "namespace": namespace},
            "spec": spec,
        }
        for place, (namespace, spec) in enumerate(specs)
    ]
    evaluator = Evaluator(read_policies(manifests), TOPOLOGY, PLACEMENT)
    for source in ENDS:
        for destination in ENDS:
            for port, protocol in ((8080, "TCP"), (8081, "TCP"), (9090, "TCP"), (5353, "UDP")):
                asked = Probe(source=source, destination=destination, port=port, protocol=protocol)
                readings = {
                    source == destination
                    or all(allowed(manifests, asked, way, host, spared) for way in ("egress", "ingress"))
                    for host in (False, True)
                    for spared in (False, True)
                }
                decision = evaluator.decide(asked)
                assert decision.specified is SPECIFIED[len(readings), readings.pop()], decision.because
