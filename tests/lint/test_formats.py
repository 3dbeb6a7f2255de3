"""What CI systems read: SARIF's essential structure, JUnit, JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema

from netproof.lint import RULES, Checked, LintFinding, Severity, SourceLocation, check, render
from netproof.lint.sarif import as_sarif
from netproof.wording import link_docs

from .example import APP, looked_at, policy

WRONG = policy("{podSelector: {matchLabels: {app: apii}}, ingress: [{}]}")
TWICE = policy("{podSelector: {matchLabels: {app: apii}}}", name="q")

STRING = {"type": "string", "minLength": 1}
TEXT = {"type": "object", "required": ["text"], "properties": {"text": STRING, "markdown": STRING}}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
ESSENTIAL: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs", "$schema"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "pattern": "sarif-2.1.0.json$"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/run"}},
    },
    "$defs": {
        "run": {
            "type": "object",
            "required": ["tool", "results"],
            "additionalProperties": False,
            "properties": {
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "tool": {
                    "type": "object",
                    "required": ["driver"],
                    "properties": {
                        "driver": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {"rules": {"type": "array", "items": {"$ref": "#/$defs/rule"}}},
                        }
                    },
                },
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
            },
        },
        "rule": {
            "type": "object",
            "required": ["id", "shortDescription", "fullDescription", "help", "defaultConfiguration"],
            "additionalProperties": False,
            "properties": {
                "id": STRING,
                "name": STRING,
                "shortDescription": TEXT,
                "fullDescription": TEXT,
                "help": TEXT,
                "helpUri": {"type": "string", "pattern": "^https://"},
                "defaultConfiguration": {"type": "object", "properties": {"level": LEVEL}},
                "properties": {"type": "object"},
            },
        },
        "result": {
            "type": "object",
            "required": ["ruleId", "ruleIndex", "level", "message", "locations", "partialFingerprints"],
            "additionalProperties": False,
            "properties": {
                "ruleId": STRING,
                "ruleIndex": {"type": "integer", "minimum": 0},
                "level": LEVEL,
                "message": TEXT,
                "partialFingerprints": {"type": "object", "minProperties": 1, "additionalProperties": STRING},
                "suppressions": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["kind"],
                        "properties": {
                            "kind": {"enum": ["inSource", "external"]},
                            "status": {"enum": ["accepted", "underReview", "rejected"]},
                            "justification": STRING,
                        },
                        "additionalProperties": False,
                    },
                },
                "locations": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/location"}},
            },
        },
        "location": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": False,
            "properties": {
                "physicalLocation": {
                    "type": "object",
                    "required": ["artifactLocation"],
                    "properties": {
                        "artifactLocation": {
                            "type": "object",
                            "required": ["uri"],
                            "properties": {"uri": {**STRING, "pattern": "^[^\\\\ ]+$"}, "uriBaseId": STRING},
                            "additionalProperties": False,
                        },
                        "region": {
                            "type": "object",
                            "required": ["startLine"],
                            "properties": {"startLine": {"type": "integer", "minimum": 1}},
                        },
                    },
                },
                "logicalLocations": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"fullyQualifiedName": STRING, "kind": STRING}},
                },
            },
        },
    },
}
"""What SARIF 2.1.0 asks for of what is written here, and nothing that is not written."""


def sarif(findings: tuple[LintFinding, ...], root: Path) -> Any:
    log = json.loads(as_sarif(findings, "1.0.0", root))
    jsonschema.validate(log, ESSENTIAL)
    return log["runs"][0]


def test_sarif_names_rule_file_and_line(tmp_path: Path) -> None:
    run = sarif(check(looked_at(APP, WRONG)).findings, tmp_path)
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [rule.id for rule in RULES]
    assert run["results"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert rules[result["ruleIndex"]]["defaultConfiguration"]["level"] == result["level"]
    first = next(result for result in run["results"] if result["ruleId"] == "selector-matches-nothing")
    where = first["locations"][0]["physicalLocation"]
    assert where == {"artifactLocation": {"uri": "1.yaml", "uriBaseId": "SRCROOT"}, "region": {"startLine": 5}}
    assert first["locations"][0]["logicalLocations"][0]["fullyQualifiedName"].startswith("NetworkPolicy shop/p: spec.")


def test_sarif_fingerprints_stay_when_lines_move_and_differ_from_each_other(tmp_path: Path) -> None:
    def prints(*texts: str) -> list[str]:
        run = sarif(check(looked_at(APP, *texts)).findings, tmp_path)
        return sorted(result["partialFingerprints"]["netproofFinding/v1"] for result in run["results"])

    here, moved = prints(WRONG, TWICE), prints(f"# a comment\n\n{WRONG}", TWICE)
    assert here == moved
    assert len(set(here)) == len(here)


def test_sarif_writes_files_as_addresses(tmp_path: Path) -> None:
    def uri(file: str) -> dict[str, Any]:
        finding = LintFinding(
            rule=RULES[0].id,
            severity=Severity.ERROR,
            sentence="No.",
            place=SourceLocation(file=file, line=3, object="o"),
        )
        location: dict[str, Any] = sarif((finding,), tmp_path / "repo")["results"][0]["locations"][0]
        return location

    assert uri("dir/a b.yaml")["physicalLocation"]["artifactLocation"]["uri"] == "dir/a%20b.yaml"
    inside = str(tmp_path / "repo" / "x.yaml")
    assert uri(inside)["physicalLocation"]["artifactLocation"]["uri"] == "x.yaml"
    assert uri("../x.yaml")["physicalLocation"]["artifactLocation"]["uri"] == (tmp_path / "x.yaml").as_uri()
    assert "physicalLocation" not in uri("<stdin>")


def test_sarif_suppresses_what_was_reviewed(tmp_path: Path) -> None:
    finding = LintFinding(
        rule="reviewed-difference",
        severity=Severity.NOTE,
        sentence="So.",
        place=SourceLocation(file="a"),
        reviewed="known",
    )
    (result,) = sarif((finding,), tmp_path)["results"]
    assert result["suppressions"] == [{"kind": "external", "status": "accepted", "justification": "known"}]


def junit(checked: Checked, least: Severity | None) -> ET.Element:
    suite = ET.fromstring(render.as_junit(checked, least)).find("testsuite")
    assert suite is not None
    return suite


def test_junit_has_a_case_for_each_rule() -> None:
    checked = check(looked_at(APP, WRONG))
    suite = junit(checked, Severity.WARNING)
    assert [case.get("name") for case in suite] == [rule.id for rule in RULES]
    failed = {case.get("name"): case for case in suite if case.find("failure") is not None}
    assert {"selector-matches-nothing", "allow-from-everywhere"} <= set(failed)
    text = failed["selector-matches-nothing"].findtext("failure") or ""
    assert text.startswith("1.yaml:5: podSelector app=apii")
    assert suite.get("failures") == str(len(failed))
    assert suite.get("skipped") == str(sum(len(rules) for rules in checked.skipped.values()))


def test_junit_fails_only_what_ends_the_command_with_1() -> None:
    checked = check(looked_at(APP, WRONG))
    assert junit(checked, Severity.ERROR).get("failures") == "0"
    assert junit(checked, None).get("failures") == "0"
    assert "app=apii" in "".join(junit(checked, None).itertext())


def test_json_has_every_finding_and_where_its_rule_is_described() -> None:
    given = looked_at(APP, WRONG)
    checked = check(given)
    made = json.loads(render.as_json(checked, given))
    assert len(made["findings"]) == len(checked.findings) == sum(made["counts"].values())
    assert {"file": "1.yaml", "line": 5}.items() <= made["findings"][0].items()
    assert made["findings"][0]["help"].startswith(link_docs("docs/checking.md#"))


def test_text_says_what_was_not_run() -> None:
    given = looked_at(policy("{podSelector: {}}"))
    lines = list(render.text(check(given), given))
    assert any(line.startswith("not run, because no workload is among the manifests: selector-") for line in lines)
    assert lines[-1] == "0 errors, 1 warning, 0 notes in 1 policy"
