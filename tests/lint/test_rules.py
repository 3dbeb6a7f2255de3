"""Every rule finds what it is there for, at its line, and leaves alone what only looks like it."""

from __future__ import annotations

import pytest

from netproof.lint import RULES, CniProfile, KnownDifference, check

from .example import APP, BINDING, DNS, findings, looked_at, policy

API = "podSelector: {matchLabels: {app: api}}"
UI = "{podSelector: {matchLabels: {app: ui}}}"
EVERY_UI = "{namespaceSelector: {}, podSelector: {matchLabels: {app: ui}}}"
PUBLIC = "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-public}}"
OPS = "{namespaceSelector: {matchLabels: {team: ops}}}"
DENY = "{podSelector: {}, policyTypes: [Ingress, Egress]}"

FOUND: list[tuple[str, str, str]] = [
    ("selector-matches-nothing", "{podSelector: {matchLabels: {app: apii}}}", "nearest label: app=api"),
    (
        "selector-matches-nothing",
        f"{{{API}, ingress: [{{from: [{{podSelector: {{matchLabels: {{app: uii}}}}}}]}}]}}",
        "podSelector app=uii in ingress rule 1 of NetworkPolicy shop/p matches no pod; nearest label: app=ui",
    ),
    (
        "selector-matches-host-pods",
        f"{{{API}, ingress: [{{from: [{{namespaceSelector: {{matchLabels: {{team: ops}}}}, podSelector: "
        "{matchLabels: {app: agent}}}]}]}",
        "matches only pods on the host's network",
    ),
    (
        "namespace-matches-nothing",
        f"{{{API}, ingress: [{{from: [{{namespaceSelector: {{matchLabels: {{team: opps}}}}}}]}}]}}",
        "nearest label: team=ops",
    ),
    ("port-of-nobody", f"{{{API}, ingress: [{{from: [{UI}], ports: [{{port: htp}}]}}]}}", "port named htp"),
    (
        "port-of-nobody",
        f"{{{API}, ingress: [{{from: [{UI}], ports: [{{port: 80}}]}}]}}",
        "no pod that ingress rule 1 of NetworkPolicy shop/p is about has port 80/TCP; it is a port of Service "
        "shop/api, which leads to 9090 on the pod",
    ),
    (
        "port-of-nobody",
        f"{{{API}, policyTypes: [Egress], egress: [{{to: [{UI}], ports: [{{port: 1, endPort: 80}}]}}, {DNS}]}}",
        "ports 1–80/TCP",
    ),
    (
        "rules-without-type",
        f"{{{API}, policyTypes: [Ingress], egress: [{{}}]}}",
        "its policyTypes does not list Egress",
    ),
    (
        "types-left-out",
        f"{{{API}, egress: [{{to: [{UI}]}}]}}",
        "has egress rules only; without policyTypes it isolates for ingress as well",
    ),
    (
        "types-left-out",
        f"{{{API}, ingress: [], egress: [{{to: [{UI}]}}]}}",
        "isolates for ingress as well, and admits nobody",
    ),
    (
        "types-left-out",
        f"{{{API}, egress: []}}",
        "denies nothing without policyTypes; what it isolates for is ingress, and it admits nobody",
    ),
    ("types-left-out", f"{{{API}, ingress: [{{from: [{UI}]}}], egress: []}}", "denies nothing without policyTypes"),
    ("selectors-apart", f"{{{API}, ingress: [{{from: [{OPS}, {UI}]}}]}}", "every pod of the namespaces in from[0]"),
    ("selectors-apart", f"{{{API}, ingress: [{{from: [{UI}, {OPS}]}}]}}", "every pod of the namespaces in from[1]"),
    (
        "selectors-together",
        f"{{{API}, ingress: [{{from: [{UI}, {EVERY_UI}]}}]}}",
        "in from[1] of ingress rule 1 of NetworkPolicy shop/p both selectors must match",
    ),
    ("allow-from-everywhere", f"{{{API}, ingress: [{{ports: [{{port: 9090}}]}}]}}", "has no `from`: port 9090/TCP"),
    ("allow-to-everywhere", f"{{{API}, policyTypes: [Egress], egress: [{{}}]}}", "lets everything out"),
    (
        "block-over-pods",
        f"{{{API}, ingress: [{{from: [{{ipBlock: {{cidr: 10.0.0.0/8}}}}]}}]}}",
        "addresses 10.0.0.0/8 in ingress rule 1 of NetworkPolicy shop/p holds addresses of pods",
    ),
    ("block-over-pods", f"{{{API}, ingress: [{{from: [{{ipBlock: {{cidr: 10.244.3.0/24}}}}]}}]}}", "10.244.3.0/24"),
    (
        "block-of-everything",
        f"{{{API}, policyTypes: [Egress], egress: [{{to: [{{ipBlock: {{cidr: 0.0.0.0/0}}}}]}}]}}",
        "means the cluster's pods too",
    ),
    ("default-deny-alone", DENY, "denies all ingress of namespace shop"),
    (
        "egress-without-dns",
        f"{{podSelector: {{matchLabels: {{app: ui}}}}, policyTypes: [Egress], egress: [{{to: [{UI}]}}]}}",
        "shop/ui: isolated for egress by NetworkPolicy shop/p, and no rule lets them look up names",
    ),
]

QUIET: list[tuple[str, str]] = [
    ("selector-matches-nothing", f"{{{API}, ingress: [{{from: [{UI}]}}]}}"),
    # Nobody said who is in kube-system, or in a namespace of which only the name is known.
    (
        "selector-matches-nothing",
        f"{{{API}, ingress: [{{from: [{{{PUBLIC}, podSelector: {{matchLabels: {{app: scraper}}}}}}]}}]}}",
    ),
    ("selector-matches-host-pods", f"{{{API}, ingress: [{{from: [{OPS}]}}]}}"),
    ("namespace-matches-nothing", f"{{{API}, ingress: [{{from: [{OPS}]}}]}}"),
    ("namespace-unknown", f"{{{API}}}"),
    ("port-of-nobody", f"{{{API}, ingress: [{{from: [{UI}], ports: [{{port: grpc}}, {{port: 9090}}]}}]}}"),
    # The prober declares no port, which says nothing of what it listens on; addresses may be anybody's.
    ("port-of-nobody", f"{{{API}, policyTypes: [Egress], egress: [{{to: [{OPS}], ports: [{{port: 1234}}]}}]}}"),
    (
        "port-of-nobody",
        f"{{{API}, policyTypes: [Egress], egress: [{{to: [{UI}, {{ipBlock: {{cidr: 192.0.2.0/24}}}}], "
        "ports: [{port: 443}]}]}",
    ),
    ("rules-without-type", f"{{{API}, policyTypes: [Ingress, Egress], egress: [{{}}]}}"),
    ("types-left-out", f"{{{API}, ingress: [{{from: [{UI}]}}]}}"),
    ("types-left-out", f"{{{API}}}"),
    ("types-left-out", f"{{{API}, ingress: [{{from: [{UI}]}}], egress: [{{to: [{UI}]}}]}}"),
    ("types-left-out", f"{{{API}, policyTypes: [Egress], egress: []}}"),
    ("selectors-apart", f"{{{API}, ingress: [{{from: [{OPS}]}}, {{from: [{UI}]}}]}}"),
    (
        "selectors-apart",
        f"{{{API}, ingress: [{{from: [{EVERY_UI}, {UI}]}}]}}",
    ),
    ("selectors-together", f"{{{API}, ingress: [{{from: [{{namespaceSelector: {{}}, podSelector: {{}}}}]}}]}}"),
    ("allow-from-everywhere", f"{{{API}, ingress: [{{from: [{UI}]}}]}}"),
    ("allow-from-everywhere", f"{{{API}, policyTypes: [Egress], egress: [{{}}]}}"),
    ("allow-to-everywhere", f"{{{API}, policyTypes: [Egress], egress: [{{ports: [{{port: 443}}]}}]}}"),
    ("block-over-pods", f"{{{API}, ingress: [{{from: [{{ipBlock: {{cidr: 192.0.2.0/24}}}}]}}]}}"),
    (
        "block-over-pods",
        f"{{{API}, ingress: [{{from: [{{ipBlock: {{cidr: 10.0.0.0/8, except: [10.240.0.0/12]}}}}]}}]}}",
    ),
    (
        "block-of-everything",
        f"{{{API}, ingress: [{{from: [{{ipBlock: {{cidr: 0.0.0.0/0, except: [10.244.0.0/16]}}}}]}}]}}",
    ),
    ("default-deny-alone", f"{{{API}, policyTypes: [Ingress]}}"),
    ("default-deny-alone", f"{{podSelector: {{}}, ingress: [{{from: [{UI}]}}]}}"),
    (
        "egress-without-dns",
        f"{{podSelector: {{}}, policyTypes: [Egress], egress: [{{to: [{UI}]}}, {DNS}]}}",
    ),
    # Who may reach nothing at all needs no names.
    ("egress-without-dns", "{podSelector: {}, policyTypes: [Egress]}"),
]


@pytest.mark.parametrize(("rule", "spec", "sentence"), FOUND)
def test_a_rule_finds_what_it_is_there_for(rule: str, spec: str, sentence: str) -> None:
    first, *_ = findings(rule, policy(spec))
    assert sentence in first.sentence
    assert first.place.file == "1.yaml"
    assert first.place.line == 5  # everything of these specs stands on one line
    assert first.fix


@pytest.mark.parametrize(("rule", "spec"), QUIET)
def test_a_rule_leaves_alone_what_only_looks_like_it(rule: str, spec: str) -> None:
    assert findings(rule, policy(spec)) == []


def test_a_finding_stands_at_the_line_of_its_key() -> None:
    text = """\
apiVersion: v1
kind: List
items:
  - apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: p, namespace: shop}
    spec:
      podSelector:
        matchLabels: {app: api}
      ingress:
        - from:
            - podSelector: {matchLabels: {app: ui}}
            - podSelector: {matchLabels: {app: nobody}}
"""
    (finding,) = findings("selector-matches-nothing", text)
    assert (finding.place.line, finding.place.key) == (13, "spec.ingress[0].from[1]")
    assert str(finding.place) == "1.yaml:13"


def test_a_policy_in_a_namespace_that_nobody_has() -> None:
    (finding,) = findings("namespace-unknown", policy("{podSelector: {}}", namespace="shoop"))
    assert "nearest namespace: shop" in finding.sentence


def test_a_default_deny_with_a_policy_that_allows_is_not_alone() -> None:
    allow = policy(f"{{{API}, ingress: [{{from: [{UI}]}}]}}", name="allow")
    assert findings("default-deny-alone", policy("{podSelector: {}}"), allow) == []
    elsewhere = policy("{podSelector: {}, ingress: [{}]}", name="allow", namespace="ops")
    assert len(findings("default-deny-alone", policy("{podSelector: {}}"), elsewhere)) == 1


CONTROLLER = f"{{{API}, policyTypes: [Egress], egress: [{{to: [{UI}]}}, {DNS}]}}"


def test_a_controller_without_the_api_server() -> None:
    (finding,) = findings("egress-without-api-server", BINDING, policy(CONTROLLER))
    assert "ClusterRoleBinding api-reads gives rights to its service account api" in finding.sentence


def test_a_token_that_is_mounted_on_purpose_counts_too() -> None:
    app = APP.replace("serviceAccountName: api", "automountServiceAccountToken: true")
    (finding,) = findings("egress-without-api-server", policy(CONTROLLER), app=app)
    assert "it mounts its service account's token" in finding.sentence


@pytest.mark.parametrize(
    "egress",
    [
        "{to: [{ipBlock: {cidr: 192.0.2.1/32}}], ports: [{port: 6443}]}",
        "{ports: [{port: 443}]}",
        "{ports: [{port: 400, endPort: 500}]}",
        "{to: [{ipBlock: {cidr: 192.0.2.1/32}}]}",
    ],
)
def test_a_controller_with_a_rule_that_can_mean_the_api_server(egress: str) -> None:
    spec = f"{{{API}, policyTypes: [Egress], egress: [{egress}, {DNS}]}}"
    assert findings("egress-without-api-server", BINDING, policy(spec)) == []


def test_who_has_no_rights_needs_no_api_server() -> None:
    assert findings("egress-without-api-server", policy(CONTROLLER)) == []
    app = APP.replace("serviceAccountName: api", "serviceAccountName: api, automountServiceAccountToken: false")
    app = app.replace("serviceAccountName: api, auto", "serviceAccountName: api\n      auto")
    assert findings("egress-without-api-server", BINDING, policy(CONTROLLER), app=app) == []


INGRESS = f"{{{API}, ingress: [{{from: [{UI}], ports: [{{port: 9090}}]}}]}}"


@pytest.mark.parametrize(
    "wider",
    [
        INGRESS,
        f"{{{API}, ingress: [{{from: [{{podSelector: {{matchLabels: {{tier: web}}}}}}]}}]}}",
        f"{{{API}, ingress: [{{ports: [{{port: 9000, endPort: 9100}}]}}]}}",
        "{podSelector: {}, ingress: [{}]}",
    ],
)
def test_a_policy_that_another_one_covers_adds_nothing(wider: str) -> None:
    (finding,) = findings("policy-adds-nothing", policy(wider, name="wider"), policy(INGRESS, name="narrow"))
    assert finding.place.object == "NetworkPolicy shop/narrow"
    assert "NetworkPolicy shop/wider" in finding.sentence


@pytest.mark.parametrize(
    "other",
    [
        f"{{{API}, ingress: [{{from: [{UI}], ports: [{{port: 9091}}]}}]}}",
        f"{{{API}, ingress: [{{from: [{OPS}], ports: [{{port: 9090}}]}}]}}",
        "{podSelector: {matchLabels: {app: ui}}, ingress: [{}]}",
        f"{{{API}, policyTypes: [Egress], egress: [{{}}]}}",
        "{podSelector: {}}",
        f"{{{API}, ingress: [{{from: [{UI}], ports: [{{port: 9090, protocol: UDP}}]}}]}}",
    ],
)
def test_a_policy_that_nobody_covers_is_needed(other: str) -> None:
    assert findings("policy-adds-nothing", policy(other, name="other"), policy(INGRESS)) == []


def test_blocks_cover_blocks_with_their_exceptions() -> None:
    def of(cidr: str) -> str:
        return f"{{{API}, ingress: [{{from: [{{ipBlock: {cidr}}}]}}]}}"

    narrow = policy(of("{cidr: 192.0.2.0/26}"), name="narrow")
    assert len(findings("policy-adds-nothing", policy(of("{cidr: 192.0.2.0/24}"), name="w"), narrow)) == 1
    free = policy(of("{cidr: 192.0.2.0/24, except: [192.0.2.128/25]}"), name="w")
    assert len(findings("policy-adds-nothing", free, narrow)) == 1
    holed = policy(of("{cidr: 192.0.2.0/24, except: [192.0.2.8/29]}"), name="w")
    assert findings("policy-adds-nothing", holed, narrow) == []


def test_a_default_deny_is_kept_for_pods_that_are_not_there_yet() -> None:
    allow = [policy(f"{{podSelector: {{matchLabels: {{app: {n}}}}}}}", name=n) for n in ("ui", "api")]
    found = findings("policy-adds-nothing", *allow, policy("{podSelector: {}}", name="deny"))
    assert {finding.place.object for finding in found} == {"NetworkPolicy shop/ui", "NetworkPolicy shop/api"}


def test_equal_policies_without_any_pods() -> None:
    both = (policy(INGRESS, name="one"), policy(INGRESS, name="two"))
    (finding,) = findings("policy-adds-nothing", *both, app="")
    assert finding.place.object == "NetworkPolicy shop/two"


def test_a_policy_that_stands_twice() -> None:
    (finding,) = findings("policy-replaced", policy(INGRESS), policy(INGRESS))
    assert finding.place.file == "1.yaml"
    assert "stands again in 2.yaml:2" in finding.sentence
    assert findings("policy-replaced", policy(INGRESS), policy(INGRESS, namespace="ops")) == []


def test_a_kind_that_nobody_reads_is_told_and_not_fatal() -> None:
    (finding,) = findings("policy-not-understood", policy("{}", kind="example.org/v1"))
    assert "NetworkPolicy shop/p (example.org/v1) is of a kind that is not understood here" in finding.sentence
    assert findings("policy-not-understood", policy(INGRESS)) == []


ENGINE = CniProfile(name="some", version="1.2", enforces=True, hint="", dialects=("networking.k8s.io/v1",))


def test_a_dialect_that_the_cni_does_not_enforce() -> None:
    (finding,) = findings("cni-foreign-dialect", policy("{}", kind="example.org/v1"), cnis=(ENGINE,))
    assert "some does not enforce NetworkPolicy shop/p" in finding.sentence
    assert findings("cni-foreign-dialect", policy(INGRESS), cnis=(ENGINE,)) == []


def test_a_cni_that_enforces_nothing() -> None:
    none = CniProfile(name="none", version="1", enforces=False, hint="take another", dialects=("networking.k8s.io/v1",))
    (finding,) = findings("cni-enforces-nothing", policy(INGRESS), cnis=(none,))
    assert finding.fix == "take another"
    assert findings("cni-enforces-nothing", policy(INGRESS), cnis=(ENGINE,)) == []


@pytest.mark.parametrize(
    ("feature", "spec", "other"),
    [
        (
            "block-over-pods",
            f"{{{API}, ingress: [{{from: [{{ipBlock: {{cidr: 0.0.0.0/0}}}}]}}]}}",
            f"{{{API}, ingress: [{{from: [{{ipBlock: {{cidr: 192.0.2.0/24}}}}]}}]}}",
        ),
        (
            "block-of-everything",
            f"{{{API}, ingress: [{{from: [{{ipBlock: {{cidr: 0.0.0.0/0}}}}]}}]}}",
            f"{{{API}, ingress: [{{from: [{{ipBlock: {{cidr: 10.0.0.0/8}}}}]}}]}}",
        ),
        (
            "block-with-named-port",
            f"{{{API}, ingress: [{{from: [{{ipBlock: {{cidr: 192.0.2.0/24}}}}], ports: [{{port: grpc}}]}}]}}",
            INGRESS,
        ),
        (
            "block-with-except",
            f"{{{API}, ingress: [{{from: [{{ipBlock: {{cidr: 192.0.2.0/24, except: [192.0.2.1/32]}}}}]}}]}}",
            INGRESS,
        ),
        ("rules-without-type", f"{{{API}, policyTypes: [Ingress], egress: [{{}}]}}", INGRESS),
        ("port-range", f"{{{API}, ingress: [{{ports: [{{port: 1, endPort: 9}}]}}]}}", INGRESS),
        ("sctp", f"{{{API}, ingress: [{{ports: [{{port: 1, protocol: SCTP}}]}}]}}", INGRESS),
    ],
)
def test_a_known_difference_is_brought_up_by_its_feature(feature: str, spec: str, other: str) -> None:
    known = KnownDifference(id="odd", features=(feature,), sentence="It does otherwise.", link="https://example.org")
    engine = CniProfile(name="some", version="1.2", enforces=True, hint="", dialects=ENGINE.dialects, known=(known,))
    (finding,) = findings("cni-known-difference", policy(spec), cnis=(engine,))
    assert finding.sentence == "some 1.2 is known to differ here (odd): It does otherwise."
    assert findings("cni-known-difference", policy(other), cnis=(engine,)) == []


def test_what_cannot_be_known_is_not_run_and_said() -> None:
    checked = check(looked_at(policy("{podSelector: {matchLabels: {app: nobody}}}")))
    assert checked.findings == ()
    assert "selector-matches-nothing" in checked.skipped["pods"]
    assert "namespace-matches-nothing" in checked.skipped["namespaces"]


def test_every_rule_has_its_own_id_and_a_sentence() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.title.endswith(".") for rule in RULES)


def test_other_dialects_are_found_at_their_own_keys() -> None:
    text = """\
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: two, namespace: shop}
specs:
  - endpointSelector: {matchLabels: {app: apii}}
    ingress: [{}]
  - endpointSelector: {matchLabels: {app: api}}
    ingress:
      - fromEndpoints:
          - matchLabels: {app: uii}
"""
    subject, peer = findings("selector-matches-nothing", text)
    assert (subject.place.line, subject.place.key) == (5, "specs[0].endpointSelector")
    assert (peer.place.line, peer.place.key) == (10, "specs[1].ingress[0].fromEndpoints[0]")
    assert findings("policy-replaced", text) == []
    assert len(findings("cni-foreign-dialect", text, cnis=(ENGINE,))) == 1


def test_a_block_that_never_means_pods_is_left_alone() -> None:
    """Cilium's CIDR rules are about the outside only (layer3.rst)."""
    text = """\
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: out, namespace: shop}
spec:
  endpointSelector: {}
  egress: [{toCIDR: [0.0.0.0/0]}]
"""
    assert findings("block-of-everything", text) == []
