"""What a workflow file of GitHub's may contain, from the public syntax page of GitHub Actions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"

TEXT = {"type": "string", "minLength": 1}
ACTION = r"^(actions/[a-z-]+@(v\d+|[0-9a-f]{40})|pypa/gh-action-pypi-publish@release/v1)$"
PERMISSIONS = {"type": "object", "additionalProperties": {"enum": ["read", "write", "none"]}}
STEP: dict[str, Any] = {
    "type": "object",
    "oneOf": [{"required": ["uses"]}, {"required": ["run"]}],
    "properties": {
        "id": TEXT,
        "name": TEXT,
        "if": TEXT,
        "uses": {"type": "string", "pattern": ACTION},
        "with": {"type": "object"},
        "run": TEXT,
        "env": {"type": "object", "additionalProperties": TEXT},
        "continue-on-error": {"type": "boolean"},
    },
    "additionalProperties": False,
}
JOB: dict[str, Any] = {
    "type": "object",
    "required": ["runs-on", "timeout-minutes", "steps"],
    "properties": {
        "name": TEXT,
        "needs": TEXT,
        "if": TEXT,
        "env": {"type": "object", "additionalProperties": TEXT},
        "environment": TEXT,
        "runs-on": {"type": "string", "pattern": r"^ubuntu-\d\d\.04$"},
        "timeout-minutes": {"type": "integer", "maximum": 120},
        "continue-on-error": {"type": "boolean"},
        "permissions": PERMISSIONS,
        "strategy": {
            "type": "object",
            "required": ["fail-fast", "matrix"],
            "properties": {"fail-fast": {"const": False}, "matrix": {"type": "object"}},
            "additionalProperties": False,
        },
        "steps": {"type": "array", "minItems": 1, "items": STEP},
    },
    "additionalProperties": False,
}
WORKFLOW: dict[str, Any] = {
    "type": "object",
    "required": ["name", "on", "permissions", "concurrency", "jobs"],
    "properties": {
        "name": TEXT,
        "on": {"type": "object", "required": ["workflow_dispatch"]},
        "permissions": {"const": {"contents": "read"}},
        "concurrency": {"type": "object", "required": ["group", "cancel-in-progress"]},
        "env": {"type": "object", "additionalProperties": TEXT},
        "jobs": {"type": "object", "additionalProperties": JOB},
    },
    "additionalProperties": False,
}


class _Github(yaml.SafeLoader):
    """YAML 1.2, where `on` is a word."""


_Github.yaml_implicit_resolvers = {
    sign: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool"]
    for sign, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Github.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def read_workflow(name: str) -> dict[str, Any]:
    found = yaml.load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"), _Github)
    assert isinstance(found, dict)
    return found


def run_lines(job: dict[str, Any]) -> list[str]:
    """The lines of shell that a job runs."""
    return [line for step in job["steps"] for line in step.get("run", "").splitlines()]
