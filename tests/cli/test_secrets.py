"""What is secret is in nothing that commands and answers say: all are walked, with marks in all of it."""

from __future__ import annotations

import json
import pickle
from base64 import b64encode
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from small import config, egress, routes

import fsm_egress as fe
from fsm_egress.cli.app import COMMANDS, app

MARK = "MARKED"
CODED = b64encode(MARK.encode()).decode()
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {
        "name": "client",
        "namespace": "curl",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": f'{{"data": "{CODED}"}}'},
    },
    "data": {"ca.crt": CODED, "tls.crt": CODED, "tls.key": CODED},
}
LOGGING = {"remoteLogging": {"enable": True, "address": "10.0.0.9", "port": 1, "authorization": MARK}}
HEADERS = {"authorization": f"Bearer {MARK}", "cookie": f"session={MARK}", "proxy-authorization": MARK}
REFERENCE = {"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "odd"}
MESH = [
    config({"enableEgress": False}, observability=LOGGING),
    SECRET,
    routes("odd", {"pathRegex": "/a", "headers": [{"authorization": "Bearer .*"}]}),
    egress(
        "web",
        "http 80",
        hosts=["a.com"],
        matches=[REFERENCE],
        ipAddresses=["192.0.2.0/24"],
        mtls={"cert": {"secret": {"name": "client"}}},
    ),
]
RECORD = {
    "identity": "curl.curl",
    "destination": "192.0.2.1:80",
    "host": "a.com",
    "method": "GET",
    "path": "/a",
    "headers": HEADERS,
}
REQUEST = {"method": "GET", "host": "a.com", "path": "/a", "headers": HEADERS}
CONNECTION = {"destination": "192.0.2.1", "port": 80, "sends": "http", "request": REQUEST}
TESTS = {
    "apiVersion": "fsm-egress/v1",
    "kind": "EgressTest",
    "mesh": ["mesh.yaml"],
    "as": "curl.curl",
    "tests": [{"name": "t", "to": "192.0.2.1:80", "tcp": True, "expect": "DENIED"}],
}
URL = f"http://user:{MARK}@a.com/a"
MESHES = ("-f", "mesh.yaml")
AS = ("--as", "curl.curl")
SENT = ("--header", f"authorization: {MARK}", "--header", f"cookie: {MARK}")
ASKED = ("--to", "192.0.2.1:80", "--http", "GET", URL, *SENT)
SIDECAR = ("--config", "given.json")
OTHER = ("--after-set", "fsm.featureFlags.enableEgressPolicy=false")
WALKS: dict[str, list[tuple[str, ...]]] = {
    "certify": [("proof.smt2",)],
    "check": [MESHES],
    "completion": [("bash",)],
    "config": [(*MESHES, *AS, "-O", "config.json"), (*MESHES, *AS, "--enforce", "-O", "codebase")],
    "decide": [(*MESHES, *AS, *ASKED), (*MESHES, *AS, "--connections", "connections.json")],
    "diff": [(*MESHES, *OTHER)],
    "equivalent": [(*MESHES, *OTHER), (*MESHES, *OTHER, "--certificate", "alike.smt2")],
    "explain": [(*MESHES, *AS, *ASKED)],
    "explain-code": [("FSE034",)],
    "implies": [(*MESHES, *OTHER), (*MESHES, *OTHER, "--certificate", "takes.smt2")],
    "learn": [(*MESHES, "log.jsonl"), (*MESHES, "-O", "learned", "log.jsonl")],
    "lint": [MESHES, (*MESHES, "--stock")],
    "never": [(*MESHES, "--to", "192.0.2.0/24"), (*MESHES, "--port", "80", "--certificate", "never.smt2")],
    "partition": [(*MESHES, *AS)],
    "pods": [MESHES],
    "reach": [MESHES],
    "replay": [(*MESHES, "log.jsonl"), (*MESHES, *OTHER, "log.jsonl")],
    "residual": [(*MESHES, *AS, "--port", "80", "--header", f"authorization: {MARK}")],
    "schema": [("Secret",)],
    "sidecar": [(*SIDECAR, *ASKED), (*SIDECAR, "--connections", "connections.json")],
    "snapshot": [("-O", "kept.json")],
    "test": [("tests.yaml",)],
    "verify": [
        (*MESHES, *AS),
        (*MESHES, *AS, *SIDECAR),
        (*MESHES, "--all", "--certificate", "proofs/verify.smt2"),
    ],
}
OUTPUTS = ("table", "json", "yaml", "sarif", "github", "junit", "html", "mermaid", "dot", "page", "wide")


GIVEN = {"mesh.yaml", "log.jsonl", "connections.json", "tests.yaml", "given.json"}
CONFIGS = {"config.json", "config.json.gz"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal, which is shown most
    Path("mesh.yaml").write_text(yaml.safe_dump_all(MESH))
    Path("log.jsonl").write_text(f"{json.dumps(RECORD)}\n")
    Path("connections.json").write_text(json.dumps([CONNECTION]))
    Path("tests.yaml").write_text(yaml.safe_dump(TESTS))
    asked = fe.never(fe.load(MESH), fe.Where.to("192.0.2.0/24"))
    Path("proof.smt2").write_text(asked.certificate())
    Path("given.json").write_bytes(fe.pipy_config(fe.load(MESH), "curl.curl").to_json())
    return tmp_path


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, prog_name="fsm-egress")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.stdout + result.stderr


def shows(text: str) -> bool:
    return MARK.lower() in text.lower() or CODED in text  # as hosts are shown in small letters


def test_every_command_is_walked() -> None:
    assert set(WALKS) == set(COMMANDS)


@pytest.mark.parametrize("command", WALKS)
def test_no_command_says_what_is_secret(command: str) -> None:
    for arguments in WALKS[command]:
        ways = [(), *(("-o", output) for output in OUTPUTS)] if command != "completion" else [()]
        told = [said(command, *arguments, *way) for way in ways]
        assert [text for text in told if shows(text)] == []
        assert any(told) or command == "config"
    written = [it for it in Path().rglob("*") if it.is_file() and it.name not in {*GIVEN, *CONFIGS}]
    assert [it for it in written if shows(it.read_text())] == []


def test_the_config_alone_has_what_a_sidecar_needs() -> None:
    """The marks are where they should be, so a walk that sees none has looked."""
    assert MARK in said("config", *MESHES, *AS)
    assert MARK in Path("given.json").read_text()


HEAD = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
MESH_HEAD = "apiVersion: config.flomesh.io/v1alpha3\nkind: MeshConfig\nmetadata: {name: c, namespace: x}\n"
NUMBER = {"remoteLogging": {"authorization": 123456789012}}
BROKEN = {
    "a Secret": yaml.safe_dump({**SECRET, "data": {"tls.key": f"{MARK}!"}}),
    "a Secret's line": f"{HEAD}data:\n  tls.key: {CODED}\n  b: [\n",
    "a tab": f"{HEAD}stringData:\n\tother: {MARK}\n",
    "JSON": '{"kind": "Secret",\n"data": {"x": "' + CODED + '"\n',
    "a list": f"apiVersion: v1\nkind: List\nitems:\n- kind: Secret\n  data:\n    x: {CODED}\n    y: [\n",
    "authorization": yaml.safe_dump(
        config({}, observability={"remoteLogging": {"enable": True, "authorization": [MARK]}})
    ),
    "a number": yaml.safe_dump(config({}, observability=NUMBER)),
    "all of remoteLogging": yaml.safe_dump(config({}, observability={"remoteLogging": MARK})),
    "a key of remoteLogging": yaml.safe_dump(config({}, observability={"remoteLogging": {MARK: 1}})),
    "below remoteLogging": f"{MESH_HEAD}spec:\n  observability:\n    remoteLogging:\n      {MARK}\n",
    "a field of a Secret": f"{HEAD}{MARK}: 1\n",
    "a switch": f"{MESH_HEAD}"
    "spec: {observability: {remoteLogging: {enable: true, authorization: 0x1ABCDEF0}}}\n",
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("command", ["check", "lint", "decide"])
def test_no_error_shows_what_is_secret(case: str, command: str) -> None:
    Path("broken.yaml").write_text(BROKEN[case])
    arguments = [*AS, *ASKED] if command == "decide" else []
    told = said(command, "-f", "broken.yaml", *arguments)
    assert told
    assert not shows(told)
    assert "123456789012" not in told
    assert "1ABCDEF0" not in told


ODD_HEADERS: dict[str, Any] = {
    "control characters": {"authorization": f"{MARK}\x00"},
    "of a header that may be anything": {"x-api-key": f"{MARK}\x7f"},
    "a number": {"cookie": 123456789012},
    "a list": {"authorization": [MARK]},
    "a name with its value": {f"authorization: {MARK}": ""},
    "no mapping": f"authorization: {MARK}",
    "twice": {"Authorization": MARK, "authorization": MARK},
    "as they should be": HEADERS,
}
ODD_URLS = {
    "a space": f"http://user:{MARK}@a b.com/",
    "no scheme": f"//user:{MARK}@a.com/",
    "a control character": f"http://user:{MARK}@a.com/\x00",
    "a port": f"http://user:{MARK}@a.com:99999/",
    "a URL as it should be": URL,
}


@pytest.mark.parametrize("command", ["replay", "learn", "decide", "explain", "sidecar", "test"])
@pytest.mark.parametrize("case", [*ODD_HEADERS, *ODD_URLS])
def test_no_request_that_cannot_be_shows_what_is_secret(command: str, case: str) -> None:
    if case in ODD_HEADERS:
        parts = [{"headers": ODD_HEADERS[case]}]
    else:
        names = ("host",) if case == "no scheme" else ("host", "path")
        parts = [{name: ODD_URLS[case], "headers": {}} for name in names]
    records = [{**RECORD, **part} for part in parts]
    asked = [{**CONNECTION, "request": {**REQUEST, **part}} for part in parts]
    cases = [{"name": "t", "connection": it, "expect": "DENIED"} for it in asked]
    cases += [{"name": "u", "to": "192.0.2.1:80", "http": f"GET {it}", "expect": "DENIED"} for it in [URL]]
    Path("log.jsonl").write_text("".join(f"{json.dumps(it)}\n" for it in records))
    Path("connections.json").write_text(json.dumps(asked))
    Path("tests.yaml").write_text(json.dumps({**TESTS, "tests": cases}, indent=1))
    ways = {"replay": [(*MESHES, "log.jsonl"), (*MESHES, "--strict", "log.jsonl")]}
    ways["learn"] = [(*MESHES, "--routes", "log.jsonl")]
    ways["decide"] = ways["explain"] = [(*MESHES, *AS, "--connections", "connections.json")]
    if case in ODD_URLS and "\x00" not in case:
        ways["decide"].append((*MESHES, *AS, "--to", "192.0.2.1:80", "--http", "GET", ODD_URLS[case]))
    ways |= {"sidecar": [(*SIDECAR, "--connections", "connections.json")], "test": [("tests.yaml",)]}
    for arguments in ways[command]:
        for way in ((), ("-o", "json"), ("-o", "junit")):
            told = said(command, *arguments, *way)
            assert not shows(told), told
            assert "123456789012" not in told


@pytest.mark.parametrize(
    "words",
    [
        ("--patch", f'{{"spec": {{"observability": {{"remoteLogging": {{"authorization": "{MARK}"'),
        ("--patch", f"{{spec: {{observability: {{remoteLogging: {{authorization: [{MARK}]}}}}}}}}"),
        ("--patch", f"'authorization: {MARK}'"),
        ("--set", f"fsm.remoteLogging.authorization={{{MARK}"),
        ("--set", f"fsm.remoteLogging.authorization={{{MARK}}}{MARK}"),
        ("--set", "fsm.remoteLogging.authorization[0]=x"),
        ("--set", "fsm.remoteLogging.authorization.x=x"),
    ],
)
def test_no_error_about_a_change_shows_what_is_secret(words: tuple[str, ...]) -> None:
    told = said("lint", *MESHES, *words)
    assert "expected" in told
    assert not shows(told), told


def test_no_repr_and_no_error_of_the_library_does() -> None:
    mesh = fe.load(MESH)
    asked = fe.Connection.from_mapping(CONNECTION)
    explained = fe.explain(mesh, "curl.curl", asked)
    workload = fe.Workload.of(mesh, "curl.curl")
    shown: list[Any] = [
        mesh,
        *mesh,
        asked,
        asked.sends,
        explained,
        workload,
        workload.policy,
        workload.config,
    ]
    assert [it for it in shown if shows(repr(it)) or shows(str(it))] == []
    assert not shows(json.dumps(explained.to_mapping()))
    assert not shows(json.dumps(asked.to_shown()))
    assert asked.to_shown()["request"]["headers"] == dict.fromkeys(HEADERS, "(not shown)")
    assert fe.tcp("192.0.2.1", 1).to_shown() == fe.tcp("192.0.2.1", 1).to_mapping()
    assert fe.Connection.from_mapping(asked.to_mapping()) == asked == pickle.loads(pickle.dumps(asked))  # noqa: S301  # its own


def answers() -> dict[str, Any]:
    """An answer of each kind, about the mesh with the marks and a connection with them."""
    mesh, asked = fe.load(MESH), fe.Connection.from_mapping(CONNECTION)
    other = mesh.patched({"spec": {"featureFlags": {"enableEgressPolicy": False}}})
    record = f"{json.dumps(RECORD)}\n".encode()

    def logs() -> list[fe.Log]:
        return [fe.Log(BytesIO(record), "access")]

    engine, sidecar = fe.compile(mesh, "curl.curl"), fe.Sidecar.read(fe.pipy_config(mesh, "curl.curl"))
    return {
        "engine": engine,
        "decision": engine.classify(asked),
        "sidecar": sidecar,
        "outcome": sidecar.handle(asked),
        "partition": fe.partition(mesh, "curl.curl"),
        "reach": fe.reachable(mesh),
        "residual": fe.residual(mesh, "curl.curl", fe.Partial(port=80)),
        "diff": fe.diff(mesh, other),
        "lint": fe.lint(mesh),
        "replay": fe.replay(mesh, logs()),
        "never": fe.never(mesh, fe.Where.to("192.0.2.0/24")),
        "verify": fe.verify(mesh, "curl.curl"),
        "policy": fe.resolve(mesh, "curl.curl"),
        "learn": fe.learn(mesh, logs()),
        "changes": fe.replay(mesh, logs(), other),
        "explain": fe.explain(mesh, "curl.curl", asked),
    }


WITH_KEYS = {"policy"}  # as a config is written of it, wherever it comes to
WITH_CONNECTIONS = {"changes"}  # as these can be decided about anew


def test_no_answer_shows_what_is_secret_in_any_form() -> None:
    for name, answer in answers().items():
        shown = [repr(answer), str(answer)]
        shown += [it() or "" for it in (getattr(answer, "_repr_html_", None),) if it]
        with suppress(fe.InvalidValue):
            shown += [json.dumps(fe.rows(answer)), fe.frame(answer).to_csv()]
        with suppress(AttributeError, TypeError):
            shown.append(json.dumps(answer.to_mapping()))
        assert not any(map(shows, shown)), name
        assert len(shown) > 2 or name in {"engine", "sidecar"}, name


def test_pickles_hold_no_more_than_they_need() -> None:
    """Of those that are not listed here nothing is to be kept from whoever may see an answer."""
    pickled = {name: pickle.dumps(answer) for name, answer in answers().items()}
    assert {
        name for name, content in pickled.items() if MARK.encode() in content or CODED.encode() in content
    } == WITH_KEYS | WITH_CONNECTIONS


def test_pages_and_graphs_show_nothing_of_it() -> None:
    mesh = fe.load(MESH)
    found = fe.reachable(mesh)
    record = BytesIO(f"{json.dumps(RECORD)}\n".encode())
    pages = [fe.as_page(found, fe.lint(mesh)), fe.as_mermaid(found), fe.as_dot(found)]
    assert not any(map(shows, [*pages, json.dumps(fe.sarif_log(fe.lint(mesh), "0"))]))
    assert not shows(str(fe.learn(mesh, [fe.Log(record, "access")])))
