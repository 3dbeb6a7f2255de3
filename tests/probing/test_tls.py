"""TLS as probes need it: a server known by its certificate, and an agent known by its alert."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from netproof.probing.agent import tls
from tests.fakes.agents import ask, free_port, serving, stranger

PEM = Path(__file__).parent / "nobody.pem"
NOBODY = "certificate 3eb9fc9e1b5c62ad"
"""openssl x509 -in nobody.pem -outform der | sha256sum"""


@pytest.fixture(scope="module")
def secure() -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                    with context.wrap_socket(connection, server_side=True) as session:
                        session.recv(1)
                except OSError:
                    if listener.fileno() < 0:
                        return

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


def test_a_server_is_known_by_its_certificate(secure: int) -> None:
    (result,) = ask({"protocol": "TCP", "kind": "tls", "port": secure, "expect": [NOBODY]}, timeout=1.0)
    assert (result["outcome"], result["server"]) == ("connected", NOBODY)


def test_another_certificate_is_an_error(secure: int) -> None:
    (result,) = ask({"protocol": "TCP", "kind": "tls", "port": secure, "expect": ["certificate 00"]}, timeout=1.0)
    assert (result["outcome"], result["detail"]) == ("error", f"reached {NOBODY} instead of certificate 00")


def test_who_speaks_no_tls_is_an_error() -> None:
    with stranger(b"HTTP/1.0 400 Bad Request\r\n\r\n") as port:
        (result,) = ask({"protocol": "TCP", "kind": "tls", "port": port}, timeout=1.0)
    assert result["outcome"] == "error"
    assert result["detail"].startswith("no TLS server: ")


def test_nobody_there_is_refused() -> None:
    (result,) = ask({"protocol": "TCP", "kind": "tls", "port": free_port(socket.SOCK_STREAM)})
    assert result["outcome"] == "refused"


@pytest.fixture
def agent() -> Iterator[int]:
    port = free_port(socket.SOCK_STREAM)
    with serving("shop/hook", {"TCP": port}):
        yield port


def test_an_agent_answers_a_handshake_with_its_alert_at_once(agent: int) -> None:
    """A real client's view of it, as the API server's."""
    context = ssl.create_default_context()
    with (
        socket.create_connection(("127.0.0.1", agent), timeout=2) as connection,
        pytest.raises(ssl.SSLError) as caught,
    ):
        context.wrap_socket(connection, server_hostname="shop")
    assert not isinstance(caught.value, TimeoutError)
    with socket.create_connection(("127.0.0.1", agent), timeout=2) as connection:
        connection.sendall(b"\x16\x03\x01\x00\x01\x00")
        said = connection.recv(100)
    assert said[:6] == b"\x15\x03\x03\x00\x02\x02"
    assert said[6] == tls.alert("shop/hook")


def test_alerts_are_none_that_a_standard_has_and_differ_by_name() -> None:
    numbers = {tls.alert(f"shop/{name}") for name in ("a", "b", "c", "web", "db")}
    assert len(numbers) == 5
    assert all(128 <= number < 255 for number in numbers)
