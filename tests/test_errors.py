"""Errors that suggest the word that was meant."""

from __future__ import annotations

from netproof.errors import suggest


def test_nearest() -> None:
    assert suggest("qery", ["query", "meta"]) == "did you mean 'query'?"
    assert suggest("zzz", ["query", "meta"]) == "known here: meta, query"
    assert suggest("zzz", []) == "none is known here"
