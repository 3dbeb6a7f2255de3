"""Weighted choices inside a hypothesis strategy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")
BITS = 7
ROLL: st.SearchStrategy[int] = st.tuples(*[st.booleans()] * BITS).map(
    lambda bits: sum(bit << place for place, bit in enumerate(bits))
)
"""A number below 2**BITS, of booleans only: hypothesis makes integers of constants that it finds in whatever modules
are loaded, and a seed must mean the same in every process."""


class Chooser:
    """What a composite strategy draws with."""

    def __init__(self, draw: Callable[[st.SearchStrategy[int]], Any]) -> None:
        self._draw = draw

    def pick(self, *options: tuple[int, T]) -> T:
        """One of the values, by weight; a weight of 0 takes a value out."""
        options = tuple(option for option in options if option[0])
        if len(options) == 1:
            return options[0][1]
        total = sum(weight for weight, _ in options)
        rolled = self._draw(ROLL) * total >> BITS
        for weight, value in options:
            rolled -= weight
            if rolled < 0:
                return value
        raise ValueError("no option has a weight")

    def one(self, items: Sequence[T]) -> T:
        return self.pick(*((1, item) for item in items))

    def chance(self, percent: int) -> bool:
        return self.pick((percent, True), (100 - percent, False))

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """As many different items, or all there are, in the order of the draw."""
        left = list(items)
        return [left.pop(self.pick(*((1, place) for place in range(len(left))))) for _ in range(min(count, len(left)))]
