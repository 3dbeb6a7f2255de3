"""JUnit as CI systems read it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from netproof.report.junit import render_junit

from .example import edited, example

RECORD = example()


def suites(record=RECORD) -> list[ET.Element]:  # type: ignore[no-untyped-def]
    return list(ET.fromstring(render_junit(record)))


def test_a_suite_for_each_cni_and_a_case_for_each_scenario() -> None:
    calico, cilium = suites()
    assert dict(calico.attrib) | {"time": ""} == {
        **{"name": "calico 3.28.5", "tests": "5", "failures": "1", "errors": "0", "skipped": "1"},
        **{"time": "", "timestamp": "2026-11-21T03:12:44Z"},
    }
    assert cilium.get("failures") == "2"
    assert [case.get("name") for case in calico.findall("testcase")] == [
        *("berserk-enabled", "berserk-ingress-side", "berserk-egress-side", "berserk-disabled", "stageset-sctp"),
    ]


def test_a_failure_holds_the_difference() -> None:
    failure = suites()[1].find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == (
        "berserk/stranger and berserk-neighbour/neighbour can reach berserk/ui:9090: "
        "the policies allow it, nobody meant it (and 1 more finding)"
    )
    assert "values     intended denied, specified denied, measured connected" in (failure.text or "")
    assert "reproduce  docker exec" in (failure.text or "")


def test_environment_is_in_the_properties() -> None:
    properties = {p.get("name"): p.get("value") for p in suites()[0].iter("property")}
    assert properties["cni.version"] == "3.28.5"
    assert properties["cells.differs"] == "2"
    assert properties["sha256.calico.yaml"].startswith("9f2c")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("result", "tag"), [("failed", "failure"), ("error", "error"), ("interrupted", "error"), ("skipped", "skipped")]
)
def test_nothing_but_passed_looks_passed(result: str, tag: str) -> None:
    scenario = RECORD.targets[0].scenarios[3].model_copy(update={"result": result, "reason": ""})
    [suite, _] = suites(edited(RECORD, scenarios=[scenario]))
    element = suite.find(f"testcase/{tag}")
    assert element is not None
    assert element.get("message")
    assert tag == "skipped" or element.text


def test_a_cni_that_never_came_up_is_an_error() -> None:
    [suite, _] = suites(edited(RECORD, scenarios=[], cells=[], error="kind failed\n\x1b[31mlog\x00 <&>"))
    assert suite.get("errors") == "1"
    error = suite.find("testcase/error")
    assert error is not None
    assert error.get("message") == "kind failed"
    assert error.text == "kind failed\n�[31mlog� <&>"
