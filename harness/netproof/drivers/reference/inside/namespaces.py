"""Linux namespaces by system call: a user namespace when needed, unnamed network namespaces, death with the parent.

`os.unshare` and `os.setns` exist from Python 3.12 only.
"""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)

SWITCHES = {
    "/proc/sys/kernel/unprivileged_userns_clone": ("0", "sysctl kernel.unprivileged_userns_clone=1"),
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    "/proc/sys/user/max_user_namespaces": ("0", "sysctl user.max_user_namespaces=10000"),
}
"""Kernel switch -> the value that forbids user namespaces to ordinary users, and what allows them."""

SYSTEM = Path("/proc/sys/net")
UNLIMITED_REJECTS = {"ipv4/icmp_ratelimit": "0", "ipv6/icmp/ratelimit": "0"}
"""The kernel sends few ICMP errors a second to one peer; a batch of probes would see the rest as silence."""


class Unavailable(Exception):
    """The machine lacks what a fabric needs; the text is a sentence for the user."""


def _call(code: int) -> None:
    if code != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def unshare(flags: int) -> None:
    _call(_libc.unshare(flags))


def enter(pid: int) -> None:
    """Move this process into the network namespace of another one."""
    with Path(f"/proc/{pid}/ns/net").open("rb") as file:
        _call(_libc.setns(file.fileno(), CLONE_NEWNET))


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends. The parent may have ended already."""
    _call(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    if os.getppid() != parent:
        os._exit(1)


def become_router() -> str:
    """Enter a network namespace of our own, as root in it; says by which privilege. Raises Unavailable."""
    if os.geteuid() == 0:
        try:
            unshare(CLONE_NEWNET)
        except OSError:
            pass
        else:
            return "root"
    user, group = os.geteuid(), os.getegid()
    try:
        unshare(CLONE_NEWUSER | CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    except OSError as error:
        raise Unavailable(f"network namespaces cannot be made here ({error.strerror}): {_advice(user)}") from None
    return "user namespace"


def _advice(user: int) -> str:
    for switch, (forbidding, command) in SWITCHES.items():
        path = Path(switch)
        if path.exists() and path.read_text().strip() == forbidding:
            return f"{switch} is {forbidding}; as root run: {command}"
    if user == 0:
        return "in a container, start it with --privileged, or with --cap-add SYS_ADMIN --cap-add NET_ADMIN"
    return "run as root, or in a container that allows user namespaces (--security-opt seccomp=unconfined)"


def prepare_endpoint() -> None:
    """In this network namespace: every rejection is answered, and the agent may send echo requests."""
    for name, value in (*UNLIMITED_REJECTS.items(), ("ipv4/ping_group_range", "0 0")):
        _try_to_write(SYSTEM / name, value)


def switch_on_routing() -> bool:
    """Make this network namespace forward packets; says whether IPv6 is there as well. Raises Unavailable."""
    try:
        (SYSTEM / "ipv4/ip_forward").write_text("1")
    except OSError as error:
        raise Unavailable(
            f"forwarding cannot be switched on, /proc/sys/net/ipv4/ip_forward cannot be written ({error.strerror}): "
            "in a container, start it with --privileged, or with --security-opt systempaths=unconfined"
        ) from None
    # Leftovers of finished probes would fill the connection table; a redirect would bypass the rules on a hairpin.
    settings = {
        **UNLIMITED_REJECTS,
        "ipv4/conf/all/rp_filter": "0",
        "ipv4/conf/default/rp_filter": "0",
        "ipv4/conf/all/send_redirects": "0",
        "ipv4/conf/default/send_redirects": "0",
        "netfilter/nf_conntrack_tcp_timeout_time_wait": "1",
        "netfilter/nf_conntrack_tcp_timeout_close": "1",
        "netfilter/nf_conntrack_tcp_timeout_syn_sent": "5",
        "netfilter/nf_conntrack_udp_timeout": "5",
        "netfilter/nf_conntrack_udp_timeout_stream": "5",
    }
    for name, value in settings.items():
        _try_to_write(SYSTEM / name, value)
    return _try_to_write(SYSTEM / "ipv6/conf/all/forwarding", "1")


def _try_to_write(path: Path, value: str) -> bool:
    try:
        path.write_text(value)
    except OSError:
        return False
    return True
