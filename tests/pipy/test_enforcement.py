"""With the module the sidecar does what is decided: by its model, and as a real one was seen to do."""

from __future__ import annotations

import gzip
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from observed import explains, goes_as_due
from random_meshes import cases
from small import WHO, Entry, config, egress, flat, load, service
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.connections.findings import Code
from fsm_egress.pipy.config import write_config
from fsm_egress.pipy.enforcement import MODULE, module_source, write_enforced_config
from fsm_egress.pipy.outcome import Fate, Outcome
from fsm_egress.pipy.sidecar import Sidecar
from fsm_egress.verification.agreement import verify
from fsm_egress.verification.enforceability import codes_of, enforceability
from fsm_egress.verification.sides import Disagreement, Sides, intercepted

Wire = dict[str, Any]

NOT_CURED = {
    Code.IPV6_NOT_INTERCEPTED,
    Code.HOST_LETTER_CASE,
    Code.UNKNOWN_METHOD,
    Code.CERTIFICATE_UNUSABLE,
    Code.GATEWAY_BYPASSED,
    Code.SHARED_CONNECTIONS,  # the sidecar lends them whatever decides
}
PLAIN = config({"outboundIPRangeInclusionList": ["0.0.0.0/0"]})
CERT = {"issuer": "fsm"}


# --- laws ------------------------------------------------------------------------------------------------


@given(cases(24))
def test_law_with_the_module_only_what_it_does_not_cure_differs(case: Any) -> None:
    documents, identity, connections = case
    verification = verify(fe.load(documents), identity, enforce=True)
    for wire in connections:
        found = verification.sides.compare(fe.Connection.from_mapping(wire))
        if isinstance(found, Disagreement):
            assert set(codes_of(verification, found)) <= NOT_CURED
    for found in verification.disagreements:
        assert set(codes_of(verification, found)) <= NOT_CURED
    assert verification.undecided == ()


@given(cases(24))
def test_law_with_the_module_nothing_gets_out_that_is_denied(case: Any) -> None:
    documents, identity, connections = case
    sides = Sides.of(fe.load(documents), identity, enforce=True)
    for wire in connections:
        connection = fe.Connection.from_mapping(wire)
        found = sides.compare(connection)
        if isinstance(found, Disagreement) and connection.destination.version == 4:
            known = (
                isinstance(connection.sends, fe.HTTPRequest) and sides.policy.spec.enable_auto_default_route
            )
            assert found.decision.allowed or found.outcome.fate is not Fate.DIALLED or known


@given(cases(1))
@settings(max_examples=examples(40))
def test_law_a_finding_is_cured_or_of_those_that_are_not(case: Any) -> None:
    documents, identity, _ = case
    for finding in enforceability(fe.load(documents), identity):
        assert finding.cured or finding.code in NOT_CURED


@given(cases(1))
@settings(max_examples=examples(40))
def test_law_the_stock_scripts_find_all_that_they_look_at(case: Any) -> None:
    """Each key of a stock match is in the enforced one: without the module nothing is opened by it."""
    documents, identity, _ = case
    policy = fe.resolve(fe.load(documents), identity)
    enforced = write_enforced_config(policy).to_mapping()["Outbound"]
    stock = write_config(policy).to_mapping()["Outbound"]
    assert (stock is None) == (enforced is None)
    if stock:
        assert list(stock["TrafficMatches"]) == list(enforced["TrafficMatches"])
        assert set(stock["ClustersConfigs"] or ()) <= set(enforced["ClustersConfigs"] or ())


# --- what a real sidecar did -----------------------------------------------------------------------------

KEPT = json.loads(gzip.decompress((Path(__file__).parents[1] / "vectors" / "dataplane.json.gz").read_bytes()))


def test_they_were_observed_with_the_module_as_it_is() -> None:
    assert KEPT["module"] == sha256(module_source()).hexdigest()


def test_at_least_three_thousand_connections_were_observed() -> None:
    assert sum(len(case["probes"]) for case in KEPT["cases"]) >= 3_000


@pytest.mark.parametrize("case", KEPT["cases"])
def test_every_observed_connection_went_where_it_is_decided(case: Wire) -> None:
    sides = Sides.of(fe.load(case["documents"]), case["identity"], enforce=True)
    for pair in case["probes"]:
        connection = fe.Connection.from_mapping(pair["connection"])
        assert goes_as_due(sides, pair, case["names"]) or not intercepted(
            sides.policy.interception, connection
        ), pair


@pytest.mark.parametrize("case", KEPT["cases"])
def test_every_observed_connection_went_where_the_model_says(case: Wire) -> None:
    sidecar = Sidecar.read(case["config"])
    for pair in case["probes"]:
        connection = fe.Connection.from_mapping(pair["connection"])
        outcome = sidecar.handle(connection)
        assert explains(outcome, connection, pair["observed"], case["names"]), pair


# --- named cases -----------------------------------------------------------------------------------------


def matches(port: int, *entries: Entry) -> list[Wire]:
    written = write_enforced_config(fe.resolve(load(*flat(entries)), WHO)).to_mapping()
    found: list[Wire] = written["Outbound"]["TrafficMatches"][str(port)]
    return found


def rules(port: int, *entries: Entry) -> list[Wire | None]:
    return [match.get("Enforce") for match in matches(port, *entries)]


def test_each_server_name_has_a_cluster_of_its_own() -> None:
    mesh = load(egress("a", "https 443", hosts=["a.com", "b.com"]))
    outbound = write_enforced_config(fe.resolve(mesh, WHO)).to_mapping()["Outbound"]
    (match,) = outbound["TrafficMatches"]["443"]
    names = {"a.com": "443/a.com", "b.com": "443/b.com"}
    assert match["Enforce"] == {"Egress": True, "Accept": ["tls"], "ServerNames": names}
    assert outbound["ClustersConfigs"]["443/a.com"] == {"Endpoints": {"a.com:443": {"Weight": 100}}}


def test_any_tls_needs_no_server_names() -> None:
    assert rules(443, egress("a", "https 443")) == [{"Egress": True, "Accept": ["tls"]}]


def test_http_and_https_share_one_match() -> None:
    both = [egress("a", "http 80", hosts=["a.com"]), egress("b", "https 80", hosts=["b.com"])]
    (match,) = matches(80, *both)
    assert match["Protocol"] == "https"
    assert list(match["HttpHostPort2Service"]) == ["a.com", "a.com:80"]
    assert match["Enforce"]["Accept"] == ["tls", "http"]


def test_http_alone_is_left_to_the_routing() -> None:
    assert rules(80, egress("a", "http 80", hosts=["a.com"])) == [{"Egress": True}]


def test_a_certificate_is_shown_with_ranges_and_without() -> None:
    shown = {
        "FsmIssued": True,
        "Expiration": "",
        "CertChain": "",
        "PrivateKey": "",
        "IssuingCA": "",
    }
    for ranges in ([], ["54.0.0.0/8"]):
        policy = egress("a", "tcp 3306", ipAddresses=ranges, mtls=CERT)
        assert rules(3306, policy) == [{"Egress": True, "SourceCert": shown}]
        assert verify(load(PLAIN, policy), WHO, enforce=True).agreed


def test_a_stream_that_leads_nowhere_is_refused() -> None:
    assert rules(3306, service("db", "tcp-x 3306", pods=[])) == [{"Accept": []}]
    lacking = egress("a", "tcp 3306", mtls={"issuer": "x", "cert": {"secret": {"name": "gone"}}})
    assert rules(3306, lacking) == [{"Egress": True, "Accept": []}]


SPLIT = {
    "apiVersion": "split.smi-spec.io/v1alpha4",
    "kind": "TrafficSplit",
    "metadata": {"name": "s", "namespace": "shop"},
    "spec": {
        "service": "web",
        "backends": [{"service": "web", "weight": 10}, {"service": "web2", "weight": 30}],
    },
}


@pytest.mark.parametrize("protocol", ["http", "tcp"])
def test_backends_without_endpoints_are_left_out(protocol: str) -> None:
    full = service("web", f"{protocol}-x 80", ip="10.96.0.1", pods=["10.0.0.1"])
    empty = service("web2", f"{protocol}-x 80", ip="10.96.0.2", pods=[])
    mesh = load(PLAIN, SPLIT, full, empty)
    verification = verify(mesh, WHO, enforce=True)
    codes = {code for found in verification.disagreements for code in codes_of(verification, found)}
    assert Code.BACKEND_WITHOUT_ENDPOINTS not in codes
    stock = verify(mesh, WHO)
    assert Code.BACKEND_WITHOUT_ENDPOINTS in {
        code for found in stock.disagreements for code in codes_of(stock, found)
    }


def test_gateways_without_endpoints_are_left_out() -> None:
    listed = [{"service": name, "namespace": "fsm"} for name in ("gw", "gw2")]
    mesh = load(
        config({"outboundIPRangeInclusionList": ["0.0.0.0/0"], "enableEgress": True}),
        {
            "apiVersion": "policy.flomesh.io/v1alpha1",
            "kind": "EgressGateway",
            "metadata": {"name": "g", "namespace": "fsm"},
            "spec": {"global": listed},
        },
        service("gw", "tcp-g 1080", space="fsm", ip="10.96.9.9", pods=["10.0.9.9"]),
        service("gw2", "tcp-g 1081", space="fsm", ip="10.96.9.8", pods=[]),
    )
    connection = fe.tcp("54.9.9.9", 3306)
    assert Sides.of(mesh, WHO).sidecar.handle(connection).others
    outcome = Sides.of(mesh, WHO, enforce=True).sidecar.handle(connection)
    assert [used.name for used in outcome.gateways] == ["gw.fsm"]
    assert outcome.others == ()


def test_a_default_route_without_hosts_answers() -> None:
    mesh = load(
        config(
            {"outboundIPRangeInclusionList": ["0.0.0.0/0"]}, featureFlags={"enableAutoDefaultRoute": True}
        ),
        egress("a", "http 80"),
    )
    outcome = Sides.of(mesh, WHO, enforce=True).sidecar.handle(fe.http("54.9.9.9", 80, "GET", "a.com/"))
    assert (outcome.fate, outcome.status) == (Fate.ANSWERED, 403)


def test_the_module_stands_where_it_belongs() -> None:
    chains = write_enforced_config(fe.resolve(load(), WHO)).to_mapping()["Chains"]
    stock = write_config(fe.resolve(load(), WHO)).to_mapping()["Chains"]
    assert chains["outbound-tcp"] == [MODULE, *stock["outbound-tcp"]]
    routing, *rest = stock["outbound-http"]
    assert chains["outbound-http"] == [MODULE, routing, MODULE, *rest]
    assert chains["inbound-tcp"] == stock["inbound-tcp"]


def test_the_module_stands_before_the_mesh_s_own_plugins() -> None:
    plugins = {"outbound-tcp": [{"plugin": "plugins/mine", "priority": 1}]}
    mesh = load(config(pluginChains=plugins))
    chains = write_enforced_config(fe.resolve(mesh, WHO)).to_mapping()["Chains"]
    assert chains["outbound-tcp"] == [MODULE, "plugins/mine.js"]


def test_without_the_module_nothing_changes() -> None:
    mesh = load(egress("a", "https 443", hosts=["a.com"]))
    assert fe.pipy_codebase(mesh, WHO) == {"config.json.gz": fe.pipy_config(mesh, WHO).to_gzip()}
    plain = load(config(sidecar={"compressConfig": False}))
    assert fe.pipy_codebase(plain, WHO) == {"config.json": fe.pipy_config(plain, WHO).to_json()}


def test_with_it_the_codebase_has_the_module() -> None:
    mesh = load(egress("a", "https 443", hosts=["a.com"]))
    files = fe.pipy_codebase(mesh, WHO, enforce=True)
    assert list(files) == ["config.json.gz", MODULE]
    assert files[MODULE] == module_source()
    assert fe.PipyConfig.from_bytes(files["config.json.gz"]) == write_enforced_config(fe.resolve(mesh, WHO))


# --- the model of the module -----------------------------------------------------------------------------


def handled(connection: fe.Connection, *entries: Entry, change: Any = None) -> Outcome:
    tree = write_enforced_config(fe.resolve(load(*flat(entries)), WHO)).to_mapping()
    if change:
        change(tree)
    return Sidecar.read(tree).handle(connection)


HTTPS = egress("a", "https 443", hosts=["a.com"])


def test_the_key_says_nothing_without_the_module() -> None:
    def without(tree: Wire) -> None:
        tree["Chains"]["outbound-tcp"].remove(MODULE)

    assert handled(fe.tls("54.9.9.9", 443, "z.com"), HTTPS).fate is Fate.CLOSED
    assert handled(fe.tls("54.9.9.9", 443, "z.com"), HTTPS, change=without).fate is Fate.DIALLED


def test_the_module_in_another_place_is_not_guessed_at() -> None:
    def behind(tree: Wire) -> None:
        tree["Chains"]["outbound-tcp"].append(tree["Chains"]["outbound-tcp"].pop(0))

    outcome = handled(fe.tls("54.9.9.9", 443, "a.com"), HTTPS, change=behind)
    assert outcome.fate is Fate.UNKNOWN
    assert MODULE in outcome.cause


def test_the_module_may_be_missing_behind_the_routing() -> None:
    def first_only(tree: Wire) -> None:
        tree["Chains"]["outbound-http"].pop(2)

    policy = egress("a", "http 80", hosts=["a.com"], ipAddresses=["54.0.0.0/8"])
    assert handled(fe.http("54.9.9.9", 80, "GET", "a.com/"), policy, change=first_only).fate is Fate.DIALLED


def test_requests_need_the_chain_that_they_are_handed_to() -> None:
    def unchained(tree: Wire) -> None:
        tree["Chains"]["outbound-http"] = []

    both = [egress("b", "http 443", hosts=["a.com"]), HTTPS]
    request = fe.http("54.9.9.9", 443, "GET", "a.com/")
    assert handled(request, *both).fate is Fate.DIALLED
    assert handled(request, *both, change=unchained).fate is Fate.ECHOED


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Accept": "tls"}, "Enforce.Accept: expected a list, found the string `tls`"),
        ({"ServerNames": {"a.com": 1}}, "Enforce.ServerNames.a.com: expected a string, found the number `1`"),
        ({"Egress": 1}, "Enforce.Egress: expected `true` or `false`, found the number `1`"),
    ],
)
def test_a_malformed_key_is_told(change: Wire, message: str) -> None:
    def malformed(tree: Wire) -> None:
        tree["Outbound"]["TrafficMatches"]["443"][0]["Enforce"].update(change)

    with pytest.raises(fe.InvalidValue) as caught:
        handled(fe.tcp("54.9.9.9", 443), HTTPS, change=malformed)
    assert str(caught.value) == f"Outbound.TrafficMatches.443[0].{message}"
