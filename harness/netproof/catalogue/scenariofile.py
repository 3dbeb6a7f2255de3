"""A scenario as its author writes it (YAML): the models of a scenario file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from netproof.clusters import reviews
from netproof.manifests.validation import StrictModel

PolicyEntry = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "object", "required": ["apiVersion", "kind", "metadata"]},
                {
                    "type": "object",
                    "patternProperties": {"^[^/]+/[^/]+$": {"type": "object"}},
                    "additionalProperties": False,
                    "minProperties": 1,
                    "maxProperties": 1,
                },
            ]
        }
    ),
]
"""A whole manifest, or `namespace/name: spec` for a NetworkPolicy."""


class StepEntry(StrictModel):
    """One step: changes, and the table that must hold once they are in force.

    `apply`: whole manifests, or `namespace/name: spec` for a NetworkPolicy; addresses may be placeholders, which stand
    for what they are before the first step (manifests/placeholders.py). `delete`: names of such policies. `label`: pods
    (`namespace/name`) or namespaces with their new labels. `recreate`: pods that are replaced by new ones of the
    same name. `remove`: pods that are deleted. `create`: pods that an earlier step removed come as new ones.
    """

    name: str = "applied"
    apply: list[PolicyEntry] = Field(default_factory=list)
    delete: list[str] = Field(default_factory=list)
    label: dict[str, dict[str, str]] = Field(default_factory=dict)
    recreate: list[str] = Field(default_factory=list)
    remove: list[str] = Field(default_factory=list)
    create: list[str] = Field(default_factory=list)
    expect: str = ""


class ScenarioFile(StrictModel):
    """One YAML document of a scenario file: policies with a table of what must connect, in one step or several; or a
    chart with values, measured against its communication map. A chart's `policies` are somebody else's beside it, and
    its `expect` says what is meant of the cells that the map does not have or that those policies change."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    claim: str
    """One sentence that is true or not."""
    source: str
    """Where the claim comes from."""
    needs: list[str] = Field(default_factory=list)
    """What the cluster must have: SCTP, IPv6, nodes:2, …; without it the scenario is skipped with that reason."""
    topology: str = "grid"
    """A world of scenarios/topologies/."""
    policies: list[PolicyEntry] = Field(default_factory=list)
    expect: str = ""
    steps: list[StepEntry] = Field(default_factory=list)
    chart: str = ""
    values: dict[str, Any] = Field(default_factory=dict)
    side: Literal["both", "ingress", "egress"] = "both"
    only: list[reviews.CellPattern] = Field(default_factory=list)
    """Of a chart's cells only those that match one of these; all when it is empty."""
    variant_of: str = ""
    """Another scenario of the chart, with the same intent under another engine."""
