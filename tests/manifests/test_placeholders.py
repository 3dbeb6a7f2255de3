"""Addresses in manifests: whose they are, as networks, by family, and what a wrong placeholder says."""

from __future__ import annotations

from pathlib import Path

import pytest

from netproof.catalogue.reading import read_scenarios
from netproof.errors import InputError
from netproof.manifests.placeholders import fill
from netproof.model import External, Node, Placement, Pod, Service, ServicePort, Topology
from netproof.model.placement import place_on_paper

WORLD = Topology(
    pods=(Pod(namespace="x", name="a"),),
    services=(Service(namespace="x", name="a", selector={}, ports=(ServicePort(port=80, target=80),)),),
    externals=(External(name="near"),),
    nodes=(Node(index=0),),
)
PLACEMENT = place_on_paper(WORLD)


def put(text: str, placement: Placement = PLACEMENT) -> str:
    ((manifest),) = fill([{"spec": [{"cidr": text}], "port": 80}], placement)
    assert manifest["port"] == 80
    return str(manifest["spec"][0]["cidr"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("{address:x/a}/32", "10.244.1.1/32"),
        ("{address:svc:x/a}/32", "10.96.1.1/32"),
        ("{address:svc:kube-system/kube-dns}/32", "10.96.0.10/32"),
        ("{address:node:0}/32", "172.18.0.2/32"),
        ("{address:external:near}/32", "203.0.113.10/32"),
        ("{address6:x/a}/128", "fd00:10:244::1:0/128"),
        ("{network/16:x/a}", "10.244.0.0/16"),
        ("{network/32:x/a}", "10.244.1.1/32"),
        ("{network6/64:x/a}", "fd00:10:244::/64"),
    ],
)
def test_a_placeholder_is_an_address_or_a_network(text: str, expected: str) -> None:
    assert put(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{address:x/b}/32", "{address:x/b}: nobody is called 'x/b'; did you mean 'x/a'?"),
        ("{address:svc:x/aa}/32", "did you mean 'svc:x/a'?"),
        ("{adress:x/a}/32", "no such placeholder; write {address:x/a}"),
        ("{address/16:x/a}", "no such placeholder"),
        ("{network:x/a}", "no such placeholder"),
        ("{network/64:x/a}", "IPv4 has no networks of /64"),
    ],
)
def test_a_wrong_placeholder_says_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        put(text)
    assert says in str(error.value)


def test_an_endpoint_without_an_address_of_that_family() -> None:
    with pytest.raises(InputError, match="x/a has no IPv6 address here"):
        put("{address6:x/a}/128", Placement(addresses={"x/a": ("10.0.0.1",)}))


SCENARIO = """
id: one-address
claim: c
source: s
policies:
- x/p: {{podSelector: {{}}, ingress: [{{from: [{{ipBlock: {{cidr: "{cidr}"}}}}]}}]}}
expect: |
  80/TCP  x/a
  x/b     +
"""


def test_a_scenarios_placeholders_are_filled_in_all_that_is_recorded(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(SCENARIO.format(cidr="{address:x/b}/32"), encoding="utf-8")
    (scenario,) = read_scenarios(file)
    assert "{address:x/b}/32" in scenario.policies_text()
    placement = place_on_paper(scenario.topology)
    assert f"cidr: {placement.address('x/b')}/32" in scenario.fill(placement).policies_text()


def test_a_scenario_with_a_wrong_placeholder_names_its_line(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(SCENARIO.format(cidr="{address:x/bb}/32"), encoding="utf-8")
    with pytest.raises(InputError, match=r"one.yaml:5: policies: scenario one-address: .*did you mean 'x/b'\?"):
        read_scenarios(file)
