"""The command about pods, and decisions for pods that differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click import Option
from click.testing import CliRunner, Result
from pods import RULES, pod
from small import config, egress

from fsm_egress.cli.app import app
from fsm_egress.cli.options import complete_identities

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


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


def nobody_as_the_sidecar() -> None:
    """Let no container run as the sidecar's user, of which nothing is proven."""
    mesh = json.loads(Path("mesh.json").read_text())
    del mesh["items"][2]["spec"]["containers"][0]["securityContext"]
    Path("mesh.json").write_text(json.dumps(mesh))


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
    assert a["lists"] == {
        "excludedRanges": [],
        "excludedPorts": [],
        "includedRanges": [],
        "excludedInterfaces": [],
    }
    assert (a["sidecarUser"], a["stale"] is None) == (["app"], False)
    assert (b["lists"], b["stale"], b["policiesWithoutEffect"]) == (None, None, ["Egress curl/e"])


def test_lists_that_keep_a_pod_from_running_are_told_in_place_of_those_in_force() -> None:
    ports = list(range(1, 16))
    full = config({"outboundPortExclusionList": ports, "networkInterfaceExclusionList": ["net1"]})
    items = [full, pod("a", outbound_port_exclusion_list="25"), pod("b")]
    Path("mesh.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    a, b = run("pods").stdout.splitlines()[1:]
    assert "found 16 of them of mesh and pod together: the pod does not start" in a
    assert f"  not port {', '.join(map(str, ports))}; not by net1  " in b


def test_a_decision_is_told_for_each_kind_of_pods() -> None:
    words = "decide", "--as", "curl.curl", "--to", "54.9.9.9:25", "--tcp"
    text = run(*words).stdout
    assert all(f"pod/{name}.curl:\n" in text for name in "abc")
    decided = [json.loads(line) for line in run(*words, "-o", "json").stdout.splitlines()]
    assert [it["pods"] for it in decided] == [["pod/a.curl"], ["pod/b.curl"], ["pod/c.curl"]]
    (one,) = map(
        json.loads, run("decide", "--as", "pod/c.curl", *words[3:], "-o", "json").stdout.splitlines()
    )
    assert one == decided[2]


KINDS = ["pod/a.curl", "pod/b.curl", "pod/c.curl"]


def told(*words: str, ends: int = 0) -> list[dict[str, Any]]:
    """What a command says of `curl.curl`, as JSON."""
    result = CliRunner().invoke(app, [words[0], "-f", "mesh.json", *words[1:], "-o", "json"])
    assert result.exit_code == ends, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_an_explanation_is_told_for_each_kind_of_pods() -> None:
    found = told("explain", "--as", "curl.curl", "--to", "54.9.9.9:25", "--tcp")
    assert [it["pods"] for it in found] == [[name] for name in KINDS]
    assert [it["answer"] for it in found] == [
        "allowed: Egress curl/e lets anything out to `54.9.9.9:25`",
        "passed through: `pod/b.curl` has no sidecar: its annotation declines it",
        "passed through: port 25 is excluded by Pod curl/c",
    ]
    text = run("explain", "--as", "pod/b.curl", "--to", "54.9.9.9:25", "--tcp").stdout
    assert "connection       pod/b.curl to 54.9.9.9:25" in text


def test_partitions_and_residuals_are_told_for_each_kind_of_pods() -> None:
    nobody_as_the_sidecar()
    divided = told("partition", "--as", "curl.curl")
    assert [it["pods"] for it in divided] == [[name] for name in KINDS]
    assert {it["decision"]["reason"] for it in divided[1]["portions"]} == {"no_sidecar", "not_intercepted"}
    hanging = told("residual", "--as", "curl.curl", "--port", "25", ends=1)
    assert [(it["identity"], len(it["portions"]) > 1) for it in hanging] == [
        ("pod/a.curl", True),
        ("pod/b.curl", False),
        ("pod/c.curl", True),
    ]
    assert "pod/c.curl: " in run("partition", "--as", "curl.curl").stdout
    one = CliRunner().invoke(app, ["residual", "-f", "mesh.json", "--as", "pod/a.curl", "--port", "25"])
    assert one.stdout.startswith("pod/a.curl: ")


def test_a_verification_is_told_for_each_kind_of_pods() -> None:
    nobody_as_the_sidecar()
    result = CliRunner().invoke(app, ["verify", "-f", "mesh.json", "--as", "curl.curl"])
    lines = result.stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines if "classes of connections" in line] == KINDS
    found = told("verify", "--as", "pod/a.curl", "--fail-on", "error", ends=result.exit_code)
    assert all(it["pods"] == ["pod/a.curl"] for it in found)


def test_all_pods_of_an_account_read_one_config() -> None:
    configs = {run("config", "--as", who).stdout for who in ("curl.curl", *KINDS)}
    assert len(configs) == 1
    assert '"25"' in configs.pop()


def test_pods_are_completed_behind_their_kind() -> None:
    assert [it.value for it in completed("pod/")] == [*KINDS, "pod/d.curl"]
    assert [it.value for it in completed("c")] == ["curl.curl"]


def completed(text: str) -> list[CompletionItem]:
    with app.make_context("fsm-egress", [], resilient_parsing=True) as context:
        context.params["files"] = ("mesh.json",)
        return complete_identities(context, Option(["--as"]), text)


LISTED = "such as `pod/a.curl`, `pod/b.curl`, `pod/c.curl`"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("pod/z.curl", f"{LISTED}, found the string `pod/z.curl`; write `pod/"),
        ("pod/a.crul", f"{LISTED}, found the string `pod/a.crul`; write `pod/a.curl`"),
        ("deployment/unlike-all.of-them", f"{LISTED}, found the string `deployment/unlike-all.of-them`"),
    ],
)
def test_a_pod_that_is_not_there_is_an_error_of_its_own(name: str, near: str) -> None:
    result = CliRunner().invoke(app, ["partition", "-f", "mesh.json", "--as", name])
    assert result.exit_code != 0
    told = result.output + str(result.exception)
    assert f"expected a pod or a template of the mesh, {near}" in told


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
            "the pod is not created (FSE025 warning)"
        ),
        (
            "Pod curl/a metadata.annotations.flomesh.io/sidecar-injection: expected one of `enabled`, `yes`, "
            "`true`, `disabled`, `no`, `false`, found `si`: the pod is not created (FSE025 warning)"
        ),
        (
            f"Pod curl/b {ports} at most 15 different ports, found 16 of them of mesh and pod together: "
            "the pod does not start (FSE115 warning)"
        ),
    ]


def test_a_config_that_nobody_reads_says_so() -> None:
    told = run("config", "--as", "pod/b.curl")
    assert told.stderr == (
        "note: nobody reads this config: pod/b.curl has no sidecar, as its annotation declines it\n"
    )
    assert json.loads(told.stdout)
    assert "nobody" not in run("config", "--as", "pod/a.curl").stderr
    assert "nobody" not in run("config", "--as", "curl.curl").stderr


def test_a_decision_about_a_pod_that_runs_as_the_sidecars_user_says_so() -> None:
    asked = ("-f", "mesh.json", "--as", "pod/a.curl", "--to", "9.9.9.9:25", "--tcp")
    why = "`app` runs as user 1500, the sidecar's, whose connections pass by the sidecar"
    for command in ("decide", "explain"):
        found = CliRunner().invoke(app, [command, *asked])
        assert (found.exit_code, f"? {why}\n" in found.stdout) == (0, True), found.output
    told = CliRunner().invoke(app, ["decide", *asked, "-o", "json"])
    assert json.loads(told.stdout)["unproven"] == why


def test_nothing_is_proven_for_who_runs_as_the_sidecars_user() -> None:
    for command in ("partition", "reach", "verify"):
        found = CliRunner().invoke(app, [command, "-f", "mesh.json", "--as", "pod/a.curl"])
        assert (found.exit_code, "`app` runs as user 1500" in found.stdout) == (3, True), found.output
