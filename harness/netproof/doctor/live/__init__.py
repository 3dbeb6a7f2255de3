"""A cluster of the user's: the four steps of troubleshooting a NetworkPolicy (which CNI, which labels, which policies
meet, what the logs say), done. Only reads, but for the canary, which is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from netproof.clusters.recipes import CniVersion
from netproof.doctor.diagnosis import Diagnosis
from netproof.doctor.live import canary, cni, denials, policies
from netproof.drivers.kubernetes.objects import Api
from netproof.lint import CniProfile
from netproof.lint.cni.profiles import read_profile

NUMBER = re.compile(r"v?(\d+\.\d+\.\d+)")
"""What of an image's tag is a version; builders put more behind it."""


def examine(kubeconfig: Path | None, context: str, *, measure: bool, say: Callable[[str], None]) -> Iterator[Diagnosis]:
    """All findings, step by step. Raises InputError for a context that is not there, ClusterError for a cluster that
    does not answer."""
    api = Api(kubeconfig, context)
    say("reading the cluster")
    nodes = api.list("/api/v1/nodes")
    found = cni.detect(api)
    live = policies.read(api, nodes, _profiles(found))
    yield from _of("1. the CNI", (*cni.describe(api, nodes, found, live.counted), *canary.find_leftovers(api)))
    if measure:
        title = " and ".join(one.known.title for one in found) or "this cluster"
        yield from _of("enforcement, measured", canary.measure(api, nodes, title, say))
    yield from _of("2. labels and selectors", policies.selected(live))
    yield from _of("3. policies that meet on a pod", policies.overlapping(live))
    say("asking the CNI")
    yield from _of("4. what the CNI tells", (finding for one in found for finding in denials.denials(api, one)))


def _of(group: str, findings: Iterable[Diagnosis]) -> Iterator[Diagnosis]:
    return (finding.of(group) for finding in findings)


def _profiles(found: Sequence[cni.DetectedCni]) -> list[CniProfile]:
    """What is known of these versions of them. Who enforces what is told of all together, since one may be there for
    the network and another for policies."""
    together = tuple(dict.fromkeys(dialect for one in found for dialect in one.dialects))
    profiles = []
    for one in found:
        number = NUMBER.match(one.version)
        if one.known.recipe and one.dialects and number:
            profile = read_profile(CniVersion(name=one.known.recipe, version=number[1]))
            profiles.append(replace(profile, dialects=together, enforces=True))
    return profiles
