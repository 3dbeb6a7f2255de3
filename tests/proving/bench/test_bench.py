"""The benchmark's own code: what it makes, shows, writes, reads and draws. No time is asserted."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from netproof.commands.main import main
from netproof.errors import NetproofError
from netproof.model import Verdict
from netproof.model.placement import place_on_paper
from netproof.policy import Evaluator, WholeMatrix, read_policies
from netproof.proving import bench
from netproof.proving.bench import cyclonus, evaluator, page, plot, rounds, table
from netproof.proving.bench.figures import EvaluatorFigure, Figure, PageFigure, RoundFigure, RunFigure, load
from netproof.proving.bench.process import peak_mib, timed

SVG = "{http://www.w3.org/2000/svg}"


def round_figure(what: str, pods: int, connected: float, **more: object) -> RoundFigure:
    known = {"deploy_s": 1.0, "denied_s": connected * 2, "timeout_s": 0.1, "case_s": connected * 3, "memory_mib": 40}
    return RoundFigure.model_validate(
        {"what": what, "pods": pods, "probes": 9, "connected_s": connected} | known | more
    )


def evaluator_figure(pods: int, seconds: float) -> EvaluatorFigure:
    return EvaluatorFigure(
        pods=pods, policies=pods // 10, ports=4, cells=pods * 9, connected=5, classes=9, seconds=seconds, memory_mib=50
    )


RUN = RunFigure(
    what="reference, cold",
    wall_s=4.0,
    up_s=1.0,
    round_connected_s=None,
    timeout_s=None,
    scenario_s=None,
    cells=10,
    memory_mib=60,
)
PAGES = [
    PageFigure(cells=1_000, write_s=0.5, size_kib=100, load_s=None, memory_mib=50),
    PageFigure(cells=100_000, write_s=10.0, size_kib=2_700, load_s=None, memory_mib=700),
]
FIGURES: list[Figure] = [
    RUN,
    round_figure("reference", 9, 0.02),
    round_figure("reference", 100, 2.0),
    evaluator_figure(1_000, 0.4),
    evaluator_figure(10_000, 10.0),
    *PAGES,
]


def write(file: Path, figures: list[Figure]) -> Path:
    content = {
        "netproof": "0.1.0",
        "machine": {"system": "Linux 6.18", "processors": 2},
        "figures": [figure.model_dump() for figure in figures],
    }
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def test_a_process_is_timed_with_its_output_code_and_memory() -> None:
    done = timed([sys.executable, "-c", "import os; print(os.environ['SAID']); raise SystemExit(3)"], env={"SAID": "x"})
    assert (done.code, done.output.strip()) == (3, "x")
    assert done.wall_s > 0
    assert done.memory_mib > 0
    assert peak_mib() > 0


def test_the_evaluators_world_is_decided_whole_as_cell_by_cell() -> None:
    figure = evaluator.measured(60, 12)
    assert (figure.pods, figure.policies, figure.cells) == (60, 12, 60 * 59 * 4)
    topology = evaluator.world(60, 12)
    whole = WholeMatrix(
        Evaluator(read_policies(evaluator.manifests(12)), topology, place_on_paper(topology)),
        topology.pods,
        evaluator.PORTS,
    )
    assert 0 < figure.connected < figure.cells
    assert figure.classes == len(whole.classes) < 60


def test_an_evaluators_process_prints_its_figure() -> None:
    (figure,) = evaluator.figures([20])
    assert (figure.pods, figure.policies) == (20, 2)


def test_a_wrong_matrix_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WholeMatrix, "__getitem__", lambda *_: None)
    with pytest.raises(NetproofError, match="which is wrong"):
        evaluator.measured(20, 2)


@pytest.mark.parametrize("cells", [7, 1_000])
def test_a_page_has_as_many_cells_as_asked_and_findings_among_them(cells: int) -> None:
    (target,) = page.made(cells).targets
    assert len(target.cells) == cells
    assert sum(cell.verdict is not Verdict.HOLDS for cell in target.cells) == cells // 500


def test_without_a_browser_a_page_is_only_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "BROWSERS", ())
    (figure,) = page.figures([50])
    assert (figure.cells, figure.load_s) == (50, None)
    assert figure.size_kib > 0


FAKE_BROWSER = """#!/bin/sh
for word in "$@"; do case $word in --screenshot=*) : > "${word#*=}";; esac; done
"""


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")
    (folder / name).chmod(0o755)


def test_a_browser_opens_the_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path, "chromium", FAKE_BROWSER)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (figure,) = page.figures([50])
    assert figure.load_s is not None


def test_a_browser_that_draws_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path, "chromium", "#!/bin/sh\necho no display\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(NetproofError, match="no display"):
        list(page.figures([50]))


def test_one_port_makes_pods_times_pods_cells() -> None:
    assert len(rounds.probes(rounds.world(30, rounds.ONE))) == 30 * 29
    assert len(rounds.probes(rounds.world(9))) == 9 * 8 * 4


FAKE_CYCLONUS = """#!/bin/sh
echo "$KUBECONFIG $*" >> {log}
[ "$1" = generate ] && printf 'Cyclonus version: \\n{{\\n  "Version": "v0.5.6"\\n}}\\ntesting {cases} cases\\n\\n'
exit {code}
"""


def fake_cyclonus(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *, cases: int = 1, code: int = 0
) -> tuple[cyclonus.Cluster, Path]:
    log = folder / "log"
    program(folder, "cyclonus", FAKE_CYCLONUS.format(log=log, cases=cases, code=code))
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return cyclonus.Cluster(cni="calico", kubeconfig=folder / "config", registry="registry.test"), log


def test_cyclonus_is_timed_on_the_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cluster, log = fake_cyclonus(monkeypatch, tmp_path)
    assert cyclonus.found()
    (figure,) = cyclonus.figures(cluster)
    assert (figure.what, figure.pods, figure.probes) == ("calico, cyclonus 0.5.6", 9, 324)
    assert figure.case_s is not None
    ran = log.read_text(encoding="utf-8").splitlines()
    assert [line.split()[:2] for line in ran] == [
        [str(cluster.kubeconfig), word] for word in ("probe", "probe", "generate")
    ]
    assert figure.commands == [f"cyclonus {line.split(maxsplit=1)[1]}" for line in ran[1:]]


@pytest.mark.parametrize(("how", "message"), [({"cases": 4}, "ran 4 cases"), ({"code": 2}, "ended with 2")])
def test_cyclonus_that_fails_is_no_figure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: dict[str, int], message: str
) -> None:
    cluster, _ = fake_cyclonus(monkeypatch, tmp_path, **how)
    with pytest.raises(NetproofError, match=message):
        list(cyclonus.figures(cluster))


def test_ratios_are_to_the_first_line_of_a_kind() -> None:
    assert [table.ratio(*pair) for pair in ((1, 2), (2, 2), (7, 2), (50, 2), (None, 2), (2, None), (2, 0))] == [
        "×0.50",
        "×1.00",
        "×3.5",
        "×25",
        "–",
        "–",
        "–",
    ]
    assert table.row(PAGES[1], PAGES[0]) == ["100,000", "×100", "10.0", "×20", "2,700", "×27", "–", "700"]


def test_every_kind_of_figure_has_columns_that_it_knows() -> None:
    for kind, layout in table.LAYOUTS.items():
        assert layout.columns.keys() <= kind.model_fields.keys()
        assert layout.compared <= layout.columns.keys()


def test_figures_are_shown_written_again_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = write(tmp_path / "one.json", FIGURES[:3]), write(tmp_path / "two.json", FIGURES[3:])
    drawn, both = tmp_path / "growth.svg", tmp_path / "both.json"
    assert main(["bench", "--from", str(one), str(two), "--plot", str(drawn), "--json", str(both)]) == 0
    shown = capsys.readouterr().out
    assert "reference, cold" in shown
    assert "399,960,000" not in shown
    assert "×100" in shown
    assert load([both]) == FIGURES
    root = ElementTree.fromstring(drawn.read_text(encoding="utf-8"))
    assert root.tag == f"{SVG}svg"
    # A round, a round denied, a case; the matrix; the page written. No page was opened.
    assert len(root.findall(f".//{SVG}polyline")) == 5
    for foreign in ("http://", "https://", "@import", "<script"):
        assert foreign not in drawn.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")


def test_a_later_figure_of_the_same_size_replaces_an_earlier_one() -> None:
    text = plot.render([*FIGURES, round_figure("reference", 9, 0.5)])
    assert "reference: a round, 9 pods: 0.5 s" in text
    assert "reference: a round, 9 pods: 0.02 s" not in text


def test_no_two_lines_look_the_same() -> None:
    names = ("reference", "calico", "cilium", "calico, cyclonus 0.5.6")
    for some in (names[:1], names):
        figures = [round_figure(name, size, size / 10) for name in some for size in (9, 30)]
        drawn = ElementTree.fromstring(plot.render(figures)).findall(f".//{SVG}polyline")
        assert len({line.get("class") for line in drawn}) == len(drawn) == 3 * len(some)


def test_names_cannot_break_the_drawing() -> None:
    ElementTree.fromstring(plot.render([round_figure("<a & b>", size, size / 10) for size in (9, 30)]))


@pytest.mark.parametrize("text", ["9", "9,x", "0", "-3,9"])
def test_sizes_that_are_no_sizes_are_a_sentence(text: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = write(tmp_path / "bench.json", [RUN])
    code = main(["bench", "--from", str(file), f"--page-cells={text}"])
    assert (code == 0) == (text == "9")
    assert ("--page-cells: numbers above 0" in capsys.readouterr().err) == (text != "9")


def test_one_size_is_no_curve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "bench.json", [RUN, round_figure("reference", 9, 0.1)])
    assert main(["bench", "--from", str(file), "--plot", str(tmp_path / "no.svg")]) == 12
    assert "--plot: a curve needs" in capsys.readouterr().err
    assert not (tmp_path / "no.svg").exists()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("pods", 0, "figures[0]"), ("podz", 3, "did you mean 'pods'"), ("connected_s", "soon", "connected_s")],
)
def test_a_wrong_file_is_named_with_its_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, value: object, said: str
) -> None:
    file = write(tmp_path / "bench.json", [round_figure("reference", 9, 0.1)])
    content = json.loads(file.read_text(encoding="utf-8"))
    content["figures"][0][key] = value
    file.write_text(json.dumps(content), encoding="utf-8")
    assert main(["bench", "--from", str(file)]) == 12
    told = capsys.readouterr().err
    assert str(file) in told
    assert said in told


def test_what_is_timed_is_shown_and_kept_and_a_missing_cyclonus_is_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench.rounds, "figures", lambda *_: iter(FIGURES[1:3]))
    monkeypatch.setattr(bench.cyclonus, "PROGRAM", "no-such-program")
    file = tmp_path / "bench.json"
    assert main(["bench", "--what", "rounds", "--json", str(file)]) == 0
    shown = capsys.readouterr().out
    assert cyclonus.NOT_FOUND in shown
    assert "reference, 100 pods: 2.0 s a round" in shown
    assert load([file]) == FIGURES[1:3]


def test_cyclonus_needs_a_kept_cluster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench.rounds, "figures", lambda *_: iter(FIGURES[1:2]))
    fake_cyclonus(monkeypatch, tmp_path)
    assert main(["bench", "--what", "rounds"]) == 0
    assert cyclonus.NO_CLUSTER in capsys.readouterr().out
