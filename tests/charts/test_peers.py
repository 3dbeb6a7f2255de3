"""Peers of a service map: others' pods that arrows name, those on a node's own network, and Services' own numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netproof.charts import Plan, map_plan
from netproof.errors import InputError
from netproof.model import Intent, Probe, ServicePort

from .placing import differences

MAP = """\
name: shop
namespace: shop
services:
  - name: api
    node: 1
    ports:
      - {name: hook, port: 9443, service: 443}
      - {name: metrics, port: 9090}
    ingressFrom:
      - {app: apiserver, ports: [hook]}
      - {app: scraper, ports: [metrics]}
    egressTo:
      - {app: store}
peers:
  - {name: apiserver, namespace: control, hostNetwork: true, ports: [{port: 16443, service: 443}]}
  - {name: scraper, namespace: monitoring}
  - {name: store, namespace: data, ports: [{name: s3, port: 9000, service: 80}, {port: 9001, service: false}]}
"""


def planned(folder: Path, text: str = MAP) -> Plan:
    (folder / "map.yaml").write_text(text, encoding="utf-8")
    return map_plan(folder / "map.yaml")


def test_what_is_meant(tmp_path: Path) -> None:
    cells = planned(tmp_path).intended().cells
    meant = {probe for probe, intent in cells.items() if intent is Intent.CONNECTED and probe.kind == "echo"}
    api = "shop/api"
    assert meant == {
        Probe(source="control/apiserver", destination=api, port=9443),
        Probe(source="control/apiserver", destination=f"svc:{api}", port=443, via="service"),
        Probe(source="node:0", destination=api, port=9443),
        Probe(source="monitoring/scraper", destination=api, port=9090),
        Probe(source="monitoring/scraper", destination=f"svc:{api}", port=9090, via="service"),
        Probe(source=api, destination="data/store", port=9000),
        Probe(source=api, destination="svc:data/store", port=80, via="service"),
    }
    denied = {probe for probe, intent in cells.items() if intent is Intent.DENIED}
    assert Probe(source="node:1", destination=api, port=9443) in denied
    assert Probe(source=api, destination="data/store", port=9001) in denied
    assert Probe(source=api, destination="control/apiserver", port=16443) in denied


def test_only_cells_with_a_service_are_asked(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    assert all("shop/api" in (p.source, p.destination.removeprefix("svc:")) for p in plan.intended())
    assert [manifest["metadata"]["name"] for manifest in plan.manifests] == ["api"]


def test_the_world(tmp_path: Path) -> None:
    topology = planned(tmp_path).topology
    pods = {pod.id: pod for pod in topology.pods}
    assert pods["control/apiserver"].host_network
    assert (pods["control/apiserver"].node, pods["shop/api"].node) == (0, 1)
    store, api = topology.service("svc:data/store"), topology.service("svc:shop/api")
    assert store is not None
    assert api is not None
    assert store.ports == (ServicePort(port=80, target=9000, name="s3"),)
    assert (store.node_port, api.node_port) == (False, True)
    assert topology.service("svc:monitoring/scraper") is None


def test_generated_policies_say_it_but_for_who_is_no_pod(tmp_path: Path) -> None:
    sources = {probe.source for probe in differences(planned(tmp_path))}
    # A podSelector selects no node, and whether it selects a pod on a node's network is left open.
    assert sources == {"control/apiserver", "node:0", "node:1"}


def test_the_documented_peers(tmp_path: Path) -> None:
    document = Path(__file__).parent.parent.parent / "docs" / "service-maps.md"
    example = re.search(r"```yaml\n(peers:.*?)```", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert example is not None
    names = (
        MAP.split("peers:", maxsplit=1)[0]
        .replace("app: apiserver", "app: kube-apiserver")
        .replace("app: scraper", "app: prometheus")
    )
    plan = planned(tmp_path, names.replace("- {app: store}", "- {app: kube-apiserver}") + example[1])
    assert Probe(source="shop/api", destination="control-plane/kube-apiserver", port=16443) in plan.intended()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{name: scraper,", "{name: api,", "16: peers[1].name: 'api' is a service of this map"),
        ("{name: scraper,", "{name: store,", "17: peers[2].name: 'store' stands twice in this list"),
        ("{app: scraper,", "{app: scaper,", "11: services[0].ingressFrom[1].app: no service is called 'scaper'; "),
        ("service: 443}\n", "service: 9090}\n", "8: services[0].ports[1]: the Service has port 9090/TCP twice"),
        ("service: 443}\n", "service: 0}\n", "7: services[0].ports[0].service: a port number from 1 to 65535"),
        ("hostNetwork: true", "hostNetwrk: true", "15: peers[0].hostNetwrk: unknown key; did you mean 'hostNetwork'?"),
        ("    node: 1", "    node: 2", "5: services[0].node: Input should be less than or equal to 1"),
    ],
)
def test_faults_name_their_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        planned(tmp_path, MAP.replace(old, new, 1))
    assert str(caught.value).startswith(f"{tmp_path / 'map.yaml'}:{message}")
