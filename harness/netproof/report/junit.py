"""The record as JUnit XML: a suite for each CNI, a case for each scenario. What CI systems show beside a red build."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from netproof.report import findings
from netproof.report.findings import Standing
from netproof.report.record import Record, ScenarioResult, Target
from netproof.report.terminal import blocks
from netproof.wording import count

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot carry (its production `Char`); a CNI's log may hold such bytes."""


def render_junit(record: Record) -> str:
    """JUnit XML (the xunit1 shape that Jenkins, GitLab and GitHub actions read). A `<failure>` always has a text."""
    root = ET.Element("testsuites", name="netproof")
    for target in record.targets:
        root.append(_suite(target, record))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(target: Target, record: Record) -> ET.Element:
    parts = findings.by_scenario(target)
    cases = [_case(parts[scenario.id], scenario) for scenario in target.scenarios]
    if target.error:
        case = ET.Element("testcase", classname=f"netproof.{target.cni}", name="the run on this CNI", time="0.000")
        _child(case, "error", target.error, message=target.error.splitlines()[0])
        cases.insert(0, case)
    suite = ET.Element(
        "testsuite",
        name=_plain(findings.name(target)),
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors=str(sum(case.find("error") is not None for case in cases)),
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
        time=f"{sum(scenario.duration_s for scenario in target.scenarios):.3f}",
        timestamp=_plain(record.run.started_at),
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(target, record):
        ET.SubElement(properties, "property", name=_plain(name), value=_plain(value))
    suite.extend(cases)
    return suite


def _properties(target: Target, record: Record) -> list[tuple[str, str]]:
    counts = findings.tally(target.cells, target.reviewed)
    made = [("netproof", record.run.netproof), ("command", record.run.command)]
    if record.run.seed is not None:
        made.append(("seed", str(record.run.seed)))
    made += [(f"cells.{stands}", str(counts[stands])) for stands in Standing if stands is not Standing.STALE]
    if target.environment:
        environment = target.environment
        made += [
            (name, value)
            for name, value in (
                ("cni", environment.cni),
                ("cni.version", environment.cni_version),
                ("driver", environment.driver),
                ("kubernetes", environment.kubernetes),
                ("kernel", environment.kernel),
                ("nodes", ", ".join(environment.nodes)),
                ("families", ", ".join(f"IPv{family}" for family in environment.families)),
                ("engine", environment.engine),
            )
            if value
        ]
        made += [(f"fact.{name}", value) for name, value in environment.facts.items()]
        made += [(f"sha256.{file.name}", file.sha256) for file in environment.applied]
    return made + [(f"capability.{name}", value) for name, value in target.capabilities.items()]


def _case(target: Target, scenario: ScenarioResult) -> ET.Element:
    case = ET.Element(
        "testcase",
        classname=f"netproof.{_plain(target.cni)}",
        name=_plain(scenario.id),
        time=f"{scenario.duration_s:.3f}",
    )
    text = "\n".join(line for line, _ in blocks(target, scenario=scenario.id)).strip()
    match scenario.result:
        case "failed":
            _child(case, "failure", text or scenario.reason or scenario.claim, message=_message(target, scenario))
        case "error" | "interrupted":
            reason = scenario.reason or f"the scenario was {scenario.result}"
            _child(case, "error", f"{reason}\n\n{text}".strip(), message=reason)
        case "skipped":
            _child(case, "skipped", "", message=scenario.reason or "skipped")
        case "passed":
            if text:
                _child(case, "system-out", text)
    return case


def _message(target: Target, scenario: ScenarioResult) -> str:
    """One line: the most urgent finding, and how many more there are."""
    wrong = [
        finding
        for finding in findings.group(target, scenario.id)
        if finding.standing in (Standing.DIFFERS, Standing.STALE)
    ]
    if not wrong:
        return scenario.reason or "failed"
    more = f" (and {count(len(wrong) - 1, 'more finding')})" if len(wrong) > 1 else ""
    return wrong[0].headline(findings.name(target)) + more


def _child(parent: ET.Element, tag: str, text: str, **attributes: str) -> None:
    element = ET.SubElement(parent, tag, {name: _plain(value) for name, value in attributes.items()})
    if text:
        element.text = _plain(text)


def _plain(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
