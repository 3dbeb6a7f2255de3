"""Python, and whether the reference driver can run: it is tried, in a process whose namespaces end with it."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from netproof.doctor.diagnosis import Diagnosis, missing, ok, warn
from netproof.drivers import reference

NEEDED = (3, 11)
PATIENCE = 30.0
"""Seconds."""
TRY = (
    "import json, sys; sys.path.insert(0, sys.argv[1])\n"
    "from inside.namespaces import Unavailable\n"
    "from inside.supervisor import Supervisor\n"
    "try: print(json.dumps(Supervisor().facts()))\n"
    "except Unavailable as error: print(json.dumps({'error': str(error)}))\n"
    "except OSError as error: print(json.dumps({'error': str(error)}))\n"
)
RUNS = "dataplane"
"""The finding that says whether the reference driver can run."""
FIXES = {"nftables": "apt-get install nftables", "as root run: ": ""}
"""A word of the driver's own sentence -> the command; empty where the command follows that word."""


def python() -> Iterator[Diagnosis]:
    version = platform.python_version()
    if sys.version_info >= NEEDED:
        yield ok("Python", version)
    else:
        yield missing("Python", f"{version}; netproof needs 3.11 or later", "apt-get install python3.11")


def reference_facts() -> dict[str, object]:
    """What the driver's own first steps say of this machine: `privilege`, `families` and `nft`, or `error`."""
    if platform.system() != "Linux":
        return {"error": f"the reference dataplane needs Linux, this is {platform.system()}"}
    folder = str(Path(reference.__file__).parent)
    command = [sys.executable, "-P", "-c", TRY, folder]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return {"error": f"its first steps took longer than {PATIENCE:.0f} s"}
    try:
        found: dict[str, object] = json.loads(done.stdout)
    except ValueError:
        return {"error": (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]}
    return found


def fix_of(error: str) -> str:
    for word, command in FIXES.items():
        if word in error:
            return command or error.partition(word)[2]
    return "run as root, or in a container with --privileged"


def of_reference(facts: dict[str, object]) -> Iterator[Diagnosis]:
    """The findings of what `reference_facts` gave."""
    if "error" in facts:
        error = str(facts["error"])
        yield missing(RUNS, error, fix_of(error))
        return
    yield ok(RUNS, f"network namespaces by {facts['privilege']}, {facts['nft']}")
    families = facts["families"]
    if isinstance(families, list) and 6 in families:
        yield ok("IPv6", "in its network namespaces")
    else:
        yield warn(
            "IPv6", "not in its network namespaces: IPv6 cells are skipped", "sysctl net.ipv6.conf.all.disable_ipv6=0"
        )


def of_this_machine() -> Iterator[Diagnosis]:
    yield from of_reference(reference_facts())
