"""The Services of manifests: their addresses, who is behind those without a selector, and hostPorts."""

from __future__ import annotations

from netproof.lint import read_inventory
from netproof.manifests.services import FoundService, services_of
from netproof.model import Port
from netproof.model.topology import Backend
from tests.lint.example import objects


def service(spec: str, *more: str, status: str = "{}", known: dict[str, str] | None = None) -> FoundService:
    text = f"apiVersion: v1\nkind: Service\nmetadata: {{name: db, namespace: shop}}\nspec: {spec}\nstatus: {status}\n"
    (found,) = services_of(objects(text, *more), "default", known or {})
    return found


SLICE = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
ports: [{name: sql, port: 5433, protocol: TCP}]
endpoints: [{addresses: [192.0.2.7]}, {addresses: [10.1.2.3]}, {addresses: [192.0.2.8], conditions: {ready: false}}]
"""
ENDPOINTS = """
apiVersion: v1
kind: Endpoints
metadata: {name: db, namespace: shop}
subsets: [{addresses: [{ip: 192.0.2.7}], notReadyAddresses: [{ip: 192.0.2.8}], ports: [{name: sql, port: 5433}]}]
"""
PORTS = "ports: [{name: sql, port: 5432}]"


def test_the_external_traffic_policy_is_cluster_unless_it_is_given() -> None:
    for kind in ("NodePort", "LoadBalancer"):
        assert service(f"{{type: {kind}, {PORTS}}}").service.external_traffic_policy == "Cluster"
    local = service(f"{{type: NodePort, externalTrafficPolicy: Local, {PORTS}}}").service
    assert (local.external_traffic_policy, local.node_port) == ("Local", True)


def test_addresses() -> None:
    found = service(
        f"{{clusterIP: 10.96.1.1, clusterIPs: [10.96.1.1, 'fd00::1'], externalIPs: [198.51.100.1], {PORTS}}}",
        status="{loadBalancer: {ingress: [{ip: 203.0.113.9}, {hostname: a.example.com}]}}",
    )
    assert (found.addresses, found.outside) == (("10.96.1.1", "fd00::1"), ("198.51.100.1", "203.0.113.9"))
    assert service(f"{{clusterIP: None, {PORTS}}}").addresses == ()


def test_without_a_selector_it_leads_where_its_endpoints_are() -> None:
    port = (Port(port=5433, name="sql"),)
    outside = Backend(to="external:192.0.2.7", ports=port)
    pod = Backend(to="shop/pg", ports=port)
    late = Backend(to="external:192.0.2.8", ports=port)
    assert service(f"{{{PORTS}}}", SLICE, known={"10.1.2.3": "shop/pg"}).service.backends == (outside, pod)
    assert service(f"{{{PORTS}}}", ENDPOINTS).service.backends == (outside,)
    unready = service(f"{{publishNotReadyAddresses: true, {PORTS}}}", ENDPOINTS)
    assert unready.service.backends == (outside, late)
    assert [external.name for external in unready.external] == ["192.0.2.7", "192.0.2.8"]
    assert service(f"{{selector: {{app: db}}, {PORTS}}}", SLICE).service.backends == ()


def test_an_external_name_is_a_name() -> None:
    assert service("{type: ExternalName, externalName: smtp.example.com.}").service.external_name == "smtp.example.com"


def test_every_cluster_has_its_api_server_and_a_host_port_leads_to_its_pod() -> None:
    pod = """
apiVersion: v1
kind: Pod
metadata: {name: api, namespace: shop, labels: {app: api}}
spec: {nodeName: worker, containers: [{name: c, ports: [{containerPort: 8080, hostPort: 18080}]}]}
status: {phase: Running, podIP: 10.1.2.3, hostIP: 192.0.2.1}
"""
    inventory = read_inventory(objects(pod), pod_ranges=("10.1.0.0/16",))
    names = [one.id for one in inventory.topology.services]
    assert names == ["svc:default/kubernetes", "svc:shop/hostPort-18080-of-api"]
    placement = inventory.placement
    assert (placement.node_of, placement.address("node:0")) == ({"shop/api": "node:0"}, "192.0.2.1")
    assert (placement.address("shop/api"), inventory.by_address["10.1.2.3"]) == ("10.1.2.3", "shop/api")
    assert inventory.by_node_name == {"worker": "node:0"}
