"""Calico's NetworkPolicy (projectcalico.org/v3) by weight: ordered rules that allow, deny, pass and log. Valid only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netproof.generate.request import Features
from netproof.generate.vocabulary import NEAR_VALUES, Vocabulary
from netproof.generate.weights import Chooser

ACTIONS = ((58, "Allow"), (28, "Deny"), (8, "Pass"), (6, "Log"))
EXPRESSIONS = (
    "{key} == '{value}'",
    "{key} != '{value}'",
    "has({key})",
    "!has({key})",
    "{key} in {{'{value}', '{other}'}}",
)
LOGIC = ("{one} && {two}", "{one} || {two}", "!({one})", "{one}", "{one}")


def policy(chooser: Chooser, vocabulary: Vocabulary, name: str, without: Features) -> dict[str, Any]:
    """One object in one of the world's namespaces."""
    spec: dict[str, Any] = {"selector": "all()" if chooser.chance(30) else _selector(chooser, vocabulary.pod_labels)}
    if chooser.chance(70):
        spec["order"] = chooser.one((10, 10, 20, 500, 1000, 2000))
    sides = chooser.pick((40, ["ingress"]), (30, ["egress"]), (30, ["ingress", "egress"]))
    for side in sides:
        if rules := [
            _rule(chooser, vocabulary, side, without) for _ in range(chooser.pick((12, 0), (40, 1), (30, 2), (18, 3)))
        ]:
            spec[side] = rules
    if chooser.chance(60) or not any(side in spec for side in sides):
        spec["types"] = [side.capitalize() for side in sides]
    metadata = {"name": name, "namespace": chooser.one(vocabulary.namespaces)}
    return {"apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def _rule(chooser: Chooser, vocabulary: Vocabulary, side: str, without: Features) -> dict[str, Any]:
    rule: dict[str, Any] = {"action": chooser.pick(*ACTIONS)}
    far = "source" if side == "ingress" else "destination"
    ends: dict[str, dict[str, Any]] = {"source": {}, "destination": {}}
    ends[far] = _end(chooser, vocabulary, side, without)
    if chooser.chance(50):
        number, protocol, name = chooser.one([port for port in vocabulary.ports if port[1] != "SCTP"])
        rule["protocol"] = protocol
        kind = chooser.pick((45, "number"), (15, "range"), (12 if name else 0, "name"), (13, "not"), (15, "protocol"))
        if kind == "not":
            ends["destination"]["notPorts"] = [number]
        elif kind == "range" and "end-port" not in without:
            ends["destination"]["ports"] = [f"{number}:{min(number + 1, 65535)}"]
        elif kind == "name" and "named-ports" not in without:
            ends["destination"]["ports"] = [name]
        elif kind != "protocol":
            ends["destination"]["ports"] = [number]
    return rule | {end: content for end, content in ends.items() if content}


def _end(chooser: Chooser, vocabulary: Vocabulary, side: str, without: Features) -> dict[str, Any]:
    by_address = 0 if "ipblock" in without else 14
    kind = chooser.pick(
        (14, "all"), (30, "pods"), (18, "spaces"), (18, "both"), (8, "not"), (by_address, "nets"), (6, "others")
    )
    found: dict[str, Any] = {}
    if kind in ("pods", "both"):
        found["selector"] = _selector(chooser, vocabulary.pod_labels)
    if kind in ("spaces", "both"):
        found["namespaceSelector"] = _selector(
            chooser, {key: v for key, v in vocabulary.space_labels.items() if "/" not in key}
        )
    if kind == "not":
        found["notSelector"] = _selector(chooser, vocabulary.pod_labels)
    ends = [*vocabulary.pods, *(vocabulary.externals if side == "egress" else ())]
    if kind == "nets":
        end = chooser.one(ends)
        found["nets"] = [chooser.one((f"{{address:{end}}}/32", f"{{network/24:{end}}}", "0.0.0.0/0"))]
    if kind == "others" and "ipblock" not in without:
        found["notNets"] = [f"{{address:{chooser.one(ends)}}}/32"]
    return found


def _selector(chooser: Chooser, labels: Mapping[str, Sequence[str]]) -> str:
    one, two = (_term(chooser, labels) for _ in range(2))
    return chooser.one(LOGIC).format(one=one, two=two)


def _term(chooser: Chooser, labels: Mapping[str, Sequence[str]]) -> str:
    key = chooser.one(sorted(labels))
    value, other = (chooser.one(labels[key]) if chooser.chance(88) else chooser.one(NEAR_VALUES) for _ in range(2))
    return chooser.one(EXPRESSIONS).format(key=key, value=value, other=other)
