"""Which outside peers of a kept cluster are used again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from harness.drivers.kind import engine, externals, state
from harness.model import External, Port

BANK = External(name="bank", ports=(Port(port=443),))
RECORD = state.Record(
    name="netproof-x", cni="x", version="1", run="r", token="word", created="", host="", pid=1, started=""
)


@pytest.fixture
def containers(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """An engine that keeps containers in a mapping: id -> what inspecting them says."""
    there: dict[str, dict[str, Any]] = {}

    def start(record: state.Record, run: str, image: str, agent: bytes, external: External) -> None:
        identifier = f"{external.name}-{len(agent)}"
        labels = {engine.LABEL_PEER: external.id, engine.LABEL_AGENT: externals._digest(agent)}
        there[identifier] = {
            "Id": identifier,
            "State": {"Running": True},
            "Config": {"Labels": labels, "Cmd": externals._command(record, external)},
            "NetworkSettings": {"Networks": {engine.NETWORK: {"IPAddress": "172.18.0.9", "GlobalIPv6Address": ""}}},
        }

    def remove(ids: Sequence[str]) -> None:
        for identifier in ids:
            del there[identifier]

    monkeypatch.setattr(externals, "_start", start)
    monkeypatch.setattr(externals, "_inspect", lambda record: list(there.values()))
    monkeypatch.setattr(engine, "remove_containers", remove)
    return there


def test_a_peer_is_used_again_while_it_runs_the_same_agent(containers: dict[str, dict[str, Any]]) -> None:
    assert externals.ensure(RECORD, "run", "image", b"agent", [BANK]) == {"external:bank": ("172.18.0.9",)}
    externals.ensure(RECORD, "run", "image", b"agent", [BANK])
    assert list(containers) == ["bank-5"]
    externals.ensure(RECORD, "run", "image", b"newer agent", [BANK])
    assert list(containers) == ["bank-11"]
