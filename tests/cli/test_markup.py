"""Names, paths and texts of strangers in every output of every command: none is read as anything else."""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ET
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner
from shown import Page
from small import config, egress, routes

import fsm_egress as fe
from fsm_egress.cli.app import COMMANDS, app
from fsm_egress.cli.output import print_objects

if TYPE_CHECKING:
    from collections.abc import Callable

MARKUP = "<script>alert(1)<!--\"'`]]>&lt;|{}%0A::error::=1+1\u202e\u2028\xa0"
RAW = "\x1b[31m\r\n\x7f\x07"
FORMULA = "=HYPERLINK(1)"
NAME = f"=@+{MARKUP}".replace("/", "") + RAW
LOG, GIVEN, ASKED, TESTS, MESH, WRONG = (
    f"{NAME}.{it}" for it in ("jsonl", "json", "asked.json", "tests.json", "yaml", "wrong.yaml")
)
PATH = "/" + MARKUP.replace("\u202e\u2028\xa0", "").replace(" ", "")
REQUEST = {"method": "GET", "host": "a.com", "path": PATH, "headers": {"x": FORMULA + MARKUP[:40]}}
RECORD = {"identity": "curl.curl", "destination": "192.0.2.1:80", **REQUEST}
CONNECTION = {"destination": "192.0.2.1", "port": 80, "sends": "http", "request": REQUEST}
REFERENCE = {"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "odd"}
DOCUMENTS = [
    config({"enableEgress": False}),
    routes("odd", {"pathRegex": re.escape(PATH).replace("/", "/"), "headers": [{"x": "[<>\"'`&=]"}]}),
    egress("web", "http 80", hosts=["a.com"], matches=[REFERENCE], ipAddresses=["192.0.2.0/24"]),
    {"apiVersion": "a/v1", "kind": f"Odd{MARKUP}", "metadata": {"name": MARKUP}},
]
MISTAKES = [{**egress("wrong", "http 80"), "spec": {MARKUP: FORMULA, "sources": MARKUP}}]
POLICY_TESTS = {
    "apiVersion": "fsm-egress/v1",
    "kind": "EgressTest",
    "mesh": [MESH],
    "as": "curl.curl",
    "tests": [{"name": FORMULA + NAME, "connection": CONNECTION, "expect": "DENIED"}],
}
FILES, AS, OTHER = (
    ("-f", MESH, "-f", WRONG, "--lenient"),
    ("--as", "curl.curl"),
    ("--after-set", "fsm.enableEgress=true"),
)
TO = ("--to", "192.0.2.1:80", "--http", "GET", "http://a.com/%3Cb%3E", "--header", f"x: {FORMULA}<b>")
WALKS: dict[str, list[tuple[str, ...]]] = {
    "certify": [(NAME,), (WRONG,)],
    "check": [FILES, (*FILES, "-v")],
    "completion": [],
    "config": [(*FILES, *AS)],
    "decide": [(*FILES, *AS, *TO), (*FILES, *AS, "--connections", ASKED)],
    "diff": [(*FILES, *OTHER)],
    "equivalent": [(*FILES, *OTHER)],
    "explain": [(*FILES, *AS, *TO), (*FILES, *AS, "--connections", ASKED)],
    "explain-code": [("FSE034",), (MARKUP,)],
    "implies": [(*FILES, *OTHER), (*FILES, "--set", MARKUP, *OTHER)],
    "learn": [(*FILES, LOG), (*FILES, "--routes", LOG)],
    "lint": [FILES, (*FILES, "--only", MARKUP)],
    "never": [(*FILES, "--host", MARKUP), (*FILES, "--to", "192.0.2.0/24")],
    "partition": [(*FILES, *AS), (*FILES, "--as", NAME)],
    "pods": [FILES],
    "reach": [FILES],
    "replay": [(*FILES, LOG), (*FILES, *OTHER, LOG)],
    "residual": [(*FILES, *AS, "--header", f"x: {FORMULA}<b>")],
    "schema": [(MARKUP,)],
    "sidecar": [("--config", GIVEN, *TO), ("--config", GIVEN, "--connections", ASKED)],
    "snapshot": [("-O", NAME)],
    "test": [(TESTS,), (TESTS, "--coverage")],
    "verify": [(*FILES, *AS), (*FILES, "--all")],
}
OUTPUTS = ("table", "json", "yaml", "sarif", "github", "junit", "html", "mermaid", "dot", "page")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform == "win32":
        pytest.skip("no file has such a name here")
    monkeypatch.chdir(tmp_path)
    Path(MESH).write_text(yaml.safe_dump_all(DOCUMENTS))
    Path(WRONG).write_text(yaml.safe_dump_all(MISTAKES))
    records = [RECORD, {**RECORD, "identity": MARKUP}, MARKUP]
    Path(LOG).write_text("".join(f"{json.dumps(it)}\n" for it in records))
    Path(ASKED).write_text(json.dumps([CONNECTION]))
    Path(TESTS).write_text(json.dumps(POLICY_TESTS))
    mesh = fe.load(MESH, strict=False)
    Path(GIVEN).write_bytes(fe.pipy_config(mesh, "curl.curl").to_json())


def said(*arguments: str) -> tuple[str, str]:
    result = CliRunner().invoke(app, arguments, prog_name="fsm-egress")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.stdout, result.stderr


def check_html(text: str) -> None:
    assert not Page(text).tags & {"script", "img", "iframe", "link"}


def check_mermaid(text: str) -> None:
    line = r'  (n\d+\["[^"<>`]*"\]|n\d+ -->\|"[^"<>`|]*"\| n\d+)'
    first, *lines = text.splitlines()
    assert first == "flowchart LR"
    assert [it for it in lines if not re.fullmatch(line, it)] == []


def check_dot(text: str) -> None:
    line = r'  (rankdir=LR|node \[.*\]|n\d+ (-> n\d+ )?\[label="(?:[^"\\\n]|\\.)*"\])'
    first, *lines, last = text.splitlines()
    assert (first, last) == ("digraph egress {", "}")
    assert [it for it in lines if not re.fullmatch(line, it)] == []


def check_github(text: str) -> None:
    assert all(re.match("::(error|warning|notice) title=fsm-egress[^:]*::", it) for it in text.splitlines())


def check_lines(text: str) -> None:
    assert all(map(json.loads, text.splitlines()))


CHECKS: dict[str, Callable[[str], object]] = {
    "json": check_lines,
    "sarif": check_lines,
    "yaml": lambda text: list(yaml.safe_load_all(text)),
    "junit": ET.fromstring,
    "html": check_html,
    "page": check_html,
    "mermaid": check_mermaid,
    "dot": check_dot,
    "github": check_github,
}


def test_every_command_is_walked() -> None:
    assert set(WALKS) == set(COMMANDS)


@pytest.mark.parametrize("command", [name for name, ways in WALKS.items() if ways])
def test_nothing_that_strangers_write_is_read_as_anything_else(command: str) -> None:
    offered = {output: check for output, check in CHECKS.items() if offers(command, output)}
    for arguments in WALKS[command]:
        for output in ("table", *offered):
            way = ("-o", output) if output != "table" else ()
            told, noted = said(command, *arguments, *way)
            for text in (told, noted):
                assert text.replace("\n", "").isprintable(), (command, output, text)
            if told and output in offered:
                offered[output](told)
        if {"json", "yaml"} <= set(offered):
            lines, documents = (said(command, *arguments, "-o", output)[0] for output in ("json", "yaml"))
            assert list(map(json.loads, lines.splitlines())) == list(yaml.safe_load_all(documents))


def offers(command: str, output: str) -> bool:
    return re.search(rf"[\[|]{output}[\]|]", said(command, "--help")[0].replace("\n", "")) is not None


def test_names_that_could_be_options_or_formulas_are_told_as_they_are() -> None:
    told, _ = said("test", TESTS)
    assert told.startswith("FAILED ")
    assert FORMULA in told
    assert r"\x1b[31m\r\n\x7f\x07" in told


ODD = "a\x7f\x85\xa0\xad\u2028\u202e\ufeffz \N{SNOWMAN}: #"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
@pytest.mark.parametrize("output", ["json", "yaml"])
def test_objects_are_the_same_when_they_are_read_again(
    output: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(written, encoding))
    objects: list[dict[str, Any]] = [{"said": ODD, ODD: 1}, {"said": "\N{SNOWMAN}"}]
    print_objects(objects, output)
    text = written.getvalue().decode(encoding)
    assert text.replace("\n", "").isprintable()
    assert (
        list(yaml.safe_load_all(text) if output == "yaml" else map(json.loads, text.splitlines())) == objects
    )
