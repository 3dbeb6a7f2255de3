"""Which ipBlocks an address is in. Addresses that no ipBlock tells apart share one class, a small number."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from netproof.model.topology import Family
from netproof.policy.rules import NetworkPeer

BITS: dict[int, int] = {4: 32, 6: 128}


class AddressClasses:
    """The classes that a set of ipBlocks divides addresses into. A block is named by its place in `blocks`."""

    def __init__(self, blocks: Iterable[NetworkPeer]) -> None:
        self.place: dict[NetworkPeer, int] = {block: place for place, block in enumerate(dict.fromkeys(blocks))}
        self.any_outside = any(block.outside for block in self.place)
        self._ranges: dict[tuple[int, int], dict[int, list[tuple[int, bool]]]] = {}
        self._members: list[tuple[frozenset[int], frozenset[int]]] = []
        self._class_of: dict[tuple[frozenset[int], frozenset[int]], int] = {}
        self._known: dict[str, int] = {}
        self._unknown: dict[Family, int] = {}
        everything: dict[int, set[int]] = {4: set(), 6: set()}
        of_family: dict[int, set[int]] = {4: set(), 6: set()}
        for block, place in self.place.items():
            for cidr, inside in ((block.cidr, True), *((cidr, False) for cidr in block.excepts)):
                network = ip_network(cidr, strict=False)
                bits = network.max_prefixlen - network.prefixlen
                by_prefix = self._ranges.setdefault((network.version, bits), {})
                by_prefix.setdefault(int(network.network_address) >> bits, []).append((place, inside))
                if inside:
                    of_family[network.version].add(place)
                    if network.prefixlen == 0 and not block.excepts:
                        everything[network.version].add(place)
        for family in (4, 6):
            surely = frozenset(everything[family])
            self._unknown[4 if family == 4 else 6] = self._intern(surely, frozenset(of_family[family]) - surely)

    def of(self, address: str | None, family: Family) -> int:
        """The class of an address; of a range, that of an address of which only its range is known; of None, that of an
        address that nobody knows."""
        if address is None:
            return self._unknown[family]
        if address not in self._known and "/" in address:
            self._known[address] = self._of_range(ip_network(address, strict=False))
        if address not in self._known:
            parsed = ip_address(address)
            inside: set[int] = set()
            outside: set[int] = set()
            for (version, bits), networks in self._ranges.items():
                if version == parsed.version:
                    for place, included in networks.get(int(parsed) >> bits, ()):
                        (inside if included else outside).add(place)
            self._known[address] = self._intern(frozenset(inside - outside), frozenset())
        return self._known[address]

    def _of_range(self, wanted: IPv4Network | IPv6Network) -> int:
        surely: set[int] = set()
        maybe: set[int] = set()
        for block, place in self.place.items():
            whole = ip_network(block.cidr, strict=False)
            if whole.version != wanted.version or not whole.overlaps(wanted):
                continue
            excepts = [ip_network(text, strict=False) for text in block.excepts]
            if any(_holds(lost, wanted) for lost in excepts):
                continue
            is_sure = _holds(whole, wanted) and not any(lost.overlaps(wanted) for lost in excepts)
            (surely if is_sure else maybe).add(place)
        return self._intern(frozenset(surely), frozenset(maybe))

    def holds(self, block: NetworkPeer, address_class: int) -> bool | None:
        """Whether the block holds the addresses of a class; None when that is not known."""
        surely, maybe = self._members[address_class]
        place = self.place[block]
        return True if place in surely else None if place in maybe else False

    def _intern(self, surely: frozenset[int], maybe: frozenset[int]) -> int:
        if (surely, maybe) not in self._class_of:
            self._class_of[surely, maybe] = len(self._members)
            self._members.append((surely, maybe))
        return self._class_of[surely, maybe]


def _holds(outer: IPv4Network | IPv6Network, inner: IPv4Network | IPv6Network) -> bool:
    return outer.prefixlen <= inner.prefixlen and inner.network_address in outer
