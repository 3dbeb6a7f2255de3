"""The scenarios that a wish names, made by the strategies."""

from __future__ import annotations

from netproof.catalogue.scenarios import Scenario
from netproof.generate import documents, strategies
from netproof.generate.request import GenerateRequest


def generate_scenarios(wish: GenerateRequest) -> list[Scenario]:
    """The same ones for the same wish, in every process."""
    dialect = "" if wish.dialect == "kubernetes" else f"-{wish.dialect}"
    found = []
    for number, draft in strategies.draw_scenarios(wish.seed, wish.first, wish.last, wish.dialect, wish.without):
        found.append(
            documents.scenario(
                draft,
                f"generated{dialect}-{wish.seed}-{number}",
                f"seed {wish.seed}, number {number}" + (f", dialect {wish.dialect}" if dialect else ""),
                wish.options(number, number),
            )
        )
    return found
