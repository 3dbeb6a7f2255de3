"""A scenario as a value that a run measures step by step, whatever it was read or generated from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from netproof.clusters import reviews
from netproof.manifests import placeholders
from netproof.manifests.yaml_documents import dump_yaml
from netproof.model import Intent, Manifest, Matrix, Placement, Pod, Probe, Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What changes, the world afterwards, and what is meant to connect once the changes are in force.

    `policies` are all that are in force then; `applied` and `deleted` are the change. `left_open` are cells that the
    API leaves open.
    """

    name: str
    policies: tuple[Manifest, ...]
    applied: tuple[Manifest, ...]
    topology: Topology
    intended: Matrix[Intent]
    deleted: tuple[Manifest, ...] = ()
    left_open: frozenset[Probe] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`topology` is the world before the first step; `select` is the option that runs just this scenario. `engine` is
    the dialect that its chart renders, where charts have several, and `variant_of` the scenario with the same intent
    that the others of its kind refer to (its own id for that one)."""

    id: str
    claim: str
    source: str
    topology: Topology
    steps: tuple[Step, ...]
    documented: reviews.Reviews
    needs: tuple[str, ...] = ()
    values: str = ""
    warnings: tuple[str, ...] = ()
    select: str = ""
    draft: Mapping[str, Any] | None = None
    """What it was generated as (generate/): then nobody meant anything, and the evaluator says what is meant."""
    engine: str = ""
    variant_of: str = ""

    def fill(self, placement: Placement) -> Scenario:
        """With the addresses of a placement instead of placeholders (manifests/placeholders.py). Raises InputError."""

        def put(step: Step) -> Step:
            policies, applied, deleted = (
                placeholders.fill(part, placement) for part in (step.policies, step.applied, step.deleted)
            )
            pods = tuple(_with_hosts(pod, placement) for pod in step.topology.pods)
            topology = replace(step.topology, pods=pods)
            return replace(step, policies=policies, applied=applied, deleted=deleted, topology=topology)

        return replace(self, steps=tuple(put(step) for step in self.steps))

    def policies_text(self) -> str:
        """All manifests of all steps as YAML, as a user would apply them."""
        manifests = [dict(manifest) for step in self.steps for manifest in step.applied]
        return dump_yaml(manifests) if manifests else ""


def _with_hosts(pod: Pod, placement: Placement) -> Pod:
    first = (replace(one, host=placeholders.fill_text(one.host, placement)) for one in pod.first)
    return replace(pod, first=tuple(first)) if pod.first else pod
