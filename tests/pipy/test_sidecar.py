"""The model of the stock sidecar does what the real one was seen to do, and says where it cannot tell."""

from __future__ import annotations

import json
import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observed import explains
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.connections.decision import UsedGateway
from fsm_egress.pipy import sidecar
from fsm_egress.pipy.config import write_config
from fsm_egress.pipy.outcome import Fate, Outcome
from fsm_egress.pipy.sidecar import Sidecar

VECTORS = Path(__file__).parents[1] / "vectors"
FILES = ("sidecar-crafted.json", "sidecar-random.json", "sidecar-observed.json")
CHAINS = {
    "outbound-tcp": [f"modules/outbound-tcp-{name}.js" for name in ("routing", "load-balancing", "default")],
    "outbound-http": [
        f"modules/outbound-http-{name}.js" for name in ("routing", "load-balancing", "default")
    ],
}
EVERYTHING = {"Path": ".*", "Type": "Regex", "TargetClusters": {"a": 100}}


def read_vectors(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((VECTORS / name).read_text())
    return read


OBSERVED = [pytest.param(case, id=case["name"]) for name in FILES for case in read_vectors(name)["cases"]]


@pytest.mark.parametrize("case", OBSERVED)
def test_the_model_does_what_the_sidecar_was_seen_to_do(case: dict[str, Any]) -> None:
    sidecar = Sidecar.read(case["config"])
    for probe in case["probes"]:
        connection = fe.Connection.from_mapping(probe["connection"])
        outcome = sidecar.handle(connection)
        assert explains(outcome, connection, probe["observed"], case["dns"]), outcome


@pytest.mark.parametrize("case", OBSERVED[:12])
def test_a_pickled_one_does_the_same_though_the_first_has_worked_things_out(case: dict[str, Any]) -> None:
    sidecar = Sidecar.read(case["config"])
    asked = [fe.Connection.from_mapping(probe["connection"]) for probe in case["probes"]]
    outcomes = list(map(sidecar.handle, asked))
    copy: Sidecar = pickle.loads(pickle.dumps(sidecar))  # noqa: S301  # because it was pickled a moment ago
    assert list(map(copy.handle, asked)) == outcomes == list(map(sidecar.handle, asked))
    assert len(pickle.dumps(copy)) == len(pickle.dumps(Sidecar.read(case["config"])))


def test_every_observation_is_there() -> None:
    counts = [sum(len(case["probes"]) for case in read["cases"]) for read in map(read_vectors, FILES)]
    assert counts == [214, 1600, 152]


# --- small configs ---------------------------------------------------------------------------------------


def config(*matches: dict[str, Any], enable_egress: bool = False, **more: Any) -> dict[str, Any]:
    """A config whose matches all stand on port 80."""
    return {
        "Spec": {"Traffic": {"EnableEgress": enable_egress}},
        "Outbound": {"TrafficMatches": {"80": list(matches)}, "ClustersConfigs": more.pop("clusters", {})},
        "Chains": CHAINS,
        **more,
    }


def stream(**rules: Any) -> dict[str, Any]:
    return {"DestinationIPRanges": None, "Port": 80, "Protocol": "tcp", "TcpServiceRouteRules": rules}


def web(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "DestinationIPRanges": None,
        "Port": 80,
        "Protocol": "http",
        "HttpHostPort2Service": {"a.com": {"RuleName": "a.com"}},
        "HttpServiceRouteRules": {"a.com": {"RouteRules": list(rules)}},
        **more,
    }


def cluster(**weights: int) -> dict[str, Any]:
    """Endpoints by name: `one=50` is `one.org:80` with the weight 50."""
    return {"Endpoints": {f"{name}.org:80": {"Weight": weight} for name, weight in weights.items()}}


def request(**fields: Any) -> fe.Connection:
    return fe.Connection("54.9.9.9", 80, fe.HTTPRequest(**{"host": "a.com", **fields}))


def handled(tree: dict[str, Any], connection: fe.Connection | None = None) -> Outcome:
    return Sidecar.read(tree).handle(connection or fe.tcp("54.9.9.9", 80))


def shown(outcome: Outcome) -> str:
    return str(outcome)


def test_weights_multiply_over_clusters_and_endpoints() -> None:
    clusters = {"x": cluster(one=100), "y": cluster(two=1, three=3)}
    both = {"x": 50, "y": 50}
    balanced = "dialled to one.org:80 (100), three.org:80 (75), two.org:80 (25)"
    assert shown(handled(config(stream(TargetClusters=both), clusters=clusters))) == balanced
    route = {**EVERYTHING, "TargetClusters": both}
    assert shown(handled(config(web(route), clusters=clusters), request())) == balanced


@pytest.mark.parametrize(
    ("entry", "host"),
    [
        ({"RuleName": "a.com", "Service": "web.shop"}, "web.shop"),
        ({"RuleName": "a.com", "Service": ""}, "a.com"),
        ({"RuleName": "a.com"}, "a.com"),
        ({"RuleName": "", "Service": "web.shop"}, "web.shop"),
        ({"RuleName": ""}, "b.com"),
    ],
)
def test_by_default_a_rule_sees_the_host_that_it_is_of(entry: dict[str, str], host: str) -> None:
    rules = [
        {**EVERYTHING, "Headers": {"host": f"^{name}$"}, "TargetClusters": {name: 1}}
        for name in ("web.shop", "a.com", "b.com")
    ]
    tree = config(
        web(
            HttpHostPort2Service={"a.com": entry},
            HttpServiceRouteRules={entry["RuleName"]: {"RouteRules": rules}},
        ),
        clusters={name: cluster(**{name.partition(".")[0]: 1}) for name in ("web.shop", "a.com", "b.com")},
    )
    tree["Spec"]["FeatureFlags"] = {"EnableAutoDefaultRoute": True}
    label = host.partition(".")[0]
    assert shown(handled(tree, request(host="b.com"))) == f"dialled to {label}.org:80"


@pytest.mark.parametrize(
    ("first", "ends"),
    [
        ({}, "dialled to the original destination (1), two.org:80 (1)"),
        ({"x": {"Endpoints": {}}}, "dialled to the original destination (1), two.org:80 (1)"),
        (
            {"x": {**cluster(one=1), "SourceCert": {"FsmIssued": True}}},
            "dialled to two.org:80; else closed",
        ),
    ],
)
def test_a_cluster_that_leads_nowhere_keeps_no_other_from_its_share(first: dict[str, Any], ends: str) -> None:
    both = stream(TargetClusters={"x": 1, "y": 1})
    tree = config(both, clusters={**first, "y": cluster(two=1)}, enable_egress=True)
    assert shown(handled(tree)) == ends


def test_a_share_may_end_otherwise() -> None:
    clusters = {"x": cluster(one=100)}
    route = {**EVERYTHING, "TargetClusters": {"x": 25, "gone": 75}}
    outcome = handled(config(web(route), clusters=clusters), request())
    assert outcome.share == Fraction(1, 4)
    assert [(other.fate, other.status, other.share) for other in outcome.others] == [
        (Fate.ANSWERED, 404, Fraction(3, 4))
    ]
    assert shown(outcome) == "dialled to one.org:80; else answered HTTP 404"
    assert outcome.to_mapping(request()) == {
        "outcome": "dialled",
        "targets": [{"address": "one.org:80", "weight": 25}],
        "status": None,
        "mtls": False,
        "gateway": None,
        "share": 0.25,
        "others": [
            {
                "outcome": "answered",
                "targets": [],
                "status": 404,
                "mtls": False,
                "gateway": None,
                "share": 0.75,
            }
        ],
    }


def test_a_fate_is_its_word() -> None:
    assert f"{Fate.DIALLED}" == "dialled"


def test_udp_passes_by() -> None:
    assert shown(handled({}, fe.udp("54.9.9.9", 80))) == "dialled to the original destination"


def test_the_original_destination_is_a_target_of_its_own() -> None:
    (target,) = handled(config(enable_egress=True)).targets
    assert target.original
    assert target.weight == 100


def test_a_gateway_with_its_endpoints() -> None:
    forward = {
        "ForwardMatches": {"*": {"gw.fsm": 100}},
        "EgressGateways": {"gw.fsm": {"Endpoints": {"10.0.9.9:1080": {"Weight": 100}}, "Mode": "sock5"}},
    }
    outcome = handled(config(enable_egress=True, Forward=forward))
    assert outcome.gateways == (UsedGateway("gw.fsm", 100, "sock5", ("10.0.9.9:1080",)),)
    assert shown(outcome) == "dialled to the original destination via gw.fsm"


def test_mutual_tls_is_said() -> None:
    own = {"CertChain": "(PEM)", "PrivateKey": "(PEM)"}
    here = {**stream(TargetClusters={"x": 100}), "DestinationIPRanges": {"0.0.0.0/0": None}}
    outcome = handled(config(here, clusters={"x": cluster(one=100)}, Certificate=own))
    assert shown(outcome) == "dialled to one.org:80 with mTLS"


@pytest.mark.parametrize(
    ("leads", "dialled"),
    [
        ({}, "dialled to one.org:80 with mTLS"),
        ({"ViaGateway": "10.0.9.9:8080"}, "dialled to 10.0.9.9:8080"),
        ({"Path": "/there"}, "dialled to one.org:80"),
        ({"ViaGateway": "10.0.9.9:8080", "Path": "/there"}, "dialled to 10.0.9.9:8080"),
    ],
)
def test_requests_to_other_clusters_go_in_the_clear(leads: dict[str, str], dialled: str) -> None:
    own = {"CertChain": "(PEM)", "PrivateKey": "(PEM)"}
    there = {"Endpoints": {"one.org:80": {"Weight": 100, **leads}}}
    route = {**EVERYTHING, "TargetClusters": {"x": 100}}
    match = web(route, DestinationIPRanges={"0.0.0.0/0": None})
    outcome = handled(config(match, clusters={"x": there}, Certificate=own), request())
    assert shown(outcome) == dialled


@pytest.mark.parametrize(
    ("modules", "cause"),
    [
        (
            ["plugins/mine.js", *CHAINS["outbound-tcp"]],
            "`plugins/mine.js` is no module that this model knows",
        ),
        (CHAINS["outbound-tcp"][::-1], "FSM's modules are not in FSM's order"),
        (CHAINS["outbound-tcp"][:1], "FSM's modules are not in FSM's order"),
        (
            [*CHAINS["outbound-tcp"], "modules/outbound-metrics-http.js"],
            "`modules/outbound-metrics-http.js` is no module that this model knows",
        ),
    ],
)
def test_a_chain_of_somebody_else_is_named_and_not_guessed(modules: list[str], cause: str) -> None:
    outcome = handled(config(stream(AllowedEgressTraffic=True), Chains={"outbound-tcp": modules}))
    assert shown(outcome) == f"unknown (Chains.outbound-tcp: {cause})"
    assert outcome.to_mapping(fe.tcp("54.9.9.9", 80))["cause"] == f"Chains.outbound-tcp: {cause}"


def test_a_pattern_that_cannot_be_rendered_is_named_and_not_guessed() -> None:
    route = {**EVERYTHING, "Path": "(" * 101 + "/" + ")" * 101}
    outcome = handled(config(web(route)), request())
    assert outcome.fate is Fate.UNKNOWN
    assert "more than 100 groups and repetitions stand inside each other" in outcome.cause


def test_a_pattern_beyond_ascii_is_read_byte_by_byte() -> None:
    sidecar = Sidecar.read(config(web({**EVERYTHING, "Path": "^/é+$"}), clusters={"a": cluster(a=100)}))
    assert sidecar.handle(request(path="/é\u00a9")).fate is Fate.ANSWERED
    assert sidecar.handle(request(path="/é")).fate is Fate.DIALLED


@pytest.mark.parametrize(
    ("rule", "path", "fate"),
    [
        ({"Type": "Exact", "Path": "/a.b"}, "/a.b", Fate.DIALLED),
        ({"Type": "Exact", "Path": "/a.b"}, "/axb", Fate.ANSWERED),
        ({"Type": "Exact", "Path": "/a.b"}, "/a.b?x", Fate.ANSWERED),
        ({"Type": "Prefix", "Path": "/a("}, "/a(b", Fate.DIALLED),
        ({"Type": "Prefix", "Path": "/a("}, "/b/a(", Fate.ANSWERED),
        ({"Type": "Regex", "Path": "/a$"}, "/x/a", Fate.DIALLED),
        ({"Type": "Glob", "Path": "/a"}, "/b", Fate.CLOSED),
        ({"Type": None, "Path": "/a"}, "/b", Fate.CLOSED),
        ({"Type": "Regex", "Path": "/("}, "/b", Fate.CLOSED),
    ],
)
def test_the_types_of_paths(rule: dict[str, Any], path: str, fate: Fate) -> None:
    tree = config(web({**EVERYTHING, **rule}), clusters={"a": cluster(a=100)})
    assert handled(tree, request(path=path)).fate is fate


@pytest.mark.parametrize(
    ("headers", "fate"),
    [
        ({"x-env": "^prod"}, Fate.DIALLED),
        ({"x-env": "dev"}, Fate.ANSWERED),
        ({"X-Env": "^prod"}, Fate.ANSWERED),
        ({"X-Env": "^$"}, Fate.DIALLED),
        ({"x-gone": "^$"}, Fate.DIALLED),
        ({"host": "^a"}, Fate.DIALLED),
    ],
)
def test_headers_are_looked_up_as_they_are_written(headers: dict[str, str], fate: Fate) -> None:
    tree = config(web({**EVERYTHING, "Headers": headers}), clusters={"a": cluster(a=100)})
    assert handled(tree, request(headers={"X-Env": "production"})).fate is fate


def test_a_config_of_ours_is_read_as_it_is_and_from_its_bytes() -> None:
    policy = fe.resolve(fe.load([]), "curl.curl")
    written = write_config(policy)
    for form in (written, written.to_json(), written.to_gzip(), written.to_mapping()):
        assert Sidecar.read(form).handle(fe.tcp("54.9.9.9", 80)).fate is Fate.REFUSED


def test_bytes_that_are_no_config_are_refused() -> None:
    with pytest.raises(fe.InvalidValue, match="expected the JSON of a config"):
        Sidecar.read(b"{")


# --- several requests, and HTTP/2 ------------------------------------------------------------------------


def test_an_unknown_method_closes_http_1_1_and_is_answered_with_403_by_http_2() -> None:
    sidecar = Sidecar.read(config(web(EVERYTHING), clusters={"a": cluster(one=100)}))
    purge, get = (request(method=method) for method in ("PURGE", "GET"))
    assert sidecar.handle(purge).fate is Fate.CLOSED
    assert (sidecar.handle(purge, http2=True).fate, sidecar.handle(purge, http2=True).status) == (
        Fate.ANSWERED,
        403,
    )
    assert [it.fate for it in sidecar.handle_requests([get, purge, get])] == [
        Fate.DIALLED,
        Fate.CLOSED,
        Fate.CLOSED,
    ]
    assert [it.fate for it in sidecar.handle_requests([get, purge, get], http2=True)] == [
        Fate.DIALLED,
        Fate.ANSWERED,
        Fate.DIALLED,
    ]
    assert sidecar.handle_requests([]) == ()


# --- many rules ------------------------------------------------------------------------------------------

PATHS = ["^/a", "/b$", "a.*b", "ab", "/ab", "[ab]c", "a|c", "/", "/b[a-c]+", "é", ".*"]


def rules() -> st.SearchStrategy[dict[str, Any]]:
    """What a rule asks for; one of an unknown type breaks the connection."""
    headers = st.dictionaries(
        st.sampled_from(["x", "X", "host"]), st.sampled_from([*PATHS, "^a.c"]), max_size=2
    )
    return st.fixed_dictionaries(
        {
            "Path": st.sampled_from(PATHS),
            "Type": st.sampled_from(["Regex"] * 6 + ["Exact"] * 3 + ["Prefix"] * 3 + ["Other"]),
            "TargetClusters": st.sampled_from("abc").map(lambda name: {name: 1}),
        },
        optional={"Methods": st.sampled_from([["GET"], ["PUT"], ["*"]]), "Headers": headers},
    )


REQUESTS = st.builds(
    request,
    method=st.sampled_from(["GET", "PUT"]),
    path=st.text(alphabet="abcé/", max_size=4).map("/{}".format),
    headers=st.dictionaries(st.just("x"), st.sampled_from(["a", "ab", "/", "é"])),
)


@given(st.lists(rules(), min_size=16, max_size=24), st.lists(REQUESTS, min_size=8, max_size=8))
@settings(max_examples=examples(60))
def test_law_many_rules_do_as_they_do_one_by_one(asked: list[dict[str, Any]], sent: list[Any]) -> None:
    clusters = {name: cluster(**{name: 1}) for name in "abc"}
    model = Sidecar.read(config(web(*asked), clusters=clusters))
    with patch.object(sidecar, "MANY", 1_000):
        expected = list(map(model.handle, sent))
    assert list(map(model.handle, sent)) == expected


def test_of_many_rules_one_may_ask_for_the_host() -> None:
    rules = [{**EVERYTHING, "Headers": {"host": f"^h{number}"}} for number in range(20)]
    own = {**EVERYTHING, "Headers": {"host": "^a.com$"}, "TargetClusters": {"b": 1}}
    tree = config(web(*rules, own), clusters={"a": cluster(one=1), "b": cluster(two=1)})
    assert shown(handled(tree, request())) == "dialled to two.org:80"
