"""ClusterNetworkPolicy (policy.networking.k8s.io/v1alpha2) by weight: both tiers, Accept, Deny and Pass. Valid only."""

from __future__ import annotations

from typing import Any

from netproof.generate.kubernetes import selector
from netproof.generate.request import Features
from netproof.generate.vocabulary import Ground
from netproof.generate.weights import Dice


def policy(dice: Dice, ground: Ground, name: str, without: Features) -> dict[str, Any]:
    """One object of the cluster. Priorities are by name, so that no two are equal, which the API leaves open."""
    tier = dice.pick((60, "Admin"), (40, "Baseline"))
    accept = 0 if tier == "Baseline" and "baseline-accept" in without else 38
    spec: dict[str, Any] = {
        "tier": tier,
        "priority": 10 * int("".join(filter(str.isdigit, name)) or 0),
        "subject": _pods(dice, ground),
    }
    for side in dice.pick((45, ["ingress"]), (25, ["egress"]), (30, ["ingress", "egress"])):
        rules = range(dice.pick((45, 1), (35, 2), (20, 3)))
        spec[side] = [_rule(dice, ground, side, without, accept) for _ in rules]
    api_version = "policy.networking.k8s.io/v1alpha2"
    return {"apiVersion": api_version, "kind": "ClusterNetworkPolicy", "metadata": {"name": name}, "spec": spec}


def _pods(dice: Dice, ground: Ground, *, negative: bool = True) -> dict[str, Any]:
    if dice.chance(40):
        return {"namespaces": selector(dice, ground.space_labels, negative=negative)}
    pods: dict[str, Any] = {"podSelector": selector(dice, ground.pod_labels)}
    if dice.chance(70):
        pods["namespaceSelector"] = selector(dice, ground.space_labels, negative=negative)
    return {"pods": pods}


def _rule(dice: Dice, ground: Ground, side: str, without: Features, accept: int) -> dict[str, Any]:
    rule: dict[str, Any] = {"action": dice.pick((accept, "Accept"), (38, "Deny"), (24, "Pass"))}
    networks = 16 if side == "egress" and "ipblock" not in without else 0
    # A rule's peers are of one kind here: networks have no named ports.
    by_network = dice.pick((84, False), (networks, True))
    peers = [
        _network(dice, ground, without)
        if by_network
        else _pods(dice, ground, negative="negative-namespaces" not in without)
        for _ in range(dice.pick((75, 1), (25, 2)))
    ]
    rule["from" if side == "ingress" else "to"] = peers
    if dice.chance(50):
        rule["protocols"] = [_protocol(dice, ground, without, by_network) for _ in range(dice.pick((70, 1), (30, 2)))]
    return rule


def _network(dice: Dice, ground: Ground, without: Features) -> dict[str, Any]:
    if "ipblock-pods" in without:
        return {"networks": [f"{{address:{dice.one(ground.externals)}}}/32"]}
    end = dice.one([*ground.pods, *ground.externals])
    return {"networks": [dice.one(("0.0.0.0/0", f"{{network/24:{end}}}", f"{{address:{end}}}/32"))]}


def _protocol(dice: Dice, ground: Ground, without: Features, by_network: bool) -> dict[str, Any]:
    number, protocol, name = dice.one([port for port in ground.ports if port[1] != "SCTP"])
    if name and not by_network and "named-ports" not in without and dice.chance(20):
        return {"destinationNamedPort": name}
    if "end-port" not in without and number < 65535 and dice.chance(25):
        return {protocol.lower(): {"destinationPort": {"range": {"start": number, "end": number + 1}}}}
    return {protocol.lower(): {"destinationPort": {"number": number}}}
