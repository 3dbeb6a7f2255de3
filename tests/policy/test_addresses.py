"""Addresses and ipBlocks: what holds what, and what is not known."""

from __future__ import annotations

import pytest

from netproof.policy.addresses import AddressClasses
from netproof.policy.rules import NetworkPeer

ALL = NetworkPeer(cidr="0.0.0.0/0")
ALL_BUT = NetworkPeer(cidr="0.0.0.0/0", excepts=("10.0.0.0/8", "192.168.0.0/16"))
TEN = NetworkPeer(cidr="10.0.0.0/8", excepts=("10.1.0.0/16",))
SIX = NetworkPeer(cidr="2001:db8::/32")


@pytest.mark.parametrize(
    ("address", "family", "expected"),
    [
        ("10.0.0.1", 4, (True, False, True, False)),
        ("10.1.0.1", 4, (True, False, False, False)),
        ("192.168.255.255", 4, (True, False, False, False)),
        ("11.0.0.0", 4, (True, True, False, False)),
        ("2001:db8::1", 6, (False, False, False, True)),
        ("2001:db9::1", 6, (False, False, False, False)),
        (None, 4, (True, None, None, False)),
        (None, 6, (False, False, False, None)),
        ("10.2.0.0/16", 4, (True, False, True, False)),
        ("10.1.2.0/24", 4, (True, False, False, False)),
        ("10.0.0.0/8", 4, (True, False, None, False)),
        ("0.0.0.0/1", 4, (True, None, None, False)),
        ("172.16.0.0/12", 4, (True, True, False, False)),
        ("2001:db8:1::/48", 6, (False, False, False, True)),
    ],
)
def test_holds(address: str | None, family: int, expected: tuple[bool | None, ...]) -> None:
    classes = AddressClasses((ALL, ALL_BUT, TEN, SIX))
    found = classes.of(address, 6 if family == 6 else 4)
    assert tuple(classes.holds(block, found) for block in (ALL, ALL_BUT, TEN, SIX)) == expected


def test_addresses_that_no_block_tells_apart_share_a_class() -> None:
    classes = AddressClasses((TEN,))
    assert classes.of("10.2.0.1", 4) == classes.of("10.3.0.1", 4) != classes.of("10.1.0.1", 4)
