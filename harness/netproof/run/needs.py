"""What a scenario needs and what a CNI on this machine has."""

from __future__ import annotations

from collections.abc import Mapping

from netproof.catalogue.scenarios import Scenario
from netproof.clusters.recipes import Recipe
from netproof.drivers import Environment

HERE = "yes"
"""Stands for a capability that is there; for any other one stands why it is missing."""


def explain_missing(
    scenario: Scenario, recipe: Recipe, environment: Environment | None, capabilities: Mapping[str, str]
) -> str:
    """Why a scenario cannot run here, or ''. `capabilities`: what the pre-flight found of protocols."""
    if foreign := recipe.not_enforced(manifest for step in scenario.steps for manifest in step.applied):
        return foreign
    known = {**capabilities, **(environment_capabilities(environment) if environment else {})}
    lacks = [f"{need}: {known.get(need, 'unknown')}" for need in scenario.needs if known.get(need) != HERE]
    return f"needs {'; '.join(lacks)}" if lacks else ""


def environment_capabilities(environment: Environment) -> dict[str, str]:
    """Capability -> `yes`, or why it is missing, of what a run runs on."""
    return {
        "API server": HERE if environment.kubernetes else f"the {environment.driver} dataplane has none",
        "nodes:2": HERE if len(environment.nodes) > 1 else "one node only",
        "IPv6": HERE if 6 in environment.families else "pods have no IPv6 address",
    }
