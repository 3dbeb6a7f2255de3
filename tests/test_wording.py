"""Numbers in messages: one helper writes them, so that no message says `1 cells`."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import netproof
from netproof import __version__
from netproof.wording import DOCS, count, count_of, link_docs, several

NOUNS = (
    "attempts|cases|cells|clusters|declarations|differences|endpoints|engines|entries|errors|faults|files|findings|"
    "fixes|images|lines|namespaces|nodes|objects|options|packets|pairs|pods|policies|probes|reasons|rounds|rules|"
    "scenarios|services|sets|steps|surprises|targets|tests|tries|values|versions|warnings|words|workers"
)
PLURAL = re.compile(rf"^ (?:[a-z]+ )?(?:{NOUNS})\b")
CONSTANT = re.compile(r"(self\.)?_?[A-Z][A-Z0-9_]*(\[.*\])?")


def written_by_hand(path: Path) -> list[str]:
    """F-strings in which a bare number stands before a plural."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, text in zip(node.values, node.values[1:], strict=False):
            if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant):
                code = ast.unparse(value.value)
                number = re.match(r"len\(|sum\(|[a-z_.]*(count|number|total)\b(?!\()", code) or re.search(
                    r"^\w[^(]* [-+] ", code
                )
                if number and not CONSTANT.fullmatch(code) and PLURAL.match(str(text.value)):
                    found.append(f"{path.name}:{node.lineno}: {{{code}}}{text.value}")
    return found


def test_no_message_puts_a_plural_after_a_number_by_itself() -> None:
    files = Path(netproof.__file__).parent.rglob("*.py")
    # The agent runs in pods, alone with the standard library.
    assert [line for file in files if "agent" not in file.parts for line in written_by_hand(file)] == []


def test_the_rule_finds_what_it_is_for(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text('f"{len(cells)} cells differ"\nf"{total - 1} more pods"\nf"{MOST} pods"\nf"{name} rules"\n')
    assert len(written_by_hand(file)) == 2


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (count(0, "cell"), "0 cells"),
        (count(1, "cell"), "1 cell"),
        (count(1000, "policy"), "1,000 policies"),
        (count(2, "key"), "2 keys"),
        (count(1, "try"), "1 try"),
        (count(1, "cell", "differ"), "1 cell differs"),
        (count(2, "cell", "differ"), "2 cells differ"),
        (count(1, "node", "have"), "1 node has"),
        (count_of(1, 228, "cell", "differ"), "1 of 228 cells differs"),
        (count_of(1, 1, "cell"), "1 of 1 cell"),
        (several(["a", "b", "c"]), "a, b and c"),
        (several("abcde"), "a, b and 3 more"),
    ],
)
def test_numbers_and_lists_as_people_write_them(made: str, text: str) -> None:
    assert made == text


def test_links_to_the_documentation_are_absolute_and_of_this_version() -> None:
    assert link_docs("docs/checking.md#ports") == f"{DOCS}/{__version__}/checking/#ports"
    assert link_docs("docs/results/README.md") == f"{DOCS}/{__version__}/results/"
    assert link_docs("docs/results/evidence/a/b.txt", "1.2") == f"{DOCS}/1.2/results/evidence/a/b.txt"
    assert link_docs("https://example.org/docs/x.md") == "https://example.org/docs/x.md"
