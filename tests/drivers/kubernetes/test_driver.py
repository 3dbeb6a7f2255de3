"""What a driver may do on a cluster depends on whose it is."""

from __future__ import annotations

from typing import Any, cast

import pytest

from netproof.clusters import recipes
from netproof.drivers import DriverOptions
from netproof.drivers.kubernetes import pods, waiting
from netproof.drivers.kubernetes.driver import KubernetesDriver, Site
from netproof.drivers.kubernetes.guest import GuestDriver
from netproof.drivers.kubernetes.objects import Api
from netproof.drivers.kubernetes.policies import Policies
from netproof.drivers.kubernetes.pulse import Watch
from netproof.drivers.protocol import Origin
from netproof.errors import ClusterError, InputError
from netproof.model import External, Namespace, Pod, Topology

RECIPE = recipes.load(recipes.CniVersion(name="calico"))
OPTIONS = DriverOptions(run_id="r", token="word")
NODES = [
    {
        "metadata": {"name": "w1"},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
            "nodeInfo": {
                "kernelVersion": "6.1",
                "containerRuntimeVersion": "containerd://2",
                "osImage": "Debian",
                "architecture": "amd64",
            },
        },
        "spec": {"podCIDRs": ["10.244.0.0/24", "fd00::/64"]},
    }
]
TOPOLOGY = Topology(namespaces=(Namespace(name="x"),), pods=(Pod(namespace="x", name="a"),))


class FakeApi:
    def certificate(self) -> str:
        return ""

    def version(self) -> str:
        return "v1.36.3"

    def list(self, path: str, **_: str) -> list[dict[str, Any]]:
        return NODES if path.endswith("/nodes") else []


API = cast(Api, FakeApi())


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What was asked of the cluster, and how."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(pods, "ensure", lambda *_, **how: found.update(how) or set())
    monkeypatch.setattr(waiting, "wait_rollouts", lambda *_, **how: found.update(renews=how["nudge"] is not None))
    monkeypatch.setattr(pods, "wait_serving", lambda *_, **__: None)
    monkeypatch.setattr(pods, "locate", lambda *_: ({"x/a": ("10.244.0.9",)}, {"x/a": "node:0"}, ()))
    monkeypatch.setattr(Watch, "begin", lambda self: None)
    monkeypatch.setattr(Policies, "clear_leftovers", lambda self, names: found.update(cleared=names))
    return found


def connected(origin: Origin) -> KubernetesDriver:
    driver = KubernetesDriver(RECIPE, OPTIONS)
    driver._connect(Site(api=API, nodes=NODES, token="word", origin=origin))
    return driver


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        # Its CNI may still be starting, so pods that ask too early for a network are made anew.
        ("created", {"own": {}, "clear": True, "renews": True}),
        ("reused", {"own": {}, "clear": True, "renews": False, "cleared": {"x"}}),
        # Other people's pods and policies, and other runs, are left as they are.
        ("existing", {"own": {}, "clear": False, "renews": False}),
    ],
)
def test_whose_a_cluster_is_decides_what_is_touched(
    done: dict[str, Any], origin: Origin, expected: dict[str, Any]
) -> None:
    driver = connected(origin)
    placement = driver.deploy(TOPOLOGY, lambda _: None)
    driver.stop(keep=False)
    assert placement.address("x/a") == "10.244.0.9"
    assert {**done, "own": {}} == expected


def test_a_guest_is_on_the_cluster_as_soon_as_it_is_made_and_shares_it_with_nobody(done: dict[str, Any]) -> None:
    guest = GuestDriver(API, NODES, RECIPE, OPTIONS)
    environment = guest.start(lambda _: None)
    assert (environment.state, environment.kubernetes, environment.nodes) == ("existing", "v1.36.3", ("w1",))
    assert environment.families == (4, 6)
    assert guest.reproduce("x/a", "10.0.0.2", 80, "TCP").startswith("kubectl exec -n x a -- python3 ")
    with pytest.raises(ClusterError):
        guest.attach(guest.handle())
    with pytest.raises(InputError, match=r"peers outside the cluster \(bank\)"):
        guest.deploy(Topology(externals=(External(name="bank"),)), lambda _: None)
    guest.stop(keep=True)


def test_what_was_never_connected_can_be_stopped() -> None:
    KubernetesDriver(RECIPE, OPTIONS).stop(keep=False)
