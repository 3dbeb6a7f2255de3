"""What `check`, `explain`, `matrix` and `map` look at, from the command line: a chart, a map, or manifests alone.

Only what every check needs is imported here; what a map or a CNI takes comes when one is named.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netproof import charts
from netproof.errors import InputError
from netproof.lint import POD_RANGE, CniProfile, LintInput, build_input, find_unread, locate_policies, read_inventory
from netproof.lint.dns import PROFILES, read_dns
from netproof.manifests.load import read_each_located, set_namespace
from netproof.manifests.yaml_documents import Located

if TYPE_CHECKING:
    from netproof.charts.helm import HelmChart

DEFAULT_NAMESPACE = "default"


def add(parser: argparse.ArgumentParser, *, cni: str = "warn of what these CNIs are known for, too") -> None:
    """Declare the options. `cni`: what --cni is for."""
    add_manifests(parser)
    add_charts(parser)
    add_pod_ranges(parser)
    parser.add_argument(
        "--service-cidr",
        metavar="CIDR",
        action="append",
        default=[],
        help="the cluster's range of Service addresses; may be repeated (default: what the manifests say)",
    )
    parser.add_argument(
        "--dns",
        metavar="PROFILE|ADDRESS",
        action="append",
        default=[],
        help=f"where names are looked up: {', '.join(PROFILES)}, or an address; may be repeated (default: what the "
        "manifests show)",
    )
    parser.add_argument("--cni", metavar="NAME,…", action="append", default=[], help=f"{cni}; may be repeated")


def add_pod_ranges(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pod-cidr",
        metavar="CIDR",
        action="append",
        default=[],
        help=f"the cluster's range of pod addresses; may be repeated (default: {POD_RANGE})",
    )


def add_manifests(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--manifests",
        metavar="FILE|DIR|-",
        action="append",
        default=[],
        help="manifests alone: policies, and workloads if there are; may be repeated",
    )


def add_charts(parser: argparse.ArgumentParser) -> None:
    """The options of charts and maps."""
    bundled = ", ".join(sorted(charts.CHARTS))
    parser.add_argument(
        "--chart", metavar="NAME|PATH", help=f"the path of a helm chart, or the name of a bundled one: {bundled}"
    )
    parser.add_argument(
        "--service-map", metavar="FILE", type=Path, help="your own service map; with --chart PATH that chart's intent"
    )
    add_values(parser, "values of the chart or map")
    parser.add_argument(
        "--policies",
        metavar="FILE|DIR|-",
        action="append",
        default=[],
        help="your own manifests instead of the map's policies; may be repeated",
    )
    add_release(parser)


def add_values(parser: argparse.ArgumentParser, help: str) -> None:
    parser.add_argument(
        "--values",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help=f"{help}; may be repeated, later files win",
    )
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="a value of --chart PATH, as helm's --set takes it; may be repeated",
    )


def add_release(parser: argparse.ArgumentParser) -> None:
    """Where what names no place goes."""
    parser.add_argument("--release", metavar="NAME", default="", help="of --chart PATH (default: the folder's name)")
    parser.add_argument(
        "--namespace",
        metavar="NAME",
        default="",
        help=f"of manifests that name none (default: {DEFAULT_NAMESPACE}; for --chart PATH the map's or the release's)",
    )


def apply_defaults(arguments: argparse.Namespace) -> None:
    """What `[tool.netproof]` of the user's project says, where the command line says nothing. Raises InputError."""
    from netproof.run.configuration import find_defaults
    from netproof.run.flags import BY_KEY, CHECK_KEYS

    known = {option.dest: option for option in (*BY_KEY.values(), *CHECK_KEYS.values())}
    own_subject = given(arguments)
    for dest, value in find_defaults(Path.cwd()).items():
        option = known[dest]
        if not hasattr(arguments, dest) or getattr(arguments, dest) or (own_subject and option.subject):
            continue
        as_path = option.is_path and option.key in ("service-map", "values")
        found = [Path(word) for word in value] if as_path and option.listed else Path(value) if as_path else value
        setattr(arguments, dest, found)


def given(arguments: argparse.Namespace) -> bool:
    return bool(arguments.chart or arguments.service_map or arguments.manifests)


def nothing_given() -> InputError:
    return InputError("one of --chart, --service-map and --manifests says what to look at; none is given")


def helm_chart(arguments: argparse.Namespace) -> HelmChart | None:
    """The chart that helm is to render; None when there is none, or a bundled one. Raises InputError."""
    if not arguments.chart or charts.is_bundled(arguments.chart):
        return None
    from netproof.charts.helm import HelmChart

    return HelmChart(
        path=Path(arguments.chart),
        values=tuple(arguments.values),
        sets=tuple(arguments.set),
        release_name=arguments.release,
        namespace_name=arguments.namespace,
    )


def fitting(arguments: argparse.Namespace) -> None:
    """Raises InputError for options that do not go together."""
    a_map, a_chart, manifests = arguments.service_map, arguments.chart, getattr(arguments, "manifests", None)
    bundled = a_chart and charts.is_bundled(a_chart)
    for key, refused, what in (
        ("--values", arguments.values and manifests, "--chart or --service-map, not with --manifests"),
        ("--policies", arguments.policies and manifests, "--chart or --service-map, not with --manifests"),
        ("--manifests", manifests and (a_map or a_chart), "neither --chart nor --service-map"),
        ("--policies", arguments.policies and a_chart, "--service-map FILE, which says what is meant"),
        ("--service-map", a_map and bundled, "--chart PATH; a bundled chart has a map of its own"),
        ("--set", arguments.set and (bundled or not a_chart), "--chart PATH"),
        ("--release", arguments.release and (bundled or not a_chart), "--chart PATH"),
    ):
        if refused:
            raise InputError(f"goes with {what}", key=key)


def read(arguments: argparse.Namespace) -> LintInput:
    """All that was asked for, read and compared. Raises InputError."""
    fitting(arguments)
    profiles = _read_profiles(",".join(arguments.cni))
    options: dict[str, Any] = {
        "pod_ranges": read_ranges("--pod-cidr", arguments.pod_cidr or (POD_RANGE,)),
        "cnis": profiles,
        "dns": read_dns(arguments.dns),
    }
    chart = helm_chart(arguments)
    if arguments.manifests or (chart and not arguments.service_map):
        objects, namespace = objects_of(arguments)
        return build_input(
            locate_policies(objects),
            read_inventory(
                objects,
                namespace,
                pod_ranges=read_ranges("--pod-cidr", arguments.pod_cidr or (POD_RANGE,)),
                service_ranges=read_ranges("--service-cidr", arguments.service_cidr),
            ),
            unread=find_unread(objects),
            **options,
        )
    if not given(arguments):
        raise nothing_given()
    from netproof.commands import compared

    if chart:
        return compared.of_helm(chart, arguments.service_map, options)
    if arguments.chart:
        return compared.of_chart(arguments.chart, arguments.values, options)
    return compared.of_map(arguments.service_map, arguments.values, arguments.policies, options)


def read_ranges(key: str, texts: Sequence[str]) -> tuple[str, ...]:
    """Address ranges as they are written without host bits. Raises InputError."""
    try:
        return tuple(str(ip_network(text, strict=False)) for text in texts)
    except ValueError as error:
        raise InputError(f"not an address range such as {POD_RANGE} ({error})", key=key) from None


def objects_of(arguments: argparse.Namespace) -> tuple[tuple[Located, ...], str]:
    """The objects of --manifests or of --chart PATH, and the namespace of those that name none. Raises InputError."""
    if chart := helm_chart(arguments):
        from netproof.charts import helm

        return helm.render_chart(chart), chart.namespace
    namespace = arguments.namespace or DEFAULT_NAMESPACE
    return set_namespace(read_each_located(arguments.manifests), namespace), namespace


def _read_profiles(word: str) -> tuple[CniProfile, ...]:
    if not word:
        return ()
    from netproof.lint.cni.profiles import read_profiles

    return read_profiles(word)
