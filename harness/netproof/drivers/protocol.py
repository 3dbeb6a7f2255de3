"""What everybody above knows of a driver, and a driver of its user's wishes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from netproof.model import Channel, Manifest, Placement, Say, Topology

Origin = Literal["created", "reused", "existing"]
"""Of a cluster: this run made it, an earlier run kept it, or it is the user's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """One file that was applied to a cluster: where it came from and its SHA-256 (hex)."""

    name: str
    source: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a run ran on. Everything here was read from the machine or the cluster, nothing was assumed."""

    driver: str
    cni: str
    cni_version: str
    kernel: str
    nodes: tuple[str, ...]
    families: tuple[int, ...] = (4,)
    kubernetes: str = ""
    """The version of its API server; '' where there is none."""
    cluster: str = ""
    engine: str = ""
    state: Origin | Literal[""] = ""
    applied: tuple[Applied, ...] = ()
    images: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


class Driver(Protocol):
    """Made by `create`; one object is one cluster (or one fabric) for one process.

    Order of calls: `start` or `attach`; then any number of `deploy`, `open`, `apply`, `reset`; then `stop`. `apply` and
    `reset` return when the API server (or the kernel) accepted the change; seeing its effect is the measurement's work.
    """

    def start(self, say: Say) -> Environment:
        """Bring it up, or connect to what exists. Raises ClusterError with the last events and logs."""

    def handle(self) -> Mapping[str, str]:
        """Plain strings from which `attach` in another process (an xdist worker) reaches the same cluster."""

    def attach(self, handle: Mapping[str, str]) -> Environment:
        """Use a cluster that another process started; it is not stopped by this one."""

    def deploy(self, topology: Topology, say: Say) -> Placement:
        """Make namespaces, pods, services and externals exist and ready. Idempotent; earlier topologies stay."""

    def open(self, endpoint: str) -> Channel:
        """A new stream to the prober of a deployed pod, node or external. Raises AgentLost."""

    def apply(self, manifests: Sequence[Manifest]) -> None:
        """Apply policies. Raises InputError when the API server refuses one."""

    def delete(self, manifests: Sequence[Manifest]) -> None:
        """Delete policies that `apply` created."""

    def reshape(self, topology: Topology) -> Placement:
        """Make the deployed namespaces and pods of a topology look like this: new labels in place, pods that are gone
        deleted, new pods (and new incarnations) created and ready. Its Services and externals stay as they are."""

    def reset(self) -> None:
        """Delete every policy that `apply` created here."""

    def disturbed(self) -> str:
        """In words, what happened without us that makes a cell which disagrees say nothing: somebody deleted or changed
        an applied policy, or the cluster is not the one that the step began on. '' where nothing did."""

    def lost(self) -> str:
        """In words, why nothing can be measured here any more, or ''. Asked when a scenario could not be."""

    def evidence(self) -> Mapping[str, str]:
        """The driver's own view right now: file name -> text (ruleset, events, agents' logs)."""

    def reproduce(self, source: str, host: str, port: int, protocol: str) -> str:
        """A shell command that repeats one probe by hand, on a kept cluster; '' where nothing outlives the run. The
        scenario's own command is shown then."""

    def stop(self, *, keep: bool) -> None:
        """Remove what this run created (never anything else), or keep it for `--reuse-cluster`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverOptions:
    """What a user may say about where pods run. `worker` is the xdist worker's name, or ''."""

    run_id: str
    worker: str = ""
    reuse_cluster: str = ""
    artifacts: str = ""
    fault: str = ""
    token: str = ""
    """The secret word without which agents do not answer."""
