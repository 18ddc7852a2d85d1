"""Names that mean nobody or nothing are refused, read as they are meant, or told; never proven."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from small import config, egress

from fsm_egress.cli.app import app

NOTE = "no document names account crul.curl; nearest: curl.curl"
TO = ("--to", "54.9.9.9:443")
MESHES = ("-f", "mesh.json")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    listed = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [config(), egress("a", "https 443", hosts=["a.com"])],
    }
    Path("mesh.json").write_text(json.dumps(listed))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def first(result: Result) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(result.stdout.splitlines()[0])
    return found


@pytest.mark.parametrize(
    "command", [("never", "--outside"), ("diff", "--after-set", "fsm.enableEgress=true")]
)
def test_what_proves_takes_no_slip_of_the_pen(command: tuple[str, ...]) -> None:
    name, *words = command
    refused = run(name, *MESHES, *words, "--as", "crul.curl")
    assert (refused.exit_code, NOTE in refused.stderr) == (2, True)
    told = run(name, *MESHES, *words, "--as", "crul.curl", "--no-strict-names", "-o", "json")
    assert told.stderr == f"note: {NOTE}\n"
    assert first(told)["unnamed"] == [NOTE]
    assert run(name, *MESHES, *words, "--as", "any other account").exit_code in {0, 1}


def test_what_tells_says_it_beside() -> None:
    for command in ("partition", "reach", "lint"):
        assert run(command, *MESHES, "--as", "crul.curl").stderr.startswith(f"note: {NOTE}\n")
        assert run(command, *MESHES, "--as", "crul.curl", "--strict-names").exit_code == 2
    sent = (*TO, "--tcp")
    for words in (("decide", *sent), ("explain", *sent), ("config",), ("residual", "--port", "25")):
        assert f"note: {NOTE}\n" in run(words[0], *MESHES, "--as", "crul.curl", *words[1:]).stderr
    assert f"note: {NOTE}\n" in run("verify", *MESHES, "--as", "crul.curl").stderr
    assert NOTE not in run("verify", *MESHES, "--as", "curl.curl").stderr
    decided = run("decide", *MESHES, "--as", "crul.curl", *sent, "-o", "json")
    assert first(decided)["unnamed"] == [NOTE]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("never", "--host", "*.a.com"), "not a wildcard"),
        (("never", "--host", "https://a.com/"), "write `a.com`"),
        (("reach", "--host", "a.com/x"), "write `a.com`"),
        (("reach", "--host", "bücher.example"), "write `xn--bcher-kva.example`"),
        (("never", "--host", "ü" * 70), "a host in ASCII"),
        (("decide", "--as", "curl.curl", *TO, "--tls", "https://a.com"), "write `a.com`"),
        (("decide", "--as", "curl.curl", *TO, "--tls", "a.com:443"), "write `a.com`"),
        (("decide", "--as", "curl.curl", *TO, "--tls", "*.a.com"), "not a wildcard"),
        (("decide", "--as", "curl.curl", *TO, "--tls", "a", "--tls", "b"), "--tls is given 2 times"),
    ],
)
def test_what_no_client_sends_is_refused(words: tuple[str, ...], text: str) -> None:
    result = run(words[0], *MESHES, *words[1:])
    assert (result.exit_code, text in result.stderr) == (2, True)


def test_the_name_that_fsm_gives_an_account_is_read_as_it_is_meant() -> None:
    sent = (*TO, "--tcp", "-o", "json")
    plain = run("decide", *MESHES, "--as", "curl.curl", *sent)
    assert run("decide", *MESHES, "--as", "curl.curl.cluster.local", *sent).stdout == plain.stdout


def test_it_is_told_where_no_document_names_anybody_too() -> None:
    Path("mesh.json").write_text(json.dumps(config()))
    note = "note: no document names account crul.curl\n"
    assert run("decide", *MESHES, "--as", "crul.curl", *TO, "--tcp").stderr == note


TEST = """\
apiVersion: fsm-egress/v1
kind: EgressTest
mesh: mesh.json
tests:
- {name: a, as: WHO, to: '54.9.9.9:443', tls: a.com, expect: VERDICT}
"""


def test_policy_tests_take_no_slip_of_the_pen() -> None:
    Path("a.egress-test.yaml").write_text(TEST.replace("WHO", "crul.curl").replace("VERDICT", "DENIED"))
    refused = run("test", ".")
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert refused.stderr == (
        "a.egress-test.yaml:5:1: as: expected an account that a document of the mesh names, or"
        " `any other account`, found `crul.curl`; write `curl.curl`\n"
    )
    told = run("test", ".", "--no-strict-names")
    assert (told.exit_code, told.stdout, told.stderr) == (0, "1 test passed\n", f"note: {NOTE}\n")
    assert first(run("test", ".", "--no-strict-names", "-o", "json"))["unnamed"] == [NOTE]


@pytest.mark.parametrize(
    ("who", "verdict"), [("curl.curl", "EGRESS_POLICY"), ("any other account", "DENIED")]
)
def test_policy_tests_are_about_whoever_may_be_meant(who: str, verdict: str) -> None:
    Path("a.egress-test.yaml").write_text(TEST.replace("WHO", who).replace("VERDICT", verdict))
    assert run("test", ".").exit_code == 0


def test_policy_tests_say_which_meshconfig_is_taken() -> None:
    policy = egress("a", "https 443", hosts=["a.com"])
    second = {**config(), "metadata": {"name": "spare", "namespace": "other"}}
    Path("a.egress-test.yaml").write_text(TEST.replace("WHO", "curl.curl").replace("VERDICT", "DENIED"))
    for configs, note in (
        ([], "no MeshConfig among the documents of the mesh: FSM's defaults are assumed"),
        (
            [config(), second],
            "MeshConfig fsm-system/fsm-mesh-config is taken, and MeshConfig other/spare counts for nothing",
        ),
    ):
        listed = {"apiVersion": "v1", "kind": "List", "items": [policy, *configs]}
        Path("mesh.json").write_text(json.dumps(listed))
        assert run("test", ".").stderr == f"note: a.egress-test.yaml: {note}\n"


def test_policy_tests_take_the_defaults_that_are_asked_for() -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [egress("a", "https 443", hosts=["b.com"])]}
    Path("mesh.json").write_text(json.dumps(listed))
    Path("a.egress-test.yaml").write_text(
        TEST.replace("WHO", "any other account").replace("VERDICT", "PASSTHROUGH")
    )
    assert run("test", ".").exit_code == 1
    assert run("test", ".", "--defaults", "fsm").exit_code == 1
    assert run("test", ".", "--defaults", "fsm").stderr == ""
    told = run("test", ".", "--defaults", "chart")
    assert (told.exit_code, told.stdout, told.stderr) == (0, "1 test passed\n", "")


def test_the_other_mesh_of_policy_tests_inherits_the_meshconfig_where_it_has_none() -> None:
    policy = egress("a", "https 443", hosts=["a.com"])
    Path("mesh.json").write_text(
        json.dumps({"kind": "List", "apiVersion": "v1", "items": [policy, config()]})
    )
    Path("after.json").write_text(json.dumps(policy))
    head = "set: [fsm.enableEgress=true]\nafter: {mesh: after.json}\ntests:"
    text = TEST.replace("WHO", "any other account").replace(
        "VERDICT", "{verdict: PASSTHROUGH, after: {verdict: PASSTHROUGH}}"
    )
    Path("a.egress-test.yaml").write_text(text.replace("tests:", head))
    told = run("test", ".")
    assert (told.exit_code, told.stdout) == (0, "1 test passed\n")
    note = "no MeshConfig among the documents of `after`: that of the mesh is taken"
    assert told.stderr == f"note: a.egress-test.yaml: {note}\n"


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("a.com:443", "a host without a port, found the string `a.com:443`; write `--host a.com --port 443`"),
        ("[::1]:443", "write `--host [::1] --port 443`"),
        ("a.com.", "a host without a dot at its end, found the string `a.com.`; write `a.com`"),
        ("", "expected a host, found the string ``: without `--host` it is any"),
        (
            "me:s3cret@a.com",
            "expected a host, without who asks for it, found the string `a.com`; write `a.com`",
        ),
        ("https://me:s3cret@a.com/", "write `a.com`"),
        ("54.9.9.0/24", "a host, not a range of addresses"),
        ("https://a.com/", "a host, not a URL, found the string `https://a.com/`; write `a.com`"),
    ],
)
def test_a_host_that_no_client_asks_for_proves_nothing(host: str, told: str) -> None:
    for command in ("never", "reach"):
        refused = run(command, *MESHES, "--host", host)
        assert (refused.exit_code, told in refused.stderr) == (2, True), refused.output
        assert "s3cret" not in refused.output
    assert run("never", *MESHES, "--host", "2001:db8::1").exit_code == 0


def test_a_host_is_asked_for_with_the_port_that_clients_add() -> None:
    answer = run("never", *MESHES, "--host", "b.com", "--port", "8000", "--port", "80", "-o", "json")
    assert json.loads(answer.stdout)["claim"] == (
        "never (allowed and port `8000` or `80` and host `b.com` or `b.com:8000` or `b.com:80`)"
    )


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("curl/curl", "curl.curl"),
        ("system:serviceaccount:shop:curl", "curl.shop"),
        ("spiffe://cluster.local/ns/shop/sa/curl", "curl.shop"),
        ("sa/curl.shop", "curl.shop"),
        (" curl.curl", "curl.curl"),
        ("deploy/curl.shop", "deployment/curl.shop"),
        ("po/curl-0.shop", "pod/curl-0.shop"),
        ("cj/curl.shop", "cronjob/curl.shop"),
        ("rc/curl.shop", "replicationcontroller/curl.shop"),
    ],
)
def test_who_is_written_as_others_do_is_shown_how_it_is_written_here(name: str, written: str) -> None:
    refused = run("never", *MESHES, "--outside", "--as", name)
    assert (refused.exit_code, refused.stderr.endswith(f"; write `{written}`\n")) == (2, True), refused.output


@pytest.mark.parametrize("text", ["", "# nothing\n---\n", "{kind: Status, apiVersion: v1, code: 403}"])
def test_nothing_is_said_about_a_mesh_that_is_not_there(text: str) -> None:
    Path("nothing.yaml").write_text(text)
    change = ("--after-set", "fsm.enableEgress=true")
    questions: list[tuple[str, ...]] = [(it, *change) for it in ("implies", "equivalent", "diff")]
    questions += [(it, "--as", "curl.curl") for it in ("partition", "residual", "verify", "config")]
    questions += [(it, "--as", "curl.curl", "--to", "54.9.9.9:25", "--tcp") for it in ("decide", "explain")]
    Path("log.jsonl").write_text('{"identity": "curl.curl", "destination": "54.9.9.9:25"}\n')
    questions += [(it, "log.jsonl") for it in ("replay", "learn")]
    for words in (("never", "--outside"), ("reach",), ("lint",), ("verify", "--all"), ("pods",), *questions):
        refused = run(words[0], "-f", "nothing.yaml", *words[1:])
        assert (refused.exit_code, refused.stdout) == (3, "")
        assert "expected documents of a mesh, found none; write `--defaults fsm`" in refused.stderr
    for output in ("table", "json", "sarif"):
        checked = run("check", "-f", "nothing.yaml", "-o", output)
        assert (checked.exit_code, checked.stdout) == (3, "")
        assert "expected documents of a mesh, found none: there is nothing to check" in checked.stderr
    refused = run("equivalent", *MESHES, "--after", "nothing.yaml")
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert run("never", "-f", "nothing.yaml", "--outside", "--defaults", "fsm").exit_code == 0
    assert run("never", "-f", "nothing.yaml", "--outside", "--defaults", "chart").exit_code == 1
    tests = TEST.replace("mesh.json", "nothing.yaml").replace("VERDICT", "DENIED")
    Path("a.egress-test.yaml").write_text(tests.replace("WHO", "any other account"))
    refused = run("test", ".")
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert "nothing.yaml: expected documents of a mesh, found none; write `--defaults fsm`" in refused.stderr
    assert run("test", ".", "--defaults", "fsm").exit_code == 0
