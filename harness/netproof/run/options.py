"""The options of a run as values: what the command line says, else the environment, else `[tool.netproof]`."""

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
from netproof.errors import InputError, suggest
from netproof.generate.request import GenerateRequest, parse_request
from netproof.report.writer import default_directory
from netproof.run.flags import OPTIONS, Option
from netproof.run.run_options import RunOptions


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
    """The options as values. `get` gives an option by its dest (see `resolve`). Raises InputError that says what goes
    with what."""
    cnis = tuple(dict.fromkeys(recipes.parse_cni(get("cni"))))
    service_map, chart = get("service_map"), get("chart")
    values, policies = get("values"), get("policies")
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
    if get("fault"):
        from netproof.drivers.reference import faults

        faults.find(get("fault"))
    name = ",".join(wanted.name for wanted in cnis)
    directory = Path(get("report_dir") or default_directory(name))
    return Asked(
        cnis=cnis,
        scenario_set=get("scenario_set"),
        service_map=Path(service_map) if service_map else None,
        values=tuple(map(Path, values)),
        policies=policies,
        chart=HelmChart(
            path=Path(chart),
            values=tuple(map(Path, values)),
            sets=get("set"),
            release_name=get("release"),
            namespace_name=get("namespace"),
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
            artifacts=get("artifacts"),
            reuse_cluster=get("reuse_cluster"),
            keep_cluster=get("keep_cluster"),
            fault=get("fault"),
        ),
    )


def resolve(given: Mapping[str, Any], configured: Mapping[str, Any]) -> Callable[[str], Any]:
    """What gives an option's value by its dest: as `given` on the command line (None: it is not), else as the
    environment has it, else as `configured` in a file, else its default. Raises InputError for a value that is empty or
    none of the choices."""
    if any(option.subject == "source" and given.get(option.dest) is not None for option in OPTIONS):
        ignored = {option.dest for option in OPTIONS if option.subject}
        configured = {dest: value for dest, value in configured.items() if dest not in ignored}
    values: dict[str, Any] = {}
    for option in OPTIONS:
        value = given.get(option.dest)
        if value is None and option.env:
            value = os.environ.get(option.env) or None
        if value is None:
            value = configured.get(option.dest)
        values[option.dest] = _checked(option, option.default if value is None else value, value is not None)
    return values.__getitem__


def _checked(option: Option, value: Any, is_given: bool) -> Any:
    """The value in the form that `check` takes: what appends is one string with commas, or a tuple."""
    if not option.takes_value:
        return bool(value)
    words = [str(word) for word in value] if isinstance(value, list | tuple) else [str(value)]
    if is_given and not all(word.strip(" ,") if option.action == "append" else word.strip() for word in words):
        raise InputError(
            "its value is empty; leave the option out, or look at the variable that the value comes from",
            key=option.flag,
        )
    if is_given and option.choices and words[0] not in option.choices:
        raise InputError(f"{words[0]!r} is none of the choices; {suggest(words[0], option.choices)}", key=option.flag)
    if option.listed:
        return tuple(words) if is_given else ()
    return ",".join(words)


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
    without = [word.strip() for word in get("generate_without").split(",") if word.strip()]
    without += [word for one in cnis for word in recipes.load(one).generate_without]
    return parse_request(str(wanted), str(get("seed")), get("generate_dialect"), without)


def plain(run: RunOptions) -> Mapping[str, str]:
    """Run options as strings, for an xdist worker."""
    return {name: str(getattr(run, name)) for name in RunOptions.__dataclass_fields__}


def unplain(texts: Mapping[str, str], worker: str) -> RunOptions:
    fields: dict[str, Any] = {**texts, "report_dir": Path(texts["report_dir"]), "worker": worker}
    return RunOptions(**fields)
