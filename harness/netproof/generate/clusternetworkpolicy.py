"""ClusterNetworkPolicy (policy.networking.k8s.io/v1alpha2) by weight: both tiers, Accept, Deny and Pass. Valid only."""

from __future__ import annotations

from typing import Any

from netproof.generate.kubernetes import selector
from netproof.generate.request import Features
from netproof.generate.vocabulary import Vocabulary
from netproof.generate.weights import Chooser


def policy(chooser: Chooser, vocabulary: Vocabulary, name: str, without: Features) -> dict[str, Any]:
    """One object of the cluster. Priorities are by name, so that no two are equal, which the API leaves open."""
    tier = chooser.pick((60, "Admin"), (40, "Baseline"))
    accept = 0 if tier == "Baseline" and "baseline-accept" in without else 38
    spec: dict[str, Any] = {
        "tier": tier,
        "priority": 10 * int("".join(filter(str.isdigit, name)) or 0),
        "subject": _pods(chooser, vocabulary),
    }
    for side in chooser.pick((45, ["ingress"]), (25, ["egress"]), (30, ["ingress", "egress"])):
        rules = range(chooser.pick((45, 1), (35, 2), (20, 3)))
        spec[side] = [_rule(chooser, vocabulary, side, without, accept) for _ in rules]
    api_version = "policy.networking.k8s.io/v1alpha2"
    return {"apiVersion": api_version, "kind": "ClusterNetworkPolicy", "metadata": {"name": name}, "spec": spec}


def _pods(chooser: Chooser, vocabulary: Vocabulary, *, negative: bool = True) -> dict[str, Any]:
    if chooser.chance(40):
        return {"namespaces": selector(chooser, vocabulary.space_labels, negative=negative)}
    pods: dict[str, Any] = {"podSelector": selector(chooser, vocabulary.pod_labels)}
    if chooser.chance(70):
        pods["namespaceSelector"] = selector(chooser, vocabulary.space_labels, negative=negative)
    return {"pods": pods}


def _rule(chooser: Chooser, vocabulary: Vocabulary, side: str, without: Features, accept: int) -> dict[str, Any]:
    rule: dict[str, Any] = {"action": chooser.pick((accept, "Accept"), (38, "Deny"), (24, "Pass"))}
    networks = 16 if side == "egress" and "ipblock" not in without else 0
    # A rule's peers are of one kind here: networks have no named ports.
    by_network = chooser.pick((84, False), (networks, True))
    peers = [
        _network(chooser, vocabulary, without)
        if by_network
        else _pods(chooser, vocabulary, negative="negative-namespaces" not in without)
        for _ in range(chooser.pick((75, 1), (25, 2)))
    ]
    rule["from" if side == "ingress" else "to"] = peers
    if chooser.chance(50):
        rule["protocols"] = [
            _protocol(chooser, vocabulary, without, by_network) for _ in range(chooser.pick((70, 1), (30, 2)))
        ]
    return rule


def _network(chooser: Chooser, vocabulary: Vocabulary, without: Features) -> dict[str, Any]:
    if "ipblock-pods" in without:
        return {"networks": [f"{{address:{chooser.one(vocabulary.externals)}}}/32"]}
    end = chooser.one([*vocabulary.pods, *vocabulary.externals])
    return {"networks": [chooser.one(("0.0.0.0/0", f"{{network/24:{end}}}", f"{{address:{end}}}/32"))]}


def _protocol(chooser: Chooser, vocabulary: Vocabulary, without: Features, by_network: bool) -> dict[str, Any]:
    number, protocol, name = chooser.one([port for port in vocabulary.ports if port[1] != "SCTP"])
    if name and not by_network and "named-ports" not in without and chooser.chance(20):
        return {"destinationNamedPort": name}
    if "end-port" not in without and number < 65535 and chooser.chance(25):
        return {protocol.lower(): {"destinationPort": {"range": {"start": number, "end": number + 1}}}}
    return {protocol.lower(): {"destinationPort": {"number": number}}}
