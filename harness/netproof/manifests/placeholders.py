"""Addresses that are known only once pods run: what scenarios write in manifests instead of them.

`{address:x/a}` is the IPv4 address of an endpoint (a pod, `svc:x/a`, `node:0`, `external:near`), `{address6:x/a}` its
IPv6 address, `{network/16:x/a}` and `{network6/64:x/a}` the network of that length around it, `{name:external:near}`
the DNS name under which pods find a peer outside.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from ipaddress import ip_network
from typing import Any

from netproof.errors import InputError
from netproof.model import Manifest, Placement
from netproof.model.topology import Family

PLACEHOLDER = re.compile(r"\{(?P<what>\w+)(/(?P<length>\d+))?:(?P<endpoint>[^{}]*)\}")
FAMILIES: dict[str, Family] = {"address": 4, "address6": 6, "network": 4, "network6": 6}

EXAMPLES: dict[Family, str] = {4: "192.0.2.0", 6: "2001:db8::"}


def fill(manifests: Sequence[Manifest], placement: Placement) -> tuple[Manifest, ...]:
    """The manifests with every placeholder replaced. Raises InputError for an endpoint without that address."""
    return tuple(_fill(manifest, placement) for manifest in manifests)


def fill_text(text: str, placement: Placement) -> str:
    """The same for one text."""
    return str(_fill(text, placement))


def fill_examples(text: str) -> str:
    """The text with made-up addresses, for what must be checked before real ones are known."""
    text = re.sub(r"\{name:[^{}]*\}", "x.example", text)
    return PLACEHOLDER.sub(lambda match: EXAMPLES[FAMILIES.get(match["what"], 4)] + (match[2] or ""), text)


def _fill(value: Any, placement: Placement) -> Any:
    match value:
        case dict():
            return {key: _fill(item, placement) for key, item in value.items()}
        case list():
            return [_fill(item, placement) for item in value]
        case str():
            return PLACEHOLDER.sub(lambda match: _resolve(match, placement), value)
        case _:
            return value


def _resolve(match: re.Match[str], placement: Placement) -> str:
    what, length, endpoint = match["what"], match["length"], match["endpoint"]
    if what == "name" and length is None:
        return _hostname(match[0], endpoint, placement)
    family = FAMILIES.get(what)
    if family is None or what.startswith("network") == (length is None):
        raise InputError(
            "no such placeholder; write {address:x/a}, {address6:x/a}, {network/16:x/a}, {network6/64:x/a} or "
            "{name:external:x}",
            key=match[0],
        )
    address = placement.address(endpoint, family)
    if address is None:
        if placement.addresses.get(endpoint):
            raise InputError(f"{endpoint} has no IPv{family} address here", key=match[0])
        near = get_close_matches(endpoint, list(placement.addresses), n=1)
        raise InputError(
            f"nobody is called {endpoint!r}" + (f"; did you mean {near[0]!r}?" if near else ""), key=match[0]
        )
    try:
        return address if length is None else str(ip_network(f"{address}/{length}", strict=False))
    except ValueError:
        raise InputError(f"IPv{family} has no networks of /{length}", key=match[0]) from None


def _hostname(placeholder: str, endpoint: str, placement: Placement) -> str:
    if endpoint not in placement.hostnames:
        near = get_close_matches(endpoint, list(placement.hostnames), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "only peers outside have one"
        raise InputError(f"{endpoint!r} has no DNS name; {hint}", key=placeholder)
    return placement.hostnames[endpoint]
