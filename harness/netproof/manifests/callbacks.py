"""Which Services the API server itself calls: webhooks, conversions and aggregated APIs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netproof.manifests.fields import field_at, list_at
from netproof.manifests.yaml_documents import KeyPath, Located

WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A Service (its id) and port that the object at `path` has the API server call."""

    located: Located
    path: KeyPath
    service: str
    port: int

    @property
    def ref(self) -> str:
        return f"{self.located.content['kind']} {self.located.content['metadata']['name']}"


def callbacks_of(objects: Sequence[Located]) -> Iterator[Callback]:
    for one in objects:
        kind = one.content["kind"]
        if kind in WEBHOOKS:
            for index, hook in enumerate(list_at(one, ("webhooks",))):
                config = hook.get("clientConfig") if isinstance(hook, Mapping) else None
                yield from _callback(one, ("webhooks", index, "clientConfig", "service"), config)
        elif kind == "CustomResourceDefinition":
            path: KeyPath = ("spec", "conversion", "webhook", "clientConfig")
            yield from _callback(one, (*path, "service"), field_at(one, path))
        elif kind == "APIService":
            yield from _callback(one, ("spec", "service"), field_at(one, ("spec",)))


def _callback(one: Located, path: KeyPath, config: Any) -> Iterator[Callback]:
    service = config.get("service") if isinstance(config, Mapping) else None
    if isinstance(service, Mapping) and service.get("name"):
        port = service.get("port")
        yield Callback(
            located=one,
            path=path,
            service=f"svc:{service.get('namespace')}/{service['name']}",
            port=port if isinstance(port, int) else 443,
        )
