"""The servers of one endpoint, which answer whoever knows the run's token."""

import contextlib
import json
import secrets
import selectors
import socket
import threading

from . import tls
from .first import FIRST_TIMEOUT, first_attempts
from .flight import LINE_LIMIT, open_socket
from .train import answer_batch


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
        if self.buffers[connection].startswith(tls.HELLO):
            connection.sendall(tls.refusal(self.name))
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
