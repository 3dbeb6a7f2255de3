"""What the reader makes of an object, and what it refuses, in the API server's sense (validation.go of networking)."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from netproof.errors import InputError
from netproof.policy.networkpolicy import read
from netproof.policy.rules import NetworkPeer, PodPeer, PortMatch, Requirement, Rule, Selector

from .example import manifest


def app(value: str) -> Selector:
    return Selector(requirements=(Requirement(key="app", operator="In", values=(value,)),))


def test_a_whole_object() -> None:
    (policy,) = read(
        manifest(
            "shop/api",
            """
            podSelector: {matchLabels: {app: api}}
            policyTypes: [Ingress, Egress]
            ingress:
              - from:
                  - podSelector: {matchLabels: {app: ui}}
                  - namespaceSelector: {matchExpressions: [{key: team, operator: NotIn, values: [ops, dev]}]}
                ports: [{port: http}, {port: 9000, endPort: 9100, protocol: SCTP}, {protocol: UDP}]
              - {}
            egress:
              - to: [{ipBlock: {cidr: 10.1.2.3/8, except: [10.1.0.0/16]}}]
            """,
        )
    )
    assert policy.ref == "NetworkPolicy shop/api"
    assert policy.subject == PodPeer(pods=app("api"), namespace="shop")
    assert policy.isolates == {"ingress", "egress"}
    not_in = Selector(requirements=(Requirement(key="team", operator="NotIn", values=("ops", "dev")),))
    assert policy.rules == (
        Rule(
            direction="ingress",
            index=0,
            peers=(PodPeer(pods=app("ui"), namespace="shop"), PodPeer(pods=Selector(), namespaces=not_in)),
            ports=(
                PortMatch(protocol="TCP", name="http"),
                PortMatch(protocol="SCTP", first=9000, last=9100),
                PortMatch(protocol="UDP"),
            ),
        ),
        Rule(direction="ingress", index=1, peers=None, ports=None),
        Rule(
            direction="egress",
            index=0,
            peers=(NetworkPeer(cidr="10.0.0.0/8", excepts=("10.1.0.0/16",)),),
            ports=None,
        ),
    )
    assert policy.ignored == frozenset()


@pytest.mark.parametrize(
    ("spec", "isolates", "rules", "ignored"),
    [
        ("{}", {"ingress"}, 0, set()),
        ("{podSelector: null, ingress: null, egress: null, policyTypes: null}", {"ingress"}, 0, set()),
        ("{ingress: []}", {"ingress"}, 0, set()),
        ("{egress: []}", {"ingress"}, 0, set()),
        ("{egress: [{}]}", {"ingress", "egress"}, 1, set()),
        ("{policyTypes: [], egress: [{}]}", {"ingress", "egress"}, 1, set()),
        ("{policyTypes: [Ingress], egress: [{}]}", {"ingress"}, 0, {"egress"}),
        ("{policyTypes: [Egress]}", {"egress"}, 0, set()),
        ("{policyTypes: [Egress], ingress: [{}], egress: [{}]}", {"egress"}, 1, {"ingress"}),
        ("{policyTypes: [Egress, Egress]}", {"egress"}, 0, set()),
    ],
)
def test_policy_types(spec: str, isolates: set[str], rules: int, ignored: set[str]) -> None:
    (policy,) = read(manifest("shop/p", spec))
    assert (set(policy.isolates), len(policy.rules), set(policy.ignored)) == (isolates, rules, ignored)


def test_namespace_defaults_and_foreign_fields_are_taken() -> None:
    whole = {
        **manifest("shop/p", "{}"),
        "metadata": {"name": "p", "labels": {"a": "b"}, "annotations": {}, "uid": "1", "managedFields": []},
        "status": {},
    }
    assert read(whole)[0].ref == "NetworkPolicy default/p"
    assert read({**whole, "spec": None})[0].isolates == {"ingress"}


def rule(text: str) -> str:
    return f"{{ingress: [{text}]}}"


REFUSED = [
    ("{podSelectr: {}}", "spec.podSelectr: unknown key; did you mean 'podSelector'?"),
    ("{zzz: 1}", "spec.zzz: unknown key; known here: podSelector, ingress, egress, policyTypes"),
    ("[]", "spec: must be a mapping (got [])"),
    ("{podSelector: {matchLabel: {}}}", "spec.podSelector.matchLabel: unknown key; did you mean 'matchLabels'?"),
    ("{podSelector: {matchLabels: [a]}}", "spec.podSelector.matchLabels: must be a mapping (got ['a'])"),
    (
        "{podSelector: {matchLabels: {app: 1}}}",
        "spec.podSelector.matchLabels.app: a label's value is a string; write '1'",
    ),
    ("{podSelector: {matchLabels: {app: true}}}", "write 'true' in quotes (got True)"),
    ("{podSelector: {matchLabels: {app: 'a b'}}}", "spec.podSelector.matchLabels.app: not a label's value"),
    ("{podSelector: {matchLabels: {'-x': a}}}", "spec.podSelector.matchLabels: not a label's key"),
    ("{podSelector: {matchLabels: {'/x': a}}}", "not a label's key"),
    ("{podSelector: {matchExpressions: {}}}", "spec.podSelector.matchExpressions: must be a list (got {})"),
    (
        "{podSelector: {matchExpressions: [{key: a, operator: in, values: [b]}]}}",
        "spec.podSelector.matchExpressions[0].operator: must be In, NotIn, Exists or DoesNotExist (got 'in')",
    ),
    (
        "{podSelector: {matchExpressions: [{key: a, operator: In}]}}",
        "matchExpressions[0].values: must be specified when the operator is In",
    ),
    (
        "{podSelector: {matchExpressions: [{key: a, operator: NotIn, values: []}]}}",
        "matchExpressions[0].values: must be specified when the operator is NotIn",
    ),
    (
        "{podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}",
        "matchExpressions[0].values: may not be specified when the operator is Exists",
    ),
    ("{podSelector: {matchExpressions: [{operator: Exists}]}}", "matchExpressions[0].key: a label's key is needed"),
    ("{policyTypes: [Ingress, Egress, Ingress]}", "spec.policyTypes: may not specify more than two policyTypes"),
    ("{policyTypes: [egress]}", "spec.policyTypes[0]: must be Egress (got 'egress')"),
    ("{policyTypes: [Both]}", "spec.policyTypes[0]: must be Ingress or Egress (got 'Both')"),
    ("{policyTypes: Egress}", "spec.policyTypes: must be a list (got 'Egress')"),
    ("{ingress: {}}", "spec.ingress: must be a list (got {})"),
    ("{ingress: [null]}", "spec.ingress[0]: an empty item; write {} where everything is meant"),
    (rule("{to: []}"), "spec.ingress[0].to: unknown key; known here: ports, from"),
    ("{egress: [{form: []}]}", "spec.egress[0].form: unknown key"),
    (rule("{from: [{}]}"), "spec.ingress[0].from[0]: must specify a peer: podSelector, namespaceSelector or ipBlock"),
    (rule("{from: [{podSelector: null}]}"), "spec.ingress[0].from[0]: must specify a peer"),
    (
        rule("{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}"),
        "spec.ingress[0].from[0]: may not specify both ipBlock and another peer",
    ),
    (rule("{from: [{namespaceSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}"), "both ipBlock and another peer"),
    (rule("{from: [{ipBlock: {}}]}"), "spec.ingress[0].from[0].ipBlock.cidr: this key is needed: an address range"),
    (rule("{from: [{ipBlock: {cidr: 10.0.0.1}}]}"), "ipBlock.cidr: must be an address range in CIDR notation"),
    (rule("{from: [{ipBlock: {cidr: 10.0.0.0/33}}]}"), "ipBlock.cidr: must be an address range in CIDR notation"),
    (rule("{from: [{ipBlock: {cidr: 10.0.0.0/255.0.0.0}}]}"), "ipBlock.cidr: must be an address range"),
    (
        rule("{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}"),
        "spec.ingress[0].from[0].ipBlock.except[0]: must be a strict subset of cidr 10.0.0.0/8 (got '11.0.0.0/16')",
    ),
    (rule("{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}"), "must be a strict subset"),
    (rule("{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/7]}}]}"), "must be a strict subset"),
    (rule("{from: [{ipBlock: {cidr: 10.0.0.0/8, except: ['::/64']}}]}"), "must be a strict subset"),
    (
        rule("{from: [{ipBlock: {cidr: 10.0.0.0/8, excepts: []}}]}"),
        "ipBlock.excepts: unknown key; did you mean 'except'?",
    ),
    (rule("{ports: [{protocol: tcp}]}"), "spec.ingress[0].ports[0].protocol: must be TCP, UDP or SCTP (got 'tcp')"),
    (rule("{ports: [{port: 0}]}"), "ports[0].port: must be a port number from 1 to 65535 (got 0)"),
    (rule("{ports: [{port: 65536}]}"), "ports[0].port: must be a port number from 1 to 65535 (got 65536)"),
    (rule("{ports: [{port: 80.5}]}"), "ports[0].port: must be a port number"),
    (rule("{ports: [{port: true}]}"), "ports[0].port: must be a port number"),
    (rule("{ports: [{port: '80'}]}"), "ports[0].port: must be a number or a port name"),
    (rule("{ports: [{port: '80'}]}"), "(got '80'); a number is written without quotes"),
    (rule("{ports: [{port: a-name-too-long-x}]}"), "ports[0].port: must be a number or a port name"),
    (rule("{ports: [{port: 80, endPort: 79}]}"), "ports[0].endPort: must be greater than or equal to port"),
    (rule("{ports: [{port: 80, endPort: 70000}]}"), "ports[0].endPort: must be a port number"),
    (rule("{ports: [{port: http, endPort: 80}]}"), "ports[0].endPort: may not be specified when port is a name"),
    (rule("{ports: [{endPort: 80}]}"), "ports[0].endPort: may not be specified when port is not specified"),
    (rule("{ports: [{ports: 80}]}"), "ports[0].ports: unknown key; did you mean 'port'?"),
]


@pytest.mark.parametrize(("spec", "sentence"), REFUSED)
def test_refused(spec: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        read(manifest("shop/p", spec))
    assert str(caught.value).startswith("NetworkPolicy shop/p: spec")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("{metadata: {namespace: shop}}", "NetworkPolicy without a name: metadata.name: must be the name of an object"),
        ("{metadata: {name: P}}", "NetworkPolicy default/P: metadata.name: must be the name of an object (got 'P')"),
        ("{metadata: {name: p, namspace: x}}", "metadata.namspace: unknown key; did you mean 'namespace'?"),
        ("{metadata: null}", "metadata.name: must be the name of an object (got None)"),
        ("{specs: {}}", "NetworkPolicy shop/p: specs: unknown key; did you mean 'spec'?"),
    ],
)
def test_refused_outside_the_spec(change: str, sentence: str) -> None:
    content: dict[str, Any] = {**manifest("shop/p", "{}"), **yaml.safe_load(change)}
    with pytest.raises(InputError) as caught:
        read(content)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(("ref", "key"), [(f"shop/{'x' * 254}", "name"), (f"{'x' * 64}/web", "namespace")])
def test_names_that_are_too_long_are_refused(ref: str, key: str) -> None:
    with pytest.raises(InputError, match=rf"metadata\.{key}: must be the name of an object"):
        read(manifest(ref, "podSelector: {}"))
    namespace, name = ref.split("/")
    read(manifest(f"{namespace[:63]}/{name[:253]}", "podSelector: {}"))
