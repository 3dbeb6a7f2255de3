"""One real cluster, as small as it gets: Calico comes up, a deny denies, and nothing is left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from netproof.clusters import recipes
from netproof.clusters.recipes import CniVersion
from netproof.drivers import Driver, DriverOptions, create, programs
from netproof.drivers.kind import artifacts, docker, state
from netproof.drivers.kubernetes.polling import NotYet, poll
from netproof.errors import ClusterError
from netproof.model import External, Namespace, Pod, Port, Topology
from tests import require

RECIPE = recipes.load(CniVersion(name="calico"))
PORTS = (Port(port=80),)
TOPOLOGY = Topology(
    namespaces=(Namespace(name="shop"),),
    pods=(Pod(namespace="shop", name="a", ports=PORTS), Pod(namespace="shop", name="b", ports=PORTS, node=1)),
    externals=(External(name="bank", ports=PORTS),),
)
DENY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "deny", "namespace": "shop"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
}


@pytest.fixture
def driver(home: object, request: pytest.FixtureRequest) -> Iterator[Driver]:
    try:
        for program in ("docker", "kind"):
            programs.require(program)
        docker.info()
        if not docker.local_images([RECIPE.kind.node_image if RECIPE.kind else ""]):
            require.skip(RECIPE.name, "the kind node image is not in the local engine")
        artifacts.resolve(RECIPE, request.getfixturevalue("artifact_directory"))
    except ClusterError as error:
        require.skip(RECIPE.name, f"no real cluster on this machine: {error.args[0]}")
    made = create(RECIPE, DriverOptions(run_id="test", artifacts=request.getfixturevalue("artifact_directory")))
    yield made
    made.stop(keep=False)


def expect(driver: Driver, source: str, wanted: dict[str, str]) -> None:
    """Ask until the destinations (address -> outcome) answer as wanted."""
    probes = [
        {"id": index, "kind": "echo", "protocol": "TCP", "host": host, "port": 80} for index, host in enumerate(wanted)
    ]
    channel = driver.open(source)

    def ask() -> None:
        channel.send(json.dumps({"round": 1, "timeout": 0.5, "probes": probes}))
        found = [one["outcome"] for one in json.loads(channel.receive(20))["results"]]
        if found != list(wanted.values()):
            raise NotYet(f"{found} instead of {wanted}")

    poll(ask, timeout=RECIPE.settle.limit, what="the wanted outcomes")
    channel.close()


def test_from_nothing_to_a_denied_connection_and_back(driver: Driver) -> None:
    environment = driver.start(lambda _: None)
    name = environment.cluster
    assert len(environment.nodes) == 2
    assert [one.name for one in environment.applied] == ["calico-vxlan.yaml"]
    place = driver.deploy(TOPOLOGY, lambda _: None)
    assert place.node_of == {**place.node_of, "shop/a": "node:0", "shop/b": "node:1"}
    assert place.dns_pods
    bank, pod = place.addresses["external:bank"][0], place.addresses["shop/b"][0]
    expect(driver, "shop/a", {bank: "connected", pod: "connected"})
    driver.apply([DENY])
    expect(driver, "shop/a", {bank: "connected", pod: "dropped"})
    assert "name: deny" in driver.evidence()["policies.yaml"]
    driver.reset()
    expect(driver, "shop/a", {bank: "connected", pod: "connected"})
    driver.stop(keep=False)
    assert docker.containers(f"{docker.LABEL_CLUSTER}={name}") == []
    assert name not in programs.run(["kind", "get", "clusters"]).stdout.split()
    assert state.list_clusters() == []
