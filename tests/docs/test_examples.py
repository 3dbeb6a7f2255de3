"""The complete service map of the documentation: it shows its failures as it stands, and none with its values."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from netproof.commands.main import main
from netproof.report.record import Record

DOCS = Path(__file__).parents[2] / "docs"
MAP = DOCS / "examples" / "map" / "shop.yaml"
VALUES = DOCS / "examples" / "map" / "values.yaml"


def test_the_page_shows_the_files_as_they_are() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / "service-maps.md").read_text(encoding="utf-8"), re.DOTALL)
    shown = [block for block in blocks if block in (MAP.read_text("utf-8"), VALUES.read_text("utf-8"))]
    assert len(shown) == 2


@pytest.mark.parametrize(("options", "code", "errors"), [([], 1, 3), (["--values", str(VALUES)], 0, 0)])
def test_checked_without_a_cluster(
    capsys: pytest.CaptureFixture[str], options: list[str], code: int, errors: int
) -> None:
    assert main(["check", "--service-map", str(MAP), *options, "--format", "json"]) == code
    found = json.loads(capsys.readouterr().out)["findings"]
    assert sum(finding["severity"] == "error" for finding in found) == errors


@pytest.mark.parametrize(("options", "code", "wrong"), [([], 1, 22), (["--values", str(VALUES)], 0, 0)])
def test_measured_on_the_reference(tmp_path: Path, options: list[str], code: int, wrong: int) -> None:
    report = tmp_path / "report"
    assert main(["run", "--service-map", str(MAP), *options, "--report-dir", str(report)]) == code
    record = Record.model_validate_json((report / "record.json").read_text(encoding="utf-8"))
    cells = [cell for target in record.targets for cell in target.cells]
    assert len(cells) == 153
    assert sum(cell.verdict == "policy-defect" and not cell.reviewed for cell in cells) == wrong
    assert {cell.verdict for cell in cells} == {"holds", "policy-defect"}
