"""The verdict table of the design, word for word, and the matrix as a value."""

from __future__ import annotations

import pytest

from netproof.model import Intent, Matrix, Measured, Namespace, Probe, Specified, Verdict, judge
from netproof.model.topology import NAME_LABEL

C, D = "connected", "denied"


@pytest.mark.parametrize(
    ("intended", "specified", "measured", "verdict"),
    [
        (C, C, C, "holds"),
        (D, D, D, "holds"),
        (D, C, C, "policy-defect"),
        (C, D, D, "policy-defect"),
        (C, C, D, "cni-difference"),
        (D, D, C, "cni-difference"),
        (D, C, D, "masked-defect"),
        (C, D, C, "masked-defect"),
        (C, "unspecified", C, "unspecified"),
        (D, "unspecified", C, "unspecified"),
        (C, C, "unmeasured", "unmeasured"),
        (D, D, "unmeasured", "unmeasured"),
        (D, "unspecified", "unmeasured", "unmeasured"),
    ],
)
def test_every_combination_has_the_designs_verdict(intended: str, specified: str, measured: str, verdict: str) -> None:
    assert judge(Intent(intended), Specified(specified), Measured(measured)) is Verdict(verdict)


ONE = Probe(source="x/a", destination="x/b", port=80)
TWO = Probe(source="x/b", destination="svc:x/a", port=53, protocol="UDP", via="service")


def test_a_matrix_tells_where_another_differs() -> None:
    first = Matrix({ONE: Intent.CONNECTED, TWO: Intent.DENIED})
    second = Matrix({ONE: Intent.CONNECTED, TWO: Intent.CONNECTED})
    assert first.differences(second) == (TWO,)
    assert first.differences(first) == ()


def test_a_matrix_prints_sources_as_rows_and_ports_as_columns() -> None:
    text = Matrix({ONE: Intent.CONNECTED, TWO: Intent.DENIED}).render()
    assert text.splitlines() == [
        "       1   2",
        "x/a    +    ",
        "x/b        ·",
        "    1  x/b:80/TCP",
        "    2  x/a:53/UDP via service",
    ]


def test_no_manifest_overrides_the_name_label_of_a_namespace() -> None:
    assert Namespace(name="shop", labels={NAME_LABEL: "other"}).all_labels == {NAME_LABEL: "shop"}
