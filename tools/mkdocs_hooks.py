"""What the site has and its pages do not: the command line's reference, from the parser itself, and links out of docs/.

A page holds `<!-- netproof: cli -->` where the reference stands, and links to files of the repository by their relative
path, so that it reads as well where the repository is browsed.
"""

from __future__ import annotations

import argparse
import html
import posixpath
import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent / "pyproject.toml"
COMMANDS = "<!-- netproof: cli -->"
PYTEST = "<!-- netproof: pytest -->"
LINK = re.compile(r"(?<!!)\[(?P<text>[^]]*)\]\((?P<path>(?:\.\./)+[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_config(config: Any) -> Any:
    """mkdocs asks this first. Where the site and the repository are stands in pyproject.toml alone."""
    urls = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"].get("urls", {})
    config["site_url"] = urls.get("Documentation", "")
    config["extra"]["repository"] = urls.get("Source", "")
    return config


def on_page_markdown(markdown: str, *, page: Any, config: Mapping[str, Any], files: Any) -> str:
    """mkdocs asks this for each page before it is rendered."""
    if COMMANDS in markdown:
        markdown = markdown.replace(COMMANDS, "\n".join(command_reference()))
    if PYTEST in markdown:
        markdown = markdown.replace(PYTEST, "\n".join(pytest_reference()))
    return link_out(markdown, page.file.src_uri, dict(config["extra"]).get("repository", ""))


def link_out(markdown: str, page: str, repository: str) -> str:
    """Links to files above docs/ lead to the repository; without an address of one they are the file's name alone."""

    def replace(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), match["path"]))
        if path.startswith("docs/"):
            return match[0]
        if not repository:
            return match["text"] if match["text"].strip("`") == path else f"{match['text']} (`{path}`)"
        return f"[{match['text']}]({repository}/blob/main/{path}{match['anchor'] or ''})"

    return LINK.sub(replace, markdown)


def command_reference() -> Iterator[str]:
    """A section for each command of `netproof`, as Markdown lines."""
    main = import_module("netproof.commands.main")
    for name, says in main.COMMANDS.items():
        parser = argparse.ArgumentParser(prog=f"netproof {name}", add_help=False)
        import_module(f"netproof.commands.{name}").add(parser)
        yield from _section(parser, f"netproof {name}", f"{says[0].upper()}{says[1:]}.", 2)


def _section(parser: argparse.ArgumentParser, name: str, says: str, level: int) -> Iterator[str]:
    yield from (f"{'#' * level} {name}", "", says, "")
    rows = []
    below: list[tuple[str, argparse.ArgumentParser, str]] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            below += [(word, sub, helps.get(word, "")) for word, sub in action.choices.items()]
        elif action.help != argparse.SUPPRESS and "-h" not in action.option_strings:
            rows.append(f"| {_spelling(action)} | {_cell(_help(action, parser))} |")
    if rows:
        yield from ("| option | meaning |", "|---|---|", *rows, "")
    for word, sub, text in below:
        yield from _section(sub, f"{name} {word}", f"{text[:1].upper()}{text[1:]}." if text else "", level + 1)


def pytest_reference() -> Iterator[str]:
    """The options that pytest gets, as one table."""
    words = _Options()
    plugins = [one for one in entry_points(group="pytest11") if one.value.startswith("netproof.")]
    for plugin in plugins:
        plugin.load().pytest_addoption(words)
    yield from ("| option | meaning |", "|---|---|")
    for names, more in words.found:
        metavar = more.get("metavar") or ("{" + ",".join(more["choices"]) + "}" if more.get("choices") else "")
        spelling = ", ".join(_code(f"{name} {metavar}".strip()) for name in names)
        text = str(more.get("help", "")) % {"default": more.get("default")}
        yield f"| {spelling} | {_cell(text)} |"


class _Options:
    """Stands for pytest's parser and for its group of options, and keeps what is declared."""

    def __init__(self) -> None:
        self.found: list[tuple[tuple[str, ...], dict[str, Any]]] = []

    def getgroup(self, *_: str, **__: str) -> _Options:
        return self

    def addoption(self, *names: str, **more: Any) -> None:
        if more.get("help") != argparse.SUPPRESS:
            self.found.append((names, more))

    def addini(self, *_: Any, **__: Any) -> None:
        pass


def _spelling(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    if not metavar and action.choices:
        metavar = "{" + ",".join(map(str, action.choices)) + "}"
    if not action.option_strings:
        return _code(metavar or action.dest)
    takes = action.nargs != 0
    value = f" {metavar or action.dest.upper()}" if takes else ""
    return ", ".join(_code(name + value) for name in action.option_strings)


def _help(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    values = {key: value for key, value in vars(action).items() if value is not argparse.SUPPRESS}
    return (action.help or "") % (values | {"prog": parser.prog})


def _cell(text: str) -> str:
    """Plain text as it may stand in a table's cell."""
    escaped = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"[|*_`\[\]]", lambda match: f"&#{ord(match[0])};", escaped)


def _code(text: str) -> str:
    return f"<code>{_cell(text)}</code>"
