"""The canaries' baseline: what it says that the machine can do."""

from __future__ import annotations

from netproof.model import Measured, Outcome
from netproof.probing import Round
from netproof.probing.rounds import Reading
from netproof.run import preflight

CONNECTED = Reading(measured=Measured.CONNECTED, outcome=Outcome.CONNECTED)
BUSY = Reading(measured=Measured.UNMEASURED, outcome=Outcome.DROPPED, detail="connected, but no answer")
NONE = Reading(measured=Measured.UNMEASURED, outcome=Outcome.ERROR, detail="no SCTP socket")


def baseline(tcp: Reading) -> Round:
    readings = {probe: {"TCP": tcp, "SCTP": NONE}.get(probe.protocol, CONNECTED) for probe in preflight.list_probes()}
    return Round(began=0.0, ended=1.0, readings=readings)


def test_what_connected_in_an_earlier_round_can_although_the_last_one_was_late() -> None:
    found = preflight.find_capabilities([baseline(CONNECTED), baseline(BUSY)])
    assert found["TCP"] == found["UDP"] == "yes"
    assert found["SCTP"] == "no (no SCTP socket)"


def test_what_never_connected_cannot_and_says_why() -> None:
    assert preflight.find_capabilities([baseline(BUSY), baseline(BUSY)])["TCP"] == "no (connected, but no answer)"


def test_what_was_not_asked_again_is_known_from_before() -> None:
    """Only those that took long are asked again, when the machine was busy."""
    again = preflight.CANARIES[0].probe("TCP")
    later = Round(began=1.0, ended=2.0, readings={again: CONNECTED})
    found = preflight.find_capabilities([baseline(BUSY), later])
    assert found["TCP"] == "no (connected, but no answer)"
    assert found["SCTP"] == "no (no SCTP socket)"
