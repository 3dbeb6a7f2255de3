"""Manifests -> rules -> decision. Pure: knows no driver. A new dialect is one file, and one line in `READERS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netproof.errors import InputError, NotUnderstood
from netproof.manifests.yaml_documents import Located, parse_key_path
from netproof.model.manifest import describe_object
from netproof.policy import adminnetworkpolicy, calico, cilium, clusternetworkpolicy, networkpolicy
from netproof.policy.decision import Decision, DirectionDecision
from netproof.policy.evaluator import Evaluator
from netproof.policy.lifecycle import decide_probes
from netproof.policy.rules import Policy
from netproof.policy.warnings import warnings
from netproof.policy.whole import WholeMatrix

__all__ = [
    "READERS",
    "Decision",
    "DirectionDecision",
    "Evaluator",
    "Policy",
    "UnreadPolicy",
    "WholeMatrix",
    "decide_probes",
    "read_each",
    "read_policies",
    "read_understood",
    "warnings",
]

READERS: dict[tuple[str, str], Callable[[Mapping[str, Any], Mapping[str, float]], Sequence[Policy]]] = {
    ("networking.k8s.io/v1", "NetworkPolicy"): networkpolicy.read,
    ("cilium.io/v2", "CiliumNetworkPolicy"): cilium.read,
    ("cilium.io/v2", "CiliumClusterwideNetworkPolicy"): cilium.read_clusterwide,
    ("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy"): clusternetworkpolicy.read,
    ("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy"): adminnetworkpolicy.read,
    ("policy.networking.k8s.io/v1alpha1", "BaselineAdminNetworkPolicy"): adminnetworkpolicy.read_baseline,
    (calico.API_VERSION, "NetworkPolicy"): calico.read,
    (calico.API_VERSION, "GlobalNetworkPolicy"): calico.read,
}
"""(apiVersion, kind) -> reader of one such object, which is given the order of each tier, too."""


def read_policies(manifests: Sequence[Mapping[str, Any]]) -> tuple[Policy, ...]:
    """The policies among the manifests, in order. Of two with one name the later replaces the earlier, as in a cluster.

    A kind that ends in `NetworkPolicy` is a policy and needs a reader; every other kind (Namespace, Service, …) is none
    of this room's business and is passed over. Lists (`kind: List`) are opened. Raises InputError, which names the
    object and the key; `read_each` also knows where it stands.
    """
    found: dict[tuple[str, str], Sequence[Policy]] = {}
    opened = list(_opened(manifests))
    tiers = calico.tiers(opened)
    for manifest in opened:
        api_version, kind = manifest["apiVersion"], manifest["kind"]
        if (api_version, kind) in READERS:
            key = (api_version, describe_object(manifest))
            found.pop(key, None)
            found[key] = READERS[api_version, kind](manifest, tiers)
        elif kind.endswith("NetworkPolicy"):
            known = ", ".join(f"{kind} ({api_version})" for api_version, kind in READERS)
            message = f"{kind} of {api_version} is not understood yet; understood: {known}"
            raise NotUnderstood(message, key=describe_object(manifest))
    return tuple(policy for policies in found.values() for policy in policies)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadPolicy:
    """A policy of which nobody here knows what it means, the key that is to blame (none: its kind), and why."""

    located: Located
    key: str
    why: str

    @property
    def ref(self) -> str:
        """As messages name it: `CiliumNetworkPolicy shop/api`."""
        return describe_object(self.located.content)


def read_each(objects: Sequence[Located]) -> tuple[tuple[Located, tuple[Policy, ...]], ...]:
    """Each object with the policies that it is: none for what is no policy, several for some dialects. Raises
    InputError as `read_policies` does, with file and line."""
    found, unread = read_understood(objects)
    for one in unread:
        ref = f"{one.ref}: {one.key}" if one.key else one.ref
        line = one.located.line(parse_key_path(one.key))
        raise NotUnderstood(one.why, file=one.located.document.file, line=line, key=ref)
    return found


def read_understood(
    objects: Sequence[Located],
) -> tuple[tuple[tuple[Located, tuple[Policy, ...]], ...], tuple[UnreadPolicy, ...]]:
    """The same, and beside them what is not understood. Raises InputError for what its engine would refuse."""
    # Tiers order the policies of some dialects; each policy is read by itself, so that its place is known.
    tiers = [one.content for one in objects if one.content["kind"] == "Tier"]
    found = []
    unread = []
    for one in objects:
        try:
            found.append((one, read_policies([*tiers, one.content])))
        except InputError as error:
            # The key is such as `NetworkPolicy shop/api: spec.ingress[0].ports`.
            key = (error.key or "").partition(": ")[2]
            message = str(error).removeprefix(f"{error.key}: ")
            if isinstance(error, NotUnderstood):
                unread.append(UnreadPolicy(located=one, key=key, why=message))
                continue
            line = one.line(parse_key_path(key))
            raise InputError(message, file=one.document.file, line=line, key=error.key) from None
    return tuple(found), tuple(unread)


def _opened(manifests: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    for place, manifest in enumerate(manifests):
        if not isinstance(manifest, Mapping):
            raise InputError(f"a manifest is a mapping, this is {manifest!r}", key=f"manifest {place + 1}")
        for key in ("apiVersion", "kind"):
            if not isinstance(manifest.get(key), str) or not manifest[key]:
                raise InputError(f"the manifest has no {key}", key=describe_object(manifest) or f"manifest {place + 1}")
        if manifest["kind"].endswith("List") and isinstance(manifest.get("items"), Sequence):
            kind = manifest["kind"].removesuffix("List")
            # A typed list need not repeat its type in each item; a plain List says nothing of them.
            member = {"apiVersion": manifest["apiVersion"], "kind": kind} if kind else {}
            items = manifest["items"]
            yield from _opened([{**member, **item} if isinstance(item, Mapping) else item for item in items])
        else:
            yield manifest
