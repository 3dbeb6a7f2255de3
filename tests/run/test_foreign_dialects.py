"""An engine that a CNI does not implement is refused before anything is applied: the API server would take it."""

from __future__ import annotations

from pathlib import Path

import pytest

from netproof.catalogue.reading import read_scenarios
from netproof.catalogue.selection import list_files
from netproof.clusters import recipes
from netproof.commands.main import main
from netproof.drivers import DRIVERS
from netproof.report.record import Variant
from netproof.run.progress import Progress
from netproof.run.session import RunOptions, Session
from tests.fakes import FakeDriver
from tests.pytest_plugin.test_plugin import MAP, inner

FILES = [file for file in list_files() if file.parent.name == "stageset"]
ENABLED = [s for file in FILES for s in read_scenarios(file) if s.variant_of == "stageset-enabled"]
DIALECTS = {
    "cilium": "CiliumNetworkPolicy of cilium.io/v2",
    "calico": "NetworkPolicy of projectcalico.org/v3",
    "clusterNetworkPolicy": "ClusterNetworkPolicy of policy.networking.k8s.io/v1alpha2",
}
ENFORCES = {
    "reference": {"kubernetes", "cilium", "calico", "clusterNetworkPolicy"},
    "calico": {"kubernetes"},
    "calico+apiserver": {"kubernetes", "calico"},
    "cilium": {"kubernetes", "cilium"},
    "cilium+cnp": {"kubernetes", "cilium", "clusterNetworkPolicy"},
}
FOREIGN = """apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: web, namespace: shop}
spec: {endpointSelector: {}, ingress: [{}]}
"""


@pytest.fixture(autouse=True)
def drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake stands in for the reference driver in a run within this process, and for no later test."""
    monkeypatch.setitem(DRIVERS, "reference", DRIVERS["reference"])


@pytest.mark.parametrize("cni", ENFORCES)
def test_which_cni_enforces_which_engine(cni: str) -> None:
    (wanted,) = recipes.parse_cni(cni)
    recipe = recipes.load(wanted)
    assert {scenario.engine for scenario in ENABLED} == {"kubernetes", *DIALECTS}
    for scenario in ENABLED:
        refused = recipe.not_enforced(manifest for step in scenario.steps for manifest in step.applied)
        expected = scenario.engine not in ENFORCES[cni]
        assert bool(refused) == expected, (scenario.id, refused)
        assert not expected or DIALECTS[scenario.engine] in refused


def test_a_scenario_of_a_foreign_engine_is_skipped_and_nothing_is_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = FakeDriver()
    monkeypatch.setattr("netproof.run.session.create", lambda recipe, options: driver)
    (wanted,) = recipes.parse_cni("calico")
    session = Session(wanted, 0, RunOptions(run_id="r", token="t", report_dir=tmp_path), Progress(print, None))
    scenario = next(scenario for scenario in ENABLED if scenario.engine == "cilium")
    part = session.measure(scenario, 0)
    assert (part.scenario.result, part.cells, driver.applied) == ("skipped", [], [])
    assert part.scenario.reason == (
        "calico enforces no CiliumNetworkPolicy of cilium.io/v2; "
        "it enforces networking.k8s.io/v1, crd.projectcalico.org/v1"
    )
    assert part.scenario.variant == Variant(of="stageset-enabled", engine="cilium")


def test_policies_of_a_foreign_engine_end_the_run_with_12(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DRIVERS, "reference", DRIVERS["reference"])  # the inner run changes it
    (pytester.path / "shop.yaml").write_text(MAP)
    (pytester.path / "web.yaml").write_text(FOREIGN)
    result = inner(pytester, "--cni", "calico", "--service-map", "shop.yaml", "--policies", "web.yaml")
    assert result.ret == 12
    text = result.stdout.str() + result.stderr.str()
    assert "calico enforces no CiliumNetworkPolicy of cilium.io/v2" in text
    assert "Nothing was applied" in text


def test_netproof_run_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "shop.yaml").write_text(MAP)
    (tmp_path / "web.yaml").write_text(FOREIGN)
    own = ["--service-map", str(tmp_path / "shop.yaml"), "--policies", str(tmp_path / "web.yaml")]
    assert main(["run", "--cni", "calico", "--report-dir", str(tmp_path / "out"), *own]) == 12
    assert "Nothing was applied" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
