from __future__ import annotations

import pytest

from netproof.drivers.reference.addresses import Addresses
from netproof.drivers.reference.ranges import Range, network, text, union, without


@pytest.mark.parametrize(
    ("ranges", "wanted"),
    [
        ([], []),
        ([(5, 9), (1, 3)], [(1, 3), (5, 9)]),
        ([(1, 3), (4, 9)], [(1, 9)]),
        ([(1, 9), (2, 3)], [(1, 9)]),
        ([(1, 4), (3, 6), (8, 8)], [(1, 6), (8, 8)]),
    ],
)
def test_union(ranges: list[Range], wanted: list[Range]) -> None:
    assert union(ranges) == wanted


@pytest.mark.parametrize(
    ("holes", "wanted"),
    [
        ([], [(10, 20)]),
        ([(10, 20)], []),
        ([(1, 100)], []),
        ([(1, 5), (30, 40)], [(10, 20)]),
        ([(10, 12)], [(13, 20)]),
        ([(19, 25)], [(10, 18)]),
        ([(14, 15), (12, 12)], [(10, 11), (13, 13), (16, 20)]),
    ],
)
def test_without(holes: list[Range], wanted: list[Range]) -> None:
    assert without((10, 20), holes) == wanted


def test_text() -> None:
    assert text([network("10.0.0.1/32"), network("10.1.0.0/31")], 4) == "10.0.0.1, 10.1.0.0-10.1.0.1"
    assert text([network("2001:db8::/127")], 6) == "2001:db8::-2001:db8::1"


def test_three_hundred_pods_get_three_hundred_addresses_in_blocks_of_their_nodes() -> None:
    addresses = Addresses((4, 6))
    given = [addresses.pod(f"ns/{number}", 1) for number in range(300)]
    assert given[0] == ("10.244.1.2", "fd00:10:244:1::2")
    assert given[249] == ("10.244.1.251", "fd00:10:244:1::fb")
    assert given[250] == ("10.244.3.2", "fd00:10:244:3::2")
    assert len({address for both in given for address in both}) == 600
    assert addresses.pod("ns/0", 1) == given[0]


def test_without_ipv6() -> None:
    addresses = Addresses((4,))
    assert addresses.external("external:a") == ("203.0.113.10",)
    assert addresses.service("svc:a/b") == ("10.96.1.1",)
    assert addresses.node(0) == ("172.30.0.2",)
