"""The one way to wait in this room: ask again until a deadline, and end in an error that says what was seen last."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from harness.errors import ClusterError

T = TypeVar("T")


class NotYet(Exception):
    """What is polled for is not there yet."""


class TooLate(ClusterError):
    """A deadline passed; `details` says what was still missing."""


def poll(step: Callable[[], T], *, timeout: float, every: float = 0.25, what: str) -> T:
    """Repeat a step until it raises NotYet no more. Raises TooLate with its last words after `timeout` seconds."""
    try:
        for attempt in Retrying(
            retry=retry_if_exception_type(NotYet), stop=stop_after_delay(timeout), wait=wait_fixed(every)
        ):
            with attempt:
                return step()
    except RetryError as error:
        last = error.last_attempt.exception()
        raise TooLate(f"{what} took longer than {timeout:.0f} s", details=str(last)) from None
    raise AssertionError("tenacity ends in a return or a RetryError")
