"""What a cell can say: what was meant, what the policies mean, what a probe saw, and what a cell measured."""

from enum import StrEnum


class Intent(StrEnum):
    """What the author wants of a cell. `unstated`: nobody said, so only specified and measured can be compared."""

    CONNECTED = "connected"
    DENIED = "denied"
    UNSTATED = "unstated"


class Specified(StrEnum):
    """What the policies mean by the API's text. `unspecified`: the API leaves it open."""

    CONNECTED = "connected"
    DENIED = "denied"
    UNSPECIFIED = "unspecified"


class Outcome(StrEnum):
    """What one probe saw on the wire.

    `refused` is an agent's word for "a reset came back"; the measurement turns it into `rejected` when the server's own
    control probe shows that somebody does listen there. `error` is the harness's fault, never the network's.
    """

    CONNECTED = "connected"
    DROPPED = "dropped"
    REJECTED = "rejected"
    REFUSED = "refused"
    NAME_FAILED = "name-failed"
    ERROR = "error"


class Measured(StrEnum):
    """What a cell measured once its rounds settled. `unmeasured` is never counted as denied."""

    CONNECTED = "connected"
    DENIED = "denied"
    UNMEASURED = "unmeasured"


DENIALS = frozenset({Outcome.DROPPED, Outcome.REJECTED})
"""Outcomes that mean *denied* when the controls of the same round held."""
