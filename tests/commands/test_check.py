"""`netproof check` and `netproof explain FROM TO PORT` as a shell sees them: what they print, and their exit codes."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from netproof.clusters import recipes
from netproof.commands.main import main
from netproof.lint import RULES
from netproof.manifests.data_dirs import data_dir
from tests.lint.example import APP, policy

GOOD = policy("{podSelector: {matchLabels: {app: api}}, ingress: [{from: [{podSelector: {matchLabels: {app: ui}}}]}]}")
ODD = policy("{podSelector: {matchLabels: {app: apii}}, ingress: [{from: [{podSelector: {}}]}]}")

MAP = """
name: shop
namespace: shop
services:
  - {name: ui, ports: [8080], egressTo: [{app: api}]}
  - {name: api, ports: [9090], ingressFrom: [{app: ui}], egressTo: []}
  - {name: db, ports: [5432], ingressFrom: [{app: api}]}
"""


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def given(name: str, *texts: str) -> str:
    Path(name).write_text("".join(texts), encoding="utf-8")
    return name


def test_clean_manifests_end_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--manifests", given("all.yaml", APP, GOOD), "--fail-on", "warning"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "0 errors, 0 warnings, 0 notes in 1 policy for 4 pods"


def test_warnings_fail_only_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    file = given("odd.yaml", APP, ODD)
    assert main(["check", "--manifests", file]) == 0
    assert main(["check", "--manifests", file, "--fail-on", "warning"]) == 1
    assert main(["check", "--manifests", file, "--fail-on", "never"]) == 0
    shown = capsys.readouterr().out
    line = APP.count("\n") + 5
    assert f"odd.yaml:{line}: warning: podSelector app=apii in NetworkPolicy shop/p matches no pod; nearest" in shown


def test_policies_alone_say_what_could_not_be_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--manifests", given("odd.yaml", ODD)]) == 0
    assert "not run, because no workload is among the manifests: selector-matches-nothing" in capsys.readouterr().out


def test_manifests_come_from_a_pipe_and_take_a_namespace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"{APP}{ODD}".replace("name: p, namespace: shop", "name: p")
    command = ["check", "--manifests", "-", "--fail-on", "warning"]
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main([*command, "--namespace", "shop"]) == 1
    assert "<stdin>:" in capsys.readouterr().out
    # Of the pods of the namespace `default` nothing is known here.
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main(command) == 0


def test_generated_policies_of_a_map_mean_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--service-map", given("map.yaml", MAP)]) == 0
    shown = capsys.readouterr().out
    assert "own-node-is-always-admitted" in shown
    found = re.search(r"specified against intended: (\d+) of \d+ cells differ, (\d+) of them as reviewed", shown)
    assert found is not None
    assert found[1] == found[2]


def test_own_policies_that_say_something_else_fail_with_file_and_line(capsys: pytest.CaptureFixture[str]) -> None:
    leak = "{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {}}]}]}"
    rest = policy("{podSelector: {matchLabels: {app: api}}, ingress: [{from: [{podSelector: {}}]}]}", name="api")
    policies = given("policies.yaml", policy(leak, name="db"), rest)
    assert main(["check", "--service-map", given("map.yaml", MAP), "--policies", policies]) == 1
    shown = capsys.readouterr().out
    assert re.search(r"policies\.yaml:5: error: \d+ cells are not meant to connect, and do: ", shown)
    assert "[not-as-intended]" in shown


def test_a_declared_difference_passes_and_must_happen(capsys: pytest.CaptureFixture[str]) -> None:
    alone = "{name: shop, namespace: shop, services: [{name: db, ports: [5432], ingressFrom: []}]}"
    command = ["check", "--service-map", given("map.yaml", alone), "--policies"]
    db = "podSelector: {matchLabels: {app: db}}"
    leaking = given("leaking.yaml", policy(f"{{{db}, ingress: [{{from: [{{podSelector: {{}}}}]}}]}}"))
    tight = given("tight.yaml", policy(f"{{{db}}}"))
    assert main([*command, leaking, "--format", "json"]) == 1
    cells = json.loads(capsys.readouterr().out)["intended"]["differing"]
    assert [cell["cell"] for cell in cells if not cell["reviewed"]] == [
        "shop/stranger → shop/db:5432/TCP",
        "shop/stranger → shop/db:5432/TCP via service",
    ]
    entry = {
        "id": "neighbours-may",
        "scenarios": ["shop"],
        "cells": [{"source": "shop/stranger"}],
        "reason": "We know.",
        "link": "none",
    }
    given("map.findings.yaml", json.dumps([entry]))
    assert main([*command, leaking]) == 0
    assert "reviewed: 2 cells differ as reviewed (neighbours-may)" in capsys.readouterr().out
    assert main([*command, tight]) == 1
    assert "the reviewed entry neighbours-may declares what these policies do not show" in capsys.readouterr().out


def test_a_bundled_chart_shows_its_documented_surprises(capsys: pytest.CaptureFixture[str]) -> None:
    values = given("values.yaml", "global: {networkPolicy: {enabled: true}}")
    assert main(["check", "--chart", "berserk", "--values", values]) == 0
    shown = capsys.readouterr().out
    assert "reviewed: 12 cells differ as reviewed (allow-external-admits-bystanders)" in shown
    assert "62 of 228 cells differ, 62 of them as reviewed" in shown


def test_what_no_entry_declares_fails_with_the_users_values_too(capsys: pytest.CaptureFixture[str]) -> None:
    values = given(
        "values.yaml",
        "global: {networkPolicy: {enabled: true, additionalIngress: [{from: [{namespaceSelector: {}}]}]}}",
    )
    assert main(["check", "--chart", "berserk", "--values", values]) == 1
    assert "not meant to connect, and do" in capsys.readouterr().out


def test_a_cni_warns_of_what_it_is_known_for(capsys: pytest.CaptureFixture[str]) -> None:
    spec = "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}"
    command = ["check", "--manifests", given("all.yaml", policy(spec)), "--cni"]
    assert main([*command, "cilium"]) == 0
    assert "is known to differ here (cidr-does-not-cover-pods)" in capsys.readouterr().out
    assert main([*command, "calico"]) == 0
    assert "known to differ" not in capsys.readouterr().out
    assert main([*command, "none"]) == 1


def test_what_recipes_say_of_lints_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    file = given("all.yaml", GOOD)
    assert main(["check", "--manifests", file, "--cni", ",".join(recipes.names()), "--fail-on", "never"]) == 0


@pytest.mark.parametrize("form", ["json", "sarif", "junit", "text"])
def test_every_format_goes_to_a_file_or_to_the_shell(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["check", "--manifests", given("odd.yaml", APP, ODD), "--format", form]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert main([*command, "--output", "out/made"]) == 0
    assert Path("out/made").read_text(encoding="utf-8") == shown
    assert capsys.readouterr().out == "0 errors, 1 warning, 0 notes in 1 policy for 4 pods\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--manifests", "absent.yaml"], "absent.yaml: No such file or directory"),
        (["--chart", "berserk", "--policies", "x"], "--policies: goes with --service-map FILE"),
        (["--manifests", "x", "--values", "v"], "--values: goes with --chart or --service-map"),
        (["--chart", "bersek"], "no chart is called 'bersek'"),
        (["--manifests", "wrong.yaml"], "wrong.yaml:6: NetworkPolicy shop/p: spec.ingres: unknown key; did you mean"),
        (["--manifests", "good.yaml", "--cni", "silium"], "--cni: unknown CNI 'silium'; did you mean cilium?"),
        (["--manifests", "good.yaml", "--pod-cidr", "10.0.0.0/64"], "--pod-cidr: not an address range"),
    ],
)
def test_a_mistake_ends_with_12_and_a_sentence(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given("good.yaml", GOOD)
    head = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: shop}\n"
    given("wrong.yaml", f"{head}spec:\n  podSelector: {{}}\n  ingres: []\n")
    assert main(["check", *words]) == 12
    assert capsys.readouterr().err.startswith(f"netproof: {message}")


def test_explain_says_which_rule_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["explain", "prober", "api", "grpc", "--manifests", given("all.yaml", APP, GOOD)]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("ops/prober → shop/api:9090/TCP: denied\n")
    assert "Missing: a rule under spec.ingress of NetworkPolicy shop/p (all.yaml:" in shown
    assert "kubernetes.io/metadata.name: ops" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "b", "1"], "a path needs one of --chart, --service-map and --manifests"),
        (["a", "b", "--manifests", "all.yaml"], "a path is FROM TO PORT, three words"),
        (["a", "b"], "a: No such file or directory"),
        (["record.json", "b", "1"], "record.json is a record, and takes one CELL"),
    ],
)
def test_explain_tells_a_record_from_a_path(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    given("all.yaml", APP, GOOD)
    given("record.json", "{}")
    assert main(["explain", *words]) == 12
    assert message in capsys.readouterr().err


def test_every_rule_is_described() -> None:
    described = (data_dir("clusters").parent / "docs" / "checking.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### ([a-z-]+)$", described, re.MULTILINE)
    assert headings == [rule.id for rule in RULES]


def test_a_mistyped_label_and_a_services_port_fail_by_default(tmp_path: Path) -> None:
    """What is surely a mistake is an error, whatever else the rule finds."""
    service = (
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: shop}\n"
        "spec: {selector: {app: proxy}, ports: [{port: 80, targetPort: 8080}]}\n"
    )
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: proxy, namespace: shop, labels: {app: proxy}}\n"
        "spec: {containers: [{name: c, ports: [{containerPort: 8080}]}]}\n"
    )
    file = tmp_path / "all.yaml"
    for spec, code in (
        ("{podSelector: {matchLabels: {app: proxi}}}", 1),
        ("{podSelector: {matchLabels: {app: gateway}}}", 0),
        ("{podSelector: {matchLabels: {app: proxy}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]}", 1),
        ("{podSelector: {matchLabels: {app: proxy}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 81}]}]}", 0),
    ):
        file.write_text(pod + service + policy(spec), encoding="utf-8")
        assert main(["check", "--manifests", str(file)]) == code, spec
