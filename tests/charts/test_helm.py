"""Charts that helm renders: what is taken from them, against whose intent they stand, and what a mistake says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from netproof import charts
from netproof.charts.helm import HelmChart, render_chart
from netproof.commands.main import main
from netproof.errors import InputError
from netproof.manifests.controllers import lasting
from netproof.manifests.data_dirs import data_dir
from netproof.model import Intent, Probe, Verdict, judge
from netproof.model.outcome import Measured, Specified
from tests.require import needs_reference

CHART = Path(__file__).parent / "shop"

needs_helm = pytest.mark.skipif(shutil.which("helm") is None, reason="needs helm on the PATH")

MAP = """
name: shop
namespace: shop
services:
  - name: ui
    labels: {app: ui, tier: front}
    ports: [{name: http, port: 8080, service: 80}]
    egressTo: [{app: api}]
  - name: api
    labels: {app: api}
    ports: [{name: grpc, port: 9090}, {name: metrics, port: 9100, service: false}]
    ingressFrom: [{app: ui}]
"""


@pytest.fixture
def service_map(tmp_path: Path) -> Path:
    file = tmp_path / "map.yaml"
    file.write_text(MAP, encoding="utf-8")
    return file


@needs_helm
def test_workloads_become_pods_and_services_keep_their_selectors() -> None:
    topology = charts.helm_plan(HelmChart(path=CHART)).topology
    ui, api = topology.pod("shop/ui"), topology.pod("shop/api")
    assert ui is not None
    assert api is not None
    assert (lasting(ui.labels), ui.service_account) == ({"app": "ui", "tier": "front"}, "ui")
    assert [(port.port, port.name) for port in api.ports] == [(9090, "grpc"), (9100, "metrics")]
    service = topology.service("svc:shop/ui")
    assert service is not None
    assert (dict(service.selector), service.ports[0].target, service.node_port) == ({"app": "ui"}, "http", True)
    # A CronJob of the same name is a pod of its own; helm's tests are left out.
    assert topology.pod("shop/api-cronjob") is not None
    assert topology.pod("shop/smoke") is None


@needs_helm
def test_without_a_map_nothing_is_presented_as_meant() -> None:
    plan = charts.helm_plan(HelmChart(path=CHART))
    assert set(plan.intended().cells.values()) == {Intent.UNSTATED}
    assert "nobody says what is meant" in plan.warnings[0]
    asked = plan.intended().cells
    assert Probe(source="shop/ui", destination="svc:shop/api", port=9090, via="service") in asked
    # The port that a rule to addresses names is asked outside.
    assert Probe(source="shop/api", destination="external:outsider", port=5433, via="address") in asked
    assert not [probe for probe in asked if probe.source == probe.destination]


@pytest.mark.parametrize(
    ("measured", "verdict"), [(Measured.DENIED, Verdict.HOLDS), (Measured.CONNECTED, Verdict.CNI_DIFFERENCE)]
)
def test_an_unstated_cell_compares_specified_and_measured(measured: Measured, verdict: Verdict) -> None:
    assert judge(Intent.UNSTATED, Specified.DENIED, measured) is verdict


@needs_helm
def test_release_namespace_and_values_reach_helm(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("networkPolicy: {enabled: false}\napi: {port: 9999}\n", encoding="utf-8")
    chart = HelmChart(path=CHART, values=(values,), release_name="one", namespace_name="store")
    plan = charts.helm_plan(chart)
    assert plan.name == "one"
    assert plan.manifests == ()
    assert "renders no policy" in plan.warnings[1]
    api = plan.topology.pod("store/api")
    assert api is not None
    assert api.ports[0].port == 9999


@needs_helm
def test_places_are_templates() -> None:
    policy = next(one for one in render_chart(HelmChart(path=CHART)) if one.content["kind"] == "NetworkPolicy")
    assert policy.document.file == str(CHART / "templates" / "policies.yaml")
    assert policy.line() is None


@needs_helm
def test_a_map_is_the_intent_and_the_chart_gives_policies_and_accounts(service_map: Path) -> None:
    plan = charts.helm_plan(HelmChart(path=CHART), service_map)
    assert plan.service_map is not None
    assert [m["metadata"]["name"] for m in plan.manifests] == ["api", "ui"]
    assert [pod.service_account for pod in plan.topology.pods[:2]] == ["ui", "default"]
    assert any("shop/api-cronjob of the chart" in warning for warning in plan.warnings)


@needs_helm
def test_commands_take_a_path(service_map: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chart = ["--chart", str(CHART)]
    assert main(["matrix", *chart, "--format", "json"]) == 0
    assert {cell["intended"] for cell in json.loads(capsys.readouterr().out)["cells"]} == {"unstated"}
    assert main(["matrix", *chart]) == 0
    shown = capsys.readouterr().out
    assert "what is intended is unstated" in shown
    assert "intended (from the map)" not in shown
    assert main(["check", *chart]) == 0
    place = f"{CHART}/templates/policies.yaml: warning: ingress rule 1 of NetworkPolicy shop/ui"
    assert place in capsys.readouterr().out
    assert main(["check", *chart, "--service-map", str(service_map)]) == 1
    assert "cells differ" in capsys.readouterr().out
    assert main(["explain", "stranger", "ui", "http", "--chart", str(CHART), "--service-map", str(service_map)]) == 0
    assert "shop/stranger → shop/ui:8080/TCP: connects" in capsys.readouterr().out


@needs_helm
def test_a_run_measures_what_policies_mean_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--chart", str(CHART), "--dry-run"]) == 0
    assert "Nobody says what is meant of the chart" in capsys.readouterr().out
    assert main(["run", "--chart", "berserk"]) == 12
    assert "--chart: berserk is a bundled chart" in capsys.readouterr().err


@needs_helm
def test_helms_own_words_are_shown(tmp_path: Path) -> None:
    shutil.copytree(CHART, tmp_path / "broken")
    meta = tmp_path / "broken" / "Chart.yaml"
    lack = "dependencies: [{name: redis, version: 1.0.0, repository: https://charts.example.test}]\n"
    meta.write_text(meta.read_text(encoding="utf-8") + lack, encoding="utf-8")
    with pytest.raises(InputError, match=r"`helm template` refused it: .*missing in charts/ directory: redis"):
        render_chart(HelmChart(path=tmp_path / "broken"))


def test_a_missing_helm_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(InputError, match=r"helm is not on the PATH: install it from https://helm\.sh"):
        render_chart(HelmChart(path=CHART))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["check", "--chart", "."], "no helm chart: it has no Chart.yaml"),
        (["check", "--chart", "berserk", "--service-map", "m"], "--service-map: goes with --chart PATH"),
        (["check", "--chart", "absent"], "no chart is called 'absent'"),
        (["check", "--manifests", "x", "--release", "r"], "--release: goes with --chart PATH"),
        (["check"], "one of --chart, --service-map and --manifests"),
        (["run", "--release", "r"], "--release: goes with --chart PATH"),
    ],
)
def test_a_mistake_ends_with_12_and_a_sentence(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 12
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "release"), [("x/shop-1.2.3.tgz", "shop"), ("My_Chart", "my-chart"), ("a/b-v2.0.tgz", "b")]
)
def test_a_release_is_called_like_its_chart(path: str, release: str) -> None:
    assert HelmChart(path=Path(path)).release == release


@needs_helm
@needs_reference
@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "worker"])
def test_pytest_measures_a_chart_on_real_packets(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(data_dir("clusters").parent))
    shutil.copytree(CHART, pytester.path / "shop")
    words = ("-p", "no:cacheprovider", "--report-dir", "out", "--chart", "shop")
    result = pytester.runpytest_subprocess(*words, *workers)
    result.stdout.fnmatch_lines(["Nobody said what is meant of 60 cells*"])
    result.assert_outcomes(passed=1)
