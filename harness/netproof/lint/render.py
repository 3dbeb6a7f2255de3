"""Findings as text, JSON and JUnit XML. SARIF has a module of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from netproof.junit import TestCase, TestSuite, render_suites
from netproof.lint.intent import select_differing
from netproof.lint.model import LintFinding, LintInput, LintRule, Need, Severity
from netproof.lint.table import MISSING, RULES, Checked
from netproof.wording import count, count_of


def text(checked: Checked, inputs: LintInput) -> Iterator[str]:
    """A line for each finding as compilers write them, then what was compared, counted and left out."""
    for finding in checked.findings:
        word = "reviewed" if finding.reviewed else finding.severity.value
        yield f"{finding.place}: {word}: {finding.sentence} [{finding.rule}]"
        if finding.reviewed or finding.fix:
            yield f"    {'why' if finding.reviewed else 'fix'}: {finding.reviewed or finding.fix}"
    if checked.findings:
        yield ""
    if inputs.intended is not None:
        cells = select_differing(inputs.intended)
        declared = sum(bool(cell.reviewed) for cell in cells)
        yield (
            f"specified against intended: {count_of(len(cells), len(inputs.intended.cells), 'cell', 'differ')}, "
            f"{declared} of them as reviewed"
        )
    for need, rules in checked.skipped.items():
        yield f"not run, because {MISSING[need]}: {', '.join(rules)}"
    yield summary(checked, inputs)


def summary(checked: Checked, inputs: LintInput) -> str:
    counts = [count(checked.count(severity), severity.value) for severity in Severity]
    pods = len(inputs.inventory.topology.pods) if inputs.has("pods") else 0
    return (
        f"{', '.join(counts)} in {count(len(inputs.policies) + len(inputs.unread), 'policy')}"
        f"{' for ' + count(pods, 'pod') if pods else ''}"
    )


def as_json(checked: Checked, inputs: LintInput) -> str:
    """One object: `findings`, `skipped`, `counts`, and `intended` where a map says what is meant."""
    made: dict[str, object] = {
        "findings": [
            {
                "rule": finding.rule,
                "severity": finding.severity,
                "sentence": finding.sentence,
                "file": finding.place.file or None,
                "line": finding.place.line,
                "object": finding.place.object or None,
                "key": finding.place.key or None,
                "fix": finding.fix or None,
                "reviewed": finding.reviewed or None,
                "help": next(rule.help_url for rule in RULES if rule.id == finding.rule),
            }
            for finding in checked.findings
        ],
        "skipped": {need: list(rules) for need, rules in checked.skipped.items()},
        "counts": {severity.value: checked.count(severity) for severity in Severity},
        "policies": len(inputs.policies) + len(inputs.unread),
    }
    if inputs.intended is not None:
        made["intended"] = {
            "cells": len(inputs.intended.cells),
            "differing": [
                {
                    "cell": str(cell.probe),
                    "intended": cell.intended,
                    "specified": cell.decision.specified,
                    "because": cell.decision.because,
                    "reviewed": list(cell.reviewed),
                }
                for cell in select_differing(inputs.intended)
            ],
        }
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def as_junit(checked: Checked, least: Severity | None) -> str:
    """A case for each rule: failed when it found something at least so severe, skipped when it could not run."""
    skipped = {rule: need for need, rules in checked.skipped.items() for rule in rules}
    return render_suites(
        [TestSuite(name="netproof check", cases=[_case(rule, checked, least, skipped.get(rule.id)) for rule in RULES])]
    )


def _case(rule: LintRule, checked: Checked, least: Severity | None, lack: Need | None) -> TestCase:
    case = TestCase(classname="netproof.check", name=rule.id)
    if lack is not None:
        return replace(case, result="skipped", message=MISSING[lack])
    found = [finding for finding in checked.findings if finding.rule == rule.id]
    if not found:
        return case
    lines = "\n".join(_line(finding) for finding in found)
    worst = max(found, key=lambda finding: finding.severity.rank)
    if least is None or worst.severity.rank < least.rank:
        return replace(case, result="system-out", text=lines)
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    message = _line(worst) + more
    return replace(case, result="failure", message=message, type=worst.severity.value, text=lines)


def _line(finding: LintFinding) -> str:
    return f"{finding.place}: {finding.sentence}"
