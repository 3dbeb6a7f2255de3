"""Rules about how ipBlocks are written, and about addresses that no ipBlock can rely on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv6Network, ip_address, ip_network

from netproof.lint.model import DIRECTIONS, PEERS_KEY, Hit, LintInput, LocatedPolicy
from netproof.manifests.yaml_documents import KeyPath
from netproof.policy.rules import NetworkPeer


def ambiguous(inputs: LintInput) -> Iterator[Hit]:
    """CIDRs that say more than a range, which Kubernetes refuses from 1.36 on and CNIs read differently."""
    for one in inputs.policies:
        for path, text, meant in ambiguous_blocks(one):
            yield Hit(
                sentence=f"{text} in {one.policy.ref} is ambiguous: it is read as {meant}, CNIs may read it otherwise, "
                "and Kubernetes refuses it from 1.36 on",
                place=one.place(path),
                fix=f"write {meant}",
            )


def ambiguous_blocks(one: LocatedPolicy) -> list[tuple[KeyPath, str, str]]:
    """Where such a CIDR stands, itself, and the range that it is read as."""
    return [found for found in _written(one) if found[1] != found[2]] if one.is_network_policy else []


def _written(one: LocatedPolicy) -> Iterator[tuple[KeyPath, str, str]]:
    spec = one.located.content.get("spec") or {}
    for direction in DIRECTIONS:
        for index, rule in enumerate(spec.get(direction) or ()):
            for place, peer in enumerate(rule.get(PEERS_KEY[direction]) or ()):
                block = peer.get("ipBlock") if isinstance(peer, Mapping) else None
                if not isinstance(block, Mapping):
                    continue
                here: KeyPath = ("spec", direction, index, PEERS_KEY[direction], place, "ipBlock")
                yield (*here, "cidr"), block["cidr"], _plain(block["cidr"])
                for number, text in enumerate(block.get("except") or ()):
                    yield (*here, "except", number), text, _plain(text)


def _plain(text: str) -> str:
    """The range as it is written without doubt. Other spellings of the same IPv6 range are no doubt."""
    network = ip_network(text, strict=False)
    if isinstance(network, IPv6Network):
        mapped = network.network_address.ipv4_mapped
        if mapped is not None and network.prefixlen >= 96:
            return f"{mapped}/{network.prefixlen - 96}"
        address = text.partition("/")[0]
        return text if ip_address(address) == network.network_address else str(network)
    return str(network)


def of_services(inputs: LintInput) -> Iterator[Hit]:
    """Blocks that mean nothing but Services' addresses: policies may see the pods behind them instead."""
    ranges = [ip_network(text, strict=False) for text in inputs.inventory.service_ranges]
    services = {
        ip_address(address): name for address, name in inputs.inventory.by_address.items() if name.startswith("svc:")
    }
    for one in inputs.policies:
        for rule in one.policy.rules:
            for place, peer in enumerate(rule.peers or ()):
                if not isinstance(peer, NetworkPeer) or rule.action != "allow":
                    continue
                network = ip_network(peer.cidr)
                alone = services.get(network.network_address) if network.num_addresses == 1 else None
                inside = [
                    str(wide)
                    for wide in ranges
                    if wide.version == network.version
                    and wide.prefixlen <= network.prefixlen
                    and network.network_address in wide
                ]
                if alone or inside:
                    what = f"Service {alone.removeprefix('svc:')}" if alone else f"Services ({inside[0]})"
                    yield Hit(
                        sentence=f"{peer} in {rule.direction} rule {rule.index + 1} of {one.policy.ref} means the "
                        f"address of {what}, and the API leaves open whether an ipBlock sees it or the pod behind it",
                        place=one.place_of_peer(rule, place),
                        fix="select the pods behind the Service, on their own port",
                    )
