"""The table of rules. A new rule is a function in a module of this room, an entry here, and a section in
docs/checking.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netproof.lint import blocks, dns, intent, reach, redundancy, selectors, shapes
from netproof.lint.cni import rules as cni_rules
from netproof.lint.model import LintFinding, LintInput, LintRule, Need, Severity

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE

RULES: tuple[LintRule, ...] = (
    LintRule(
        id="not-as-intended",
        severity=ERROR,
        title="The policies do not mean what the map says, and no reviewed entry declares it.",
        check=intent.not_as_intended,
        needs=("intent",),
    ),
    LintRule(
        id="reviewed-difference",
        severity=NOTE,
        title="The policies do not mean what the map says, as a reviewed entry declares.",
        check=intent.reviewed,
        needs=("intent",),
    ),
    LintRule(
        id="reviewed-difference-gone",
        severity=ERROR,
        title="A reviewed entry declares a difference that is not there.",
        check=intent.stale,
        needs=("intent",),
    ),
    LintRule(
        id="map-warning",
        severity=WARNING,
        title="The map or the values say something that has no effect.",
        check=intent.of_the_map,
        needs=("intent",),
    ),
    LintRule(
        id="selector-matches-nothing",
        severity=WARNING,
        title="A podSelector matches no pod.",
        check=selectors.odd("no-pod"),
        needs=("pods",),
    ),
    LintRule(
        id="selector-matches-host-pods",
        severity=WARNING,
        title="A podSelector matches only pods on the host's network, which policies leave alone.",
        check=selectors.odd("host-pods-only"),
        needs=("pods",),
    ),
    LintRule(
        id="namespace-matches-nothing",
        severity=WARNING,
        title="A namespaceSelector matches no namespace.",
        check=selectors.odd("no-namespace"),
        needs=("namespaces",),
    ),
    LintRule(
        id="namespace-unknown",
        severity=WARNING,
        title="A policy is in a namespace that does not exist.",
        check=selectors.odd("unknown-namespace"),
        needs=("namespaces",),
    ),
    LintRule(
        id="port-of-nobody",
        severity=WARNING,
        title="A rule names a port that no selected container has.",
        check=selectors.ports_of_nobody,
        needs=("pods",),
    ),
    LintRule(
        id="rules-without-type",
        severity=WARNING,
        title="policyTypes leaves out the direction of rules, which then have no effect.",
        check=selectors.odd("ignored-rules"),
    ),
    LintRule(
        id="types-left-out",
        severity=WARNING,
        title="Without policyTypes a policy about egress isolates for ingress as well, or not for egress.",
        check=shapes.types_left_out,
    ),
    LintRule(
        id="selectors-apart",
        severity=WARNING,
        title="A namespaceSelector and a podSelector are two items (OR) where one item (AND) may be meant.",
        check=shapes.apart,
    ),
    LintRule(
        id="selectors-together",
        severity=NOTE,
        title="One item has both selectors (AND) beside items with one of them (OR).",
        check=shapes.together,
    ),
    LintRule(
        id="allow-from-everywhere",
        severity=WARNING,
        title="An ingress rule without `from` admits everybody.",
        check=shapes.from_everywhere,
    ),
    LintRule(
        id="allow-to-everywhere",
        severity=WARNING,
        title="An egress rule without `to` and `ports` lets everything out.",
        check=shapes.to_everywhere,
    ),
    LintRule(
        id="block-over-pods",
        severity=WARNING,
        title="An ipBlock holds addresses of pods.",
        check=shapes.blocks_over_pods,
    ),
    LintRule(
        id="block-of-everything",
        severity=NOTE,
        title="0.0.0.0/0 or ::/0 means the cluster's pods too.",
        check=shapes.blocks_of_everything,
    ),
    LintRule(
        id="block-ambiguous",
        severity=WARNING,
        title="A CIDR has bits behind its prefix, or is an IPv4 range in IPv6's clothes.",
        check=blocks.ambiguous,
    ),
    LintRule(
        id="block-of-service",
        severity=WARNING,
        title="An ipBlock means a Service's address, which policies may not see.",
        check=blocks.of_services,
    ),
    LintRule(
        id="namespace-impossible",
        severity=ERROR,
        title="A namespace's name label is what it cannot be.",
        check=selectors.impossible_namespaces,
    ),
    LintRule(
        id="default-deny-alone",
        severity=WARNING,
        title="A namespace's default deny is not followed by any policy that allows.",
        check=shapes.default_deny_alone,
    ),
    LintRule(
        id="egress-without-dns",
        severity=WARNING,
        title="Pods that may reach something cannot look up names.",
        check=dns.without_dns,
        needs=("pods",),
    ),
    LintRule(
        id="nodelocal-dns",
        severity=WARNING,
        title="NodeLocal DNSCache answers on the node, where no rule lets lookups go.",
        check=dns.without_local_dns,
        needs=("pods",),
    ),
    LintRule(
        id="webhook-shut",
        severity=WARNING,
        title="The API server calls a pod that admits pods only.",
        check=reach.shut_callbacks,
        needs=("pods",),
    ),
    LintRule(
        id="egress-without-api-server",
        severity=WARNING,
        title="A workload that seems to talk to the API server has no egress rule that can mean it.",
        check=reach.without_api_server,
        needs=("pods",),
    ),
    LintRule(
        id="policy-adds-nothing",
        severity=WARNING,
        title="Without this policy every decision stays as it is.",
        check=redundancy.adds_nothing,
    ),
    LintRule(
        id="policy-replaced",
        severity=WARNING,
        title="Two policies have one name; only the later one counts.",
        check=shapes.replaced,
    ),
    LintRule(
        id="policy-not-understood",
        severity=WARNING,
        title="A policy is of a kind that nobody reads here.",
        check=shapes.not_understood,
    ),
    LintRule(
        id="cni-foreign-dialect",
        severity=ERROR,
        title="The CNI does not enforce policies of this kind.",
        check=cni_rules.foreign_dialects,
        needs=("cni",),
    ),
    LintRule(
        id="cni-enforces-nothing",
        severity=ERROR,
        title="The CNI enforces no policy.",
        check=cni_rules.enforces_nothing,
        needs=("cni",),
    ),
    LintRule(
        id="cni-known-difference",
        severity=WARNING,
        title="The CNI is known to differ from the API's text in what this policy uses.",
        check=cni_rules.known_differences,
        needs=("cni",),
    ),
)

MISSING: Mapping[Need, str] = {
    "pods": "no workload is among the manifests",
    "namespaces": "no Namespace is among the manifests",
    "intent": "no --service-map or bundled chart says what is meant",
    "cni": "no --cni is named",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """`skipped`: what was missing -> the rules that did not run for it."""

    findings: tuple[LintFinding, ...]
    skipped: Mapping[Need, tuple[str, ...]]

    def count(self, severity: Severity) -> int:
        return sum(finding.severity is severity for finding in self.findings)

    def failing(self, least: Severity) -> int:
        """How many findings are at least so severe."""
        return sum(finding.severity.rank >= least.rank for finding in self.findings)


def check(inputs: LintInput) -> Checked:
    """What all rules find, by file and line."""
    findings: list[LintFinding] = []
    skipped: dict[Need, list[str]] = {}
    for rule in RULES:
        missing = next((need for need in rule.needs if not inputs.has(need)), None)
        if missing is not None:
            skipped.setdefault(missing, []).append(rule.id)
            continue
        findings += (
            LintFinding(
                rule=rule.id,
                severity=hit.severity or rule.severity,
                sentence=hit.sentence,
                place=hit.place,
                fix=hit.fix,
                reviewed=hit.reviewed,
            )
            for hit in rule.check(inputs)
        )
    findings.sort(key=lambda finding: (finding.place.file, finding.place.line or 0, -finding.severity.rank))
    return Checked(findings=tuple(findings), skipped={need: tuple(rules) for need, rules in skipped.items()})
