"""The command line: what it prints, where, and how it ends."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import stat
import subprocess
import sys
from collections import Counter
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
import pytest
import yaml
from attrs import evolve
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result
from rich.console import Console
from traffic import ENTRY

import fsm_egress as fe
from fsm_egress.__main__ import main
from fsm_egress.cli import app as app_module
from fsm_egress.cli import checking, deciding, output, problems, replaying, reviewing
from fsm_egress.cli.app import COMMANDS, app, command_of
from fsm_egress.cli.logs import Logs
from fsm_egress.connections.findings import Code
from fsm_egress.connections.obstacles import words_of
from fsm_egress.replaying.dialects import Format

if TYPE_CHECKING:
    from collections.abc import Callable

MESH = """\
apiVersion: config.flomesh.io/v1alpha3
kind: MeshConfig
metadata: {name: fsm-mesh-config, namespace: fsm-system}
spec:
  traffic: {enableEgress: false}
  featureFlags: {enableEgressPolicy: true}
"""
POLICY = """\
apiVersion: policy.flomesh.io/v1alpha1
kind: Egress
metadata: {name: httpbin, namespace: curl}
spec:
  sources: [{kind: ServiceAccount, name: curl, namespace: curl}]
  hosts: [httpbin.org]
  ports:
    - {number: 80, protocol: http}
"""
HTTP = {"destination": "54.9.9.9", "port": 80, "sends": "http", "request": {"host": "httpbin.org"}}
PLAIN = {"destination": "54.9.9.9", "port": 5432, "sends": "bytes"}
PASSTHROUGH = {"spec": {"traffic": {"enableEgress": True}}}
DECIDE = ("decide", "-f", "mesh.yaml", "-f", "policies", "--as", "curl.curl")
ONLY_IPV4 = '{"spec": {"traffic": {"outboundIPRangeInclusionList": ["0.0.0.0/0"]}}}'
CONFIG = ("config", "-f", "mesh.yaml", "--as", "curl.curl")
NOBODY = "note: no document names account curl.curl\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a mesh, to which every path is relative."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mesh.yaml").write_text(MESH)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "httpbin.yaml").write_text(POLICY)
    return tmp_path


def run(*arguments: str, stdin: str | bytes = b"") -> Result:
    return CliRunner().invoke(app, arguments, input=stdin, prog_name="fsm-egress")


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def decided(*arguments: str, stdin: str | bytes = b"") -> list[dict[str, Any]]:
    result = run(*DECIDE, "-o", "json", *arguments, stdin=stdin)
    assert (result.exit_code, result.stderr) == (0, "")
    return json_lines(result.stdout)


TWO_REQUESTS = ("--to", "54.9.9.9:80", "--http", "GET", "httpbin.org/get", "--http", "GET", "a.com/")


class TestCheck:
    def test_what_a_server_would_refuse_is_a_warning(self, folder: Path) -> None:
        (folder / "bare.yaml").write_text(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  annotations:\n"
            "    flomesh.io/outbound-port-exclusion-list: 80,10:20\n"
            "    flomesh.io/outbound-ip-range-exclusion-list: 10.0.0.0/8\n---\n"
            "apiVersion: policy.flomesh.io/v1alpha1\nkind: Egress\nmetadata: {name: e}\nspec: {sources: []}\n"
        )
        result = run("check", "-f", "bare.yaml")
        assert result.exit_code == 1
        assert result.stdout.splitlines() == [
            (
                "bare.yaml:6:46: Pod default/p metadata.annotations.flomesh.io/outbound-port-exclusion-list:"
                " expected a port number from 1 to 65535, found the string `10:20`:"
                " the pod is not created (FSE025 warning)"
            ),
            (
                "bare.yaml:12:1: Egress default/e spec: expected the field `ports`, found none:"
                " the API server refuses it (FSE102 warning)"
            ),
        ]
        assert run("check", "-f", "bare.yaml", "--fail-on", "error").exit_code == 0

    def test_what_has_a_code_may_be_left_out(self, folder: Path) -> None:
        (folder / "bare.yaml").write_text(POLICY.replace("host", "# host") + "  ipAddresses: [54.9.9.9/16]\n")
        (folder / "labels.yaml").write_text(
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: curl, labels: {openservicemesh.io/a: b}}\n"
        )
        files = ("check", "-f", "bare.yaml", "-f", "labels.yaml")
        assert [line.split(" (")[1] for line in run(*files).stdout.splitlines()] == [
            "FSE087 warning)",
            "FSE103 warning)",
        ]
        (line,) = run(*files, "--without", "FSE087").stdout.splitlines()
        assert line.endswith("(FSE103 warning)")
        none = run(*files, "--without", "FSE087", "--without", "FSE103")
        assert (none.exit_code, none.stdout) == (0, "2 resources, no problems\n")
        wrong = run(*files, "--without", "FSE000")
        assert (wrong.exit_code, "found the string `FSE000`" in wrong.stderr) == (2, True)
        (folder / "bare.yaml").write_text(POLICY.replace("80", "0"))
        assert run("check", "-f", "bare.yaml", "--without", "FSE102").exit_code == 1

    def test_codes_are_completed(self) -> None:
        (without,) = [it for it in command_of("check").params if it.name == "without"]
        found = without.shell_complete(click.Context(command_of("check")), "fse10")
        assert [it.value for it in found] == [code.code for code in Code if code.code.startswith("FSE10")]

    def test_a_mesh_without_problems_gets_one_line(self) -> None:
        result = run("check", "-f", "mesh.yaml", "-f", "policies")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "2 resources, no problems\n", "")

    def test_paths_may_follow_one_dash_f_as_a_shell_expands_them(self) -> None:
        assert run("check", "-f", "mesh.yaml", "policies").stdout == "2 resources, no problems\n"

    def test_standard_input(self) -> None:
        assert run("check", "-f", "-", stdin=MESH).stdout == "1 resource, no problems\n"

    def test_every_problem_is_printed_with_its_place(self, folder: Path) -> None:
        bad = POLICY.replace("80", "0").replace("sources", "source")
        (folder / "policies" / "bad.yaml").write_text(bad.replace("httpbin,", "bad,"))
        result = run("check", "-f", "policies", "-f", "nowhere")
        places = [line.split(": ")[0] for line in result.stdout.splitlines()]
        assert result.exit_code == 1
        assert places == [
            "policies/bad.yaml:5:3",
            "policies/bad.yaml:8:16",
            "nowhere",
        ]
        assert result.stderr == ""

    def test_a_warning_is_a_problem_too(self, folder: Path) -> None:
        (folder / "policies" / "httpbin.yaml").write_text(f"{POLICY}  ipAddresses: [54.9.9.9/16]\n")
        result = run("check", "-f", "policies")
        assert result.exit_code == 1
        assert result.stdout.endswith("write `54.9.0.0/16`: that is how it is read (FSE087 warning)\n")

    def test_kinds_that_play_no_part_are_counted_and_no_problem(self) -> None:
        ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: curl, namespace: curl}\n"
        result = run("check", "-f", "-", stdin=f"{MESH}---\n{ingress}")
        assert (result.exit_code, result.stdout) == (0, "1 resource, no problems\n")
        assert result.stderr == "note: 1 document of other kinds (Ingress) passed over; -v lists what\n"
        listed = run("check", "-v", "-f", "-", stdin=f"{MESH}---\n{ingress}")
        assert listed.stdout == result.stdout
        assert listed.stderr.startswith("<stdin>:9:7: Ingress curl/curl ")
        assert listed.stderr.endswith("(FSE104 info)\n")

    def test_what_is_passed_over_is_named_while_it_is_little(self, folder: Path) -> None:
        for name in ("a.yaml", "kustomization.yaml"):
            (folder / "policies" / name).write_text("resources: [httpbin.yaml]\n")
        kinds = ("Ingress", "Ingress", "Role", "Issuer", "Gateway")
        others = [{"apiVersion": "a/v1", "kind": kind, "metadata": {"name": "a"}} for kind in kinds]
        (folder / "policies" / "others.yaml").write_text(yaml.safe_dump_all(others))
        (note,) = run(*DECIDE, "--to", "54.9.9.9:80", "--tcp").stderr.splitlines()
        assert note == (
            "note: 5 documents of other kinds (Ingress, Role, Issuer, …) and 2 files without Kubernetes "
            "objects (policies/a.yaml, policies/kustomization.yaml) passed over; -v lists what"
        )
        told = json_lines(run("check", "-f", "policies", "-o", "json").stdout)
        assert len(told) == 7

    def test_what_is_more_than_is_listed_is_counted(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fsm_egress.manifests.loader.MAX_FOREIGN", 2)
        others = [{"apiVersion": "a/v1", "kind": "Role" * 500, "metadata": {"name": "a"}}] * 5
        (folder / "policies" / "others.yaml").write_text(yaml.safe_dump_all(others))
        (note,) = run(*DECIDE, "--to", "54.9.9.9:80", "--tcp").stderr.splitlines()
        cut = ("Role" * 500)[:499]
        assert note == f"note: 2 documents of other kinds ({cut}…) and 3 more passed over; -v lists what"

    def test_the_changed_mesh_is_checked(self) -> None:
        result = run("check", "-f", "mesh.yaml", "--patch", '{"spec": {"traffic": {"enableEgress": 1}}}')
        assert result.exit_code == 1
        assert result.stdout.startswith("<patch>: MeshConfig fsm-system/fsm-mesh-config spec.traffic.enableE")
        result = run("check", "-f", "mesh.yaml", "--set", "fsm.enableEgress=1")
        assert result.exit_code == 1
        assert result.stdout.startswith(
            "<set fsm.enableEgress=1>: MeshConfig fsm-system/fsm-mesh-config spec."
        )

    def test_a_mesh_with_errors_is_not_changed_on_top(self) -> None:
        result = run("check", "-f", "-", "--patch", "no JSON", stdin=MESH.replace("false", "7"))
        assert (result.exit_code, len(result.stdout.splitlines())) == (1, 1)

    def test_machines_get_problems_as_they_read_them(self, folder: Path) -> None:
        (folder / "policies" / "httpbin.yaml").write_text(f"{POLICY}  ipAddresses: [54.9.9.9/16]\n")
        (line,) = json_lines(run("check", "-f", "policies", "-o", "json").stdout)
        assert (line["severity"], line["line"], line["proposal"]) == ("warning", 9, "54.9.0.0/16")
        sarif = run("check", "-f", "policies", "-o", "sarif")
        assert sarif.exit_code == 1
        (run_of_it,) = json.loads(sarif.stdout)["runs"]
        assert [result["level"] for result in run_of_it["results"]] == ["warning"]
        assert [(it["ruleId"], it["ruleIndex"]) for it in run_of_it["results"]] == [("FSE087", 1)]
        assert [it["id"] for it in run_of_it["tool"]["driver"]["rules"]] == ["document", "FSE087"]
        github = run("check", "-f", "policies", "-o", "github")
        assert github.stdout.startswith("::warning title=fsm-egress FSE087,file=policies/httpbin.yaml,")
        assert run("check", "-f", "mesh.yaml", "-o", "github").stdout == ""

    def test_what_a_terminal_could_obey_is_escaped(self) -> None:
        result = run("check", "-f", "no\x1b[2Jwhere\udc80")
        assert result.stdout.startswith(r"no\x1b[2Jwhere\udc80: ")


class TestDecide:
    def test_json_has_a_line_for_each_connection_in_order(self, folder: Path) -> None:
        (folder / "connections.jsonl").write_text(f"{json.dumps(HTTP)}\n\n{json.dumps(PLAIN)}\n")
        assert decided("--connections", "connections.jsonl") == [
            {
                "verdict": "EGRESS_POLICY",
                "reason": "http_route",
                "status": None,
                "targets": [{"address": "httpbin.org:80", "weight": 100}],
                "gateway": None,
                "rule": "Egress curl/httpbin spec.ports[0]",
                "source": "policies/httpbin.yaml:8",
            },
            {
                "verdict": "DENIED",
                "reason": "egress_disabled",
                "status": None,
                "targets": [],
                "gateway": None,
                "rule": "MeshConfig fsm-system/fsm-mesh-config spec.traffic.enableEgress",
                "source": "mesh.yaml:5",
            },
        ]

    @pytest.mark.parametrize(
        ("text", "count"),
        [
            (json.dumps(PLAIN), 1),
            (json.dumps(PLAIN, indent=2), 1),
            (json.dumps([PLAIN, HTTP]), 2),
            (json.dumps([PLAIN, HTTP], indent=2), 2),
            (f"\ufeff{json.dumps(PLAIN)}\r\n{json.dumps(HTTP)}\r\n", 2),
            ("[]", 0),
            ("\n", 0),
        ],
        ids=["object", "indented object", "list", "indented list", "lines", "empty list", "nothing"],
    )
    def test_connections_come_as_json_or_json_lines(self, text: str, count: int) -> None:
        assert len(decided("--connections", "-", stdin=text)) == count

    def test_all_problems_of_the_connections_are_printed_and_nothing_else(self) -> None:
        lines = (
            '{"destination": "54.9.9.900", "port": "80", "sends": "bytes"}',
            json.dumps(PLAIN),
            '{"destination": ',
            '{"port": 1, "port": 2}',
        )
        result = run(*DECIDE, "--connections", "-", stdin="\n".join(lines))
        assert (result.exit_code, result.stdout) == (3, "")
        assert [line.split(" expected")[0] for line in result.stderr.splitlines()] == [
            "<stdin>:1:17: destination:",
            "<stdin>:3:17:",
            "<stdin>:4:13: port:",
        ]
        assert result.stderr.splitlines()[-1].endswith("expected each key once, found it again")

    def test_a_wrong_connection_of_a_list_is_named_by_its_index(self) -> None:
        text = json.dumps([PLAIN, {**PLAIN, "port": 0}, 3], indent=1)
        result = run(*DECIDE, "--connections", "-", stdin=text)
        assert [line.split(": ")[:2] for line in result.stderr.splitlines()] == [
            ["<stdin>:9:11", "[1].port"],
            ["<stdin>:12:2", "[2]"],
        ]

    def test_connections_that_cannot_be_read(self) -> None:
        result = run(*DECIDE, "--connections", "nowhere.json")
        assert result.exit_code == 3
        assert result.stderr == "nowhere.json: cannot be read: no such file or directory\n"

    @pytest.mark.parametrize(
        ("words", "connection"),
        [
            (
                ("--http", "GET", "http://httpbin.org/get?a=b"),
                fe.http("54.9.9.9", 80, "GET", "httpbin.org/get?a=b"),
            ),
            (
                ("--http", "GET", "httpbin.org", "--header", "X-Env: prod"),
                fe.http("54.9.9.9", 80, "GET", "httpbin.org", {"x-env": "prod"}),
            ),
            (
                ("--http", "GET", "httpbin.org", "--header", "X-Env: test", "--header", "x-env: prod"),
                fe.http("54.9.9.9", 80, "GET", "httpbin.org", {"x-env": "prod"}),
            ),
            (
                ("--http", "GET", "httpbin.org/get", "--header", "Host: HTTPBIN.org"),
                fe.Connection("54.9.9.9", 80, fe.HTTPRequest("GET", "HTTPBIN.org", "/get")),
            ),
            (
                ("--http", "GET", "httpbin.org/get", "--through-proxy"),
                fe.Connection("54.9.9.9", 80, fe.HTTPRequest("GET", "httpbin.org", "http://httpbin.org/get")),
            ),
            (
                ("--http", "OPTIONS", "httpbin.org", "--request-target", "*"),
                fe.Connection("54.9.9.9", 80, fe.HTTPRequest("OPTIONS", "httpbin.org", "*")),
            ),
            (("--tls", "httpbin.org"), fe.tls("54.9.9.9", 80, "httpbin.org")),
            (("--tls", "httpbin.org."), fe.tls("54.9.9.9", 80, "httpbin.org")),
            (("--tls",), fe.tls("54.9.9.9", 80)),
            (("--tcp",), fe.tcp("54.9.9.9", 80)),
            (("--server-first",), fe.server_first("54.9.9.9", 80)),
            (("--udp",), fe.udp("54.9.9.9", 80)),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
    )
    def test_words_are_the_connection_that_they_say(
        self, words: tuple[str, ...], connection: fe.Connection
    ) -> None:
        said = decided("--to", "54.9.9.9:80", *words)
        assert said == decided("--connections", "-", stdin=json.dumps(connection.to_mapping()))
        assert (
            run(*DECIDE, "--to", "54.9.9.9:80", *words).stdout.splitlines()[1].startswith(f"{connection}  ")
        )

    def test_what_is_allowed_and_cannot_work_is_said(self) -> None:
        words = ("--to", "54.9.9.9:80", "--http", "GET", "ws://httpbin.org/get")
        result = run(*DECIDE, *words)
        assert result.exit_code == 0
        (note,) = (line for line in result.stderr.splitlines() if "cannot work" in line)
        assert note == f"note: cannot work: {words_of(Code.WEBSOCKET_OVER_HTTP)} (FSE140)"
        (found,) = decided(*words)
        message = words_of(Code.WEBSOCKET_OVER_HTTP)
        assert found["cannot_work"] == [{"code": "FSE140", "message": message}]
        assert "cannot_work" not in decided(*words[:-1], "http://httpbin.org/get")[0]

    def test_several_requests_of_one_connection_are_decided_each(self) -> None:
        words = (*TWO_REQUESTS, "--header", "x-env: prod")
        assert [(it["request"], it["verdict"], it["status"]) for it in decided(*words)] == [
            (1, "EGRESS_POLICY", None),
            (2, "DENIED", 403),
        ]
        table = run(*DECIDE, *words).stdout.splitlines()
        assert [line.split("  ")[0] for line in table[1:]] == [
            "request 1: 54.9.9.9:80 GET http://httpbin.org/get",
            "request 2: 54.9.9.9:80 GET http://a.com/",
        ]

    def test_ipv6_destinations_stand_in_brackets(self) -> None:
        told = run(
            *DECIDE, "--to", "[2001:db8::5]:443", "--tcp", "--set", "fsm.enableEgress=true", "-o", "json"
        )
        (line,) = json_lines(told.stdout)
        assert line["ungoverned"] == "IPv6"
        assert told.stderr == (
            "note: FSM redirects no IPv6: it passes by the sidecar, whatever is decided about it\n"
        )
        assert line["targets"] == [{"address": "[2001:db8::5]:443", "weight": 100, "original": True}]

    @pytest.mark.parametrize(
        ("words", "complaint"),
        [
            ((), "give one of --to and --connections"),
            (("--to", "1.2.3.4:80", "--connections", "-"), "give one of --to and --connections"),
            (("--to", "1.2.3.4:80"), "with --to, give one of --http"),
            (("--to", "1.2.3.4:80", "--tcp", "--udp"), "with --to, give one of --http"),
            (("--to", "1.2.3.4:80", "--tcp", "--header", "a: b"), "--header belongs to --http"),
            (("--connections", "-", "--tls"), "belong to --to"),
            (("--connections", "-", "--header", "a: b"), "belong to --to"),
            (("--connections", "-", "-f", "-"), "standard input can be read only once"),
            (("-f", "-", "-f", "-", "--to", "1.2.3.4:80", "--tcp"), "standard input can be read only once"),
            (("--to", "2001:db8::5:80", "--tcp"), "write `[2001:db8::5]:80`"),
            (("--to", "1.2.3.4", "--tcp"), "expected an address and a port"),
            (("--to", "httpbin.org:80", "--tcp"), "expected an IP address"),
            (("--to", "1.2.3.4:65536", "--tcp"), "expected a port number"),
            (("--to", "1.2.3.4:80", "--http", "GET", "https://a.b/"), "HTTPS is `tls` to the sidecar"),
            (("--to", "1.2.3.4:80", "--http", "GET", "a.b", "--header", "x"), "a header such as"),
            (("--to", "1.2.3.4:80", "--tcp", "--through-proxy"), "--through-proxy belongs to --http"),
            (("--to", "1.2.3.4:80", "--tls", "--request-target", "*"), "--request-target belongs to --http"),
            (("--connections", "-", "--through-proxy"), "belong to --to"),
            (("--to", "1.2.3.4:80", "--tcp", "--patch", "{"), "Invalid value for '--patch': "),
            (("--to", "1.2.3.4:80", "--tcp", "--set", "fsm.enabelEgress=true"), "write `fsm.enableEgress`"),
            (("--to", "1.2.3.4:80", "--tcp", "--as", "curl"), "expected a service identity"),
        ],
    )
    def test_wrong_usage(self, words: tuple[str, ...], complaint: str) -> None:
        result = run(*DECIDE, *words)
        assert (result.exit_code, result.stdout) == (2, "")
        assert complaint in result.stderr.splitlines()[-1]

    def test_documents_are_needed(self) -> None:
        result = run("decide", "--as", "curl.curl", "--to", "1.2.3.4:80", "--tcp")
        assert (result.exit_code, result.stderr.splitlines()[-1]) == (
            2,
            "Error: missing option '-f': the documents to read",
        )

    def test_invalid_documents_decide_nothing(self) -> None:
        result = run(*DECIDE, "-f", "-", "--to", "1.2.3.4:80", "--tcp", stdin=MESH.replace("mesh:", "mess:"))
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr.startswith("<stdin>:1:1: ")

    def test_what_only_an_installation_has_is_named_and_passed_over(self) -> None:
        words = ("--to", "1.2.3.4:81", "--tcp", "--set", "fsm.deployPrometheus=true,fsm.enableEgress=true")
        result = run(*DECIDE, "-o", "json", *words)
        assert (result.exit_code, json_lines(result.stdout)[0]["verdict"]) == (0, "PASSTHROUGH")
        assert result.stderr == "--set: no MeshConfig holds `fsm.deployPrometheus`: it is passed over\n"

    def test_a_key_that_no_mesh_config_holds_can_be_passed_over(self) -> None:
        words = ("--to", "1.2.3.4:81", "--tcp", "--set", "fsm.enabelEgress=true")
        assert "; --set-lenient passes it over" in run(*DECIDE, *words).stderr.splitlines()[-1]
        result = run(*DECIDE, *words, "--set-lenient")
        assert result.exit_code == 0
        assert result.stderr == "--set: no MeshConfig holds `fsm.enabelEgress`: it is passed over\n"

    def test_patches_come_before_settings_and_each_in_order(self) -> None:
        on, off = json.dumps(PASSTHROUGH), json.dumps(PASSTHROUGH).replace("true", "false")
        verdicts = [
            decided("--to", "1.2.3.4:81", "--tcp", *changes)[0]["verdict"]
            for changes in (
                ("--patch", on),
                ("--patch", on, "--patch", off),
                ("--set", "fsm.enableEgress=true", "--patch", off),
                ("--set", "fsm.enableEgress=true", "--set", "fsm.enableEgress=false"),
            )
        ]
        assert verdicts == ["PASSTHROUGH", "DENIED", "PASSTHROUGH", "DENIED"]


class TestTable:
    def test_it_is_aligned_text_when_it_is_piped(self) -> None:
        connections = json.dumps([HTTP, PLAIN, {**HTTP, "request": {"host": "other.org"}}])
        result = run(*DECIDE, "--connections", "-", stdin=connections)
        assert result.stdout == (
            "CONNECTION                           VERDICT        REASON           TARGET          RULE\n"
            "54.9.9.9:80 GET http://httpbin.org/  EGRESS_POLICY  http_route       httpbin.org:80  "
            "Egress curl/httpbin spec.ports[0] (policies/httpbin.yaml:8)\n"
            "54.9.9.9:5432 TCP                    DENIED         egress_disabled  closed          "
            "MeshConfig fsm-system/fsm-mesh-config spec.traffic.enableEgress (mesh.yaml:5)\n"
            "54.9.9.9:80 GET http://other.org/    DENIED         no_host          HTTP 403        "
            "Egress curl/httpbin spec.ports[0] (policies/httpbin.yaml:8)\n"
        )
        assert result.stderr == ""

    def test_weights_and_gateways_stand_beside_the_targets(self, folder: Path) -> None:
        (folder / "policies" / "more.yaml").write_text(GATEWAY)
        (row,) = run(*DECIDE, "--to", "54.9.9.9:80", "--http", "GET", "httpbin.org").stdout.splitlines()[1:]
        assert "  httpbin.org:80 via gw.fsm  " in row
        split = fe.Decision(
            fe.Verdict.IN_MESH,
            fe.Reason.HTTP_ROUTE,
            targets=(fe.Target("10.0.0.1", 80, 60), fe.Target("10.0.0.2", 80, 40)),
        )
        with CliRunner().isolation() as (stdout, *_):
            deciding.print_decisions([(fe.tcp("10.0.0.9", 80), split)])
            assert b"  10.0.0.1:80 (60), 10.0.0.2:80 (40)  -" in stdout.getvalue()

    def test_warnings_and_findings_follow_on_standard_error(self, folder: Path) -> None:
        (folder / "policies" / "httpbin.yaml").write_text(
            POLICY.replace("  hosts: [httpbin.org]\n", "  ipAddresses: [54.9.9.9/16]\n")
        )
        result = run(*DECIDE, "--to", "54.9.9.9:80", "--tcp")
        warning, finding = result.stderr.splitlines()
        assert result.exit_code == 0
        assert warning.startswith("policies/httpbin.yaml:6:17: Egress curl/httpbin spec.ipAddresses[0]: ")
        assert finding.startswith("FSE013 warning: Egress curl/httpbin ")
        assert run(*DECIDE, "--to", "54.9.9.9:80", "--tcp", "-o", "json").stderr == ""

    def test_a_terminal_gets_colours_unless_it_wants_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.delenv("NO_COLOR", raising=False)
        words = (
            *DECIDE,
            "--to",
            "54.9.9.9:80",
            "--http",
            "GET",
            "httpbin.org/",
            "--request-target",
            "/\x9b[red]",
        )
        coloured = run(*words).stdout
        assert "\x1b[32mEGRESS_POLICY" in coloured
        assert r"GET http://httpbin.org/\x9b[red] " in coloured
        monkeypatch.setenv("NO_COLOR", "1")
        assert "\x1b[3" not in run(*words).stdout

    def test_a_narrow_terminal_gets_everything_on_more_lines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "70")
        shown = run(*DECIDE, "--to", "54.9.9.9:80", "--http", "GET", "httpbin.org").stdout
        assert "…" not in shown
        assert " EGRESS_POLICY " in shown

    def test_wide_characters_are_counted_as_they_are_shown(self) -> None:
        requests = [{**HTTP, "request": {"host": "httpbin.org", "path": path}} for path in ("/世界", "/get")]
        shown = run(*DECIDE, "--connections", "-", stdin=json.dumps(requests)).stdout.splitlines()
        assert [line.index("EGRESS") for line in shown[1:]] == [39, 41]

    def test_what_an_encoding_lacks_is_escaped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        content = io.BytesIO()
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(content, encoding="ascii"))
        output.say(["größer"])
        assert content.getvalue() == b"gr\\xf6\\xdfer\n"


GATEWAY = """\
apiVersion: policy.flomesh.io/v1alpha1
kind: EgressGateway
metadata: {name: global, namespace: fsm-system}
spec:
  global: [{service: gw, namespace: fsm}]
---
apiVersion: v1
kind: Service
metadata: {name: gw, namespace: fsm}
spec:
  clusterIP: 10.96.0.9
  ports: [{name: tunnel, port: 1080}]
---
apiVersion: v1
kind: Endpoints
metadata: {name: gw, namespace: fsm}
subsets:
  - addresses: [{ip: 10.0.9.9}]
    ports: [{name: tunnel, port: 1080}]
"""


HTTPS = POLICY.replace("80, protocol: http", "443, protocol: https")
VERIFY = ("verify", "-f", "mesh.yaml", "-f", "policies", "--patch", ONLY_IPV4)


class TestSidecar:
    def test_json_has_a_line_for_each_connection(self, folder: Path) -> None:
        (folder / "config.json").write_bytes(run("config", *DECIDE[1:]).stdout_bytes)
        (folder / "connections.jsonl").write_text(f"{json.dumps(HTTP)}\n{json.dumps(PLAIN)}\n")
        result = run("sidecar", "--config", "config.json", "--connections", "connections.jsonl", "-o", "json")
        assert result.exit_code == 0
        assert json_lines(result.stdout) == [
            {
                "outcome": "dialled",
                "targets": [{"address": "httpbin.org:80", "weight": 100}],
                "status": None,
                "mtls": False,
                "gateway": None,
            },
            {"outcome": "closed", "targets": [], "status": None, "mtls": False, "gateway": None},
        ]

    def test_a_table_for_people(self) -> None:
        content = run("config", *DECIDE[1:], "--gzip").stdout_bytes
        result = run(
            "sidecar", "--config", "-", "--to", "54.9.9.9:80", "--http", "GET", "x.org/", stdin=content
        )
        assert result.stdout.splitlines() == [
            "CONNECTION                     OUTCOME   TARGET  STATUS  MTLS  GATEWAY",
            "54.9.9.9:80 GET http://x.org/  answered  -       403     no    -",
        ]

    def test_requests_of_one_connection_are_handled_each_until_it_is_closed(self) -> None:
        content = run("config", *DECIDE[1:]).stdout_bytes
        words = (*TWO_REQUESTS, "--http", "PURGE", "httpbin.org/", "--http", "GET", "httpbin.org/get")
        asked = ("sidecar", "--config", "-", *words)
        outcomes = ["dialled", "answered", "closed", "closed"]
        told = json_lines(run(*asked, "-o", "json", stdin=content).stdout)
        assert [(it["request"], it["outcome"]) for it in told] == list(enumerate(outcomes, 1))
        by_http2 = json_lines(run(*asked, "--http2", "-o", "json", stdin=content).stdout)
        assert [it["outcome"] for it in by_http2] == ["dialled", "answered", "answered", "dialled"]
        (purged,) = json_lines(run(*asked[:5], *words[-6:-3], "--http2", "-o", "json", stdin=content).stdout)
        assert (purged["outcome"], "request" in purged) == ("answered", False)
        table = run(*asked, stdin=content).stdout.splitlines()[1:]
        assert [line.startswith(f"request {number}: ") for number, line in enumerate(table, 1)] == [True] * 4

    def test_shares_get_a_row_each(self, folder: Path) -> None:
        tree = run_config()
        match = tree["Outbound"]["TrafficMatches"]["80"][0]
        route = match["HttpServiceRouteRules"]["httpbin.org"]["RouteRules"][0]
        route["TargetClusters"]["gone"] = 100
        (folder / "config.json").write_text(json.dumps(tree))
        to = ("--to", "54.9.9.9:80", "--http", "GET", "httpbin.org/")
        rows = run("sidecar", "--config", "config.json", *to).stdout.splitlines()
        assert [row.split()[3:6] for row in rows[1:]] == [
            ["dialled", "httpbin.org:80", "-"],
            ["answered", "-", "404"],
        ]

    def test_what_the_model_does_not_know_is_said(self, folder: Path) -> None:
        tree = run_config()
        tree["Chains"]["outbound-http"] = ["plugins/mine.js"]
        (folder / "config.json").write_text(json.dumps(tree))
        to = ("--to", "54.9.9.9:80", "--http", "GET", "httpbin.org/")
        assert (
            "unknown  Chains.outbound-http: `plugins/mine.js` is no module that this model knows"
            in run("sidecar", "--config", "config.json", *to).stdout
        )

    def test_a_malformed_config_is_told_with_its_paths(self) -> None:
        broken = '{"Outbound": {"TrafficMatches": {"80": [{"Port": "80"}]}}}'
        result = run("sidecar", "--config", "-", "--to", "54.9.9.9:80", "--tcp", stdin=broken)
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr.splitlines() == [
            (
                "<stdin>: Outbound.TrafficMatches.80[0].Port: expected a whole number from 0 on,"
                " found the string `80`"
            ),
            "<stdin>: Outbound.TrafficMatches.80[0].Protocol: expected a string, found `null`",
        ]

    @pytest.mark.parametrize("dump", ["", "\n"])
    def test_an_empty_dump_is_told_with_the_way_to_the_real_one(self, dump: str) -> None:
        for words in (
            ("sidecar", "--to", "54.9.9.9:80", "--tcp"),
            ("verify", "-f", "mesh.yaml", "--as", "a.b"),
        ):
            result = run(*words, "--config", "-", stdin=dump)
            assert (result.exit_code, result.stdout) == (3, "")
            assert result.stderr.endswith(
                "<stdin>: expected the JSON of a config, found nothing: so a sidecar answers `fsm proxy get"
                " config_dump` that reads `config.json.gz`; that file is in the controller's repo, at the URL"
                " that is the last argument of the container `sidecar`\n"
            )

    def test_a_config_of_another_version_is_named(self) -> None:
        to = ("--to", "54.9.9.9:80", "--http", "GET", "httpbin.org/")
        configs = {fsm: run("config", *DECIDE[1:], "--fsm", fsm).stdout_bytes for fsm in ("1.3.7", "1.5")}
        for written, read, fate, note in (
            ("1.3.7", "1.3.7", "dialled", ""),
            ("1.5", "1.5", "dialled", ""),
            ("1.3.7", "1.5", "answered", "FSM up to 1.3.7"),
            ("1.5", "1.3.7", "answered", "FSM 1.3.8 or later"),
        ):
            result = run("sidecar", "--config", "-", "--fsm", read, *to, stdin=configs[written])
            assert result.stdout.splitlines()[1].split()[3] == fate
            expected = f"note: <stdin> is of {note}, whose scripts are others: say which with --fsm\n"
            assert result.stderr == (expected if note else "")

    def test_a_config_that_is_not_there(self) -> None:
        result = run("sidecar", "--config", "nowhere.json", "--to", "54.9.9.9:80", "--tcp")
        assert (result.exit_code, result.stderr) == (
            3,
            "nowhere.json: cannot be read: no such file or directory\n",
        )

    def test_standard_input_can_be_read_only_once(self) -> None:
        result = run("sidecar", "--config", "-", "--connections", "-", stdin=json.dumps(PLAIN))
        assert result.exit_code == 2
        assert "standard input can be read only once" in result.stderr


def run_config() -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(run("config", *DECIDE[1:]).stdout)
    return tree


class TestVerify:
    def test_agreement_is_one_line(self, folder: Path) -> None:
        (folder / "policies" / "httpbin.yaml").write_text(POLICY.replace("http}", "tcp}"))
        result = run(*VERIFY, "--as", "curl.curl")
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == "curl.curl: 28 classes of connections, engine and sidecar agree\n"

    def test_a_difference_is_a_row_and_its_shortcoming_a_line(self, folder: Path) -> None:
        (folder / "policies" / "httpbin.yaml").write_text(HTTPS)
        result = run(*VERIFY, "--as", "curl.curl")
        assert result.exit_code == 1
        first, head, plain, nameless, *advice = result.stdout.splitlines()
        assert first.endswith("classes of connections, 2 differ")
        assert head.split() == ["CONNECTION", "DECISION", "SHOULD", "BE", "SIDECAR", "FINDINGS", "RULE"]
        assert plain.split("  ")[0] == "192.0.2.1:443 TCP"
        assert "dialled to httpbin.org:443" in nameless
        assert nameless.endswith("Egress curl/httpbin spec.ports[0] (policies/httpbin.yaml:8)")
        assert [line.split(":")[0] for line in advice] == ["FSE029 error", "FSE031 error"]

    def test_with_the_module_there_is_no_difference(self, folder: Path) -> None:
        (folder / "policies" / "httpbin.yaml").write_text(HTTPS)
        result = run(*VERIFY, "--as", "curl.curl", "--enforce")
        assert result.exit_code == 0
        assert result.stdout.endswith("engine and sidecar agree\n")

    def test_json_has_a_line_for_each_difference(self, folder: Path) -> None:
        (folder / "policies" / "httpbin.yaml").write_text(HTTPS)
        first, second = json_lines(run(*VERIFY, "--as", "curl.curl", "-o", "json").stdout)
        assert list(first) == ["identity", "connection", "decision", "due", "sidecar", "findings"]
        assert (first["identity"], first["findings"]) == ("curl.curl", ["FSE031"])
        assert second["connection"] == {
            "destination": "192.0.2.1",
            "port": 443,
            "sends": "tls",
            "sni": None,
        }

    def test_a_config_from_elsewhere(self, folder: Path) -> None:
        (folder / "policies" / "httpbin.yaml").write_text(POLICY.replace("http}", "tcp}"))
        (folder / "config.json").write_text('{"Outbound": {}}')
        result = run(*VERIFY, "--as", "curl.curl", "--config", "config.json")
        assert result.exit_code == 1
        assert "dialled to the original destination  closed" in result.stdout

    def test_what_is_undecided_is_no_agreement(self, folder: Path) -> None:
        tree = run_config()
        tree["Chains"]["outbound-http"] = ["plugins/mine.js"]
        (folder / "config.json").write_text(json.dumps(tree))
        arguments = (*VERIFY, "--as", "curl.curl", "--config", "config.json")
        result = run(*arguments)
        assert result.exit_code == 3
        assert result.stdout.splitlines()[-1].startswith(
            "192.0.2.1:80 TCP: not decided: Chains.outbound-http:"
        )
        assert json_lines(run(*arguments, "-o", "json").stdout)[-1]["undecided"].startswith("Chains.")
        assert run(*arguments, "-q").stdout == "1 compared: 1 could not be decided\n"

    def test_all_identities(self, folder: Path) -> None:
        (folder / "policies" / "other.yaml").write_text(
            HTTPS.replace("name: curl", "name: wget").replace("httpbin,", "other,")
        )
        result = run(*VERIFY, "--all")
        assert result.exit_code == 1
        assert [line.split(":")[0] for line in result.stdout.splitlines() if "classes" in line] == [
            "curl.curl",
            "wget.curl",
            "any other account",
        ]

    def test_all_identities_with_a_bar_on_a_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal = io.StringIO()
        monkeypatch.setattr(output, "terminal", lambda **_: Console(file=terminal, force_terminal=True))
        for name in output.progress(("a", "größer"), "verifying"):
            output.say([name])
        assert "größer\n" in terminal.getvalue()
        assert "verifying" in terminal.getvalue()
        assert list(output.progress(("a",), "verifying")) == ["a"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((), "give one of --as and --all"),
            (("--all", "--as", "curl.curl"), "give one of --as and --all"),
            (("--all", "--config", "c.json"), "--config belongs to --as"),
            (("--as", "curl.curl", "--config", "c.json", "--enforce"), "--enforce is said by the config"),
        ],
    )
    def test_wrong_usage(self, arguments: tuple[str, ...], message: str) -> None:
        result = run(*VERIFY, *arguments)
        assert result.exit_code == 2
        assert message in result.stderr


REPLAY = ("replay", "-f", "mesh.yaml", "-f", "policies")
RECORDS = (
    {"identity": "curl.curl", "destination": "54.9.9.9", "port": 80, "host": "httpbin.org"},
    {"identity": "curl.curl", "destination": "54.9.9.9", "port": 443, "server_name": "httpbin.org"},
    {"identity": "curl.curl", "destination": "54.9.9.9", "port": 443},
)
NEVER = "".join(f"{json.dumps(record)}\n" for record in RECORDS[1:])
ACCESS = f"{json.dumps(RECORDS[0])}\n{NEVER}"
BROKEN = '{"identity": "curl", "destination": "54.9.9.9", "port": 80}\n'
OFF = "MeshConfig fsm-system/fsm-mesh-config spec.traffic.enableEgress"


def replayed(*arguments: str, stdin: str = "") -> dict[str, Any]:
    (summary,) = json_lines(run(*REPLAY, "-o", "json", *arguments, stdin=stdin).stdout)
    return summary


class TestReplay:
    @pytest.fixture(autouse=True)
    def _logs(self, folder: Path) -> None:
        (folder / "access.jsonl").write_text(ACCESS)
        (folder / "broken.jsonl").write_text(ACCESS + BROKEN)
        (folder / "empty").mkdir()

    def test_connections_are_counted_by_what_becomes_of_them(self) -> None:
        result = run(*REPLAY, "access.jsonl")
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.splitlines() == [
            "3 connections",
            "COUNT  IDENTITY   VERDICT        REASON           RULE" + " " * 75 + "ROUTE",
            f"2      curl.curl  DENIED         egress_disabled  {OFF} (mesh.yaml:5)  -",
            "1      curl.curl  EGRESS_POLICY  http_route       Egress curl/httpbin spec.ports[0]"
            " (policies/httpbin.yaml:8)" + " " * 20 + "-",
            "COUNT  IDENTITY   DENIED",
            "1      curl.curl  54.9.9.9:443",
            "1      curl.curl  httpbin.org:443",
        ]

    def test_of_many_denied_destinations_the_most_frequent_are_shown(self) -> None:
        asked = ({"identity": "curl.curl", "destination": f"54.0.0.{it}", "port": 9} for it in range(1, 24))
        result = run(*REPLAY, "-", stdin="".join(f"{json.dumps(record)}\n" for record in asked))
        assert "and 3 more destinations denied: -o json names them" in result.stdout.splitlines()

    def test_rules_that_nothing_used_are_named(self) -> None:
        result = run(*REPLAY, "--after-patch", json.dumps(PASSTHROUGH), "-", stdin=NEVER)
        unused = "Egress curl/httpbin spec.ports[0] (policies/httpbin.yaml:8)"
        assert result.stdout.splitlines()[-2:] == [f"never used: {unused}", f"never used after: {unused}"]

    def test_with_another_mesh_it_says_what_would_change(self) -> None:
        result = run(*REPLAY, "--after-set", "fsm.enableEgress=true", "access.jsonl")
        assert result.exit_code == 1
        first, *_, head, change = result.stdout.splitlines()
        assert first == "3 connections, 2 would change"
        assert head.split() == ["COUNT", "IDENTITY", "BEFORE", "AFTER", "DIFFERS", "EXAMPLE"]
        assert change.split("  ")[-3:] == [
            f"PASSTHROUGH (egress_enabled) by {OFF} (set fsm.enableEgress=true)",
            "verdict, targets",
            "access.jsonl:2: 54.9.9.9:443 TLS httpbin.org",
        ]

    def test_a_mesh_that_changes_nothing_is_fine(self) -> None:
        result = run(*REPLAY, "--after", "mesh.yaml", "--after", "policies", "access.jsonl")
        assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "3 connections, none would change")

    @pytest.mark.parametrize(
        ("changes", "changed"),
        [
            (("--after", "mesh.yaml"), 1),
            (("--after", "mesh.yaml", "--set", "fsm.enableEgress=true"), 1),
            (("--after", "mesh.yaml", "--after-set", "fsm.enableEgress=true"), 3),
            (("--set", "fsm.enableEgress=true", "--after-patch", json.dumps(PASSTHROUGH)), 0),
            (("--patch", json.dumps(PASSTHROUGH), "--after-set", "fsm.enableEgress=false"), 2),
            (("--after-patch", json.dumps(PASSTHROUGH), "--after-set", "fsm.enableEgress=false"), 0),
        ],
    )
    def test_changes_come_on_top_of_what_both_have(self, changes: tuple[str, ...], changed: int) -> None:
        assert sum(change["count"] for change in replayed(*changes, "access.jsonl")["changes"]) == changed

    def test_json_is_one_object(self) -> None:
        rule = {"rule": "Egress curl/httpbin spec.ports[0]", "source": "policies/httpbin.yaml:8"}
        ruling = {"verdict": "EGRESS_POLICY", "reason": "http_route", **rule, "route": None}
        assert replayed("-", stdin=f"{json.dumps(RECORDS[0])}\n{BROKEN}") == {
            "connections": 1,
            "unreadable": 1,
            "denied": [],
            "left_out": {"cannot be read: identity: expected a service identity `name.namespace`": 1},
            "problems": [
                "<stdin>:2:1: identity: expected a service identity `name.namespace`, found the string `curl`"
            ],
            "counts": [{"identity": "curl.curl", **ruling, "count": 1}],
            "counts_after": [],
            "changes": [],
            "unused": [],
            "unused_after": [],
        }
        assert replayed("-", stdin="")["unused"] == [rule]

    def test_a_record_that_cannot_be_read_is_told_and_left_out(self) -> None:
        result = run(*REPLAY, "broken.jsonl")
        assert (result.exit_code, result.stdout.splitlines()[0]) == (
            3,
            "3 connections, 1 record cannot be read",
        )
        assert result.stderr.startswith("broken.jsonl:4:1: identity: expected a service identity")

    def test_after_the_first_ones_they_are_only_counted(self) -> None:
        result = run(*REPLAY, "-", stdin=BROKEN * 12)
        assert result.stdout.splitlines()[0] == "0 connections, 12 records cannot be read"
        assert len(result.stderr.splitlines()) == 11
        assert result.stderr.splitlines()[-1] == "2 more records cannot be read"

    def test_strictly_the_first_one_ends_it(self) -> None:
        result = run(*REPLAY, "--strict", "broken.jsonl")
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr.startswith("broken.jsonl:4:1: identity: ")

    def test_columns_have_other_names_and_one_identity(self, folder: Path) -> None:
        (folder / "envoy.csv").write_text("upstream_host,authority\n54.9.9.9:80,httpbin.org\n")
        names = ("--column", "destination=upstream_host", "--column", "host=authority")
        (count,) = replayed("envoy.csv", *names, "--as", "curl.curl")["counts"]
        assert (count["identity"], count["reason"]) == ("curl.curl", "http_route")

    def test_the_first_records_show_how_a_log_is_written(self, folder: Path) -> None:
        (folder / "access.log").write_text(ACCESS)
        (folder / "access.log.gz").write_bytes(gzip.compress(ACCESS.encode()))
        expected = replayed("access.jsonl")
        assert replayed("access.log", "--format", "json") == expected
        assert replayed("access.log") == replayed("access.log.gz") == expected
        (folder / "flows.parquet").write_text("no Parquet")
        result = run(*REPLAY, "flows.parquet")
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr.startswith("flows.parquet: expected a Parquet file: ")

    @pytest.mark.parametrize(
        ("words", "complaint"),
        [
            ((), "Missing argument 'LOG...'."),
            (("empty",), "`empty` is a folder without files"),
            (("policies/b.yaml",), "documents of the mesh stand behind -f each"),
            (("access.jsonl", "--column", "host"), "a field and its column, such as `host=authority`"),
            (("access.jsonl", "--column", "host="), "a field and its column, such as `host=authority`"),
            (("access.jsonl", "--column", "hots=authority"), "Invalid value for '--column': expected one of"),
            (("access.jsonl", "--workers", "0"), "Invalid value for '--workers'"),
            (("access.jsonl", "--after-patch", "{"), "Invalid value for '--after-patch': "),
            (("access.jsonl", "--after-set", "fsm.x=1"), "Invalid value for '--after-set': "),
            (("-", "-f", "-"), "standard input can be read only once"),
        ],
    )
    def test_wrong_usage(self, words: tuple[str, ...], complaint: str) -> None:
        result = run(*REPLAY, *words)
        assert (result.exit_code, result.stdout) == (2, "")
        assert complaint in result.stderr.splitlines()[-1]

    def test_documents_are_needed(self) -> None:
        result = run("replay", "access.jsonl")
        assert (result.exit_code, result.stderr.splitlines()[-1]) == (
            2,
            "Error: missing option '-f': the documents to read",
        )

    def test_a_log_that_is_not_there_is_told_before_the_work_begins(self) -> None:
        result = run(*REPLAY, "access.jsonl", "nowhere.jsonl")
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr == "nowhere.jsonl: cannot be read: no such file or directory\n"

    def test_a_log_that_cannot_be_opened_is_told(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "logs").mkdir()
        (folder / "logs" / "access.jsonl").write_text(ACCESS)
        assert run(*REPLAY, "logs").exit_code == 0

        def refused(*_: Any, **__: Any) -> Any:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refused)
        result = run(*REPLAY, "logs")
        told = f"{Path('logs', 'access.jsonl')}: cannot be read: permission denied\n"
        assert (result.exit_code, result.stderr) == (3, told)
        monkeypatch.undo()
        monkeypatch.chdir(folder)
        monkeypatch.setattr("fsm_egress.cli.logs.FileIO", refused)
        result = run(*REPLAY, "access.jsonl")
        assert (result.exit_code, result.stderr) == (3, "access.jsonl: cannot be read: permission denied\n")

    def test_a_folder_is_read_in_the_order_of_its_records(self, folder: Path) -> None:
        record = {"identity": "curl", "destination": "54.9.9.9", "port": 80}
        (folder / "logs" / "old").mkdir(parents=True)
        for name, time in {
            "access.log": 30,
            "access.log.1": 20,
            "old/access.log.2": 10,
            ".hidden": 1,
        }.items():
            (folder / "logs" / name).write_text(f"{json.dumps({**record, 'time': time})}\n")
        (folder / "logs" / "no.time").write_text(f"{json.dumps(record)}\n")
        os.utime(folder / "logs" / "no.time", (15, 15))
        problems = replayed("logs")["problems"]
        assert [problem.partition(":")[0] for problem in problems] == [
            str(Path("logs", name)) for name in ("old/access.log.2", "no.time", "access.log.1", "access.log")
        ]

    def test_records_that_are_not_in_the_logs_are_told(self) -> None:
        record = {"identity": "curl.curl", "destination": "54.9.9.9:9", "lost": 2}
        told = run(*REPLAY, "-", stdin=json.dumps(record)).stdout.splitlines()
        assert told[1] == "not in the logs: 2 records that whoever wrote them left out"

    def test_a_log_of_another_program_is_said_to_be_one(self) -> None:
        entry = json.dumps([ENTRY, {**ENTRY, "type": "inbound"}])
        result = run(*REPLAY, "-", stdin=entry)
        assert result.stderr == "<stdin>: read as FSM's remote log (--format fsm)\n"
        assert result.stdout.splitlines()[:2] == ["1 connection", "left out: 1 record, inbound"]
        assert run(*REPLAY, "-", "--format", "fsm", stdin=entry).stderr == ""
        assert replayed("-", "--format", "fsm", stdin=entry)["left_out"] == {"inbound": 1}

    def test_a_worker_that_ends_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(replaying, "replay_logs", fails_with(BrokenProcessPool("gone")))
        result = run(*REPLAY, "access.jsonl")
        assert result.exit_code == 3
        assert result.stderr == "a worker process has ended before its work was done\n"

    def test_a_bar_on_a_terminal_counts_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal = io.StringIO()
        monkeypatch.setattr(
            output, "terminal", lambda **_: Console(file=terminal, force_terminal=True, width=100)
        )
        with output.progress_by_bytes(2_000, "replaying") as advance:
            advance(1_000)
        assert "replaying" in terminal.getvalue()
        assert "1.0/2.0 kB" in terminal.getvalue()

    def test_what_was_read_is_told(self) -> None:
        told: list[int] = []
        logs = Logs(("access.jsonl", "broken.jsonl"), Format.JSON, {})
        contents = [log.stream.read() for log in logs.open(told.append)]
        assert contents == [ACCESS.encode(), (ACCESS + BROKEN).encode()]
        assert sum(told) == logs.size() == sum(map(len, contents))
        assert Logs(("-",), Format.JSON, {}).size() is None


class TestConfig:
    def test_the_codebase_with_the_module(self, folder: Path) -> None:
        result = run(*CONFIG, "--enforce", "-O", "codebase")
        assert (result.exit_code, result.output) == (0, "")
        files = fe.pipy_codebase(fe.load("mesh.yaml"), "curl.curl", enforce=True)
        written = {path: (folder / "codebase" / path).read_bytes() for path in files}
        assert written == files

    def test_the_codebase_holds_what_was_written_now(self, folder: Path) -> None:
        enforced = (*CONFIG, "--enforce", "-O", "codebase")
        run(*enforced, "--set", "fsm.sidecar.compressConfig=true")
        run(*enforced, "--set", "fsm.sidecar.compressConfig=false")
        found = sorted(it.relative_to(folder).as_posix() for it in (folder / "codebase").rglob("*.js*"))
        assert found == ["codebase/config.json", "codebase/modules/fsm-egress.js"]
        assert stat.S_IMODE((folder / "codebase").stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "codebase/config.json").stat().st_mode) == 0o600
        (folder / "codebase/main.js").touch()
        result = run(*enforced)
        told = "codebase: cannot be written: it holds `main.js`, which was not written by this command\n"
        assert (result.exit_code, result.stderr) == (3, told)

    @pytest.mark.parametrize("arguments", [("--enforce",), ("--enforce", "--gzip", "-O", "codebase")])
    def test_the_codebase_is_a_folder(self, arguments: tuple[str, ...]) -> None:
        result = run(*CONFIG, *arguments)
        assert result.exit_code == 2
        assert "-O names the folder of the codebase" in result.stderr

    def test_what_policies_would_refuse_is_logged(self, folder: Path) -> None:
        after = ("--after", "mesh.yaml", "--after", "policies", "--after-set", "fsm.enableEgress=false")
        today = ("--set", "fsm.enableEgress=true")
        where = ("--log-to", "http://logs:8080/x", "--log-sample", "0.1")
        result = run(*CONFIG, *today, "--shadow", *after, *where, "-O", "codebase")
        assert (result.exit_code, result.output) == (0, "")
        mesh = fe.load("mesh.yaml").helm_set("fsm.enableEgress=true")
        asked = fe.load("mesh.yaml", "policies")
        files = fe.pipy_codebase(mesh, "curl.curl", shadow=asked, log_to="http://logs:8080/x", log_sample=0.1)
        assert {path: (folder / "codebase" / path).read_bytes() for path in files} == files

    def test_policies_of_the_mesh_itself_are_asked(self, folder: Path) -> None:
        result = run(*CONFIG, "policies", "--shadow", "--observe", "--enforce", "-O", "codebase")
        assert result.exit_code == 0
        assert "closed by FSM's own script, and never logged" in result.stderr
        mesh = fe.load("mesh.yaml", "policies")
        files = fe.pipy_codebase(mesh, "curl.curl", enforce=True, shadow=mesh, observe=True)
        assert {path: (folder / "codebase" / path).read_bytes() for path in files} == files

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--after", "policies"), "--after is what --shadow asks"),
            (("--log-to", "http://a"), "say how --shadow or --observe log"),
            (("--enforce", "-O", "x", "--log-sample", "0.5"), "say how --shadow or --observe log"),
            (("--observe",), "with --observe, -O names the folder"),
            (("--shadow", "--observe", "--fsm", "1.4", "-O", "x"), "--shadow and --observe is for FSM 1.5"),
            (
                ("--observe", "-O", "x", "--log-to", "logs:80"),
                "'--log-to': expected the URL of an HTTP endpoint",
            ),
            (("--observe", "-O", "x", "--log-sample", "2"), "'--log-sample'"),
        ],
    )
    def test_how_is_logged_must_make_sense(self, arguments: tuple[str, ...], message: str) -> None:
        result = run(*CONFIG, *arguments)
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr

    def test_chains_of_others_are_told(self, folder: Path) -> None:
        plugins = "  pluginChains: {outbound-tcp: [{plugin: plugins/mine, priority: 1}]}\n"
        (folder / "mesh.yaml").write_text(MESH + plugins)
        result = run(*CONFIG, "--observe", "-O", "codebase")
        assert result.exit_code == 3
        assert "a chain `outbound-tcp` with FSM's module" in result.stderr

    def test_older_fsms_have_configs_of_their_own(self) -> None:
        written = run(*CONFIG, "--fsm", "1.2").stdout_bytes
        assert written == fe.pipy_config(fe.load("mesh.yaml"), "curl.curl", fsm="1.2").to_json()
        wrong = run(*CONFIG, "--fsm", "1.1")
        assert (wrong.exit_code, "a version of FSM" in wrong.stderr) == (2, True)
        enforced = run(*CONFIG, "--fsm", "1.4", "--enforce", "-O", "codebase")
        assert (enforced.exit_code, "leave --fsm out" in enforced.stderr) == (2, True)

    def test_the_bytes_are_those_of_the_library(self) -> None:
        config = fe.pipy_config(fe.load("mesh.yaml"), "curl.curl")
        assert run(*CONFIG).stdout_bytes == config.to_json()
        assert run(*CONFIG, "--gzip").stdout_bytes == config.to_gzip()

    def test_findings_are_not_in_the_way(self, folder: Path) -> None:
        (folder / "mesh.yaml").write_text(f"{MESH}---\n" + POLICY.replace("  hosts: [httpbin.org]\n", ""))
        assert run(*CONFIG).stderr == ""

    def test_a_file_is_written(self) -> None:
        result = run(*CONFIG, "--gzip", "-O", "config.json.gz")
        assert (result.exit_code, result.output) == (0, NOBODY)
        assert gzip.decompress(Path("config.json.gz").read_bytes()) == run(*CONFIG).stdout_bytes
        assert names() == ["config.json.gz", "mesh.yaml", "policies"]

    def test_a_file_that_is_replaced_keeps_its_permissions_and_its_links(self) -> None:
        Path("real.json").write_text("old")
        Path("real.json").chmod(0o600)
        Path("config.json").symlink_to("real.json")
        run(*CONFIG, "-O", "config.json")
        assert Path("config.json").is_symlink()
        assert stat.S_IMODE(Path("real.json").stat().st_mode) == 0o600
        assert Path("real.json").read_bytes() == run(*CONFIG).stdout_bytes

    def test_a_file_is_left_alone_when_writing_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Path("config.json").write_text("old")

        def full(_self: Path, _target: Path) -> NoReturn:
            raise OSError("the disk is full")

        monkeypatch.setattr(Path, "replace", full)
        result = run(*CONFIG, "-O", "config.json")
        full_disk = "config.json: cannot be written: the disk is full\n"
        assert (result.exit_code, result.stderr) == (3, NOBODY + full_disk)
        assert Path("config.json").read_text() == "old"
        assert names() == ["config.json", "mesh.yaml", "policies"]

    def test_a_device_takes_the_bytes_as_they_come(self) -> None:
        assert run(*CONFIG, "-O", os.devnull).exit_code == 0
        assert not Path(os.devnull).is_file()

    def test_a_folder_is_no_file(self) -> None:
        result = run(*CONFIG, "-O", "policies")
        assert (result.exit_code, result.stderr) == (
            3,
            f"{NOBODY}policies: cannot be written: is a directory\n",
        )


class TestHelp:
    def test_the_version(self) -> None:
        assert run("--version").stdout == f"fsm-egress, version {fe.__version__}\n"

    @pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
    def test_every_help_fits_into_80_columns(self, command: tuple[str, ...]) -> None:
        lines = CliRunner(env={"COLUMNS": "80"}).invoke(app, [*command, "--help"]).stdout.splitlines()
        assert [line for line in lines if len(line) > 80] == []
        assert [kind for kind in ("MeshConfig|", "UpstreamT") if kind in lines[0]] == []

    @pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
    def test_every_help_has_examples(self, command: tuple[str, ...]) -> None:
        short, long = run(*command, "-h"), run(*command, "--help")
        assert (short.exit_code, short.stdout) == (0, long.stdout)
        assert "\n  Examples:\n    " in short.stdout

    @pytest.mark.parametrize("name", COMMANDS)
    def test_commands_speak_alike(self, name: str) -> None:
        command = command_of(name)
        assert command.help is not None
        first, *_ = command.help.splitlines()
        assert first[0].isupper()
        assert first.endswith(".")
        assert len(first) <= 60  # so that the list of commands has it whole
        options = {word: option for option in command.params for word in option.opts}
        assert ("-f" in options) is (
            name not in {"certify", "completion", "explain-code", "schema", "snapshot", "sidecar", "test"}
        )
        assert ("-o" in options) is (
            name not in {"completion", "config", "explain-code", "schema", "snapshot"}
        )
        assert ("--as" in options) is (
            name
            not in {
                "certify",
                "check",
                "completion",
                "explain-code",
                "pods",
                "schema",
                "snapshot",
                "sidecar",
                "test",
            }
        )
        for shared in ("--lenient", "-v"):
            assert (shared in options) is ("-f" in options)
        for shared in ("--cluster", "--context", "-n", "-A"):
            assert (shared in options) is ("-f" in options or name == "snapshot")
        for option in command.params:
            if isinstance(option, click.Option) and option.help is not None:
                assert option.help.endswith((".", ",", ":")), option.name
        if "-o" in options:
            outputs = options["-o"].type
            assert isinstance(outputs, click.Choice)
            assert tuple(outputs.choices)[:3] == ("table", "json", "yaml")

    def test_the_list_of_commands_has_what_they_say_of_themselves(self) -> None:
        said = {name: command_of(name).get_short_help_str(limit=100) for name in COMMANDS}
        assert said == {name: short for name, (_, short) in COMMANDS.items()}
        assert list(COMMANDS) == sorted(COMMANDS)

    def test_an_unknown_command_is_a_wrong_usage(self) -> None:
        result = run("decode")
        assert result.exit_code == 2
        assert "No such command 'decode'" in result.stderr


class TestSchema:
    def test_of_a_kind_and_of_any(self) -> None:
        (one,) = json_lines(run("schema", "Egress").stdout)
        assert one == fe.json_schema("Egress")
        (every,) = json_lines(run("schema").stdout)
        assert every == fe.json_schema()


class TestCompletion:
    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_a_shell_gets_its_script(self, shell: str) -> None:
        result = run("completion", shell)
        assert result.exit_code == 0
        assert "_FSM_EGRESS_COMPLETE" in result.stdout

    @pytest.mark.parametrize(
        ("words", "incomplete", "expected"),
        [
            (["decide", "-f", "policies", "--as"], "", ["curl.curl"]),
            (["lint", "-f", "policies", "--as"], "cu", ["curl.curl"]),
            (["lint", "-f", "policies", "--as"], "x", []),
            (["decide", "--as"], "", []),
            (["decide", "-f", "-", "--as"], "", []),
            (["decide", "-f", "nowhere", "--as"], "", []),
            (["lint", "--only"], "fse08", [f"FSE08{digit}" for digit in range(9)]),
            (["lint", "-o"], "s", ["sarif"]),
            (["decide", "--set"], "fsm.enableE", ["fsm.enableEgress="]),
            (["diff", "--after-set"], "fsm.enableE", ["fsm.enableEgress="]),
            (["decide", "--set"], "fsm.enableEgress=", ["fsm.enableEgress=true", "fsm.enableEgress=false"]),
            (["decide", "--set"], "a=b,fsm.enableEgress=t", ["a=b,fsm.enableEgress=true"]),
            (["decide", "--set"], "fsm.serviceAccessMode=m", ["fsm.serviceAccessMode=mixed"]),
            (["decide", "--set"], "fsm.certificateProvider.certKeyBitSize=", []),
            (["decide", "--set"], "fsm.nothing", []),
            (["decide", "--set"], "fsm.nothing=", []),
            ([], "equ", ["equivalent"]),
        ],
    )
    def test_what_is_offered(self, words: list[str], incomplete: str, expected: list[str]) -> None:
        completion = ShellComplete(app, {}, "fsm-egress", "_FSM_EGRESS_COMPLETE")
        assert [it.value for it in completion.get_completions(words, incomplete)] == expected

    def test_documents_that_cannot_be_read_offer_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "yaml", None)
        completion = ShellComplete(app, {}, "fsm-egress", "_FSM_EGRESS_COMPLETE")
        assert completion.get_completions(["decide", "-f", "policies", "--as"], "") == []


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def fails_with(error: BaseException) -> Callable[..., NoReturn]:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise error

    return fail


class TestEnding:
    def test_a_closed_pipe_ends_it_quietly(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(checking, "say", fails_with(BrokenPipeError()))
        monkeypatch.setattr("sys.argv", ["fsm-egress", "check", "-f", "mesh.yaml"])
        monkeypatch.setattr("sys.stdout", io.StringIO())
        assert exit_code() == 141
        assert sys.stdout.closed  # so that nothing is flushed to it any more
        assert capsys.readouterr() == ("", "")

    def test_ctrl_c_ends_it_quietly(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(checking, "say", fails_with(KeyboardInterrupt()))
        result = run("check", "-f", "mesh.yaml")
        assert (result.exit_code, result.output) == (130, "")

    def test_ctrl_c_before_the_command_begins_ends_it_quietly(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(app_module, "run", fails_with(KeyboardInterrupt()))
        assert exit_code() == 130
        assert capsys.readouterr() == ("", "")

    def test_what_is_missing_is_said_in_one_line(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setitem(sys.modules, "yaml", None)
        monkeypatch.setattr("sys.argv", ["fsm-egress", "check", "-f", "mesh.yaml"])
        assert exit_code() == 3
        assert capsys.readouterr().err == (
            "reading YAML (`mesh.yaml`) needs the extra `yaml`: pip install 'fsm-egress[yaml]'\n"
        )

    @pytest.mark.parametrize("missing", ["click", "rich"])
    def test_without_the_extra_one_line_says_what_to_install(
        self, missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name in list(sys.modules):
            if name.split(".")[0] == missing or name.startswith("fsm_egress.cli."):
                monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, missing, None)
        monkeypatch.setenv("FORCE_COLOR", "1")  # so that a table is drawn
        monkeypatch.setattr("sys.argv", ["fsm-egress", *DECIDE, "--to", "54.9.9.9:443", "--tls"])
        assert exit_code() == 3
        assert capsys.readouterr() == (
            "",
            "fsm-egress needs the extra `cli`: pip install 'fsm-egress[cli]'\n",
        )

    def test_a_fault_of_the_program_is_shown_and_is_no_finding(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setitem(sys.modules, "fsm_egress.cli.app", None)
        assert exit_code() == 3
        assert "ModuleNotFoundError: import of fsm_egress.cli.app" in capsys.readouterr().err

    def test_so_is_one_of_another_kind(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(app_module, "run", fails_with(RuntimeError("broken")))
        assert exit_code() == 3
        assert "RuntimeError: broken" in capsys.readouterr().err

    def test_the_package_is_a_program(self) -> None:
        command = [sys.executable, "-m", "fsm_egress", "--version"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # because it runs this very interpreter
        assert (done.returncode, done.stdout) == (0, f"fsm-egress, version {fe.__version__}\n")


def exit_code() -> Any:
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


HERE = Path(fe.__file__).parents[1]


def start(*arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
    """The program, in a process of its own."""
    command = [sys.executable, "-m", "fsm_egress", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    return subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, **streams)  # noqa: S603  # because it is us


class TestProcess:
    def test_errors_and_results_have_streams_of_their_own(self) -> None:
        process = start("check", "-f", "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ended = process.communicate(MESH.encode(), timeout=300)
        assert (process.returncode, ended) == (0, (b"1 resource, no problems\n", b""))

    def test_nothing_is_said_of_a_reader_that_has_gone(self) -> None:
        read_end, write_end = os.pipe()
        os.close(read_end)
        process = start(*CONFIG, stdout=write_end)
        os.close(write_end)
        _, errors = process.communicate(timeout=300)
        assert (process.returncode, errors.decode()) == (141, NOBODY)

    def test_nothing_is_said_on_ctrl_c(self) -> None:
        # A shell that runs the tests in the background has them ignore SIGINT, and processes hand that on.
        before = signal.signal(signal.SIGINT, signal.SIG_DFL)
        try:
            process = start("check", "-f", "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        finally:
            signal.signal(signal.SIGINT, before)
        assert process.stdin
        process.stdin.write(b" " * 2**20)  # more than a pipe holds: once it is written, it is being read
        process.send_signal(signal.SIGINT)
        ended = process.communicate(timeout=300)
        assert (process.returncode, ended) == (130, (b"", b""))

    def test_workers_end_quietly_on_ctrl_c(self, folder: Path) -> None:
        (folder / "access.jsonl").write_text(ACCESS * 45_000)
        before = signal.signal(signal.SIGINT, signal.SIG_DFL)
        try:
            arguments = (*REPLAY, "--workers", "2", "access.jsonl", "-")
            streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "start_new_session": True}
            process = start(*arguments, **streams)
        finally:
            signal.signal(signal.SIGINT, before)
        assert process.stdin
        process.stdin.write(b" " * 2**20)  # once it is written, workers have begun with the first log
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        ended = process.communicate(timeout=300)
        assert (process.returncode, ended) == (130, (b"", b""))


# --- explain and lint ------------------------------------------------------------------------------------


class TestExplain:
    def test_it_reads_like_an_answer(self) -> None:
        result = run("explain", *DECIDE[1:], "--to", "54.9.9.9:80", "--http", "GET", "http://example.org/")
        assert result.exit_code == 0
        first, *rest = result.stdout.splitlines()
        assert first.startswith("denied (403): ")
        assert "but for one thing it would be allowed:" in rest

    def test_several_stand_apart_and_machines_get_an_object_each(self, folder: Path) -> None:
        (folder / "connections.json").write_text(json.dumps([HTTP, PLAIN]))
        asked = ("explain", *DECIDE[1:], "--connections", "connections.json")
        assert run(*asked).stdout.count("\n\ndenied") == 1
        assert [it["decision"]["verdict"] for it in json_lines(run(*asked, "-o", "json").stdout)] == [
            "EGRESS_POLICY",
            "DENIED",
        ]

    def test_requests_of_one_connection_are_explained_each(self) -> None:
        asked = ("explain", *DECIDE[1:], *TWO_REQUESTS)
        told = run(*asked).stdout
        assert told.startswith("request 1: allowed: ")
        assert "\n\nrequest 2: denied (403): " in told
        assert [it["request"] for it in json_lines(run(*asked, "-o", "json").stdout)] == [1, 2]


class TestLint:
    LINT = ("lint", "-f", "mesh.yaml", "-f", "policies")

    def test_findings_come_with_a_connection_and_what_to_do(self) -> None:
        result = run(*self.LINT, "--only", "FSE077", "--set", "fsm.enableEgress=true")
        assert result.exit_code == 1
        first, shown, fix = result.stdout.splitlines()[:3]
        assert first.startswith(
            "FSE077 warning: MeshConfig fsm-system/fsm-mesh-config spec.traffic.enableEgress"
        )
        assert shown.startswith("  shown by curl.curl to ")
        assert fix.startswith("  fix: ")

    def test_workers_change_nothing(self) -> None:
        assert run(*self.LINT, "--workers", "2").stdout == run(*self.LINT).stdout

    def test_a_worker_that_ends_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("fsm_egress.linting.lint", fails_with(BrokenProcessPool("gone")))
        result = run(*self.LINT, "--workers", "2")
        assert result.exit_code == 3
        assert result.stderr.endswith("a worker process has ended before its work was done\n")

    def test_informations_are_no_failure(self) -> None:
        result = run(*self.LINT, "--as", "curl.curl", "--only", "FSE083", "--no-sidecar")
        assert result.exit_code == 0
        assert result.stdout.startswith("FSE083 info: Egress curl/httpbin ")

    def test_a_finding_may_have_neither(self, capsys: pytest.CaptureFixture[str]) -> None:
        rule = fe.FieldRef(fe.ResourceRef("Egress", "curl", "e"), "spec")
        reviewing.print_findings([fe.Finding(fe.Code.SOURCE_KIND, rule, "it names nobody")])
        assert (
            capsys.readouterr().out
            == f"FSE003 {fe.Code.SOURCE_KIND.severity}: Egress curl/e spec: it names nobody\n"
        )

    def test_a_witness_may_be_of_no_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        rule = fe.FieldRef(fe.ResourceRef("Egress", "curl", "e"))
        shown = fe.tcp("54.9.9.9", 25)
        reviewing.print_findings([fe.Finding(fe.Code.SOURCE_KIND, rule, "so", witness=shown, fix="mend it")])
        assert capsys.readouterr().out.splitlines()[1:] == ["  shown by 54.9.9.9:25 TCP", "  fix: mend it"]

    def test_nothing_amiss_is_nothing_said(self) -> None:
        assert run(*self.LINT, "--only", "FSE070", "--no-sidecar").output == "no findings\n"
        assert run(*self.LINT, "--only", "FSE070", "--no-sidecar", "-q").output == "no findings\n"

    def test_what_is_found_has_a_summary_and_a_fix_for_all_that_it_mends(self, folder: Path) -> None:
        stars = "  hosts: ['*.a.com', '*.b.com', '*.c.com']\n"
        (folder / "policies" / "httpbin.yaml").write_text(POLICY.replace("  hosts: [httpbin.org]\n", stars))
        asked = (*self.LINT, "--only", "FSE009", "--only", "FSE083", "--no-sidecar")
        *told, summary = run(*asked).stdout.splitlines()
        starred = [line.startswith("FSE009 warning: ") for line in told]
        assert starred[:4] == [True, True, True, False]
        assert told[3] == "  fix: list the hosts, or use `tcp` with `ipAddresses`"
        counted = Counter(line.split()[1] for line in told if line.startswith("FSE"))
        others = counted["info:"]
        assert summary == f"{3 + others} findings: 3 warnings, {others} info (FSE009 3, FSE083 {others})"
        assert run(*asked, "--quiet").stdout == f"{summary}\n"

    def test_machines_get_objects_or_a_sarif_log(self) -> None:
        asked = (*self.LINT, "--only", "FSE083", "--no-sidecar", "-o")
        (finding,) = json_lines(run(*asked, "json").stdout)
        assert (finding["code"], finding["severity"]) == ("FSE083", "info")
        assert finding["source"] == "policies/httpbin.yaml:8"
        (annotation,) = run(*asked, "github").stdout.splitlines()
        assert annotation.startswith(
            "::notice title=fsm-egress FSE083,file=policies/httpbin.yaml,line=8,col=7::"
        )
        (log,) = json_lines(run(*asked, "sarif").stdout)
        (result,) = log["runs"][0]["results"]
        assert result["ruleId"] == "FSE083"

    def test_a_code_that_does_not_exist_is_wrong_usage(self) -> None:
        result = run(*self.LINT, "--without", "FSE999")
        assert result.exit_code == 2
        assert "FSE999" in result.stderr


OPEN = ("--after-set", "fsm.enableEgress=true")
MESHES = ("-f", "mesh.yaml", "-f", "policies")


class TestWhose:
    def test_a_name_and_its_namespace(self) -> None:
        for words in (
            ["--as", "curl.curl"],
            ["--as", "curl", "-n", "curl"],
            ["--as", "curl.curl", "-n", "curl"],
            ["--as", "curl.curl", "-n", "shop"],
        ):
            result = run("decide", *MESHES, *words, "--to", "54.9.9.9:80", "--http", "GET", "httpbin.org")
            assert (result.exit_code, " EGRESS_POLICY " in result.stdout) == (0, True)

    @pytest.mark.parametrize(
        ("command", "words", "complaint"),
        [
            ("decide", ["--as", "curl"], "expected"),
            ("decide", ["-n", "curl"], "Missing option '--as'"),
            ("verify", ["-n", "shop", "--all"], "no identity of namespace `shop`"),
            ("check", ["-n", "A"], "Invalid value for '-n': namespace: expected a resource name"),
            ("lint", ["-n", "shop"], "no identity of namespace `shop`"),
            ("reach", ["-n", "shop"], "no identity of namespace `shop`"),
        ],
    )
    def test_wrong_usage(self, command: str, words: list[str], complaint: str) -> None:
        more = ["--to", "54.9.9.9:80", "--tcp"] if command == "decide" else []
        result = run(command, *MESHES, *words, *more)
        assert (result.exit_code, complaint in result.stderr) == (2, True)

    def test_documents_without_a_namespace_are_in_that_of_n_as_kubectl_applies_them(
        self, folder: Path
    ) -> None:
        (folder / "policies" / "httpbin.yaml").write_text(
            POLICY.replace(", namespace: curl}\nspec", "}\nspec")
        )
        for words, place in (((), "default"), (("-n", "shop"), "shop")):
            web = ("--as", "curl.curl", "--to", "54.9.9.9:80", "--http", "GET", "httpbin.org")
            assert f"Egress {place}/httpbin" in run("decide", *MESHES, *words, *web).stdout
        later = ("--after", "policies", "-n", "shop", "--as", "curl.curl", "-o", "json")
        told = run("diff", "-f", "mesh.yaml", *later)
        assert "Egress shop/httpbin" in told.stdout
        assert "default" not in told.stdout

    def test_those_of_a_namespace(self) -> None:
        (here,) = json_lines(run("reach", *MESHES, "-n", "curl", "-o", "json").stdout)
        assert here["identities"] == ["curl.curl", "any other account of curl"]
        assert run("reach", *MESHES, "--as", "api", "-n", "shop").stdout.startswith(
            "any by TCP: 0 of 1 identity reach it\n"
        )


class TestYaml:
    def test_a_document_for_each_object(self) -> None:
        words = ("decide", *MESHES, "--as", "curl.curl", "--connections", "-")
        stdin = json.dumps([HTTP, PLAIN])
        in_yaml = run(*words, "-o", "yaml", stdin=stdin)
        assert in_yaml.exit_code == 0
        assert list(yaml.safe_load_all(in_yaml.stdout)) == json_lines(
            run(*words, "-o", "json", stdin=stdin).stdout
        )


class TestMeshConfig:
    def test_without_one_it_is_said_what_is_assumed(self, folder: Path) -> None:
        (folder / "policy.yaml").write_text(POLICY)
        for command in ("reach", "lint", "check"):
            assert run(command, "-f", "policy.yaml").stderr.startswith(
                "note: no MeshConfig among the documents: FSM's defaults are assumed, egress and permissive"
            )
        outside = ("never", "-f", "policy.yaml", "--outside", "--as", "any other account")
        assert run(*outside, "--defaults", "fsm").exit_code == 0
        chart = run(*outside, "--defaults", "chart")
        assert (chart.exit_code, chart.stderr) == (1, "")
        assert run(*outside, "-f", "mesh.yaml", "--defaults", "chart").exit_code == 0

    def test_what_comes_after_inherits_the_one_before(self, folder: Path) -> None:
        (folder / "policy.yaml").write_text(POLICY)
        (folder / "open.yaml").write_text(MESH.replace("{enableEgress: false}", "{enableEgress: true}"))
        result = run("diff", "-f", "open.yaml", "-f", "policy.yaml", "--after", "policy.yaml")
        assert (result.exit_code, result.stderr) == (
            0,
            "note: no MeshConfig among the documents of --after: that of -f is taken\n",
        )
        neither = run("diff", "-f", "policy.yaml", "--after", "policy.yaml")
        assert neither.stderr.count("note: no MeshConfig among the documents:") == 2

    def test_of_two_both_are_named(self, folder: Path) -> None:
        (folder / "other.yaml").write_text(MESH.replace("fsm-mesh-config", "other-config"))
        result = run("reach", "-f", "mesh.yaml", "-f", "other.yaml")
        assert result.stderr == (
            "note: MeshConfig fsm-system/fsm-mesh-config is taken, and MeshConfig fsm-system/other-config"
            " counts for nothing\n"
        )

    def test_only_what_is_governed(self) -> None:
        excluded = ("--set", "fsm.outboundPortExclusionList={25}")
        asked = ("never", *MESHES, *excluded, "--outside", "--but", "httpbin.org:80")
        assert run(*asked).exit_code == 1
        assert run(*asked, "--governed").exit_code == 0


class TestAnswers:
    def test_all_connections_of_everyone_divided(self) -> None:
        lines = run("partition", *MESHES).stdout.splitlines()
        assert [line.split(":")[0] for line in lines if line.endswith(" classes of connections")] == [
            "curl.curl",
            "any other account",
        ]
        asked = run("partition", *MESHES, "--as", "any other account of shop", "-o", "json")
        assert [it["identity"] for it in json_lines(asked.stdout)] == ["any other account of shop"]

    def test_nobody_is_named_and_something_gets_out(self, folder: Path) -> None:
        (folder / "open.yaml").write_text(MESH.replace("{enableEgress: false}", "{enableEgress: true}"))
        result = run("never", "-f", "open.yaml", "--outside")
        assert (result.exit_code, result.stdout.splitlines()[1].split(":")[0]) == (1, "  any other account")
        assert run("reach", "-f", "open.yaml", "-n", "nowhere").exit_code == 2

    def test_all_connections_divided(self) -> None:
        result = run("partition", *MESHES, "--as", "curl.curl")
        assert result.exit_code == 0
        head, *rows = result.stdout.splitlines()
        assert head.split() == ["PORT", "ADDRESSES", "VERDICT", "REASON", "RULE", "SENDS"]
        assert len(rows) == 7
        (found,) = json_lines(run("partition", *MESHES, "--as", "curl.curl", "-o", "json").stdout)
        assert len(found["portions"]) == 7

    def test_what_is_decided_where_not_all_is_known(self) -> None:
        words = (
            "residual",
            *MESHES,
            "--as",
            "curl.curl",
            "--to",
            "54.9.9.9",
            "--port",
            "80",
            "--host",
            "httpbin.org",
        )
        result = run(*words, "--sends", "http")
        assert result.exit_code == 1
        assert result.stdout.splitlines()[0].endswith(": depends on method")
        settled = run(*words, "--method", "GET", "--path", "/get", "--header", "x: y")
        assert settled.exit_code == 0
        assert settled.stdout.splitlines()[0].endswith(", whatever else")
        (found,) = json_lines(run(*words, "-o", "json").stdout)
        assert found["hangsOn"] == ["what is sent", "method"]

    def test_who_reaches_what(self) -> None:
        result = run("reach", *MESHES, "--to", "54.0.0.0/8", "--port", "80")
        assert result.exit_code == 0
        first, head, row = result.stdout.splitlines()
        assert first == (
            "to 54.0.0.0/8, port 80: 1 of 1 identity reach it; any other account does not reach it"
        )
        assert (head.split()[0], row.split()[0]) == ("IDENTITY", "curl.curl")
        nobody = run("reach", *MESHES, "--to", "9.9.9.9", "--port", "25")
        assert (nobody.exit_code, nobody.stdout) == (
            0,
            "to 9.9.9.9/32, port 25: 0 of 1 identity reach it; any other account does not reach it\n",
        )
        (found,) = json_lines(run("reach", *MESHES, "-o", "json").stdout)
        assert [way["identity"] for way in found["ways"]] == ["curl.curl"]

    @pytest.mark.parametrize(
        ("output", "begin", "end"),
        [
            ("html", "<!doctype html>\n", "</html>\n"),
            ("mermaid", "flowchart LR\n", "n2\n"),
            ("dot", "digraph", "}\n"),
        ],
    )
    def test_who_reaches_what_as_a_picture(self, output: str, begin: str, end: str) -> None:
        shown = run("reach", *MESHES, "-o", output).stdout
        assert shown.startswith(begin)
        assert shown.endswith(end)
        assert "httpbin" in shown

    def test_the_page_has_the_findings_beside(self) -> None:
        assert "FSE083" in run("reach", *MESHES, "-o", "html").stdout

    @pytest.mark.parametrize(
        ("words", "code", "text"),
        [
            (["--outside", "--but", "httpbin.org:80"], 0, "proven: never ("),
            (["--outside"], 1, "refuted: never "),
            (["--to", "9.9.9.9", "--port", "25", "--sends", "bytes"], 0, "proven: never "),
            (["--method", "GET", "--host", "httpbin.org"], 1, "refuted: never "),
            (["--outside", "--but-to", "0.0.0.0/0", "--but-to", "::/0"], 0, "proven: never "),
        ],
    )
    def test_what_never_happens(self, words: list[str], code: int, text: str) -> None:
        result = run("never", *MESHES, *words)
        assert (result.exit_code, result.stdout.startswith(text)) == (code, True)
        (found,) = json_lines(run("never", *MESHES, *words, "-o", "json").stdout)
        assert found["proven"] is (code == 0)

    def test_what_a_change_changes(self) -> None:
        result = run("diff", *MESHES, *OPEN)
        assert result.exit_code == 1
        first, head, row, other = result.stdout.splitlines()
        assert first == "2 changes (1 identity and any other account, 42 classes of connections looked at)"
        assert head.split()[0] == "EFFECT"
        assert row.startswith(
            "allowed  curl.curl          any TCP to all IPv4 except 0.0.0.0, 127.0.0.0/8"
            " and all IPv6, port any "
        )
        assert other.startswith(
            "allowed  any other account  any TCP to all IPv4 except 0.0.0.0, 127.0.0.0/8 and all IPv6, "
        )
        (found,) = json_lines(run("diff", *MESHES, *OPEN, "-o", "json").stdout)
        assert [it["effect"] for it in found["changes"]] == ["allowed", "allowed"]

    def test_what_is_decided_as_before_by_another_rule(self, folder: Path) -> None:
        (folder / "after.yaml").write_text(f"{MESH}---\n{POLICY.replace('name: httpbin', 'name: other')}")
        result = run("diff", *MESHES, "--after", "after.yaml")
        assert result.exit_code == 0
        nothing, why, *_ = result.stdout.splitlines()
        assert nothing.startswith("nothing changes (1 identity and any other account, ")
        assert why == "as before, but for another reason:"
        assert run("equivalent", *MESHES, "--after", "after.yaml").exit_code == 0

    def test_what_is_proven_of_two_meshes(self) -> None:
        assert run("implies", *MESHES, *OPEN).stdout.startswith(
            "proven: what is allowed before is allowed after"
        )
        refuted = run("equivalent", *MESHES, *OPEN)
        assert (refuted.exit_code, refuted.stdout.startswith("refuted: ")) == (1, True)

    @pytest.mark.parametrize(
        ("words", "complaint"),
        [
            (["diff"], "say what changes: --after, --after-patch or --after-set"),
            (["residual", "--as", "curl.curl", "--sends", "tls", "--method", "GET"], "as `method` is known"),
            (["reach", "--port", "0"], "expected a port number"),
            (["never", "--to", "10.0.0"], "found the string `10.0.0`"),
            (["never", "--but", "httpbin.org"], "expected a host and a port such as `httpbin.org:443`"),
        ],
    )
    def test_wrong_usage(self, words: list[str], complaint: str) -> None:
        command, *more = words
        result = run(command, *MESHES, *more)
        assert (result.exit_code, complaint in result.stderr) == (2, True)


class TestExcerpts:
    def test_a_terminal_sees_the_line_and_a_caret(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / "policies" / "bad.yaml").write_text(POLICY.replace("80,", "0,").replace("httpbin,", "bad,"))
        piped = run("check", "-f", "policies").stdout.splitlines()
        assert len(piped) == 1
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("NO_COLOR", "1")
        shown = run("check", "-f", "policies").stdout.splitlines()
        assert shown == [piped[0], "    8 |     - {number: 0, protocol: http}", "      |                ^"]

    def test_of_very_many_lines_the_first_are_shown(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The document is read again for each, so that none takes long."""
        monkeypatch.setattr(problems, "MAX_EXCERPTS", 2)
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("NO_COLOR", "1")
        bad = "---\n".join([POLICY.replace("80,", "0,").replace("httpbin,", f"bad{it},") for it in range(4)])
        (folder / "policies" / "bad.yaml").write_text(bad)
        shown = run("check", "-f", "policies").stdout.splitlines()
        assert len(shown) == 4 + 2 * 2

    @pytest.mark.parametrize(
        "text",
        [
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {tls.key: aGlkZGVu.}\n",
            '{"Certificate": {"PrivateKey": "aGlkZGVu."}}',
            '{"apiVersion": "v1", "kind": "List", "items": [{"kind": "Secret", "x": "aGlkZGVu."}, 5]}',
            "a: aGlkZGVu. -----BEGIN PRIVATE KEY-----\n",
        ],
    )
    def test_what_may_be_a_key_is_never_shown(self, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        result = run("check", "-f", "-", stdin=text)
        assert result.exit_code != 0
        assert "aGlkZGVu" not in result.stdout + result.stderr

    def test_errors_that_end_a_command_are_shown_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        text = MESH.replace("enableEgress: false", "enableEgress: no way")
        result = run("decide", "-f", "-", "--as", "a.b", "--to", "9.9.9.9:1", "--tcp", stdin=text)
        line, source, caret = result.stderr.splitlines()
        assert result.exit_code == 3
        assert line.startswith("<stdin>:5:27: ")
        assert source == "    5 |   traffic: {enableEgress: no way}"
        assert caret == "      |                           ^"

    def test_of_a_compressed_file_the_line_is_that_of_its_text(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = POLICY.replace("80,", "0,")
        (folder / "bad.yaml.gz").write_bytes(gzip.compress(text.encode()))
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("NO_COLOR", "1")
        shown = run("check", "-f", "bad.yaml.gz").stdout.splitlines()
        assert shown[1:] == ["    8 |     - {number: 0, protocol: http}", "      |                ^"]
        (folder / "bad.yaml.gz").write_bytes(b"\x1f\x8bchanged")
        problems.print_problems([fe.Problem("x", "y", document="bad.yaml.gz", mark=fe.Mark(2, 1))])
        assert capsys.readouterr().out == "bad.yaml.gz:2:1: expected x, found y\n"

    def test_what_cannot_be_read_again_is_not_shown(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert run("check", "-f", "nowhere").stdout.count("\n") == 1
        problem = fe.Problem("x", "y", document=str(folder / "gone"), mark=fe.Mark(1, 1))
        problems.print_problems([problem, evolve(problem, document=None)])

    def test_a_file_that_has_become_shorter(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        (folder / "short").write_text("a")
        problems.print_problems([fe.Problem("x", "y", document="short", mark=fe.Mark(9, 1))])
        assert capsys.readouterr().out == "short:9:1: expected x, found y\n"

    @pytest.mark.parametrize(
        ("line", "column", "width", "expected"),
        [
            ("abc", 1, 80, ("abc", 0)),
            ("abc", 3, 80, ("abc", 2)),
            ("abc", 9, 80, ("abc", 3)),
            ("\tab", 2, 80, ("    ab", 4)),
            ("世界x", 3, 80, ("世界x", 4)),
            ("a\x1bb", 3, 80, ("a\\x1bb", 5)),
            ("x" * 100, 1, 20, ("x" * 19 + "…", 0)),
            ("a" * 50 + "b" + "c" * 50, 51, 20, ("…" + "a" * 13 + "b" + "c" * 4 + "…", 14)),
            ("a" * 50, 51, 5, ("…" + "a" * 13, 14)),
        ],
    )
    def test_the_part_of_a_line_that_fits(
        self, line: str, column: int, width: int, expected: tuple[str, int]
    ) -> None:
        assert problems.excerpt(line, column, width) == expected


TESTS = """\
apiVersion: fsm-egress/v1
kind: EgressTest
mesh: [mesh.yaml, policies]
as: curl.curl
tests:
  - name: httpbin is open
    to: 54.9.9.9:80
    http: GET http://httpbin.org/get
    expect: EGRESS_POLICY
"""


class TestTest:
    @pytest.fixture(autouse=True)
    def tests(self, folder: Path) -> None:
        (folder / "a.egress-test.yaml").write_text(TESTS)

    def test_all_pass(self) -> None:
        result = run("test", "a.egress-test.yaml")
        assert (result.exit_code, result.stdout) == (0, "1 test passed\n")
        assert run("test", ".").stdout == "1 test passed\n"
        assert run("test", "-", stdin=TESTS).stdout == "1 test passed\n"

    def test_a_failure_shows_the_explanation(self) -> None:
        result = run("test", "-", stdin=TESTS.replace("expect: EGRESS_POLICY", "expect: DENIED"))
        assert result.exit_code == 1
        first, second, *_, last = result.stdout.splitlines()
        assert first.startswith("FAILED httpbin is open (<stdin>:6): curl.curl to 54.9.9.9:80 GET ")
        assert second == "  verdict: expected `DENIED`, found `EGRESS_POLICY`"
        assert last == "0 tests passed, 1 failed"

    def test_what_is_covered(self, folder: Path) -> None:
        (folder / "policies" / "httpbin.yaml").write_text(
            POLICY.replace("[httpbin.org]", "[httpbin.org, b.com]")
        )
        result = run("test", ".", "--coverage")
        assert result.exit_code == 0
        assert result.stdout.splitlines() == [
            "no test is decided by: host Egress curl/httpbin spec.hosts[1] (policies/httpbin.yaml:6) `b.com`",
            "1 test passed, 75 % covered",
        ]
        assert run("test", ".", "--fail-under", "75").exit_code == 0
        assert run("test", ".", "--fail-under", "75.1").exit_code == 1

    def test_for_machines(self) -> None:
        (report,) = json_lines(run("test", ".", "-o", "json").stdout)
        assert (report["passed"], report["coverage"]["percent"]) == (1, 100.0)
        assert run("test", ".", "-o", "junit").stdout.startswith(
            '<?xml version="1.0" encoding="utf-8"?>\n<testsuites'
        )

    def test_everything_that_is_wrong_in_all_files(self, folder: Path) -> None:
        for name in ("b", "c"):
            (folder / f"{name}.egress-test.yaml").write_text(TESTS.replace("expect:", "expct:"))
        result = run("test", ".")
        assert result.exit_code == 3
        assert [line.split(": ")[0] for line in result.stderr.splitlines()] == [
            "b.egress-test.yaml:9:12",
            "b.egress-test.yaml:6:5",
            "c.egress-test.yaml:9:12",
            "c.egress-test.yaml:6:5",
        ]

    def test_what_cannot_be_run(self, folder: Path) -> None:
        (folder / "empty").mkdir()
        nothing = run("test", "empty")
        assert (
            nothing.exit_code,
            nothing.stderr.startswith("empty: expected a folder with `*.egress-test"),
        ) == (3, True)
        assert run("test", "nowhere").stderr == "nowhere: cannot be read: no such file or directory\n"
        wrong = run("test", "-", stdin=TESTS.replace("as:", "set: [fsm.nothing=1]\nas:"))
        assert (wrong.exit_code, "fsm.nothing" in wrong.stderr) == (3, True)
        assert run("test").exit_code == 2
