"""A Comparison as one HTML file: what is new, where the CNIs differ, and every cell with the evidence of each side."""

from __future__ import annotations

from typing import Any

from netproof import __version__
from netproof.report import findings, traits
from netproof.report.columns import IndexTable, encode, pack
from netproof.report.compare_groups import ComparedGroup, group_rows
from netproof.report.comparison import LOUD, WORDS, ComparedTarget, Comparison, RowClass, TargetState
from netproof.report.page import anchor, draw
from netproof.report.record import Record

LINES = 60
"""Groups listed for each class; all cells are in the table below them."""
NOSCRIPT = 200


def render_compare(comparison: Comparison) -> str:
    """The whole page."""
    sides = [side for side in comparison.sides if side.target]
    return draw(
        "compare",
        _data(comparison),
        globals={
            "link": link,
            "WORDS": WORDS,
            "RowClass": RowClass,
            "TargetState": TargetState,
            "LINES": LINES,
            "standing": _standing,
            "traits_differ": traits.differ,
            "vote_link": lambda _, vote: anchor(**{"in": vote.scenario, "step": vote.step, "cell": vote.cell}),
        },
        version=__version__,
        comparison=comparison,
        sides=comparison.sides,
        traits=traits.table([side.target for side in comparison.sides]) if comparison.rows else [],
        groups={kind: group_rows(comparison, kind) for kind in LOUD if kind is not RowClass.ONLY},
        loud=sorted(
            (name for name, counts in comparison.scenarios.items() if any(counts[kind] for kind in LOUD)),
            key=lambda name: min(n for n, kind in enumerate(LOUD) if comparison.scenarios[name][kind]),
        ),
        quiet=[name for name, counts in comparison.scenarios.items() if not any(counts[kind] for kind in LOUD)],
        claims={scenario.id: scenario.claim for side in sides if side.target for scenario in side.target.scenarios},
        noscript=[row for row in comparison.rows if row.classes & {*LOUD}][:NOSCRIPT],
    )


def link(group: ComparedGroup) -> str:
    """The anchor of a group's first cell in the table."""
    scenario, step, cell = group.rows[0].key
    return anchor(**{"in": scenario, "step": step, "cell": cell})


def _standing(comparison: Comparison, side: ComparedTarget, scenario: str) -> tuple[str, str]:
    """How a scenario stands on a side: a tag's class, and its words."""
    result = comparison.result(side, scenario)
    if result is None:
        return "quiet", f"– {comparison.absence(side, scenario)}"
    mark = {"passed": "✓", "failed": "✕", "error": "!", "skipped": "–", "interrupted": "…"}[result.result]
    return {"passed": "good", "failed": "bad", "error": "bad"}.get(result.result, "quiet"), f"{mark} {result.result}"


def _data(comparison: Comparison) -> Any:
    sides = [side for side in comparison.sides if side.target]
    record = Record.model_construct(targets=[side.target for side in sides if side.target])
    about, steps, scenarios = IndexTable(), IndexTable(), list(comparison.scenarios)
    places = [
        {findings.identity(cell): n for n, cell in enumerate(side.target.cells, 1)} if side.target else {}
        for side in comparison.sides
    ]
    rows = comparison.rows
    whose = [
        [[kind for kind in RowClass if kind in row.classes], list(row.new), list(row.gone), list(row.changed)]
        for row in rows
    ]
    return encode(record) | {
        "sides": [
            {
                **{"label": side.label, "cni": side.cni, "state": side.state, "why": side.why, "latest": side.latest},
                "target": sides.index(side) if side.target else -1,
                "absent": [comparison.absence(side, scenario) for scenario in scenarios],
            }
            for side in comparison.sides
        ],
        "scenarios": scenarios,
        "earlier": dict(comparison.earlier),
        "about": {"of": pack([about.place(one) for one in whose]), "table": about.rows},
        "where": {"of": pack([steps.place(list(row.key[:2])) for row in rows]), "table": steps.rows},
        "rows": [pack([table.get(row.key, 0) for row in rows]) for table in places],
        "words": dict(WORDS),
        "loud": list(LOUD),
    }
