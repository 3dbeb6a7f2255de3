"""`conformance.yaml`, in the shape of the Gateway API's and network-policy-api's ConformanceReport, and `badge.json`.

A scenario is a test of the CNI: it fails when a cell does not do what the policies say, declared or not. What the
policies' author got wrong is no failure here, and what was not fully measured counts as skipped, never as passed. The
summary says how many of the failures are known differences, with which the other reports have passed the scenario.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final, Literal

import yaml
from pydantic import Field

from netproof.manifests.validation import StrictModel
from netproof.model import Verdict
from netproof.report import findings
from netproof.report.findings import Standing
from netproof.report.record import Cell, Record, ScenarioResult, Target
from netproof.wording import count

API_VERSION: Final = "netproof/v1alpha1"
"""Our own group: the shape is theirs, the tests are not."""
POLICY_API: Final = "networking.k8s.io/v1"
FEATURES: Final = ("SCTP", "IPv6", "nodes:2")
"""What a cluster may lack. A scenario that needs one is extended, all others are core."""
WRONG: Final = frozenset({Verdict.CNI_DIFFERENCE, Verdict.MASKED_DEFECT})

Result = Literal["success", "partial", "failure"]


class Statistics(StrictModel):
    Passed: int
    Skipped: int
    Failed: int


class Status(StrictModel):
    result: Result
    statistics: Statistics
    skippedTests: list[str] = Field(default_factory=list)
    failedTests: list[str] = Field(default_factory=list)


class ExtendedStatus(Status):
    supportedFeatures: list[str] = Field(default_factory=list)
    unsupportedFeatures: list[str] = Field(default_factory=list)


class Profile(StrictModel):
    name: str
    summary: str
    core: Status
    extended: ExtendedStatus | None = None


class Implementation(StrictModel):
    """What a record cannot know (organization, url, contact) is empty, to be filled in by who publishes it."""

    organization: str = ""
    project: str
    url: str = ""
    version: str
    contact: list[str] = Field(default_factory=list)
    additionalInformation: str = ""


class ConformanceReport(StrictModel):
    apiVersion: str = API_VERSION
    kind: Literal["ConformanceReport"] = "ConformanceReport"
    date: str
    implementation: Implementation
    mode: str
    networkPolicyAPIVersion: str = POLICY_API
    profiles: list[Profile]


def build_reports(record: Record) -> list[ConformanceReport]:
    """One report for each CNI of the record."""
    return [_report(record, target) for target in record.targets]


def render_conformance(record: Record) -> str:
    """YAML, one document for each CNI."""
    documents = [report.model_dump(exclude_none=True) for report in build_reports(record)]
    return yaml.safe_dump_all(_lean(documents), sort_keys=False, allow_unicode=True, width=120)


def render_badge(record: Record) -> str:
    """A shields.io endpoint: for each CNI the scenarios that passed, of those that ran. It is orange when
    the CNI does not do what the policies say and every difference is reviewed."""
    message, colours = [], set()
    for target, report in zip(record.targets, build_reports(record), strict=True):
        scenarios = findings.count_scenarios(target)
        text = f"{scenarios.passed}/{scenarios.ran}" if scenarios.ran else "not measured"
        message.append(f"{findings.name(target)}: {text}")
        parts = [part for profile in report.profiles for part in (profile.core, profile.extended) if part]
        colours.add(_colour(target, {part.result for part in parts}))
    colour = next((one for one in ("red", "lightgrey", "orange", "brightgreen") if one in colours), "lightgrey")
    badge = {
        "schemaVersion": 1,
        "label": "NetworkPolicy",
        "message": ", ".join(message) or "not measured",
        "color": colour,
    }
    return json.dumps(badge, ensure_ascii=False) + "\n"


def _colour(target: Target, results: set[Result]) -> str:
    if not target.cells:
        return "lightgrey"
    if findings.tally(target.cells, target.reviewed)[Standing.DIFFERS]:
        return "red"
    return "brightgreen" if results == {"success"} else "orange"


def _report(record: Record, target: Target) -> ConformanceReport:
    environment = target.environment
    known = [f"measured by netproof {record.run.netproof}: {record.run.command}"]
    if environment:
        known += [f"Kubernetes {environment.kubernetes}"] if environment.kubernetes else []
        known += [f"kernel {environment.kernel}", f"driver {environment.driver}"]
    return ConformanceReport(
        date=record.run.started_at,
        implementation=Implementation(
            project=target.cni.partition("@")[0].partition("+")[0],
            version=environment.cni_version if environment else target.cni.partition("@")[2] or "unknown",
            additionalInformation="; ".join(known),
        ),
        mode=target.cni.partition("@")[0].partition("+")[2] or "default",
        profiles=[_profile(target)],
    )


def _profile(target: Target) -> Profile:
    cells: dict[str, list[Cell]] = {scenario.id: [] for scenario in target.scenarios}
    for cell in target.cells:
        cells.setdefault(cell.scenario, []).append(cell)
    core: dict[str, str] = {}
    extended: dict[str, str] = {}
    supported: dict[str, None] = {}
    unsupported: dict[str, None] = {}
    for scenario in target.scenarios:
        needed, lacking = _needs(scenario, cells[scenario.id])
        outcome = _outcome(scenario, cells[scenario.id])
        if lacking:
            unsupported |= dict.fromkeys(lacking)
        elif needed:
            supported |= dict.fromkeys(needed)
            extended[scenario.id] = outcome
        else:
            core[scenario.id] = outcome
    known = {
        scenario.id
        for scenario in target.scenarios
        if scenario.result == "passed" and "failed" in (core.get(scenario.id), extended.get(scenario.id))
    }
    status = _status(core)
    more = None
    if supported or unsupported:
        features = {"supportedFeatures": list(supported), "unsupportedFeatures": list(unsupported)}
        more = ExtendedStatus.model_validate({**_status(extended).model_dump(), **features})
        if not extended:
            more = more.model_copy(update={"result": "success"})
    sentences = [_summary("Core", status, known), _summary("Extended", more, known) if more and extended else ""]
    if target.error:
        sentences.insert(0, f"The run ended early: {target.error.splitlines()[0]}.")
    return Profile(name="NetworkPolicy", summary=" ".join(filter(None, sentences)), core=status, extended=more)


def _outcome(scenario: ScenarioResult, cells: list[Cell]) -> str:
    if any(cell.verdict in WRONG for cell in cells):
        return "failed"
    whole = (
        cells and scenario.result in ("passed", "failed") and all(c.verdict is not Verdict.UNMEASURED for c in cells)
    )
    return "passed" if whole else "skipped"


def _needs(scenario: ScenarioResult, cells: Iterable[Cell]) -> tuple[list[str], list[str]]:
    """The features that a scenario uses, and those that it was skipped for."""
    used = {"SCTP" for cell in cells if cell.protocol == "SCTP"} | {"IPv6" for cell in cells if cell.family == 6}
    lacks = [name for name in FEATURES if re.search(rf"(?:needs|;) {re.escape(name)}: ", scenario.reason)]
    return [name for name in FEATURES if name in used], lacks if scenario.result == "skipped" else []


def _status(outcomes: dict[str, str]) -> Status:
    names = {
        word: [name for name, outcome in outcomes.items() if outcome == word]
        for word in ("passed", "skipped", "failed")
    }
    result: Result = "failure" if names["failed"] else "partial" if names["skipped"] or not outcomes else "success"
    return Status(
        result=result,
        statistics=Statistics(Passed=len(names["passed"]), Skipped=len(names["skipped"]), Failed=len(names["failed"])),
        skippedTests=names["skipped"],
        failedTests=names["failed"],
    )


def _summary(what: str, status: Status, known: set[str]) -> str:
    """`known`: the scenarios whose every difference is a known one."""
    numbers = status.statistics
    total = numbers.Passed + numbers.Skipped + numbers.Failed
    if not total:
        return f"{what} tests were not run."
    reviewed = len(known & {*status.failedTests})
    by = f" ({reviewed:,} by known differences only)" if reviewed else ""
    parts = [f"{count(numbers.Failed, 'test')} failed{by}"] if numbers.Failed else []
    parts += [f"{count(numbers.Skipped, 'test')} skipped or not fully measured"] if numbers.Skipped else []
    if not parts:
        return f"{what} tests succeeded: all {total:,}."
    return f"{what} tests did not all succeed: {', '.join(parts)} of {total:,}."


def _lean(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without empty lists of tests and features, as the API's own reports leave them out."""
    optional = {"skippedTests", "failedTests", "supportedFeatures", "unsupportedFeatures"}

    def lean(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: lean(item) for key, item in value.items() if item or key not in optional}
        return [lean(item) for item in value] if isinstance(value, list) else value

    return [lean(document) for document in documents]
