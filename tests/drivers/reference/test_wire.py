"""What reaches whom without policies: addresses, Services, node ports, names, both families. Real packets."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from netproof.errors import InputError
from netproof.model import Channel, External, Node, Pod, Port, Topology
from tests.drivers.reference.wire import SHOP, Wire, quiet


def answered(channel: Channel) -> int:
    """Which round the agent answers, with nothing asked in it."""
    answer = json.loads(channel.receive(1))
    assert answer["results"] == []
    return answer["round"]


def test_pods_nodes_and_externals_reach_each_other(wire: Wire) -> None:
    for source in ("shop/job", "ops/job", "node:0", "node:1", "external:user", "ops/host"):
        assert (
            wire.outcomes(source, "shop/web:80", "shop/db:8080", "shop/db:53/UDP", "external:store:443")
            == ["connected"] * 4
        )


def test_a_server_says_who_it_is_and_whom_it_sees(wire: Wire) -> None:
    (answer,) = wire.ask("ops/job", "shop/web:80")
    assert (answer["server"], answer["peer"]) == ("shop/web", wire.at("ops/job"))


def test_a_pod_reaches_itself(wire: Wire) -> None:
    assert wire.outcomes("shop/web", "shop/web:80", "svc:shop/web:8000") == ["connected", "connected"]


def test_a_closed_port_refuses(wire: Wire) -> None:
    assert wire.outcomes("shop/job", "shop/web:81", "shop/web:81/UDP") == ["refused", "refused"]


def test_ipv6(wire: Wire) -> None:
    if 6 not in wire.environment.families:
        pytest.skip("this kernel has no IPv6")
    targets = (f"{wire.at('shop/web', 6)}:80", f"{wire.at('svc:shop/web', 6)}:8000", f"{wire.at('shop/db', 6)}:53/UDP")
    assert wire.outcomes("ops/job", *targets) == ["connected"] * 3
    assert wire.outcomes("shop/web", targets[1]) == ["connected"]


def test_a_service_reaches_its_pods_by_number_and_by_name_of_port(wire: Wire) -> None:
    answers = wire.ask("ops/job", "svc:shop/web:8000", "svc:shop/local:8000", "svc:shop/local:53/UDP")
    assert [answer.get("server") for answer in answers] == ["shop/web", "shop/db", "shop/db"]
    assert {answer["peer"] for answer in answers} == {wire.at("ops/job")}


def test_a_service_without_pods_refuses_every_probe_of_a_burst(wire: Wire) -> None:
    assert wire.outcomes("ops/job", *["svc:shop/empty:80"] * 40) == ["refused"] * 40


def test_service_addresses_are_not_for_those_outside(wire: Wire) -> None:
    assert wire.outcomes("external:user", "svc:shop/web:8000", "svc:shop/empty:80") == ["dropped", "dropped"]


def test_a_local_node_port_keeps_the_source_and_needs_a_pod_on_its_node(wire: Wire) -> None:
    port = wire.placement.node_ports["svc:shop/local", 8000, "TCP"]
    away, at_home = wire.ask("external:user", f"node:0:{port}", f"node:1:{port}")
    assert away["outcome"] == "dropped"
    assert (at_home["server"], at_home["peer"]) == ("shop/db", wire.at("external:user"))
    assert wire.outcomes("ops/job", f"node:0:{port}", f"node:1:{port}") == ["connected", "connected"]
    udp = wire.placement.node_ports["svc:shop/local", 53, "UDP"]
    assert wire.outcomes("external:user", f"node:1:{udp}/UDP") == ["connected"]


def test_a_cluster_node_port_reaches_other_nodes_as_the_node(wire: Wire) -> None:
    port = wire.placement.node_ports["svc:shop/anywhere", 8000, "TCP"]
    away, at_home = wire.ask("external:user", f"node:0:{port}", f"node:1:{port}")
    assert (away["server"], away["peer"]) == ("shop/db", wire.at("node:0"))
    assert (at_home["server"], at_home["peer"]) == ("shop/db", wire.at("node:1"))


def test_names(wire: Wire) -> None:
    names = {
        "web.shop.svc.cluster.local": wire.at("svc:shop/web"),
        "bare.shop.svc.cluster.local": wire.at("shop/db"),
        "store.peers.test": wire.at("external:store"),
        "kubernetes.default.svc.cluster.local": "10.96.0.1",
    }
    questions = [
        {"id": number, "kind": "lookup", "protocol": protocol, "host": host, "port": 53, "name": name}
        for number, (name, protocol, host) in enumerate(
            (name, protocol, host)
            for name in names
            for protocol in ("UDP", "TCP")
            for host in (wire.at("svc:kube-system/kube-dns"), wire.at("kube-system/coredns"))
        )
    ]
    answers = wire.batch("shop/job", questions)
    for question, answer in zip(questions, answers, strict=True):
        assert (answer["outcome"], answer["rcode"]) == ("connected", 0)
        assert answer["addresses"] == [names[str(question["name"])]]


def test_a_name_that_nobody_has(wire: Wire) -> None:
    question = {"id": 0, "kind": "lookup", "protocol": "UDP", "host": wire.at("svc:kube-system/kube-dns"), "port": 53}
    (answer,) = wire.batch("shop/job", [{**question, "name": "none.shop.svc.cluster.local"}])
    assert (answer["outcome"], answer["rcode"], answer["addresses"]) == ("connected", 3, [])


def test_a_probe_by_name(wire: Wire) -> None:
    good, bad = wire.ask("shop/job", "web.shop.svc.cluster.local:8000", "no.shop.svc.cluster.local:8000")
    assert (good["outcome"], good["server"], bad["outcome"]) == ("connected", "shop/web", "name-failed")


def test_the_placement_says_where_everybody_is(wire: Wire) -> None:
    placement = wire.placement
    assert placement.node_of["shop/web"] == "node:0"
    assert placement.node_of["shop/db"] == "node:1"
    assert placement.addresses["ops/host"] == placement.addresses["node:1"]
    assert placement.addresses["svc:kube-system/kube-dns"][0] == "10.96.0.10"
    assert [pod.id for pod in placement.dns_pods] == ["kube-system/coredns"]
    assert "svc:shop/bare" not in placement.addresses
    assert wire.ask("shop/job", "ops/host:7070")[0]["server"] == "ops/host"


def test_deploying_again_changes_nothing(wire: Wire) -> None:
    channel = wire.driver.open("shop/web")
    assert wire.driver.deploy(SHOP, quiet) == wire.placement
    channel.send('{"round": 1, "timeout": 0.1, "probes": []}')
    assert answered(channel) == 1


def test_topologies_live_side_by_side_and_a_changed_pod_keeps_its_address(wire: Wire) -> None:
    pod = Pod(namespace="shop", name="extra", labels={"app": "extra"}, ports=(Port(port=80),))
    first = wire.driver.deploy(
        Topology(namespaces=SHOP.namespaces, pods=(pod,), externals=(External(name="late"),)), quiet
    )
    assert first.addresses["shop/extra"][0] not in wire.placement.addresses.values()
    wire.placement = first
    # The kernel may take a second to see that a new link is up, and drops what is sent until then; TCP asks again.
    patient = 10.0
    asked = wire.outcomes("external:late", "shop/extra:80", "shop/web:80", timeout=patient)
    assert asked == ["connected", "connected"]
    changed = replace(pod, ports=(Port(port=81),))
    second = wire.driver.deploy(Topology(namespaces=SHOP.namespaces, pods=(changed,)), quiet)
    assert second.addresses == first.addresses
    asked = wire.outcomes("shop/job", "shop/extra:80", "shop/extra:81", timeout=patient)
    assert asked == ["refused", "connected"]


def test_a_node_that_is_not_there(wire: Wire) -> None:
    with pytest.raises(InputError, match="no node:7; it has node:0, node:1"):
        wire.driver.deploy(Topology(nodes=(Node(index=7),)), quiet)


def test_an_endpoint_can_be_opened_twice(wire: Wire) -> None:
    first, second = wire.driver.open("shop/job"), wire.driver.open("shop/job")
    for number, channel in enumerate((first, second, first)):
        channel.send(f'{{"round": {number}, "timeout": 0.1, "probes": []}}')
        assert answered(channel) == number
    first.close()
    second.send('{"round": 9, "timeout": 0.1, "probes": []}')
    assert channel is first
    assert answered(second) == 9


def test_a_channel_that_stays_silent_times_out(wire: Wire) -> None:
    with pytest.raises(TimeoutError, match="shop/job said nothing"):
        wire.driver.open("shop/job").receive(0.02)
