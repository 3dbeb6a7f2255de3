"""The Kubernetes API for plain dicts: server-side apply, read, list, delete. The library's types end in this file.

One `Api` may be used by many threads at once; exec streams are not made from it (see streams.py).
"""

from __future__ import annotations

import json
import logging
import ssl
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import urlsplit

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ResourceNotFoundError
from urllib3.util.retry import Retry

from netproof.drivers.kubernetes.polling import NotYet, poll
from netproof.errors import ClusterError, InputError
from netproof.model import Manifest
from netproof.probing.agent import tls

T = TypeVar("T")
R = TypeVar("R")

FIELD_MANAGER = "netproof"
CONCURRENT = 16
REQUEST_TIMEOUT = 30.0
CONFLICT = 409
BUSY = (429, 502, 503, 504)
"""HTTP answers that say nothing about the object: the API server, or a webhook behind it, is not ready."""
OUTAGE = 60.0
"""Seconds for which a request of a run under way is asked again while nobody answers: it may start anew."""
FIRST = ("Namespace", "CustomResourceDefinition", "ServiceAccount", "PriorityClass")
"""Kinds that others need before them."""


@dataclass(frozen=True, slots=True)
class Ref:
    """Names one object of a cluster. `namespace` is '' for what belongs to none."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, manifest: Manifest) -> Ref:
        """Raises InputError when the manifest lacks what every object has."""
        metadata = manifest.get("metadata") or {}
        for key, value in (("apiVersion", manifest.get("apiVersion")), ("kind", manifest.get("kind"))):
            if not value:
                raise InputError(f"this object has no {key}: {json.dumps(manifest, default=str)[:200]}")
        if not metadata.get("name"):
            raise InputError(f"a {manifest['kind']} has no metadata.name")
        return cls(manifest["apiVersion"], manifest["kind"], metadata.get("namespace") or "", metadata["name"])

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace + '/' if self.namespace else ''}{self.name}"


class Refused(ClusterError):
    """The API server's answer to one request: `status` is HTTP's, or 0 when nobody answered; `answer` its own words."""

    def __init__(self, request: str, status: int, answer: str) -> None:
        how = f"the API server refused it (HTTP {status})" if status else "the API server does not answer"
        super().__init__(f"{request}: {how}: {answer}")
        self.status = status
        self.answer = answer


class Unknown(Refused):
    """The cluster does not know a kind."""


class QuietRetry(Retry):
    """How often a request is tried again. urllib3 warns of each attempt; what came of them all is told by who asked."""


def is_worth_logging(record: logging.LogRecord) -> bool:
    """A filter for urllib3's logger: warnings about attempts of requests that are not ours stay."""
    return not (isinstance(record.args, tuple) and any(isinstance(one, QuietRetry) for one in record.args))


class Api:
    """One cluster's API, by a kubeconfig (None: the user's, `$KUBECONFIG` or `~/.kube/config`), which is read and never
    written. Raises InputError when it is not there or has no such context."""

    def __init__(self, kubeconfig: Path | None, context: str = "") -> None:
        self.configuration = client.Configuration()
        file = str(kubeconfig) if kubeconfig else None
        try:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=file,
                context=context or None,
                client_configuration=self.configuration,
                persist_config=False,
            )
        except (config.ConfigException, OSError) as error:
            raise InputError(f"{error}{_contexts(file)}", key="--context" if context else "--kubeconfig") from None
        self.configuration.connection_pool_maxsize = 4 * CONCURRENT  # several threads may apply at the same time
        self.configuration.retries = QuietRetry(3)  # urllib3's own number
        logging.getLogger("urllib3.connectionpool").addFilter(is_worth_logging)
        self._client = client.ApiClient(self.configuration)
        # The library's own cache file is named by address alone, and clusters that follow one another share addresses.
        self._folder = tempfile.TemporaryDirectory(prefix="netproof-api-")
        self._dynamic: Any = None
        self._resources: dict[tuple[str, str], Any] = {}
        self._lock = Lock()

    def version(self) -> str:
        """The API server's version, `v1.36.3`. Raises Refused while it does not answer."""
        version: str = self._ask("reading the version", lambda: self._discovery().version["kubernetes"]["gitVersion"])
        return version

    def certificate(self) -> str:
        """By what a TLS client knows the API server; '' behind a proxy, and where it cannot be read."""
        address = urlsplit(self.configuration.host)
        try:
            pem = ssl.get_server_certificate((address.hostname or "", address.port or 443), timeout=REQUEST_TIMEOUT)
        except OSError:
            return ""
        return tls.certificate(ssl.PEM_cert_to_DER_cert(pem))

    def apply(self, manifest: Manifest, *, dry_run: bool = False) -> dict[str, Any]:
        """Server-side apply; conflicts are ours to win. Gives the object as it is now, or with `dry_run` as it would
        be. Raises Refused."""
        ref = Ref.of(manifest)
        resource = self._resource(ref.api_version, ref.kind)
        if resource.namespaced and not ref.namespace:
            raise Refused(f"applying {ref}", 400, "metadata.namespace is needed")
        answer = self._ask(
            f"applying {ref}",
            lambda: self._dynamic.server_side_apply(
                resource,
                manifest,
                namespace=ref.namespace or None,
                field_manager=FIELD_MANAGER,
                force_conflicts=True,
                dry_run="All" if dry_run else None,
                serialize=False,
                _request_timeout=REQUEST_TIMEOUT,
            ),
        )
        applied: dict[str, Any] = json.loads(answer.data)
        return applied

    def replace(self, manifest: Manifest) -> dict[str, Any]:
        """What is there becomes this object and nothing else: an apply would keep what the API server itself once wrote
        into a field that the manifest leaves out. Gives the object as it is now. Raises Refused: 409 when somebody
        changes it at the same time."""
        ref = Ref.of(manifest)
        live = self.get(ref)
        if live is None:
            return self.apply(manifest)
        metadata = {**manifest["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}
        resource = self._resource(ref.api_version, ref.kind)
        answer = self._ask(
            f"replacing {ref}",
            lambda: self._dynamic.replace(
                resource,
                {**manifest, "metadata": metadata},
                namespace=ref.namespace or None,
                serialize=False,
                _request_timeout=REQUEST_TIMEOUT,
            ),
        )
        replaced: dict[str, Any] = json.loads(answer.data)
        return replaced

    def get(self, ref: Ref) -> dict[str, Any] | None:
        """The object as it is in the cluster, or None."""
        path = self._resource(ref.api_version, ref.kind).path(name=ref.name, namespace=ref.namespace or None)
        try:
            return self.read(path)
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def list(self, path: str, **query: str) -> list[dict[str, Any]]:
        """The items at an API path such as `/api/v1/pods`. Query: label_selector, field_selector."""
        found: list[dict[str, Any]] = self.read(path, **query)["items"]
        return found

    def read(self, path: str, **query: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.text(path, **query))
        return content

    def text(self, path: str, **query: str) -> str:
        """The body of a GET, also of what is no JSON (pod logs)."""

        def ask() -> str:
            answer = self._discovery().request("get", path, serialize=False, _request_timeout=REQUEST_TIMEOUT, **query)
            return str(answer.data.decode("utf-8", "replace"))

        return self._ask(f"reading {path}", ask)

    def delete(self, ref: Ref) -> None:
        """Ask for an object's deletion, in its own time; one that is gone already is fine."""
        try:
            path = self._resource(ref.api_version, ref.kind).path(name=ref.name, namespace=ref.namespace or None)
            self._ask(
                f"deleting {ref}",
                lambda: self._dynamic.request("delete", path, serialize=False, _request_timeout=REQUEST_TIMEOUT),
            )
        except Refused as error:
            if error.status != 404:
                raise

    def kinds(self, group_version: str) -> Sequence[tuple[str, str, bool]]:
        """What an API group version holds, as (kind, plural, namespaced); nothing when the cluster does not have it."""
        base = f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"
        try:
            resources = self.read(base)["resources"]
        except Refused as error:
            if error.status == 404:
                return ()
            raise
        return [(r["kind"], r["name"], r["namespaced"]) for r in resources if "/" not in r["name"]]

    def _discovery(self) -> Any:
        with self._lock:
            if self._dynamic is None:
                cache = f"{self._folder.name}/discovery.json"
                self._dynamic = DynamicClient(self._client, cache_file=cache)  # type: ignore[no-untyped-call]
            return self._dynamic

    def _resource(self, api_version: str, kind: str) -> Any:
        dynamic = self._ask("reading the API groups", self._discovery)
        with self._lock:
            if (api_version, kind) not in self._resources:
                group, _, version = api_version.rpartition("/")
                where = {"prefix": "apis", "group": group} if group else {"prefix": "api"}
                self._resources[api_version, kind] = self._ask(
                    f"looking for {kind} of {api_version}",
                    lambda: dynamic.resources.get(**where, api_version=version, kind=kind),
                )
            return self._resources[api_version, kind]

    @staticmethod
    def _ask(what: str, request: Callable[[], T]) -> T:
        try:
            return request()
        except ResourceNotFoundError as error:
            raise Unknown(what, 404, str(error)) from None
        except ApiException as error:
            raise Refused(what, error.status or 0, _message(error)) from None
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise Refused(what, 0, str(error)) from None


def _contexts(file: str | None) -> str:
    try:
        found, _ = config.list_kube_config_contexts(file)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError):
        return ""
    return f"; contexts: {', '.join(sorted(one['name'] for one in found)) or 'none'}"


def _message(error: ApiException) -> str:
    try:
        message: str = json.loads(error.body or "")["message"]
    except (ValueError, KeyError, TypeError):
        return str(error.body or error.reason)
    return message


def concurrently(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Do it for all items, several at once, and give what came of each. The first failure is raised when all have
    ended."""
    with ThreadPoolExecutor(CONCURRENT, thread_name_prefix="netproof-api") as pool:
        return [future.result() for future in [pool.submit(work, item) for item in items]]


def install(api: Api, manifests: Sequence[Manifest], *, timeout: float = 90) -> None:
    """Apply a CNI's objects, those first that others need. What is refused is tried again until the deadline, because a
    young API server refuses many things. Raises ClusterError that names the object and the last answer."""

    def one(manifest: Manifest) -> None:
        def step() -> None:
            try:
                api.apply(manifest)
            except Refused as error:
                raise NotYet(str(error)) from None

        poll(step, timeout=timeout, what=f"applying {Ref.of(manifest)}")

    first = [manifest for manifest in manifests if manifest.get("kind") in FIRST]
    concurrently(one, first)
    concurrently(one, [manifest for manifest in manifests if manifest not in first])


def submit(
    api: Api, manifest: Mapping[str, Any], *, replace: bool = False, patience: float = 5, outage: float = OUTAGE
) -> dict[str, Any]:
    """Apply an object of the user's, or let it `replace` the one that is there; gives it as the cluster has it. Raises
    InputError when it is refused, or its kind is not known for `patience` seconds; ClusterError when nobody answers for
    `outage` seconds."""
    ref = Ref.of(manifest)
    began = time.monotonic()

    def step() -> dict[str, Any]:
        try:
            return expect_answer(lambda: (api.replace if replace else api.apply)(manifest))
        except Unknown:
            unknown = (
                f"the cluster knows no {ref.kind} of {ref.api_version}: this CNI lacks that API, or it is not installed"
            )
            if time.monotonic() - began >= patience:
                raise InputError(f"{ref}: {unknown}") from None
            raise NotYet(unknown) from None
        except Refused as error:
            if replace and error.status == CONFLICT:
                raise NotYet(str(error)) from None
            raise InputError(f"{ref} is refused by the API server: {error.answer}") from None

    return poll(step, timeout=outage, what=f"applying {ref}")


def withdraw(api: Api, ref: Ref, *, outage: float = OUTAGE) -> None:
    """Ask for an object's deletion. Raises ClusterError when nobody answers for `outage` seconds."""
    poll(lambda: expect_answer(lambda: api.delete(ref)), timeout=outage, what=f"deleting {ref}")


def expect_answer(request: Callable[[], T]) -> T:
    """A step of a poll. Raises NotYet when nobody answered; Refused for what was refused."""
    try:
        return request()
    except Refused as error:
        if error.status in (0, *BUSY):
            raise NotYet(str(error)) from None
        raise
