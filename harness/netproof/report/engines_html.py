"""Engines side by side as one HTML file: what each says of every cell, whether they agree, and why if they do not."""

from __future__ import annotations

from netproof import __version__
from netproof.report.engines import LOUD, WORDS, Agreement, EngineAnswer, Engines
from netproof.report.engines_text import describe_example
from netproof.report.page import draw

SIGNS = {"connected": "●", "denied": "○", "unspecified": "◌"}
SAYS = {"connected": "connects", "denied": "denied", "unspecified": "left open"}


def render_engines(engines: Engines) -> str:
    """The whole page."""
    return draw(
        "engines",
        # The page's script reads no cells: they stand in its tables.
        {"strings": [], "pairs": [], "stories": [], "targets": [], "steps": [], "by": {}, "kinds": {}},
        globals={
            "WORDS": WORDS,
            "Agreement": Agreement,
            "LOUD": LOUD,
            "SIGNS": SIGNS,
            "SAYS": SAYS,
            "standing": standing,
            "describe_example": describe_example,
            "reasons": lambda answer: [engines.entries[name] for name in answer.reviewed if name in engines.entries],
        },
        version=__version__,
        engines=engines,
    )


def standing(answer: EngineAnswer) -> str:
    """The class of an answer: as meant, left open, declared or not."""
    if answer.specified == "unspecified":
        return "open"
    if answer.as_meant:
        return "asmeant"
    return "declared-a" if answer.accepted else "odd"
