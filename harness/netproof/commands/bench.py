"""`netproof bench`: whole runs, rounds and cases, the evaluator and the page, timed; tables, JSON and curves."""

from __future__ import annotations

import argparse
from pathlib import Path

WHAT = ("all", "runs", "rounds", "evaluator", "page")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cni", metavar="NAME,…", default="reference", help="default: reference")
    parser.add_argument(
        "--what",
        choices=WHAT,
        default="all",
        help="whole runs, rounds and cases, the evaluator on large made-up clusters, the HTML page of large records, "
        "or all (default)",
    )
    parser.add_argument("--scenario-set", metavar="SET", default="berserk", help="of whole runs (default: berserk)")
    parser.add_argument("--again", metavar="N", type=int, default=3, help="runs on the kept cluster (default: 3)")
    parser.add_argument(
        "--pods", metavar="N,…", default="9", help="sizes of the worlds that rounds are timed in (default: 9, as peers)"
    )
    parser.add_argument(
        "--one-port", action="store_true", help="rounds ask one TCP port of each pod, and not two by TCP and UDP"
    )
    parser.add_argument(
        "--evaluator-pods",
        metavar="N,…",
        default="1000,3000,10000",
        help="pods of the evaluator's clusters, with a tenth as many policies (default: 1000,3000,10000)",
    )
    parser.add_argument(
        "--page-cells",
        metavar="N,…",
        default="1000,10000,100000",
        help="cells of the pages (default: 1000,10000,100000)",
    )
    parser.add_argument(
        "--reuse-cluster",
        metavar="NAME",
        default="",
        help="a kept cluster, for rounds of one CNI; Cyclonus is timed there too, where it is on the PATH",
    )
    parser.add_argument(
        "--image-registry",
        metavar="REGISTRY",
        default="",
        help="where Cyclonus finds agnhost (default: Cyclonus's own, registry.k8s.io)",
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures as JSON, too")
    parser.add_argument("--plot", metavar="FILE.svg", type=Path, help="draw how seconds grow with size")
    parser.add_argument(
        "--from",
        dest="files",
        metavar="FILE",
        type=Path,
        nargs="+",
        default=[],
        help="show and plot figures that --json wrote, and time nothing",
    )
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    from netproof.clusters import recipes
    from netproof.proving import bench

    bench.main(
        recipes.parse_cni(arguments.cni),
        bench.BenchOptions(
            what=arguments.what,
            scenario_set=arguments.scenario_set,
            again=arguments.again,
            sizes=_numbers(arguments.pods, "--pods"),
            one_port=arguments.one_port,
            evaluator_sizes=_numbers(arguments.evaluator_pods, "--evaluator-pods"),
            page_sizes=_numbers(arguments.page_cells, "--page-cells"),
            reuse_cluster=arguments.reuse_cluster,
            image_registry=arguments.image_registry,
            json=arguments.json,
            plot=arguments.plot,
            files=arguments.files,
        ),
    )
    return 0


def _numbers(words: str, key: str) -> list[int]:
    """Raises InputError."""
    from netproof.errors import InputError

    try:
        numbers = [int(word) for word in words.split(",")]
    except ValueError:
        numbers = [0]
    if min(numbers) < 1:
        raise InputError(f"numbers above 0 with commas are wanted, not {words!r}", key=key)
    return numbers
