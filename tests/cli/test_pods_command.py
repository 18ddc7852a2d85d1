"""The command about pods, and decisions for pods that differ."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pods import RULES, pod
from small import config, egress

from fsm_egress.cli.app import app


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    items = [
        config(),
        egress("e", "tcp 25", ipAddresses=["54.0.0.0/8"]),
        pod("a", "10.244.0.9", RULES, "app", "sidecar", outbound_port_exclusion_list="25"),
        pod("b", sidecar_injection="no"),
        pod("c", outbound_ip_range_exclusion_list="10.0.0.0/8", outbound_port_exclusion_list="25,26"),
        pod("d", sidecar_injection="odd"),
    ]
    items[2]["spec"]["containers"][0]["securityContext"] = {"runAsUser": 1500}
    Path("mesh.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


def run(*words: str) -> Result:
    result = CliRunner().invoke(app, [words[0], "-f", "mesh.json", *words[1:]])
    assert result.exit_code == 0, result.output
    return result


def test_each_pod_has_a_line() -> None:
    lines = run("pods").stdout.splitlines()
    a, b, c, d = ([cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines[1:])
    assert a == ["pod/a.curl", "curl.curl", "yes", "everything", a[4], "app", "-"]
    assert a[4].startswith("shown by ")
    assert b == ["pod/b.curl", "curl.curl", "no", "-", "-", "-", "Egress curl/e"]
    assert c[2:] == ["yes", "not 10.0.0.0/8; not port 25, 26", "-", "-", "-"]
    assert d[2:] == ["never created", "-", "-", "-", "-"]


def test_wide_says_why_and_a_namespace_narrows() -> None:
    wide = run("pods", "-o", "wide").stdout
    assert "its annotation declines it" in wide
    assert "its annotation declines it" not in run("pods").stdout
    assert "pod/" not in run("pods", "-n", "shop").stdout


def test_machines_get_all_of_it() -> None:
    a, b, *_ = map(json.loads, run("pods", "-o", "json").stdout.splitlines())
    assert a["lists"] == {"excludedRanges": [], "excludedPorts": [], "includedRanges": []}
    assert (a["sidecarUser"], a["stale"] is None) == (["app"], False)
    assert (b["lists"], b["stale"], b["policiesWithoutEffect"]) == (None, None, ["Egress curl/e"])


def test_a_decision_is_told_for_each_kind_of_pods() -> None:
    words = "decide", "--as", "curl.curl", "--to", "54.9.9.9:25", "--tcp"
    text = run(*words).stdout
    assert all(f"pod/{name}.curl:\n" in text for name in "abc")
    decided = [json.loads(line) for line in run(*words, "-o", "json").stdout.splitlines()]
    assert [it["pods"] for it in decided] == ["pod/a.curl", "pod/b.curl", "pod/c.curl"]
    (one,) = map(
        json.loads, run("decide", "--as", "pod/c.curl", *words[3:], "-o", "json").stdout.splitlines()
    )
    assert {**one, "pods": "pod/c.curl"} == decided[2]


def test_check_names_what_the_injector_and_iptables_refuse_of_pods_and_templates() -> None:
    annotations = pod("d", outbound_port_exclusion_list="x")["metadata"]["annotations"]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "curl"},
        "spec": {"template": {"metadata": {"annotations": annotations}}},
    }
    items = [
        config({"outboundPortExclusionList": list(range(1, 16))}),
        deployment,
        pod("a", sidecar_injection="si"),
        pod("b", outbound_port_exclusion_list="25"),
        pod("c", sidecar_injection="no", outbound_port_exclusion_list="x"),
    ]
    Path("mesh.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    result = CliRunner().invoke(app, ["check", "-f", "mesh.json"])
    told = [line.partition(": ")[2] for line in result.stdout.splitlines()]
    ports = "metadata.annotations.flomesh.io/outbound-port-exclusion-list: expected"
    assert result.exit_code == 1
    assert told == [
        (
            f"Deployment curl/d spec.template.{ports} a port number from 1 to 65535, found the string `x`: "
            "the pod is not created (warning)"
        ),
        (
            "Pod curl/a metadata.annotations.flomesh.io/sidecar-injection: expected one of `enabled`, `yes`, "
            "`true`, `disabled`, `no`, `false`, found `si`: the pod is not created (warning)"
        ),
        (
            f"Pod curl/b {ports} at most 15 different ports, found 16 of them of mesh and pod together: "
            "the pod does not start (warning)"
        ),
    ]
