"""Findings that somebody accepted: they are shown, and do not fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from netproof.commands.main import main

OPEN = """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: open, namespace: shop}
spec:
  podSelector: {}
  ingress:
    - {}
"""
CHECK = ["check", "--manifests", "p.yaml", "--fail-on", "warning"]


@pytest.fixture(autouse=True)
def _file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.yaml").write_text(OPEN, encoding="utf-8")


def test_nothing_is_accepted_of_itself() -> None:
    assert main(CHECK) == 1


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("allow-from-everywhere", 0),
        ("allow-from-everywhere=NetworkPolicy shop/*", 0),
        ("allow-from-everywhere=NetworkPolicy ops/*", 1),
        ("allow-to-everywhere", 1),
        ("allow-from-everywhare", 12),
        ("allow-from-everywhere=", 12),
    ],
)
def test_by_an_option(word: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*CHECK, "--ignore", word]) == code
    assert code or "reviewed: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("    - {}", "    - {}  # netproof: ignore allow-from-everywhere: a public page", 0),
        ("    - {}", "    # netproof: ignore egress-without-dns, allow-from-everywhere\n    - {}", 0),
        ("    - {}", "    - {}  # netproof: ignore egress-without-dns", 1),
        ("apiVersion", "# netproof: ignore allow-from-everywhere\napiVersion", 1),
    ],
)
def test_by_a_comment_beside_it(old: str, new: str, code: int, tmp_path: Path) -> None:
    file = tmp_path / f"{abs(hash((old, new)))}.yaml"
    file.write_text(OPEN.replace(old, new), encoding="utf-8")
    assert main(["check", "--manifests", str(file), "--fail-on", "warning"]) == code


def test_by_a_baseline() -> None:
    assert main([*CHECK, "--write-baseline", "b.json"]) == 0
    assert main([*CHECK, "--baseline", "b.json"]) == 0
    Path("p.yaml").write_text("# moved\n" + OPEN, encoding="utf-8")
    assert main([*CHECK, "--baseline", "b.json"]) == 0
    Path("p.yaml").write_text(OPEN.replace("name: open", "name: other"), encoding="utf-8")
    assert main([*CHECK, "--baseline", "b.json"]) == 1
    assert main([*CHECK, "--baseline", "p.yaml"]) == 12
    assert main([*CHECK, "--baseline", "none.json"]) == 12
