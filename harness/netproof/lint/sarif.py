"""Findings as a SARIF 2.1.0 log, for code scanning. Written by hand: the format's own text is the only source."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from netproof.lint.model import LintFinding, SourceLocation
from netproof.lint.table import RULES

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
ROOT = "SRCROOT"
"""What relative addresses are relative to: the directory that the command ran in, a repository's root in CI."""


def as_sarif(findings: Sequence[LintFinding], version: str, root: Path) -> str:
    """One run with all rules, whether they found something or not. `root` is the directory that files are seen from."""
    places = {rule.id: index for index, rule in enumerate(RULES)}
    seen: Counter[str] = Counter()
    results = []
    for finding in findings:
        print_of = _fingerprint(finding)
        seen[print_of] += 1
        results.append(_result(finding, places[finding.rule], f"{print_of}:{seen[print_of]}", root))
    driver = {
        "name": "netproof",
        "version": version,
        "semanticVersion": version,
        "rules": [
            {
                "id": rule.id,
                "name": "".join(word.capitalize() for word in rule.id.split("-")),
                "shortDescription": {"text": rule.title},
                "fullDescription": {"text": rule.title},
                "helpUri": rule.help_url,
                "help": {"text": f"See {rule.help_url}", "markdown": f"See <{rule.help_url}>"},
                "defaultConfiguration": {"level": rule.severity.value},
                "properties": {"tags": ["kubernetes", "network-policy"], "problem.severity": _problem(rule.severity)},
            }
            for rule in RULES
        ],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False) + "\n"


def _result(finding: LintFinding, index: int, fingerprint: str, root: Path) -> dict[str, Any]:
    text = finding.sentence + (f"\nFix: {finding.fix}" if finding.fix else "")
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": finding.severity.value,
        "message": {"text": text},
        "locations": [_location(finding.place, root)],
        "partialFingerprints": {"netproofFinding/v1": fingerprint},
    }
    if finding.reviewed:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": finding.reviewed}]
    return result


def _location(place: SourceLocation, root: Path) -> dict[str, Any]:
    location: dict[str, Any] = {}
    if place.file and place.file != "<stdin>":
        location["physicalLocation"] = {
            "artifactLocation": _artifact(place.file, root),
            "region": {"startLine": place.line or 1},
        }
    if place.object:
        name = ": ".join(part for part in (place.object, place.key) if part)
        location["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "object"}]
    return location


def _artifact(file: str, root: Path) -> dict[str, str]:
    """Relative to `root` with forward slashes; an absolute address for what is elsewhere."""
    path = Path(file) if Path(file).is_absolute() else root / file
    resolved = path.resolve()
    if resolved.is_relative_to(root.resolve()):
        return {"uri": quote(resolved.relative_to(root.resolve()).as_posix()), "uriBaseId": ROOT}
    return {"uri": resolved.as_uri()}


def _fingerprint(finding: LintFinding) -> str:
    """The same when lines move: it holds no line."""
    parts = (finding.rule, finding.place.object, finding.place.key, finding.sentence)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _problem(severity: str) -> str:
    return {"error": "error", "warning": "warning"}.get(severity, "recommendation")
