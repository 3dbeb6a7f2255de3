"""The clusters that runs made, for commands: list, remove, ask. A command imports this module and no driver."""

from __future__ import annotations

from pathlib import Path

from netproof.drivers.kind import state
from netproof.drivers.kind.state import ClusterInfo, list_clusters
from netproof.model import Manifest

__all__ = ["ClusterInfo", "accepts", "delete", "find_kubeconfig", "list_clusters", "reap"]

ABOUT_THE_OBJECT = (400, 404, 422, 500)
"""HTTP answers of an API server that refuses an object. Others say something of the connection or of its load."""


def delete(name: str) -> None:
    """Remove a cluster and what stands beside it. Raises InputError for a name that no cluster of ours has."""
    state.delete(state.find(name, key="NAME"))


def reap(*, all: bool = False) -> list[str]:
    """Remove the clusters that ended runs left behind, with `all` the kept ones too; gives their names."""
    return state.reap(all=all)


def find_kubeconfig(name: str, *, key: str = "NAME") -> Path:
    """The kubeconfig of a cluster of ours. Raises InputError, which names the option `key`, for an unknown name."""
    return state.find(name, key=key).kubeconfig


def accepts(kubeconfig: Path, manifest: Manifest) -> bool:
    """Whether the API server takes an object; asked by a dry run, which changes nothing. Raises ClusterError when the
    answer says nothing of the object."""
    # The Kubernetes client takes a quarter of a second to import: only who asks a cluster pays for it.
    from netproof.drivers.kubernetes.objects import Api, Refused

    try:
        Api(kubeconfig).apply(manifest, dry_run=True)
    except Refused as error:
        if error.status not in ABOUT_THE_OBJECT:
            raise
        return False
    return True
