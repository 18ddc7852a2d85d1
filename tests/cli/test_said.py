"""Every command that answers about a mesh says under which conditions its answer stands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from random_meshes import FLOMESH, resource
from small import config, service

from fsm_egress.cli.app import app

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

pytest.importorskip("yaml")

MESH = """
apiVersion: config.flomesh.io/v1alpha3
kind: MeshConfig
metadata: {name: fsm-mesh-config, namespace: fsm-system}
spec:
  traffic: {interceptionMode: NodeLevel, enablePermissiveTrafficPolicyMode: true}
---
apiVersion: policy.flomesh.io/v1alpha1
kind: Egress
metadata: {name: a, namespace: curl}
spec:
  sources: [{kind: ServiceAccount, name: curl, namespace: curl}]
  ports: [{number: 25, protocol: tcp}]
"""
LOG = '{"identity": "curl.curl", "destination": "192.0.2.1", "port": 25, "sends": "bytes"}\n'
TESTS = """
apiVersion: fsm-egress/v1
kind: EgressTest
mesh: [mesh.yaml]
as: curl.curl
tests:
- {name: mail, to: 192.0.2.1:25, tcp: true, expect: DENIED}
- {name: rest, to: 192.0.2.1:26, tcp: true, expect: DENIED}
"""
SAID = "spec.traffic.interceptionMode"
AS = ("--as", "curl.curl")
TO = ("--to", "192.0.2.1:25", "--tcp")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mesh.yaml").write_text(MESH)
    (tmp_path / "log.jsonl").write_text(LOG)
    (tmp_path / "a.egress-test.yaml").write_text(TESTS)
    return tmp_path


def run(command: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, (command, *arguments, "-f", "mesh.yaml"), prog_name="fsm-egress")


@pytest.mark.parametrize(
    "words",
    [
        ("never", *AS, "--port", "26"),
        ("never", *AS, "--port", "25"),
        ("equivalent", *AS, "--after", "mesh.yaml"),
        ("implies", *AS, "--after", "mesh.yaml"),
        ("diff", *AS, "--after", "mesh.yaml"),
        ("partition", *AS),
        ("residual", *AS, "--port", "25"),
        ("reach", *AS, "--port", "25"),
        ("verify", *AS),
        ("explain", *AS, *TO),
        ("lint", *AS, "--no-sidecar"),
    ],
    ids=" ".join,
)
def test_answers_say_it_as_text_and_for_machines(words: tuple[str, ...]) -> None:
    assert SAID in run(*words).stdout
    lines = [json.loads(line) for line in run(*words, "-o", "json").stdout.splitlines()]
    assert any("FSE131" in json.dumps(line) for line in lines)


def test_decisions_say_it_beside_the_table() -> None:
    assert SAID in run("decide", *AS, *TO).stderr
    (decision,) = (json.loads(line) for line in run("decide", *AS, *TO, "-o", "json").stdout.splitlines())
    assert [it["code"] for it in decision["conditions"]] == ["FSE131"]


@pytest.mark.parametrize(
    "words", [("config", *AS), ("replay", "log.jsonl"), ("learn", "log.jsonl")], ids=" ".join
)
def test_other_commands_note_it(words: tuple[str, ...]) -> None:
    result = run(*words)
    assert f"note: FSE131 warning: MeshConfig fsm-system/fsm-mesh-config {SAID}" in result.stderr
    assert SAID not in result.stdout


def test_a_config_notes_the_shares_that_hang_on_age(tmp_path: Path) -> None:
    mesh = [
        config(featureFlags={"enableTrafficWarmupPolicy": True}),
        *service("web", "http 80", pods=["10.0.0.1", "10.0.0.2"]),
        resource(FLOMESH, "TrafficWarmup", "shop", "web", spec={"maxWeight": 100}),
    ]
    (tmp_path / "mesh.yaml").write_text("\n---\n".join(map(json.dumps, mesh)))
    result = run("config", "--as", "curl.curl")
    note = "note: shares of shop/web|80 are by the age of pods: written as of grown ones"
    assert note in result.stderr.splitlines()


def test_policy_tests_say_it_once_for_all() -> None:
    def ran(*options: str) -> Result:
        return CliRunner().invoke(app, ("test", "a.egress-test.yaml", *options), prog_name="fsm-egress")

    said, *_ = [line for line in ran().stdout.splitlines() if line.startswith("FSE131")]
    assert SAID in said
    assert ran().stdout.count("\nFSE131") == 1
    assert [it["code"] for it in json.loads(ran("-o", "json").stdout)["conditions"]] == ["FSE131"]
    in_xml = ran("-o", "junit")
    assert f"note: {said}" in in_xml.stderr
    assert "note:" not in in_xml.stdout
