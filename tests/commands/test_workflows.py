"""The workflows for changes and releases: they parse, what they call exists, and what was tested is released."""

from __future__ import annotations

import os
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from netproof.commands.main import _parser

from .workflows import FOLDER, ROOT, WORKFLOW, read_workflow, run_lines

NAMES = sorted(path.stem for path in FOLDER.glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SHELL = frozenset({"cat", "cd", "gh", "if", "mkdir", "python", "set"})
"""What a runner has."""


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_has_only_keys_that_exist_and_pinned_actions(name: str) -> None:
    jsonschema.validate(read_workflow(name), WORKFLOW)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_workflow_calls_exists(name: str) -> None:
    targets = {line.partition(":")[0] for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()}
    for job in read_workflow(name)["jobs"].values():
        for line in run_lines(job):
            program, *words = shlex.split(line.replace("${{ matrix.python }}", "3.12"))
            if program == "make":
                assert set(words) <= targets, line
            elif program.startswith("tools/"):
                assert os.access(ROOT / program, os.X_OK), line
            elif program.endswith("/netproof"):
                assert _parser(words[0]).parse_args(words), line
            elif "/bin/" in program:
                assert Path(program).name in ("python", "pytest"), line
            else:
                assert program in SHELL or line.startswith(("'", "|")), line


@pytest.mark.parametrize("name", NAMES)
def test_nothing_from_outside_is_written_into_a_script(name: str) -> None:
    for job in read_workflow(name)["jobs"].values():
        assert not [line for line in run_lines(job) if "${{" in line]


def test_every_python_that_is_supported_is_tested_and_on_real_namespaces() -> None:
    job = read_workflow("ci")["jobs"]["test"]
    words = [one.rpartition(" ")[2] for one in PROJECT["classifiers"] if one.startswith("Programming Language")]
    assert job["strategy"]["matrix"]["python"] == [word for word in words if "." in word]
    assert PROJECT["requires-python"] == f">={job['strategy']['matrix']['python'][0]}"
    assert job["env"]["NETPROOF_REQUIRE"] == "reference"


@pytest.mark.parametrize(("name", "job"), [("ci", "test"), ("ci", "wheel"), ("nightly", "measure")])
def test_namespaces_are_allowed_before_they_are_used(name: str, job: str) -> None:
    lines = run_lines(read_workflow(name)["jobs"][job])
    first = next(at for at, line in enumerate(lines) if "pytest" in line or "netproof run" in line)
    assert "tools/allow-namespaces" in lines[:first]


def test_what_is_published_is_what_was_built_and_attested_and_only_a_tag_publishes() -> None:
    workflow = read_workflow("release")
    build, publish = workflow["jobs"]["build"], workflow["jobs"]["publish"]
    assert workflow["on"]["push"] == {"tags": ["v*"]}
    assert (publish["needs"], publish["if"]) == ("build", "${{ github.event_name == 'push' }}")
    assert publish["permissions"] == {"id-token": "write"}
    uses = [step.get("uses", step.get("run")).partition("@")[0] for step in build["steps"]]
    assert uses.index("actions/attest-build-provenance") > uses.index("tools/build dist")
    assert [step["uses"].partition("@")[0] for step in publish["steps"]] == [
        "actions/download-artifact",
        "pypa/gh-action-pypi-publish",
    ]


@pytest.mark.parametrize(
    ("tag", "code"), [(f"v{PROJECT['version']}", 0), ("v9.9.9", 1), (PROJECT["version"], 1), ("main", 1)]
)
def test_a_tag_of_another_version_releases_nothing(tmp_path: Path, tag: str, code: int) -> None:
    version = PROJECT["version"]
    for name in (f"netproof-{version}.tar.gz", f"netproof-{version}-py3-none-any.whl"):
        (tmp_path / name).touch()
    done = subprocess.run([ROOT / "tools" / "check-tag", tmp_path, tag], capture_output=True, text=True, check=False)
    assert (done.returncode, bool(done.stderr)) == (code, bool(code))


def test_pre_commit_checks_what_lint_checks() -> None:
    hooks: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    lint = makefile.partition("\nlint:")[2].partition("\n\n")[0]
    called = {" ".join(part.split()[:2]) for part in lint.partition("@")[2].split("&&")}
    entries = {" ".join(hook["entry"].split()[:2]).removesuffix(" --force-exclude") for hook in hooks}
    assert {one.removesuffix(" .") for one in called} == entries
