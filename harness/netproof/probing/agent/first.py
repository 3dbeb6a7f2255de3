"""A new pod's first attempts: what it could reach, from its first instruction on."""

from .train import answer_train

FIRST_EVERY = 0.02
"""Seconds between a new pod's first attempts."""
FIRST_TIMEOUT = 0.4
"""Seconds of silence that end one of them: less than TCP takes to ask again, so an attempt is one packet."""


def first_attempts(first, name, token):
    """Try each probe of `first` again and again for its `seconds`; for each what came of it, with times from now on."""
    count = max(1, round(first["seconds"] / FIRST_EVERY))
    probes = [{"id": number, "protocol": "TCP", **probe} for number, probe in enumerate(first["probes"])]
    request = {"timeout": FIRST_TIMEOUT, "probes": probes, "repeat": count, "every": FIRST_EVERY}
    attempts = list(answer_train(request, {"token": token}))
    return [summary(probe, [results[probe["id"]] for results in attempts], name) for probe in probes]


def summary(probe, results, name):
    """First attempts as one result: `connected` when any of them was, else how the last one ended. `detail` tells when
    what happened first."""
    told, runs = [], []
    for number, result in enumerate(results):
        outcome, at = result["outcome"], round(number * FIRST_EVERY * 1000)
        if probe.get("kind") == "back":
            if not result.get("told"):
                continue
            if outcome == "connected" and result["server"] != name:
                outcome = "error"
        told.append(outcome)
        if not runs or runs[-1][0] != outcome:
            runs.append((outcome, at))
    if not told:
        last = results[-1]
        return {"outcome": "error", "detail": f"nobody could be asked to dial back: {last['outcome']}"}
    changes = ", then ".join(f"{outcome} from {at} ms" for outcome, at in runs)
    lasting = round(len(results) * FIRST_EVERY, 1)
    outcome = "connected" if "connected" in told else told[-1]
    return {
        "outcome": outcome,
        "detail": f"{changes} after its first instruction; {len(told)} attempts in {lasting:g} s",
    }
