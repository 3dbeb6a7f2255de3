"""The options of a run, once: pytest, `netproof run` and `[tool.netproof]` offer the same ones from this table.

Every pytest loads this module, in any project: it imports next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

DEFAULT_SET = "berserk"
KEEP = ("never", "on-failure", "always")
PREFIX = "--netproof-"
"""How options are called in pytest, where other plugins and conftests have options of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option. Its parsed value is None unless it is given, so that a value equal to the default is seen as well.

    `action`: argparse's. What appends accumulates: with commas in one string, or (`listed`) each value for itself.
    `env`: read when it is not given. `is_path`: in `[tool.netproof]` it is relative to that file. `subject`: a
    source says what is measured, a detail how it is read; a source on the command line replaces all of them in the
    file."""

    flag: str
    help: str
    metavar: str = ""
    default: str = ""
    choices: tuple[str, ...] = ()
    action: str = "store"
    listed: bool = False
    env: str = ""
    is_path: bool = False
    subject: Literal["", "source", "detail"] = ""

    @property
    def dest(self) -> str:
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def key(self) -> str:
        """Its name in `[tool.netproof]`."""
        return self.flag.removeprefix("--")

    @property
    def pytest_flag(self) -> str:
        return PREFIX + self.key

    @property
    def pytest_dest(self) -> str:
        return f"netproof_{self.dest}"

    @property
    def takes_value(self) -> bool:
        return self.action != "store_true"

    def arguments(self, dest: str) -> dict[str, Any]:
        """Keyword arguments for `add_argument` and pytest's `addoption`."""
        shown = f" (default: {self.default or 'none'})" if self.takes_value else ""
        again = "; may be repeated" if self.action == "append" else ""
        arguments: dict[str, Any] = {"help": self.help + again + shown, "dest": dest, "action": self.action}
        arguments["default"] = None
        if self.takes_value:
            arguments["metavar"] = self.metavar or f"{{{','.join(self.choices)}}}"
        return arguments


OPTIONS = (
    Option(
        flag="--cni",
        action="append",
        metavar="NAME[+VARIANT][@VERSION],…",
        default="reference",
        env="NETPROOF_CNI",
        help="CNIs to run on, one after the other into one report",
    ),
    Option(
        flag="--scenario-set",
        action="append",
        subject="source",
        metavar="SET,…",
        default=DEFAULT_SET,
        help="scenarios to run: all, folders of scenarios/, scenario ids with *, or files of your own (a path)",
    ),
    Option(
        flag="--generate",
        subject="source",
        metavar="N|FROM-TO",
        help="measure so many generated scenarios instead of the scenario set: the CNI against the evaluator",
    ),
    Option(
        flag="--seed",
        subject="detail",
        metavar="NUMBER",
        default="1",
        help="the seed of --generate: it makes the same scenarios again",
    ),
    Option(
        flag="--generate-dialect",
        subject="detail",
        metavar="DIALECT",
        default="kubernetes",
        help="whose policies are generated: kubernetes, cilium, calico or clusternetworkpolicy",
    ),
    Option(
        flag="--generate-without",
        action="append",
        subject="detail",
        metavar="FEATURE,…",
        help="what generated policies do without, beside what the CNI's recipe says",
    ),
    Option(
        flag="--service-map",
        is_path=True,
        subject="source",
        metavar="FILE",
        help="measure your own service map instead of the scenario set",
    ),
    Option(
        flag="--chart",
        is_path=True,
        subject="source",
        metavar="PATH",
        help="measure the policies of a helm chart, against the intent of --service-map; without it what they mean",
    ),
    Option(
        flag="--release",
        subject="detail",
        metavar="NAME",
        help="the chart's release; without it the chart's folder names it",
    ),
    Option(
        flag="--namespace",
        subject="detail",
        metavar="NAME",
        help="the chart's namespace; without it the map's, or the release's name",
    ),
    Option(
        flag="--values",
        listed=True,
        is_path=True,
        subject="detail",
        metavar="FILE",
        action="append",
        help="values of --chart, or for the policies that are generated from --service-map; later files win",
    ),
    Option(
        flag="--set",
        listed=True,
        subject="detail",
        metavar="KEY=VALUE",
        action="append",
        help="a value of --chart, as helm's --set takes it",
    ),
    Option(
        flag="--policies",
        listed=True,
        is_path=True,
        subject="detail",
        metavar="FILE|DIR|-",
        action="append",
        help="measure these manifests against the intent of --service-map instead of generated policies",
    ),
    Option(
        flag="--report-dir",
        is_path=True,
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
        is_path=True,
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

BY_FLAG: Mapping[str, Option] = {option.flag: option for option in OPTIONS}
BY_KEY: Mapping[str, Option] = {option.key: option for option in OPTIONS}

CHECK_KEYS: Mapping[str, Option] = {
    option.key: option
    for option in (
        Option(flag="--manifests", help="", action="append", listed=True, is_path=True, subject="source"),
        Option(flag="--pod-cidr", help="", action="append", listed=True),
        Option(flag="--fail-on", help="", choices=("warning", "error", "never")),
        Option(flag="--format", help="", choices=("text", "json", "sarif", "junit")),
    )
}
"""What `[tool.netproof]` may say for `netproof check` alone."""
