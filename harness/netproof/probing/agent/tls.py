"""TLS, as far as a probe needs it: who a server is, by its certificate; and what an agent answers to whoever begins a
handshake with it."""

import hashlib
import zlib

HELLO = b"\x16"
"""The first byte of a handshake (RFC 8446, 5.1)."""
FIRST_ALERT, ALERTS = 128, 127
"""Alerts that no standard gives a meaning (RFC 8446, 6)."""


class Handshake:
    """A client's side, without a network. `certificate` is '' until the server has shown one."""

    def __init__(self):
        import ssl  # takes 20 ms and a few MiB, and few probes need it

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._ssl = ssl
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing)
        self.certificate = ""

    def feed(self, data):
        """Take what the server sent, and give what is to be sent to it. Raises ValueError when it speaks no TLS."""
        self._incoming.write(data)
        try:
            self._session.do_handshake()
        except self._ssl.SSLWantReadError:
            pass
        except self._ssl.SSLError as error:
            raise ValueError(error.reason or str(error)) from None
        else:
            self.certificate = certificate(self._session.getpeercert(binary_form=True))
        return self._outgoing.read()


def certificate(der: bytes) -> str:
    """The name by which a server with this certificate is known."""
    return f"certificate {hashlib.sha256(der).hexdigest()[:16]}"


def alert(name: str) -> int:
    """The number of the alert that the agent of this name answers with: its caller shows it, and so who answered."""
    return FIRST_ALERT + zlib.crc32(name.encode()) % ALERTS


def refusal(name: str) -> bytes:
    """What an agent answers to a handshake: a fatal alert (RFC 8446, 6)."""
    return b"\x15\x03\x03\x00\x02\x02" + bytes([alert(name)])
