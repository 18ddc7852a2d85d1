"""What a sidecar is told to log, and a table of policies that says what they would refuse."""

from __future__ import annotations

import gzip
import io
import json
from hashlib import sha256
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from logged import says_what_is_due
from random_meshes import cases
from small import ROUTES, WHO, config, egress, load, service

import fsm_egress as fe
from fsm_egress.patterns import Pattern
from fsm_egress.pipy.enforcement import MODULE, OBSERVER, module_source
from fsm_egress.pipy.observing import observer_source
from fsm_egress.pipy.sidecar import Sidecar

Wire = dict[str, Any]

TODAY = load(config({"enableEgress": True}))
AFTER = load(
    config(),
    egress("web", "http 80", "https 443", hosts=["a.com"]),
    egress("db", "tcp 5432", ipAddresses=["54.0.0.0/8"]),
)


def tree(mesh: fe.Snapshot = TODAY, who: str = WHO, **options: Any) -> Wire:
    """The config of the files, as plain JSON."""
    files = fe.pipy_codebase(mesh, who, **{"shadow": AFTER, **options})
    name, *scripts = files
    assert scripts == [MODULE, OBSERVER]
    read: Wire = fe.PipyConfig.from_bytes(files[name]).to_mapping()
    return read


def observed(mesh: fe.Snapshot = TODAY, who: str = WHO, **options: Any) -> Wire:
    found: Wire = tree(mesh, who, **options)["Observe"]
    return found


# --- the table, read as the module reads it --------------------------------------------------------------


def asked(shadow: Wire, connection: fe.Connection) -> str:
    """What the table says of a connection, step by step as `observe.js` does."""
    address, unseen = ip_address(str(connection.destination)), shadow["Unseen"]

    def within(ranges: list[str]) -> bool:
        return any(address in ip_network(text) for text in ranges)

    if connection.port in unseen["Ports"] or within(unseen["Ranges"]):
        return "PASSTHROUGH"
    if unseen["Included"] and not within(unseen["Included"]):
        return "PASSTHROUGH"
    listed = shadow["Ports"].get(str(connection.port), [])
    ranged = (policy for policy in listed if "Ranges" in policy and within(policy["Ranges"]))
    policy = next(ranged, None) or next((policy for policy in listed if "Ranges" not in policy), None)
    if policy is None:
        return "PASSTHROUGH" if shadow["Passes"] else "DENIED"
    return policy["Verdict"] if _lets(policy, connection.sends) else "DENIED"


def _lets(policy: Wire, sends: Any) -> bool:
    if isinstance(sends, fe.TLSClientHello):
        return bool(policy.get("TLS") or (sends.server_name or "").lower() in policy.get("ServerNames", ()))
    if not isinstance(sends, fe.HTTPRequest):
        return bool(policy.get("Bytes"))
    hosts = policy.get("Hosts", {})
    routes = hosts.get(sends.host.lower(), hosts.get(policy.get("Otherwise"), ()))
    return bool(policy.get("HTTP")) or next(
        (route["Allowed"] for route in routes if _takes(route, sends)), False
    )


def _takes(route: Wire, request: fe.HTTPRequest) -> bool:
    sent = {**request.headers, "host": request.host}
    return (
        request.method in route["Methods"]
        and ("Path" not in route or Pattern(route["Path"]).search(request.path))
        and all(Pattern(text).search(sent.get(name, "")) for name, text in route.get("Headers", {}).items())
    )


@given(cases(24))
def test_law_the_table_refuses_what_is_denied(case: Any) -> None:
    documents, identity, connections = case
    mesh = fe.load(documents)
    shadow = observed(mesh, identity, shadow=mesh)["Shadow"]
    engine = fe.compile(mesh, identity)
    local = fe.resolve(mesh, identity).interception.local
    for wire in connections:
        connection = fe.Connection.from_mapping(wire)
        comes = connection.destination.version == 4 and connection.sends is not fe.Sends.DATAGRAM
        if comes and not any(connection.destination in prefix for prefix in local):
            assert asked(shadow, connection) == engine.classify(connection).verdict.value, wire


# --- what a real sidecar logged --------------------------------------------------------------------------

LOGS = Path(__file__).parents[1] / "vectors" / "sidecar-logs.json.gz"
KEPT = json.loads(gzip.decompress(LOGS.read_bytes()))


def test_they_were_logged_by_the_module_as_it_is() -> None:
    assert KEPT["module"] == sha256(module_source() + observer_source()).hexdigest()
    assert sum(len(case["probes"]) for case in KEPT["cases"]) >= 2_000


@pytest.mark.parametrize("case", KEPT["cases"])
def test_every_record_says_what_is_due(case: Wire) -> None:
    today, after = fe.load(case["documents"]), fe.load(case["after"])
    sidecar = Sidecar.read(fe.pipy_config(today, case["identity"]))
    for probe in case["probes"]:
        assert sidecar.chain(fe.Connection.from_mapping(probe["connection"]))
        assert says_what_is_due(today, after, case["identity"], probe), probe


@pytest.mark.parametrize("case", KEPT["cases"])
def test_records_are_replayed_as_they_are(case: Wire) -> None:
    lines = "".join(f"{json.dumps(probe['record'])}\n" for probe in case["probes"])
    log = fe.Log(io.BytesIO(lines.encode()), "sidecar.jsonl")
    summary = fe.replay(fe.load(case["after"]), [log])
    verdicts = [probe["record"]["shadow_verdict"] for probe in case["probes"]]
    counted: dict[str, int] = {}
    for ruling, count in summary.counts.items():
        counted[ruling.verdict.value] = counted.get(ruling.verdict.value, 0) + count
    assert summary.unreadable == 0
    assert counted == {verdict: verdicts.count(verdict) for verdict in set(verdicts)}


BEYOND_POLICIES = ("denied, as the client certificate is missing", "passes by the sidecar")


@pytest.mark.parametrize("case", KEPT["cases"][::3])
def test_records_teach_what_they_are_replayed_as(case: Wire) -> None:
    lines = "".join(f"{json.dumps(probe['record'])}\n" for probe in case["probes"]).encode()

    def log() -> fe.Log:
        return fe.Log(io.BytesIO(lines), "sidecar.jsonl")

    for mesh in (fe.load(case["documents"]), fe.load(case["after"])):
        verdicts = [fe.Verdict.PASSTHROUGH, fe.Verdict.DENIED]
        lesson = fe.learn(mesh, [log()], verdicts=verdicts, routes=True, ranges=200).proven([log()])
        replayed = fe.replay(mesh, [log()]).counts
        asked_for = sum(count for it, count in replayed.items() if it.verdict in verdicts)
        beyond = ("denied inside the mesh", *BEYOND_POLICIES)
        beyond_policies = sum(lesson.evidence.left_out.get(why, 0) for why in beyond)
        assert lesson.evidence.read == len(case["probes"])
        assert lesson.evidence.counted == asked_for - beyond_policies
        assert lesson.evidence.untimed == 0
        assert lesson.still_denied == lesson.evidence.counted - lesson.allowed
        assert {*lesson.denied} <= lesson.refused.keys()


def test_what_is_learned_from_records_allows_them() -> None:
    about = {"time": 1796023989647, "identity": WHO, "destination": "54.9.9.9", "verdict": "PASSTHROUGH"}
    records: list[Wire] = [
        {**about, "port": 443, "sends": "tls", "server_name": "a.com"},
        {**about, "port": 80, "sends": "http", "host": "b.com", "method": "GET", "path": "/x", "lost": 2},
        {**about, "port": 5432, "sends": "nothing", "shadow_verdict": "DENIED"},
    ]
    lines = "".join(f"{json.dumps(record)}\n" for record in records)
    lesson = fe.learn(TODAY, [fe.Log(io.BytesIO(lines.encode()), "sidecar.jsonl")])
    assert len(lesson.openings) == 3
    assert lesson.denied == ()
    (remark,) = (it for it in lesson.remarks if it.about == "records that are not in the logs")
    assert remark.count == lesson.evidence.lost == 2
    summary = fe.replay(TODAY, [fe.Log(io.BytesIO(lines.encode()), "sidecar.jsonl")])
    assert (summary.lost, summary.to_mapping()["lost"]) == (2, 2)
    assert "lost" not in fe.replay(TODAY, []).to_mapping()
    proven = lesson.proven([fe.Log(io.BytesIO(lines.encode()), "sidecar.jsonl")]).replayed
    assert proven is not None
    assert proven.lost == 2


def test_what_fsm_s_own_script_closes_no_module_sees() -> None:
    closed = Sidecar.read(fe.pipy_config(load(config(), egress("a", "http 80", hosts=["a.com"])), WHO))
    assert closed.chain(fe.tcp("54.9.9.9", 81)) is None
    assert closed.chain(fe.tcp("54.9.9.9", 80)) == "outbound-http"
    assert Sidecar.read(fe.pipy_config(TODAY, WHO)).chain(fe.tcp("54.9.9.9", 81)) == "outbound-tcp"


# --- named cases -----------------------------------------------------------------------------------------


def test_the_sidecar_is_told_nothing_else() -> None:
    """But for the key and the module in the chains, the config is the one of today."""
    mesh = load(config(), egress("a", "http 80", hosts=["a.com"]))
    told = tree(mesh, observe=True)
    for match in (match for port in told["Outbound"]["TrafficMatches"].values() for match in port):
        del match["Observe"]
    stock = fe.pipy_config(mesh, WHO).to_mapping()
    assert {key for key in told if told[key] != stock.get(key)} == {"Observe", "Chains", "Version"}
    assert told["Chains"]["outbound-tcp"] == [MODULE, *stock["Chains"]["outbound-tcp"]]


def test_what_is_looked_on_can_be_enforced_too() -> None:
    enforced = fe.pipy_codebase(AFTER, WHO, enforce=True, observe=True)
    content = fe.PipyConfig.from_bytes(enforced["config.json.gz"]).to_mapping()
    (match,) = content["Outbound"]["TrafficMatches"]["443"]
    assert match["Enforce"] == {"Egress": True, "Accept": ["tls"], "ServerNames": {"a.com": "443/a.com"}}
    assert match["Observe"] == "EGRESS_POLICY"
    assert content["Chains"]["outbound-http"][:3].count(MODULE) == 2
    assert enforced[MODULE] == module_source()


def test_each_match_has_the_verdict_on_what_it_lets_through() -> None:
    mesh = load(config(), *service("web", "http-x 80"), egress("a", "http 80", hosts=["a.com"]))
    matches = tree(mesh, observe=True)["Outbound"]["TrafficMatches"]["80"]
    assert [match["Observe"] for match in matches] == ["IN_MESH", "EGRESS_POLICY"]


def test_everything_is_logged_or_what_would_be_refused() -> None:
    assert observed()["Every"] is False
    assert observed(observe=True)["Every"] is True
    assert "Shadow" not in observed(shadow=None, observe=True)


def test_records_go_to_standard_output_or_to_an_endpoint() -> None:
    assert "Endpoint" not in observed()
    long = observed(log_to="http://logs.monitoring:8080/egress?x=1")["Endpoint"]
    assert long == {
        "Address": "logs.monitoring:8080",
        "Host": "logs.monitoring:8080",
        "Path": "/egress?x=1",
    }
    short = observed(log_to="http://logs.monitoring")["Endpoint"]
    assert short == {"Address": "logs.monitoring:80", "Host": "logs.monitoring", "Path": "/"}


@pytest.mark.parametrize(
    "url",
    [
        "https://logs/",
        "logs:8080",
        "http://",
        "http://a:0/",
        "http://a:65536/",
        "http://u:p@a/",
        "http://a/ b",
        8,
    ],
)
def test_an_endpoint_is_a_url_of_http(url: Any) -> None:
    with pytest.raises(fe.InvalidValue) as caught:
        observed(log_to=url)
    assert str(caught.value).startswith("log_to: expected the URL of an HTTP endpoint")


@pytest.mark.parametrize("share", [0, -1, 1.5, True, "0.1", float("nan")])
def test_a_sample_is_a_share(share: Any) -> None:
    with pytest.raises(fe.InvalidValue) as caught:
        observed(log_sample=share)
    assert str(caught.value).startswith("log_sample: expected a share of connections")
    assert observed(log_sample=0.1)["Sample"] == 0.1


def test_only_headers_that_decide_are_logged() -> None:
    group = {
        "apiVersion": ROUTES,
        "kind": "HTTPRouteGroup",
        "metadata": {"name": "r", "namespace": "curl"},
        "spec": {"matches": [{"name": "m", "pathRegex": "/x", "headers": [{"X-Env": "prod"}]}]},
    }
    routes = [{"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "r"}]
    mesh = load(config(), group, egress("a", "http 80", hosts=["a.com"], matches=routes))
    assert observed(shadow=mesh)["Headers"] == ["x-env"]
    assert observed(mesh, shadow=None, observe=True)["Headers"] == ["x-env"]
    assert observed()["Headers"] == []
    (policy,) = observed(shadow=mesh)["Shadow"]["Ports"]["80"]
    (route,) = policy["Hosts"]["a.com"]
    assert (route["Path"], route["Headers"], route["Allowed"]) == ("/x", {"x-env": "prod"}, True)


def test_a_request_for_an_unknown_host_is_one_for_the_first_where_the_default_route_is_on() -> None:
    entries = egress("web", "http 80", hosts=["b.com", "a.com"]), service("web", "http 81")
    for default in (False, True):
        mesh = load(config(featureFlags={"enableAutoDefaultRoute": default}), *entries)
        ports = observed(shadow=mesh)["Shadow"]["Ports"]
        ((group,), (match,)) = ports["80"], ports["81"]
        assert (group.get("Otherwise"), match.get("Otherwise")) == (
            ("a.com", min(match["Hosts"])) if default else (None, None)
        )


def test_chains_without_fsm_s_modules_cannot_be_looked_on() -> None:
    plugins = {"outbound-tcp": [{"plugin": "plugins/mine", "priority": 1}]}
    with pytest.raises(fe.InvalidValue) as caught:
        tree(load(config(pluginChains=plugins)))
    assert "a chain `outbound-tcp` with FSM's module `outbound-tcp-routing`" in str(caught.value)


def test_what_is_lost_cannot_be_asked() -> None:
    broken = fe.load([config(), egress("a", "http 80", sources="none")], strict=False)
    with pytest.raises(fe.IncompleteMesh):
        tree(shadow=broken)


@pytest.mark.parametrize("wrong", [{"shadow": "policies/"}, {"observe": 1}])
def test_wrong_types_are_told(wrong: Wire) -> None:
    with pytest.raises(fe.InvalidValue) as caught:
        fe.pipy_codebase(TODAY, WHO, **wrong)
    assert next(iter(wrong)) in str(caught.value)
