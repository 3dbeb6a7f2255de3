"""`netproof bench`: whole runs, timed."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cni", metavar="NAME,…", default="reference", help="default: reference")
    parser.add_argument("--scenario-set", metavar="SET", default="berserk", help="default: berserk")
    parser.add_argument("--again", metavar="N", type=int, default=3, help="runs on the kept cluster (default: 3)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures as JSON, too")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    from harness import bench, recipes

    cnis = [wanted.name for wanted in recipes.parse_cni(arguments.cni)]
    bench.main(cnis, arguments.scenario_set, arguments.again, arguments.json)
    return 0
