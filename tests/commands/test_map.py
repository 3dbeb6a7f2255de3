"""`netproof map`: what a draft says, that it says where from, and that it loads."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from netproof.charts.map_reader import load_map
from netproof.commands.main import main
from tests.lint.example import APP, policy

CHART = Path(__file__).parents[1] / "charts" / "shop"

TWINS = """
apiVersion: v1
kind: Pod
metadata: {name: one, namespace: twins, labels: {app: web}}
spec: {containers: [{name: c, ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: "on", namespace: twins, labels: {app: web, version: "1.0"}}
spec: {containers: [{name: c, ports: [{containerPort: 53}, {containerPort: 53, name: dns-udp, protocol: UDP}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: twins}
spec: {hostNetwork: true, containers: [{name: c, ports: [{containerPort: 9100}]}]}
---
"""


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def drafted(capsys: pytest.CaptureFixture[str], *texts: str) -> tuple[str, dict[str, Any]]:
    """The draft of these manifests: its text, and what it says."""
    Path("all.yaml").write_text("".join(texts), encoding="utf-8")
    assert main(["map", "--manifests", "all.yaml"]) == 0
    text = capsys.readouterr().out
    Path("map.yaml").write_text(text, encoding="utf-8")
    load_map("map.yaml")
    return text, yaml.safe_load(text)


def service(content: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(entry for entry in content["services"] if entry["name"] == name)
    return found


@pytest.mark.skipif(shutil.which("helm") is None, reason="needs helm on the PATH")
def test_a_charts_draft_is_close_to_its_policies(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", "--chart", str(CHART), "--output", "map.yaml"]) == 0
    assert "It is a draft" in capsys.readouterr().err
    content = yaml.safe_load(Path("map.yaml").read_text(encoding="utf-8"))
    api = service(content, "api")
    assert api["ingressFrom"] == [{"app": "ui", "ports": [9090]}, {"app": "prometheus", "ports": [9100]}]
    assert api["egressTo"] == []
    assert service(content, "ui")["externalIngress"] is True
    assert content["peers"] == [
        {"name": "prometheus", "namespace": "monitoring", "labels": {"app.kubernetes.io/name": "prometheus"}}
    ]
    assert main(["check", "--chart", str(CHART), "--service-map", "map.yaml", "--fail-on", "never"]) == 0
    # What is left is what no map says: DNS that is not allowed, and what is open to everybody.
    assert "cells differ" in capsys.readouterr().out
    assert main(["map", "--chart", str(CHART), "--output", "map.yaml"]) == 12
    assert "is there already, and may have been reviewed" in capsys.readouterr().err


def test_every_derived_line_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    text, _ = drafted(capsys, APP, policy("{podSelector: {matchLabels: {app: api}}, ingress: [{from: []}]}"))
    header, _, body = text.partition("\nname:")
    assert "a person must review" in header
    plain = [line for line in f"name:{body}".splitlines() if "derived from" not in line]
    assert all(line.strip().endswith(":") or line.startswith("#") for line in plain), plain


def test_without_policies_nothing_is_restricted(capsys: pytest.CaptureFixture[str]) -> None:
    _, content = drafted(capsys, APP)
    assert not [entry for entry in content["services"] if {"ingressFrom", "egressTo"} & set(entry)]


def test_pods_that_labels_do_not_tell_apart_get_one_that_does(capsys: pytest.CaptureFixture[str]) -> None:
    text, content = drafted(capsys, TWINS)
    assert service(content, "one")["labels"] == {"app": "web", "netproof/name": "one"}
    assert service(content, "on")["labels"] == {"app": "web", "version": "1.0"}
    assert "netproof/name is not" in text
    (peer,) = content["peers"]
    assert (peer["name"], peer["hostNetwork"]) == ("agent", True)


def test_one_protocol_of_a_number_is_meant_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    udp = "{from: [{podSelector: {}}], ports: [{port: 53, protocol: UDP}]}"
    spec = f"{{podSelector: {{matchLabels: {{version: '1.0'}}}}, ingress: [{udp}]}}"
    _, content = drafted(capsys, TWINS, policy(spec).replace("shop", "twins"))
    assert service(content, "on")["ingressFrom"] == [{"app": "one", "ports": ["dns-udp"]}]


def test_made_up_namespaces_have_the_labels_of_their_selector(capsys: pytest.CaptureFixture[str]) -> None:
    spec = (
        "{podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: "
        "{matchLabels: {team: data}}, podSelector: {matchLabels: {app: db}}}], ports: [{port: 5432}]}]}"
    )
    _, content = drafted(capsys, APP, policy(spec))
    assert content["namespaceLabels"]["data"] == {"team": "data"}
    assert {"app": "db", "ports": [5432]} in service(content, "api")["egressTo"]


def test_rules_to_every_address_are_an_outside_host_and_others_a_remark(capsys: pytest.CaptureFixture[str]) -> None:
    spec = (
        "{podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}], "
        "ports: [{port: 8443}]}, {to: [{ipBlock: {cidr: 10.1.0.0/16}}], ports: [{port: 5432}]}]}"
    )
    text, content = drafted(capsys, APP, policy(spec))
    assert content["external"]["destinations"] == [{"name": "outside", "ports": [{"port": 8443}]}]
    assert {"external": "outside", "ports": [8443]} in service(content, "api")["egressTo"]
    assert "#   addresses 10.1.0.0/16 (NetworkPolicy shop/p, egress rule 2)" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "one of --manifests and --chart"),
        (["--chart", "berserk"], "--chart: berserk is a bundled chart, which has a map already"),
        (["--manifests", "-"], "there is no workload here"),
        (["--manifests", "x", "--values", "v"], "--values: goes with --chart"),
    ],
)
def test_a_mistake_ends_with_12_and_a_sentence(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(policy("{podSelector: {}}")))
    assert main(["map", *words]) == 12
    assert message in capsys.readouterr().err
