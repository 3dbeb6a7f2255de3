"""A CI that means to measure real CNIs fails where they cannot run."""

from __future__ import annotations

import pytest

from netproof.errors import InputError
from tests import require


def test_what_the_machine_lacks_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(require.VARIABLE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no engine runs"):
        require.skip("calico", "no engine runs")


def test_what_is_required_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(require.VARIABLE, "reference, calico")
    with pytest.raises(pytest.fail.Exception, match="NETPROOF_REQUIRE names calico, and it cannot run here: no engine"):
        require.skip("calico", "no engine runs")
    with pytest.raises(pytest.skip.Exception):
        require.skip("cilium", "no engine runs")


def test_a_name_that_no_cni_has_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(require.VARIABLE, "calicoo")
    with pytest.raises(InputError, match="did you mean calico"):
        require.skip("calico", "no engine runs")
