"""Manifests with every namespace that they name renamed. Strict: a field that is not known to name none is refused,
since a name that stays would silently mean somebody else's namespace.

Each kind has a table of its fields; adding a dialect is one more. A value that is not of the form that its field has
stays as it is: refusing it is the API server's work.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from netproof.errors import suggest
from netproof.model import Manifest
from netproof.model.topology import NAME_LABEL
from netproof.policy.calicoends import NAME, NAMES_OF_NAMESPACES
from netproof.policy.calicoselector import rewrite_values
from netproof.policy.ciliumpeers import NAMESPACE_KEY, NAMESPACE_LABELS
from netproof.policy.reading import At
from netproof.policy.rules import HOLDS, Operator, TextOperator

ALONE = "Workers rename their namespaces; -n 0 measures without any"
LABELS = frozenset({NAME_LABEL, NAMESPACE_KEY, NAMESPACE_LABELS + NAME_LABEL})
"""Labels of selectors whose value is a namespace's name. Cilium's may have a source in front (`k8s:`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renaming:
    """Namespaces of these names get the suffix."""

    names: frozenset[str] = field(default_factory=frozenset)
    suffix: str

    def rename(self, name: str) -> str:
        return f"{name}{self.suffix}" if name in self.names else name


Walk = Callable[[Any, Renaming, At], Any]
"""A field's content -> the same with other names. Refuses what it does not know."""


def rename_namespaces(manifest: Manifest, renaming: Renaming) -> Manifest:
    """Raises InputError that names the object and the field."""
    kind, metadata = manifest.get("kind", ""), manifest.get("metadata") or {}
    at = At(f"{kind} {'/'.join(filter(None, (metadata.get('namespace'), metadata.get('name'))))}")
    walk = KINDS.get((manifest.get("apiVersion", ""), kind))
    if walk is None:
        known = ", ".join(sorted({name for _, name in KINDS}))
        at.fail(f"{kind} of {manifest.get('apiVersion')} is not known here (known: {known}). {ALONE}")
    renamed: Manifest = walk(manifest, renaming, at)
    return renamed


def keep(content: Any, renaming: Renaming, at: At) -> Any:
    """It names no namespace."""
    return content


def namespace(content: Any, renaming: Renaming, at: At) -> Any:
    """It is a namespace's name."""
    return renaming.rename(content) if isinstance(content, str) else content


def fields(**known: Walk) -> Walk:
    """A mapping with none but these keys."""

    def walk(content: Any, renaming: Renaming, at: At) -> Any:
        if not isinstance(content, Mapping):
            return content
        for key in content:
            if key not in known:
                at.key(str(key)).fail(
                    f"whether this field names a namespace is not known here; {suggest(str(key), known)}. {ALONE}"
                )
        return {key: known[key](value, renaming, at.key(key)) for key, value in content.items()}

    return walk


def each(walk_item: Walk) -> Walk:
    def walk(content: Any, renaming: Renaming, at: At) -> Any:
        if not isinstance(content, list | tuple):
            return content
        return [walk_item(item, renaming, at.item(index)) for index, item in enumerate(content)]

    return walk


def _labels(content: Any, renaming: Renaming, at: At) -> Any:
    if not isinstance(content, Mapping):
        return content
    return {key: namespace(value, renaming, at) if _is_name(key) else value for key, value in content.items()}


def _expression(content: Any, renaming: Renaming, at: At) -> Any:
    if not isinstance(content, Mapping) or not _is_name(content.get("key")) or "values" not in content:
        return content
    return {**content, "values": each(namespace)(content["values"], renaming, at)}


def _is_name(label: Any) -> bool:
    return isinstance(label, str) and label.rpartition(":")[2] in LABELS


selector = fields(matchLabels=_labels, matchExpressions=each(_expression))


def selector_text(names: frozenset[str]) -> Walk:
    """A selector of Calico's, in which these labels have names of namespaces."""

    def walk(content: Any, renaming: Renaming, at: At) -> Any:
        def rewrite(label: str, operator: Operator | TextOperator, value: str) -> str:
            if label not in names:
                return value
            if operator in ("In", "NotIn"):
                return renaming.rename(value)
            compare = HOLDS[operator]
            for name in sorted(renaming.names):
                if compare(name, (value,)) != compare(renaming.rename(name), (value,)):
                    at.fail(f"{value!r} is compared with a part of the namespace's name {name}. {ALONE}")
            return value

        return rewrite_values(content, at, rewrite) if isinstance(content, str) else content

    return walk


def domain_name(content: Any, renaming: Renaming, at: At) -> Any:
    """A name in DNS. That of a Service has its namespace's name in it."""
    if isinstance(content, str):
        for name in sorted(renaming.names):
            if re.search(rf"(^|\.){re.escape(name)}\.svc(\.|$)", content):
                at.fail(f"{content!r} is in the namespace {name}. {ALONE}")
    return content


def _metadata(content: Any, renaming: Renaming, at: At) -> Any:
    if not isinstance(content, Mapping) or "namespace" not in content:
        return content
    return {**content, "namespace": namespace(content["namespace"], renaming, at.key("namespace"))}


def _object(**known: Walk) -> Walk:
    return fields(apiVersion=keep, kind=keep, metadata=_metadata, status=keep, **known)


def _any_object(content: Any, renaming: Renaming, at: At) -> Any:
    """One that names no namespace but its own."""
    return {**content, "metadata": _metadata(content.get("metadata"), renaming, at.key("metadata"))}


def _namespace_object(content: Any, renaming: Renaming, at: At) -> Any:
    metadata = content.get("metadata") or {}
    return {**content, "metadata": {**metadata, "name": renaming.rename(metadata.get("name", ""))}}


def _kubernetes() -> Walk:
    peers = each(fields(podSelector=keep, namespaceSelector=selector, ipBlock=keep))
    return _object(
        spec=fields(
            podSelector=keep,
            policyTypes=keep,
            ingress=each(fields(**{"from": peers}, ports=keep)),
            egress=each(fields(to=peers, ports=keep)),
        )
    )


def _network_policy_api() -> Walk:
    pods = {"namespaces": selector, "pods": fields(namespaceSelector=selector, podSelector=keep)}
    beyond = {"networks": keep, "nodes": keep, "domainNames": each(domain_name)}
    rule = {"name": keep, "action": keep, "protocols": keep, "ports": keep}
    return _object(
        spec=fields(
            tier=keep,
            priority=keep,
            subject=fields(**pods),
            ingress=each(fields(**rule, **{"from": each(fields(**pods))})),
            egress=each(fields(**rule, to=each(fields(**pods, **beyond)))),
        )
    )


def _calico() -> Walk:
    pods, spaces = selector_text(NAMES_OF_NAMESPACES), selector_text(frozenset({NAME, NAME_LABEL}))
    entity = fields(
        nets=keep,
        notNets=keep,
        selector=pods,
        notSelector=pods,
        namespaceSelector=spaces,
        services=fields(name=keep, namespace=namespace),
        ports=keep,
        notPorts=keep,
        serviceAccounts=keep,
    )
    rule = fields(
        action=keep,
        ipVersion=keep,
        protocol=keep,
        notProtocol=keep,
        icmp=keep,
        notICMP=keep,
        http=keep,
        metadata=keep,
        source=entity,
        destination=entity,
    )
    return _object(
        spec=fields(
            tier=keep,
            order=keep,
            types=keep,
            selector=pods,
            serviceAccountSelector=keep,
            namespaceSelector=spaces,
            performanceHints=keep,
            doNotTrack=keep,
            preDNAT=keep,
            applyOnForward=keep,
            ingress=each(rule),
            egress=each(rule),
        )
    )


def _cilium() -> Walk:
    names = each(fields(matchName=domain_name, matchPattern=domain_name))
    services = each(
        fields(
            k8sService=fields(serviceName=keep, namespace=namespace),
            k8sServiceSelector=fields(selector=keep, namespace=namespace),
        )
    )
    common = {
        "toPorts": each(fields(ports=keep, rules=fields(dns=names))),
        "icmps": keep,
        "authentication": keep,
    }

    def peers(side: str) -> dict[str, Walk]:
        return {
            f"{side}Endpoints": each(selector),
            f"{side}Requires": each(selector),
            f"{side}CIDR": keep,
            f"{side}CIDRSet": each(fields(**{"cidr": keep, "except": keep})),
            f"{side}Entities": keep,
            f"{side}Groups": keep,
            f"{side}Nodes": keep,
        }

    ingress = each(fields(**common, **peers("from")))
    egress = each(fields(**common, **peers("to"), toServices=services, toFQDNs=names))
    spec = fields(
        endpointSelector=selector,
        enableDefaultDeny=keep,
        labels=keep,
        description=keep,
        log=keep,
        ingress=ingress,
        ingressDeny=ingress,
        egress=egress,
        egressDeny=egress,
    )
    return _object(spec=spec, specs=each(spec))


KINDS: Mapping[tuple[str, str], Walk] = {
    ("networking.k8s.io/v1", "NetworkPolicy"): _kubernetes(),
    ("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy"): _network_policy_api(),
    ("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy"): _network_policy_api(),
    ("projectcalico.org/v3", "NetworkPolicy"): _calico(),
    ("projectcalico.org/v3", "GlobalNetworkPolicy"): _calico(),
    ("projectcalico.org/v3", "NetworkSet"): _any_object,
    ("cilium.io/v2", "CiliumNetworkPolicy"): _cilium(),
    ("cilium.io/v2", "CiliumClusterwideNetworkPolicy"): _cilium(),
    ("v1", "Namespace"): _namespace_object,
    **{("v1", kind): _any_object for kind in ("ConfigMap", "Endpoints", "Secret", "Service", "ServiceAccount")},
}
"""(apiVersion, kind) -> how its namespaces are renamed. What holds for the whole cluster and cannot be held within one
worker's namespaces (a Tier, the BaselineAdminNetworkPolicy) is none of them."""
