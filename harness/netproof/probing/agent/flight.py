"""One probe under way, over whichever protocol: what is sent, what may come back, and when it is over."""

import contextlib
import errno
import json
import secrets
import socket
import struct
import time

from . import names, tls

DATAGRAMS = 3
"""A datagram is sent this often, evenly over the time-out, so that one lost packet is not a denial."""
ANSWER_TIME = 2.0
"""Seconds at least that a new connection waits for an answer: who let it open drops nothing; a busy machine is late."""
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
        self.handshake = tls.Handshake() if probe.get("kind") == "tls" else None
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

    def abandon(self):
        """Nobody waits for its result any more."""
        if self.held is not None and self.connected:
            HELD[self.held] = self.sock
        else:
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
            if self.handshake:
                self.request = self.handshake.feed(b"")
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
        if self.handshake:
            self._read_handshake()
        else:
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

    def _read_handshake(self):
        data, self.received = self.received, b""
        try:
            self.request = self.handshake.feed(data)
        except ValueError as error:
            self.finish("error", detail=f"no TLS server: {error}")
            return
        if self.request:
            self.send()
        if self.handshake.certificate and self.result is None:
            self._finish_as(self.handshake.certificate, "")

    def _finish_as(self, name, peer):
        expect = self.probe.get("expect")
        if expect and name not in expect:
            self.finish("error", detail=f"reached {name} instead of {' or '.join(expect)}", server=name, peer=peer)
        else:
            self.finish("connected", server=name, peer=peer)

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
        if "result" in answer and (not expect or name in expect):
            told = answer["result"]
            self.finish(told["outcome"], detail=told.get("detail", ""), server=told.get("server", name), told=True)
        else:
            self._finish_as(name, peer)

    def _question(self):
        self.query_id = secrets.randbelow(65536)
        record = self.probe.get("record")
        return names.question(self.probe["name"], record, self.query_id, stream=not self.datagram)

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
            addresses = names.read_addresses(message)
        except (IndexError, struct.error):
            self.finish("error", detail="malformed DNS answer")
            return
        self.finish("connected", rcode=code, addresses=addresses)
