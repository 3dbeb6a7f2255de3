"""Sets of addresses as sorted ranges that do not overlap, which is what an nftables set wants. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network

Range = tuple[int, int]
"""First and last address, as numbers."""

FAMILIES = {4: IPv4Address, 6: IPv6Address}
BITS = {4: 32, 6: 128}


def family(text: str) -> int:
    return 6 if ":" in text else 4


def network(cidr: str) -> Range:
    """The range of a CIDR, or of a single address."""
    parsed = ip_network(cidr, strict=False)
    return int(parsed.network_address), int(parsed.broadcast_address)


def union(ranges: Iterable[Range]) -> list[Range]:
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def without(whole: Range, holes: Iterable[Range]) -> list[Range]:
    left, (start, end) = [], whole
    for first, last in union(holes):
        if last < start or first > end:
            continue
        if first > start:
            left.append((start, first - 1))
        start = last + 1
    if start <= end:
        left.append((start, end))
    return left


def others(ranges: Iterable[Range], version: int) -> list[Range]:
    """All addresses of the family but these."""
    return without((0, (1 << BITS[version]) - 1), ranges)


def common(groups: Iterable[Iterable[Range]], version: int) -> list[Range]:
    """The addresses that are in every one of these."""
    return others((hole for group in groups for hole in others(group, version)), version)


def text(ranges: Sequence[Range], version: int) -> str:
    """As the elements of an nftables set."""
    address = FAMILIES[version]
    return ", ".join(
        str(address(first)) if first == last else f"{address(first)}-{address(last)}" for first, last in ranges
    )
