"""`netproof refused`: objects that the API server must refuse, tried on a kept cluster without changing it."""

from __future__ import annotations

import argparse
from typing import Any

from netproof.commands.console import new_console, show
from netproof.errors import InputError
from netproof.generate.request import require_hypothesis
from netproof.policy import read_policies
from netproof.report.terminal import Line
from netproof.wording import count

ACCEPTED = 1


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Generates NetworkPolicies with one thing wrong, holds each against netproof's own reader, and with "
        "--reuse-cluster sends each to that cluster's API server as a dry run, which changes nothing."
    )
    parser.add_argument("--count", metavar="N", type=int, default=200, help="how many (default: 200)")
    parser.add_argument("--seed", metavar="NUMBER", type=int, default=1, help="default: 1")
    parser.add_argument("--reuse-cluster", metavar="NAME", help="a kept cluster (netproof clusters list shows them)")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints what was accepted. Exit code 1 when anything was. Raises InputError, ClusterError."""
    require_hypothesis("netproof refused")
    from netproof.generate import refused

    for key, number, least in (("--count", arguments.count, 1), ("--seed", arguments.seed, 0)):
        if number < least:
            raise InputError(f"a number from {least} on (got {number})", key=key)
    objects = refused.draw_refused(arguments.seed, arguments.count)
    lines: list[Line] = []
    for what, manifest in objects:
        try:
            read_policies([manifest])
        except InputError:
            continue
        lines.append((f"netproof's reader takes an object with: {what}", "bad"))
    if arguments.reuse_cluster:
        lines += _on_cluster(arguments.reuse_cluster, objects)
    slips = len({what for what, _ in objects})
    where = f"the reader and {arguments.reuse_cluster}" if arguments.reuse_cluster else "the reader"
    lines.append(
        (
            f"{count(len(objects), 'object')} with {count(slips, 'different slip')} tried on {where}; "
            f"{len(lines)} accepted",
            "bold",
        )
    )
    show(new_console(), lines)
    return ACCEPTED if len(lines) > 1 else 0


def _on_cluster(name: str, objects: list[tuple[str, dict[str, Any]]]) -> list[Line]:
    from netproof.drivers import clusters

    kubeconfig = clusters.find_kubeconfig(name, key="--reuse-cluster")
    return [
        (f"the API server takes an object with: {what}", "bad")
        for what, manifest in objects
        if clusters.accepts(kubeconfig, {**manifest, "metadata": {**manifest["metadata"], "namespace": "default"}})
    ]
