"""`netproof bench`: whole runs, single rounds and cases, timed."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cni", metavar="NAME,…", default="reference", help="default: reference")
    parser.add_argument(
        "--what",
        choices=("all", "runs", "rounds"),
        default="all",
        help="whole runs, rounds and cases, or all (default)",
    )
    parser.add_argument("--scenario-set", metavar="SET", default="berserk", help="of whole runs (default: berserk)")
    parser.add_argument("--again", metavar="N", type=int, default=3, help="runs on the kept cluster (default: 3)")
    parser.add_argument(
        "--pods", metavar="N,…", default="9", help="sizes of the worlds that rounds are timed in (default: 9, as peers)"
    )
    parser.add_argument("--reuse-cluster", metavar="NAME", default="", help="a kept cluster, for rounds of one CNI")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures as JSON, too")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    from harness import bench, recipes
    from harness.errors import InputError

    try:
        sizes = [int(word) for word in arguments.pods.split(",")]
    except ValueError:
        raise InputError(f"numbers with commas are wanted, not {arguments.pods!r}", key="--pods") from None
    bench.main(
        recipes.parse_cni(arguments.cni),
        bench.Asked(
            what=arguments.what,
            scenario_set=arguments.scenario_set,
            again=arguments.again,
            sizes=sizes,
            reuse_cluster=arguments.reuse_cluster,
            file=arguments.json,
        ),
    )
    return 0
