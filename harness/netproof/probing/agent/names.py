"""Names: DNS messages, and who is asked."""

import contextlib
import ipaddress
import struct


def question(name, record, query_id, *, stream):
    """A DNS query as it is sent; on a stream, with its length before it (RFC 1035, 4.2.2)."""
    labels = name.rstrip(".").split(".")
    asked = b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"
    kind = 28 if record == "AAAA" else 1
    message = struct.pack(">6H", query_id, 0x0100, 1, 0, 0, 0) + asked + struct.pack(">2H", kind, 1)
    return struct.pack(">H", len(message)) + message if stream else message


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
