"""What the readers of all dialects share: where in an object they are, how they refuse, and the API's small values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, NoReturn, cast, get_args

from netproof.errors import InputError, NotUnderstood
from netproof.policy.rules import Operator, Requirement, Selector

OBJECT_KEYS = ("apiVersion", "kind", "metadata", "spec")
METADATA_KEYS = (
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)
LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LONGEST = {"name": 253, "namespace": 63}
PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def open_manifest(
    manifest: Mapping[str, Any], kind: str, keys: Sequence[str], *, namespaced: bool = True
) -> tuple[At, str, str]:
    """An object's place in messages (`kind namespace/name`), its namespace ('' for none) and its name. Refuses wrong
    keys and metadata."""
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    namespace = (metadata.get("namespace") if isinstance(metadata, Mapping) else None) or (
        "default" if namespaced else ""
    )
    full = f"{namespace}/{name}" if namespaced else name
    top = At(f"{kind} {full}" if name else f"{kind} without a name")
    top.mapping(manifest, (*OBJECT_KEYS, *keys))
    top.key("metadata").mapping(metadata, METADATA_KEYS)
    if not namespaced and namespace:
        top.key("metadata").key("namespace").fail(f"{kind} has no namespace: it holds for the whole cluster")
    for key, value in (("name", name), *((("namespace", namespace),) if namespaced else ())):
        if not isinstance(value, str) or len(value) > LONGEST[key] or not SUBDOMAIN.fullmatch(value):
            top.key("metadata").key(key).fail(f"must be the name of an object (got {value!r})")
    return top, namespace, str(name)


@dataclass(frozen=True, slots=True)
class At:
    """Where in the object the reader is; knows how to refuse."""

    path: str
    below: str = ""

    def key(self, key: str) -> At:
        return At(self.path, f"{self.below}.{key}" if self.below else key)

    def item(self, index: int) -> At:
        return At(self.path, f"{self.below}[{index}]")

    def fail(self, message: str) -> NoReturn:
        raise InputError(message, key=f"{self.path}: {self.below}" if self.below else self.path)

    def leave(self, message: str) -> NoReturn:
        """Refuse what its engine takes and nobody reads here."""
        raise NotUnderstood(message, key=f"{self.path}: {self.below}" if self.below else self.path)

    def mapping(self, content: Any, known: Sequence[str]) -> Mapping[str, Any]:
        """A mapping with none but the known keys; null is an empty one, as for the API server."""
        if content is None:
            return {}
        if not isinstance(content, Mapping):
            self.fail(f"must be a mapping (got {content!r})")
        for key in content:
            if key not in known:
                near = get_close_matches(str(key), known, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
                self.key(str(key)).fail(f"unknown key; {hint}")
        return content

    def sequence(self, content: Any) -> list[Any]:
        if content is None:
            return []
        if not isinstance(content, list | tuple):
            self.fail(f"must be a list (got {content!r})")
        for index, item in enumerate(content):
            if item is None:
                self.item(index).fail("an empty item; write {} where everything is meant")
        return list(content)


def inside(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    return inner.version == outer.version and inner.network_address in outer


def network(text: Any, at: At) -> IPv4Network | IPv6Network:
    """A CIDR as the API server takes it: with a prefix length in digits; host bits may be set and mean nothing."""
    example = "(for example 192.168.1.0/24 or 2001:db8::/64)"
    if text is None or text == "":
        at.fail(f"this key is needed: an address range {example}")
    if not isinstance(text, str) or not re.fullmatch(r"[^/]+/[0-9]{1,3}", text):
        at.fail(f"must be an address range in CIDR notation {example} (got {text!r})")
    try:
        return ip_network(text, strict=False)
    except ValueError:
        at.fail(f"must be an address range in CIDR notation {example} (got {text!r})")


def number(number: Any, at: At) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 65535:
        at.fail(f"must be a port number from 1 to 65535 (got {number!r})")
    return number


def label_selector(content: Any, at: At) -> Selector:
    selector = at.mapping(content, ("matchLabels", "matchExpressions"))
    requirements = []
    labels_at = at.key("matchLabels")
    labels = selector.get("matchLabels")
    if labels is not None and not isinstance(labels, Mapping):
        labels_at.fail(f"must be a mapping (got {labels!r})")
    for key, value in (labels or {}).items():
        requirements.append(
            Requirement(key=label_key(key, labels_at), operator="In", values=(label(value, labels_at.key(str(key))),))
        )
    for index, item in enumerate(at.key("matchExpressions").sequence(selector.get("matchExpressions"))):
        requirements.append(expression(item, at.key("matchExpressions").item(index)))
    return Selector(requirements=tuple(requirements))


def expression(content: Any, at: At) -> Requirement:
    expression = at.mapping(content, ("key", "operator", "values"))
    key = label_key(expression.get("key"), at.key("key"))
    operator = expression.get("operator")
    if operator not in get_args(Operator):
        at.key("operator").fail(f"must be In, NotIn, Exists or DoesNotExist (got {operator!r})")
    listed = at.key("values").sequence(expression.get("values"))
    values = tuple(label(value, at.key("values").item(index)) for index, value in enumerate(listed))
    if operator in ("In", "NotIn") and not values:
        at.key("values").fail(f"must be specified when the operator is {operator}")
    if operator in ("Exists", "DoesNotExist") and values:
        at.key("values").fail(f"may not be specified when the operator is {operator}")
    return Requirement(key=key, operator=cast(Operator, operator), values=values)


def label(value: Any, at: At) -> str:
    if not isinstance(value, str):
        at.fail(f"a label's value is a string; write {str(value).lower()!r} in quotes (got {value!r})")
    if len(value) > 63 or not LABEL.fullmatch(value):
        at.fail(f"not a label's value: at most 63 letters, digits, '-', '_' and '.' (got {value!r})")
    return value


def label_key(key: Any, at: At) -> str:
    if not isinstance(key, str) or not key:
        at.fail(f"a label's key is needed (got {key!r})")
    prefix, slash, name = key.rpartition("/")
    named = 0 < len(name) <= 63 and LABEL.fullmatch(name) is not None
    if not named or (slash and not (len(prefix) <= 253 and SUBDOMAIN.fullmatch(prefix))):
        at.fail(f"not a label's key: [domain/]name of letters, digits, '-', '_' and '.' (got {key!r})")
    return key
