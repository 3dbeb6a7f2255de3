"""The user's own manifests: read from a file, a folder or standard input, and reduced to one direction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from netproof.errors import InputError
from netproof.manifests.yaml_documents import Document, KeyPath, Located, read_yaml
from netproof.model import Manifest

Directions = Literal["both", "ingress", "egress"]

SUFFIXES = (".yaml", ".yml", ".json")
POLICY_KINDS = ("NetworkPolicy", "Tier")
"""How the kinds of policies end, and of what orders them."""
NAMESPACED_POLICIES = frozenset({"NetworkPolicy", "CiliumNetworkPolicy"})


def read_objects(source: Path | str) -> tuple[Located, ...]:
    """The objects of a FILE, of a DIR's *.yaml, *.yml and *.json files (sorted by name), or of standard input for `-`,
    each with its place.

    Lists are flattened. Raises InputError when there is none, or one without apiVersion, kind or name.
    """
    found: list[Located] = []
    for file in _files(source):
        for document in read_yaml(file):
            found += iterate_objects(document)
    if not found:
        raise InputError("no Kubernetes object in here", file="<stdin>" if str(source) == "-" else source)
    return tuple(found)


def read_each_located(sources: Path | str | Sequence[Path | str] | Sequence[Located]) -> tuple[Located, ...]:
    """The objects of one source or of several, in their order; what was read already stays. Raises InputError."""
    named: Sequence[Any] = [sources] if isinstance(sources, Path | str) else sources
    if sum(str(one) == "-" for one in named if not isinstance(one, Located)) > 1:
        raise InputError("standard input can be read once only")
    found: list[Located] = []
    for one in named:
        found += [one] if isinstance(one, Located) else read_objects(one)
    return tuple(found)


def iterate_objects(document: Document) -> Iterator[Located]:
    """The objects of one document; Lists are flattened. Raises InputError as `read_located` does."""
    return _objects(document, (), document.content)


def _files(source: Path | str) -> list[Path | str]:
    if str(source) == "-" or not Path(source).is_dir():
        return [source]
    return sorted(path for path in Path(source).iterdir() if path.suffix in SUFFIXES and path.is_file())


def _objects(document: Document, path: KeyPath, content: Any) -> Iterator[Located]:
    if not isinstance(content, dict):
        raise document.error(path, "a Kubernetes object is expected: a mapping with apiVersion, kind and metadata")
    for key in ("apiVersion", "kind"):
        if key not in content:
            raise document.error(
                path, f"a Kubernetes object without {key}; the keys here are: {', '.join(map(str, content))}"
            )
        if not isinstance(content[key], str):
            raise document.error((*path, key), f"a text is expected (got {content[key]!r})")
    kind = content["kind"]
    if kind.endswith("List") and isinstance(content.get("items"), list):
        for index, item in enumerate(content["items"]):
            implied = {} if kind == "List" else {"apiVersion": content["apiVersion"], "kind": kind.removesuffix("List")}
            yield from _objects(
                document, (*path, "items", index), {**implied, **item} if isinstance(item, dict) else item
            )
        return
    metadata = content.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise document.error((*path, "metadata"), f"this {kind} has no metadata.name")
    yield Located(content=content, document=document, path=path)


def select_policies(objects: Sequence[Located]) -> tuple[Located, ...]:
    """The policies among them, of whatever dialect, and what orders them."""
    return tuple(one for one in objects if str(one.content["kind"]).endswith(POLICY_KINDS))


def set_namespace(objects: Sequence[Located], namespace: str) -> tuple[Located, ...]:
    """Policies that name no namespace get this one, as `kubectl apply -n` does."""
    return tuple(
        replace(one, content={**one.content, "metadata": {**one.content["metadata"], "namespace": namespace}})
        if one.content["kind"] in NAMESPACED_POLICIES and not one.content["metadata"].get("namespace")
        else one
        for one in objects
    )


def restrict_directions(manifests: tuple[Manifest, ...], side: Directions) -> tuple[Manifest, ...]:
    """The manifests with only that direction. Policies that say nothing in it are left out. Raises InputError for
    dialects other than NetworkPolicy, whose directions depend on more than a list."""
    if side == "both":
        return manifests
    return tuple(reduced for manifest in manifests if (reduced := _reduce(manifest, side)) is not None)


def _reduce(manifest: Manifest, side: Directions) -> Manifest | None:
    kind, version = manifest["kind"], manifest["apiVersion"]
    if (kind, version) != ("NetworkPolicy", "networking.k8s.io/v1"):
        if kind.endswith("NetworkPolicy"):
            raise InputError(
                f"only NetworkPolicies of networking.k8s.io/v1 are tried one side at a time, not {version} {kind}"
            )
        return manifest
    spec = manifest.get("spec") or {}
    types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    wanted, other = ("Ingress", "egress") if side == "ingress" else ("Egress", "ingress")
    if wanted not in types:
        return None
    kept = {key: value for key, value in spec.items() if key != other}
    return {**manifest, "spec": {**kept, "policyTypes": [wanted]}}
