"""Expected tables: each sign, who a word stands for, how a destination is dialled, and what a wrong table says."""

from __future__ import annotations

import pytest

from netproof.catalogue.tables import Expected, TableError, parse
from netproof.model import External, Intent, Namespace, Node, Pod, Port, Probe, Service, ServicePort, Topology

NAMES = ("x/a", "x/b", "y/a", "y/b")
WORLD = Topology(
    namespaces=(Namespace(name="x"), Namespace(name="y")),
    pods=tuple(Pod(namespace=name[0], name=name[2], ports=(Port(port=80),)) for name in NAMES),
    services=(
        Service(namespace="x", name="a", selector={}, ports=(ServicePort(port=80, target=80),)),
        Service(namespace="x", name="front", selector={}, ports=(ServicePort(port=80, target=80),)),
    ),
    externals=(External(name="near"),),
    nodes=(Node(index=0),),
)


def read(text: str) -> Expected:
    return parse(text, WORLD)


def pairs(text: str) -> dict[tuple[str, str], str]:
    return {(probe.source, probe.destination): meant.value for probe, meant in read(text).cells.items()}


def only(text: str) -> Probe:
    (probe,) = read(text).cells
    return probe


def test_each_sign() -> None:
    expected = read("80/TCP x/a x/b y/a y/b\ny/a + - . ~")
    assert [(probe.destination, meant) for probe, meant in expected.cells.items()] == [
        ("x/a", Intent.CONNECTED),
        ("x/b", Intent.DENIED),
        ("y/b", Intent.CONNECTED),
    ]
    assert [probe.destination for probe in expected.left_open] == ["y/b"]


def test_a_star_is_all_pods_that_nothing_else_names() -> None:
    found = pairs("80/TCP x/a x/* *\n* + - +")
    assert found["y/a", "x/a"] == "connected"
    assert found["y/a", "x/b"] == "denied"
    assert found["y/a", "y/b"] == "connected"
    assert len(found) == 4 * 4 - 4


def test_a_pod_asks_itself_only_when_row_and_column_name_it() -> None:
    assert pairs("80/TCP x/a\nx/a +") == {("x/a", "x/a"): "connected"}
    assert ("x/a", "x/a") not in pairs("80/TCP x/a\n* +")


def test_tables_are_parted_by_a_blank_line() -> None:
    assert {probe.port for probe in read("80/TCP x/a\ny/a +\n\n81/TCP x/a\ny/a +").cells} == {80, 81}


@pytest.mark.parametrize(
    ("corner", "word", "expected"),
    [
        ("80/TCP", "x/a", ("x/a", "pod", "TCP", 4, "echo")),
        ("80/UDP", "x/a", ("x/a", "pod", "UDP", 4, "echo")),
        ("80/TCP@v6", "x/a", ("x/a", "pod", "TCP", 6, "echo")),
        ("80/TCP@service", "x/a", ("svc:x/a", "service", "TCP", 4, "echo")),
        ("80/TCP@name", "svc:x/front", ("svc:x/front", "name", "TCP", 4, "echo")),
        ("80/TCP@nodeport@v6", "x/a", ("svc:x/a", "nodeport", "TCP", 6, "echo")),
        ("80/TCP@held", "x/a", ("x/a", "pod", "TCP", 4, "held")),
        ("80/TCP", "out:near", ("external:near", "address", "TCP", 4, "echo")),
        ("80/TCP", "node:0", ("node:0", "address", "TCP", 4, "echo")),
        ("53/UDP@lookup", "dns", ("svc:kube-system/kube-dns", "service", "UDP", 4, "lookup")),
    ],
)
def test_how_a_destination_is_dialled(corner: str, word: str, expected: tuple[object, ...]) -> None:
    probe = only(f"{corner} {word}\nx/b +")
    assert (probe.destination, probe.via, probe.protocol, probe.family, probe.kind) == expected


@pytest.mark.parametrize("word", ["out:near", "node:0"])
def test_peers_and_nodes_are_sources_too(word: str) -> None:
    assert only(f"80/TCP x/a\n{word} +").source == word.replace("out:", "external:")


def test_a_destination_in_the_corner_has_ports_as_columns() -> None:
    expected = read("to:x/a 80/TCP 81/UDP 80/TCP@service\nx/b + - +\ny/a . . -")
    assert [(p.source, p.destination, p.port, p.protocol, p.via) for p in expected.cells] == [
        ("x/b", "x/a", 80, "TCP", "pod"),
        ("x/b", "x/a", 81, "UDP", "pod"),
        ("x/b", "svc:x/a", 80, "TCP", "service"),
        ("y/a", "svc:x/a", 80, "TCP", "service"),
    ]


def test_a_destination_in_the_corner_may_be_several_pods() -> None:
    assert sorted(pairs("to:x/* 80/TCP\nx/a +\ny/* -")) == [
        ("x/a", "x/b"),
        ("y/a", "x/a"),
        ("y/a", "x/b"),
        ("y/b", "x/a"),
        ("y/b", "x/b"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the table asks nothing"),
        ("80/TCP x/a\ny/a .", "the table asks nothing"),
        ("eighty x/a\ny/a +", "PORT/PROTOCOL"),
        ("80/TCP@sevrice x/a\ny/a +", "@service @name @nodeport @lookup @held @first @tls @admission @v6"),
        ("to:x/a 80\ny/a +", "not '80'"),
        ("80/TCP x/a x/b\ny/a +", "row y/a has 1 signs for 2 columns"),
        ("80/TCP x/a\ny/a ?", "'?' is no sign; signs are + - ~ ."),
        ("80/TCP x/a\ny/aa +", "nobody is called 'y/aa'; did you mean 'y/a'?"),
        ("80/TCP out:nea\ny/a +", "nobody is called 'external:nea'; did you mean 'external:near'?"),
        ("80/TCP svc:x/frond\ny/a +", "did you mean 'svc:x/front'?"),
        ("80/TCP x/a\nsvc:x/a +", "nobody is called 'svc:x/a'"),
        ("80/TCP x/a\nz/* +", "z/* stands for no pod"),
        ("80/TCP x/a\ny/a +\n\n80/TCP x/a\ny/a +", "y/a → x/a:80/TCP is said twice"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(TableError) as error:
        read(text)
    assert says in str(error.value)
