"""Features of the kernel that CNIs and protocols need, and its limits. Read from files: asking for a feature by using
it may load a module."""

from __future__ import annotations

import gzip
import platform
import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from netproof.doctor.diagnosis import Diagnosis, DiagnosisState, ok, warn


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A part of the kernel: built in or a module. `state`: how bad it is when it is not there."""

    name: str
    module: str
    option: str
    needed: str
    state: DiagnosisState = DiagnosisState.WARN


FEATURES: Sequence[Feature] = (
    Feature(
        name="nf_tables",
        module="nf_tables",
        option="NF_TABLES",
        needed="the reference driver",
        state=DiagnosisState.MISSING,
    ),
    Feature(name="VXLAN", module="vxlan", option="VXLAN", needed="the overlay of Calico and Cilium"),
    Feature(name="SCTP", module="sctp", option="IP_SCTP", needed="SCTP cells, which are skipped without"),
    Feature(name="ip_tables", module="ip_tables", option="IP_NF_IPTABLES", needed="kube-proxy and Calico"),
    Feature(name="ip6_tables", module="ip6_tables", option="IP6_NF_IPTABLES", needed="CNIs on IPv6"),
    Feature(name="ipset", module="ip_set", option="IP_SET", needed="Calico's selectors"),
    Feature(
        name="NFQUEUE for nftables", module="nft_queue", option="NFT_QUEUE", needed="kind's own CNI to enforce at all"
    ),
    Feature(name="eBPF at sockets", module="", option="CGROUP_BPF", needed="Cilium"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A kernel setting. `least`: below it things fail in odd ways; `why`: which."""

    name: str
    path: str
    least: int
    why: str


LIMITS: Sequence[Limit] = (
    Limit(
        name="fs.inotify.max_user_instances",
        path="/proc/sys/fs/inotify/max_user_instances",
        least=512,
        why="kind's nodes end with `too many open files`",
    ),
    Limit(
        name="fs.inotify.max_user_watches",
        path="/proc/sys/fs/inotify/max_user_watches",
        least=65536,
        why="kubelets of kind's nodes do not start",
    ),
    Limit(
        name="net.netfilter.nf_conntrack_max",
        path="/proc/sys/net/netfilter/nf_conntrack_max",
        least=65536,
        why="large matrices lose connections",
    ),
)
OPEN_FILES = 1024
LAST_PRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
BTF = Path("/sys/kernel/btf/vmlinux")


def features() -> Iterator[Diagnosis]:
    yield ok("version", platform.release())
    for feature in FEATURES:
        here = has(feature)
        if here is None:
            yield warn(
                feature.name,
                f"not known: this kernel tells neither its modules nor its configuration ({feature.needed})",
            )
        elif here:
            yield ok(feature.name, here)
        else:
            yield Diagnosis(
                what=feature.name,
                state=feature.state,
                found=f"this kernel has none; {feature.needed}",
                fix=f"a kernel with CONFIG_{feature.option}",
            )
    if BTF.exists():
        yield ok("eBPF type information", str(BTF))
    else:
        yield warn(
            "eBPF type information", f"no {BTF}: some eBPF programs do not load", "a kernel with CONFIG_DEBUG_INFO_BTF"
        )
    if Path("/proc/net/if_inet6").exists():
        yield ok("IPv6", "on this host")
    else:
        yield warn(
            "IPv6", "switched off on this host: clusters have IPv4 only", "sysctl net.ipv6.conf.all.disable_ipv6=0"
        )


def has(feature: Feature) -> str | None:
    """How the kernel has a feature, '' when it has not, None when it does not tell."""
    if feature.module in _loaded():
        return "loaded"
    built_in, modules = _files()
    if feature.module in built_in:
        return "built in"
    if feature.module in modules:
        return "a module, loaded when it is needed"
    configured = _configuration().get(f"CONFIG_{feature.option}")
    if configured is not None:
        return {"y": "built in", "m": "a module"}.get(configured, "")
    return "" if _configuration() else None


@cache
def _loaded() -> frozenset[str]:
    return frozenset(line.split()[0] for line in _text(Path("/proc/modules")).splitlines() if line)


@cache
def _files() -> tuple[frozenset[str], frozenset[str]]:
    """Modules that are built in, and those that can be loaded."""
    home = Path("/lib/modules") / platform.release()

    def names(text: str) -> frozenset[str]:
        paths = (line.partition(":")[0] for line in text.splitlines())
        return frozenset(Path(path).name.partition(".ko")[0].replace("-", "_") for path in paths)

    return names(_text(home / "modules.builtin")), names(_text(home / "modules.dep"))


@cache
def _configuration() -> dict[str, str]:
    own = Path("/proc/config.gz")
    text = (
        gzip.decompress(own.read_bytes()).decode()
        if own.exists()
        else _text(Path(f"/boot/config-{platform.release()}"))
    )
    pairs = (line.split("=", 1) for line in text.splitlines() if line.startswith("CONFIG_") and "=" in line)
    found = dict(pairs)
    # What is not set stands as a comment: a whole configuration has thousands of lines, and leaves nothing out.
    return {**{f"CONFIG_{feature.option}": "n" for feature in FEATURES}, **found} if found else {}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def limits() -> Iterator[Diagnosis]:
    for limit in LIMITS:
        text = _text(Path(limit.path)).strip()
        if not text.isdecimal():
            continue
        if int(text) >= limit.least:
            yield ok(limit.name, text)
        else:
            yield warn(
                limit.name, f"{text}, less than {limit.least}: {limit.why}", f"sysctl {limit.name}={limit.least}"
            )
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    many = soft == resource.RLIM_INFINITY or soft >= OPEN_FILES
    text = "unlimited" if soft == resource.RLIM_INFINITY else str(soft)
    if many:
        yield ok("open files", text)
    else:
        yield warn(
            "open files", f"{text}, less than {OPEN_FILES}: many pods need many streams", f"ulimit -n {OPEN_FILES}"
        )
    first = _text(LAST_PRIVILEGED).strip()
    if first:
        yield ok("net.ipv4.ip_unprivileged_port_start", f"{first} (probe pods may listen below it all the same)")
