"""Small inputs that netproof once answered wrongly, each for a kind of mistake: from public charts (`charts-…`) and
from public reports (`public-…`). `cases.yaml` has the commands, what they must say, and why."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from netproof.commands.main import main

HERE = Path(__file__).parent
CASES: dict[str, list[dict[str, Any]]] = yaml.safe_load((HERE / "cases.yaml").read_text(encoding="utf-8"))
EACH = [(report, case) for report, cases in CASES.items() for case in cases]


@pytest.mark.parametrize(("report", "case"), EACH, ids=[f"{report}: {case['run']}" for report, case in EACH])
def test_answer(
    report: str, case: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(case["run"])
    if "--chart" in words and shutil.which("helm") is None:
        pytest.skip("helm is not on the PATH")
    monkeypatch.chdir(HERE / report)
    code = main(words)
    printed = capsys.readouterr()
    said = " ".join(f"{printed.out}\n{printed.err}".split())
    assert code == case.get("exit", 0), said
    for words_of in case.get("says", ()):
        assert " ".join(words_of.split()) in said, f"{case['why']}\n\n{printed.out}{printed.err}"
    for words_of in case.get("never", ()):
        assert " ".join(words_of.split()) not in said, f"{case['why']}\n\n{printed.out}{printed.err}"


def test_every_input_is_asked_about() -> None:
    folders = {path.name for path in HERE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(CASES)
