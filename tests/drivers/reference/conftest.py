from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from netproof.errors import ClusterError
from tests import require
from tests.drivers.reference.wire import Wire


@pytest.fixture(scope="session")
def _shared() -> Iterator[Wire]:
    try:
        made = Wire()
    except ClusterError as error:
        require.skip("reference", f"no reference dataplane on this machine: {error}")
    yield made
    made.driver.stop(keep=False)


@pytest.fixture
def wire(_shared: Wire) -> Iterator[Wire]:
    """The shop without policies."""
    yield _shared
    _shared.driver.reset()


@pytest.fixture
def wire_with(_shared: Wire) -> Iterator[Callable[[str], Wire]]:
    """The shop on a dataplane with a fault."""
    made: list[Wire] = []

    def make(fault: str) -> Wire:
        made.append(Wire(fault))
        return made[-1]

    yield make
    for one in made:
        one.driver.stop(keep=False)
