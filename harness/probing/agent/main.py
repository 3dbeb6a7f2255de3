"""What the agent's process does: serve and probe for as long as its input lasts, or probe once by hand."""

import contextlib
import json
import sys
import threading
import time
import traceback

from .flight import let_go_of_held
from .server import Server
from .train import answer_batch, answer_train


def probe_loop(spec, reader, writer):
    """Answer request lines until the reader ends. `reader` gives text lines, `writer` takes them."""
    for line in reader:
        try:
            request = json.loads(line)
        except ValueError:
            continue  # what a sender that was killed left of its line
        began = time.monotonic()
        if request.get("fresh"):
            let_go_of_held()
        try:
            first, *later = answer_train(request, spec)
        except Exception:
            # The servers of this process must go on; whoever asked learns that nothing was measured.
            detail = traceback.format_exc().strip().splitlines()[-1]
            first = [
                {"id": probe["id"], "outcome": "error", "detail": f"the agent failed: {detail}"}
                for probe in request["probes"]
            ]
            later = [first] * (request.get("repeat", 1) - 1)
        answer = {"round": request["round"], "results": first}
        if later:
            answer["again"] = list(map(differences, [first, *later], later))
        answer["took"] = round(time.monotonic() - began, 3)
        writer.write(json.dumps(answer, separators=(",", ":")) + "\n")
        writer.flush()


def differences(before, after):
    """The results of a repeat, with None for each that says the same as the one before; milliseconds may differ."""
    return [None if {**old, "ms": None} == {**new, "ms": None} else new for old, new in zip(before, after)]


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
