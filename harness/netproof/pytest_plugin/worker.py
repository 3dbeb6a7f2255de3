"""The run in an xdist worker: attaches to the controller's cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netproof.errors import ClusterError, NetproofError
from netproof.pytest_plugin import handover, scheduler
from netproof.pytest_plugin.collection import choose, named_in_catalogue
from netproof.pytest_plugin.items import cni_of, topologies
from netproof.pytest_plugin.measuring import Asking, read_options
from netproof.run import options
from netproof.run.conductor import load
from netproof.run.progress import Progress
from netproof.run.session import Session, label

PREPARE_TRIES = 3
"""How often a worker tries to get ready on a cluster that is up: one that gave up would skip what the others could
measure, as fast as it can."""


class Worker:
    """Satisfies `Measuring`."""

    def __init__(self, config: pytest.Config) -> None:
        given: dict[str, Any] = config.workerinput  # type: ignore[attr-defined]
        self.run = options.unplain(given["netproof_run"], given["workerid"])
        self.asked = read_options(config, [], named_in_catalogue(config))
        self.scenarios = load(self.asked)
        self.chosen = choose(config, self.asked, self.scenarios)
        self._clusters = Path(given.get("netproof_clusters", ""))
        self._sessions: dict[str, Session] = {}

    def failed(self, error: NetproofError, text: str) -> None:
        """The controller reads errors from the record."""

    def on_paper(self, item: Asking) -> None:
        """A worker starts only when the controller's cluster is there."""

    def session(self, item: Asking) -> Session:
        cni = item.cni
        if cni not in self._sessions:
            order = next(i for i, w in enumerate(self.asked.cnis) if label(w.name, w.version) == cni)
            handle = handover.receive(self._clusters, cni)
            together = topologies(item.session.items, cni)
            # What only one of the workers gets is deployed by that one when it does.
            most = scheduler.shared_topology(self.scenarios, scheduler.sharing(self.asked.cnis[order]))
            now, later = ([t for t in together if (repr(t) == most) is is_shared] for is_shared in (True, False))
            for left in reversed(range(PREPARE_TRIES)):
                session = self._sessions[cni] = Session(self.asked.cnis[order], order, self.run, Progress(_silent))
                try:
                    session.attach(handle)
                    session.prepare(now, later)
                    break
                except ClusterError:
                    if not left:
                        raise
                    session.close()
        session = self._sessions[cni]
        if session.error is not None:
            raise session.error
        return session

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
        """Let go of a CNI's cluster with its last scenario here: the controller removes it when all are measured."""
        result = yield
        cni, following = cni_of(item), nextitem and cni_of(nextitem)
        if cni and following and following != cni:
            self._close(cni)
        return result

    def pytest_sessionfinish(self) -> None:
        for cni in list(self._sessions):
            self._close(cni)

    def _close(self, cni: str) -> None:
        if session := self._sessions.pop(cni, None):
            session.close()


def _silent(line: str) -> None:
    """The controller tells of the run's phases."""
