"""The few rtnetlink requests that a fabric needs, many in one system call. See rtnetlink(7); one class a socket.

Written by hand because importing pyroute2 takes 0.4 s, which is longer than a fabric of thirty endpoints takes.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence
from ipaddress import ip_address

NLMSG_ERROR = 2
REQUEST, ACK, REPLACE, EXCLUSIVE, CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
NEWLINK, DELLINK, NEWADDR, NEWROUTE, NEWNEIGH = 16, 17, 20, 24, 28
IFF_UP = 0x1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_LINKINFO, IFLA_NET_NS_PID = 1, 3, 18, 19
INFO_KIND, INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFA_ADDRESS, IFA_LOCAL, IFA_F_NODAD = 1, 2, 0x02
RTA_DST, RTA_OIF, RTA_GATEWAY = 1, 4, 5
RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RTN_UNICAST, RTNH_F_ONLINK = 254, 4, 0, 253, 1, 4
NDA_DST, NDA_LLADDR, NUD_PERMANENT = 1, 2, 0x80
AF_UNSPEC = 0

Request = tuple[int, int, bytes]
"""Message type, flags, body."""


def _attribute(kind: int, value: bytes) -> bytes:
    padding = -len(value) % 4
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(padding)


def _link(index: int, flags: int = 0) -> bytes:
    return struct.pack("=BxHiII", AF_UNSPEC, 0, index, flags, flags)


def veth(*, index: int, name: str, mac: bytes, peer_index: int, peer_name: str, peer_mac: bytes, pid: int) -> Request:
    """A pair: this end up in the socket's namespace, the other down in that of process `pid`."""
    other = (
        _link(peer_index)
        + _attribute(IFLA_IFNAME, peer_name.encode() + b"\0")
        + _attribute(IFLA_ADDRESS, peer_mac)
        + _attribute(IFLA_NET_NS_PID, struct.pack("=I", pid))
    )
    info = _attribute(INFO_KIND, b"veth\0") + _attribute(INFO_DATA, _attribute(VETH_INFO_PEER, other))
    body = (
        _link(index, IFF_UP)
        + _attribute(IFLA_IFNAME, name.encode() + b"\0")
        + _attribute(IFLA_ADDRESS, mac)
        + _attribute(IFLA_LINKINFO, info)
    )
    return NEWLINK, CREATE | EXCLUSIVE, body


def up(index: int) -> Request:
    return NEWLINK, 0, _link(index, IFF_UP)


def delete_link(index: int) -> Request:
    return DELLINK, 0, _link(index)


def address(index: int, text: str) -> Request:
    """The address alone, without a network around it."""
    ip = ip_address(text)
    flags = IFA_F_NODAD if ip.version == 6 else 0
    body = struct.pack("=BBBBi", _family(text), ip.max_prefixlen, flags, RT_SCOPE_UNIVERSE, index)
    return NEWADDR, CREATE | REPLACE, body + _attribute(IFA_LOCAL, ip.packed) + _attribute(IFA_ADDRESS, ip.packed)


def route(index: int, *, to: str | None = None, through: str | None = None) -> Request:
    """A route to one address on the link, or the default route through a neighbour that no other route knows."""
    text = to or through or ""
    flags = RTNH_F_ONLINK if through else 0
    scope = RT_SCOPE_UNIVERSE if through else RT_SCOPE_LINK
    length = ip_address(to).max_prefixlen if to else 0
    body = struct.pack(
        "=BBBBBBBBI", _family(text), length, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, scope, RTN_UNICAST, flags
    ) + _attribute(RTA_OIF, struct.pack("=i", index))
    if to:
        body += _attribute(RTA_DST, ip_address(to).packed)
    if through:
        body += _attribute(RTA_GATEWAY, ip_address(through).packed)
    return NEWROUTE, CREATE | REPLACE, body


def neighbour(index: int, text: str, mac: bytes) -> Request:
    """A neighbour that is never asked for, so that nothing is lost to the machine's limit of learnt neighbours."""
    body = struct.pack("=BxxxiHBB", _family(text), index, NUD_PERMANENT, 0, 0)
    return NEWNEIGH, CREATE | REPLACE, body + _attribute(NDA_DST, ip_address(text).packed) + _attribute(NDA_LLADDR, mac)


def _family(text: str) -> int:
    return socket.AF_INET6 if ":" in text else socket.AF_INET


class Netlink:
    """A socket of the network namespace that this process is in when it is made, wherever the process goes later."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))

    def fileno(self) -> int:
        return self._socket.fileno()

    def ask(self, requests: Sequence[Request]) -> None:
        """Send all in one message and read their acknowledgements. Raises OSError for the first that was refused."""
        message = b""
        for number, (kind, flags, body) in enumerate(requests, 1):
            message += struct.pack("=IHHII", 16 + len(body), kind, REQUEST | ACK | flags, number, 0) + body
        self._socket.send(message)
        missing, refused = len(requests), 0
        while missing:
            data = self._socket.recv(65536)
            while data:
                length, kind = struct.unpack("=IH", data[:6])
                if kind == NLMSG_ERROR:
                    missing -= 1
                    refused = refused or -struct.unpack("=i", data[16:20])[0]
                data = data[(length + 3) & ~3 :]
        if refused:
            raise OSError(refused, os.strerror(refused))
