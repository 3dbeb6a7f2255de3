"""The fixture `netproof`: tests in Python, on a driver that needs no network."""

from __future__ import annotations

import pytest

from netproof.pytest_plugin import fixture
from tests.pytest_plugin.test_plugin import ENFORCING, HONEST, drivers, inner, record, shop

__all__ = ["drivers", "shop"]

ASKS = """
import pytest
from netproof.charts import map_plan
from netproof.errors import InputError

POLICIES = map_plan("shop.yaml").manifests


def test_only_web_reaches_db(netproof):
    netproof.deploy("shop.yaml")
    assert netproof.connects("shop/db", "shop/web", 80)
    netproof.apply(*POLICIES)
    assert netproof.connects("shop/web", "shop/db", 5432)
    assert netproof.connects("shop/web", "svc:shop/db", 5432)
    assert not netproof.connects("shop/db", "shop/web", 80)
    assert netproof.matrix()
"""


TRUTHFUL = """if target in ("shop/web", "shop/db") and source.startswith("node:"):
            return "connected" if driver.placement.node_of[target] == source else "dropped"
        if source == "external:outsider":
            return "dropped"
        """
"""Beside what HONEST knows: a pod's own node reaches it, no other one does, and a node port is closed to strangers."""


def run(
    shop: pytest.Pytester, test: str, *options: str, body: str = ENFORCING % (TRUTHFUL + HONEST)
) -> pytest.RunResult:
    shop.makepyfile(test_asks=test)
    return inner(shop, "--cni", "reference", *options, "test_asks.py", body=body.strip())


def test_what_is_asked_is_measured_and_recorded_as_scenarios(shop: pytest.Pytester) -> None:
    result = run(shop, ASKS)
    assert result.ret == 0, result.stdout.str()
    (target,) = record(shop).targets
    open_, closed = target.scenarios
    assert (open_.id, closed.id) == ("test-asks-test-only-web-reaches-db", "test-asks-test-only-web-reaches-db-2")
    assert {scenario.result for scenario in target.scenarios} == {"passed"}
    assert not open_.manifests
    assert "NetworkPolicy" in closed.manifests
    (cell,) = (
        c
        for c in target.cells
        if (c.scenario, c.source, c.destination, c.via) == (closed.id, "shop/db", "shop/web", "pod")
    )
    assert (cell.measured, cell.specified, cell.intended) == ("denied", "denied", "unstated")


def test_a_failed_assert_tells_the_path_and_the_rule(shop: pytest.Pytester) -> None:
    result = run(shop, ASKS + '    assert netproof.connects("shop/db", "shop/web", 80)\n')
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*shop/db → shop/web:80/TCP: measured denied, the policies say denied: *"])


def test_a_cni_that_does_otherwise_than_the_policies_say_fails_the_test_whatever_it_asserts(
    shop: pytest.Pytester,
) -> None:
    result = run(shop, ASKS.replace("    assert not netproof", "    netproof"), body=ENFORCING % 'return "connected"')
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["FAIL  test-asks-test-only-web-reaches-db-2: *"])
    assert record(shop).targets[0].scenarios[1].result == "failed"


def test_what_cannot_be_measured_is_neither_connected_nor_denied(shop: pytest.Pytester) -> None:
    result = run(shop, ASKS, body=ENFORCING % 'return "lost" if target == "shop/db" else "connected"')
    assert result.ret != 0
    assert "could not be measured" in result.stdout.str()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ('netproof.connects("shop/web", "shop/db", 5432)', "nothing is deployed: call netproof.deploy"),
        ('netproof.deploy("shopp")', "no topology is called 'shopp'"),
        ('netproof.deploy("none.yaml")', "none.yaml: No such file or directory"),
        (
            'netproof.deploy("shop.yaml"); netproof.connects("shop/web", "shop/dbb", 5432)',
            "nobody is called 'shop/dbb' in what is deployed; did you mean 'shop/db'?",
        ),
        (
            'netproof.deploy("shop.yaml"); netproof.connects("shop/web", "shop/db", 80)',
            "shop/db does not listen on 80/TCP, but on 5432/TCP",
        ),
        ('netproof.delete("NetworkPolicy", "shop/none")', "NetworkPolicy shop/none is not in force"),
    ],
)
def test_mistakes_are_sentences(shop: pytest.Pytester, call: str, sentence: str) -> None:
    result = run(shop, f"def test_it(netproof):\n    {call}\n")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert sentence in result.stdout.str()


def test_without_options_it_says_which(shop: pytest.Pytester) -> None:
    shop.makepyfile(test_asks=ASKS)
    result = shop.runpytest_inprocess("-p", "no:cacheprovider", "test_asks.py")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "run pytest with --cni NAME" in result.stdout.str()


def test_tests_that_measure_nothing_do_not_hide_it(shop: pytest.Pytester) -> None:
    result = run(shop, "def test_it():\n    pass\n")
    assert result.ret == 12
    assert "nothing would be measured" in result.stdout.str()


def test_workers_share_the_cluster(shop: pytest.Pytester) -> None:
    asks = """
def test_{0}(netproof):
    netproof.deploy("shop.yaml")
    assert netproof.connects("shop/web", "shop/db", 5432)
"""
    shop.makepyfile(test_more=asks.format("more"))
    result = run(shop, asks.format("one"), "-n", "2", "test_more.py")
    assert result.ret == 0, result.stdout.str()
    assert [one.id for one in record(shop).targets[0].scenarios] == ["test-asks-test-one", "test-more-test-more"]


def test_node_ids_as_scenario_ids() -> None:
    assert fixture.name_scenario("tests/test_shop.py::TestUi::test_it[calico]", "calico") == "test-shop-testui-test-it"
    assert fixture.name_scenario("test_shop.py::test_it[vpc-cni+calico-80]", "vpc-cni+calico") == "test-shop-test-it-80"
