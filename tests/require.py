"""What this machine lacks: tests of it are skipped, unless `NETPROOF_REQUIRE=reference,calico,cilium` names it. A CI
that means to measure real CNIs fails then, where it would have passed without a packet."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

from netproof.clusters import recipes
from netproof.doctor.machine import reference_facts

VARIABLE = "NETPROOF_REQUIRE"


def required() -> frozenset[str]:
    """The names of CNIs that have to be measured here. Fails for one that is not known."""
    text = os.environ.get(VARIABLE, "")
    return frozenset(one.name for one in recipes.parse_cni(text)) if text.strip() else frozenset()


def skip(cni: str, reason: str) -> NoReturn:
    """End a test of a CNI (or of the reference) that this machine cannot run."""
    if cni in required():
        pytest.fail(f"{VARIABLE} names {cni}, and it cannot run here: {reason}", pytrace=False)
    pytest.skip(reason)


needs_reference = pytest.mark.skipif(
    "error" in reference_facts() and "reference" not in required(), reason="needs network namespaces and nftables"
)
"""For tests that run netproof as a process of its own; where it is required they run, and fail by themselves."""
