"""Whether policies are enforced at all: the pre-flight of every run, on a cluster that is not ours. Only on request: it
makes a namespace of its own there with four pods, and deletes it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from netproof.clusters.recipes import Recipe, Settle
from netproof.doctor.diagnosis import Diagnosis, missing, ok, warn
from netproof.drivers import DriverOptions
from netproof.drivers.kubernetes import pods, waiting
from netproof.drivers.kubernetes.guest import GuestDriver
from netproof.drivers.kubernetes.objects import Api
from netproof.drivers.worker import WorkerDriver
from netproof.errors import ClusterError, NotEnforced
from netproof.model import Measured
from netproof.run import preflight
from netproof.run.deployment import Deployment

PREFIX = f"{preflight.NAMESPACE}-doctor-"
"""What the names of its namespaces begin with."""
LIMIT = 45.0
"""Seconds that an unknown CNI gets to put a policy in force: as long as the slowest of those that have a recipe."""


def measure(
    api: Api, nodes: Sequence[Mapping[str, Any]], title: str, say: Callable[[str], None]
) -> Iterator[Diagnosis]:
    """Raises ClusterError when nothing could be measured, and InputError when the API server refuses the pods."""
    able = [node for node in nodes if waiting.node_ready(node) and _takes_pods(node)]
    if not able:
        raise ClusterError("no node is ready, schedulable and runs Linux")
    word = secrets.token_hex(4)
    settings = Settle(limit=LIMIT)
    recipe = Recipe(
        name="canary", title=title, driver="kind", version="", dialects=["networking.k8s.io/v1"], settle=settings
    )
    options = DriverOptions(run_id=f"doctor-{word}", token=secrets.token_hex(8))
    driver = WorkerDriver(GuestDriver(api, able, recipe, options), f"doctor-{word}")
    deployment = Deployment(driver, settings)
    try:
        deployment.deploy(preflight.TOPOLOGY, say)
        say("measuring")
        done = preflight.examine(deployment)
    finally:
        deployment.close()
        driver.stop(keep=True)
        say("removing the canary")
        pods.remove(api, [f"{PREFIX}{word}"])
    for check in done.checks:
        state = ok if check.measured is check.expected else warn if check.measured is Measured.UNMEASURED else missing
        after = "" if check.after_s is None else f" after {check.after_s:.1f} s"
        yield state(check.name, f"{check.measured.value}{after}")
    try:
        preflight.judge(recipe, done.checks, done.settled)
    except NotEnforced as error:
        yield missing("enforcement", str(error))
    else:
        yield ok("enforcement", "measured: what a policy denies is denied, and what it allows connects")


def find_leftovers(api: Api) -> Iterator[Diagnosis]:
    """What a doctor that was killed could not delete. Its namespaces carry a word of its own, so one that lives is
    among them."""
    for item in api.list("/api/v1/namespaces"):
        name = item["metadata"]["name"]
        if name.startswith(PREFIX):
            told = f"of a canary that began at {item['metadata'].get('creationTimestamp', '?')}"
            yield warn(name, told, f"kubectl delete namespace {name}, if no doctor is at work")


def _takes_pods(node: Mapping[str, Any]) -> bool:
    labels = node["metadata"].get("labels") or {}
    return not node["spec"].get("unschedulable") and labels.get("kubernetes.io/os", "linux") == "linux"
