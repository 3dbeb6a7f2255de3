"""The words of pytest's command line: short names of our options become their long ones, which nobody else has.

pytest knows our options by their long names only (`--netproof-seed`), so that no plugin and no conftest, whenever it is
loaded, can collide with them. A short name (`--seed`) is ours where nobody else declared it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

from netproof.run.flags import BY_FLAG, OPTIONS, PREFIX, Option

LONG = {option.pytest_flag: option for option in OPTIONS}

IsTaken = Callable[[str], bool]
"""Whether somebody else declared an option of this short name."""


def mention_options(words: Sequence[str]) -> bool:
    """Whether any of these words could be an option of ours."""
    return any(word.startswith(PREFIX) or word.partition("=")[0] in BY_FLAG for word in words if word[:2] == "--")


def lengthen(words: Sequence[str], is_taken: IsTaken) -> list[str]:
    """The words with each option of ours by its long name, and its value in the same word: a value that stands alone
    is a path to whoever does not know the option."""
    made: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            return [*made, word, *rest]
        option = _option(word, is_taken)
        if option is None:
            made.append(word)
            continue
        value = word.partition("=")[1:]
        if option.takes_value and not value[0]:
            following = next(rest, None)
            if following is not None and following.startswith("--"):
                # No value: pytest says so.
                made += [option.pytest_flag, *lengthen([following, *rest], is_taken)]
                return made
            value = ("", "") if following is None else ("=", following)
        made.append(option.pytest_flag + "".join(value))
    return made


def paths_in_values(words: Sequence[str], is_taken: IsTaken) -> list[str]:
    """Values of our options that stand in words of their own and are paths that exist: pytest took them for what is to
    be collected when it chose its root."""
    found = []
    for word, following in itertools.pairwise(words):
        option = _option(word, is_taken)
        if option is not None and option.takes_value and "=" not in word and not following.startswith("-"):
            path = following.partition("::")[0]
            if _exists(path):
                found.append(path)
    return found


def _option(word: str, is_taken: IsTaken) -> Option | None:
    flag = word.partition("=")[0]
    if flag in LONG:
        return LONG[flag]
    option = BY_FLAG.get(flag)
    return None if option is None or is_taken(flag) else option


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False
