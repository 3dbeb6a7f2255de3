"""For a checkout alone: pytest reads this file where netproof's own tests are, and no installed copy has it.

`pytest` runs those tests, without the ones that make real clusters (`make test` runs them all). `pytest --cni calico`
and the other options measure scenarios, here as in any folder.
"""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

HERE = Path(__file__).parent
REAL_CLUSTERS = (HERE / "tests" / "real", HERE / "tests" / "drivers" / "kind" / "test_real.py")


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    if not pluginmanager.hasplugin("netproof"):
        raise pytest.UsageError(
            "netproof is not installed in the environment of this pytest: `make .venv/ready` makes one in .venv that "
            "has it (.venv/bin/pytest), or install it here with `pip install --editable .`"
        )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    nobody_named_them = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return True if nobody_named_them and collection_path in REAL_CLUSTERS else None
