"""The one way to wait in this room: ask again until a deadline, and end in an error that says what was seen last."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, RetryError, Retrying, retry_if_exception_type, wait_fixed

from netproof.errors import ClusterError

T = TypeVar("T")


class NotYet(Exception):
    """What is polled for is not there yet. `left`: how much of it, where that is known."""

    def __init__(self, text: str = "", *, left: int | None = None) -> None:
        super().__init__(text)
        self.left = left


class TooLate(ClusterError):
    """A deadline passed; `details` says what was still missing."""


def poll(step: Callable[[], T], *, timeout: float, every: float = 0.25, what: str) -> T:
    """Repeat a step until it raises NotYet no more. Raises TooLate with its last words after `timeout` seconds, and
    where it says how much is left, after so many without progress."""
    patience = _Patience(timeout)
    try:
        for attempt in Retrying(retry=retry_if_exception_type(NotYet), stop=patience, wait=wait_fixed(every)):
            with attempt:
                return step()
    except RetryError as error:
        last = error.last_attempt.exception()
        late = f"took longer than {timeout:.0f} s" if patience.left is None else f"got no further for {timeout:.0f} s"
        raise TooLate(f"{what} {late}", details=str(last)) from None
    raise AssertionError("tenacity ends in a return or a RetryError")


class _Patience:
    """When to stop: so many seconds after the start, or after there last was less left than ever before."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._since = time.monotonic()
        self.left: int | None = None

    def __call__(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        left = error.left if isinstance(error, NotYet) else None
        if left is not None and (self.left is None or left < self.left):
            self.left, self._since = left, time.monotonic()
        return time.monotonic() - self._since >= self._timeout
