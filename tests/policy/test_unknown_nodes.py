"""Where nobody says on which nodes pods run: what is then allowed from a pod's own node only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netproof.model import Specified
from netproof.policy import Evaluator, read_policies

from .example import PLACEMENT, TOPOLOGY, manifest, probe

NOWHERE = replace(PLACEMENT, node_of={})
CLOSED = manifest("shop/closed", "{podSelector: {matchLabels: {app: api}}, policyTypes: [Ingress]}")
OPEN = manifest("shop/open", "{podSelector: {matchLabels: {app: api}}, ingress: [{}]}")
SILENT = manifest("shop/silent", "{podSelector: {matchLabels: {app: ui}}, policyTypes: [Egress]}")


@pytest.mark.parametrize(
    ("policies", "asked", "specified", "depends"),
    [
        ([CLOSED], "node:0 > shop/api 8080", Specified.UNSPECIFIED, True),
        ([CLOSED], "ops/agent > shop/api 8080", Specified.UNSPECIFIED, True),
        ([OPEN], "ops/agent > shop/api 8080", Specified.CONNECTED, False),
        ([], "ops/agent > shop/api 8080", Specified.CONNECTED, False),
        ([CLOSED], "shop/ui > shop/api 8080", Specified.DENIED, False),
        # To the pod's own node it is left open, so that it surely connects nowhere.
        ([SILENT], "shop/ui > node:0 8080", Specified.UNSPECIFIED, False),
    ],
)
def test_depends(policies: list[dict[str, object]], asked: str, specified: Specified, depends: bool) -> None:
    decision = Evaluator(read_policies(policies), TOPOLOGY, NOWHERE).decide(probe(asked))
    assert (decision.specified, decision.depends) == (specified, depends), decision.because


def test_by_a_service_too() -> None:
    decision = Evaluator(read_policies([CLOSED]), TOPOLOGY, NOWHERE).decide(probe("ops/agent > svc:shop/api 80"))
    assert decision.depends, decision.because
