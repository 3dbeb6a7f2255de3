#!/usr/bin/env python3
"""The agent: all that runs in a pod. One file, standard library only, Python 3.9+. See protocol.md beside it.

It neither judges nor retries: it says what each probe saw. It answers only those who know the run's token.
"""

import contextlib
import errno
import heapq
import ipaddress
import json
import os
import secrets
import selectors
import socket
import struct
import sys
import threading
import time
import traceback

MAX_OPEN = 512
"""Probes under way at once in one agent; the rest of a batch waits for a place, each with its own time-out."""
DATAGRAMS = 3
"""A datagram is sent this often, evenly over the time-out, so that one lost packet is not a denial."""
ANSWER_TIME = 2.0
"""Seconds at least that a new connection waits for an answer: who let it open drops nothing; a busy machine is late."""
STOOD_STILL = 1.0
"""Seconds without a turn of its own after which an agent trusts no silence that it saw, nor what it asked late."""
FIRST_EVERY = 0.02
"""Seconds between a new pod's first attempts."""
FIRST_TIMEOUT = 0.4
"""Seconds of silence that end one of them: less than TCP takes to ask again, so an attempt is one packet."""
LINE_LIMIT = 4096
SCTP = getattr(socket, "IPPROTO_SCTP", 132)
ICMP_OF = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
ECHO_REQUEST = {False: 8, True: 128}
ECHO_REPLY = {False: 0, True: 129}
"""ICMP types, by whether it is IPv6's (RFC 792, RFC 4443). The kernel fills in checksum and identifier."""
REJECTIONS = frozenset(
    {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM, errno.ECONNRESET, errno.EPIPE}
)


def open_socket(protocol, family):
    if protocol == "ICMP":
        return socket.socket(family, socket.SOCK_DGRAM, ICMP_OF[family])
    if protocol == "UDP":
        return socket.socket(family, socket.SOCK_DGRAM)
    return socket.socket(family, socket.SOCK_STREAM, SCTP if protocol == "SCTP" else 0)


class Server:
    """Listens on every port of `spec` in the network namespace of its maker; `run` answers until `stop`."""

    def __init__(self, spec):
        self.name, self.token = spec["name"], spec["token"].encode()
        self.selector = selectors.DefaultSelector()
        self.buffers = {}
        self.missing = []
        self.first, self.history = spec.get("first"), []
        for port in spec.get("ports", ()):
            self._listen(port["protocol"], port["port"])
        self.wake, waker = socket.socketpair()
        self._waker = waker
        self.selector.register(self.wake, selectors.EVENT_READ, ("stop", None))

    def _listen(self, protocol, port):
        bound = 0
        problem = None
        for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            try:
                listener = open_socket(protocol, family)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                listener.bind((address, port))
                if protocol != "UDP":
                    listener.listen(1024)
            except OSError as error:
                problem = problem or error
                continue
            listener.setblocking(False)
            self.selector.register(listener, selectors.EVENT_READ, ("udp" if protocol == "UDP" else "accept", protocol))
            bound += 1
        if not bound:
            self.missing.append({"protocol": protocol, "port": port, "why": str(problem)})

    def run(self):
        while True:
            for key, _ in self.selector.select():
                what, _ = key.data
                if what == "stop":
                    return
                with contextlib.suppress(OSError):
                    getattr(self, "_" + what)(key.fileobj)

    def stop(self):
        self._waker.send(b"x")

    def _accept(self, listener):
        connection, _ = listener.accept()
        connection.setblocking(False)
        self.buffers[connection] = b""
        self.selector.register(connection, selectors.EVENT_READ, ("read", None))

    def _read(self, connection):
        try:
            data = connection.recv(LINE_LIMIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.buffers[connection] += data
        if not data or len(self.buffers[connection]) > LINE_LIMIT:
            self._close(connection)
            return
        while b"\n" in self.buffers.get(connection, b""):
            line, self.buffers[connection] = self.buffers[connection].split(b"\n", 1)
            answer = self._answer(line, connection.getpeername(), connection)
            if answer is None:
                self._close(connection)
                return
            connection.sendall(answer)

    def _close(self, connection):
        del self.buffers[connection]
        self.selector.unregister(connection)
        connection.close()

    def _udp(self, listener):
        data, peer = listener.recvfrom(LINE_LIMIT)
        answer = self._answer(data.rstrip(b"\n"), peer)
        if answer is not None:
            listener.sendto(answer, peer)

    def _answer(self, line, peer, connection=None):
        words = line.split(b" ")
        if len(words) < 3 or not secrets.compare_digest(words[1], self.token):
            return None
        answer = {"nonce": words[2].decode("ascii", "replace"), "name": self.name, "peer": [peer[0], peer[1]]}
        if words[0] == b"first" and len(words) == 4:
            index = int(words[3])
            waiting = {"outcome": "error", "detail": "this pod has no such first attempts"}
            answer["result"] = self.history[index] if index < len(self.history) else waiting
        elif words[0] == b"back" and len(words) == 4 and connection is not None:
            threading.Thread(target=self._dial_back, args=(connection, answer, int(words[3])), daemon=True).start()
            return b""
        elif words[0] != b"netproof" or len(words) != 3:
            return None
        return json.dumps(answer).encode() + b"\n"

    def _dial_back(self, connection, answer, port):
        """Try to reach who asks, and tell him on his own connection what came of it."""
        probe = {"id": 0, "protocol": "TCP", "host": answer["peer"][0], "port": port}
        request = {"timeout": FIRST_TIMEOUT, "probes": [probe]}
        answer["result"] = answer_batch(request, {"token": self.token.decode()})[0]
        with contextlib.suppress(OSError):
            connection.sendall(json.dumps(answer).encode() + b"\n")

    def try_first(self):
        """A new pod's first attempts, if it was told any, for as long as it was told; `run` must serve meanwhile."""
        if self.first:
            self.history = first_attempts(self.first, self.name, self.token.decode())


HELD = {}
"""Connections that `held` probes keep: (host, port, key) -> its socket, or why it ended."""


def let_go_of_held():
    for kept in HELD.values():
        if not isinstance(kept, str):
            kept.close()
    HELD.clear()


class Flight:
    """One probe under way: a request, a reply that ends it, and a deadline."""

    def __init__(self, probe, address, token, timeout):
        self.probe, self.timeout = probe, timeout
        self.ping = probe["protocol"] == "ICMP"
        self.datagram = self.ping or probe["protocol"] == "UDP"
        self.lookup = probe.get("kind") == "lookup"
        self.held = (address, probe["port"], probe["key"]) if probe.get("kind") == "held" else None
        self.nonce = secrets.token_hex(8)
        self.address = (address, probe["port"])
        self.request = self._question() if self.lookup else self._greeting(token).encode()
        if self.ping:
            self.request = struct.pack(">BBHHH", ECHO_REQUEST[":" in address], 0, 0, 0, 1) + self.request
        self.received = b""
        self.connected = False
        self.sent = 0
        self.result = None
        self.sock = None
        self.began = time.monotonic()
        self.named = None
        """The probe whose host's name this flight looks up, if it does."""
        self.number = 0

    def _greeting(self, token):
        verb, *more = {
            "first": ("first", self.probe.get("index")),
            "back": ("back", self.probe.get("back")),
        }.get(self.probe.get("kind"), ("netproof",))
        return " ".join(map(str, [verb, token, self.nonce, *more])) + "\n"

    def start(self):
        """Open and connect; afterwards either `result` is there or `sock` is to be watched."""
        self.began = time.monotonic()
        self.deadline = self.began + self.timeout
        if self.held in HELD:
            self._ask_again(HELD[self.held])
            return
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        try:
            self.sock = open_socket(self.probe["protocol"], family)
            self.sock.setblocking(False)
            code = self.sock.connect_ex(self.address)
        except OSError as error:
            self.finish("error", detail=f"no {self.probe['protocol']} socket: {error.strerror or error}")
            return
        if code not in (0, errno.EINPROGRESS):
            self.fail(code)
        elif self.datagram:
            self.send()

    def _ask_again(self, kept):
        """Use the connection that an earlier probe of this key opened; it is never opened again."""
        if isinstance(kept, str):
            self.finish("rejected", detail=f"the connection ended earlier: {kept}")
            return
        self.sock, self.connected = kept, True
        with contextlib.suppress(BlockingIOError, OSError):
            while self.sock.recv(LINE_LIMIT):
                pass  # late answers to earlier questions
        self.send()

    def let_go(self):
        """Close the socket, or keep it when it is held and alive."""
        if self.held is None:
            self.sock.close()
        elif self.result["outcome"] in ("connected", "dropped"):
            HELD[self.held] = self.sock
        else:
            HELD[self.held] = self.result.get("detail", self.result["outcome"])
            self.sock.close()

    def send(self):
        try:
            self.sock.send(self.request)
            self.sent += 1
        except BlockingIOError:
            pass
        except OSError as error:
            self.fail(error.errno)

    def writable(self):
        """A stream's connect has ended: see how, and ask."""
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self.fail(code)
        elif not self.connected:
            self.connected = True
            self.deadline = max(self.deadline, time.monotonic() + ANSWER_TIME)
            self.send()

    def readable(self):
        try:
            data = self.sock.recv(LINE_LIMIT)
        except BlockingIOError:
            return
        except OSError as error:
            self.fail(error.errno)
            return
        if not data and not self.datagram:
            self.finish("error", detail="the server closed the connection without an answer")
            return
        self.received = data if self.datagram else self.received + data
        (self._read_ping if self.ping else self._read_lookup if self.lookup else self._read_echo)()

    def tick(self, now):
        """When to look again; ends the flight at its deadline, sends a datagram again in between."""
        if now >= self.deadline and self.datagram and self.sent < DATAGRAMS:
            # The processor was busy elsewhere: all datagrams must have had their chance.
            self.send()
            self.deadline = now + self.timeout / DATAGRAMS
        elif now >= self.deadline:
            if self.datagram:
                self.finish("dropped", detail=f"no answer to {self.sent} datagrams")
            elif self.connected:
                self.finish("dropped", detail="connected, but no answer")
            else:
                self.finish("dropped", detail="no answer to the connection request")
        elif self.datagram and now >= self.began + self.timeout * self.sent / DATAGRAMS:
            self.send()
        if self.datagram and self.sent < DATAGRAMS:
            return min(self.deadline, self.began + self.timeout * self.sent / DATAGRAMS)
        return self.deadline

    def fail(self, code):
        if code == errno.ECONNREFUSED:
            self.finish("refused", detail=errno.errorcode[code])
        elif code in REJECTIONS:
            self.finish("rejected", detail=errno.errorcode[code])
        elif code == errno.ETIMEDOUT:
            self.finish("dropped", detail=errno.errorcode[code])
        else:
            self.finish("error", detail=errno.errorcode.get(code, str(code)))

    def finish(self, outcome, **more):
        ms = round((time.monotonic() - self.began) * 1000, 2)
        self.result = {"id": self.probe["id"], "outcome": outcome, "ms": ms, "host": self.address[0], **more}

    def _read_ping(self):
        """The kernel at the other end answers for every agent there: only the nonce shows that it was this probe."""
        if self.received[:1] == bytes([ECHO_REPLY[":" in self.address[0]]]) and self.received[8:] == self.request[8:]:
            self.finish("connected", peer="")

    def _read_echo(self):
        if b"\n" not in self.received:
            return
        try:
            answer = json.loads(self.received.split(b"\n", 1)[0])
            nonce, name, peer = answer["nonce"], answer["name"], answer["peer"][0]
        except (ValueError, KeyError, TypeError, IndexError):
            self.finish("error", detail="somebody else answered: not an agent")
            return
        if nonce != self.nonce:
            if self.held:
                self.received = self.received.split(b"\n", 1)[1]
            elif not self.datagram:
                self.finish("error", detail="the answer carries another probe's nonce")
            return
        expect = self.probe.get("expect")
        if expect and name not in expect:
            self.finish("error", detail=f"reached {name} instead of {' or '.join(expect)}", server=name, peer=peer)
        elif "result" in answer:
            told = answer["result"]
            self.finish(told["outcome"], detail=told.get("detail", ""), server=told.get("server", name), told=True)
        else:
            self.finish("connected", server=name, peer=peer)

    def _question(self):
        self.query_id = secrets.randbelow(65536)
        labels = self.probe["name"].rstrip(".").split(".")
        name = b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"
        kind = 28 if self.probe.get("record") == "AAAA" else 1
        message = struct.pack(">6H", self.query_id, 0x0100, 1, 0, 0, 0) + name + struct.pack(">2H", kind, 1)
        return message if self.datagram else struct.pack(">H", len(message)) + message

    def _read_lookup(self):
        message = self.received
        if not self.datagram:
            if len(message) < 2 or len(message) < 2 + struct.unpack(">H", message[:2])[0]:
                return
            message = message[2:]
        if len(message) < 12 or struct.unpack(">H", message[:2])[0] != self.query_id or not message[2] & 0x80:
            if not self.datagram:
                self.finish("error", detail="not the answer to this question")
            return
        code = message[3] & 0x0F
        try:
            addresses = read_addresses(message)
        except (IndexError, struct.error):
            self.finish("error", detail="malformed DNS answer")
            return
        self.finish("connected", rcode=code, addresses=addresses)


def read_addresses(message):
    """The A and AAAA records of a DNS answer, as text."""
    questions, answers = struct.unpack(">2H", message[4:8])
    at = 12
    for _ in range(questions):
        at = skip_name(message, at) + 4
    found = []
    for _ in range(answers):
        at = skip_name(message, at)
        kind, _, _, length = struct.unpack(">2HIH", message[at : at + 10])
        at += 10
        if (kind, length) in ((1, 4), (28, 16)):
            found.append(str(ipaddress.ip_address(message[at : at + length])))
        at += length
    return found


def skip_name(message, at):
    while message[at]:
        if message[at] & 0xC0:
            return at + 2
        at += message[at] + 1
    return at + 1


class Train:
    """Flights under way, each from its own start time on; `run` yields them as they end."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.waiting = []
        self.due = []
        self.open = 0
        self.ended = []
        self.held = {}
        """A kept connection in use -> the flights that wait for it: it answers one question at a time."""

    def add(self, flight, start_at):
        heapq.heappush(self.waiting, (start_at, id(flight), flight))

    def run(self):
        while self.waiting or self.open or self.ended:
            began = time.monotonic()
            self._start()
            waited = self._watch()
            self._tick()
            stood_still = time.monotonic() - began - waited
            if stood_still > STOOD_STILL:
                self._doubt(stood_still)
            ended, self.ended = self.ended, []
            yield from ended
        self.selector.close()

    def _doubt(self, seconds):
        """The process was stopped, or starved: a server that it did not run may have been asked meanwhile, and
        an answer may have come and gone."""
        doubtful = [flight for flight in self.ended if flight.result["outcome"] == "dropped"]
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            doubtful.append(heapq.heappop(self.waiting)[2])
            self.ended.append(doubtful[-1])
        for flight in doubtful:
            flight.finish("error", detail=f"the agent stood still for {seconds:.1f} s")

    def _start(self):
        now = time.monotonic()
        while self.waiting and self.open < MAX_OPEN and self.waiting[0][0] <= now:
            flight = heapq.heappop(self.waiting)[2]
            if flight.held in self.held:
                self.held[flight.held].append(flight)
                continue
            if flight.held is not None:
                self.held[flight.held] = []
            self.open += 1
            flight.start()
            if flight.result is None:
                is_open = flight.datagram or flight.connected
                events = selectors.EVENT_READ if is_open else selectors.EVENT_WRITE
                self.selector.register(flight.sock, events, flight)
                heapq.heappush(self.due, (flight.tick(flight.began), id(flight), flight))
            if flight.result is not None:
                self._land(flight)

    def _watch(self):
        """Handle what comes until the next deadline or start. Gives the seconds that it meant to wait at most."""
        if self.ended:
            return 0.0
        times = [heap[0][0] for heap in (self.due, self.waiting if self.open < MAX_OPEN else []) if heap]
        wait = max(0.0, min(times) - time.monotonic()) if times else 0.0
        for key, events in self.selector.select(wait):
            flight = key.data
            if events & selectors.EVENT_WRITE:
                flight.writable()
                if flight.result is None:
                    self.selector.modify(flight.sock, selectors.EVENT_READ, flight)
            elif events & selectors.EVENT_READ:
                flight.readable()
            if flight.result is not None:
                self._land(flight)
        return wait

    def hurry(self):
        """Servers that accepted but do not answer have no longer than the time-out any more."""
        now = time.monotonic()
        for _, _, flight in list(self.due):
            until = max(now, flight.began + flight.timeout)
            if flight.result is None and flight.connected and until < flight.deadline:
                flight.deadline = until
                heapq.heappush(self.due, (until, id(flight), flight))

    def _tick(self):
        now = time.monotonic()
        while self.due and (self.due[0][0] <= now or self.due[0][2].result is not None):
            flight = heapq.heappop(self.due)[2]
            if flight.result is None:
                again = flight.tick(now)
                if flight.result is None:
                    heapq.heappush(self.due, (again, id(flight), flight))
                else:
                    self._land(flight)

    def _land(self, flight):
        if flight.sock is not None:
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(flight.sock)
            flight.let_go()
        for later in self.held.pop(flight.held, ()):
            self.add(later, 0.0)
        self.open -= 1
        self.ended.append(flight)


def is_address(host):
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def resolver_address(spec):
    if spec.get("resolver"):
        return spec["resolver"]
    with contextlib.suppress(OSError), open("/etc/resolv.conf", encoding="ascii", errors="replace") as file:
        for line in file:
            words = line.split()
            if words[:1] == ["nameserver"] and len(words) > 1:
                return words[1]
    return None


def first_flight(probe, spec, timeout):
    """A probe's flight, or the lookup of its host's name before it; or a result, when there can be neither."""
    host = probe["host"]
    if is_address(host):
        return Flight(probe, host, spec["token"], timeout)
    resolver = resolver_address(spec)
    if resolver is None:
        return name_failed(probe, "no resolver is configured here")
    record = "AAAA" if probe.get("family") == 6 else "A"
    question = {"id": probe["id"], "kind": "lookup", "protocol": "UDP", "port": 53, "name": host, "record": record}
    flight = Flight(question, resolver, "", timeout)
    flight.named = probe
    return flight


def second_flight(lookup, spec, timeout):
    """What follows the lookup of a name: the flight to its address, or a result that says why there is none."""
    result = lookup.result
    if result["outcome"] == "error":
        return {**result, "id": lookup.named["id"]}
    if result["outcome"] != "connected":
        return name_failed(lookup.named, f"{result['host']} did not answer: {result['outcome']}")
    if result["rcode"]:
        return name_failed(lookup.named, {3: "NXDOMAIN"}.get(result["rcode"], f"DNS error {result['rcode']}"))
    if not result["addresses"]:
        return name_failed(lookup.named, "the name has no address of this family")
    return Flight(lookup.named, result["addresses"][0], spec["token"], timeout)


def name_failed(probe, why):
    return {"id": probe["id"], "outcome": "name-failed", "ms": None, "detail": why}


def answer_train(request, spec):
    """Yield the results of each repeat of a request's probes, in the probes' order, as soon as a repeat has ended.

    Repeats start `every` seconds apart and may overlap: silence costs its time-out once, not once a repeat.
    """
    timeout, probes = request["timeout"], request["probes"]
    repeats = request.get("repeat", 1)
    began = time.monotonic() + request.get("after", 0.0)
    train = Train()
    results = [{} for _ in range(repeats)]
    yielded = 0

    def put(number, flight, start_at):
        if isinstance(flight, dict):
            results[number][flight["id"]] = flight
        else:
            flight.number = number
            train.add(flight, start_at)

    for number in range(repeats):
        start_at = began + number * request.get("every", 0.0)
        for probe in probes:
            put(number, first_flight(probe, spec, timeout), start_at)
    for flight in train.run():
        if flight.named is None:
            results[flight.number][flight.probe["id"]] = flight.result
        else:
            put(flight.number, second_flight(flight, spec, timeout), time.monotonic())
        if flight.number == repeats - 1 and len(results[-1]) == len(probes):
            # What was accepted before a deny came into force has newer answers now, and waits for nothing.
            train.hurry()
        while yielded < repeats and len(results[yielded]) == len(probes):
            yield [results[yielded][probe["id"]] for probe in probes]
            yielded += 1
    for number in range(yielded, repeats):
        yield [results[number][probe["id"]] for probe in probes]


def answer_batch(request, spec):
    """All results of a request that has no repeats."""
    return next(answer_train(request, spec))


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
    if os.environ.get("NETPROOF_SPEC"):
        sys.argv[2:] = [os.environ["NETPROOF_SPEC"]]
    sys.exit(main(sys.argv[1:]))
