"""The engine against the literal reading of the pages, and the laws of `docs/decision.md`."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import random_meshes
import reference
import small
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from pods import pod
from seeds import told_with_each_seed
from small import ROUTES, WHO, whole
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.engine import IncompleteEngine, allowing, tables
from fsm_egress.policy import Interception
from fsm_egress.resources.subjects import account_of
from fsm_egress.values.dialling import can_be_dialled

if TYPE_CHECKING:
    from fsm_egress.connections.decision import Decision
    from fsm_egress.engine import Engine

VECTORS = Path(__file__).parents[1] / "vectors"
DOCUMENTED = json.loads((VECTORS / "documented.json").read_text(encoding="utf-8"))["cases"]
PAIRS_PER_MESH = 24

Mesh = list[dict[str, Any]]
Case = tuple[Mesh, str, list[dict[str, Any]]]
cases = random_meshes.cases(PAIRS_PER_MESH, random_meshes.meshes_and_more())


def engine_of(mesh: Mesh, identity: str) -> Engine:
    return fe.compile(fe.load(mesh), identity)


def decided(engine: Engine, connection: dict[str, Any]) -> dict[str, Any]:
    """A decision in the terms of the reference implementation: targets as shares of one."""
    made = fe.Connection.from_mapping(connection)
    decision = engine.classify(made)
    total = sum(target.weight for target in decision.targets)
    return {
        "verdict": decision.verdict.value,
        "reason": decision.reason.value,
        "status": decision.status,
        "targets": sorted(
            [target.address(made), Fraction(target.weight, total)] for target in decision.targets
        ),
        "gateway": sorted(used.name for used in decision.gateways),
        "rule": str(decision.rule.resource) if decision.rule else None,
    }


def verdicts(mesh: Mesh, identity: str, connections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    engine = engine_of(mesh, identity)
    return [decided(engine, connection) for connection in connections]


def with_traffic(mesh: Mesh, **switches: Any) -> Mesh:
    """The mesh with other switches under `spec.traffic` of its MeshConfig."""
    return [
        {
            **document,
            "spec": {**document["spec"], "traffic": {**document["spec"].get("traffic", {}), **switches}},
        }
        if document["kind"] == "MeshConfig"
        else document
        for document in mesh
    ]


def without_default_route(mesh: Mesh) -> Mesh:
    """The mesh without `enableAutoDefaultRoute`: an added host can change which the default one is."""
    return [
        {
            **document,
            "spec": {
                **document["spec"],
                "featureFlags": {**document["spec"].get("featureFlags", {}), "enableAutoDefaultRoute": False},
            },
        }
        if document["kind"] == "MeshConfig"
        else document
        for document in mesh
    ]


def without(mesh: Mesh, *kinds: str) -> Mesh:
    return [document for document in mesh if document["kind"] not in kinds]


@pytest.mark.parametrize("case", DOCUMENTED, ids=lambda case: case["name"])
def test_what_the_documentation_states_is_decided(case: dict[str, Any]) -> None:
    engine = engine_of(case["resources"], case["identity"])
    for entry in case["connections"]:
        connection = fe.Connection.from_mapping(entry["connection"])
        decision, expected = engine.classify(connection).to_mapping(connection), dict(entry["expect"])
        target = expected.pop("target", None)
        assert expected.items() <= decision.items()
        if target is not None:
            assert [entry["address"] for entry in decision["targets"]] == [target]


# --- the laws --------------------------------------------------------------------------------------------


@given(cases)
def test_law_the_engine_equals_the_reference_implementation(case: Case) -> None:
    mesh, identity, connections = case
    expected = [reference.decide(mesh, identity, connection) for connection in connections]
    assert verdicts(mesh, identity, connections) == expected


@given(cases, st.data())
@settings(max_examples=examples(50))
def test_law_order_free(case: Case, data: st.DataObject) -> None:
    mesh, identity, connections = case
    permuted = data.draw(random_meshes.permuted(mesh))
    assert verdicts(permuted, identity, connections) == verdicts(mesh, identity, connections)


@given(cases, random_meshes.egress_policies(names=("added",)))
def test_law_monotone(case: Case, policy: dict[str, Any]) -> None:
    mesh, identity, connections = without_default_route(case[0]), *case[1:]
    changes = {
        (before["verdict"], after["verdict"])
        for before, after in zip(
            verdicts(mesh, identity, connections),
            verdicts([*mesh, policy], identity, connections),
            strict=True,
        )
        if before["verdict"] != after["verdict"]
    }
    assert changes <= {
        ("DENIED", "EGRESS_POLICY"),
        ("PASSTHROUGH", "EGRESS_POLICY"),
        ("PASSTHROUGH", "DENIED"),
    }


@given(cases, random_meshes.egress_policies(names=("added",)))
@settings(max_examples=examples(50))
def test_law_isolation(case: Case, policy: dict[str, Any]) -> None:
    mesh, identity, connections = case
    elsewhere = [{"kind": "ServiceAccount", "name": "somebody", "namespace": "else"}]
    stranger = {**policy, "spec": {**policy["spec"], "sources": elsewhere}}
    assert verdicts([*mesh, stranger], identity, connections) == verdicts(mesh, identity, connections)


PASSED_BY = {"not_intercepted", "no_sidecar"}  # which no policy has a say about


@given(cases)
@settings(max_examples=examples(50))
def test_law_closed_without_policies_and_egress(case: Case) -> None:
    mesh, identity, connections = case
    closed = without(with_traffic(mesh, enableEgress=False), "Egress")
    allowed = {
        (answer["verdict"], answer["reason"])
        for answer in verdicts(closed, identity, connections)
        if answer["verdict"] != "DENIED"
    }
    assert {verdict for verdict, reason in allowed if reason not in PASSED_BY} <= {"IN_MESH"}


@given(cases)
@settings(max_examples=examples(50))
def test_law_enabling_egress_opens_what_was_disabled_and_nothing_else(case: Case) -> None:
    mesh, identity, connections = case
    off = verdicts(with_traffic(mesh, enableEgress=False), identity, connections)
    on = verdicts(with_traffic(mesh, enableEgress=True), identity, connections)
    for before, after in zip(off, on, strict=True):
        if before["reason"] == "egress_disabled":
            assert (after["verdict"], after["reason"]) == ("PASSTHROUGH", "egress_enabled")
        else:
            assert after == before


@given(cases, st.booleans())
@settings(max_examples=examples(50))
def test_law_in_mesh_whatever_the_policies(case: Case, enabled: bool) -> None:
    mesh, identity, connections = case
    other = without(with_traffic(mesh, enableEgress=enabled), "Egress", "EgressGateway")
    for before, after in zip(
        verdicts(mesh, identity, connections), verdicts(other, identity, connections), strict=True
    ):
        if before["verdict"] == "IN_MESH":
            assert after == before


@given(cases)
@settings(max_examples=examples(30))
def test_law_pickled_and_threaded_engines_decide_alike(case: Case) -> None:
    mesh, identity, connections = case
    engine = engine_of(mesh, identity)
    made = [fe.Connection.from_mapping(connection) for connection in connections]
    decisions = [whole(engine.classify(connection)) for connection in made]
    copy: Engine = pickle.loads(pickle.dumps(engine))  # noqa: S301  # because it was pickled a moment ago
    assert [whole(copy.classify(connection)) for connection in made] == decisions
    with ThreadPoolExecutor(4) as pool:
        assert list(map(whole, pool.map(engine.classify, made))) == decisions


def test_law_deterministic_in_any_process() -> None:
    case = DOCUMENTED[3]
    script = (
        "import json, sys, fsm_egress as fe\n"
        "case = json.load(sys.stdin)\n"
        "engine = fe.compile(fe.load(case['resources']), case['identity'])\n"
        "made = [fe.Connection.from_mapping(entry['connection']) for entry in case['connections']]\n"
        "print(json.dumps([engine.classify(one).to_mapping(one) for one in made]))\n"
    )
    answers = told_with_each_seed(script, json.dumps(case))
    assert len(answers) == 1


# --- one by one ------------------------------------------------------------------------------------------

MESH_CONFIG: dict[str, Any] = {
    "apiVersion": "config.flomesh.io/v1alpha3",
    "kind": "MeshConfig",
    "metadata": {"name": "fsm-mesh-config", "namespace": "fsm-system"},
    "spec": {"traffic": {"enableEgress": False}},
}


def egress(name: str, protocol: str, number: int = 443, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "policy.flomesh.io/v1alpha1",
        "kind": "Egress",
        "metadata": {"name": name, "namespace": "curl"},
        "spec": {
            "sources": [{"kind": "ServiceAccount", "name": "curl", "namespace": "curl"}],
            "ports": [{"number": number, "protocol": protocol}],
            **spec,
        },
    }


def decide(connection: fe.Connection, *policies: dict[str, Any], **traffic: Any) -> Decision:
    config = {**MESH_CONFIG, "spec": {"traffic": traffic}}
    return fe.compile(fe.load([config, *policies]), "curl.curl").classify(connection)


def test_a_decision_belongs_to_its_rule_and_is_made_once() -> None:
    engine = fe.compile(fe.load([MESH_CONFIG, egress("a", "tcp")]), "curl.curl")
    assert engine.classify(fe.tcp("1.2.3.4", 443)) is engine.classify(fe.tcp("5.6.7.8", 443))


def test_udp_passes_by_the_sidecar_wherever_it_goes() -> None:
    decision = decide(fe.udp("54.9.9.9", 443), egress("a", "https", hosts=["a.com"]))
    assert (decision.verdict, decision.reason) == (fe.Verdict.PASSTHROUGH, fe.Reason.NOT_INTERCEPTED)


def test_an_ipv4_mapped_address_is_its_ipv4_address() -> None:
    policy = egress("a", "tcp", ipAddresses=["54.0.0.0/8"])
    assert decide(fe.tcp("::ffff:54.9.9.9", 443), policy).allowed
    assert not decide(fe.tcp("::54.9.9.9", 443), policy).allowed


def test_exclusions_come_before_inclusions_and_addresses_before_ports() -> None:
    traffic = {
        "outboundIPRangeExclusionList": ["10.0.0.0/8", "10.1.0.0/16"],
        "outboundIPRangeInclusionList": ["10.0.0.0/8", "54.0.0.0/8"],
        "outboundPortExclusionList": [25],
    }
    paths = {
        address: str(rule.path) if (rule := decide(fe.tcp(address, port), **traffic).rule) else None
        for address, port in (("127.0.0.1", 25), ("10.1.2.3", 25), ("54.1.1.1", 25), ("9.9.9.9", 80))
    }
    assert paths == {
        "127.0.0.1": None,
        "10.1.2.3": "spec.traffic.outboundIPRangeExclusionList[0]",
        "54.1.1.1": "spec.traffic.outboundPortExclusionList[0]",
        "9.9.9.9": "spec.traffic.outboundIPRangeInclusionList[0]",
    }
    assert decide(fe.tcp("54.1.1.1", 80), **traffic).reason is fe.Reason.EGRESS_DISABLED


def test_a_server_name_in_any_letter_case_goes_to_its_own_host() -> None:
    policies = egress("a", "https", hosts=["a.com"]), egress("b", "https", hosts=["b.com"])
    decision = decide(fe.tls("54.9.9.9", 443, "B.com"), *policies)
    assert [(target.host, target.port) for target in decision.targets] == [("b.com", 443)]
    assert decision.rule is not None
    assert str(decision.rule) == "Egress curl/b spec.ports[0]"


def test_what_leaves_the_mesh_says_which_gateways_carry_it() -> None:
    listed = [{"service": name, "namespace": "fsm"} for name in ("gw", "empty")]
    mesh = small.load(
        small.config({"enableEgress": True}),
        random_meshes.egress_gateway("g", listed),
        small.service("gw", "tcp-p 1080", space="fsm", pods=["10.0.9.1", "10.0.9.2"]),
        small.service("empty", "tcp-p 1080", space="fsm", ip="10.96.0.2", pods=[]),
        small.egress("a", "tcp 443"),
    )
    engine = fe.compile(mesh, WHO)
    for port in (443, 444):
        (used,) = engine.classify(fe.tcp("54.9.9.9", port)).gateways
        assert (used.name, used.endpoints) == ("gw.fsm", ("10.0.9.1:1080", "10.0.9.2:1080"))
    assert engine.classify(fe.udp("54.9.9.9", 443)).gateways == ()


def test_all_claims_of_the_destination_are_considered() -> None:
    policies = egress("a", "https", hosts=["a.com"]), egress("b", "http", hosts=["b.com"])
    decision = decide(fe.http("54.9.9.9", 443, "GET", "c.com/"), *policies)
    assert (decision.reason, decision.status) == (fe.Reason.NO_HOST, 403)
    assert [rule.resource.name for rule in decision.considered] == ["a", "b"]
    assert str(decision.match) == "http port 443, any address"


def test_behind_a_route_that_takes_every_request_no_other_is_asked() -> None:
    named = {"apiGroup": ROUTES, "kind": "HTTPRouteGroup", "name": "r"}
    policy = egress("a", "http", hosts=["a.com"], matches=[named])
    group = small.routes("r", {"methods": ["*"], "pathRegex": ".*"}, {"methods": ["GET"], "pathRegex": ".*"})
    taken = {
        method: str(decide(fe.http("54.9.9.9", 443, method, "a.com/x"), policy, group).route)
        for method in ("GET", "PUT")
    }
    assert taken == {
        "GET": "HTTPRouteGroup curl/r spec.matches[1]",
        "PUT": "HTTPRouteGroup curl/r spec.matches[0]",
    }


def test_an_https_claim_without_hosts_takes_any_tls_and_nothing_else() -> None:
    policies = egress("a", "https", hosts=["a.com"]), egress("b", "https")
    assert decide(fe.tls("54.9.9.9", 443, "a.com"), *policies).reason is fe.Reason.TLS_ANY
    assert decide(fe.tls("54.9.9.9", 443), *policies).reason is fe.Reason.TLS_ANY
    assert decide(fe.tcp("54.9.9.9", 443), *policies).reason is fe.Reason.PROTOCOL_MISMATCH


MISSING = {"issuer": "other", "cert": {"secret": {"name": "gone", "namespace": "curl"}}}
UNCERTIFIED = [{"kind": "ServiceAccount", "name": "curl", "namespace": "curl", "mtls": MISSING}]


@pytest.mark.parametrize(
    ("protocol", "connection", "status"),
    [
        ("tcp", fe.tcp("54.9.9.9", 443), None),
        ("tcp", fe.http("54.9.9.9", 443, "GET", "a.com/"), None),
        ("https", fe.tls("54.9.9.9", 443, "a.com"), None),
        ("http", fe.http("54.9.9.9", 443, "GET", "a.com/"), 403),
    ],
)
def test_a_claim_without_its_certificate_allows_nothing(
    protocol: str, connection: fe.Connection, status: int | None
) -> None:
    policy = egress("a", protocol, hosts=["a.com"], sources=UNCERTIFIED)
    decision = decide(connection, policy, enableEgress=True)
    assert (decision.verdict, decision.reason, decision.status) == (
        fe.Verdict.DENIED,
        fe.Reason.NO_CERTIFICATE,
        status,
    )


def test_an_https_claim_without_its_certificate_and_without_hosts_refuses_all_tls() -> None:
    policy = egress("a", "https", sources=UNCERTIFIED)
    assert decide(fe.tls("54.9.9.9", 443, "x.org"), policy).reason is fe.Reason.NO_CERTIFICATE


@pytest.mark.parametrize(
    "table",
    [
        fe.Engine,
        IncompleteEngine,
        allowing.Allowed,
        allowing.Later,
        allowing.Requests,
        allowing.ServerNames,
        tables.HostTable,
        tables.ManyRoutes,
        tables.RouteTable,
    ],
)
def test_an_engine_and_its_tables_equal_nothing_but_themselves(table: type) -> None:
    """Comparing what they hold would cost as much as laying it out."""
    assert not {"__eq__", "__hash__"} & vars(table).keys()


def test_of_pods_that_are_not_intercepted_alike_three_are_named() -> None:
    apart = [pod(name, outbound_port_exclusion_list=str(number)) for number, name in enumerate("abcd", 80)]
    with pytest.raises(fe.InvalidValue) as refused:
        fe.Engine.compile(fe.resolve(fe.load([MESH_CONFIG, *apart]), "curl.curl"))
    (problem,) = refused.value.problems
    assert problem.expected.endswith("such as `pod/a.curl`, `pod/b.curl`, `pod/c.curl`")


def test_an_incomplete_mesh_is_compiled_for_those_alone_who_say_so() -> None:
    lost = fe.resolve(fe.load([MESH_CONFIG, egress("a", "tcp", number=0)], strict=False), "curl.curl")
    with pytest.raises(fe.IncompleteMesh):
        fe.Engine.compile(lost)
    engine = fe.Engine.compile(lost, incomplete=True)
    assert engine.classify(fe.tcp("1.2.3.4", 443)).without
    assert engine.recompiled(lost, lost).classify(fe.tcp("1.2.3.4", 443)).without
    before = fe.resolve(fe.load([MESH_CONFIG]), "curl.curl")
    with pytest.raises(fe.IncompleteMesh):
        fe.Engine.compile(before).recompiled(before, lost)
    assert (
        repr(engine)
        == f"IncompleteEngine(identity={engine.identity!r}, without={lost.lost!r}, conditions=())"
    )


def test_a_decision_carries_what_may_change_it_and_nothing_else() -> None:
    gateway = random_meshes.resource(
        random_meshes.FLOMESH, "EgressGateway", "curl", "g", spec={"global": 7}
    )  # it leads elsewhere
    mesh = fe.load([MESH_CONFIG, egress("a", "tcp"), gateway], strict=False)
    engine = fe.compile(mesh, "curl.curl", incomplete=True)
    allowed, denied = (engine.classify(fe.tcp("1.2.3.4", port)) for port in (443, 80))
    assert (allowed.allowed, denied.allowed) == (True, False)
    assert (allowed.without, denied.without) == (mesh.lost, ())


def test_the_repr_of_an_engine_is_short() -> None:
    engine = fe.compile(fe.load([MESH_CONFIG]), "curl.curl")
    assert repr(engine) == "Engine(identity=ServiceIdentity(name='curl', namespace='curl'))"


def test_an_unknown_host_takes_the_default_routes_and_no_refusal_of_theirs() -> None:
    group = {"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "none"}
    policies = (
        egress("a", "http", hosts=["a.com"], sources=UNCERTIFIED),
        egress("b", "http", hosts=["a.com"], matches=[group]),
    )
    config = {**MESH_CONFIG, "spec": {"featureFlags": {"enableAutoDefaultRoute": True}}}
    engine = fe.compile(fe.load([config, *policies]), "curl.curl")
    reasons = [
        engine.classify(fe.http("54.9.9.9", 443, "GET", f"{host}/")).reason for host in ("a.com", "x.com")
    ]
    assert reasons == [fe.Reason.NO_CERTIFICATE, fe.Reason.NO_ROUTE]


def test_an_unknown_host_is_served_as_the_first_that_is_allowed_by_name() -> None:
    policies = (
        egress("a", "http", hosts=["z.com", "b.com"]),
        egress("b", "http", hosts=["a.com"], sources=UNCERTIFIED),
    )
    config = {**MESH_CONFIG, "spec": {"featureFlags": {"enableAutoDefaultRoute": True}}}
    engine = fe.compile(fe.load([config, *policies]), "curl.curl")
    hosts = ("z.com", "b.com", "a.com", "x.com")
    decisions = [engine.classify(fe.http("54.9.9.9", 443, "GET", f"{host}/")) for host in hosts]
    served = [target.host for decision in decisions for target in decision.targets]
    assert served == ["z.com", "b.com", "b.com", "b.com"]


@pytest.mark.parametrize(
    "first", [egress("a", "tcp", sources=UNCERTIFIED), egress("a", "https", sources=UNCERTIFIED)]
)
def test_a_name_without_its_certificate_is_refused_by_what_refuses_all_names(first: dict[str, Any]) -> None:
    named = egress("b", "https", hosts=["b.com"], sources=UNCERTIFIED)
    rules = [decide(fe.tls("54.9.9.9", 443, name), first, named).rule for name in ("b.com", "c.com")]
    assert [rule and rule.resource.name for rule in rules] == ["a", "a"]


def test_a_stream_claim_without_its_certificate_refuses_what_no_route_allows() -> None:
    policies = egress("a", "tcp", sources=UNCERTIFIED), egress("b", "http", hosts=["b.com"])
    decisions = [decide(fe.http("54.9.9.9", 443, method, "b.com/"), *policies) for method in ("GET", "TRACE")]
    unknown = decide(fe.http("54.9.9.9", 443, "GET", "c.com/"), *policies)
    assert [decision.reason for decision in (*decisions, unknown)] == [
        fe.Reason.HTTP_ROUTE,
        fe.Reason.NO_CERTIFICATE,
        fe.Reason.NO_CERTIFICATE,
    ]
    assert [decision.status for decision in (*decisions, unknown)] == [None, 403, 403]


def web(*addresses: str, port: str = "http") -> list[dict[str, Any]]:
    """A service of the mesh with these pods; the name of its port says what it speaks."""
    metadata = {"name": "web", "namespace": "shop"}
    ports = [{"name": port, "port": 80}]
    subsets = [{"addresses": [{"ip": address} for address in addresses], "ports": ports}]
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"clusterIP": "10.96.0.1", "ports": ports},
        },
        {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets},
    ]


def test_an_in_mesh_service_is_routed_by_host_and_needs_endpoints() -> None:
    permissive = {**MESH_CONFIG, "spec": {"traffic": {"enablePermissiveTrafficPolicyMode": True}}}
    full = fe.compile(fe.load([permissive, *web("10.0.0.1", "10.0.0.2")]), "curl.curl")
    routed = full.classify(fe.http("10.96.0.1", 80, "GET", "web.shop/"))
    assert routed.verdict is fe.Verdict.IN_MESH
    assert [(target.host, target.weight) for target in routed.targets] == [
        ("10.0.0.1", 50),
        ("10.0.0.2", 50),
    ]
    assert full.classify(fe.http("10.96.0.1", 80, "GET", "other/")).status == 403
    assert full.classify(fe.tcp("10.96.0.1", 80)).reason is fe.Reason.PROTOCOL_MISMATCH
    empty = fe.compile(fe.load([permissive, *web()]), "curl.curl")
    refused = empty.classify(fe.http("10.96.0.1", 80, "GET", "web.shop/"))
    assert (refused.reason, refused.status) == (fe.Reason.NO_ENDPOINTS, 404)


def test_in_the_mesh_an_unknown_host_is_served_as_the_first_hostname() -> None:
    flags = {"enableAutoDefaultRoute": True}
    for is_on, served in ((True, ["10.0.0.2"]), (False, [])):
        mesh = small.load(
            small.config({"serviceAccessMode": "domain"}, featureFlags=flags if is_on else {}),
            small.service("zz", "http 80"),
            small.service("aaa", "http 80", ip="10.96.0.2", pods=["10.0.0.2"]),
        )
        decision = fe.compile(mesh, WHO).classify(fe.http("10.96.0.1", 80, "GET", "http://x.org/"))
        assert [target.host for target in decision.targets] == served


def test_an_in_mesh_stream_takes_anything() -> None:
    permissive = {**MESH_CONFIG, "spec": {"traffic": {"enablePermissiveTrafficPolicyMode": True}}}
    engine = fe.compile(fe.load([permissive, *web("10.0.0.1", port="tcp-db")]), "curl.curl")
    for connection in (fe.tcp("10.96.0.1", 80), fe.tls("10.0.0.1", 80), fe.http("10.0.0.1", 80, "GET", "x/")):
        assert engine.classify(connection).reason is fe.Reason.TCP_SERVICE


def test_a_stream_claim_without_its_certificate_refuses_tls_of_no_listed_name() -> None:
    policies = egress("a", "tcp", sources=UNCERTIFIED), egress("b", "https", hosts=["b.com"])
    names = ("b.com", "c.com")
    reasons = [decide(fe.tls("54.9.9.9", 443, name), *policies).reason for name in names]
    assert reasons == [fe.Reason.TLS_SERVER_NAME, fe.Reason.NO_CERTIFICATE]


def test_a_path_is_searched_byte_by_byte_whatever_its_letters() -> None:
    reference = {"apiGroup": ROUTES, "kind": "HTTPRouteGroup", "name": "r"}
    group = small.routes("r", {"pathRegex": "/[^a-z]{2}x"})
    engine = fe.compile(
        small.load(small.egress("e", "http 80", hosts=["a.com"], matches=[reference]), group), WHO
    )
    requests = [fe.HTTPRequest("GET", "a.com", path) for path in ("/éx", "/ééx", "/12x", "/1x")]
    decisions = [engine.classify(fe.Connection("54.9.9.9", 80, request)) for request in requests]
    assert [decision.allowed for decision in decisions] == [True, False, True, False]


def test_a_route_asks_for_the_headers_that_it_names_and_for_the_host_by_its_name() -> None:
    reference = {"apiGroup": small.ROUTES, "kind": "HTTPRouteGroup", "name": "g"}
    headers = [{"x-env": "^prod$"}, {"host": "^a.com$"}]
    mesh = small.load(
        small.egress("e", "http 80", hosts=["a.com"], matches=[reference]),
        small.routes("g", {"headers": headers}),
    )
    asked = [
        ("a.com", {"x-env": "prod"}),
        ("a.com", {"x-env": "a.com"}),
        ("a.com", {}),
        ("a.com:80", {"x-env": "prod"}),
    ]
    requests = [fe.HTTPRequest("GET", host, "/", sent) for host, sent in asked]
    decisions = [
        fe.compile(mesh, WHO).classify(fe.Connection("54.9.9.9", 80, request)).allowed for request in requests
    ]
    assert decisions == [True, False, False, False]


# --- pods ------------------------------------------------------------------------------------------------

STAGE_0 = {fe.Reason.NOT_INTERCEPTED, fe.Reason.NO_SIDECAR}


@given(cases)
@settings(max_examples=examples(50))
def test_law_a_pod_s_decision_is_its_account_s_where_all_pods_are_alike(case: Case) -> None:
    mesh, who, connections = case
    kind, slash, rest = who.partition("/")
    name, _, space = rest.rpartition(".")
    kinds = {"pod": "Pod", "deployment": "Deployment"}
    for one in mesh if slash else []:
        if (one["kind"], *random_meshes.place(one)) == (kinds[kind], space, name):
            twin = {**one, "metadata": {**one["metadata"], "name": "twin"}}
            snapshot = fe.load(random_meshes.without_sources(mesh), one, twin)
            account = account_of(fe.resolve(snapshot, who).identity)
            pods = [fe.compile(snapshot, it) for it in (who, f"{kind}/twin.{space}")]
            own = fe.resolve(snapshot, who).interception.own
            for connection in map(fe.Connection.from_mapping, connections):
                if not any(connection.destination in prefix for prefix in own):
                    found = [engine.classify(connection) for engine in (fe.compile(snapshot, account), *pods)]
                    assert len({(it.verdict, it.reason, it.targets) for it in found}) == 1


@given(cases)
@settings(max_examples=examples(50))
def test_law_stage_0_changes_nothing_but_verdicts_to_and_from_not_intercepted(case: Case) -> None:
    mesh, who, connections = case
    snapshot = fe.load(mesh)
    policy = fe.resolve(snapshot, who)
    seen = fe.Engine.compile(evolve(policy, interception=Interception()))
    engine = fe.Engine.compile(policy)
    for connection in map(fe.Connection.from_mapping, connections):
        decisions = engine.classify(connection), seen.classify(connection)
        assert len(set(map(whole, decisions))) == 1 or {it.reason for it in decisions} & STAGE_0
    # What is divided and what is explained holds to it, too.
    portions = fe.partition(snapshot, who).portions
    for portion in portions:
        is_first = fe.explain(snapshot, who, portion.witness).stages[-1].name is fe.StageName.INTERCEPTION
        assert is_first is (portion.decision.reason in STAGE_0)
        unseen = whole(seen.classify(portion.witness))
        assert portion.decision.reason in STAGE_0 or whole(portion.decision) == unseen


@given(cases)
@settings(max_examples=examples(20))
def test_law_what_the_sidecar_never_sees_is_no_difference_from_it(case: Case) -> None:
    mesh, who, _ = case
    snapshot = fe.load(mesh)
    own = [(it.first, it.last) for it in fe.resolve(snapshot, who).interception.own]
    for it in fe.verify(snapshot, who).disagreements:
        assert can_be_dialled(it.connection.key, own)
        assert it.decision.reason is not fe.Reason.NO_SIDECAR


@pytest.mark.parametrize("enabled", [False, True])
def test_what_many_policies_open_everywhere_holds_within_the_range_of_one(enabled: bool) -> None:
    """A range within what more policies cover than are laid out at once is decided as any other."""
    mesh = [
        small.config({"enableEgress": enabled}),
        *(small.egress(f"tls-{index:02}", "https 443", hosts=[f"h{index}.com"]) for index in range(20)),
        *(small.egress(f"web-{index:02}", "http 443", hosts=[f"h{index}.com"]) for index in range(20)),
        small.egress("range", "https 443", hosts=["inside.com"], ipAddresses=["54.9.0.0/16"]),
        small.egress("other", "http 443", hosts=["inside.com"], ipAddresses=["54.8.0.0/16"]),
    ]
    names = ("h7.com", "inside.com", "elsewhere.com")
    requests = [{"method": "GET", "host": name, "path": "/", "headers": {}} for name in names]
    sendings: list[dict[str, Any]] = [
        *({"sends": sends} for sends in ("bytes", "nothing", "tls")),
        *({"sends": "tls", "sni": name} for name in names),
        *({"sends": "http", "request": request} for request in requests),
    ]
    addresses = ("54.9.0.1", "54.8.0.1", "54.7.0.1")
    connections = [{"destination": it, "port": 443, **sent} for it in addresses for sent in sendings]
    engine = engine_of(mesh, "curl.curl")
    expected = [reference.decide(mesh, "curl.curl", connection) for connection in connections]
    pickled = pickle.loads(pickle.dumps(engine))  # noqa: S301  # because it is ours
    again = pickle.loads(pickle.dumps(pickled))  # noqa: S301  # ditto
    for asked in (engine, pickled, again):
        assert [decided(asked, connection) for connection in connections] == expected
    assert len({str(entry["rule"]) for entry in expected}) > 3
