"""Runs in an outside peer, as root, for a moment: `range=gateway …` become routes of its network namespace. Standard
library only, and no `ip`: the images of peers have no more than Python. See rtnetlink(7)."""

from __future__ import annotations

import os
import socket
import struct
import sys
from ipaddress import ip_address, ip_network

NEWROUTE, REQUEST, ACK, REPLACE, CREATE = 24, 0x1, 0x4, 0x100, 0x400
RTA_DST, RTA_GATEWAY = 1, 5
RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_UNIVERSE, RTN_UNICAST = 254, 4, 0, 1


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value


def message(pods: str, gateway: str) -> bytes:
    """The request for one route, or for the same again."""
    network = ip_network(pods)
    family = socket.AF_INET if network.version == 4 else socket.AF_INET6
    about = (family, network.prefixlen, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_UNIVERSE, RTN_UNICAST, 0)
    body = struct.pack("=BBBBBBBBI", *about)
    body += attribute(RTA_DST, network.network_address.packed) + attribute(RTA_GATEWAY, ip_address(gateway).packed)
    return struct.pack("=IHHII", 16 + len(body), NEWROUTE, REQUEST | ACK | REPLACE | CREATE, 1, 0) + body


def main(words: list[str]) -> None:
    """Raises OSError for the first route that the kernel refuses."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.bind((0, 0))
        for word in words:
            pods, _, gateway = word.partition("=")
            kernel.send(message(pods, gateway))
            (refused,) = struct.unpack("=i", kernel.recv(65536)[16:20])
            if refused:
                raise OSError(-refused, f"{os.strerror(-refused)}: {pods} via {gateway}")


if __name__ == "__main__":
    main(sys.argv[1:])
