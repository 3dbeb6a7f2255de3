"""The plugin as a user meets it: runs of pytest inside pytest, on a driver that needs no network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from netproof.clusters.recipes import CniVersion
from netproof.commands import main
from netproof.drivers import DRIVERS
from netproof.errors import ClusterError, NetproofError
from netproof.manifests.data_dirs import data_dir
from netproof.pytest_plugin import worker as workers
from netproof.pytest_plugin.handover import Handover
from netproof.report.record import Record
from netproof.report.store import ScenarioPart, Store, TargetPart
from netproof.run import preflight
from netproof.run.session import Session
from tests import fakes
from tests.fakes import FakeDriver

ROOT = Path(__file__).parents[2]

MAP = """
name: shop
namespace: shop
services:
  - {name: web, ports: [{name: http, port: 80}], ingressFrom: [], egressTo: [{app: db, ports: [5432]}]}
  - {name: db, ports: [{name: sql, port: 5432}], ingressFrom: [{app: web, ports: [5432]}], egressTo: []}
"""

FAKE = """
import netproof.drivers
from tests.fakes import FakeDriver
import tests.fakes

made = []

def create(recipe, options):
    driver = FakeDriver()
    {body}
    made.append(driver)
    return driver

tests.fakes.create = create
netproof.drivers.DRIVERS["reference"] = "tests.fakes"
"""

ENFORCING = """
    from netproof.policy import Evaluator, read_policies
    from netproof.model import Specified
    from netproof.run.preflight import TOPOLOGY

    def sees(source, probe):
        if not driver.applied:
            return "connected"
        names = {a: e for e, (a, *_) in driver.placement.addresses.items()}
        target = names.get(probe["host"], "")
        if driver.applied[0]["metadata"]["namespace"].startswith("netproof-canary"):
            walled = target.endswith("/walled") and not source.endswith("/walled")
            return "dropped" if walled or (source.endswith("/muzzled") and target != source) else "connected"
        return verdict(source, target, probe)

    def verdict(source, target, probe):
        %s

    driver.sees = sees
"""

HONEST = """allowed = {("shop/web", "shop/db"), ("shop/web", "svc:shop/db"), (source, source)}
        if source.startswith("node:") or target.startswith("svc:kube-system"):
            return "connected"
        inside = target.removeprefix("svc:").startswith("shop/web") or target.removeprefix("svc:").startswith("shop/db")
        leaves = source in ("shop/web", "shop/db") and source != target
        return "dropped" if (inside or leaves) and (source, target) not in allowed else "connected"
"""


@pytest.fixture(autouse=True)
def drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake stands in for the reference driver in a run within this process, and for no later test."""
    monkeypatch.setitem(DRIVERS, "reference", DRIVERS["reference"])


@pytest.fixture
def shop(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.path.joinpath("shop.yaml").write_text(MAP)
    return pytester


def inner(pytester: pytest.Pytester, *arguments: str, body: str = "pass", run: str = "inprocess") -> pytest.RunResult:
    pytester.makeconftest(FAKE.replace("{body}", body))
    start = pytester.runpytest_inprocess if run == "inprocess" else pytester.runpytest_subprocess
    return start("-p", "no:cacheprovider", "--report-dir", "out", *arguments)


def record(pytester: pytest.Pytester) -> Record:
    return Record.model_validate(json.loads((pytester.path / "out" / "record.json").read_text()))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--cni", "calicoo"], "--cni: unknown CNI 'calicoo'; did you mean calico?"),
        (["--cni", ""], "--cni: its value is empty"),
        (["--values", "v.yaml"], "--values: goes with --service-map FILE"),
        (["--service-map", "none.yaml"], "--service-map: there is no none.yaml"),
        (["--scenario-set", "berserc"], "--scenario-set: no scenario or set is called 'berserc'; did you mean berserk"),
        (["--cni", "calico,cilium", "--reuse-cluster", "x"], "--reuse-cluster: goes with one --cni only"),
        (
            ["--cni", "calico", "--fault", "ignore-except"],
            "--fault: faults are planted in the reference dataplane only",
        ),
    ],
)
def test_a_wrong_option_is_a_sentence_and_exit_code_12(
    pytester: pytest.Pytester, arguments: list[str], sentence: str
) -> None:
    result = inner(pytester, *arguments)
    assert result.ret == 12
    assert sentence in result.stdout.str() + result.stderr.str()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_a_broken_service_map_names_its_line(shop: pytest.Pytester) -> None:
    shop.path.joinpath("shop.yaml").write_text(MAP.replace("ingressFrom: []", "ingresFrom: []"))
    result = inner(shop, "--service-map", "shop.yaml")
    assert result.ret == 12
    result.stderr.fnmatch_lines(["*shop.yaml:5: services[[]0[]].ingresFrom: unknown key; did you mean 'ingressFrom'?*"])


def test_a_cni_that_enforces_nothing_ends_the_run_with_exit_code_10(shop: pytest.Pytester) -> None:
    result = inner(shop, "--service-map", "shop.yaml")
    assert result.ret == 10
    result.stdout.fnmatch_lines(["*accepts NetworkPolicy objects and enforces nothing*"])
    (target,) = record(shop).targets
    assert target.error_code == 10
    assert target.cells == []
    assert {(check.name, check.measured.value) for check in target.preflight} >= {
        ("denied at ingress, TCP", "connected"),
        ("allowed both ways, TCP", "connected"),
    }


def test_dry_run_shows_both_matrices_and_touches_nothing(shop: pytest.Pytester) -> None:
    result = inner(shop, "--service-map", "shop.yaml", "--dry-run")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["*kind: NetworkPolicy*", "*intended (from the map)*", "*specified (what the policies mean)*"]
    )
    assert not (shop.path / "out").exists()


def test_a_run_leaves_a_record_with_every_cell(shop: pytest.Pytester) -> None:
    result = inner(shop, "--service-map", "shop.yaml", body=ENFORCING % HONEST)
    cells = {(c.source, c.destination, c.port, c.via): c for c in record(shop).targets[0].cells}
    allowed = cells["shop/web", "shop/db", 5432, "pod"]
    assert (allowed.intended, allowed.specified, allowed.measured, allowed.verdict) == (
        "connected",
        "connected",
        "connected",
        "holds",
    )
    denied = cells["shop/db", "shop/web", 80, "pod"]
    assert (denied.intended, denied.specified, denied.measured, denied.outcome, denied.verdict) == (
        "denied",
        "denied",
        "denied",
        "dropped",
        "holds",
    )
    assert "shop/db" in denied.because
    assert result.ret in (0, 1)
    for name in ("report.html", "junit.xml", "summary.md"):
        assert (shop.path / "out" / name).stat().st_size > 500


def test_a_difference_fails_with_its_block_and_evidence(shop: pytest.Pytester) -> None:
    leaky = HONEST.replace("allowed = {", 'allowed = {("shop/db", "shop/web"), ')
    result = inner(shop, "--service-map", "shop.yaml", body=ENFORCING % leaky)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*cni-difference*", "*shop/db*shop/web:80*", "*reproduce*probe shop/db *"])
    evidence = shop.path / "out" / "evidence" / "reference" / "shop"
    assert (evidence / "view.txt").read_text() == "the fake driver's own view\n"
    assert "kind: NetworkPolicy" in (evidence / "policies.yaml").read_text()


def test_a_lost_server_is_unmeasured_and_exit_code_11(shop: pytest.Pytester) -> None:
    gone = 'if source == "shop/db": return "lost"\n        ' + HONEST
    result = inner(shop, "--service-map", "shop.yaml", body=ENFORCING % gone)
    cells = {(c.source, c.destination, c.port, c.via): c for c in record(shop).targets[0].cells}
    assert cells["shop/db", "shop/web", 80, "pod"].measured == "unmeasured"
    assert cells["shop/web", "shop/db", 5432, "pod"].measured == "connected"
    assert result.ret in (1, 11)


ALONE = """
id: alone-%d
claim: Nobody reaches a pod that admits nobody.
source: this test
topology: grid
policies:
  - x/none: {podSelector: {}}
expect: |
  80/TCP  x/a
  y/a     -
"""

DYING = """
    from pathlib import Path
    from netproof.errors import ClusterError

    def apply(manifests):
        if manifests[0]["metadata"]["namespace"] != "netproof-canary":
            Path("tries").open("a").write("x")
            driver.is_lost = "%s"
            raise ClusterError("no answer")
        type(driver).apply(driver, manifests)

    driver.apply = apply
"""


@pytest.mark.parametrize(("lost", "tries"), [("connection refused", 1), ("", 3)])
def test_a_cluster_that_is_lost_is_not_asked_again_for_every_scenario(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, lost: str, tries: int
) -> None:
    monkeypatch.setattr(preflight, "judge", lambda *_: None)
    pytester.path.joinpath("three.yaml").write_text("---\n".join(ALONE % number for number in range(3)))
    result = inner(pytester, "--scenario-set", "three.yaml", body=DYING % lost)
    assert result.ret == 11
    assert pytester.path.joinpath("tries").read_text() == "x" * tries
    (target,) = record(pytester).targets
    assert [scenario.result for scenario in target.scenarios] == ["error"] * 3
    assert lost in target.error
    assert ("the rest was not tried" in target.error) == bool(lost)


def test_a_file_outside_pytests_root_keeps_its_name(
    pytester: pytest.Pytester, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("elsewhere") / "own.yaml"
    path.write_text(ALONE % 1)
    result = inner(pytester, "--rootdir", str(pytester.path), "--scenario-set", str(path), "--collect-only", "-q")
    result.stdout.fnmatch_lines(["own.yaml::*[[]reference[]]"])


def test_ctrl_c_still_writes_what_was_measured(shop: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    interrupt = "os.kill(os.getpid(), signal.SIGINT); " + HONEST.replace("return", "return", 1)
    body = "    import os, signal" + ENFORCING % interrupt
    result = inner(shop, "--service-map", "shop.yaml", body=body.strip(), run="subprocess")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    written = record(shop)
    assert written.run.interrupted
    assert [scenario.result for scenario in written.targets[0].scenarios] == ["interrupted"]


def test_a_killed_runs_results_can_be_drawn_and_do_not_get_into_the_next_runs_record(
    shop: pytest.Pytester,
) -> None:
    inner(shop, "--service-map", "shop.yaml", body=ENFORCING % HONEST)
    written = record(shop)
    folder = shop.path / "out"
    store = Store(folder)
    store.put_target(TargetPart(order=0, process="", target=written.targets[0].model_copy(update={"scenarios": []})))
    of_killed = written.targets[0].scenarios[0].model_copy(update={"id": "of-the-killed-run"})
    store.put_scenario(ScenarioPart(cni=written.targets[0].cni, order=7, scenario=of_killed, cells=[], reviewed=[]))
    (folder / "record.json").unlink()
    assert main.main(["report", str(folder)]) == 0
    drawn = record(shop)
    assert drawn.run.interrupted
    assert [scenario.id for scenario in drawn.targets[0].scenarios] == ["of-the-killed-run"]

    inner(shop, "--service-map", "shop.yaml", body=ENFORCING % HONEST)
    assert [scenario.id for scenario in record(shop).targets[0].scenarios] == ["shop"]


def test_results_that_cannot_be_kept_fail_the_run_with_a_sentence(
    shop: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise NetproofError("cannot write results below out: No space left on device; choose another --report-dir")

    monkeypatch.setattr(Store, "put_scenario", full)
    result = inner(shop, "--service-map", "shop.yaml", body=ENFORCING % HONEST)
    assert result.ret == NetproofError.exit_code
    result.stdout.fnmatch_lines(["*cannot write results below out: No space left on device*"])


def test_help_lists_the_options_in_their_own_group(pytester: pytest.Pytester) -> None:
    result = inner(pytester, "--help")
    result.stdout.fnmatch_lines(
        ["netproof: NetworkPolicy conformance (--cni*", "*--netproof-cni=NAME*", "*(default: reference)*"]
    )


def test_the_users_plugins_stay_as_they_are(shop: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    watch = "def pytest_unconfigure(config):\n    print('there:', config.pluginmanager.hasplugin('hypothesispytest'))\n"
    shop.makepyfile(watch=watch)
    arguments = ("--service-map", "shop.yaml", "-p", "watch", "-p", "hypothesispytest")
    result = inner(shop, *arguments, body=ENFORCING % HONEST, run="subprocess")
    result.stdout.fnmatch_lines(["plugins:*hypothesis*", "there: True"])


def test_the_page_is_one_file(shop: pytest.Pytester) -> None:
    inner(shop, "--service-map", "shop.yaml", body=ENFORCING % HONEST)
    page = Path(shop.path / "out" / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_machine_that_cannot_measure_still_draws_what_the_policies_mean(shop: pytest.Pytester) -> None:
    broken = """pass
    from netproof.errors import ClusterError
    def start(say):
        raise ClusterError("this machine allows no network namespaces")
    driver.start = start
"""
    result = inner(shop, "--service-map", "shop.yaml", body=broken)
    assert result.ret == 11
    result.stdout.fnmatch_lines(["*this machine allows no network namespaces*"])
    (target,) = record(shop).targets
    assert {cell.measured.value for cell in target.cells} == {"unmeasured"}
    meant = {(c.source, c.destination): (c.intended.value, c.specified.value) for c in target.cells if c.via == "pod"}
    assert meant["shop/web", "shop/db"] == ("connected", "connected")
    assert meant["shop/db", "shop/web"] == ("denied", "denied")
    assert "not available here" in (shop.path / "out" / "report.html").read_text()


FAULTY = """pass
    deploy, tries = driver.deploy, []
    def once(topology, say):
        tries.append(topology)
        if len(tries) == 1:
            raise KeyError("external:s3")
        return deploy(topology, say)
    driver.deploy = once
"""
OWN = "a fault of netproof's own, please report it: KeyError: 'external:s3'"


def test_after_a_fault_of_ours_before_the_pre_flight_nothing_is_measured(pytester: pytest.Pytester) -> None:
    result = inner(pytester, "--scenario-set", "berserk", body=FAULTY)
    assert result.ret == NetproofError.exit_code
    result.assert_outcomes(failed=1, skipped=3)
    result.stdout.fnmatch_lines([OWN, "*raise KeyError*", f"reference: {OWN}"])
    (target,) = record(pytester).targets
    assert target.error == OWN
    assert len(target.scenarios) == 4
    assert {cell.measured.value for cell in target.cells} == {"unmeasured"}


def test_a_fault_of_ours_in_a_scenario_is_in_the_record_and_the_others_have_their_turn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def reset(self: FakeDriver) -> None:
        raise KeyError("external:s3")

    monkeypatch.setattr(FakeDriver, "reset", reset)
    monkeypatch.setattr(fakes, "create", lambda recipe, options: FakeDriver(), raising=False)
    monkeypatch.setitem(DRIVERS, "reference", "tests.fakes")
    monkeypatch.setattr(Session, "_preflight", lambda self: None)
    assert main.main(["run", "--cni", "reference", "--report-dir", str(tmp_path / "out")]) == ClusterError.exit_code
    told = capsys.readouterr().out
    assert told.count("Traceback") == 1
    assert f"reference: {OWN}" in " ".join(told.split())
    found = Record.model_validate(json.loads((tmp_path / "out" / "record.json").read_text()))
    results = {scenario.id: (scenario.result, scenario.reason) for scenario in found.targets[0].scenarios}
    assert results.pop("berserk-disabled") == ("passed", "")
    assert list(results.values()) == [("error", OWN)] * 3


@pytest.mark.parametrize(("failures", "prepared"), [(2, True), (3, False)])
def test_a_worker_that_could_not_measure_its_canaries_tries_again_before_it_gives_up(
    monkeypatch: pytest.MonkeyPatch, failures: int, prepared: bool
) -> None:
    sessions: list[Attempt] = []

    class Attempt:
        error: NetproofError | None = None
        closed = False

        def __init__(self, *arguments: object) -> None:
            sessions.append(self)

        def attach(self, handle: object) -> None:
            pass

        def prepare(self, *topologies: object) -> None:
            if len(sessions) <= failures:
                self.error = ClusterError("the pre-flight canaries could not be measured")
                raise self.error

        def close(self) -> None:
            self.closed = True

    monkeypatch.setattr(workers, "Session", Attempt)
    worker = object.__new__(workers.Worker)
    worker.asked = SimpleNamespace(cnis=[CniVersion(name="calico")])  # type: ignore[assignment]
    worker.run = None  # type: ignore[assignment]
    worker.scenarios, worker._sessions = {}, {}
    with closing(Handover(["calico"])) as given:
        given.give("calico", {})
        worker._clusters = given.folder
        item = SimpleNamespace(cni="calico", session=SimpleNamespace(items=[]))
        if prepared:
            assert worker.session(item) is sessions[-1]  # type: ignore[arg-type,comparison-overlap]
        else:
            for _ in range(2):
                with pytest.raises(ClusterError, match="canaries"):
                    worker.session(item)  # type: ignore[arg-type]
        assert [attempt.closed for attempt in sessions] == [True, True, False]


@pytest.mark.parametrize("words", [["-n", "0"], ["-n", "2"]])
def test_a_path_of_the_catalogue_needs_no_set_beside_it(words: list[str]) -> None:
    path = data_dir("scenarios") / "isolation"
    command = [sys.executable, "-m", "pytest", "--dry-run", "--collect-only", "-q", str(path), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=data_dir("scenarios").parent)
    collected = [line for line in done.stdout.splitlines() if "::" in line]
    assert done.returncode == 0
    assert len(collected) > 20
    assert all("/isolation/" in line for line in collected)


def test_a_path_that_the_catalogue_lacks_is_a_sentence_and_starts_nothing() -> None:
    command = [sys.executable, "-m", "pytest", "--cni", "reference", str(data_dir("scenarios") / "isolaton")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=data_dir("scenarios").parent)
    assert done.returncode == 12
    assert "there is no file or folder" in done.stdout + done.stderr
    assert "cluster" not in done.stdout


def test_a_map_of_another_folder_is_found_from_anywhere(tmp_path: Path) -> None:
    """Words after options that are paths make pytest take their folder for its root: our options hold there, too."""
    chart, elsewhere = tmp_path / "chart", tmp_path / "elsewhere"
    for folder in (chart, elsewhere):
        folder.mkdir()
    (chart / "shop.yaml").write_text(MAP)
    words = ["--service-map", str(chart / "shop.yaml"), "--report-dir", str(elsewhere), "--dry-run"]
    done = _pytest(*words, folder=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert "specified (what the policies mean)" in done.stdout
    done = _pytest("--report-dir", str(elsewhere), "--collect-only", "-q", folder=tmp_path)
    assert "chart.yaml::berserk-enabled[reference]" in done.stdout


def test_a_run_of_somebody_elses_tests_knows_nothing_of_us(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text("def test_own(): pass\n")
    done = _pytest("-v", folder=tmp_path)
    assert done.returncode == 0
    assert "test_own.py::test_own PASSED" in done.stdout
    assert "cni" not in done.stdout
    assert not (tmp_path / "reports").exists()


def _pytest(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=folder, env=environment, timeout=120
    )
