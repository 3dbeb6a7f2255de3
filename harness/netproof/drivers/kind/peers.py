"""The containers that are peers outside: their start, with testcontainers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import requests
from docker.constants import DEFAULT_DOCKER_API_VERSION
from docker.errors import DockerException
from docker.types import EndpointConfig
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from netproof.drivers.kind import docker
from netproof.drivers.kubernetes.manifests import AGENT_PATH, SYSCTLS, USER
from netproof.drivers.kubernetes.polling import NotYet, poll
from netproof.errors import ClusterError

START_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A peer to be: its container's name, the name by which pods find it, and what errors call it."""

    name: str
    hostname: str
    title: str
    command: Sequence[str]
    labels: Mapping[str, str]


@contextmanager
def without_reaper() -> Iterator[None]:
    """Ryuk would be one more image to have, and would remove peers of a cluster that the user wants to keep. Whoever
    else uses the library in this process keeps what they set."""
    before = testcontainers_config.ryuk_disabled
    testcontainers_config.ryuk_disabled = True
    try:
        yield
    finally:
        testcontainers_config.ryuk_disabled = before


def start(peer: Peer, image: str, agent: bytes) -> None:
    """Start a peer and wait until its agent listens; `without_reaper`. Raises ClusterError."""
    try:
        container = _container(peer, image, agent)
        container.start()

        def step() -> None:
            output = container.get_wrapped_container().logs().decode("utf-8", "replace")
            if not output.startswith("ready"):
                raise NotYet(output or "its agent has said nothing yet")

        poll(step, timeout=START_TIMEOUT, every=0.1, what=f"starting the outside peer {peer.title}")
    except (DockerException, requests.RequestException) as error:
        hint = ""
        if not docker.local_images([image]):
            hint = ": the image is not in the local engine and could not be pulled; `docker pull` or `docker load` it"
        message = f"the outside peer {peer.title} could not be started from {image}{hint}"
        raise ClusterError(message, details=str(error)) from None


def _container(peer: Peer, image: str, agent: bytes) -> DockerContainer:
    container = DockerContainer(image, name=peer.name, transferables=[(agent, AGENT_PATH, 0o644)])
    return container.with_command(list(peer.command)).with_kwargs(
        labels=dict(peer.labels),
        network=docker.NETWORK,
        networking_config={docker.NETWORK: EndpointConfig(DEFAULT_DOCKER_API_VERSION, aliases=[peer.hostname])},
        stdin_open=True,
        detach=True,  # else its input ends with the first stream
        user=f"{USER}:{USER}",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        sysctls=SYSCTLS,
    )
