"""conformance.yaml has the fields of a ConformanceReport, and badge.json those of a shields endpoint."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
import yaml

from netproof.model import Verdict
from netproof.report import findings
from netproof.report.compare import compare
from netproof.report.compare_text import compare_lines
from netproof.report.comparison import NamedRecord
from netproof.report.conformance import render_badge, render_conformance
from netproof.report.junit import render_junit
from netproof.report.markdown import render_markdown
from netproof.report.record import Record, ScenarioResult, Target
from netproof.report.terminal import summary

from .example import edited, example
from .test_compare import declared_leak, leak, small

TEXTS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
STATUS: dict[str, Any] = {
    "type": "object",
    "required": ["result", "statistics"],
    "properties": {
        "result": {"enum": ["success", "partial", "failure"]},
        "statistics": {
            "type": "object",
            "required": ["Passed", "Skipped", "Failed"],
            "additionalProperties": {"type": "integer", "minimum": 0},
        },
        "skippedTests": TEXTS,
        "failedTests": TEXTS,
        "supportedFeatures": TEXTS,
        "unsupportedFeatures": TEXTS,
    },
    "additionalProperties": False,
}
SHAPE: dict[str, Any] = {
    "type": "object",
    "required": ["apiVersion", "kind", "date", "implementation", "mode", "networkPolicyAPIVersion", "profiles"],
    "properties": {
        "kind": {"const": "ConformanceReport"},
        "implementation": {
            "type": "object",
            "required": ["organization", "project", "url", "version", "contact"],
            "properties": {"contact": {"type": "array", "items": {"type": "string"}}},
            "additionalProperties": {"type": "string"},
        },
        "profiles": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "summary", "core"],
                "properties": {
                    "name": {"type": "string", "minLength": 1},
                    "summary": {"type": "string", "minLength": 1},
                    "core": STATUS,
                    "extended": STATUS,
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": {"type": "string"},
}
"""After conformancereport.go and profilereport.go in the Gateway API's conformance/apis/v1."""

BADGE = {
    "type": "object",
    "required": ["schemaVersion", "label", "message"],
    "properties": {
        "schemaVersion": {"const": 1},
        "label": {"type": "string"},
        "message": {"type": "string", "minLength": 1},
        "color": {"enum": ["brightgreen", "orange", "red", "lightgrey"]},
    },
    "additionalProperties": False,
}
"""After https://shields.io/badges/endpoint-badge."""


def documents(record: Record) -> list[dict[str, Any]]:
    found = list(yaml.safe_load_all(render_conformance(record)))
    for document in found:
        jsonschema.validate(document, SHAPE)
    return found


def badge(record: Record) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render_badge(record))
    jsonschema.validate(found, BADGE)
    return found


def core(record: Record) -> dict[str, Any]:
    return dict(documents(record)[0]["profiles"][0]["core"])


def test_there_is_a_document_for_each_cni_in_their_shape() -> None:
    found = documents(example())
    assert [one["implementation"]["project"] for one in found] == ["calico", "cilium"]
    assert found[1]["implementation"]["version"] == "1.17.2"
    assert found[1]["mode"] == "default"
    assert "berserk-enabled" in found[1]["profiles"][0]["core"]["failedTests"]


def test_all_that_holds_is_success_and_green() -> None:
    scenario = small().targets[0].scenarios[0].model_copy(update={"result": "passed"})
    record = edited(small(), scenarios=[scenario])
    assert core(record) == {"result": "success", "statistics": {"Passed": 1, "Skipped": 0, "Failed": 0}}
    assert badge(record) == {
        "schemaVersion": 1,
        "label": "NetworkPolicy",
        "message": "calico 3.28.5: 1/1",
        "color": "brightgreen",
    }


def test_a_known_difference_fails_conformance_all_the_same_and_is_orange() -> None:
    assert core(small(declared_leak))["result"] == "failure"
    assert badge(small(declared_leak))["color"] == "orange"
    assert badge(small(leak))["color"] == "red"


def test_what_the_author_got_wrong_is_not_the_cnis_failure() -> None:
    policy = [cell for cell in example("calico").targets[0].cells if cell.verdict is Verdict.POLICY_DEFECT]
    record = edited(small(), cells=[*small().targets[0].cells, policy[0]])
    assert core(record)["result"] == "success"


def test_what_was_not_measured_is_skipped_and_never_passed() -> None:
    lost = edited(small(), scenarios=[small().targets[0].scenarios[0].model_copy(update={"result": "error"})])
    assert core(lost) == {
        "result": "partial",
        "statistics": {"Passed": 0, "Skipped": 1, "Failed": 0},
        "skippedTests": ["berserk-enabled"],
    }
    assert badge(lost)["color"] == "orange"


def test_a_missing_capability_is_an_unsupported_feature_and_no_skip_of_the_core() -> None:
    record = small()
    skipped = ScenarioResult(
        id="ports-sctp", claim="", source="", result="skipped", reason="needs SCTP: no (no SCTP socket)", duration_s=0
    )
    profile = documents(edited(record, scenarios=[*record.targets[0].scenarios, skipped]))[0]["profiles"][0]
    assert profile["core"]["result"] == "success"
    assert profile["extended"]["unsupportedFeatures"] == ["SCTP"]


def test_a_cni_that_never_came_up_is_partial_and_grey() -> None:
    dead = edited(small(), cells=[], scenarios=[], environment=None, error="no nodes\nlog", error_code=11)
    (document,) = documents(dead)
    assert document["implementation"]["version"] == "unknown"
    assert document["profiles"][0]["core"]["result"] == "partial"
    assert document["profiles"][0]["summary"] == "The run ended early: no nodes. Core tests were not run."
    assert badge(dead) == {
        "schemaVersion": 1,
        "label": "NetworkPolicy",
        "message": "calico: not measured",
        "color": "lightgrey",
    }


def test_a_variant_is_the_mode() -> None:
    (document,) = documents(edited(small(), cni="vpc-cni+calico@3.28.5"))
    assert (document["implementation"]["project"], document["mode"]) == ("vpc-cni", "calico")


def test_no_target_is_a_grey_badge() -> None:
    empty = small().model_copy(update={"targets": [Target(cni="x", title="x")]})
    assert badge(empty)["message"] == "x: not measured"
    assert badge(empty.model_copy(update={"targets": []}))["message"] == "not measured"


def stopped() -> Record:
    scenario = small().targets[0].scenarios[0]
    more = [
        scenario.model_copy(update={"id": f"scenario-{result}", "result": result})
        for result in ("passed", "skipped", "error", "interrupted", "failed")
    ]
    return edited(small(), scenarios=[scenario, *more])


@pytest.mark.parametrize(
    "record",
    [example(), example("calico"), small(), small(leak), small(declared_leak), stopped()],
    ids=["two", "one", "holds", "leak", "declared", "stopped"],
)
def test_every_report_counts_the_same_scenarios(record: Record) -> None:
    suites = ElementTree.fromstring(render_junit(record))
    table = [row.strip("| ").split(" | ") for row in render_markdown(record).splitlines() if row.startswith("| ")]
    compared = [line for line, _ in compare_lines(compare([NamedRecord(label="x", record=record)]))]
    targets = len(record.targets)
    messages = badge(record)["message"].split(", ")
    printed = [line for line, _ in summary(record)[1:]][:targets]
    sides, cells_of = compared[1:][:targets], table[1:][:targets]
    rows = zip(record.targets, suites, printed, cells_of, sides, messages, documents(record), strict=True)
    for target, suite, line, cells, side, message, document in rows:
        scenarios = findings.count_scenarios(target)
        assert scenarios.ran + scenarios.skipped == len(target.scenarios)
        assert message == f"{findings.name(target)}: {scenarios.passed}/{scenarios.ran}"
        assert f" {scenarios.passed}/{scenarios.ran} OK" in line
        assert f" {scenarios.passed}/{scenarios.ran} OK" in side
        assert cells[2:5] == [str(n) for n in (scenarios.passed, scenarios.failed, scenarios.skipped)]
        cases = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
        assert cases["tests"] == len(target.scenarios)
        assert cases["failures"] + cases["errors"] == scenarios.failed
        assert cases["skipped"] == scenarios.skipped
        core = document["profiles"][0]["core"]
        assert sum(core["statistics"].values()) == len(target.scenarios)
        # What a conformance report counts otherwise is said in it.
        passed = {scenario.id for scenario in target.scenarios if scenario.result == "passed"}
        known = len(passed & {*core.get("failedTests", ())})
        assert (f"({known} by known differences only)" in document["profiles"][0]["summary"]) == bool(known)
