"""Any map without the outside: what is meant and what its generated policies mean differ in own-node cells alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from netproof.charts import Directions, map_plan
from netproof.model import Intent, Specified

from .placing import differences, placed

NAMES = ("alpha", "beta", "gamma", "delta")
PORTS = (
    {"name": "web", "port": 8080},
    {"name": "dns", "port": 5300, "protocol": "UDP"},
    {"port": 9090, "service": False},
)


@st.composite
def maps(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    arrow = st.fixed_dictionaries(
        {"app": st.sampled_from(names)},
        optional={"ports": st.lists(st.sampled_from(["web", "dns", 9090]), min_size=1, max_size=2)},
    )
    services = [
        {
            "name": name,
            "namespace": draw(st.sampled_from(["one", "two"])),
            "replicas": draw(st.integers(1, 2)),
            "ports": list(PORTS),
            "ingressFrom": draw(st.none() | st.lists(arrow, max_size=3)),
            "egressTo": draw(st.none() | st.lists(arrow, max_size=3)),
        }
        for name in names
    ]
    return {"name": "any", "namespace": "one", "services": services}


@given(service_map=maps(), otlp=st.booleans())
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("side", ["both", "ingress", "egress"])
def test_generated_policies_say_what_the_map_says(
    tmp_path_factory: pytest.TempPathFactory, side: Directions, service_map: dict[str, Any], otlp: bool
) -> None:
    file: Path = tmp_path_factory.mktemp("map") / "map.yaml"
    file.write_text(yaml.safe_dump(service_map), encoding="utf-8")
    collector = service_map["services"][0]
    endpoint = f"{collector['name']}.{collector['namespace']}:8080"
    plan = map_plan(file, {"global": {"observability": {"otlpEnabled": otlp, "otlpEndpoint": endpoint}}})
    assert not [warning for warning in plan.warnings if "OTLP" in warning]
    nodes = placed(plan.topology).node_of
    for probe, pair in differences(plan, side).items():
        assert (probe.source, pair) == (nodes[probe.destination], (Intent.DENIED, Specified.CONNECTED)), str(probe)
