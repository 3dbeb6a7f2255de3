"""The ready-made workflows keep their promises: every CNI apart, artefacts always, red only for what is new.

What a workflow file may contain is from the public syntax pages of GitHub Actions and GitLab CI/CD.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from netproof.clusters import recipes
from netproof.commands.main import main
from netproof.report.record import Record
from tests.report.example import example
from tests.report.test_compare import leak, night, small

from .test_cli import written
from .workflows import TEXT, WORKFLOW, read_workflow

ROOT = Path(__file__).parents[2]
GITLAB = ROOT / "docs" / "ci" / "gitlab-nightly.yml"

GITLAB_JOB: dict[str, Any] = {
    "type": "object",
    "required": ["stage", "timeout", "script", "artifacts"],
    "properties": {
        "stage": TEXT,
        "timeout": {"type": "string", "pattern": r"^\d+ minutes$"},
        "allow_failure": {"type": "boolean"},
        "when": {"enum": ["on_success", "on_failure", "always", "manual"]},
        "needs": {"type": "array", "items": {"type": "object", "required": ["job"]}},
        "parallel": {"type": "object", "required": ["matrix"]},
        "cache": {"type": "object", "required": ["key", "paths"]},
        "script": {"type": "array", "items": TEXT},
        "after_script": {"type": "array", "items": TEXT},
        "artifacts": {
            "type": "object",
            "required": ["when", "paths"],
            "properties": {
                "when": {"const": "always"},
                "name": TEXT,
                "paths": {"type": "array", "items": TEXT},
                "reports": {"type": "object"},
                "expire_in": TEXT,
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
PIPELINE: dict[str, Any] = {
    "type": "object",
    "required": ["workflow", "stages"],
    "properties": {
        "workflow": {"type": "object", "required": ["rules"]},
        "stages": {"type": "array", "items": TEXT},
        "default": {"type": "object"},
        "variables": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "additionalProperties": GITLAB_JOB,
}


def github() -> dict[str, Any]:
    return read_workflow("nightly")


def gitlab() -> dict[str, Any]:
    found = yaml.safe_load(GITLAB.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_the_github_workflow_has_only_keys_that_exist_and_pinned_actions() -> None:
    jsonschema.validate(github(), WORKFLOW)
    assert github()["on"].keys() == {"schedule", "workflow_dispatch"}


def test_the_gitlab_pipeline_has_only_keys_that_exist() -> None:
    pipeline = gitlab()
    jsonschema.validate(pipeline, PIPELINE)
    jobs = {name: job for name, job in pipeline.items() if name not in ("workflow", "stages", "default", "variables")}
    assert [job["stage"] for job in jobs.values()] == pipeline["stages"]


def test_a_failed_cni_stops_no_other_and_its_artefacts_are_kept() -> None:
    measure = github()["jobs"]["measure"]
    assert measure["strategy"]["fail-fast"] is False
    assert measure["continue-on-error"] is True
    assert gitlab()["measure"]["allow_failure"] is True
    uploads = [
        step for job in github()["jobs"].values() for step in job["steps"] if "upload-artifact" in step.get("uses", "")
    ]
    assert [step["if"] for step in uploads] == ["${{ always() }}"] * 2


def test_the_last_job_runs_whatever_happened_and_is_the_only_one_that_can_fail() -> None:
    last = github()["jobs"]["night"]
    assert (last["needs"], last["if"]) == ("measure", "${{ !cancelled() }}")
    assert "continue-on-error" not in last
    assert (gitlab()["night"]["when"], gitlab()["night"]["needs"][0]["job"]) == ("always", "measure")
    assert "allow_failure" not in gitlab()["night"]


def test_what_is_expected_is_what_is_measured_on_both() -> None:
    matrix = github()["jobs"]["measure"]["strategy"]["matrix"]["cni"]
    assert github()["env"]["EXPECT"].split(",") == matrix
    assert gitlab()["variables"]["EXPECT"].split(",") == matrix
    assert gitlab()["measure"]["parallel"]["matrix"] == [{"CNI": matrix}]


def test_every_cni_has_a_recipe_and_versions_are_those_of_the_recipes() -> None:
    for word in github()["jobs"]["measure"]["strategy"]["matrix"]["cni"]:
        (wanted,) = recipes.parse_cni(word)
        recipe = recipes.load(recipes.CniVersion(name=wanted.name))
        assert wanted.version in (None, recipe.version.removeprefix("v")), word


def test_nothing_from_outside_is_written_into_a_script() -> None:
    for job in github()["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "").replace("${{ matrix.cni }}", "")


def commands(name: str) -> list[str]:
    """The lines of a night's last job that call netproof, as a shell would see them."""
    if name == "github":
        lines = "\n".join(step["run"] for step in github()["jobs"]["night"]["steps"] if "run" in step).splitlines()
    else:
        lines = "\n".join(gitlab()["night"]["script"]).splitlines()
    return [line for line in lines if "netproof" in line or line.startswith(("set --", "if ["))]


@dataclass(frozen=True)
class Case:
    tonight: Record
    before: Record | None
    code: int


@pytest.mark.parametrize("name", ["github", "gitlab"])
@pytest.mark.parametrize(
    "case",
    [Case(small(leak), small(), 13), Case(small(), small(leak), 0), Case(small(leak), None, 0)],
    ids=["new", "gone", "first-night"],
)
def test_the_last_job_does_what_it_says(name: str, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commands, run one after the other by a small shell of ours that knows just what they use."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "records" / "record-calico", night(case.tonight, 21))
    written(tmp_path / "records" / "record-cilium", night(example("cilium"), 21))
    if case.before:
        targets = [*case.before.targets, *example("cilium").targets]
        written(tmp_path / "before", night(case.before.model_copy(update={"targets": targets}), 20))
    words: list[str] = []
    codes = []
    for line in commands(name):
        if line.startswith("set --"):
            words = ["calico,cilium,antrea" if word == "$EXPECT" else word for word in shlex.split(line)[2:]]
        elif line.startswith("if ["):
            if Path("before/record.json").exists():
                words += ["--baseline", "before"]
        else:
            _, *rest = shlex.split(line)
            codes.append(main(rest[:1] + words if rest[1:] == ["$@"] else rest))
    assert codes == [0, case.code]
    text = Path("night/compare.md").read_text(encoding="utf-8")
    assert "antrea is missing: no record has it. Nothing is known about it." in text
    assert Path("night/report.html").exists()
    assert Path("night/compare.html").exists()


def test_the_page_about_nights_names_every_class_of_a_comparison() -> None:
    from netproof.report.comparison import WORDS, RowClass

    text = (ROOT / "docs" / "nights.md").read_text(encoding="utf-8")
    assert all(f"| {WORDS[kind]} |" in text for kind in RowClass if kind not in (RowClass.ALONE, RowClass.SAME))
