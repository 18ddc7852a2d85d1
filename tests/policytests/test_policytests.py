"""Tests for policies: what is written, how it fares, what it covers, and as JUnit XML."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from contextlib import suppress
from pathlib import Path
from typing import Any

import changes
import pytest
import random_meshes
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pods import pod
from small import WHO, config, egress, load, routes
from thoroughness import examples
from universe import Wire, aimed

import fsm_egress as fe
from fsm_egress.policytests.coverage import parts_decided, parts_of

DEMO = Path(__file__).parents[2] / "examples" / "egress-demo"
KIND = "apiVersion: fsm-egress/v1\nkind: EgressTest\n"
HEAD = f"{KIND}mesh: [{DEMO}/mesh-config.yaml, {DEMO}/http-one-route.yaml]\n"
AFTER = "after: {set: [fsm.enableEgress=true]}\n"
RULE = "Egress curl/httpbin-80 spec.ports[0]"
GET = "to: 54.9.9.9:80, http: GET http://httpbin.org/get"
TLS = "to: 54.9.9.9:443, tls: httpbin.org"


def read(*tests: str, head: str = f"{HEAD}as: curl.curl\n") -> tuple[fe.PolicyTests, ...]:
    return fe.read_tests(f"{head}tests:\n" + "".join(f"  - {{name: t, {test}}}\n" for test in tests))


def ran(*tests: str, head: str = f"{HEAD}as: curl.curl\n") -> fe.TestReport:
    return fe.run_tests(read(*tests, head=head))


def refused(text: str) -> list[str]:
    with pytest.raises(fe.LoadError) as caught:
        fe.read_tests(text, "t.yaml")
    return str(caught.value).splitlines()


# --- what is expected ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("connection", "expected", "failures"),
    [
        (GET, "EGRESS_POLICY", []),
        (GET, "DENIED", ["verdict: expected `DENIED`, found `EGRESS_POLICY`"]),
        (GET, "{verdict: EGRESS_POLICY, reason: http_route}", []),
        (GET, "{reason: tcp_port}", ["reason: expected `tcp_port`, found `http_route`"]),
        (GET, "{rule: Egress curl/httpbin-80}", []),
        (GET, "{rule: 'Egress curl/httpbin-80 spec.ports[0]'}", []),
        (
            GET,
            "{rule: Egress curl/other}",
            [f"rule: expected `Egress curl/other`, found `{RULE} ({DEMO}/http-one-route.yaml:25)`"],
        ),
        (GET, "{route: HTTPRouteGroup curl/egress-http-route}", []),
        (TLS, "{route: HTTPRouteGroup a/b}", ["route: expected `HTTPRouteGroup a/b`, found none"]),
        (GET, "{target: httpbin.org:80}", []),
        (GET, "{target: [httpbin.org:80]}", []),
        (GET, "{target: b:80}", ["target: expected `b:80`, found `httpbin.org:80`"]),
        (TLS, "{target: b:80}", ["target: expected `b:80`, found none"]),
        (GET.replace("GET ", "TRACE "), "{status: 403}", []),
        (GET, "{status: 403}", ["status: expected `403`, found none"]),
        (TLS, "{changes: allowed}", []),
        (TLS, "{changes: true}", []),
        (TLS, "{changes: false}", ["changes: expected `false`, found `allowed`"]),
        (GET, "{changes: false}", []),
        (GET, "{changes: true}", ["changes: expected `true`, found `false`"]),
        (GET, "{changes: denied}", ["changes: expected `denied`, found `false`"]),
        (TLS, "{after: {verdict: PASSTHROUGH}}", []),
        (TLS, "{after: {verdict: DENIED}}", ["after: verdict: expected `DENIED`, found `PASSTHROUGH`"]),
    ],
)
def test_an_expectation_holds_or_says_what_came_instead(
    connection: str, expected: str, failures: list[str]
) -> None:
    report = ran(f"{connection}, expect: {expected}", head=f"{HEAD}{AFTER}as: curl.curl\n")
    (result,) = report.results
    assert list(result.failures) == failures
    assert result.passed is not bool(failures)
    assert bool(result.explanations) is bool(failures)
    assert report.failed == (() if result.passed else (result,))
    assert result.to_mapping()["failures"] == failures


def test_a_failure_shows_the_explanation() -> None:
    (result,) = ran(f"{TLS}, expect: PASSTHROUGH").results
    lines = list(result.lines())
    assert lines[0] == "t (<text>:6): curl.curl to 54.9.9.9:443 TLS httpbin.org"
    assert lines[1] == "  verdict: expected `PASSTHROUGH`, found `DENIED`"
    assert "  but for one thing it would be allowed:" in lines


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("to: 54.9.9.9:80, http: http://a.com/x", fe.http("54.9.9.9", 80, "GET", "http://a.com/x")),
        (
            "to: 54.9.9.9:80, http: PUT a.com, headers: {X-Env: prod}",
            fe.http("54.9.9.9", 80, "PUT", "a.com", {"x-env": "prod"}),
        ),
        ("to: 54.9.9.9:443, tls: a.com", fe.tls("54.9.9.9", 443, "a.com")),
        ("to: '[2001:db8::5]:443', tls: true", fe.tls("2001:db8::5", 443)),
        ("to: 54.9.9.9:1, tcp: true", fe.tcp("54.9.9.9", 1)),
        ("to: 54.9.9.9:1, server-first: true, udp: false", fe.server_first("54.9.9.9", 1)),
        ("to: 54.9.9.9:1, udp: true", fe.udp("54.9.9.9", 1)),
        ("connection: {destination: 54.9.9.9, port: 1, sends: bytes}", fe.tcp("54.9.9.9", 1)),
    ],
)
def test_a_connection_in_short_and_in_json(words: str, expected: fe.Connection) -> None:
    (tests,) = read(f"{words}, expect: DENIED")
    assert [test.connection for test in tests.tests] == [expected]


def test_whose_connection_it_is() -> None:
    (tests,) = read(f"{GET}, as: api.shop, expect: DENIED", f"{GET}, expect: DENIED")
    assert [str(test.identity) for test in tests.tests] == ["api.shop", "curl.curl"]


# --- cases -----------------------------------------------------------------------------------------------


def test_a_test_runs_once_for_each_of_its_cases() -> None:
    text = (
        f"{HEAD}as: curl.curl\ntests:\n"
        "  - name: $method $path costs $$1\n"
        "    cases:\n"
        "      - {method: GET, path: /get, status: null}\n"
        "      - {method: POST, path: /x, status: 403}\n"
        "    to: 54.9.9.9:80\n"
        "    http: $method http://httpbin.org$path\n"
        "    headers: {x-path: '${path}'}\n"
        "    expect: {status: $status, target: []}\n"
    )
    (tests,) = fe.read_tests(text.replace(", target: []", ""))
    assert [test.name for test in tests.tests] == ["GET /get costs $1", "POST /x costs $1"]
    assert [test.expected.status for test in tests.tests] == [None, 403]
    assert [str(test.connection) for test in tests.tests][1].startswith(
        "54.9.9.9:80 POST http://httpbin.org/x"
    )
    (one, other) = fe.run_tests([tests]).results
    assert (one.passed, other.passed) == (True, True)
    lists = text.replace("target: []", "target: ['$path:1']")
    assert [test.expected.targets for test in fe.read_tests(lists)[0].tests] == [("/get:1",), ("/x:1",)]


def test_a_case_lacks_a_value() -> None:
    test = "{name: $x, cases: [{z: 1}], to: 54.9.9.9:1, tcp: true, expect: DENIED}"
    assert refused(f"{HEAD}as: a.b\ntests:\n  - {test}\n") == [
        "t.yaml:6:12: tests[0].name: expected a value that the case has, found `$x`"
    ]
    test = "{name: 'a $ b', cases: [{z: 1}], to: 54.9.9.9:1, tcp: true, expect: DENIED}"
    assert refused(f"{HEAD}as: a.b\ntests:\n  - {test}\n") == [
        "t.yaml:6:12: tests[0].name: expected `$name` of the case, or `$$`, found the string `a $ b`"
    ]


# --- what is wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("fsm-egress/v1", "v2"), "1:13: apiVersion: expected `fsm-egress/v1`, found the string `v2`"),
        (("EgressTest", "Test"), "2:7: kind: expected `EgressTest`, found the string `Test`"),
        (("mesh: [", "mash: ["), "the key `mash`; write `mesh`"),
    ],
)
def test_what_the_head_lacks(change: tuple[str, str], problem: str) -> None:
    text = f"{HEAD}as: curl.curl\ntests: [{{name: t, {GET}, expect: DENIED}}]\n".replace(*change)
    assert any(problem in line for line in refused(text))


@pytest.mark.parametrize(
    ("test", "problem"),
    [
        (f"name: t, {GET}, expct: DENIED", "the key `expct`; write `expect`"),
        (f"{GET}, expect: DENIED", "name: expected a string, found `null`"),
        (
            "name: t, to: 54.9.9.9:80, expect: DENIED",
            "expected one of `http`, `tls`, `tcp`, `server-first`, `udp`",
        ),
        (f"name: t, {GET}, tcp: true, expect: DENIED", "expected one of `http`, `tls`"),
        ("name: t, tcp: true, expect: DENIED", "to: expected an address and a port such as"),
        ("name: t, to: 54.9.9.9, tcp: true, expect: DENIED", "to: expected an address and a port such as"),
        ("name: t, to: 54.9.9:1, tcp: true, expect: DENIED", "destination: expected an IP address"),
        ("name: t, to: 54.9.9.9:1, tcp: 1, expect: DENIED", "tcp: expected `true`, found the number `1`"),
        (
            "name: t, to: 54.9.9.9:1, tls: 1, expect: DENIED",
            "tls: expected a server name, or `true` for none",
        ),
        ("name: t, to: 54.9.9.9:1, http: 1, expect: DENIED", "http: expected a method and a URL"),
        (
            "name: t, to: 54.9.9.9:1, tcp: true, headers: {a: b}, expect: DENIED",
            "expected no headers but those of",
        ),
        (f"name: t, {GET}, headers: [], expect: DENIED", "headers: expected a mapping, found an empty list"),
        (
            f"name: t, {GET}, connection: {{}}, expect: DENIED",
            "connection: expected no `connection` beside `to`",
        ),
        (
            "name: t, connection: {port: 1}, expect: DENIED",
            "connection: expected the key `sends`",
        ),
        (f"name: t, {GET}, as: curl, expect: DENIED", "as: expected a service identity"),
        (f"name: t, {GET}, expect: MAYBE", "expect: expected one of `IN_MESH`"),
        (f"name: t, {GET}", "expect: expected a verdict, or what is expected, found `null`"),
        (
            f"name: t, {GET}, expect: {{}}",
            "expect: expected a verdict, or what is expected, found an empty mapping",
        ),
        (f"name: t, {GET}, expect: {{verdct: DENIED}}", "the key `verdct`; write `verdict`"),
        (f"name: t, {GET}, expect: {{reason: luck}}", "expect.reason: expected one of"),
        (f"name: t, {GET}, expect: {{status: ok}}", "expect.status: expected an HTTP status"),
        (f"name: t, {GET}, expect: {{rule: 1}}", "expect.rule: expected a string, found the number `1`"),
        (f"name: t, {GET}, expect: {{target: [1]}}", "expect.target[0]: expected an address and a port"),
        (f"name: t, {GET}, expect: {{target: 1}}", "expect.target: expected a list, found the number `1`"),
        (
            f"name: t, {GET}, expect: {{changes: true}}",
            "expected `after` in the file: the mesh to compare with",
        ),
        (f"name: t, {GET}, expect: {{after: {{status: 403}}}}", "expected `after` in the file"),
        (f"name: t, {GET}, cases: 1, expect: DENIED", "cases: expected a list, found the number `1`"),
        (f"name: t, {GET}, cases: [1], expect: DENIED", "cases[0]: expected a mapping, found the number `1`"),
    ],
)
def test_what_a_test_has_wrong(test: str, problem: str) -> None:
    lines = refused(f"{HEAD}as: curl.curl\ntests:\n  - {{{test}}}\n")
    assert any(problem in line for line in lines), lines
    assert all(line.startswith("t.yaml:6:") for line in lines)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "t.yaml: expected a document of kind `EgressTest`, found none"),
        ("[]\n", "t.yaml:1:1: expected a mapping, found an empty list"),
        ("a: [\n", "t.yaml:"),
        (f"{HEAD}as: a.b\n", "tests: expected a list of tests, found `null`"),
        (f"{HEAD}as: a.b\ntests: []\n", "tests: expected a list of tests, found an empty list"),
        (f"{HEAD}tests: [{{name: t, {GET}, expect: DENIED}}]\n", "as: expected a service identity"),
        (f"{HEAD}as: a.b\npatch: 1\ntests: []\n", "patch: expected a mapping, found the number `1`"),
        (
            f"{HEAD}as: a.b\nset: [1]\ntests: []\n",
            "set[0]: expected a setting such as `fsm.enableEgress=true`",
        ),
        (
            f"{HEAD}{AFTER}as: a.b\ntests: [{{name: t, {GET}, expect: {{changes: so}}}}]\n",
            "expect.changes: expected one of",
        ),
        (f"{HEAD}as: a.b\nafter: {{at: 1}}\ntests: []\n", "the key `at`"),
        (
            "apiVersion: fsm-egress/v1\nkind: EgressTest\ntests: []\n",
            "mesh: expected the paths of the mesh, found `null`",
        ),
        (f"{KIND}mesh: [1]\ntests: []\n", "mesh[0]: expected a path"),
    ],
)
def test_what_a_file_has_wrong(text: str, problem: str) -> None:
    assert any(problem in line for line in refused(text))


TESTED = f"""{HEAD}{AFTER}as: curl.curl
tests:
  - name: t
    to: 54.9.9.9:80
    http: GET http://httpbin.org/$path
    headers: {{a: b}}
    cases: [{{path: get}}]
    expect: {{verdict: DENIED, reason: no_route, status: 403, target: [a:80], changes: true, after: {{}}}}
  - {{as: any other account, name: u, tls: true, to: 54.9.9.9:443, expect: {{route: r}}}}
  - {{name: v, connection: {{destination: 54.9.9.9, port: 80, sends: raw}}, expect: DENIED}}
"""


def places_in(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(it for key, inside in pairs for it in places_in(inside, (*place, key)))]


@given(st.data())
def test_law_whatever_stands_in_a_file_is_read_or_is_an_error_of_ours(data: st.DataObject) -> None:
    tree = yaml.safe_load(TESTED)
    *around, key = data.draw(st.sampled_from(places_in(tree)[1:]))
    holder = tree
    for it in around:
        holder = holder[it]
    holder[key] = data.draw(changes.values)
    with suppress(fe.LoadError):
        fe.read_tests(json.dumps(tree))


@pytest.mark.parametrize("several", ["tests", "cases", "documents"])
def test_a_file_with_very_many_mistakes_is_read_no_further(several: str) -> None:
    text = "".join("  - {name: t, to: a, tcp: true}\n" for _ in range(2_000))
    if several == "cases":
        text = f"  - {{name: t, to: $a, tcp: true, cases: [{', '.join(['{a: b}'] * 2_000)}]}}\n"
    if several == "documents":
        text = f"  - {{}}\n---\n{HEAD}tests:\n".join(["", *[""] * 1_000])
    lines = refused(f"{HEAD}tests:\n{text}")
    assert 1_000 < len(lines) < 1_020
    assert lines[-1] == "t.yaml: expected at most 1000 mistakes, found more"


def test_everything_that_is_wrong_is_said_at_once() -> None:
    assert len(refused(f"{HEAD}as: curl\ntests:\n  - {{to: 54.9.9.9, tcp: true, expect: MAYBE}}\n")) == 4


# --- meshes ----------------------------------------------------------------------------------------------


def test_paths_are_found_from_where_the_file_is(tmp_path: Path) -> None:
    (tmp_path / "mesh.json").write_text(json.dumps(config({"enableEgress": True})))
    head = f"{KIND}mesh: mesh.json\nas: curl.curl\n"
    text = f"{head}tests: [{{name: t, {TLS}, expect: PASSTHROUGH}}]\n---\n"
    tests = fe.read_tests(text, str(tmp_path / "t.yaml"))
    assert tests[0].mesh.paths == (str(tmp_path / "mesh.json"),)
    assert not fe.run_tests(tests).failed


def test_what_is_changed_of_a_mesh() -> None:
    head = (
        f"{HEAD}as: curl.curl\npatch: {{spec: {{traffic: {{enableEgress: true}}}}}}\n"
        "after: {patch: {spec: {traffic: {enableEgress: false}}}}\n"
    )
    report = ran(f"{TLS}, expect: {{verdict: PASSTHROUGH, changes: denied}}", head=head)
    assert not report.failed
    other = f"{HEAD}as: curl.curl\nset: [fsm.enableEgress=true]\nafter: {{mesh: [{DEMO}/mesh-config.yaml]}}\n"
    assert not ran(f"{TLS}, expect: {{verdict: PASSTHROUGH, after: {{verdict: DENIED}}}}", head=other).failed


def test_a_mesh_that_is_not_there_is_an_error() -> None:
    head = f"{KIND}mesh: nowhere\nas: curl.curl\n"
    with pytest.raises(fe.LoadError):
        ran(f"{TLS}, expect: DENIED", head=head)
    with pytest.raises(fe.PatchError):
        ran(f"{TLS}, expect: DENIED", head=f"{HEAD}as: curl.curl\nset: [fsm.nothing=1]\n")


# --- what is covered -------------------------------------------------------------------------------------


@given(random_meshes.cases(10))
@settings(max_examples=examples(30))
def test_law_what_is_covered_is_what_decided(case: tuple[Wire, str, Wire]) -> None:
    mesh, who, wires = case
    snapshot = fe.load(mesh)
    engine = fe.compile(snapshot, who)
    known = set(parts_of(snapshot))
    for connection in aimed(wires):
        decision = engine.classify(connection)
        decided = list(parts_decided(snapshot, connection, decision))
        rules = {str(part.where) for part in decided}
        if decision.rule is None or decision.rule.resource.kind != "Egress":
            assert decided == []
            continue
        assert str(decision.rule) in rules
        assert (str(decision.route) in rules) is (decision.route is not None)
        hosts = [part for part in decided if part.kind is fe.PartKind.HOST]
        assert len(hosts) <= decision.allowed
        assert set(decided) <= known


def test_what_no_test_decides_by() -> None:
    head = HEAD.replace("-one-route", "-two-routes") + "as: curl.curl\n"
    report = ran(f"{GET}, expect: EGRESS_POLICY", head=head)
    coverage = report.coverage
    assert [str(part).replace(str(DEMO), "") for part in coverage.missing] == [
        "route HTTPRouteGroup curl/egress-http-route spec.matches[1] (/http-two-routes.yaml:11)"
    ]
    assert (coverage.percent, len(coverage.parts)) == (80.0, 5)
    mapping = report.to_mapping()["coverage"]
    assert (mapping["parts"], mapping["decided"], mapping["percent"]) == (5, 4, 80.0)
    assert [it["kind"] for it in mapping["missing"]] == ["route"]


def test_a_host_that_nobody_asks_for() -> None:
    mesh = load(egress("web", "http 80", "https 443", hosts=["a.com", "b.com"]), routes("r"))
    engine = fe.compile(mesh, WHO)
    asked = [
        fe.http("54.9.9.9", 80, "GET", "/", {"Host": "A.com:80"}),
        fe.tls("54.9.9.9", 443),
        fe.tcp("54.9.9.9", 80),
    ]
    raw, to_raw = load(egress("raw", "tcp 3306")), fe.tcp("54.9.9.9", 3306)
    (_, port) = parts_decided(raw, to_raw, fe.compile(raw, WHO).classify(to_raw))
    assert str(port) == "port Egress curl/raw spec.ports[0]"
    decided = [part for it in asked for part in parts_decided(mesh, it, engine.classify(it))]
    coverage = fe.Coverage.of(parts_of(mesh), decided)
    assert [str(part) for part in coverage.missing] == ["host Egress curl/web spec.hosts[1] `b.com`"]
    assert coverage.to_mapping()["missing"] == [
        {"kind": "host", "field": "Egress curl/web spec.hosts[1]", "source": None, "name": "b.com"}
    ]
    named = fe.tls("54.9.9.9", 443, "b.com")
    decided.extend(parts_decided(mesh, named, engine.classify(named)))
    assert not fe.Coverage.of(parts_of(mesh), decided).missing


def test_nothing_is_wholly_covered() -> None:
    assert fe.Coverage.of([], []).percent == 100.0


# --- JUnit -----------------------------------------------------------------------------------------------


def test_a_report_as_junit_xml() -> None:
    files = [*read(f"{GET}, expect: EGRESS_POLICY", f"{TLS}, expect: PASSTHROUGH"), *named("b & <c>.yaml")]
    root = ET.fromstring(fe.junit_xml(fe.run_tests(files)))  # noqa: S314  # because it was made a moment ago
    assert (root.tag, root.attrib) == (
        "testsuites",
        {"name": "fsm-egress", "tests": "3", "failures": "1", "errors": "0"},
    )
    one, other = root
    assert one.attrib == {"name": "<text>", "tests": "2", "failures": "1", "errors": "0", "skipped": "0"}
    assert other.attrib["name"] == "b & <c>.yaml"
    passed, failed = one
    assert passed.attrib == {"name": "t", "classname": "<text>", "file": "<text>", "line": "6"}
    (failure,) = failed
    assert failure.attrib == {"message": "verdict: expected `PASSTHROUGH`, found `DENIED`"}
    assert "but for one thing it would be allowed:" in (failure.text or "")


def named(name: str) -> tuple[fe.PolicyTests, ...]:
    text = {
        "apiVersion": "fsm-egress/v1",
        "kind": "EgressTest",
        "mesh": [str(DEMO / "mesh-config.yaml")],
        "as": "curl.curl",
        "tests": [{"name": "bell \x07", "to": "54.9.9.9:1", "tcp": True, "expect": "DENIED"}],
    }
    return fe.read_tests(json.dumps(text), name)


def test_what_xml_cannot_say_is_replaced() -> None:
    text = fe.junit_xml(fe.run_tests(named("t.json")))
    assert 'name="bell \ufffd"' in text


def test_a_test_that_was_made_in_python_has_no_line() -> None:
    (tests,) = named("t.json")
    (test,) = tests.tests
    bare = fe.PolicyTest(
        "t", "made", None, test.identity, test.connection, fe.Expected(verdict=fe.Verdict.DENIED)
    )
    report = fe.run_tests([fe.PolicyTests("made", tests.mesh, None, (bare,))])
    assert bare.location == "made"
    assert '<testcase name="t" classname="made" file="made"/>' in fe.junit_xml(report)


def test_a_report_for_machines() -> None:
    report = ran(f"{TLS}, expect: PASSTHROUGH", f"{GET}, expect: EGRESS_POLICY")
    mapping: dict[str, Any] = report.to_mapping()
    assert json.loads(json.dumps(mapping)) == mapping
    assert (mapping["passed"], mapping["failed"]) == (1, 1)
    assert mapping["results"][0]["decision"]["verdict"] == "DENIED"
    assert len(mapping["results"][0]["explanations"]) == 1


def test_the_demo_passes_its_own_tests() -> None:
    path = DEMO / "httpbin.egress-test.yaml"
    report = fe.run_tests(fe.read_tests(path.read_bytes(), str(path)))
    assert len(report.results) == 5
    assert not report.failed
    assert report.coverage.percent == 100.0


# --- pods ------------------------------------------------------------------------------------------------


def of_pods(folder: Path, who: str, expected: str) -> fe.TestResult:
    entries = [config(), egress("e", "tcp 25"), pod("a"), pod("b", sidecar_injection="no")]
    (folder / "mesh.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": entries}))
    head = f"{KIND}mesh: [{folder}/mesh.json]\nas: {who}\n"
    (result,) = ran(f"to: '54.9.9.9:25', tcp: true, expect: {expected}", head=head).results
    return result


def test_a_test_of_an_account_passes_where_it_does_for_every_kind_of_pods(tmp_path: Path) -> None:
    failed = of_pods(tmp_path, "curl.curl", "EGRESS_POLICY")
    assert failed.failures == ("pod/b.curl: verdict: expected `EGRESS_POLICY`, found `PASSTHROUGH`",)
    assert failed.decision.reason is fe.Reason.NO_SIDECAR
    assert [str(it.identity) for it in failed.explanations] == ["pod/b.curl"]
    assert of_pods(tmp_path, "curl.curl", "{target: '54.9.9.9:25'}").passed


def test_a_test_may_be_about_a_pod(tmp_path: Path) -> None:
    assert of_pods(tmp_path, "pod/a.curl", "EGRESS_POLICY").passed
    assert of_pods(tmp_path, "pod/b.curl", "{reason: no_sidecar}").passed
    assert of_pods(tmp_path, "pod/b.curl", "DENIED").failures == (
        "verdict: expected `DENIED`, found `PASSTHROUGH`",
    )
