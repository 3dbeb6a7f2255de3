"""Growth curves as one small SVG: seconds against size, both logarithmic, in a panel for each kind of figure.

A colour is a CNI (with a single one, a figure), a mark and its dashes are a figure: no line is told by colour alone.
The colours are near Okabe and Ito's. `plot.svg.j2` says how it looks, in a light and in a dark page.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from math import ceil, floor, log10
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined

from netproof.errors import InputError
from netproof.proving.bench.figures import EvaluatorFigure, Figure, PageFigure, RoundFigure

WIDTH, HEIGHT = 640, 300
"""Of a panel's plot, in the SVG's units."""
COLOURS = 7
"""Of the template; further ones begin again."""
STEPS = (1, 2, 5)


class CurveSource(NamedTuple):
    """Which figures a panel draws. `lines`: field -> its name in the legend."""

    title: str
    across: str
    size: str
    lines: dict[str, str]


SOURCES: dict[type[Figure], CurveSource] = {
    RoundFigure: CurveSource(
        "Rounds and cases",
        "pods",
        "pods",
        {"connected_s": "a round", "denied_s": "a round, a third denied", "case_s": "a case"},
    ),
    EvaluatorFigure: CurveSource(
        "The evaluator, a policy for ten pods", "pods", "pods", {"seconds": "the whole matrix"}
    ),
    PageFigure: CurveSource("The HTML page", "cells", "cells", {"write_s": "written", "load_s": "opened"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One curve. `points`: x and y in the SVG's units, and what the point says. `colour`, `mark`: numbers."""

    name: str
    points: list[tuple[float, float, str]]
    colour: int
    mark: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Ticks are places in the SVG's units with their words."""

    title: str
    across: str
    lines: list[Curve]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]


class Axis(NamedTuple):
    """Logarithmic from `low` to `high`, over `length` units."""

    low: float
    high: float
    length: float

    def place(self, value: float) -> float:
        return round(self.length * log10(value / self.low) / log10(self.high / self.low), 1)

    def ticks(self) -> list[tuple[float, str]]:
        decades = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
        steps = STEPS if len(decades) <= 4 else STEPS[:1]
        values = (step * 10.0**decade for decade in decades for step in steps)
        return [
            (self.place(value), f"{value:,.10g}") for value in values if self.low * 0.999 <= value <= self.high * 1.001
        ]


def render(found: Sequence[Figure]) -> str:
    """The SVG. Raises InputError when no figure has two sizes, so that nothing can be drawn."""
    panels = [panel for kind in SOURCES if (panel := _panel(kind, found))]
    if not panels:
        raise InputError("a curve needs figures of one kind at two sizes at least", key="--plot")
    text = (resources.files("netproof.proving.bench") / "plot.svg.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    return environment.from_string(text).render(panels=panels, width=WIDTH, height=HEIGHT, colours=COLOURS) + "\n"


def _panel(kind: type[Figure], found: Sequence[Figure]) -> Panel | None:
    source = SOURCES[kind]
    curves: defaultdict[tuple[str, str], dict[float, float]] = defaultdict(dict)
    for figure in found:
        if isinstance(figure, kind):
            for field in source.lines:
                value = getattr(figure, field)
                # Zero has no place on a logarithmic axis; a later figure of the same size replaces an earlier one.
                if value:
                    curves[getattr(figure, "what", ""), field][getattr(figure, source.size)] = value
    if not any(len(points) > 1 for points in curves.values()):
        return None
    sizes = sorted({size for points in curves.values() for size in points})
    x = _axis(sizes, WIDTH, wide=False)
    y = _axis([seconds for points in curves.values() for seconds in points.values()], HEIGHT, wide=True)
    whats, fields = list(dict.fromkeys(what for what, _ in curves)), list(source.lines)
    lines = [
        Curve(
            name=f"{what}: {source.lines[field]}" if what else source.lines[field],
            points=[
                (x.place(size), HEIGHT - y.place(seconds), f"{size:,} {source.across}: {seconds} s")
                for size, seconds in sorted(points.items())
            ],
            colour=(whats.index(what) if len(whats) > 1 else fields.index(field)) % COLOURS,
            mark=fields.index(field),
        )
        for (what, field), points in curves.items()
    ]
    return Panel(
        title=source.title,
        across=source.across,
        lines=lines,
        x_ticks=[
            (x.place(size), f"{size:,}") for size in sorted({size for points in curves.values() for size in points})
        ],
        y_ticks=[(HEIGHT - place, word) for place, word in y.ticks()],
    )


def _axis(values: Sequence[float], length: float, *, wide: bool) -> Axis:
    """With `wide` it ends at whole steps of 1, 2, 5; otherwise a little beyond the values."""
    low, high = min(values), max(values)
    if not wide:
        return Axis(low / 1.15, high * 1.15, length)
    return Axis(_step(low, down=True), _step(high, down=False), length)


def _step(value: float, *, down: bool) -> float:
    """The next of 1, 2, 5, 10 … that is smaller (or greater) than the value."""
    decade = 10.0 ** floor(log10(value))
    steps = [step * decade for step in (0.5, *STEPS, 10)]
    return max(step for step in steps if step < value) if down else min(step for step in steps if step > value)
