"""Merging of mappings: values of a chart over its defaults, a variant's recipe over its CNI's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_mappings(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` over `base`, as helm coalesces values: mappings key by key, everything else (lists too) replaced; null
    removes the key."""
    merged = dict(base)
    for key, value in over.items():
        before = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(before, Mapping):
            merged[key] = merge_mappings(before, value)
        else:
            merged[key] = value
    return merged
