"""NetworkPolicy (networking.k8s.io/v1) by weight: what people write, and what they get wrong. Valid objects only."""

from __future__ import annotations

from typing import Any

from netproof.generate.request import Features
from netproof.generate.vocabulary import NEAR_KEYS, NEAR_VALUES, Vocabulary
from netproof.generate.weights import Chooser


def policy(chooser: Chooser, vocabulary: Vocabulary, name: str, without: Features) -> dict[str, Any]:
    """One object in one of the world's namespaces."""
    namespace = chooser.one(vocabulary.namespaces)
    metadata = {"name": name, "namespace": namespace}
    spec = _spec(chooser, vocabulary, without)
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def _spec(chooser: Chooser, vocabulary: Vocabulary, without: Features) -> dict[str, Any]:
    types: list[str] | None = chooser.pick(
        (20, None), (32, ["Ingress"]), (20, ["Egress"]), (26, ["Ingress", "Egress"]), (2, [])
    )
    spec: dict[str, Any] = {"podSelector": chooser.pick((30, {}), (70, None))}
    if spec["podSelector"] is None:
        spec["podSelector"] = selector(chooser, vocabulary.pod_labels)
    if types is not None:
        spec["policyTypes"] = types
    for direction, word in (("ingress", "Ingress"), ("egress", "Egress")):
        named = not types or word in types
        if not named and ("types-not-named" in without or chooser.chance(85)):
            continue
        count = chooser.pick((22, 0), (45, 1), (25, 2), (8, 3))
        # Without policyTypes, egress rules alone decide whether it isolates for egress.
        if count or chooser.chance(25):
            spec[direction] = [_rule(chooser, vocabulary, direction, without) for _ in range(count)]
    return spec


def _rule(chooser: Chooser, vocabulary: Vocabulary, direction: str, without: Features) -> dict[str, Any]:
    key = "from" if direction == "ingress" else "to"
    rule: dict[str, Any] = {}
    peers = chooser.pick((16, None), (3, 0), (50, 1), (21, 2), (10, 3))
    if peers is not None:
        rule[key] = [_peer(chooser, vocabulary, direction, without) for _ in range(peers)]
    ports = chooser.pick((45, None), (3, 0), (32, 1), (14, 2), (6, 3))
    if ports is not None:
        rule["ports"] = [_port(chooser, vocabulary, without) for _ in range(ports)]
    return rule


def _peer(chooser: Chooser, vocabulary: Vocabulary, direction: str, without: Features) -> dict[str, Any]:
    addresses = [] if "ipblock-pods" in without else vocabulary.pods
    # From outside nobody probes: there only addresses of pods mean something.
    outside = vocabulary.externals if direction == "egress" or addresses else []
    kind = chooser.pick(
        (30, "pods"),
        (22, "spaces"),
        (28, "both"),
        (20 if (addresses or outside) and "ipblock" not in without else 0, "block"),
    )
    if kind == "block":
        return {"ipBlock": block(chooser, addresses, outside)}
    peer = {}
    if kind in ("spaces", "both"):
        peer["namespaceSelector"] = selector(chooser, vocabulary.space_labels)
    if kind in ("pods", "both"):
        peer["podSelector"] = selector(chooser, vocabulary.pod_labels)
    return peer


def selector(chooser: Chooser, labels: Any, *, negative: bool = True) -> dict[str, Any]:
    """A label selector by the labels that exist, and now and then by ones that nobody has. `negative`: with NotIn and
    DoesNotExist, too."""
    kind = chooser.pick((18, "all"), (46, "labels"), (26, "expressions"), (10, "both"))
    found: dict[str, Any] = {}
    if kind in ("labels", "both"):
        keys = chooser.some(sorted(labels), chooser.pick((85, 1), (15, 2)))
        found["matchLabels"] = {key: value(chooser, labels, key) for key in keys}
    if kind in ("expressions", "both"):
        count = chooser.pick((80, 1), (20, 2))
        found["matchExpressions"] = [_expression(chooser, labels, 1 if negative else 0) for _ in range(count)]
    return found


def value(chooser: Chooser, labels: Any, key: str) -> str:
    return chooser.one(labels[key]) if chooser.chance(92) else chooser.one(NEAR_VALUES)


def _expression(chooser: Chooser, labels: Any, negative: int) -> dict[str, Any]:
    key = chooser.one(sorted(labels)) if chooser.chance(88) else chooser.one(NEAR_KEYS)
    operator = chooser.pick((32, "In"), (32 * negative, "NotIn"), (18, "Exists"), (18 * negative, "DoesNotExist"))
    expression: dict[str, Any] = {"key": key, "operator": operator}
    if operator in ("In", "NotIn"):
        expression["values"] = chooser.some(
            [*labels.get(key, ()), *NEAR_VALUES], chooser.pick((55, 1), (35, 2), (10, 3))
        )
    return expression


def block(chooser: Chooser, pods: list[str], outside: list[str]) -> dict[str, Any]:
    """An ipBlock over addresses of these; `except` is always a strict part of it."""
    within = [*pods, *outside]
    kind = chooser.pick((25 if pods else 0, "all"), (20, 16), (25 if pods else 0, 24), (28, "one"), (2, "six"))
    if kind == "six":
        return {"cidr": "::/0"}
    if kind == "one":
        return {"cidr": f"{{address:{chooser.one(within)}}}/32"}
    end = chooser.one(within)
    found: dict[str, Any] = {"cidr": "0.0.0.0/0" if kind == "all" else f"{{network/{kind}:{end}}}"}
    if chooser.chance(50):
        ends = chooser.some(within, chooser.pick((70, 1), (30, 2))) if kind == "all" else [end]
        length = chooser.pick((60, 32), (20, 30), (20, 28))
        found["except"] = [f"{{address:{one}}}/32" if length == 32 else f"{{network/{length}:{one}}}" for one in ends]
    return found


def _port(chooser: Chooser, vocabulary: Vocabulary, without: Features) -> dict[str, Any]:
    number, protocol, name = chooser.one(vocabulary.ports)
    if protocol == "SCTP" and "sctp" in without:
        number, protocol, name = next(port for port in vocabulary.ports if port[1] != "SCTP")
    named = 25 if name and "named-ports" not in without else 0
    kind = chooser.pick(
        (50, "number"), (named, "name"), (0 if "end-port" in without else 12, "range"), (13, "protocol")
    )
    port: dict[str, Any] = {}
    if protocol != "TCP" or chooser.chance(50):
        # An author's slip: the right port of the wrong protocol.
        port["protocol"] = protocol if chooser.chance(93) else chooser.one(("TCP", "UDP"))
    match kind:
        case "number":
            port["port"] = number if chooser.chance(92) else number % 65535 + 1
        case "name":
            port["port"] = name if chooser.chance(92) else "nobody"
        case "range":
            port["port"] = max(1, number - chooser.one((0, 0, 1)))
            port["endPort"] = chooser.pick((30, port["port"]), (50, min(number + 1, 65535)), (20, 65535))
        case _:
            port.setdefault("protocol", protocol)
    return port
