"""The room's public functions: which manifests are policies, and what becomes of the others."""

from __future__ import annotations

import pytest
import yaml

import netproof.policy
from netproof.errors import InputError, NotUnderstood
from netproof.manifests.yaml_documents import Located, parse_yaml
from netproof.policy import read_each, read_policies, read_understood

from .example import manifest


def test_public_names() -> None:
    assert netproof.policy.__all__ == [
        "READERS",
        "Decision",
        "DirectionDecision",
        "Evaluator",
        "Policy",
        "UnreadPolicy",
        "WholeMatrix",
        "decide_probes",
        "read_each",
        "read_policies",
        "read_understood",
        "warnings",
    ]


def test_other_kinds_are_passed_over() -> None:
    manifests = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
        manifest("shop/a", "{}"),
        {"apiVersion": "apps/v1", "kind": "Deployment", "anything": 1},
        manifest("shop/b", "{}"),
    ]
    assert [policy.ref for policy in read_policies(manifests)] == ["NetworkPolicy shop/a", "NetworkPolicy shop/b"]


def test_the_later_of_one_name_replaces_the_earlier() -> None:
    first, second = manifest("shop/a", "{}"), manifest("shop/a", "{policyTypes: [Egress]}")
    (policy,) = read_policies([first, second])
    assert policy.isolates == {"egress"}


@pytest.mark.parametrize(
    "whole",
    [
        {"apiVersion": "v1", "kind": "List", "items": [manifest("shop/a", "{}")]},
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicyList",
            "metadata": {},
            "items": [{"metadata": {"name": "a", "namespace": "shop"}, "spec": {}}],
        },
    ],
    ids=["List", "NetworkPolicyList"],
)
def test_lists_are_opened(whole: dict[str, object]) -> None:
    assert [policy.ref for policy in read_policies([whole])] == ["NetworkPolicy shop/a"]


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("example.org/v1", "StrangeNetworkPolicy"),
        ("extensions/v1beta1", "NetworkPolicy"),
    ],
)
def test_a_policy_that_nobody_reads_is_refused(api_version: str, kind: str) -> None:
    odd = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "namespace": "shop"}}
    with pytest.raises(InputError) as caught:
        read_policies([odd])
    assert str(caught.value).startswith(f"{kind} shop/x: {kind} of {api_version} is not understood yet; understood: ")
    assert "NetworkPolicy (networking.k8s.io/v1)" in str(caught.value)


@pytest.mark.parametrize(
    ("odd", "sentence"),
    [
        ({"kind": "Pod", "metadata": {"name": "x"}}, "Pod x: the manifest has no apiVersion"),
        ({"apiVersion": "v1"}, "manifest 1: the manifest has no kind"),
        ("text", "manifest 1: a manifest is a mapping, this is 'text'"),
        (
            {"apiVersion": "v1", "kind": "List", "items": [None]},
            "manifest 1: a manifest is a mapping, this is None",
        ),
    ],
)
def test_what_is_no_manifest_is_refused(odd: object, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        read_policies([odd])  # type: ignore[list-item]
    assert sentence in str(caught.value)


def test_the_file_and_the_line_are_named() -> None:
    text = yaml.safe_dump_all([manifest("shop/fine", "{podSelector: {}}"), manifest("shop/a", "{podSelectr: {}}")])
    line = text.splitlines().index("  podSelectr: {}") + 1
    objects = [Located(content=one.content, document=one) for one in parse_yaml(text, "policies.yaml")]
    with pytest.raises(InputError) as caught:
        read_each(objects)
    assert str(caught.value) == (
        f"policies.yaml:{line}: NetworkPolicy shop/a: spec.podSelectr: unknown key; did you mean 'podSelector'?"
    )


ONE_UNREAD = """
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: web, namespace: shop}
spec: {endpointSelector: {}, ingress: [{toPorts: [{ports: [{port: "80"}], rules: {http: [{method: GET}]}}]}]}
"""


def test_what_is_not_understood_stands_beside_the_others() -> None:
    texts = (yaml.safe_dump(manifest("shop/a", "{}")), ONE_UNREAD, "{apiVersion: x/v1, kind: OtherNetworkPolicy}")
    objects = [
        Located(content=document.content, document=document)
        for n, text in enumerate(texts)
        for document in parse_yaml(text, f"{n}.yaml")
    ]
    read, unread = read_understood(objects)
    assert [policy.ref for _, policies in read for policy in policies] == ["NetworkPolicy shop/a"]
    assert [(one.ref, one.key) for one in unread] == [
        ("CiliumNetworkPolicy shop/web", "spec.ingress[0].toPorts[0].rules.http"),
        ("OtherNetworkPolicy", ""),
    ]
    with pytest.raises(NotUnderstood, match="layer 7 is not understood") as caught:
        read_each(objects)
    assert caught.value.file == "1.yaml"


def test_what_its_engine_refuses_is_a_mistake_all_the_same() -> None:
    (document,) = parse_yaml(ONE_UNREAD.replace("endpointSelector", "endpointSelektor"), "0.yaml")
    with pytest.raises(InputError, match="unknown key") as caught:
        read_understood([Located(content=document.content, document=document)])
    assert not isinstance(caught.value, NotUnderstood)
