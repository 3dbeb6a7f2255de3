"""CiliumNetworkPolicy (cilium.io/v2) by weight: endpoints, entities, CIDRs, ports, allowed and denied. Valid only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netproof.generate.kubernetes import block, selector
from netproof.generate.request import Features
from netproof.generate.vocabulary import Vocabulary
from netproof.generate.weights import Chooser

SPACE = "k8s:io.cilium.k8s.namespace.labels."
ENTITIES = ((25, "all"), (25, "cluster"), (25, "world"), (10, "host"), (15, "remote-node"))


def policy(chooser: Chooser, vocabulary: Vocabulary, name: str, without: Features) -> dict[str, Any]:
    """One object in one of the world's namespaces."""
    spec: dict[str, Any] = {"endpointSelector": {} if chooser.chance(30) else selector(chooser, vocabulary.pod_labels)}
    lists = chooser.some(("ingress", "egress", "ingressDeny", "egressDeny"), chooser.pick((50, 1), (40, 2), (10, 3)))
    if len(lists) == 1 and lists[0].endswith("Deny"):
        # A denial alone isolates; beside an allowance of everybody it is what authors write.
        lists += [lists[0].removesuffix("Deny")] if chooser.chance(60) else []
    for key in lists:
        spec[key] = [_rule(chooser, vocabulary, key, without) for _ in range(chooser.pick((70, 1), (30, 2)))]
    directions = sorted({key.removesuffix("Deny") for key in lists})
    if chooser.chance(15):
        spec["enableDefaultDeny"] = {chooser.one(directions): chooser.chance(20)}
    metadata = {"name": name, "namespace": chooser.one(vocabulary.namespaces)}
    return {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": metadata, "spec": spec}


def _rule(chooser: Chooser, vocabulary: Vocabulary, key: str, without: Features) -> dict[str, Any]:
    prefix = "from" if key.startswith("ingress") else "to"
    outside = 12 if prefix == "to" and vocabulary.externals and "ipblock" not in without else 0
    kind = chooser.pick(
        (52, "Endpoints"), (22, "Entities"), (outside, "CIDR"), (outside, "CIDRSet"), (8, ""), (6, "nobody")
    )
    rule: dict[str, Any] = {}
    match kind:
        case "Endpoints":
            rule[f"{prefix}Endpoints"] = [
                _endpoints(chooser, vocabulary) for _ in range(chooser.pick((75, 1), (25, 2)))
            ]
        case "Entities":
            rule[f"{prefix}Entities"] = [chooser.pick(*ENTITIES)]
        case "CIDR":
            rule[f"{prefix}CIDR"] = [f"{{address:{chooser.one(vocabulary.externals)}}}/32"]
        case "CIDRSet":
            rule[f"{prefix}CIDRSet"] = [block(chooser, [], vocabulary.externals)]
        case "":
            rule[f"{prefix}Endpoints"] = [{}]
        case _:
            return {}
    if chooser.chance(50):
        rule["toPorts"] = [
            {"ports": [_port(chooser, vocabulary, without) for _ in range(chooser.pick((70, 1), (30, 2)))]}
        ]
    return rule


def _endpoints(chooser: Chooser, vocabulary: Vocabulary) -> dict[str, Any]:
    """Pods of the policy's own namespace, or of those with a label."""
    if chooser.chance(45):
        return selector(chooser, vocabulary.pod_labels)
    labels: Mapping[str, Any] = {key: values for key, values in vocabulary.space_labels.items() if "/" not in key}
    key = chooser.one(sorted(labels))
    found: dict[str, Any] = {f"{SPACE}{key}": chooser.one(labels[key])}
    if chooser.chance(50):
        own = chooser.one(sorted(vocabulary.pod_labels))
        found[f"k8s:{own}"] = chooser.one(vocabulary.pod_labels[own])
    return {"matchLabels": found}


def _port(chooser: Chooser, vocabulary: Vocabulary, without: Features) -> dict[str, Any]:
    number, protocol, name = chooser.one([port for port in vocabulary.ports if port[1] != "SCTP"])
    port: dict[str, Any] = {"port": str(number)}
    kind = chooser.pick((60, "number"), (15, "range"), (12, "every"), (13 if name else 0, "name"))
    if kind == "name" and "named-ports" not in without:
        port["port"] = str(name)
    elif kind == "range" and "end-port" not in without:
        port["endPort"] = min(number + 1, 65535)
    elif kind == "every":
        port["port"] = "0"
    if chooser.chance(80):
        port["protocol"] = "ANY" if chooser.chance(25) else protocol
    return port
