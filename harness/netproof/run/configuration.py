"""Defaults of options from the user's project: `[tool.netproof]` of the nearest pyproject.toml that has this table."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netproof.errors import InputError, suggest
from netproof.run.flags import BY_KEY, CHECK_KEYS, Option

FILE = "pyproject.toml"
TABLE = "tool.netproof"


def find_defaults(folder: Path) -> dict[str, Any]:
    """Dest of an option -> its value, as the nearest pyproject.toml with the table says, from this folder upwards.
    Paths are relative to that file. Raises InputError with file, line, key and the nearest valid key."""
    for place in (folder, *folder.parents):
        file = place / FILE
        try:
            text = file.read_text(encoding="utf-8") if file.is_file() else ""
        except (OSError, UnicodeDecodeError):
            continue
        if "netproof" in text and (table := _table(file, text)) is not None:
            return dict(_values(file, text, table))
    return {}


def _table(file: Path, text: str) -> Mapping[str, Any] | None:
    try:
        tool = tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not valid TOML: {error}", file=file) from None
    table = tool.get("netproof") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise InputError("a table is expected", file=file, key=TABLE)
    return table


def _values(file: Path, text: str, table: Mapping[str, Any]) -> dict[str, Any]:
    known = {**BY_KEY, **CHECK_KEYS}
    found = {}
    for key, value in table.items():
        if key not in known:
            raise _error(file, text, key, f"unknown key; {suggest(key, known)}")
        found[known[key].dest] = _value(file, text, known[key], value)
    return found


def _value(file: Path, text: str, option: Option, value: Any) -> Any:
    if not option.takes_value:
        if not isinstance(value, bool):
            raise _error(file, text, option.key, f"true or false is expected (got {value!r})")
        return value or None
    words = value if isinstance(value, list) else [value]
    if (isinstance(value, list) and option.action != "append") or not all(
        isinstance(word, str | int) and not isinstance(word, bool) for word in words
    ):
        form = "a text, or a list of texts," if option.action == "append" else "a text or a number"
        raise _error(file, text, option.key, f"{form} is expected (got {value!r})")
    words = [str(word) for word in words]
    if not words or not all(word.strip() for word in words):
        raise _error(file, text, option.key, "the value is empty; leave the key out")
    if option.choices and words[0] not in option.choices:
        raise _error(
            file, text, option.key, f"{words[0]!r} is none of the choices; {suggest(words[0], option.choices)}"
        )
    if option.is_path:
        words = [_beside(file, option, word) for word in words]
    return words if option.action == "append" else words[0]


def _beside(file: Path, option: Option, word: str) -> str:
    """A path relative to the file as one from the working directory. A bundled chart's name and `-` stay."""
    path = file.parent / word
    return word if word == "-" or (option.key == "chart" and not path.exists()) else str(path)


def _error(file: Path, text: str, key: str, message: str) -> InputError:
    return InputError(message, file=file, line=_line(text, key), key=f"{TABLE}.{key}")


def _line(text: str, key: str) -> int | None:
    """Where the table has a key; None where it is written in another form."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("["):
            inside = re.fullmatch(r"\s*\[\s*tool\s*\.\s*netproof\s*\]\s*(#.*)?", line) is not None
        elif inside and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return None
