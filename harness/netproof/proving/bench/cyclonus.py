"""Cyclonus on the same cluster: the wall time of its process for one round, and for one generated case.

Flags are those of Cyclonus 0.5.6 (pkg/cli/probe.go, generate.go). It keeps its own defaults, its wait of five seconds
after a change among them; asked for are our ports and protocols, and pods' addresses, as our rounds dial them.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from netproof.errors import NetproofError
from netproof.proving.bench.figures import RoundFigure
from netproof.proving.bench.process import Done, timed

PROGRAM = "cyclonus"
NOT_FOUND = "cyclonus was not found on the PATH, and is not timed"
NO_CLUSTER = "cyclonus is timed on a kept cluster only (--reuse-cluster NAME), and is not timed"
PODS = 9
CELLS = 324
"""Nine pods to nine pods, themselves among them, on two ports by two protocols."""

SERVERS = ["--server-port=80,81", "--server-protocol=TCP,UDP"]
PROBE = ["probe", *SERVERS, "--probe-mode=pod-ip"]
CASE = [
    "generate",
    *SERVERS,
    "--destination-type=pod-ip",
    # These tags leave one case: "ingress: deny all".
    "--include=deny-all",
    "--exclude=egress,conflict,upstream-e2e,example,multi-peer,end-port,namespaces-by-default-label",
    "--cleanup-namespaces",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A kept cluster. `registry` is where Cyclonus finds agnhost, where that is not its own default."""

    cni: str
    kubeconfig: Path
    registry: str = ""

    def command(self, words: list[str]) -> list[str]:
        """The command line; the cluster is in the environment."""
        return [PROGRAM, *words, *([f"--image-registry={self.registry}"] if self.registry else [])]


def found() -> bool:
    return shutil.which(PROGRAM) is not None


def figures(cluster: Cluster) -> Iterator[RoundFigure]:
    """One line: a round when its pods run, and a case. The first round, which makes its pods, is `deploy_s`.

    Raises NetproofError when Cyclonus fails, or runs another number of cases than one.
    """
    first = _run(cluster, PROBE)
    again = _run(cluster, PROBE)
    case = _run(cluster, CASE)
    cases = re.search(r"^testing (\d+) cases$", case.output, re.MULTILINE)
    if cases is None or cases[1] != "1":
        raise NetproofError(f"cyclonus ran {cases[1] if cases else 'no'} cases, one was wanted")
    yield RoundFigure(
        what=f"{cluster.cni}, cyclonus{_version(case)}",
        pods=PODS,
        probes=CELLS,
        deploy_s=round(max(0.0, first.wall_s - again.wall_s), 2),
        connected_s=round(again.wall_s, 2),
        denied_s=None,
        timeout_s=None,
        case_s=round(case.wall_s, 2),
        memory_mib=max(done.memory_mib for done in (first, again, case)),
        commands=[" ".join(cluster.command(words)) for words in (PROBE, CASE)],
    )


def _run(cluster: Cluster, words: list[str]) -> Done:
    done = timed(cluster.command(words), env={"KUBECONFIG": str(cluster.kubeconfig)})
    if done.code:
        last = "\n".join(done.output.strip().splitlines()[-5:])
        raise NetproofError(f"`{' '.join(cluster.command(words))}` ended with {done.code}:\n{last}")
    return done


def _version(done: Done) -> str:
    """What the program says of itself, before a case."""
    said = re.search(r'"Version":\s*"v?([^"]+)"', done.output)
    return f" {said[1]}" if said else ""
