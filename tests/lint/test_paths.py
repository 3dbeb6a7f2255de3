"""A path as users name it, and the smallest rule that it lacks: tried, and shown to open nothing else."""

from __future__ import annotations

from itertools import product

import pytest
import yaml

from netproof.errors import InputError
from netproof.lint import LintInput
from netproof.lint.allow import advise
from netproof.lint.path_explanation import explain_path
from netproof.lint.paths import read_probe
from netproof.model import Probe, Specified

from .example import APP, looked_at, policy

DENY = policy("{podSelector: {}, policyTypes: [Ingress, Egress]}", name="deny")
API = policy(
    "{podSelector: {matchLabels: {app: api}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}}]}]}",
    name="api",
)


@pytest.fixture
def given() -> LintInput:
    return looked_at(APP, DENY, API)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("ui", "api", "9090"), "shop/ui → shop/api:9090/TCP"),
        (("shop/ui", "api", "grpc"), "shop/ui → shop/api:9090/TCP"),
        (("ui", "svc:shop/api", "80"), "shop/ui → shop/api:80/TCP via service"),
        (("ui", "kube-dns", "53/udp"), "shop/ui → kube-system/kube-dns:53/UDP via service"),
        (("ui", "192.0.2.7", "443"), "shop/ui → external:192.0.2.7:443/TCP"),
        (("2001:db8::1", "api", "9090"), "external:2001:db8::1 → shop/api:9090/TCP IPv6"),
        (("192.0.2.7", "svc:shop/api", "80"), "external:192.0.2.7 → shop/api:80/TCP via nodeport"),
    ],
)
def test_short_forms(given: LintInput, words: tuple[str, str, str], shown: str) -> None:
    assert str(read_probe(given, *words)[1]) == shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("uii", "api", "1"), "FROM: there is no 'uii'; did you mean 'ui'?"),
        (("ui", "apo", "1"), "TO: there is no 'apo'; did you mean 'api'?"),
        (("svc:shop/api", "ui", "1"), "FROM: a Service sends nothing"),
        (("ui", "api", "grcp"), "PORT: shop/api has no port named 'grcp'; did you mean 'grpc'?"),
        (("ui", "svc:shop/api", "9090"), "PORT: svc:shop/api has no port 9090/TCP; it has 80/TCP"),
        (("ui", "api", "0"), "PORT: a port number is from 1 to 65535"),
        (("ui", "api", "1/ICMP"), "PORT: a protocol is TCP, UDP or SCTP"),
    ],
)
def test_a_mistake_names_the_word_and_the_nearest(given: LintInput, words: tuple[str, str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_probe(given, *words)
    assert message in str(caught.value)


def test_a_name_of_several_namespaces_must_be_whole() -> None:
    twin = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: ui, namespace: ops}\nspec: {}\n"
    with pytest.raises(InputError, match="'ui' is the name of several: shop/ui, ops/ui"):
        read_probe(looked_at(APP, twin, DENY), "ui", "api", "9090")


def test_the_rules_that_are_missing_open_this_path_and_no_other(given: LintInput) -> None:
    """Each denied path of the application gets its rules; then it connects, and nothing else changed."""
    pods = [pod.id for pod in given.inventory.topology.pods if not pod.host_network]
    ports = {pod.id: pod.ports[0].port if pod.ports else 1 for pod in given.inventory.topology.pods}
    paths = [Probe(source=a, destination=b, port=ports[b]) for a, b in product(pods, pods) if a != b]
    before = {path: given.evaluator.decide(path).specified for path in paths}
    denied = [path for path in paths if before[path] is Specified.DENIED]
    assert len(denied) >= 3
    for path in denied:
        found = advise(given, path, given.evaluator.decide(path))
        assert found.why_not == ()
        more = "".join(f"---\n{yaml.safe_dump(dict(missing.manifest))}" for missing in found.missing)
        after = looked_at(APP, DENY, API, more).evaluator
        changed = {other for other in paths if after.decide(other).specified is not before[other]}
        assert changed == {path}


def test_a_rule_goes_into_the_policy_that_selects_this_pod_alone() -> None:
    given, probe = read_probe(looked_at(APP, API), "ui", "svc:shop/api", "80")
    (missing,) = advise(given, probe, given.evaluator.decide(probe)).missing
    assert missing.policy is not None
    assert missing.policy.policy.ref == "NetworkPolicy shop/api"
    assert missing.rule == {
        "from": [{"podSelector": {"matchLabels": {"app": "ui"}}}],
        "ports": [{"port": 9090, "protocol": "TCP"}],
    }


def test_a_pod_of_another_namespace_is_named_with_it(given: LintInput) -> None:
    _, probe = read_probe(given, "ui", "prober", "8080")
    (missing,) = advise(given, probe, given.evaluator.decide(probe)).missing
    assert missing.rule["to"] == [
        {
            "podSelector": {"matchLabels": {"app": "prober"}},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ops"}},
        }
    ]
    assert missing.policy is None  # the default deny isolates others too


def test_an_address_is_a_block_of_its_own(given: LintInput) -> None:
    with_address, probe = read_probe(given, "ui", "192.0.2.7", "443")
    (missing,) = advise(with_address, probe, with_address.evaluator.decide(probe)).missing
    assert missing.rule["to"] == [{"ipBlock": {"cidr": "192.0.2.7/32"}}]


def test_it_is_told_with_places(given: LintInput) -> None:
    text = "\n".join(explain_path(*read_probe(given, "prober", "api", "9090")))
    assert text.startswith("ops/prober → shop/api:9090/TCP: connects")
    assert "isolated by NetworkPolicy shop/deny (1.yaml:2), NetworkPolicy shop/api (2.yaml:2)" in text
    assert "of NetworkPolicy shop/api (2.yaml:5)" in text
    text = "\n".join(explain_path(*read_probe(given, "ui", "api", "9090")))
    assert "Missing: a rule under spec.ingress of NetworkPolicy shop/api (2.yaml:5)." in text
