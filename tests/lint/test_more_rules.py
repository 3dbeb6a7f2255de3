"""Rules about DNS wherever it is, what the API server calls, blocks as they are written, and impossible namespaces."""

from __future__ import annotations

import pytest

from netproof.errors import InputError
from netproof.lint import build_input, check, find_unread, locate_policies, read_inventory
from netproof.lint.dns import read_dns

from .example import APP, findings, objects, policy

OUT = "{podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: ["
FAR = "{to: [{ipBlock: {cidr: 192.0.2.0/24}}]}"


def rules_of(*texts: str, dns: tuple[str, ...] = (), services: tuple[str, ...] = ()) -> list[str]:
    found = objects(APP, *texts)
    inventory = read_inventory(found, service_ranges=services)
    inputs = build_input(locate_policies(found), inventory, unread=find_unread(found), dns=read_dns(dns))
    return [finding.rule for finding in check(inputs).findings]


def to_namespace(name: str, port: int) -> str:
    return (
        f"{{to: [{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {name}}}}}}}], "
        f"ports: [{{port: {port}, protocol: UDP}}]}}"
    )


@pytest.mark.parametrize(
    ("rule", "dns", "found"),
    [
        (FAR, (), True),
        (to_namespace("openshift-dns", 5353), (), False),
        (to_namespace("openshift-dns", 53), (), True),
        (to_namespace("openshift-dns", 5353), ("openshift",), False),
        (to_namespace("openshift-dns", 5353), ("kube-dns",), True),
        (to_namespace("kube-system", 53), ("openshift",), True),
        ("{to: [{ipBlock: {cidr: 169.254.20.10/32}}], ports: [{port: 53, protocol: UDP}]}", (), False),
        ("{to: [{ipBlock: {cidr: 169.254.20.10/32}}], ports: [{port: 53}]}", (), True),
        ("{to: [{ipBlock: {cidr: 192.0.2.53/32}}], ports: [{port: 53, protocol: UDP}]}", ("192.0.2.53",), False),
        ("{to: [{ipBlock: {cidr: 192.0.2.53/32}}], ports: [{port: 53, protocol: UDP}]}", (), True),
    ],
)
def test_dns_is_where_it_is_said_to_be(rule: str, dns: tuple[str, ...], found: bool) -> None:
    assert ("egress-without-dns" in rules_of(policy(f"{OUT}{rule}]}}"), dns=dns)) is found


def test_a_profile_is_a_name_or_an_address() -> None:
    with pytest.raises(InputError, match="must be one of kube-dns, openshift, nodelocal, or an address"):
        read_dns(["coredns"])


RESOLVER = """
apiVersion: v1
kind: Pod
metadata: {{name: own, namespace: shop, labels: {{app: own}}}}
spec: {{dnsPolicy: {policy}, dnsConfig: {{nameservers: [192.0.2.53]}}, containers: [{{name: c}}]}}
"""


@pytest.mark.parametrize(
    ("kind", "block", "found"),
    [
        ("None", "192.0.2.53/32", False),
        ("None", "192.0.2.54/32", True),
        ("Default", "192.0.2.54/32", False),
        ("ClusterFirst", "192.0.2.53/32", True),
    ],
)
def test_a_pod_may_have_resolvers_of_its_own(kind: str, block: str, found: bool) -> None:
    own = OUT.replace("app: api", "app: own")
    out = f"{own}{{to: [{{ipBlock: {{cidr: {block}}}}}]}}]}}"
    assert ("egress-without-dns" in rules_of(RESOLVER.format(policy=kind), policy(out))) is found


HOOK = """
apiVersion: {api}
kind: {kind}
metadata: {{name: hook}}
{content}
"""
SERVICE = "{name: api, namespace: shop, port: 80}"
CALLS = [
    ("ValidatingWebhookConfiguration", f"webhooks: [{{name: a, clientConfig: {{service: {SERVICE}}}}}]"),
    ("MutatingWebhookConfiguration", f"webhooks: [{{name: a, clientConfig: {{service: {SERVICE}}}}}]"),
    ("CustomResourceDefinition", f"spec: {{conversion: {{webhook: {{clientConfig: {{service: {SERVICE}}}}}}}}}"),
    ("APIService", f"spec: {{service: {SERVICE}}}"),
]


@pytest.mark.parametrize(("kind", "content"), CALLS, ids=[kind for kind, _ in CALLS])
@pytest.mark.parametrize(
    ("ingress", "found"),
    [
        ("{from: [{namespaceSelector: {}}], ports: [{port: 9090}]}", True),
        ("{ports: [{port: 9090}]}", False),
        ("{from: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 9090}]}", False),
        ("{ports: [{port: 80}]}", True),
    ],
)
def test_the_api_server_is_no_pod(kind: str, content: str, ingress: str, found: bool) -> None:
    hook = HOOK.format(api="x/v1", kind=kind, content=content)
    closed = policy(f"{{podSelector: {{matchLabels: {{app: api}}}}, ingress: [{ingress}]}}")
    assert ("webhook-shut" in rules_of(hook, closed)) is found
    assert "webhook-shut" not in rules_of(hook)


@pytest.mark.parametrize(
    ("cidr", "meant"),
    [
        ("192.168.1.1/24", "192.168.1.0/24"),
        ("10.0.0.0/0", "0.0.0.0/0"),
        ("'::ffff:192.168.0.0/112'", "192.168.0.0/16"),
        ("'2001:db8::1/32'", "2001:db8::/32"),
        ("192.0.2.0/24", ""),
        ("'2001:DB8:0::/32'", ""),
        ("'::/0'", ""),
    ],
)
def test_a_block_says_one_range(cidr: str, meant: str) -> None:
    found = findings(
        "block-ambiguous", policy(f"{{podSelector: {{}}, ingress: [{{from: [{{ipBlock: {{cidr: {cidr}}}}}]}}]}}")
    )
    assert [finding.fix for finding in found] == ([f"write {meant}"] if meant else [])


def test_a_services_address_is_no_peer() -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: shop}\nspec: {clusterIP: 10.97.0.9}\n"
    block = policy(f"{OUT}{{to: [{{ipBlock: {{cidr: 10.97.0.9/32}}}}]}}]}}")
    assert "block-of-service" in rules_of(service, block)
    assert "block-of-service" in rules_of(block, services=("10.96.0.0/12",))
    assert "block-of-service" not in rules_of(block)


def test_a_namespace_is_called_by_its_name() -> None:
    wrong = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {kubernetes.io/metadata.name: b}}\n"
    assert "namespace-impossible" in rules_of(wrong)
    assert "namespace-impossible" in rules_of(policy(f"{OUT}{to_namespace('Monitoring', 1)}]}}"))
    # A namespace that no manifest holds may be there all the same, unless it is a slip.
    assert "namespace-matches-nothing" not in rules_of(policy(f"{OUT}{to_namespace('monitoring', 1)}]}}"))
    assert "namespace-matches-nothing" in rules_of(policy(f"{OUT}{to_namespace('shpo', 1)}]}}"))


KAFKA = "apiVersion: kafka.strimzi.io/v1beta2\nkind: Kafka\nmetadata: {name: k, namespace: shop}\n"


def test_an_operator_may_make_the_pods_that_no_manifest_holds() -> None:
    nobody = policy("{podSelector: {matchLabels: {strimzi.io/cluster: k}}}")
    assert "selector-matches-nothing" in rules_of(nobody)
    assert "selector-matches-nothing" not in rules_of(KAFKA, nobody)
    other = KAFKA.replace("namespace: shop", "namespace: ops")
    assert "selector-matches-nothing" in rules_of(other, nobody)
    monitor = "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: k, namespace: shop}\n"
    assert "selector-matches-nothing" in rules_of(monitor, nobody)
