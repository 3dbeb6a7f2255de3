"""The cluster's DNS: answers from a table of names that the driver sends, over UDP and TCP, and knows nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dnslib import AAAA, QTYPE, RCODE, RR, A, DNSRecord
from dnslib.server import BaseResolver, DNSLogger, DNSServer, TCPServer, UDPServer

TTL = 5
RECORDS = {"A": A, "AAAA": AAAA}


class PatientTCPServer(TCPServer):  # type: ignore[misc]
    request_queue_size = 1024  # a whole cluster asks at the same moment; socketserver's default is 5


class Table(BaseResolver):  # type: ignore[misc]
    """Name (without the last dot) -> addresses. A name without one of the family asked for has an empty answer."""

    def __init__(self) -> None:
        self.names: Mapping[str, Sequence[str]] = {}

    def resolve(self, request: DNSRecord, handler: Any) -> DNSRecord:
        reply = request.reply()
        addresses = self.names.get(str(request.q.qname).rstrip(".").lower())
        if addresses is None:
            reply.header.rcode = RCODE.NXDOMAIN
            return reply
        for address in addresses:
            record = "AAAA" if ":" in address else "A"
            kind = getattr(QTYPE, record)
            if request.q.qtype in (kind, QTYPE.ANY):
                reply.add_answer(RR(request.q.qname, kind, rdata=RECORDS[record](address), ttl=TTL))
        return reply


def start(addresses: Sequence[str]) -> Table:
    """Serve port 53 of these addresses in threads of this process; the table may be changed at any time."""
    table = Table()
    quiet = DNSLogger(log="-request,-reply,-truncated,-error")
    for address in addresses:
        for server in (UDPServer, PatientTCPServer):
            DNSServer(table, address=address, logger=quiet, server=server).start_thread()
    return table
