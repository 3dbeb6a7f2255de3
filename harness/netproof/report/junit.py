"""The record as JUnit XML: a suite for each CNI, a case for each scenario. What CI systems show beside a red build."""

from __future__ import annotations

from netproof.junit import Result, TestCase, TestSuite, render_suites
from netproof.report import findings
from netproof.report.findings import Standing
from netproof.report.record import Record, ScenarioResult, Target
from netproof.report.terminal import blocks
from netproof.wording import count


def render_junit(record: Record) -> str:
    """JUnit XML. A `<failure>` always has a text."""
    return render_suites([_suite(target, record) for target in record.targets])


def _suite(target: Target, record: Record) -> TestSuite:
    parts = findings.by_scenario(target)
    cases = [_case(parts[scenario.id], scenario) for scenario in target.scenarios]
    if target.error:
        first = target.error.splitlines()[0]
        cases.insert(0, _case_of(target, "the run on this CNI", result="error", message=first, text=target.error))
    return TestSuite(
        name=findings.name(target),
        cases=cases,
        seconds=sum(scenario.duration_s for scenario in target.scenarios),
        started_at=record.run.started_at,
        properties=_properties(target, record),
    )


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


def _case(target: Target, scenario: ScenarioResult) -> TestCase:
    text = "\n".join(line for line, _ in blocks(target, scenario=scenario.id)).strip()
    seconds = scenario.duration_s
    match scenario.result:
        case "failed":
            text = text or scenario.reason or scenario.claim
            message = _message(target, scenario)
            return _case_of(target, scenario.id, seconds, result="failure", message=message, text=text)
        case "error" | "interrupted":
            reason = scenario.reason or f"the scenario was {scenario.result}"
            text = f"{reason}\n\n{text}".strip()
            return _case_of(target, scenario.id, seconds, result="error", message=reason, text=text)
        case "skipped":
            return _case_of(target, scenario.id, seconds, result="skipped", message=scenario.reason or "skipped")
        case "passed":
            return _case_of(target, scenario.id, seconds, result="system-out" if text else "", text=text)


def _case_of(
    target: Target, name: str, seconds: float = 0.0, *, result: Result, message: str = "", text: str = ""
) -> TestCase:
    classname = f"netproof.{target.cni}"
    return TestCase(classname=classname, name=name, seconds=seconds, result=result, message=message, text=text)


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
