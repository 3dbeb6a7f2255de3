"""`netproof matrix`: what is intended and what the policies mean, on paper."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from netproof.commands import inputs

if TYPE_CHECKING:
    from netproof.charts import Plan


def add(parser: argparse.ArgumentParser) -> None:
    inputs.add_charts(parser)
    inputs.add_pod_ranges(parser)
    parser.add_argument("--side", choices=("both", "ingress", "egress"), default="both", help="only one direction")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints both matrices. Raises InputError."""
    from netproof.catalogue.plans import scenario_of_plan
    from netproof.run.conductor import render_dry_run
    from netproof.verdicts.decisions import decide_on_paper

    plan = _plan(arguments)
    if ranges := inputs.read_ranges("--pod-cidr", arguments.pod_cidr):
        plan = replace(plan, topology=replace(plan.topology, pod_ranges=ranges))
    scenario = scenario_of_plan(plan, claim="intended and specified", side=arguments.side)
    if arguments.format == "text":
        print(render_dry_run(scenario))
        return 0
    cells: list[dict[str, Any]] = []
    for decided in decide_on_paper(scenario):
        for probe, intended in decided.step.intended.cells.items():
            key = {
                name: getattr(probe, name) for name in ("source", "destination", "via", "protocol", "port", "family")
            }
            decision = decided.decisions[probe]
            depends = {"depends_on_node": True} if decision.depends else {}
            said = {"intended": intended, "specified": decision.specified, **depends}
            cells.append({"step": decided.step.name, **key, **said})
    print(json.dumps({"name": plan.name, "warnings": list(plan.warnings), "cells": cells}, indent=1))
    return 0


def _plan(arguments: argparse.Namespace) -> Plan:
    from netproof import charts

    inputs.fitting(arguments)
    if chart := inputs.helm_chart(arguments):
        return charts.helm_plan(chart, arguments.service_map)
    if arguments.chart:
        return charts.chart_plan(arguments.chart, arguments.values)
    if arguments.service_map:
        return charts.map_plan(arguments.service_map, arguments.values, arguments.policies or None)
    raise inputs.nothing_given()
