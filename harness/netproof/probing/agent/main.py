"""What the agent's process does: serve and probe for as long as its input lasts, or probe once by hand."""

import contextlib
import json
import queue
import sys
import threading
import time
import traceback

from .flight import let_go_of_held
from .server import Server
from .train import answer_batch, answer_train


class Requests:
    """What the reader gives, one request after the other. A thread reads, so that one that is being answered can be
    told which of its repeats is the last."""

    def __init__(self, reader):
        self._waiting = queue.SimpleQueue()
        self._last = (None, None)
        threading.Thread(target=self._read, args=(reader,), daemon=True).start()

    def _read(self, reader):
        for line in reader:
            try:
                request = json.loads(line)
            except ValueError:
                continue  # what a sender that was killed left of its line
            if "last" in request:
                self._last = (request["round"], request["last"])
            else:
                self._waiting.put(request)
        self._waiting.put(None)

    def __iter__(self):
        return iter(self._waiting.get, None)

    def last(self, request):
        """The number of a request's last repeat."""
        number, last = self._last
        planned = request.get("repeat", 1) - 1
        return min(planned, last) if number == request["round"] else planned


def probe_loop(spec, reader, writer):
    """Answer request lines until the reader ends. `reader` gives text lines, `writer` takes them."""

    def write(answer):
        writer.write(json.dumps(answer, separators=(",", ":")) + "\n")
        writer.flush()

    requests = Requests(reader)
    for request in requests:
        began = time.monotonic()
        if request.get("fresh"):
            let_go_of_held()
        repeats = []
        try:
            for results in answer_train(request, spec, last=lambda: requests.last(request)):  # noqa: B023
                if has_changed(request["probes"], results, repeats[-1] if repeats else None):
                    write({"round": request["round"], "changed": len(repeats)})
                repeats.append(results)
        except Exception:
            # The servers of this process must go on; whoever asked learns that nothing was measured.
            detail = traceback.format_exc().strip().splitlines()[-1]
            failed = [
                {"id": probe["id"], "outcome": "error", "detail": f"the agent failed: {detail}"}
                for probe in request["probes"]
            ]
            repeats = [failed] * request.get("repeat", 1)
        answer = {"round": request["round"], "results": repeats[0]}
        if repeats[1:]:
            answer["again"] = list(map(differences, repeats, repeats[1:]))
            if request.get("quickest"):
                answer["again"][-1] = list(map(quickest, *repeats[1:]))
        answer["took"] = round(time.monotonic() - began, 3)
        write(answer)


def has_changed(probes, results, before):
    """Whether a repeat has other outcomes than the one before it, or the first than what its sender knew. Probes of
    which he does not say what `was` do not count."""
    for index, probe in enumerate(probes):
        now = results[index]["outcome"]
        if "was" in probe and (
            (now == "connected") != (probe["was"] == "connected") if before is None else now != before[index]["outcome"]
        ):
            return True
    return False


def differences(before, after):
    """The results of a repeat, with None for each that says the same as the one before; milliseconds may differ."""
    return [None if {**old, "ms": None} == {**new, "ms": None} else new for old, new in zip(before, after)]


def quickest(*results):
    """The last of a probe's results, with the milliseconds of the quickest that connected."""
    times = [result["ms"] for result in results if result["outcome"] == "connected"]
    return {**results[-1], "ms": min(times)} if times else results[-1]


def serve(spec):
    """Serve, and probe as the lines of standard input ask. Ends with its input: who started it starts it anew."""
    server = Server(spec)
    threading.Thread(target=server.run, daemon=True).start()
    server.try_first()
    print("ready " + json.dumps({"missing": server.missing}), flush=True)
    probe_loop(spec, sys.stdin, sys.stdout)


def once(spec):
    """One probe by hand: prints what it saw; exit status 0 when it connected."""
    probe = {"id": 0, **spec["probe"]}
    result = answer_batch({"timeout": spec.get("timeout", 1.0), "probes": [probe]}, spec)[0]
    print(json.dumps(result))
    return 0 if result["outcome"] == "connected" else 1


def main(arguments):
    mode, spec = arguments[0], json.loads(arguments[1])
    if mode == "serve":
        with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
            serve(spec)
    elif mode == "once":
        return once(spec)
    else:
        print(f"unknown mode {mode}: serve or once", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
