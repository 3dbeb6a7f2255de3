"""Programs of this machine that drivers start: docker, kind, helm."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from netproof.errors import ClusterError

_INSTALL = {
    "docker": "install Docker, or choose `--cni reference`, which needs no container engine",
    "kind": "install it from https://kind.sigs.k8s.io, or choose `--cni reference`, which needs no cluster",
    "helm": "install it from https://helm.sh, or choose a CNI that is installed from plain manifests",
}


def run(
    command: Sequence[str], *, timeout: float = 60, check: bool = True, purpose: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program of the machine to its end. Raises ClusterError when it is missing, fails or takes too long."""
    require(command[0])
    try:
        # A session of its own, so that Ctrl-C reaches us alone and we can clean up after it.
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, check=False, start_new_session=True
        )
    except subprocess.TimeoutExpired:
        raise ClusterError(f"{purpose or ' '.join(command)} took longer than {timeout:.0f} s") from None
    if check and done.returncode:
        raise ClusterError(
            f"{purpose or ' '.join(command)} failed (exit status {done.returncode})", details=tail(done.stderr)
        )
    return done


def require(program: str) -> None:
    """Raises ClusterError that says how to come by a program that is not on the PATH."""
    if shutil.which(program) is None:
        raise ClusterError(f"the program `{program}` is not on the PATH: {_INSTALL.get(program, 'install it')}")


def tail(text: str, lines: int = 30) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
