"""What policies allow and cannot work: found once for a rule, by a witness that is allowed and meets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from random_meshes import FLOMESH, meshes, resource
from small import WHO, config, egress, load, routes, service
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.connections.findings import Code
from fsm_egress.connections.obstacles import obstacles_to
from fsm_egress.linting.unworkable import LONGEST_SHOWN
from fsm_egress.pipy.outcome import Fate
from fsm_egress.verification.enforceability import codes_of

if TYPE_CHECKING:
    from small import Entry

OWN = [code for code in Code if "FSE140" <= code.code <= "FSE149"]
RANGE = ["54.0.0.0/8"]


def found(*entries: Entry) -> list[tuple[str, str, str]]:
    findings = fe.lint(load(*entries), only=OWN, sidecar=False)
    return [(it.code.code, f"{it.rule.resource.name} {it.rule.path}", str(it.witness)) for it in findings]


def web(*matches: dict[str, Any], hosts: tuple[str, ...] = ("a.com",)) -> list[Entry]:
    used = [{"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "r"}]
    return [routes("r", *matches), egress("web", "http 80", hosts=list(hosts), matches=used)]


@pytest.mark.parametrize(
    "path", ["^/ws$", "/api/websocket", "^/(ws|chat)$", "/socket.io/", "^/wss?x=1", "^/ws/"]
)
def test_a_path_that_speaks_of_websockets(path: str) -> None:
    ((code, rule, witness),) = found(*web({"name": "m", "pathRegex": path}))
    assert (code, rule) == ("FSE140", "r spec.matches[0]")
    assert "192.0.2.1:80 GET http://a.com/" in witness


@pytest.mark.parametrize("path", ["^/news$", "/aws", "^/laws/", "/wsdl"])
def test_a_path_that_speaks_of_none(path: str) -> None:
    assert found(*web({"name": "m", "pathRegex": path})) == []


def test_a_header_that_asks_for_one() -> None:
    asked = {"name": "m", "pathRegex": "^/x$", "headers": [{"Upgrade": "^websocket$"}]}
    assert [code for code, _, _ in found(*web(asked))] == ["FSE140"]


@pytest.mark.parametrize(
    ("match", "codes"),
    [
        ({"headers": [{"x": "^(a{128}){128}$"}]}, ["FSE141"]),
        ({"headers": [{"x": "^(a{128}){127}$"}]}, []),
        ({"pathRegex": "^/(a{128}){128}$"}, ["FSE141"]),
        ({"pathRegex": "(a{128}){128}", "headers": [{"host": "a"}]}, ["FSE141"]),
        ({"headers": [{"x": r"^(\n{128}){128}$"}]}, []),
        ({"headers": [{"x": f"^(a{{{LONGEST_SHOWN // 64}}}){{65}}$"}]}, []),
    ],
)
def test_a_line_that_is_longer_than_the_sidecar_reads(match: dict[str, Any], codes: list[str]) -> None:
    assert [code for code, _, _ in found(*web({"name": "m", **match}))] == codes


def test_a_long_line_closes_in_the_model_and_verify_says_why() -> None:
    mesh = load(egress("web", "http 80", hosts=["a.com"]))
    sides = fe.Sides.of(mesh, WHO)
    long = fe.http("54.9.9.9", 80, "GET", "a.com/", {"x-a": "a" * 16_384})
    assert sides.engine.classify(long).allowed
    assert sides.sidecar.handle(long).fate is Fate.CLOSED
    assert sides.sidecar.handle(long, http2=True).fate is Fate.DIALLED
    whole = fe.verify(mesh, WHO)
    differing = sides.compare(long)
    assert isinstance(differing, fe.Disagreement)
    assert codes_of(whole, differing) == (Code.LINE_TOO_LONG,)


def test_a_route_that_asks_for_connection_takes_nothing() -> None:
    asked = {"name": "m", "pathRegex": "^/x$", "headers": [{"Connection": "^close$"}, {"x-env": "^prod$"}]}
    mesh = web(asked, {"name": "n", "pathRegex": "^/y$", "headers": [{"connection": "^(close)?$"}]})
    assert found(*mesh) == [("FSE143", "r spec.matches[0]", "192.0.2.1:80 GET http://a.com/x")]
    sent = fe.http("54.9.9.9", 80, "GET", "a.com/x", {"connection": "close", "x-env": "prod"})
    decided = fe.compile(load(*mesh), WHO).classify(sent)
    assert (decided.verdict, decided.status) == (fe.Verdict.DENIED, 403)
    assert fe.Sides.of(load(*mesh), WHO).sidecar.handle(sent).status == 403


@pytest.mark.parametrize(
    ("ports", "hosts", "codes"),
    [
        ("https 25", ["a.com"], ["FSE146"]),
        ("https 5432", [], ["FSE146"]),
        ("https 443", ["a.com"], []),
        ("https 443", ["54.9.9.9"], ["FSE147"]),
        ("https 443", ["2001:db8::1"], ["FSE147"]),
        ("https 587", ["54.9.9.9"], ["FSE146", "FSE147"]),
        ("http 80", ["2001:db8::1"], ["FSE149"]),
        ("http 80", ["54.9.9.9"], []),
        ("tcp 25", [], []),
    ],
)
def test_what_clients_never_send_first(ports: str, hosts: list[str], codes: list[str]) -> None:
    policy = egress("e", ports, hosts=hosts, ipAddresses=[*RANGE, "2001:db8::/32"])
    assert [code for code, _, _ in found(policy)] == codes


def gateway(mode: str) -> list[Entry]:
    """An EgressGateway whose service has a mode, and permits no access to it."""
    way, endpoints = service("way", "tcp-way 1080")
    way["metadata"]["annotations"] = {"flomesh.io/egress-gateway-mode": mode}
    spec = {"global": [{"service": "way", "namespace": "shop"}]}
    return [way, endpoints, resource(FLOMESH, "EgressGateway", "shop", "gateway", spec=spec)]


@pytest.mark.parametrize(
    ("mode", "ports", "expected"),
    [
        ("http2tunnel", "tcp-server-first 3306", [("FSE144", "e spec.ports[0]")]),
        ("http2tunnel", "tcp 3306", []),
        ("sock5", "tcp-server-first 3306", [("FSE145", "gateway spec.global")]),
        ("sock5", "tcp 3306", [("FSE145", "gateway spec.global")]),
    ],
)
def test_a_gateway(mode: str, ports: str, expected: list[tuple[str, str]]) -> None:
    listed = found(*gateway(mode), egress("e", ports, ipAddresses=RANGE))
    assert [(code, rule) for code, rule, _ in listed] == expected


def test_a_gateway_that_passthrough_takes() -> None:
    listed = found(config({"enableEgress": True}), account_document(), *gateway("sock5"))
    assert [(code, rule) for code, rule, _ in listed] == [("FSE145", "gateway spec.global")]


def account_document() -> Entry:
    return resource("v1", "ServiceAccount", "curl", "curl")


@given(meshes())
@settings(max_examples=examples(30), deadline=None)
def test_law_a_witness_is_allowed_and_meets_the_obstacle(documents: Any) -> None:
    mesh = fe.load(list(documents), strict=False)
    for finding in fe.lint(mesh, only=OWN, sidecar=False):
        assert finding.identity is not None
        assert finding.witness is not None
        decided = fe.compile(mesh, finding.identity, incomplete=True).classify(finding.witness)
        if finding.code is Code.CONNECTION_HEADER:
            continue
        assert finding.code in {it.code for it in obstacles_to(finding.witness, decided)}


def test_explain_says_why_it_cannot_work() -> None:
    mesh = load(egress("web", "http 80", hosts=["a.com"]))
    told = fe.explain(mesh, WHO, fe.http("54.9.9.9", 80, "GET", "ws://a.com/"))
    assert "cannot work      the sidecar takes the header `Connection` off" in str(told)
    assert [it["code"] for it in told.to_mapping()["cannot_work"]] == ["FSE140"]
    plain = fe.explain(mesh, WHO, fe.http("54.9.9.9", 80, "GET", "a.com/"))
    assert plain.obstacles == ()
    assert "cannot_work" not in plain.to_mapping()


def test_explain_says_that_a_route_asks_for_what_is_never_seen() -> None:
    asked = {"pathRegex": "^/x$", "headers": [{"connection": "^close$"}]}
    mesh = load(*web(asked, {"pathRegex": "^/y$"}))
    told = fe.explain(mesh, WHO, fe.http("54.9.9.9", 80, "GET", "a.com/x"))
    assert [it.code for it in told.obstacles] == [Code.CONNECTION_HEADER]
    assert "cannot work      the sidecar takes the header `connection` off" in str(told)
    assert fe.explain(mesh, WHO, fe.http("54.9.9.9", 80, "GET", "a.com/z")).obstacles == ()
    assert fe.explain(mesh, WHO, fe.tcp("54.9.9.9", 80)).obstacles == ()
