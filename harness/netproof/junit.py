"""JUnit XML, in the xunit1 shape that Jenkins, GitLab and GitHub actions read: the one writer of it. What a suite or a
case is, its callers say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as ET

Result = Literal["", "failure", "error", "skipped", "system-out"]

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot carry (its production `Char`); a CNI's log may hold such bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCase:
    """`result` is the element below the case: none for a case that passed in silence. `type` is of a failure."""

    __test__ = False

    classname: str
    name: str
    seconds: float = 0.0
    result: Result = ""
    message: str = ""
    type: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSuite:
    """`started_at` in ISO 8601, or ''."""

    __test__ = False

    name: str
    cases: Sequence[TestCase]
    seconds: float = 0.0
    started_at: str = ""
    properties: Sequence[tuple[str, str]] = ()


def render_suites(suites: Sequence[TestSuite]) -> str:
    """The whole file. Characters that XML cannot carry are replaced."""
    root = ET.Element("testsuites", name="netproof")
    for suite in suites:
        root.append(_suite(suite))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(suite: TestSuite) -> ET.Element:
    results = [case.result for case in suite.cases]
    element = _element(
        "testsuite",
        name=suite.name,
        tests=str(len(results)),
        failures=str(results.count("failure")),
        errors=str(results.count("error")),
        skipped=str(results.count("skipped")),
        time=f"{suite.seconds:.3f}",
        timestamp=suite.started_at,
    )
    if suite.properties:
        properties = ET.SubElement(element, "properties")
        properties.extend(_element("property", name=name, value=value) for name, value in suite.properties)
    element.extend(_case(case) for case in suite.cases)
    return element


def _case(case: TestCase) -> ET.Element:
    element = _element("testcase", classname=case.classname, name=case.name, time=f"{case.seconds:.3f}")
    if case.result:
        child = _element(case.result, message=case.message, type=case.type)
        child.text = _replace_forbidden(case.text) or None
        element.append(child)
    return element


def _element(tag: str, **attributes: str) -> ET.Element:
    """Without the attributes that are empty; a property may be."""
    kept = {key: _replace_forbidden(value) for key, value in attributes.items() if value or key in ("name", "value")}
    return ET.Element(tag, kept)


def _replace_forbidden(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
