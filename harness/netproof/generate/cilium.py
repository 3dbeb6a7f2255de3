"""CiliumNetworkPolicy (cilium.io/v2) by weight: endpoints, entities, CIDRs, ports, allowed and denied. Valid only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netproof.generate.kubernetes import block, selector
from netproof.generate.request import Features
from netproof.generate.vocabulary import Ground
from netproof.generate.weights import Dice

SPACE = "k8s:io.cilium.k8s.namespace.labels."
ENTITIES = ((25, "all"), (25, "cluster"), (25, "world"), (10, "host"), (15, "remote-node"))


def policy(dice: Dice, ground: Ground, name: str, without: Features) -> dict[str, Any]:
    """One object in one of the world's namespaces."""
    spec: dict[str, Any] = {"endpointSelector": {} if dice.chance(30) else selector(dice, ground.pod_labels)}
    lists = dice.some(("ingress", "egress", "ingressDeny", "egressDeny"), dice.pick((50, 1), (40, 2), (10, 3)))
    if len(lists) == 1 and lists[0].endswith("Deny"):
        # A denial alone isolates; beside an allowance of everybody it is what authors write.
        lists += [lists[0].removesuffix("Deny")] if dice.chance(60) else []
    for key in lists:
        spec[key] = [_rule(dice, ground, key, without) for _ in range(dice.pick((70, 1), (30, 2)))]
    directions = sorted({key.removesuffix("Deny") for key in lists})
    if dice.chance(15):
        spec["enableDefaultDeny"] = {dice.one(directions): dice.chance(20)}
    metadata = {"name": name, "namespace": dice.one(ground.namespaces)}
    return {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": metadata, "spec": spec}


def _rule(dice: Dice, ground: Ground, key: str, without: Features) -> dict[str, Any]:
    prefix = "from" if key.startswith("ingress") else "to"
    outside = 12 if prefix == "to" and ground.externals and "ipblock" not in without else 0
    kind = dice.pick(
        (52, "Endpoints"), (22, "Entities"), (outside, "CIDR"), (outside, "CIDRSet"), (8, ""), (6, "nobody")
    )
    rule: dict[str, Any] = {}
    match kind:
        case "Endpoints":
            rule[f"{prefix}Endpoints"] = [_endpoints(dice, ground) for _ in range(dice.pick((75, 1), (25, 2)))]
        case "Entities":
            rule[f"{prefix}Entities"] = [dice.pick(*ENTITIES)]
        case "CIDR":
            rule[f"{prefix}CIDR"] = [f"{{address:{dice.one(ground.externals)}}}/32"]
        case "CIDRSet":
            rule[f"{prefix}CIDRSet"] = [block(dice, [], ground.externals)]
        case "":
            rule[f"{prefix}Endpoints"] = [{}]
        case _:
            return {}
    if dice.chance(50):
        rule["toPorts"] = [{"ports": [_port(dice, ground, without) for _ in range(dice.pick((70, 1), (30, 2)))]}]
    return rule


def _endpoints(dice: Dice, ground: Ground) -> dict[str, Any]:
    """Pods of the policy's own namespace, or of those with a label."""
    if dice.chance(45):
        return selector(dice, ground.pod_labels)
    labels: Mapping[str, Any] = {key: values for key, values in ground.space_labels.items() if "/" not in key}
    key = dice.one(sorted(labels))
    found: dict[str, Any] = {f"{SPACE}{key}": dice.one(labels[key])}
    if dice.chance(50):
        own = dice.one(sorted(ground.pod_labels))
        found[f"k8s:{own}"] = dice.one(ground.pod_labels[own])
    return {"matchLabels": found}


def _port(dice: Dice, ground: Ground, without: Features) -> dict[str, Any]:
    number, protocol, name = dice.one([port for port in ground.ports if port[1] != "SCTP"])
    port: dict[str, Any] = {"port": str(number)}
    kind = dice.pick((60, "number"), (15, "range"), (12, "every"), (13 if name else 0, "name"))
    if kind == "name" and "named-ports" not in without:
        port["port"] = str(name)
    elif kind == "range" and "end-port" not in without:
        port["endPort"] = min(number + 1, 65535)
    elif kind == "every":
        port["port"] = "0"
    if dice.chance(80):
        port["protocol"] = "ANY" if dice.chance(25) else protocol
    return port
