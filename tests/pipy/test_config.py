"""The config: what the controller computes key for key, and bytes that depend on the meaning alone."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import random_meshes
from attrs import evolve, frozen
from controller_cases import BY_NAME, CASES, EQUAL, GONE, RANGES, Path_, replaced
from hypothesis import given, settings
from hypothesis import strategies as st
from random_meshes import mesh_config, resource
from small import WHO, config, egress, load, routes, service
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.pipy import config as config_module
from fsm_egress.pipy.enforcement import enforced_tree, write_enforced_config
from fsm_egress.pipy.parts import canonical
from fsm_egress.values.frozen import thaw

Mesh = list[dict[str, Any]]


def outcome(mesh: fe.Snapshot, identity: str) -> dict[str, Any]:
    """What the controller's vectors hold of a config: a part that is not written is null there."""
    written = fe.pipy_config(mesh, identity).to_mapping()
    return {part: written.get(part) for part in ("Spec", "Outbound", "Forward")}


def written(*entries: Any, identity: str = WHO) -> dict[str, Any]:
    return fe.pipy_config(load(*entries), identity).to_mapping()


# --- the controller's outcomes ---------------------------------------------------------------------------


def test_there_are_160_outcomes_to_equal_and_19_to_differ_from() -> None:
    assert (len(EQUAL), len(CASES) - len(EQUAL)) == (160, 19)


@pytest.mark.parametrize("case", EQUAL, ids=lambda case: case["name"])
def test_what_the_controller_computes_is_written_key_for_key(case: dict[str, Any]) -> None:
    assert outcome(fe.load(case["resources"]), case["identity"]) == case["config"]


@frozen
class Deviation:
    """What is written instead, by its place in the controller's outcome, and the findings that tell of it."""

    instead: dict[Path_, Any]
    findings: tuple[str, ...] = ()


TCP_25: Path_ = ("Outbound", "TrafficMatches", "25")
HTTP_80: Path_ = ("Outbound", "TrafficMatches", "80")
HTTPS_443: Path_ = ("Outbound", "TrafficMatches", "443")


def tcp_match(ranges: Any, port: int = 25) -> dict[str, Any]:
    rules = {"TargetClusters": None, "AllowedEgressTraffic": True}
    return {RANGES: ranges, "Port": port, "Protocol": "tcp", "TcpServiceRouteRules": rules}


def https_match(ranges: Any, cluster: str) -> dict[str, Any]:
    rules = {"TargetClusters": {cluster: 100}, "AllowedEgressTraffic": False}
    return {RANGES: ranges, "Port": 443, "Protocol": "https", "TcpServiceRouteRules": rules}


def http_match(ranges: Any, *hosts: str) -> dict[str, Any]:
    return {
        RANGES: ranges,
        "Port": 80,
        "Protocol": "http",
        "HttpHostPort2Service": {name: {"RuleName": host} for host in hosts for name in (host, f"{host}:80")},
        "HttpServiceRouteRules": {
            host: {"RouteRules": [{"Path": ".*", "Type": "Regex", "TargetClusters": {f"{host}:80": 100}}]}
            for host in hosts
        },
    }


DEVIATIONS = {
    "unknown app protocol": Deviation({("Outbound",): None}, ("FSE014",)),
    "http and grpc on a port": Deviation({(*HTTP_80, 0, "Protocol"): "http"}, ("FSE018",)),
    "mtls secret missing": Deviation(
        {
            ("Outbound", "ClustersConfigs"): None,
            HTTP_80: [{RANGES: None, "Port": 80, "Protocol": "http"}],
        },
        ("FSE004",),
    ),
    "mtls rangeless https": Deviation({}, ("FSE005", "FSE006")),
    "gateway empty global": Deviation({}, ("FSE020",)),
    "gateway no endpoints": Deviation({}, ("FSE020",)),
    "methods": Deviation({}),
    "tcp ranged and not": Deviation({TCP_25: [tcp_match({"54.0.0.0/8": None}), tcp_match(None)]}),
    "https ranged and not": Deviation(
        {
            HTTPS_443: [https_match({"54.0.0.0/8": None}, "443@54.0.0.0/8"), https_match(None, "443")],
            ("Outbound", "ClustersConfigs"): {
                "443": {"Endpoints": {"b.com:443": {"Weight": 100}}},
                "443@54.0.0.0/8": {"Endpoints": {f"{host}.com:443": {"Weight": 100} for host in "ab"}},
            },
        }
    ),
    "host bits": Deviation(
        {(*port, 0, RANGES): {"54.1.0.0/16": None} for port in (TCP_25, HTTP_80, HTTPS_443)}
    ),
    "in-mesh and egress on a port": Deviation(
        {
            HTTP_80: [
                BY_NAME["in-mesh and egress on a port"]["config"]["Outbound"]["TrafficMatches"]["80"][0],
                http_match({"54.0.0.0/8": None}, "a.com", "b.com"),
                http_match(None, "a.com"),
            ]
        }
    ),
    "tcp and server-first on a port": Deviation(
        {TCP_25: [tcp_match({"54.0.0.0/8": None}), tcp_match({"55.0.0.0/8": None})]}
    ),
    "two tcp services, one pod": Deviation(
        {
            ("Outbound", "TrafficMatches", "90", 0, RANGES): {"10.0.2.1/32": None, "10.96.2.2/32": None},
            ("Outbound", "TrafficMatches", "90", 1, RANGES): {"10.96.2.1/32": None},
        },
        ("FSE017",),
    ),
    "ipv6 service": Deviation({(*HTTP_80, 0, RANGES): {"2001:db8::1/128": None, "2001:db8::a/128": None}}),
    "udp port": Deviation({("Outbound",): None}, ("FSE016",)),
    "same host, two upstream settings": Deviation({}, ("FSE008",)),
    "random 5/28": Deviation({("Outbound",): None}, ("FSE015", "FSE015")),
    "random 5/59": Deviation(
        {
            ("Outbound", "TrafficMatches", "8080"): GONE,
            ("Outbound", "ClustersConfigs", "shop/cart|18080"): GONE,
        },
        ("FSE007", "FSE007", "FSE015"),
    ),
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_what_the_controller_gets_wrong_is_written_as_it_is_meant(name: str) -> None:
    case = BY_NAME[name]
    mesh = fe.load(case["resources"])
    assert case["deviates"]
    assert outcome(mesh, case["identity"]) == replaced(case["config"], DEVIATIONS[name].instead)
    findings = fe.resolve(mesh, case["identity"]).findings
    assert tuple(finding.code.code for finding in findings) == DEVIATIONS[name].findings


def test_a_bare_address_is_refused_where_the_controller_opens_every_address() -> None:
    with pytest.raises(fe.LoadError) as caught:
        fe.load(BY_NAME["bare address"]["resources"])
    (problem,) = caught.value.problems
    assert (problem.path, problem.proposal) == ("spec.ipAddresses[0]", "54.1.2.3/32")


def test_host_bits_are_warned_of() -> None:
    (problem,) = fe.load(BY_NAME["host bits"]["resources"]).problems
    assert problem.severity is fe.Severity.WARNING
    assert problem.proposal == "54.1.0.0/16"


def test_every_deviation_is_accounted_for() -> None:
    assert {*DEVIATIONS, "bare address"} == {case["name"] for case in CASES if "deviates" in case}


# --- what is written -------------------------------------------------------------------------------------


def contains(tree: Any, part: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(tree, dict) and all(key in tree and contains(tree[key], part[key]) for key in part)
    return bool(tree == part)


def test_the_documented_sub_tree_is_written_with_passthrough_on() -> None:
    documented = {"Spec": {"SidecarLogLevel": "error", "Traffic": {"EnableEgress": True}}}
    assert contains(written(config({"enableEgress": True})), documented)
    assert not contains(written(config({"enableEgress": False})), documented)


def test_the_empty_mesh_has_a_whole_config() -> None:
    tree = fe.pipy_config(fe.Snapshot(), WHO).to_mapping()
    assert list(tree) == [
        "AllowedEndpoints",
        "Certificate",
        "Chains",
        "Inbound",
        "Metrics",
        "Outbound",
        "Spec",
        "Ts",
        "Version",
    ]
    parts = ("Ts", "Metrics", "Certificate", "Inbound", "Outbound", "AllowedEndpoints")
    assert [tree[part] for part in parts] == [None, False, None, None, None, {}]
    assert tree["Spec"]["ServiceIdentity"] == WHO
    assert tree["Chains"]["outbound-tcp"][0] == "modules/outbound-tcp-routing.js"


@pytest.mark.parametrize(
    ("properties", "written"),
    [([], {}), ([{"name": "CLUSTER", "value": "a"}], {"ClusterSet": {"CLUSTER": "a"}})],
)
def test_the_properties_of_the_cluster_set_are_written_where_there_are_any(
    properties: list[dict[str, str]], written: dict[str, Any]
) -> None:
    mesh = fe.load(mesh_config("v1alpha3", {"clusterSet": {"properties": properties}}))
    spec = json.loads(fe.pipy_config(mesh, "curl.curl").to_json())["Spec"]
    assert {key: value for key, value in spec.items() if key == "ClusterSet"} == written


def test_parts_that_are_carried_are_written_as_they_are_given() -> None:
    carried = {
        "Certificate": {"CommonName": "curl.curl"},
        "Inbound": {"TrafficMatches": {"80": {}, "9": {}, "443": {}}},
        "AllowedEndpoints": {"10.0.0.1": "a"},
        "Probes": {"LivenessProbes": [{"periodSeconds": 1}]},
    }
    tree = fe.pipy_config(load(), WHO, carried).to_mapping()
    assert {part: tree[part] for part in ("Certificate", "Inbound", "AllowedEndpoints")} == {
        part: carried[part] for part in ("Certificate", "Inbound", "AllowedEndpoints")
    }
    assert tree["Spec"]["Probes"] == carried["Probes"]
    assert list(tree["Inbound"]["TrafficMatches"]) == ["9", "80", "443"]


def test_nothing_else_is_carried() -> None:
    with pytest.raises(fe.InvalidValue) as caught:
        fe.pipy_config(load(), WHO, {"Outbound": {}})
    assert str(caught.value) == (
        "expected one of `Certificate`, `Inbound`, `AllowedEndpoints`, `Probes`, found the string `Outbound`"
    )


def test_claims_that_allow_nothing_are_written_so_that_nothing_passes_through() -> None:
    mtls = {"issuer": "other"}
    tree = written(egress("e", "tcp 25", ipAddresses=["54.0.0.0/8"], mtls=mtls))
    assert tree["Outbound"] == {
        "TrafficMatches": {
            "25": [
                {
                    RANGES: {"54.0.0.0/8": None},
                    "Port": 25,
                    "Protocol": "tcp",
                    "TcpServiceRouteRules": {"TargetClusters": None, "AllowedEgressTraffic": False},
                }
            ]
        },
        "ClustersConfigs": None,
    }


def test_a_missing_route_group_leaves_a_host_without_routes() -> None:
    match = {"apiGroup": random_meshes.ROUTES, "kind": "HTTPRouteGroup", "name": "gone"}
    (found,) = written(egress("e", "http 80", hosts=["a.com"], matches=[match]))["Outbound"][
        "TrafficMatches"
    ]["80"]
    assert found["HttpServiceRouteRules"] == {"a.com": {"RouteRules": None}}


def test_broken_https_claims_open_nothing() -> None:
    tree = written(egress("e", "https 443", ipAddresses=["54.0.0.0/8"], mtls={"issuer": "other"}))
    (found,) = tree["Outbound"]["TrafficMatches"]["443"]
    assert found["TcpServiceRouteRules"] == {"TargetClusters": None, "AllowedEgressTraffic": False}
    assert found[RANGES] == {"54.0.0.0/8": None}


def test_the_matches_of_a_port_are_in_mesh_then_http_then_https_then_rangeless() -> None:
    tree = written(
        service("web", "http 80"),
        egress("a", "http 80", "https 80", hosts=["a.com"], ipAddresses=["54.0.0.0/8"]),
        egress("b", "https 80", hosts=["b.com"]),
    )
    matches = tree["Outbound"]["TrafficMatches"]["80"]
    assert [(match["Protocol"], match[RANGES]) for match in matches] == [
        ("http", {"10.0.0.1/32": None, "10.96.0.1/32": None}),
        ("http", {"54.0.0.0/8": None}),
        ("https", {"54.0.0.0/8": None}),
        ("https", None),
    ]


def test_a_port_whose_addresses_are_all_in_mesh_has_no_egress_match() -> None:
    tree = written(service("web", "http 80"), egress("e", "tcp 80", ipAddresses=["10.0.0.1/32"]))
    assert len(tree["Outbound"]["TrafficMatches"]["80"]) == 1


def test_a_port_with_nothing_to_match_is_left_out() -> None:
    tree = written(service("one", "http 80"), egress("e", "tcp 81", ipAddresses=["10.0.0.1/32"]))
    assert list(tree["Outbound"]["TrafficMatches"]) == ["80", "81"]
    nothing = written(egress("e", "tcp 81", ipAddresses=["54.0.0.0/8"], sources=[]))
    assert nothing["Outbound"] is None


def test_a_certificate_of_a_secret_is_written_on_each_range() -> None:
    secret = resource(
        "v1", "Secret", "curl", "s0", data={"tls.crt": "Y3J0", "tls.key": "a2V5", "ca.crt": "Y2E="}
    )
    cert = {"subjectAltNames": ["a"], "expiration": "2030-01-01", "secret": {"name": "s0"}}
    mtls = {"issuer": "other", "cert": cert}
    tree = written(secret, egress("e", "tcp 25", ipAddresses=["54.0.0.0/8", "::/0"], mtls=mtls))
    (found,) = tree["Outbound"]["TrafficMatches"]["25"]
    shown = {
        "SourceCert": {
            "FsmIssued": False,
            "SubjectAltNames": ["a"],
            "Expiration": "2030-01-01",
            "CertChain": "crt",
            "PrivateKey": "key",
            "IssuingCA": "ca",
        }
    }
    assert found[RANGES] == {"54.0.0.0/8": shown, "::/0": shown}


def test_settings_are_written_in_seconds_and_only_where_given() -> None:
    setting = {
        "host": "a.com",
        "connectionSettings": {"tcp": {"connectTimeout": "1m0.5s"}, "http": {"maxRetries": 0}},
    }
    match = {"apiGroup": random_meshes.FLOMESH, "kind": "UpstreamTrafficSetting", "name": "u0"}
    tree = written(
        resource(random_meshes.FLOMESH, "UpstreamTrafficSetting", "curl", "u0", spec=setting),
        egress("e", "http 80", hosts=["a.com"], matches=[match]),
    )
    assert tree["Outbound"]["ClustersConfigs"]["a.com:80"]["ConnectionSettings"] == {
        "tcp": {"ConnectTimeout": 60.5},
        "http": {"MaxRetries": 0},
    }


# --- bytes -----------------------------------------------------------------------------------------------

RICH: Mesh = [
    config({"enableEgress": True}),
    *service("web", "http 9090", "tcp-db 443"),
    egress("a", "http 80", "https 443", "tcp 25", "http 8080", hosts=["a.com", "b.com"]),
    egress("b", "http 80", hosts=["b.com"], ipAddresses=["54.0.0.0/8", "2001:db8::/32"]),
    routes("r", {"pathRegex": "/get", "headers": [{"b": "1"}, {"a": "2"}]}),
]


def sorted_keys(tree: Any, *, ports: bool = False) -> bool:
    if isinstance(tree, dict):
        keys = list(tree)
        return keys == sorted(keys, key=int if ports else str) and all(
            sorted_keys(value, ports=key == "TrafficMatches") for key, value in tree.items()
        )
    return not isinstance(tree, list) or all(map(sorted_keys, tree))


def test_keys_are_sorted_and_ports_by_number() -> None:
    text = fe.pipy_config(fe.load(RICH), WHO).to_json()
    assert sorted_keys(json.loads(text))
    assert list(json.loads(text)["Outbound"]["TrafficMatches"]) == ["25", "80", "443", "8080", "9090"]


def test_the_bytes_are_compact_utf_8() -> None:
    text = fe.pipy_config(load(), WHO, {"Inbound": {"name": "Kärnten"}}).to_json()
    assert '"Inbound":{"name":"Kärnten"},"Metrics":false'.encode() in text


def test_the_compressed_bytes_are_the_same_with_a_header_that_holds_no_time() -> None:
    made = fe.pipy_config(fe.load(RICH), WHO)
    assert gzip.decompress(made.to_gzip()) == made.to_json()
    assert made.to_gzip() == made.to_gzip()
    assert made.to_gzip()[4:8] == bytes(4)


@pytest.mark.parametrize(("compress", "name"), [(True, "config.json.gz"), (False, "config.json")])
def test_the_mesh_config_says_which_file_the_sidecar_reads(compress: bool, name: str) -> None:
    made = fe.pipy_config(load(config(sidecar={"compressConfig": compress})), WHO)
    assert made.file_name == name
    assert made.compressed is compress


@given(random_meshes.meshes(), random_meshes.identities(), st.data())
@settings(max_examples=examples(20))
def test_law_permuted_documents_give_equal_bytes(mesh: Mesh, identity: str, data: st.DataObject) -> None:
    permuted = data.draw(random_meshes.permuted(mesh))
    made = fe.pipy_config(fe.load(mesh), identity)
    again = fe.pipy_config(fe.load(permuted), identity)
    assert again.to_json() == made.to_json()
    assert again.to_gzip() == made.to_gzip()
    assert again.version == made.version


@given(random_meshes.meshes(), random_meshes.identities())
@settings(max_examples=examples(25))
def test_law_what_is_written_is_read_back(mesh: Mesh, identity: str) -> None:
    made = fe.pipy_config(fe.load(mesh), identity)
    plain = fe.PipyConfig.from_bytes(made.to_json())
    small = fe.PipyConfig.from_bytes(made.to_gzip())
    assert plain == small == made
    assert (plain.compressed, small.compressed) == (False, True)
    assert plain.to_json() == made.to_json()
    assert plain.to_mapping() == made.to_mapping()
    assert sorted_keys(made.to_mapping())


@given(random_meshes.meshes(), random_meshes.identities())
@settings(max_examples=examples(25))
def test_law_every_cluster_that_egress_names_is_there_and_every_one_there_is_named(
    mesh: Mesh, identity: str
) -> None:
    outbound = fe.pipy_config(fe.load(mesh), identity).to_mapping()["Outbound"]
    if outbound is None:
        return
    named: set[str] = set()
    for matches in outbound["TrafficMatches"].values():
        for match in matches:
            rules = match.get("TcpServiceRouteRules", {})
            named |= (rules.get("TargetClusters") or {}).keys()
            for host in match.get("HttpServiceRouteRules", {}).values():
                for route in host["RouteRules"] or ():
                    named |= (route["TargetClusters"] or {}).keys()
    there = set(outbound["ClustersConfigs"] or {})
    assert there <= named
    assert all("/" in name for name in named - there)  # a backend of a split that may not be reached


# --- versions and values ---------------------------------------------------------------------------------


def test_the_version_depends_on_the_content_alone() -> None:
    made = fe.pipy_config(fe.load(RICH), WHO)
    assert made.version == made.to_mapping()["Version"]
    assert len(made.version) == 16
    assert fe.pipy_config(fe.load(RICH), WHO).version == made.version
    assert fe.pipy_config(fe.load(RICH[1:]), WHO).version != made.version
    assert fe.pipy_config(fe.load(RICH), WHO, {"Inbound": {}}).version != made.version
    assert repr(made) == f"<PipyConfig {made.version}>"


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_bytes_are_the_same_in_another_process(seed: str) -> None:
    script = (
        "import sys, json, fsm_egress as fe\n"
        "mesh = fe.load(json.load(sys.stdin))\n"
        "sys.stdout.buffer.write(fe.pipy_config(mesh, 'curl.curl').to_json())"
    )
    root = Path(fe.__file__).parents[1]
    answer = subprocess.run(  # noqa: S603  # because it is this very interpreter
        [sys.executable, "-c", script],
        input=json.dumps(RICH).encode(),
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
        capture_output=True,
        check=True,
    )
    assert answer.stdout == fe.pipy_config(fe.load(RICH), WHO).to_json()


def test_ranges_show_the_certificate_of_the_first_policy_that_has_its_own() -> None:
    gone = {"issuer": "other", "cert": {"secret": {"name": "gone", "namespace": "curl"}}}
    policies = [
        egress(name, "https 443", hosts=[f"{name}.com"], ipAddresses=["54.0.0.0/8"], mtls=mtls)
        for name, mtls in (("a", gone), ("b", {"issuer": "fsm"}))
    ]
    (found,) = fe.pipy_config(load(*policies), WHO).to_mapping()["Outbound"]["TrafficMatches"]["443"]
    assert found["DestinationIPRanges"]["54.0.0.0/8"]["SourceCert"]["FsmIssued"] is True


def test_a_config_is_a_value() -> None:
    made = fe.pipy_config(fe.load(RICH), WHO)
    assert hash(made) == hash(fe.pipy_config(fe.load(RICH), WHO))
    made.to_mapping()["Spec"]["Traffic"]["EnableEgress"] = False
    assert made.to_mapping()["Spec"]["Traffic"]["EnableEgress"] is True
    other = fe.PipyConfig(b'{"Version":"0"}')
    assert made != other
    assert (other.compressed, other.file_name) == (False, "config.json")
    assert evolve(other, compressed=True) == other


def truncated() -> bytes:
    return fe.pipy_config(load(), WHO).to_gzip()[:-20]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{", "expected the JSON of a config: expecting property name"),
        (b"\xff", "expected the JSON of a config: 'utf-8' codec"),
        (b"[" * 100_000, "expected a config of at most 64 levels, found more"),
        (b'{"a":' * 65, "expected a config of at most 64 levels, found more"),
        (b"[" * 64, "expected the JSON of a config: expecting value"),
        (b"[" * 64 + b"]" * 64, "expected a config with its `Version`, found a list"),
        (b"[" * 65 + b"]" * 65, "expected a config of at most 64 levels, found more"),
        (b"[" * 60_000 + b"]" * 60_000, "expected a config of at most 64 levels, found more"),
        (b'{"Version":"' + b"[" * 90 + b'",}', "expected the JSON of a config: "),
        (b"\x1f\x8b", "expected the JSON of a config: "),
        (b"\x1f\x8b\x00\x00", "expected the JSON of a config: "),
        (truncated(), "expected the JSON of a config: the gzip file is incomplete"),
        (gzip.compress(b"{", mtime=0), "expected the JSON of a config: expecting property name"),
        *(
            (text, "expected the JSON of a config, found nothing: so a sidecar answers")
            for text in (b"", b" \n")
        ),
        (b"[]", "expected a config with its `Version`, found an empty list"),
        (b"{}", "expected a config with its `Version`, found an empty mapping"),
        (b'{"Version": 1}', "expected a config with its `Version`, found a mapping"),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else "",
)
def test_bytes_that_are_no_config_are_refused(content: bytes, complaint: str) -> None:
    with pytest.raises(fe.InvalidValue) as caught:
        fe.PipyConfig.from_bytes(content)
    assert str(caught.value).startswith(complaint)


@given(st.binary(max_size=40), st.integers(0, 200), st.integers(0, 255))
def test_law_bytes_are_read_or_refused_and_never_crash(noise: bytes, place: int, byte: int) -> None:
    packed = bytearray(SMALL)
    packed[place % len(packed)] = byte
    for content in (noise, bytes(packed), b"\x1f\x8b" + noise):
        try:
            read = fe.PipyConfig.from_bytes(content)
        except fe.InvalidValue:
            continue
        assert isinstance(read.version, str)


SMALL = gzip.compress(b'{"Version":"0","Outbound":{"TrafficMatches":{"80":[]}}}', mtime=0)


def test_a_gzip_file_of_two_parts_is_no_config() -> None:
    content = fe.pipy_config(load(), WHO).to_gzip()
    with pytest.raises(fe.InvalidValue, match="followed by something else"):
        fe.PipyConfig.from_bytes(content + content)


def test_a_config_is_unpacked_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    content = fe.pipy_config(load(), WHO).to_gzip()
    monkeypatch.setattr(config_module, "MAX_TEXT", 100)
    with pytest.raises(fe.InvalidValue, match="more than 100 bytes when unpacked"):
        fe.PipyConfig.from_bytes(content)


def test_a_config_is_read_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    content = fe.pipy_config(load(), WHO).to_json()
    monkeypatch.setattr(config_module, "MAX_TEXT", 100)
    with pytest.raises(fe.InvalidValue, match="expected at most 0 MiB, found more"):
        fe.PipyConfig.from_bytes(content)


@pytest.mark.parametrize("values", ["[]", "0", '{"a": 0}'])
@pytest.mark.parametrize("packed", [gzip.compress, bytes], ids=["gzip", "plain"])
def test_a_config_of_many_values_is_refused_before_they_are_made(
    monkeypatch: pytest.MonkeyPatch, values: str, packed: Any
) -> None:
    monkeypatch.setattr(config_module, "MAX_VALUES", 100)
    content = f'{{"Version": "0", "Chains": [{",".join([values] * 100)}]}}'
    with pytest.raises(fe.InvalidValue, match=r"^expected at most 100 values, found more$"):
        fe.PipyConfig.from_bytes(packed(content.encode()))


@pytest.mark.parametrize("number", ["9" * 5_000, f"-{'9' * 65}", f"0.{'1' * 70}"])
def test_a_number_of_very_many_digits_is_refused(number: str) -> None:
    with pytest.raises(fe.InvalidValue, match=f"at most 64 digits, found one of {len(number)}$"):
        fe.Sidecar.read(f'{{"Version": "0", "Outbound": {number}}}'.encode())


@pytest.mark.parametrize("number", ["1e999", "NaN", "-Infinity"])
def test_a_number_that_is_none_is_refused(number: str) -> None:
    with pytest.raises(fe.InvalidValue, match=f"expected a finite number, found `{number}`$"):
        fe.Sidecar.read(f'{{"Version": "0", "Outbound": {number}}}'.encode())


@given(random_meshes.cases(1))
def test_law_what_is_written_in_parts_is_what_would_be_written_at_once(
    case: tuple[Mesh, str, list[dict[str, Any]]],
) -> None:
    mesh, identity, _ = case
    config = fe.pipy_config(fe.load(mesh), identity, {"Inbound": {"TrafficMatches": {"443": 1, "80": {}}}})
    content = {key: value for key, value in config.to_mapping().items() if key != "Version"}
    assert config_module.sealed(content, compressed=False) == config
    assert fe.PipyConfig.from_bytes(config.to_json()) == config


@given(random_meshes.meshes(), random_meshes.identities())
@settings(max_examples=examples(25))
def test_law_the_tree_is_what_is_written(mesh: Mesh, identity: str) -> None:
    policy = fe.resolve(fe.load(mesh), identity)
    for tree, written in (
        (config_module.config_tree(policy), config_module.write_config(policy)),
        (enforced_tree(policy), write_enforced_config(policy)),
    ):
        content = {key: value for key, value in written.to_mapping().items() if key != "Version"}
        assert thaw(tree) == content
        ordered = canonical(tree)
        assert list(thaw(ordered["Outbound"] or {})) == list(content["Outbound"] or {})
        assert json.dumps(thaw(ordered["Outbound"])) == json.dumps(content["Outbound"])


def test_ranges_share_what_is_claimed_around_them() -> None:
    web = egress("web", "http 80", hosts=["a.com"])
    ranged = [
        egress(f"p{it}", "http 80", hosts=[f"{it}.com"], ipAddresses=[f"54.{it}.0.0/16"]) for it in (1, 2)
    ]
    tree = config_module.config_tree(fe.resolve(load(web, *ranged), WHO))
    one, other, anywhere = tree["Outbound"]["TrafficMatches"]["80"]
    for key in ("HttpHostPort2Service", "HttpServiceRouteRules"):
        assert one[key].around is other[key].around is anywhere[key]
        assert [name.partition(":")[0] for name in one[key].own][:1] == ["1.com"]


def test_an_address_that_is_written_as_another_one_with_its_port_is_itself() -> None:
    wide = egress("wide", "http 80", hosts=["2001:db8::1:80"])
    narrow = egress("narrow", "http 80", hosts=["2001:db8::1"], ipAddresses=["54.0.0.0/8"])
    ranged, _ = fe.pipy_config(load(wide, narrow), WHO).to_mapping()["Outbound"]["TrafficMatches"]["80"]
    assert ranged["HttpHostPort2Service"] == {
        "2001:db8::1": {"RuleName": "2001:db8::1"},
        "2001:db8::1:80": {"RuleName": "2001:db8::1:80"},
        "2001:db8::1:80:80": {"RuleName": "2001:db8::1:80"},
    }
    found = fe.partition(load(wide, narrow), WHO)
    request = fe.http("54.0.0.1", 80, "GET", "http://[2001:db8::1]:80/")
    portion = found.portion(request)
    assert portion is not None
    assert portion.decision == fe.compile(load(wide, narrow), WHO).classify(request)
