"""The options of a run, once: pytest and the CLI offer the same ones from this table."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netproof import charts
from netproof.charts.helm import HelmChart
from netproof.clusters import recipes
from netproof.clusters.recipes import CniVersion
from netproof.errors import InputError
from netproof.generate.request import GenerateRequest, parse_request
from netproof.report.writer import default_directory
from netproof.run.run_options import RunOptions

DEFAULT_SET = "berserk"
KEEP = ("never", "on-failure", "always")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One command line option. `default` is what its help says, too; `env` is read when the option is not given."""

    flag: str
    help: str
    metavar: str | None = None
    default: Any = None
    choices: tuple[str, ...] | None = None
    action: str = "store"
    env: str = ""

    @property
    def dest(self) -> str:
        return self.flag.removeprefix("--").replace("-", "_")

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for `add_argument` and pytest's `addoption`."""
        shown = "" if self.action == "store_true" else f" (default: {self.default or 'none'})"
        arguments: dict[str, Any] = {"help": self.help + shown, "dest": self.dest, "action": self.action}
        if self.action != "store_true":
            arguments |= {"default": os.environ.get(self.env, self.default) if self.env else self.default}
            arguments |= {"metavar": self.metavar} if self.metavar else {}
            arguments |= {"choices": self.choices} if self.choices else {}
        return arguments


OPTIONS = (
    Option(
        flag="--cni",
        metavar="NAME[+VARIANT][@VERSION],…",
        default="reference",
        env="NETPROOF_CNI",
        help="CNIs to run on, one after the other into one report",
    ),
    Option(
        flag="--scenario-set",
        metavar="SET,…",
        default=DEFAULT_SET,
        help="scenarios to run: all, folders of scenarios/, scenario ids with *, or files of your own (a path)",
    ),
    Option(
        flag="--generate",
        metavar="N|FROM-TO",
        help="measure so many generated scenarios instead of the scenario set: the CNI against the evaluator",
    ),
    Option(
        flag="--seed", metavar="NUMBER", default="1", help="the seed of --generate: it makes the same scenarios again"
    ),
    Option(
        flag="--generate-dialect",
        metavar="DIALECT",
        default="kubernetes",
        help="whose policies are generated: kubernetes, cilium, calico or clusternetworkpolicy",
    ),
    Option(
        flag="--generate-without",
        metavar="FEATURE,…",
        help="what generated policies do without, beside what the CNI's recipe says",
    ),
    Option(flag="--service-map", metavar="FILE", help="measure your own service map instead of the scenario set"),
    Option(
        flag="--chart",
        metavar="PATH",
        help="measure the policies of a helm chart, against the intent of --service-map; without it what they mean",
    ),
    Option(flag="--release", metavar="NAME", help="the chart's release; without it the chart's folder names it"),
    Option(
        flag="--namespace", metavar="NAME", help="the chart's namespace; without it the map's, or the release's name"
    ),
    Option(
        flag="--values",
        metavar="FILE",
        action="append",
        help="values of --chart, or for the policies that are generated from --service-map; may be repeated, later "
        "files win",
    ),
    Option(
        flag="--set",
        metavar="KEY=VALUE",
        action="append",
        help="a value of --chart, as helm's --set takes it; may be repeated",
    ),
    Option(
        flag="--policies",
        metavar="FILE|DIR|-",
        action="append",
        help="measure these manifests against the intent of --service-map instead of generated policies; may be "
        "repeated",
    ),
    Option(
        flag="--report-dir",
        metavar="DIR",
        help="where the record and the reports are written; without it reports/<time>-<cni>/",
    ),
    Option(
        flag="--keep-cluster",
        choices=KEEP,
        default="never",
        env="NETPROOF_KEEP_CLUSTER",
        help="keep the cluster after the run, for --reuse-cluster",
    ),
    Option(
        flag="--reuse-cluster", metavar="NAME", help="measure on a kept cluster (netproof clusters list shows them)"
    ),
    Option(
        flag="--artifacts",
        metavar="DIR",
        env="NETPROOF_ARTIFACTS",
        help="upstream's manifests and charts, as <name>/<version>/…; what is not there is downloaded",
    ),
    Option(flag="--fault", metavar="NAME", help="plant a fault in the reference dataplane, to see that it is noticed"),
    Option(
        flag="--dry-run",
        action="store_true",
        help="render the policies and show the intended and specified matrices; touch nothing",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options of one run, checked."""

    cnis: tuple[CniVersion, ...]
    scenario_set: str
    service_map: Path | None
    values: tuple[Path, ...]
    """Later files win."""
    policies: tuple[str, ...]
    """Files, folders and `-`."""
    chart: HelmChart | None
    dry_run: bool
    run: RunOptions
    generate: GenerateRequest | None = None

    @property
    def file(self) -> Path | None:
        """The file that stands for what is measured, where it is the user's own."""
        return self.service_map or (self.chart.file if self.chart else None)


def check(get: Callable[[str], Any], command: list[str]) -> Asked:
    """The options as values. `get` gives an option by its dest. Raises InputError that says what goes with what."""
    cnis = tuple(recipes.parse_cni(get("cni")))
    service_map, chart = get("service_map"), get("chart")
    values, policies = get("values") or (), get("policies") or ()
    for flag, given, allowed, what in (
        ("--values", values, chart or service_map, "--service-map FILE or --chart PATH"),
        ("--policies", policies, service_map, "--service-map FILE, which says what is meant"),
        ("--policies", policies, not chart, "--service-map FILE, not with --chart, which has its own"),
        ("--set", get("set"), chart, "--chart PATH"),
        ("--release", get("release"), chart, "--chart PATH"),
        ("--namespace", get("namespace"), chart, "--chart PATH"),
    ):
        if given and not allowed:
            raise InputError(f"goes with {what}", key=flag)
    for flag, files in (("--service-map", [service_map]), ("--values", values), ("--policies", policies)):
        for file in files:
            if file and file != "-" and not Path(file).exists():
                raise InputError(f"there is no {file}", key=flag)
    if chart and charts.is_bundled(chart):
        raise InputError(
            f"{chart} is a bundled chart, measured by the catalogue: leave --chart out, and see --scenario-set",
            key="--chart",
        )
    if get("reuse_cluster") and len(cnis) > 1:
        raise InputError("goes with one --cni only", key="--reuse-cluster")
    if get("fault") and [wanted.name for wanted in cnis] != ["reference"]:
        raise InputError("faults are planted in the reference dataplane only: use --cni reference", key="--fault")
    name = ",".join(wanted.name for wanted in cnis)
    directory = Path(get("report_dir") or default_directory(name))
    return Asked(
        cnis=cnis,
        scenario_set=get("scenario_set"),
        service_map=Path(service_map) if service_map else None,
        values=tuple(map(Path, values)),
        policies=tuple(policies),
        chart=HelmChart(
            path=Path(chart),
            values=tuple(map(Path, values)),
            sets=tuple(get("set") or ()),
            release_name=get("release") or "",
            namespace_name=get("namespace") or "",
        )
        if chart
        else None,
        dry_run=bool(get("dry_run")),
        generate=wish(get, cnis),
        run=RunOptions(
            run_id=secrets.token_hex(3),
            token=secrets.token_hex(8),
            report_dir=directory.resolve(),
            command=shlex.join(command),
            artifacts=get("artifacts") or "",
            reuse_cluster=get("reuse_cluster") or "",
            keep_cluster=get("keep_cluster"),
            fault=get("fault") or "",
        ),
    )


def wish(get: Callable[[str], Any], cnis: Sequence[CniVersion]) -> GenerateRequest | None:
    """What is to be generated, if anything. Raises InputError."""
    wanted = get("generate")
    if not wanted:
        for name in ("generate_without",):
            if get(name):
                raise InputError("goes with --generate N", key=f"--{name.replace('_', '-')}")
        return None
    if get("service_map") or get("chart"):
        raise InputError("makes scenarios of its own; leave out --service-map and --chart", key="--generate")
    without = [word.strip() for word in (get("generate_without") or "").split(",") if word.strip()]
    without += [word for one in cnis for word in recipes.load(one).generate_without]
    return parse_request(str(wanted), str(get("seed")), get("generate_dialect"), without)


def plain(run: RunOptions) -> Mapping[str, str]:
    """Run options as strings, for an xdist worker."""
    return {name: str(getattr(run, name)) for name in RunOptions.__dataclass_fields__}


def unplain(texts: Mapping[str, str], worker: str) -> RunOptions:
    fields: dict[str, Any] = {**texts, "report_dir": Path(texts["report_dir"]), "worker": worker}
    return RunOptions(**fields)
