"""NetworkPolicies that the API server must refuse: valid ones with one thing wrong (validation.go of networking/v1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from netproof.generate import kubernetes
from netproof.generate.strategies import APART, draw_value
from netproof.generate.vocabulary import load_vocabulary
from netproof.generate.weights import Chooser

Spec = dict[str, Any]
CIDRS = ("10.0.0.0", "10.0.0.0/33", "300.0.0.0/8", "", "10.0.0.0/", "2001:db8::/129", "everywhere")
LONG = "x" * 64

PORTS: dict[str, Any] = {
    "port 0": {"port": 0},
    "port beyond the last": {"port": 65536},
    "negative port": {"port": -1},
    "port name with a capital": {"port": "Http"},
    "port name of digits": {"port": "80"},
    "port name too long": {"port": "a-very-long-port"},
    "port name with a dash at its end": {"port": "http-"},
    "endPort without port": {"endPort": 90},
    "endPort with a name": {"port": "http", "endPort": 90},
    "endPort below port": {"port": 90, "endPort": 80},
    "endPort beyond the last": {"port": 90, "endPort": 65536},
    "unknown protocol": {"protocol": "ICMP"},
    "protocol in small letters": {"protocol": "tcp"},
    "unknown key of a port": {"ports": 80},
}
SELECTORS: dict[str, Any] = {
    "unknown operator": {"matchExpressions": [{"key": "pod", "operator": "Equals", "values": ["a"]}]},
    "In without values": {"matchExpressions": [{"key": "pod", "operator": "In"}]},
    "NotIn with no value": {"matchExpressions": [{"key": "pod", "operator": "NotIn", "values": []}]},
    "Exists with values": {"matchExpressions": [{"key": "pod", "operator": "Exists", "values": ["a"]}]},
    "DoesNotExist with values": {"matchExpressions": [{"key": "pod", "operator": "DoesNotExist", "values": ["a"]}]},
    "key of no form": {"matchExpressions": [{"key": "-pod", "operator": "Exists"}]},
    "key too long": {"matchExpressions": [{"key": LONG, "operator": "Exists"}]},
    "no key": {"matchExpressions": [{"operator": "Exists"}]},
    "value of no form": {"matchLabels": {"pod": "not a value"}},
    "value too long": {"matchLabels": {"pod": LONG}},
    "value that is a number": {"matchLabels": {"pod": 1}},
    "unknown key of a selector": {"matchLabel": {"pod": "a"}},
}
PEERS: dict[str, Any] = {
    "empty peer": {},
    "ipBlock and podSelector": {"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}},
    "ipBlock and namespaceSelector": {"ipBlock": {"cidr": "10.0.0.0/8"}, "namespaceSelector": {}},
    "except that is the block": {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]}},
    "except that is larger": {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["0.0.0.0/0"]}},
    "except elsewhere": {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["192.168.0.0/24"]}},
    "except of the other family": {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["2001:db8::/64"]}},
    "except of no form": {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1"]}},
    "ipBlock without cidr": {"ipBlock": {"except": ["10.0.0.0/9"]}},
    **{f"cidr {cidr!r}": {"ipBlock": {"cidr": cidr}} for cidr in CIDRS},
}
SPECS: dict[str, Callable[[Spec], Spec]] = {
    "type in small letters": lambda spec: {**spec, "policyTypes": ["ingress"]},
    "unknown type": lambda spec: {**spec, "policyTypes": ["Ingress", "Both"]},
    "three types": lambda spec: {**spec, "policyTypes": ["Ingress", "Egress", "Ingress"]},
    "unknown key of a spec": lambda spec: {**spec, "ingres": []},
    "rules that are no list": lambda spec: {**spec, "ingress": {"from": []}},
    "peers under the other direction's key": lambda spec: {**spec, "ingress": [{"to": [{"podSelector": {}}]}]},
    "peers under the wrong key": lambda spec: {**spec, "egress": [{"from": [{"podSelector": {}}]}]},
}
NAMES = ("Upper", "under_score", "-dash", "x" * 254, "with space")

SLIPS = [
    *(("ports", name) for name in PORTS),
    *(("selectors", name) for name in SELECTORS),
    *(("peers", name) for name in PEERS),
    *(("specs", name) for name in SPECS),
    *(("names", name) for name in NAMES),
]
"""All that can be wrong; each alone makes an object that must be refused."""


@st.composite
def objects(draw: Callable[[st.SearchStrategy[int]], Any]) -> tuple[str, dict[str, Any]]:
    """What is wrong, and the object that has it."""
    chooser = Chooser(draw)
    world = load_vocabulary(chooser.one(("grid", "teams", "ports")))
    manifest = _plain(kubernetes.policy(chooser, world, "refused", frozenset()))
    where, what = chooser.one(SLIPS)
    side, key = chooser.one((("ingress", "from"), ("egress", "to")))
    spec = manifest["spec"]
    match where:
        case "ports":
            _into(chooser, spec, side, "ports", PORTS[what])
        case "peers":
            _into(chooser, spec, side, key, PEERS[what])
        case "selectors":
            kind = chooser.one(("podSelector", "namespaceSelector", "subject"))
            if kind == "subject":
                spec["podSelector"] = SELECTORS[what]
            else:
                _into(chooser, spec, side, key, {kind: SELECTORS[what]})
        case "specs":
            manifest["spec"] = SPECS[what](spec)
        case _:
            manifest["metadata"] = {**manifest["metadata"], "name": what}
    return what, manifest


def draw_refused(seed: int, count: int) -> list[tuple[str, dict[str, Any]]]:
    """So many objects: the same ones for the same seed."""
    return [draw_value(objects(), seed * APART + number) for number in range(1, count + 1)]


def _plain(value: Any) -> Any:
    """With addresses for placeholders: nothing but the slip may be wrong."""
    match value:
        case {"ipBlock": _}:
            return {"ipBlock": {"cidr": "192.0.2.0/24"}}
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case _:
            return value


def _into(chooser: Chooser, spec: Spec, side: str, key: str, item: Any) -> None:
    """Put an item among others of its list, in some rule of a direction."""
    rules = spec.setdefault(side, [])
    if not rules:
        rules.append({})
    items = chooser.one(rules).setdefault(key, [])
    items.insert(chooser.one(range(len(items) + 1)), item)
