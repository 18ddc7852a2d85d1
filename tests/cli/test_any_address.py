"""Connections to a name: what to do where the address is not known, and the answer for any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from small import config, egress, routes

import fsm_egress as fe
from fsm_egress.cli.app import app

GET = {"host": "a.com", "method": "GET", "path": "/get"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(
        config({"enableEgress": False}),
        egress("a", "tcp 25", ipAddresses=["54.0.0.0/8"]),
        egress("b", "https 443", hosts=["a.com"]),
        egress("c", "http 80", hosts=["a.com"], matches=[{**GROUP, "name": "g"}]),
        routes("g", {"methods": ["GET"], "pathRegex": "/get", "headers": [{"x-key": "1"}]}),
    )


GROUP = {"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup"}


def write(*items: dict[str, Any]) -> None:
    Path("mesh.json").write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": items}))


def decide(to: str, *words: str, mesh: str = "mesh.json") -> Result:
    return CliRunner().invoke(app, ["decide", "-f", mesh, "--as", "curl.curl", "--to", to, *words])


@pytest.mark.parametrize(
    ("words", "known"),
    [
        (("any:25", "--tcp"), {"port": 25, "sends": "bytes"}),
        (("any:25", "--server-first"), {"port": 25, "sends": "nothing"}),
        (("any:53", "--udp"), {"port": 53, "sends": "datagram"}),
        (("any:443", "--tls", "a.com"), {"port": 443, "sends": "tls", "host": "a.com"}),
        (("any:443", "--tls"), {"port": 443, "sends": "tls", "host": ""}),
        (
            ("any:80", "--http", "GET", "http://a.com/get", "--header", "X-Key: 1"),
            {"port": 80, "sends": "http", **GET, "headers": {"x-key": "1"}},
        ),
    ],
)
def test_any_address_is_answered_for_as_residual_does(words: tuple[str, ...], known: dict[str, Any]) -> None:
    found = decide(*words, "-o", "json")
    assert found.exit_code == 0, found.output
    expected = fe.residual(fe.load(Path("mesh.json")), "curl.curl", fe.Partial(**known))
    assert json.loads(found.stdout) == json.loads(json.dumps(expected.to_mapping()))
    assert expected.portions


def test_what_the_policies_tell_apart_is_told_apart() -> None:
    table = decide("any:25", "--tcp").stdout.splitlines()
    assert table[0].startswith("curl.curl: port 25, sending bytes: depends on address")
    assert [line.split()[1] for line in table if " EGRESS_POLICY " in line] == ["54.0.0.0/8"]


def test_several_requests_are_answered_each() -> None:
    told = decide("any:80", "--http", "GET", "http://a.com/get", "--http", "GET", "http://b.com/").stdout
    assert [line.split(", ")[2] for line in told.splitlines() if line.startswith("curl.curl: ")] == [
        "host `a.com`",
        "host `b.com`",
    ]


def test_how_it_ends() -> None:
    assert decide("any:25", "--tcp", "--fail-on", "denied").exit_code == 1
    write(config({"enableEgress": True}))
    assert decide("any:25", "--tcp", "--fail-on", "denied").exit_code == 0
    write(config({"enableEgress": False}), egress("a", "tcp 0"))
    lenient = decide("any:25", "--tcp", "--fail-on", "denied", "--lenient")
    assert (lenient.exit_code, "could not be read" in lenient.stdout) == (3, True)


@pytest.mark.parametrize("name", ["a.com", "localhost", "a-b.c.", "4.com", "under_score.x"])
def test_a_name_is_told_what_to_do(name: str) -> None:
    found = decide(f"{name}:443", "--tls", name)
    assert found.exit_code == 2
    assert (
        f"--to: expected an IP address, found the name `{name}`: policies decide by address" in found.stderr
    )
    assert "give one of them, or --to any:443, which answers for every address" in found.stderr
    told = ["explain", "-f", "mesh.json", "--as", "curl.curl", "--to", f"{name}:443", "--tls", name]
    assert "or `fsm-egress decide --to any:443`, which answers" in CliRunner().invoke(app, told).stderr


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("any:0", "expected a port number"),
        ("any:x", "expected an address and a port such as `54.9.9.9:443`"),
        ("any", "expected an address and a port such as `54.9.9.9:443`"),
        ("54.9.9:443", "expected an IP address, found the string `54.9.9`"),
        ("2001:db8::5:443", "write `[2001:db8::5]:443`"),
    ],
)
def test_what_is_neither_a_name_nor_an_address_is_told_as_ever(to: str, said: str) -> None:
    found = decide(to, "--tcp")
    assert (found.exit_code, said in found.stderr) == (2, True), found.stderr


def test_an_address_in_another_form_is_told_without_a_proposal_that_leads_nowhere() -> None:
    for url in ("https://54.9.9.9/", "https://a.com:443", "a.com:https"):
        refused = decide(url, "--tcp")
        assert refused.exit_code == 2
        assert "expected an address and a port such as `54.9.9.9:443`" in refused.stderr
        assert "write" not in refused.stderr
    assert decide("ANY:25", "--tcp").stdout == decide("any:25", "--tcp").stdout
