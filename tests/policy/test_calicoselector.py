"""Calico's selector language: upstream's own cases (libcalico-go/lib/selector/parser/parser_test.go, v3.28.5), what it
refuses, and random expressions against an interpreter of their own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netproof.errors import InputError
from netproof.policy.calicoselector import parse, plain, rewrite_values
from netproof.policy.reading import At
from netproof.policy.rules import Combination, Requirement, Selector

AT = At("Test shop/p").key("spec").key("selector")


def matches(text: str, labels: Mapping[str, str]) -> bool:
    return parse(text, AT, plain).matches(labels)


UPSTREAM: list[tuple[str, list[dict[str, str]], list[dict[str, str]]]] = [
    ('a == "b"', [{"a": "b"}, {"a": "b", "c": "d"}], [{}, {"a": "c"}, {"c": "d"}]),
    ('a == "b" && c == "d"', [{"a": "b", "c": "d"}], [{}, {"a": "b", "c": "e"}, {"c": "d"}, {"a": "b"}]),
    ('a == "b" || c == "d"', [{"a": "b", "c": "d"}, {"a": "b"}, {"c": "d"}], [{}, {"a": "e", "c": "e"}]),
    ("""a in {"'", '"', "c"}""", [{"a": "c"}, {"a": '"'}, {"a": "'"}], [{}, {"a": "e"}]),
    ("""a not in {"'", '"', "c"}""", [{}, {"a": "e"}], [{"a": "c"}, {"a": '"'}, {"a": "'"}]),
    ('a != "a"', [{}, {"a": "b"}], [{"a": "a"}]),
    ('a contains "a"', [{"a": "a"}, {"a": "bab"}, {"a": "aaa", "b": "c"}], [{}, {"a": "b"}, {"b": "aaa"}]),
    ('a starts with "a"', [{"a": "a"}, {"a": "abb"}], [{}, {"a": "b"}, {"a": "baa"}, {"b": "aaa"}]),
    ('a ends with "a"', [{"a": "a"}, {"a": "bba"}], [{}, {"a": "b"}, {"a": "aab"}, {"b": "aaa"}]),
    ('!a in {"a"}', [{"a": "b"}, {}], [{"a": "a"}]),
    ("has(a)", [{"a": "b"}], [{"b": "b"}]),
    ("", [{}, {"a": "b"}], []),
    (" ", [{}], []),
    (" all()", [{}, {"a": "b"}], []),
    ("!all()", [], [{}, {"a": "b"}]),
    ("!!has(b)", [{"b": ""}], [{"a": "b"}]),
    ("!!! has(a)", [{}], [{"a": "b"}]),
    ("! !!has(a)", [{}], [{"a": "b"}]),
    ("a != 'a1' && !b == 'b1'", [{}], [{"a": "a1", "b": "b1"}, {"b": "b1"}]),
    ("!(!has(a) || has(b))", [{"a": "a"}], [{}, {"a": "a", "b": "b"}]),
    ("! a == 'a1' || ! b == 'b1'", [{"a": "a1"}, {}], [{"a": "a1", "b": "b1"}]),
    # canonicalisationTests
    ("! (has( b)||! has(a ))", [{"a": ""}], [{}, {"a": "", "b": ""}]),
    ('! (a == "b"&&! c != "d")', [{}, {"a": "b"}], [{"a": "b", "c": "d"}]),
    ("""a startswith '"'""", [{"a": '"x'}], [{"a": "x"}]),
    ("""a!='"'""", [{"a": "x"}], [{"a": '"'}]),
    # parser.go: a set may be empty, and end in a comma; tokenizer.go: operators are labels where no label is before
    ("a in {}", [], [{}, {"a": ""}]),
    ('a in {"x",}', [{"a": "x"}], [{}]),
    ("in in {'x'} && contains == 'y'", [{"in": "x", "contains": "y"}], [{"in": "x"}]),
    ("example.com/role-of_1 == 'x'", [{"example.com/role-of_1": "x"}], [{}]),
    # "||" has the lowest precedence
    ("has(a) || has(b) && has(c)", [{"a": ""}, {"b": "", "c": ""}], [{"b": ""}, {"c": ""}]),
    ("(has(a) || has(b)) && has(c)", [{"a": "", "c": ""}], [{"a": ""}, {"c": ""}]),
]


@pytest.mark.parametrize(("text", "matched", "others"), UPSTREAM, ids=[text for text, _, _ in UPSTREAM])
def test_upstream(text: str, matched: list[dict[str, str]], others: list[dict[str, str]]) -> None:
    assert [matches(text, labels) for labels in matched] == [True] * len(matched)
    assert [matches(text, labels) for labels in others] == [False] * len(others)


OPERATORS = "an operator (==, !=, in, not in, contains, starts with, ends with)"
OPERANDS = "a label, has(), all(), '!' or '('"
BAD = [
    ("b == b", 6, "expected a text in quotes, found 'b'"),
    ("b contains b", 12, "expected a text in quotes, found 'b'"),
    ("'b1' == b", 1, f"expected {OPERANDS}, found 'b1'"),
    ("b", 2, f"expected {OPERATORS}, found the end"),
    ("a b", 3, f"expected {OPERATORS}, found 'b'"),
    ("!", 2, f"expected {OPERANDS}, found the end"),
    ('foo == "bar" &', 14, "expected &&, found '&'"),
    ('foo == "bar" |', 14, "expected ||, found '|'"),
    ("foo = 'bar'", 5, "expected ==, found '='"),
    ("foo != ||", 8, "expected a text in quotes, found '||'"),
    ('foo in {"", ||', 13, "expected a text in quotes or '}', found '||'"),
    ('foo in {"a" "b"}', 13, "expected ',' or '}', found 'b'"),
    ('foo in ""', 8, "expected '{', found ''"),
    ("\"FOO'", 1, 'the text is not closed; expected " at its end'),
    ("'FOO", 1, "the text is not closed; expected ' at its end"),
    ("(", 2, f"expected {OPERANDS}, found the end"),
    ('(a == "foo"', 12, "expected ')', found the end"),
    (")", 1, f"expected {OPERANDS}, found ')'"),
    ("()", 2, f"expected {OPERANDS}, found ')'"),
    ("%", 1, f"expected {OPERANDS}, found '%'"),
    ('a == "b" && %', 13, f"expected {OPERANDS}, found '%'"),
    ("has(foo) &&", 12, f"expected {OPERANDS}, found the end"),
    ("has(foo) has(bar)", 10, "expected '&&', '||' or the end, found 'bar'"),
    ("has()", 4, f"expected {OPERATORS}, found '('"),
    ("a == 'b'\n&& c == 'd'", 9, f"expected {OPERANDS}, found '\\n'"),
]


@pytest.mark.parametrize(("text", "column", "problem"), BAD, ids=[text for text, _, _ in BAD])
def test_refused(text: str, column: int, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, AT, plain)
    assert str(caught.value) == (f"Test shop/p: spec.selector: not a selector: {text!r}, column {column}: {problem}")


def test_global_is_nobody_where_it_may_stand_and_stands_alone() -> None:
    """networkpolicy.go: global() "selecting only GlobalNetworkSet or HostEndpoint"; validator.go: not combined."""
    for text, held in (("global()", False), (" !( global( ) )", True)):
        assert parse(text, AT, plain, own_global=True).matches({}) is held
    with pytest.raises(InputError, match=r"spec.selector: global\(\) cannot be combined with other selectors"):
        parse("has(a) || global()", AT, plain, own_global=True)
    with pytest.raises(InputError, match=r"global\(\) can only be used in the namespaceSelector of a rule's source"):
        parse("global()", AT, plain)


def test_conjunctions_stay_plain_requirements() -> None:
    """Groups find pods by such requirements, without asking each of them."""
    assert parse("a == 'b' && (c in {'d', 'e', 'd'} && !has(f)) && !(g != 'h')", AT, plain) == Selector(
        requirements=(
            Requirement(key="a", operator="In", values=("b",)),
            Requirement(key="c", operator="In", values=("d", "e")),
            Requirement(key="f", operator="DoesNotExist"),
            Requirement(key="g", operator="In", values=("h",)),
        )
    )
    both = tuple(Selector(requirements=(Requirement(key=key, operator="Exists"),)) for key in "ab")
    assert parse("!(has(a) || has(b))", AT, plain).requirements == (Combination(kind="none", options=both),)


Tree = tuple[Any, ...]
KEYS, VALUES = st.sampled_from(["a", "b", "in", "x.y/z-1"]), st.sampled_from(["", "a", "ab", "ba", "it's"])
LEAVES: st.SearchStrategy[Tree] = st.one_of(
    st.tuples(st.sampled_from(["==", "!=", "contains", "starts with", "ends with"]), KEYS, VALUES),
    st.tuples(st.sampled_from(["in", "not in"]), KEYS, st.lists(VALUES, max_size=3)),
    st.tuples(st.just("has"), KEYS),
    st.tuples(st.just("all")),
)
TREES = st.recursive(
    LEAVES,
    lambda below: st.one_of(
        st.tuples(st.just("!"), below),
        st.tuples(st.sampled_from(["&&", "||"]), st.lists(below, min_size=1, max_size=3)),
    ),
    max_leaves=12,
)


def printed(tree: Tree, space: str) -> str:
    def quoted(value: str) -> str:
        return f'"{value}"' if "'" in value else f"'{value}'"

    kind = tree[0]
    if kind == "all":
        return f"all({space})"
    if kind == "has":
        return f"has({space}{tree[1]}{space})"
    if kind in ("in", "not in"):
        return f"{tree[1]} {kind}{space}{{{f',{space}'.join(map(quoted, tree[2]))}}}"
    if kind == "!":
        return f"!{space}({printed(tree[1], space)})"
    if kind in ("&&", "||"):
        return f"{space}{kind}{space}".join(f"({printed(part, space)})" for part in tree[1])
    return f"{tree[1]} {kind} {space}{quoted(tree[2])}"


def held(tree: Tree, labels: Mapping[str, str]) -> bool:
    kind, *rest = tree
    if kind == "all":
        return True
    if kind == "!":
        return not held(rest[0], labels)
    if kind in ("&&", "||"):
        return (all if kind == "&&" else any)(held(part, labels) for part in rest[0])
    value = labels.get(rest[0])
    if value is None or kind == "has":
        return value is not None or kind in ("!=", "not in")
    if kind in ("in", "not in"):
        return (value in rest[1]) is (kind == "in")
    return {
        "==": value == rest[1],
        "!=": value != rest[1],
        "contains": rest[1] in value,
        "starts with": value[: len(rest[1])] == rest[1],
        "ends with": rest[1] == "" or value[-len(rest[1]) :] == rest[1],
    }[kind]


@settings(max_examples=400, deadline=None)
@given(TREES, st.sampled_from(["", " ", " \t"]), st.dictionaries(KEYS, VALUES))
def test_what_is_printed_is_read_as_what_it_means(tree: Tree, space: str, labels: dict[str, str]) -> None:
    assert matches(printed(tree, space), labels) is held(tree, labels)


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet="ab(){}!=&|,'\" \tinhasltgo%", max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InputError):
        parse(text, AT, plain, own_global=True)


@pytest.mark.parametrize("text", [text for text, _, _ in UPSTREAM])
def test_other_values_leave_the_rest_of_a_text_as_it_is(text: str) -> None:
    assert rewrite_values(text, AT, lambda label, operator, value: value) == text
    found: list[str] = []
    longer = rewrite_values(text, AT, lambda label, operator, value: found.append(value) or f"{value}-longer")
    back = rewrite_values(longer, AT, lambda label, operator, value: value.removesuffix("-longer"))
    assert back == text
    assert longer.count("-longer") == len(found)


def test_values_are_rewritten_with_their_label_and_operator() -> None:
    told: list[tuple[str, str, str]] = []
    text = "a == 'b' && !(has(c) || d not in {\"e\", 'f'}) && g contains 'h'"
    rewrite_values(text, AT, lambda *compared: told.append(compared) or "")  # type: ignore[arg-type, func-returns-value]
    assert sorted(told) == [("a", "In", "b"), ("d", "NotIn", "e"), ("d", "NotIn", "f"), ("g", "Contains", "h")]
    with pytest.raises(InputError, match="not a selector"):
        rewrite_values("a = 'b'", AT, lambda label, operator, value: value)
