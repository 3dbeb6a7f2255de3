"""A run that is ours begins: what measures, and what collects."""

from __future__ import annotations

import io
import sys

import pytest

from netproof.errors import InputError
from netproof.pytest_plugin.collection import Collection
from netproof.pytest_plugin.controller import Controller
from netproof.pytest_plugin.measuring import MEASURING, Measuring
from netproof.pytest_plugin.worker import Worker
from netproof.report.output import open_lenient
from netproof.report.writer import ensure_writable
from netproof.run.conductor import interrupt_on_termination


def start(config: pytest.Config) -> None:
    """Register the plugins of this process. Ends pytest with a sentence and its exit code when an option is wrong."""
    try:
        measuring: Measuring = (
            Worker(config)
            if hasattr(config, "workerinput")
            else config.stash.get(MEASURING, None) or Controller(config)
        )
        if isinstance(measuring, Controller):
            if measuring.measures:
                ensure_writable(measuring.asked.run.report_dir)
            interrupt_on_termination()
            _protect_output(config)
    except InputError as error:
        pytest.exit(str(error), returncode=error.exit_code)
    config.stash[MEASURING] = measuring
    config.pluginmanager.register(measuring, "netproof-run")
    config.pluginmanager.register(Collection(config, measuring), "netproof-collection")


def _protect_output(config: pytest.Config) -> None:
    """pytest's terminal reporter, which is made after this, writes to a stream that survives its reader."""
    before = sys.stdout
    if before is not sys.__stdout__ or before is None:
        return
    sys.stdout = lenient = open_lenient(before)
    if isinstance(lenient, io.TextIOWrapper):
        # What others print to the stream beside pytest keeps its place among the lines.
        lenient.reconfigure(line_buffering=True)

    def restore() -> None:
        lenient.flush()
        if sys.stdout is lenient:
            sys.stdout = before

    config.add_cleanup(restore)
