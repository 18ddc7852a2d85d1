"""Services of other clusters: what ServiceImports and GlobalTrafficPolicies come to."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, Any

import pytest
from random_meshes import account, resource
from small import WHO, config, egress, found, load, service

import fsm_egress as fe
from fsm_egress.connections.findings import Code, Finding
from fsm_egress.resolution.imports import imports_of
from fsm_egress.resolution.inmesh import resolve_in_mesh
from fsm_egress.resolution.services import reached_services

if TYPE_CHECKING:
    from collections.abc import Iterable

    from small import Entry

Document = dict[str, Any]

GROUP = "multicluster.flomesh.io/v1alpha1"
LOCAL, AWAY, FARTHER = "10.96.0.1", "10.20.0.1", "10.20.0.2"
POD = "10.0.0.1"


def end(ip: str = AWAY, port: int = 8080, key: str = "a", path: str = "/web") -> Document:
    return {"clusterKey": key, "target": {"host": "h", "ip": ip, "port": port, "path": path}}


def imported(*ends: Document, port: int = 80, protocol: str = "http", **spec: Any) -> Document:
    ports = [{"name": "p", "port": port, "protocol": "TCP", "appProtocol": protocol, "endpoints": ends}]
    spec = {"type": "ClusterSetIP", "serviceAccountName": "*", "ports": ports, **spec}
    return resource(GROUP, "ServiceImport", "shop", "web", spec=spec)


def port_of(number: int, protocol: str, *ends: Document) -> Document:
    return {"name": f"p{number}", "port": number, "protocol": protocol, "endpoints": ends}


def policy(kind: str = "ActiveActive", **weights: int | None) -> Document:
    targets = [
        {"clusterKey": key, **({} if weight is None else {"weight": weight})}
        for key, weight in weights.items()
    ]
    return resource(GROUP, "GlobalTrafficPolicy", "shop", "web", spec={"lbType": kind, "targets": targets})


def controller(*args: str) -> Document:
    spec = {"containers": [{"name": "fsm-controller", "args": list(args)}]}
    template = {"spec": spec}
    return resource("apps/v1", "Deployment", "fsm-system", "fsm-controller", spec={"template": template})


def targets(connection: fe.Connection, *entries: Entry) -> list[tuple[str, int]]:
    """Where a connection goes, by address and share; empty where it is denied."""
    decision = fe.compile(load(*entries), WHO).classify(connection)
    common = gcd(*(target.weight for target in decision.targets)) or 1
    return [(target.address(connection), target.weight // common) for target in decision.targets]


def web(ip: str = LOCAL) -> fe.Connection:
    return fe.http(ip, 80, "GET", "http://web.shop/")


TCP = fe.tcp(LOCAL, 80)
OURS = service("web", "http 80 8080")
STREAM = service("web", "tcp-p 80 8080")


# --- whether they count -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "counts"),
    [
        (("--enable-multi-clusters=true",), True),
        (("--enable-multi-clusters", "--mesh-name=fsm"), True),
        (("--enable-multi-clusters=1",), True),
        (("--enable-multi-clusters=false",), False),
    ],
)
def test_they_count_where_the_controller_looks_at_them(told: tuple[str, ...], *, counts: bool) -> None:
    mesh = load(OURS, imported(end()), policy(), controller(*told))
    decision = fe.compile(mesh, WHO).classify(web(AWAY))
    assert (decision.verdict is fe.Verdict.IN_MESH) is counts
    assert not decision.conditions


def test_where_nobody_says_they_are_taken_to_count_and_the_answer_says_so() -> None:
    decision = fe.compile(load(OURS, imported(end()), policy()), WHO).classify(web(AWAY))
    assert decision.verdict is fe.Verdict.IN_MESH
    (condition,) = decision.conditions
    assert str(condition.rule) == "GlobalTrafficPolicy shop/web spec.lbType"
    assert "`--enable-multi-clusters`" in condition.message


@pytest.mark.parametrize(
    ("ports", "is_said"),
    [([()], False), ([(end(),)], True), ([(), (end(),)], True), ([(end(),), ()], True)],
)
def test_it_is_said_where_a_port_has_an_end(ports: list[tuple[Document, ...]], *, is_said: bool) -> None:
    listed = [port_of(number, "TCP", *ends) for number, ends in enumerate(ports, 80)]
    decision = fe.compile(load(OURS, imported(ports=listed), policy()), WHO).classify(web())
    assert bool(decision.conditions) is is_said


@pytest.mark.parametrize("entries", [[imported(end())], [policy()], [imported(end()), policy("Locality")]])
def test_both_documents_are_needed_and_not_locality(entries: list[Document]) -> None:
    assert targets(web(), OURS, entries) == [(f"{POD}:80", 1)]
    assert targets(web(AWAY), OURS, entries) == []


# --- weights ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "shares"),
    [
        (policy(), [(f"{POD}:80", 1), (f"{AWAY}:8080", 1), (f"{FARTHER}:8080", 1)]),
        (policy(a=50, b=None), [(f"{POD}:80", 2), (f"{AWAY}:8080", 1), (f"{FARTHER}:8080", 2)]),
        (policy(a=50, c=10), [(f"{POD}:80", 2), (f"{AWAY}:8080", 1)]),
        (policy("FailOver"), [(f"{POD}:80", 1)]),
        (policy("FailOver", b=1), [(f"{POD}:80", 1)]),
    ],
    ids=["all alike", "by their weights", "those that are named", "spare", "spare of those that are named"],
)
def test_shares_of_clusters(given: Document, shares: list[tuple[str, int]]) -> None:
    ends = end(), end(FARTHER, key="b")
    assert targets(web(), OURS, imported(*ends), given) == shares


def test_without_a_local_endpoint_the_spare_ones_take_over() -> None:
    assert targets(web(AWAY), imported(end()), policy("FailOver")) == [(f"{AWAY}:8080", 1)]


def test_a_stream_knows_no_endpoint_without_weight() -> None:
    """With `FailOver` the cluster has no weight either, as FSM writes it: then there is no way."""
    spare = imported(end(), protocol="tcp"), policy("FailOver")
    assert targets(TCP, STREAM, spare[0], policy()) == [(f"{POD}:80", 1), (f"{AWAY}:8080", 1)]
    assert targets(TCP, STREAM, *spare) == []
    other_port = imported(end(), protocol="tcp", port=81)
    ends = [(f"{POD}:80", 1), (f"{POD}:81", 1), (f"{AWAY}:8080", 1)]
    assert targets(TCP, STREAM, other_port, policy("FailOver")) == ends


def test_another_target_port_is_a_cluster_beside() -> None:
    mesh = load(OURS, imported(end(port=9090)), policy(a=50))
    tree = fe.pipy_config(mesh, WHO).to_mapping()["Outbound"]
    (match,) = tree["TrafficMatches"]["80"]
    (route,) = match["HttpServiceRouteRules"]["web.shop"]["RouteRules"]
    assert route["TargetClusters"] == {"shop/web|8080": 100, "shop/web|9090": 50}
    assert tree["ClustersConfigs"]["shop/web|9090"]["Endpoints"] == {
        f"{AWAY}:9090": {"Weight": 50, "Key": "a", "Path": "/web"}
    }
    assert f"{AWAY}/32" in match["DestinationIPRanges"]


def test_a_cluster_without_a_key_counts_as_this_one() -> None:
    nameless = imported(end(key="", path=""))
    assert targets(web(AWAY), nameless, policy("FailOver")) == [(f"{AWAY}:80", 1)]


# --- where they are looked for ----------------------------------------------------------------------------


def test_the_service_need_take_no_part_itself() -> None:
    without_endpoints, _ = OURS
    assert targets(web(), without_endpoints, imported(end()), policy()) == [(f"{AWAY}:8080", 1)]
    headless = service("web", "http 80 8080", ip="None", pods=[{"ip": POD}])
    shares = [(f"{POD}:80", 1), (f"{AWAY}:8080", 1)]
    assert targets(web(POD), headless, imported(end()), policy()) == shares
    excluded, endpoints = service("web", "http 80 8080")
    excluded["metadata"]["annotations"] = {"flomesh.io/service-exclusion": "true"}
    assert targets(web(), excluded, endpoints, imported(end()), policy()) == shares
    assert targets(web(AWAY), endpoints, imported(end()), policy()) == shares


def test_named_pods_of_a_headless_service_are_not_shared() -> None:
    pods = [{"ip": POD, "hostname": "h0"}]
    headless = service("web", "http 80 8080", ip="None", pods=pods)
    named = fe.http(POD, 80, "GET", "http://h0.web.shop/")
    assert targets(named, headless, imported(end()), policy()) == [(f"{POD}:80", 1)]


def test_the_names_hold_at_the_imported_address_too() -> None:
    by_address = fe.http(AWAY, 80, "GET", f"http://{AWAY}/")
    assert targets(by_address, OURS, imported(end()), policy())
    domain = config({"serviceAccessMode": "domain"})
    assert targets(by_address, domain, OURS, imported(end()), policy()) == []
    assert targets(web(AWAY), domain, OURS, imported(end()), policy())


def test_the_second_port_of_an_import_leads_nowhere() -> None:
    two = imported(
        end(),
        ports=[
            {"name": "p", "port": number, "endpoints": [end(port=port)]}
            for number, port in ((80, 8080), (81, 9090))
        ],
    )
    second = fe.http(AWAY, 81, "GET", "http://web.shop/")
    assert targets(web(AWAY), two, policy())
    decision = fe.compile(load(two, policy()), WHO).classify(second)
    assert (decision.reason, decision.status) == (fe.Reason.NO_ENDPOINTS, 404)


@pytest.mark.parametrize(
    "port",
    [
        {"name": "p", "port": 80, "protocol": "UDP", "endpoints": [end()]},
        {"name": "p", "port": 80, "appProtocol": "redis", "endpoints": [end()]},
        {"name": "p", "port": 80, "endpoints": []},
    ],
)
def test_ports_that_take_no_part(port: Document) -> None:
    assert targets(web(AWAY), imported(ports=[port]), policy()) == []


def test_isolated_addresses_are_none_of_a_service() -> None:
    closed = {
        "apiVersion": "policy.flomesh.io/v1alpha1",
        "kind": "Isolation",
        "metadata": {"name": "i"},
        "spec": {"cidrs": [f"{AWAY}/32"]},
    }
    assert targets(web(), OURS, imported(end()), policy(), closed) == [(f"{POD}:80", 1)]
    assert targets(web(AWAY), OURS, imported(end()), policy(), closed) == []


# --- what may be reached ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("runs_as", "kind", "is_shown", "shares"),
    [
        ("*", "ServiceAccount", True, [(f"{AWAY}:8080", 1)]),
        ("web", "ServiceAccount", True, [(f"{AWAY}:8080", 1)]),
        ("other", "ServiceAccount", False, []),
        ("web", "Group", True, []),
    ],
)
def test_in_smi_mode_the_account_counts(
    runs_as: str, kind: str, *, is_shown: bool, shares: list[tuple[str, int]]
) -> None:
    spec = {
        "destination": {"kind": "ServiceAccount", "name": "web", "namespace": "shop"},
        "sources": [{**account(WHO), "kind": kind}],
        "rules": [{"kind": "TCPRoute", "name": "t"}],
    }
    target = resource("access.smi-spec.io/v1alpha3", "TrafficTarget", "shop", "t", spec=spec)
    strict = config({"enablePermissiveTrafficPolicyMode": False})
    entries = strict, target, imported(end(), serviceAccountName=runs_as), policy()
    assert targets(web(AWAY), *entries) == shares
    shown = list(reached_services(load(*entries), fe.ServiceIdentity.parse(WHO), []))
    assert bool(shown) is is_shown


@pytest.mark.parametrize(
    ("kind", "weights", "keys", "share"),
    [
        ("ActiveActive", {}, "a", 100),
        ("ActiveActive", {"a": 7}, "a", 7),
        ("ActiveActive", {"a": None}, "a", 100),
        ("ActiveActive", {"b": 7}, "a", 100),
        ("ActiveActive", {"a": 7, "b": 9}, "ab", 9),
        ("ActiveActive", {"": 7}, ("",), 100),
        ("FailOver", {}, "a", 0),
        ("FailOver", {"a": 7}, "a", 0),
        ("FailOver", {}, ("",), 100),
    ],
)
def test_the_share_of_other_clusters_is_that_of_the_last_end(
    kind: str, weights: dict[str, int | None], keys: Iterable[str], share: int
) -> None:
    mesh = load(imported(*(end(key=key) for key in keys)), policy(kind, **weights))
    shared = imports_of(mesh)["shop", "web"]
    assert [shared.share(port) for port in shared.service.spec.ports] == [share]


@pytest.mark.parametrize(
    ("kind", "weights", "ports"),
    [
        ("ActiveActive", {}, (8081, 9080, 9090)),
        ("ActiveActive", {"a": 1}, (8081, 9080, 9090)),
        ("ActiveActive", {"": 1, "a": 1}, (8081,)),
        ("FailOver", {}, (8081, 9080, 9090)),
        ("FailOver", {"b": 1}, (9080,)),
    ],
)
def test_a_split_knows_weights_of_no_cluster_that_has_a_name(
    kind: str, weights: dict[str, int | None], ports: tuple[int, ...]
) -> None:
    ends = end(port=9090), end(port=9080, key="b"), end(port=8081, key="")
    shared = imports_of(load(imported(*ends), policy(kind, **weights)))["shop", "web"]
    assert (shared.backends(80), shared.backends(81)) == (ports, ())


def test_a_service_is_addressed_elsewhere_where_its_target_port_is() -> None:
    mesh = load(OURS, imported(end(FARTHER, port=9090), end(AWAY), end("10.20.0.3")), policy())
    ours, *_ = reached_services(mesh, fe.ServiceIdentity.parse(WHO), [])
    assert list(map(str, ours.addresses)) == [LOCAL, POD, AWAY]


def test_where_this_cluster_is_named_by_none_the_others_are_spare() -> None:
    """An end without a key counts as one of this cluster: the others are there for when it fails."""
    ends = end(AWAY, key=""), end(FARTHER, key="a")
    assert targets(web(), OURS, imported(*ends), policy("FailOver")) == [(f"{POD}:80", 1), (f"{AWAY}:80", 1)]
    elsewhere = service("web", "http 80 8080", pods=[])
    assert targets(web(AWAY), elsewhere, imported(*ends), policy("FailOver")) == [(f"{AWAY}:80", 1)]


def test_a_pod_elsewhere_that_is_known_has_its_whole_share() -> None:
    known = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "shop"},
        "status": {"podIPs": [{"ip": AWAY}]},
    }
    assert targets(web(AWAY), imported(end()), policy(), known) == [(f"{AWAY}:8080", 1)]


def test_an_import_without_ends_changes_nothing() -> None:
    assert targets(web(), OURS, imported(), policy()) == [(f"{POD}:80", 1)]


@pytest.mark.parametrize(("ip", "cluster_ip"), [(LOCAL, LOCAL), ("None", None)])
def test_what_other_clusters_have_of_a_service_has_its_address(ip: str, cluster_ip: str | None) -> None:
    """Also of one that has no endpoints here, and so takes no part by itself."""
    here, _ = service("web", "http 80 8080", ip=ip)
    found = list(reached_services(load(here, imported(end()), policy()), fe.ServiceIdentity.parse(WHO), []))
    assert [it.cluster_ip and str(it.cluster_ip) for it in found] == [cluster_ip]


def test_a_service_answers_to_the_addresses_of_all_that_has_its_name() -> None:
    """Here gRPC elsewhere and HTTP in this cluster, which have their routes together."""
    mesh = load(OURS, imported(end(port=9090), protocol="grpc"), policy())
    (match,) = resolve_in_mesh(mesh, fe.ServiceIdentity.parse(WHO)).matches[80]
    (host,) = match.virtual_hosts
    assert {LOCAL, POD, AWAY} <= set(host.hostnames)
    assert list(host.hostnames) == sorted(host.hostnames)


@pytest.mark.parametrize(
    ("space", "others", "is_shown"),
    [
        ("shop", [], True),
        ("data", [], False),
        ("shop", [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}], False),
    ],
)
def test_in_smi_mode_targets_count_of_the_own_namespace_where_that_is_watched(
    space: str, others: list[Document], *, is_shown: bool
) -> None:
    spec = {
        "destination": {"kind": "ServiceAccount", "name": "web", "namespace": space},
        "sources": [account(WHO)],
        "rules": [{"kind": "TCPRoute", "name": "t"}],
    }
    target = resource("access.smi-spec.io/v1alpha3", "TrafficTarget", space, "t", spec=spec)
    strict = config({"enablePermissiveTrafficPolicyMode": False})
    mesh = load(strict, target, imported(end(), serviceAccountName="web"), policy(), *others)
    assert bool(list(reached_services(mesh, fe.ServiceIdentity.parse(WHO), []))) is is_shown


def test_an_endpoint_here_is_outside_that_no_pod_has() -> None:
    known = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "shop"},
        "status": {"podIPs": [{"ip": POD}]},
    }
    here = service("web", "http 80 8080", pods=[POD, "10.0.0.2"])
    mesh = load(here, imported(end()), policy(), known)
    found = list(reached_services(mesh, fe.ServiceIdentity.parse(WHO), []))
    assert [list(map(str, it.outside)) for it in found] == [["10.0.0.2"]] * 2


def test_ports_elsewhere_take_part_that_are_of_tcp_and_have_ends() -> None:
    ports = [port_of(53, "UDP"), port_of(54, "UDP", end(port=1), end(port=2)), port_of(80, "TCP", end())]
    findings: list[Finding] = []
    mesh = load(imported(ports=ports), policy())
    found = list(reached_services(mesh, fe.ServiceIdentity.parse(WHO), findings))
    assert [(it.port, it.target_port) for it in found] == [(80, 8080)]
    assert [(it.code, str(it.rule)) for it in findings] == [
        (Code.NOT_TCP, "ServiceImport shop/web spec.ports[1]")
    ]


# --- TrafficSplits ----------------------------------------------------------------------------------------


def split(*backends: tuple[str, int], apex: str = "api") -> Document:
    listed = [{"service": name, "weight": weight} for name, weight in backends]
    return resource(
        "split.smi-spec.io/v1alpha4", "TrafficSplit", "shop", "s", spec={"service": apex, "backends": listed}
    )


@pytest.mark.parametrize(
    ("kind", "clusters"),
    [
        ("ActiveActive", {"shop/web|8080": 33, "shop/web|9090": 33, "shop/web|9091": 34}),
        ("FailOver", {"shop/web|8080": 100, "shop/web|9090": 0, "shop/web|9091": 0}),
        ("Locality", {"shop/web|8080": 100}),
    ],
)
def test_the_weight_of_a_backend_is_divided(kind: str, clusters: dict[str, int]) -> None:
    api = service("api", "http 80 8080", ip="10.96.0.9", pods=["10.0.0.9"])
    ends = imported(end(port=9091), end(port=9090), end(port=8080))
    mesh = load(api, OURS, ends, policy(kind), split(("web", 100)))
    for tree in (fe.pipy_config(mesh, WHO), fe.stock_config(mesh, WHO)):
        (match,) = tree.to_mapping()["Outbound"]["TrafficMatches"]["80"]
        (route,) = match["HttpServiceRouteRules"]["api.shop"]["RouteRules"]
        assert route["TargetClusters"] == clusters


def test_spare_clusters_that_are_named_alone_are_split_to() -> None:
    api = service("api", "http 80 8080", ip="10.96.0.9", pods=["10.0.0.9"])
    ends = imported(end(port=9090), end(port=9091, key="b"))
    mesh = load(api, ends, policy("FailOver", b=1), split(("web", 100)))
    (match,) = fe.pipy_config(mesh, WHO).to_mapping()["Outbound"]["TrafficMatches"]["80"]
    (route,) = match["HttpServiceRouteRules"]["api.shop"]["RouteRules"]
    assert route["TargetClusters"] == {"shop/web|9091": 100}


# --- what the sidecar does --------------------------------------------------------------------------------


def test_a_request_below_an_imported_path_goes_in_the_clear_and_by_the_gateways() -> None:
    gateway = service("out", "tcp-p 1080", space="fsm", ip="10.96.9.9", pods=["10.0.9.1"])
    named = resource(
        "policy.flomesh.io/v1alpha1",
        "EgressGateway",
        "fsm",
        "g",
        spec={"global": [{"service": "out", "namespace": "fsm"}]},
    )
    mesh = load(OURS, imported(end()), policy(), gateway, named, egress("a", "http 81", hosts=["a.com"]))
    sides = fe.verify(mesh, WHO).sides
    assert sides.compare(web()) is None
    outcome = sides.outcome(web())
    (away,) = outcome.others
    ways = [(it.mtls, [used.name for used in it.gateways], len(it.targets)) for it in (outcome, away)]
    assert sorted(ways) == [(False, ["out.fsm"], 1), (True, [], 1)]


def test_they_are_found_to_lead_out_of_the_cluster() -> None:
    mesh = load(OURS, imported(end()), policy())
    assert fe.compile(mesh, WHO).classify(web()).leads_outside
    assert not fe.compile(load(OURS), WHO).classify(web()).leads_outside
    assert "FSE090" in [it.code.code for it in fe.lint(mesh, identities=[WHO], sidecar=False)]
    assert ("FSE131", "GlobalTrafficPolicy shop/web spec.lbType") in found(fe.resolve(mesh, WHO))
