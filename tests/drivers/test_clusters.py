"""What commands know of clusters, with no engine behind it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import netproof.commands
from netproof.commands.main import main
from netproof.drivers import clusters


@pytest.fixture(autouse=True)
def nothing_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_an_unknown_name_is_told_with_the_option_that_gave_it(capsys: pytest.CaptureFixture[str]) -> None:
    for words, key in (
        (["clusters", "delete", "x"], "NAME"),
        (["clusters", "kubeconfig", "x"], "NAME"),
        (["refused", "--count", "1", "--reuse-cluster", "x"], "--reuse-cluster"),
    ):
        assert main(words) == 12
        assert capsys.readouterr().err.startswith(f"netproof: {key}: there is no cluster 'x' of ours")


def test_a_wrong_number_is_told_with_its_own_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["refused", "--seed", "-1"]) == 12
    assert capsys.readouterr().err == "netproof: --seed: a number from 0 on (got -1)\n"


def test_without_clusters_there_is_nothing_to_list_or_to_reap() -> None:
    assert clusters.list_clusters() == []
    assert clusters.reap(all=True) == []


def test_a_command_imports_no_driver() -> None:
    for file in Path(netproof.commands.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("netproof.drivers"):
                assert [node.module, *(name.name for name in node.names)] == ["netproof.drivers", "clusters"], file.name
