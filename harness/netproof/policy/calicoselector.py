"""Calico's selector language (`app == 'web' && has(tier)`) -> the rule form's selectors.

The grammar, with its oddities, is that of Calico 3.28 (libcalico-go/lib/selector: tokenizer.go, parser.go).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, NoReturn

from netproof.policy.reading import At
from netproof.policy.rules import Combination, Operator, Requirement, Selector, TextOperator

Term = Requirement | Combination
Reader = Callable[[str, Operator | TextOperator, tuple[str, ...], At], Term | bool]
"""What a comparison of a label means: a requirement, or an answer that is the same for every pod. May refuse it."""

OPPOSITE: dict[Operator | TextOperator, Operator] = {
    "In": "NotIn",
    "NotIn": "In",
    "Exists": "DoesNotExist",
    "DoesNotExist": "Exists",
}
"""Each holds exactly where its opposite does not, for a missing label too."""

SYMBOLS = ("==", "!=", "&&", "||", "!", "(", ")", "{", "}", ",")
"""Longer ones before those that they begin with."""

NAME = r"[a-zA-Z0-9_./-]{1,512}"
SPACE = r"[\t\n\f\r ]"
WORDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("has", re.compile(rf"has\({SPACE}*({NAME}){SPACE}*\)")),
    ("all", re.compile(rf"all\({SPACE}*\)")),
    ("global", re.compile(rf"global\({SPACE}*\)")),
    ("label", re.compile(rf"({NAME})")),
)
AFTER_LABEL: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("contains", re.compile(r"contains")),
    ("starts with", re.compile(rf"starts{SPACE}*with")),
    ("ends with", re.compile(rf"ends{SPACE}*with")),
    ("not in", re.compile(rf"not{SPACE}*in\b", re.ASCII)),
    ("in", re.compile(r"in\b", re.ASCII)),
)
"""These words are operators only behind a label; elsewhere they are labels themselves."""

TEXTS: dict[str, Operator | TextOperator] = {
    "==": "In",
    "!=": "NotIn",
    "contains": "Contains",
    "starts with": "StartsWith",
    "ends with": "EndsWith",
}
SETS: dict[str, Operator] = {"in": "In", "not in": "NotIn"}
AN_OPERATOR = "an operator (==, !=, in, not in, contains, starts with, ends with)"
AN_OPERAND = "a label, has(), all(), '!' or '('"


Rewrite = Callable[[str, Operator | TextOperator, str], str]
"""(label, how it is compared, the text that it is compared with) -> what is to stand there instead."""


class Token(NamedTuple):
    kind: str
    """A symbol, a word of the language, `label`, `text` (in quotes) or `end`."""
    value: str
    column: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.value)


def parse(text: str, at: At, read: Reader, *, own_global: bool = False) -> Selector:
    """What the text selects; an empty one selects everything. With `own_global` it may be `global()`, which is no pod.

    Refuses, at `at`, what is no selector: it names the text, the column (from 1) and what was expected there.
    """
    return _Parser(text, at, read, own_global).whole()


def plain(key: str, operator: Operator | TextOperator, values: tuple[str, ...], at: At) -> Requirement:
    """A label that is just a label."""
    return Requirement(key=key, operator=operator, values=values)


def rewrite_values(text: str, at: At, rewrite: Rewrite) -> str:
    """The text with other values in its comparisons, and the rest as it is. Refuses, at `at`, what is no selector."""
    parser = _Parser(text, at, plain, own_global=True)
    parser.whole()
    for label, operator, value in reversed(parser.values):
        # Its column is that of its quote, counted from 1: so it is where its first character stands, counted from 0.
        start, end = value.column, value.column + len(value.value)
        text = text[:start] + rewrite(label, operator, value.value) + text[end:]
    return text


class _Parser:
    def __init__(self, text: str, at: At, read: Reader, own_global: bool) -> None:
        self._text, self._at, self._read, self._own_global = text, at, read, own_global
        self.values: list[tuple[str, Operator | TextOperator, Token]] = []
        """What labels are compared with: label, operator, and the token, in the order of the text."""
        self._tokens = list(self._tokenized())
        self._place = 0

    def whole(self) -> Selector:
        if self._next.kind == "end":
            return Selector()
        terms = self._either()
        if self._next.kind != "end":
            self._expected("'&&', '||' or the end")
        return Selector(requirements=tuple(terms))

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _take(self, *kinds: str) -> Token | None:
        """The next token, if it is of these kinds."""
        token = self._next
        if token.kind not in kinds:
            return None
        self._place += 1
        return token

    def _either(self) -> list[Term]:
        options = [self._every()]
        while self._take("||"):
            options.append(self._every())
        if len(options) == 1:
            return options[0]
        return [Combination(kind="any", options=_selectors(options))]

    def _every(self) -> list[Term]:
        terms = self._operation()
        while self._take("&&"):
            terms += self._operation()
        return terms

    def _operation(self) -> list[Term]:
        negated = False
        while self._take("!"):
            negated = not negated
        terms = self._operand()
        return _negated(terms) if negated else terms

    def _operand(self) -> list[Term]:
        if token := self._take("label"):
            return self._comparison(token)
        if token := self._take("has"):
            return self._meant(token, "Exists", ())
        if self._take("all"):
            return []
        if token := self._take("global"):
            return self._global(token)
        if not self._take("("):
            self._expected(AN_OPERAND)
        terms = self._either()
        if not self._take(")"):
            self._expected("')'")
        return terms

    def _comparison(self, label: Token) -> list[Term]:
        if token := self._take(*TEXTS):
            value = self._take("text")
            if value is None:
                self._expected("a text in quotes")
            self.values.append((label.value, TEXTS[token.kind], value))
            return self._meant(label, TEXTS[token.kind], (value.value,))
        token = self._take(*SETS)
        if token is None:
            self._expected(AN_OPERATOR)
        return self._meant(label, SETS[token.kind], self._set(label.value, SETS[token.kind]))

    def _set(self, label: str, operator: Operator) -> tuple[str, ...]:
        if not self._take("{"):
            self._expected("'{'")
        values: list[str] = []
        while token := self._take("text"):
            values.append(token.value)
            self.values.append((label, operator, token))
            if not self._take(","):
                break
        if not self._take("}"):
            closed = values and self._tokens[self._place - 1].kind == "text"
            self._expected("',' or '}'" if closed else "a text in quotes or '}'")
        return tuple(dict.fromkeys(values))

    def _meant(self, label: Token, operator: Operator | TextOperator, values: tuple[str, ...]) -> list[Term]:
        found = self._read(label.value, operator, values, self._at)
        if isinstance(found, bool):
            return [] if found else _negated([])
        return [found]

    def _global(self, token: Token) -> list[Term]:
        if not self._own_global:
            self._at.fail("global() can only be used in the namespaceSelector of a rule's source or destination")
        if any(other.kind not in ("global", "!", "(", ")", "end") for other in self._tokens):
            self._at.fail("global() cannot be combined with other selectors")
        return _negated([])

    def _expected(self, what: str) -> NoReturn:
        self._fail(self._next.column, f"expected {what}, found {self._next}")

    def _fail(self, column: int, problem: str) -> NoReturn:
        self._at.fail(f"not a selector: {self._text!r}, column {column}: {problem}")

    def _tokenized(self) -> Iterable[Token]:
        place, last, text = 0, "", self._text
        while True:
            place += len(text[place:]) - len(text[place:].lstrip(" \t"))
            if place == len(text):
                yield Token("end", "", place + 1)
                return
            token, place = self._token(place, last)
            last = token.kind
            yield token

    def _token(self, place: int, last: str) -> tuple[Token, int]:
        """The token at a place of the text, and where it ends."""
        text, column = self._text, place + 1
        for symbol in SYMBOLS:
            if text.startswith(symbol, place):
                return Token(symbol, symbol, column), place + len(symbol)
        if text[place] in "\"'":
            end = text.find(text[place], place + 1)
            if end < 0:
                self._fail(column, f"the text is not closed; expected {text[place]} at its end")
            return Token("text", text[place + 1 : end], column), end + 1
        if text[place] in "=&|":
            self._fail(column, f"expected {text[place] * 2}, found {text[place]!r}")
        words, expected = (AFTER_LABEL, AN_OPERATOR) if last == "label" else (WORDS, AN_OPERAND)
        matches = ((kind, pattern.match(text, place)) for kind, pattern in words)
        kind, match = next((found for found in matches if found[1]), ("", None))
        if match is None:
            self._fail(column, f"expected {expected}, found {text[place]!r}")
        return Token(kind, match[match.lastindex or 0], column), match.end()


def _selectors(options: Sequence[Sequence[Term]]) -> tuple[Selector, ...]:
    return tuple(Selector(requirements=tuple(terms)) for terms in options)


def _negated(terms: Sequence[Term]) -> list[Term]:
    """What holds exactly where these do not all hold; of no terms, what never holds."""
    if len(terms) == 1:
        only = terms[0]
        if isinstance(only, Combination):
            return [Combination(kind="none" if only.kind == "any" else "any", options=only.options)]
        if only.operator in OPPOSITE:
            return [Requirement(key=only.key, operator=OPPOSITE[only.operator], values=only.values)]
    return [Combination(kind="none", options=_selectors([terms]))]
