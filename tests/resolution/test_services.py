"""Which services count, as what, and which of them an identity reaches."""

from __future__ import annotations

from typing import Any

import pytest

import fsm_egress as fe
from fsm_egress.connections.findings import Code, Finding
from fsm_egress.resolution.mesh_service import MeshService, hostnames_of
from fsm_egress.resolution.services import left_out, port_target, reached_services, target_port

CURL = fe.ServiceIdentity("curl", "curl")


def mesh_config(*, permissive: bool = True, **traffic: Any) -> dict[str, Any]:
    return {
        "apiVersion": "config.flomesh.io/v1alpha3",
        "kind": "MeshConfig",
        "metadata": {"name": "fsm-mesh-config", "namespace": "fsm-system"},
        "spec": {"traffic": {"enablePermissiveTrafficPolicyMode": permissive, **traffic}},
    }


def service(port: dict[str, Any] | None = None, cluster_ip: str = "10.96.0.1") -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, **(port or {})}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"clusterIP": cluster_ip, "selector": {"app": "web"}, "ports": ports},
    }


def endpoints(*addresses: str | dict[str, Any], name: str = "http", port: int = 8080) -> dict[str, Any]:
    entries = [{"ip": entry} if isinstance(entry, str) else entry for entry in addresses]
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "web", "namespace": "shop"},
        "subsets": [{"addresses": entries, "ports": [{"name": name, "port": port}]}],
    }


def pod(ip: str, account: str = "web", **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"pod-{ip.replace('.', '-')}", "namespace": "shop", "labels": labels},
        "spec": {"serviceAccountName": account},
        "status": {"podIPs": [{"ip": ip}]},
    }


def target(**changes: Any) -> dict[str, Any]:
    spec = {
        "destination": {"kind": "ServiceAccount", "name": "web", "namespace": "shop"},
        "sources": [{"kind": "ServiceAccount", "name": "curl", "namespace": "curl"}],
        "rules": [{"kind": "TCPRoute", "name": "any"}],
    }
    return {
        "apiVersion": "access.smi-spec.io/v1alpha3",
        "kind": "TrafficTarget",
        "metadata": {"name": "to-web", "namespace": "shop"},
        "spec": {**spec, **changes},
    }


def reached(*documents: dict[str, Any]) -> tuple[list[MeshService], list[Finding]]:
    findings: list[Finding] = []
    return list(reached_services(fe.load(documents), CURL, findings)), findings


@pytest.mark.parametrize(
    ("port", "protocol"),
    [
        ({"name": "http"}, "http"),
        ({"name": "tcp"}, "http"),
        ({"name": "tcp-db"}, "tcp"),
        ({"name": "tcp-server-first-db"}, "tcp-server-first"),
        ({"name": "grpc-api"}, "grpc"),
        ({"name": "https-web"}, "http"),
        ({"name": "tcp-db", "appProtocol": "GRPC"}, "grpc"),
        ({"name": "x", "appProtocol": "https"}, "https"),
    ],
)
def test_a_protocol_is_the_app_protocol_else_the_prefix_of_the_name(
    port: dict[str, Any], protocol: str
) -> None:
    found, findings = reached(mesh_config(), service(port), endpoints("10.0.0.1", name=port["name"]))
    assert [one.protocol.value for one in found] == [protocol]
    assert findings == []


@pytest.mark.parametrize(
    ("protocol", "is_http", "is_routed"),
    [
        ("http", True, True),
        ("grpc", True, True),
        ("https", False, True),
        ("tcp", False, False),
        ("tcp-server-first", False, False),
    ],
)
def test_streams_have_no_routes_and_requests_are_those_of_http_and_grpc(
    protocol: str, *, is_http: bool, is_routed: bool
) -> None:
    ((one,), _) = reached(mesh_config(), service({"appProtocol": protocol}), endpoints("10.0.0.1"))
    assert (one.is_http, one.is_routed) == (is_http, is_routed)


@pytest.mark.parametrize(
    ("port", "code"),
    [({"protocol": "UDP"}, Code.NOT_TCP), ({"appProtocol": "redis"}, Code.UNKNOWN_APP_PROTOCOL)],
)
def test_what_the_sidecar_cannot_proxy_is_left_out_and_reported(port: dict[str, Any], code: Code) -> None:
    found, findings = reached(mesh_config(), service(port), endpoints("10.0.0.1"))
    assert found == []
    assert [finding.code for finding in findings] == [code]


def test_a_port_behind_one_that_takes_no_part_counts_as_ever() -> None:
    two = service({"name": "dns", "port": 53, "protocol": "UDP"})
    two["spec"]["ports"].append({"name": "http", "port": 80})
    assert [one.port for one in reached(mesh_config(), two, endpoints("10.0.0.1"))[0]] == [80]


def test_a_port_without_endpoints_port_of_its_name_takes_no_part() -> None:
    two = endpoints("10.0.0.1", name="other")
    two["subsets"][0]["ports"].append({"name": "more", "port": 81})
    assert reached(mesh_config(), service(), two)[0] == []
    assert reached(mesh_config(), service())[0] == []


def test_a_port_without_target_counts_where_that_is_asked_for() -> None:
    """As before FSM 1.5: with the target port 0, and with all addresses that the service has."""

    def targets(*documents: dict[str, Any], untargeted: bool) -> list[tuple[int, list[str]]]:
        found = reached_services(fe.load(mesh_config(), *documents), CURL, [], untargeted=untargeted)
        return [(one.target_port, list(map(str, one.endpoints))) for one in found]

    two = endpoints("10.0.0.1", name="other")
    two["subsets"][0]["ports"].append({"name": "more", "port": 81})
    assert targets(service(), untargeted=True) == [(0, [])]
    assert targets(service(), two, untargeted=True) == [(0, ["10.0.0.1"])]
    assert targets(service(), endpoints("10.0.0.1"), untargeted=True) == [(8080, ["10.0.0.1"])]
    assert targets(service(), two, untargeted=False) == []


@pytest.mark.parametrize(("mode", "addresses"), [("mixed", 3), ("ip", 3), ("domain", 1)])
def test_the_access_mode_says_whether_pods_are_addressed(mode: str, addresses: int) -> None:
    documents = mesh_config(serviceAccessMode=mode), service(), endpoints("10.0.0.1", "10.0.0.2")
    ((found,), _) = reached(*documents)
    assert len(found.addresses) == addresses
    assert list(map(str, found.endpoints)) == ["10.0.0.1", "10.0.0.2"]
    assert (found.cluster, found.full_name) == ("shop/web|8080", "web.shop")


def test_a_headless_service_counts_once_or_once_for_each_hostname() -> None:
    headless = service(cluster_ip="None")
    found, _ = reached(mesh_config(), headless, endpoints("10.0.0.1", "10.0.0.2"))
    assert [(one.name, len(one.addresses)) for one in found] == [("web", 2)]
    named = [{"ip": "10.0.0.1", "hostname": "web-0"}, {"ip": "10.0.0.2", "hostname": "web-1"}]
    found, _ = reached(mesh_config(), headless, endpoints(*named))
    assert [(one.name, one.cluster) for one in found] == [
        ("web-0.web", "shop/web-0.web|8080"),
        ("web-1.web", "shop/web-1.web|8080"),
    ]


def test_a_pod_with_a_hostname_counts_at_every_port_also_where_it_is_not_ready() -> None:
    """FSM lists the hostnames of all subsets (`controller-3.json`, pods of one subset are ready)."""
    listed = endpoints({"ip": "10.0.0.1", "hostname": "web-0"})
    ports = listed["subsets"][0]["ports"]
    listed["subsets"] = [
        {"addresses": [], "ports": ports},
        {**listed["subsets"][0], "ports": [{**ports[0], "port": 9}]},
    ]
    found, findings = reached(mesh_config(), service(cluster_ip="None"), listed)
    assert [(one.name, one.addresses, one.endpoints) for one in found] == [("web-0.web", (), ())]
    assert [(finding.code, finding.message) for finding in findings] == [
        (
            Code.HEADLESS_WITHOUT_ADDRESSES,
            "a headless service without ready addresses takes no part: web-0.web",
        )
    ]


def test_of_several_pods_with_hostnames_those_that_are_not_ready_are_reported() -> None:
    listed = endpoints({"ip": "10.0.0.1", "hostname": "web-1"})
    away = {"addresses": [{"ip": "10.0.0.2", "hostname": "web-0"}], "ports": [{"name": "http", "port": 9}]}
    listed["subsets"].append(away)
    found, findings = reached(mesh_config(), service(cluster_ip="None"), listed)
    assert [(one.name, len(one.addresses)) for one in found] == [("web-0.web", 0), ("web-1.web", 1)]
    assert [finding.message.rpartition(": ")[2] for finding in findings] == ["web-0.web"]


def test_a_headless_service_without_ready_addresses_has_none_and_is_reported() -> None:
    found, findings = reached(mesh_config(), service(cluster_ip="None"), endpoints())
    assert [(one.name, one.addresses, one.endpoints) for one in found] == [("web", (), ())]
    assert [finding.code for finding in findings] == [Code.HEADLESS_WITHOUT_ADDRESSES]


def test_without_permissive_mode_a_traffic_target_opens_the_pods_of_its_destination() -> None:
    documents = (
        mesh_config(permissive=False),
        service(),
        endpoints("10.0.0.1", "10.0.0.2", "10.0.0.3"),
        pod("10.0.0.1", app="web"),
        pod("10.0.0.2", account="other", app="web"),
        pod("10.0.0.3", app="else"),
    )
    assert reached(*documents)[0] == []
    ((found,), findings) = reached(*documents, target())
    assert list(map(str, found.endpoints)) == ["10.0.0.1", "10.0.0.3"]
    assert findings == []


ACCOUNT, GROUP = ({"kind": kind, "name": "web", "namespace": "shop"} for kind in ("ServiceAccount", "Group"))
ME, US = ({"kind": kind, "name": "curl", "namespace": "curl"} for kind in ("ServiceAccount", "Group"))


@pytest.mark.parametrize(
    ("destination", "sources", "endpoint"),
    [
        (ACCOUNT, [ME], ["10.0.0.1"]),
        (ACCOUNT, [US, ME], ["10.0.0.1"]),
        (GROUP, [ME], []),
        (ACCOUNT, [US], []),
    ],
)
def test_a_target_that_is_not_from_account_to_account_shows_services_without_endpoints(
    destination: dict[str, str], sources: list[dict[str, str]], endpoint: list[str]
) -> None:
    documents = mesh_config(permissive=False), service(), endpoints("10.0.0.1"), pod("10.0.0.1", app="web")
    ((found,), findings) = reached(*documents, target(destination=destination, sources=sources))
    assert list(map(str, found.endpoints)) == endpoint
    odd = [it["kind"] for it in (destination, *sources) if it["kind"] != "ServiceAccount"]
    assert [finding.code for finding in findings] == [Code.IGNORED_TRAFFIC_TARGET] * len(odd)


@pytest.mark.parametrize(
    ("labels", "is_reached"), [({"app": "web", "tier": "x"}, True), ({"app": "web"}, False), ({}, False)]
)
def test_a_service_is_shown_where_a_pod_has_all_labels_of_its_selector(
    labels: dict[str, str], *, is_reached: bool
) -> None:
    both = service()
    both["spec"]["selector"] = {"app": "web", "tier": "x"}
    documents = mesh_config(permissive=False), both, endpoints("10.0.0.1"), pod("10.0.0.1", **labels)
    assert bool(reached(*documents, target())[0]) is is_reached


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"rules": []}, "it has no rules"),
        ({"rules": [{"kind": "UDPRoute", "name": "x"}]}, "a rule of it is neither"),
        (
            {"destination": {"kind": "ServiceAccount", "name": "web", "namespace": "data"}},
            "in namespace `data`",
        ),
    ],
)
def test_a_traffic_target_that_allows_nothing_is_reported(changes: dict[str, Any], why: str) -> None:
    found, findings = reached(mesh_config(permissive=False), target(**changes))
    assert found == []
    assert [finding.code for finding in findings] == [Code.IGNORED_TRAFFIC_TARGET]
    assert why in findings[0].message


@pytest.mark.parametrize(("text", "is_out"), [("true", True), ("Yes", True), ("ENABLED", True), ("1", False)])
def test_a_service_may_be_taken_out_of_the_mesh(text: str, *, is_out: bool) -> None:
    out = service()
    out["metadata"]["annotations"] = {"flomesh.io/service-exclusion": text}
    assert (reached(mesh_config(), out, endpoints("10.0.0.1"))[0] == []) is is_out
    mesh = fe.load([mesh_config(), out])
    (made,) = mesh.kind(fe.Service)
    assert ("service-exclusion` takes it out" in left_out(mesh, made)) is is_out


def test_what_comes_behind_a_service_that_is_left_out_counts_as_ever() -> None:
    out = service()
    out["metadata"] = {
        **out["metadata"],
        "name": "api",
        "annotations": {"flomesh.io/service-exclusion": "true"},
    }
    assert [one.name for one in reached(mesh_config(), out, service(), endpoints("10.0.0.1"))[0]] == ["web"]


def test_a_namespace_may_take_services_out_of_the_mesh() -> None:
    space = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": "shop",
            "labels": {"flomesh.io/monitored-by": "fsm"},
            "annotations": {"flomesh.io/service-exclusion-list": "api , WEB"},
        },
    }
    documents = mesh_config(), space, endpoints("10.0.0.1")
    assert reached(*documents, service())[0] == []
    kept = service()
    kept["metadata"]["annotations"] = {"flomesh.io/service-exclusion": "no"}
    assert len(reached(*documents, kept)[0]) == 1


def test_a_service_for_health_checks_of_a_cloud_takes_no_part_where_all_may_be_reached() -> None:
    check = service()
    check["metadata"]["annotations"] = {"flomesh.io/cloud-health-check-service": "true"}
    documents = check, endpoints("10.0.0.1"), pod("10.0.0.1", app="web"), target()
    assert reached(mesh_config(), *documents)[0] == []
    assert len(reached(mesh_config(permissive=False), *documents)[0]) == 1


@pytest.mark.parametrize(
    ("pods", "outside"),
    [
        ([], []),
        ([{**pod("10.0.0.1"), "status": {}}], []),
        ([pod("10.0.0.1")], ["10.0.0.2"]),
        ([{**pod("10.0.0.1"), "metadata": {"name": "p", "namespace": "data"}}], []),
    ],
)
def test_an_endpoint_is_outside_that_no_pod_has_where_pods_are_known(
    pods: list[dict[str, Any]], outside: list[str]
) -> None:
    ((one,), _) = reached(mesh_config(), service(), endpoints("10.0.0.1", "10.0.0.2"), *pods)
    assert list(map(str, one.outside)) == outside


@pytest.mark.parametrize(
    ("selector", "reference", "is_outside"),
    [
        ({"app": "web"}, None, False),
        ({"app": "web"}, {"kind": "Node", "name": "n"}, False),
        ({}, {"kind": "Pod", "name": "p"}, False),
        ({}, {"kind": "Node", "name": "n"}, True),
        ({}, None, True),
    ],
)
def test_where_no_pods_are_known_those_of_a_selector_and_those_that_name_one_are_believed(
    selector: dict[str, str], reference: dict[str, str] | None, *, is_outside: bool
) -> None:
    own = service()
    own["spec"]["selector"] = selector
    entry: dict[str, Any] = {"ip": "10.0.0.1", **({"targetRef": reference} if reference else {})}
    ((one,), _) = reached(mesh_config(), own, endpoints(entry))
    assert bool(one.outside) is is_outside


def isolation(*cidrs: str) -> dict[str, Any]:
    return {
        "apiVersion": "policy.flomesh.io/v1alpha1",
        "kind": "Isolation",
        "metadata": {"name": "all"},
        "spec": {"cidrs": list(cidrs)},
    }


def test_isolated_addresses_are_no_addresses_of_services() -> None:
    documents = mesh_config(), service(), endpoints("10.0.0.1", "10.0.0.2")
    ((found,), findings) = reached(*documents, isolation("10.9.9.9/32", "10.0.0.1/32"))
    assert list(map(str, found.addresses)) == ["10.96.0.1", "10.0.0.2"]
    assert list(map(str, found.endpoints)) == ["10.0.0.2"]
    assert findings == []


def test_a_service_whose_addresses_are_all_isolated_is_reported() -> None:
    for documents in (
        (service(), endpoints("10.0.0.1")),
        (service(), endpoints()),
        (service(cluster_ip="None"), endpoints("10.0.0.1")),
    ):
        ((found,), findings) = reached(mesh_config(), *documents, isolation("10.0.0.0/8"))
        assert (found.addresses, found.endpoints) == ((), ())
        assert [finding.code for finding in findings] == [Code.ISOLATED_SERVICE]


WILDCARD = {"enable": True, "wildcard": {"enable": True, "ips": [{"ipv4": "203.0.113.77"}]}}


def with_wildcard() -> dict[str, Any]:
    config = mesh_config()
    config["spec"]["sidecar"] = {"localDNSProxy": WILDCARD}
    return config


def test_the_addresses_of_the_dns_wildcard_are_every_services() -> None:
    ((found,), findings) = reached(with_wildcard(), service(), endpoints("10.0.0.1"))
    assert list(map(str, found.reached_at)) == ["10.96.0.1", "10.0.0.1", "203.0.113.77"]
    assert "203.0.113.77" not in map(str, found.addresses)
    assert findings == []


@pytest.mark.parametrize(
    "documents",
    [
        (service(cluster_ip="None"), endpoints()),
        (service(), endpoints("10.0.0.1"), isolation("10.0.0.0/8")),
    ],
)
def test_what_has_no_other_address_takes_part_there(documents: tuple[dict[str, Any], ...]) -> None:
    ((found,), findings) = reached(with_wildcard(), *documents)
    assert list(map(str, found.reached_at)) == ["203.0.113.77"]
    assert findings == []


def machine(ip: str, account: str = "web", **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "machine.flomesh.io/v1alpha1",
        "kind": "VirtualMachine",
        "metadata": {"name": "vm", "namespace": "shop", "labels": labels},
        "spec": {"serviceAccountName": account, "machineIP": ip},
    }


def test_machines_are_behind_services_as_pods_are() -> None:
    documents = mesh_config(permissive=False), service(), endpoints("10.0.0.1", "10.0.0.2"), target()
    ((found,), _) = reached(*documents, machine("10.0.0.2", app="web"))
    assert list(map(str, found.endpoints)) == ["10.0.0.2"]
    assert reached(*documents, machine("10.0.0.2", app="other"))[0] == []
    assert reached(*documents, machine("10.0.0.2", "other", app="web"))[0] == []


def test_the_address_of_a_machine_is_no_way_out_of_the_mesh() -> None:
    bare = service()
    del bare["spec"]["selector"]
    ((found,), _) = reached(mesh_config(), bare, endpoints("10.0.0.1", "10.0.0.2"), machine("10.0.0.2"))
    assert list(map(str, found.outside)) == ["10.0.0.1"]


def test_only_monitored_namespaces_count() -> None:
    elsewhere = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    documents = mesh_config(), service(), endpoints("10.0.0.1")
    assert reached(*documents, elsewhere)[0] == []
    assert reached(mesh_config(permissive=False), target(rules=[]), elsewhere) == ([], [])
    labels = {"flomesh.io/monitored-by": "fsm"}
    watched = {**elsewhere, "metadata": {"name": "shop", "labels": labels}}
    assert len(reached(*documents, watched)[0]) == 1


def names(**traffic: Any) -> set[str]:
    mesh = fe.load([mesh_config(**traffic), service(), endpoints("10.0.0.1")])
    (found,) = reached_services(mesh, CURL, [])
    return set(hostnames_of(mesh, CURL, found))


def test_hostnames_end_with_the_trust_domain_that_the_controller_is_told() -> None:
    containers = [{"name": "fsm-controller", "args": ["--trust-domain", "corp.example"]}]
    controller = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "fsm-controller", "namespace": "fsm-system"},
        "spec": {"template": {"spec": {"containers": containers}}},
    }
    mesh = fe.load([mesh_config(serviceAccessMode="domain"), service(), endpoints("10.0.0.1"), controller])
    (found,) = reached_services(mesh, CURL, [])
    full = ["web.shop", "web.shop.svc", "web.shop.svc.corp", "web.shop.svc.corp.example"]
    assert list(hostnames_of(mesh, CURL, found)) == [*full, *(f"{host}:80" for host in full)]


def test_hostnames_follow_the_access_mode_and_the_access_names() -> None:
    full = {"web.shop", "web.shop.svc", "web.shop.svc.cluster", "web.shop.svc.cluster.local"}
    addresses = {"10.96.0.1", "10.0.0.1"}

    def with_port(hosts: set[str]) -> set[str]:
        return {f"{host}:80" for host in hosts}

    assert names() == full | addresses | with_port(full | addresses)
    assert names(serviceAccessMode="domain") == full | with_port(full)
    assert names(serviceAccessMode="ip") == addresses | with_port(addresses)
    short = {"mustWithServicePort": True, "withTrustDomain": False, "mustWithNamespace": False}
    domain = names(serviceAccessMode="domain", serviceAccessNames=short)
    assert domain == {"web:80", "web.shop:80"}


def test_the_short_name_is_for_the_own_namespace() -> None:
    mesh = fe.load([mesh_config(), service(), endpoints("10.0.0.1")])
    (found,) = reached_services(mesh, CURL, [])
    assert {"web", "web:80"} <= set(hostnames_of(mesh, fe.ServiceIdentity("curl", "shop"), found))


def test_endpoints_are_those_of_the_subsets_with_the_target_port() -> None:
    split = endpoints("10.0.0.1")
    split["subsets"].append({"addresses": [{"ip": "10.0.0.2"}], "ports": [{"name": "admin", "port": 9000}]})
    ((found,), _) = reached(mesh_config(), service(), split)
    assert list(map(str, found.endpoints)) == ["10.0.0.1"]
    assert list(map(str, found.addresses)) == ["10.96.0.1", "10.0.0.1", "10.0.0.2"]
    assert found.is_http


@pytest.mark.parametrize(
    ("ports", "name", "of_a_service", "of_a_backend"),
    [
        ({"a": 1, "b": 2}, "b", 2, 2),
        ({"a": 1, "b": 2}, "a", 1, 1),
        ({"a": 1, "b": 2}, "c", None, None),
        ({"a": 1, "b": 2}, "", 1, None),
        ({"a": 1}, "c", 1, None),
        ({}, "a", None, None),
    ],
)
def test_a_port_of_endpoints_is_found_by_its_name(
    ports: dict[str, int], name: str, of_a_service: int | None, of_a_backend: int | None
) -> None:
    listed = [{"name": one, "port": number} for one, number in ports.items()]
    written = {**endpoints(), "subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": listed}]}
    (made,) = fe.load([written]).kind(fe.Endpoints)
    assert (port_target(made, name), target_port(made, name)) == (of_a_service, of_a_backend)
    assert port_target(None, name) is target_port(None, name) is None
