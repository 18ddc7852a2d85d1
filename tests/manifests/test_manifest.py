"""Documents as resources, what is wrong with them, and resources as documents."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_meshes import meshes
from thoroughness import examples

from fsm_egress.documents import MAX_DEPTH, Document
from fsm_egress.manifests import manifest
from fsm_egress.manifests.making import good_reader, made
from fsm_egress.manifests.manifest import read_resource, structure
from fsm_egress.manifests.mistakes import wrong_with
from fsm_egress.manifests.readers import UNREADABLE, Reading
from fsm_egress.manifests.writing import to_mapping
from fsm_egress.resources.core import Namespace, Secret
from fsm_egress.resources.egress import EgressPolicy, EgressSpec
from fsm_egress.resources.kinds import KINDS
from fsm_egress.resources.meshconfig import FeatureFlags, MeshConfig, MeshConfigSpec, Traffic
from fsm_egress.resources.resource import ObjectMeta, Resource
from fsm_egress.resources.smi import HTTPRouteGroup
from fsm_egress.values.errors import MAX_PROBLEMS, LoadError, Severity
from fsm_egress.values.references import Mark, Source

if TYPE_CHECKING:
    from collections.abc import Callable

INSTALLED = Path(__file__).parents[1] / "vectors" / "meshconfig-installed.json"
POLICY = "policy.flomesh.io/v1alpha1"


def egress(spec: Any = None, **metadata: Any) -> dict[str, Any]:
    """An Egress policy as a document."""
    names = {"name": "web", "namespace": "shop", **metadata}
    return {"apiVersion": POLICY, "kind": "Egress", "metadata": names, "spec": {} if spec is None else spec}


def core(kind: str, **content: Any) -> dict[str, Any]:
    """An object of the core group as a document."""
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "namespace": "shop"}, **content}


def mesh_config(**spec: Any) -> dict[str, Any]:
    """A MeshConfig as a document."""
    return {
        "apiVersion": "config.flomesh.io/v1alpha3",
        "kind": "MeshConfig",
        "metadata": {"name": "fsm-mesh-config", "namespace": "fsm-system"},
        "spec": spec,
    }


def said(value: Any, *, lenient: bool = False) -> list[str]:
    """All that is said of a document."""
    document = Document("m", value, dict)
    problems = read_resource(document, value, "", None, lenient_fields=lenient)[1]
    return [str(problem) for problem in problems]


def read(value: Any, *, lenient: bool = False) -> Resource | None:
    """The resource of a document, if it has one."""
    return read_resource(Document("m", value, dict), value, "", None, lenient_fields=lenient)[0]


# --- kinds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_in_every_api_version(kind: type[Resource]) -> None:
    parts: dict[str, Any] = {
        "HTTPRouteGroup": {"spec": {}},
        "Egress": {"spec": {}},
        "EgressGateway": {"spec": {}},
        "Isolation": {"spec": {"cidrs": []}},
        "UpstreamTrafficSetting": {"spec": {"host": "a.com"}},
        "Retry": {"spec": {"source": {"kind": "ServiceAccount", "name": "a", "namespace": "b"}}},
        "Service": {"spec": {}},
        "TrafficTarget": {"spec": {"destination": {"kind": "ServiceAccount", "name": "a"}}},
        "TrafficSplit": {"spec": {"service": "a"}},
        "VirtualMachine": {"spec": {"machineIP": "10.3.0.1"}},
        "PluginConfig": {"spec": {"plugin": "auth"}},
    }
    for version in kind.api_versions:
        document = {
            "apiVersion": version,
            "kind": kind.kind,
            "metadata": {"name": "x", **({} if kind is Namespace else {"namespace": "shop"})},
            **parts.get(kind.kind, {}),
        }
        resource = structure(document)
        assert type(resource) is kind
        assert (resource.kind, resource.api_version) == (kind.kind, version)
        assert to_mapping(resource) == document


@pytest.mark.parametrize(
    ("value", "problems"),
    [
        (None, ["m: expected a Kubernetes object as a mapping, found `null`"]),
        ([1], ["m: expected a Kubernetes object as a mapping, found a list"]),
        ("x", ["m: expected a Kubernetes object as a mapping, found the string `x`"]),
        ({}, ["m: kind: expected a string, found none", "m: apiVersion: expected a string, found none"]),
        (
            {"kind": 1, "apiVersion": None},
            [
                "m: kind: expected a string, found the number `1`",
                "m: apiVersion: expected a string, found `null`",
            ],
        ),
    ],
)
def test_a_document_is_an_object_of_a_kind(value: Any, problems: list[str]) -> None:
    assert said(value) == problems
    assert read(value) is None


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("ConfigMap", "v1"),
        ("ControllerRevision", "apps/v1"),
        ("Service", "serving.knative.dev/v1"),
        ("Egres", "example.com/v1"),
        ("WidgetList", "example.com/v1"),
    ],
)
def test_kinds_of_others_are_skipped_and_said_so(kind: str, version: str) -> None:
    value = {"kind": kind, "apiVersion": version, "metadata": {"name": "x", "namespace": "shop"}, "any": 1}
    found = f"`{kind}` of `{version}`, which is skipped"
    assert said(value) == [
        f"m: {kind} shop/x: expected a kind that egress depends on, found {found}".replace(
            "shop/x: ", "shop/x kind: "
        )
    ]
    (problem,) = read_resource(Document("m", value, dict), value, "", None, lenient_fields=False)[1]
    assert problem.severity is Severity.INFO


@pytest.mark.parametrize(
    ("kind", "version", "problem"),
    [
        (
            "Egress",
            "policy.flomesh.io/v1alpha2",
            (
                "apiVersion: expected `policy.flomesh.io/v1alpha1` or `policy.openservicemesh.io/v1alpha1`,"
                " found the string `policy.flomesh.io/v1alpha2`; write `policy.flomesh.io/v1alpha1`"
            ),
        ),
        (
            "Egress",
            "policy.flomes.io/v1alpha1",
            (
                "apiVersion: expected `policy.flomesh.io/v1alpha1` or `policy.openservicemesh.io/v1alpha1`,"
                " found the string `policy.flomes.io/v1alpha1`; write `policy.flomesh.io/v1alpha1`"
            ),
        ),
        (
            "TrafficSplit",
            "v1alpha4",
            (
                "apiVersion: expected `split.smi-spec.io/v1alpha4` or `split.smi-spec.io/v1alpha2`,"
                " found the string `v1alpha4`; write `split.smi-spec.io/v1alpha4`"
            ),
        ),
        ("Service", "v2", "apiVersion: expected `v1`, found the string `v2`; write `v1`"),
        ("Egresss", POLICY, "kind: expected a known kind, found the string `Egresss`; write `Egress`"),
        ("service", "v1", "kind: expected a known kind, found the string `service`; write `Service`"),
        ("EgressList", POLICY, "items: expected a list, found a mapping"),
    ],
)
def test_mistaken_kinds_and_versions_are_errors(kind: str, version: str, problem: str) -> None:
    value = {"kind": kind, "apiVersion": version, "items": {"a": 1}}
    assert said(value) == [f"m: {kind} ? {problem}"]
    assert read(value, lenient=True) is None


# --- what is wrong ---------------------------------------------------------------------------------------

AT = "m: Egress shop/web "
PORT = "expected a port number from 1 to 65535, found "
PROTOCOLS = "expected one of `http`, `https`, `tcp`, `tcp-server-first`, found "
SOURCE = {"kind": "ServiceAccount", "name": "curl", "namespace": "curl"}


@pytest.mark.parametrize(
    ("spec", "problems"),
    [
        ([], ["spec: expected a mapping, found an empty list"]),
        ("x", ["spec: expected a mapping, found the string `x`"]),
        ({"port": []}, ["spec.port: expected a known field, found `port`; write `ports`"]),
        ({"xyzzy": None}, ["spec.xyzzy: expected a known field, found `xyzzy`"]),
        ({1: 2}, ["spec: expected a field name, found the number `1`"]),
        ({"ports": {}}, ["spec.ports: expected a list, found an empty mapping"]),
        ({"ports": "80"}, ["spec.ports: expected a list, found the string `80`"]),
        ({"ports": [80]}, ["spec.ports[0]: expected a mapping, found the number `80`"]),
        (
            {"ports": [{}]},
            [
                "spec.ports[0]: expected the field `number`, found none",
                "spec.ports[0]: expected the field `protocol`, found none",
            ],
        ),
        (
            {"ports": [{"number": None, "protocol": "tcp"}]},
            ["spec.ports[0]: expected the field `number`, found `null`"],
        ),
        (
            {"ports": [{"number": "443", "protocol": "https"}]},
            ["spec.ports[0].number: " + PORT + "the string `443`; write `443`: without quotes"],
        ),
        *(
            ({"ports": [{"number": value, "protocol": "HTTP"}]}, ["spec.ports[0].number: " + PORT + shown])
            for value, shown in [
                (0, "the number `0`"),
                (65536, "the number `65536`"),
                (-1, "the number `-1`"),
                (80.0, "the number `80.0`"),
                (True, "the boolean `true`"),
                (float("inf"), "the number `inf`"),
                (float("nan"), "the number `nan`"),
                (10**5000, "the number `out of all bounds`"),
                ([80], "a list"),
            ]
        ),
        (
            {"ports": [{"number": 80, "protocol": "grpc"}]},
            [
                "spec.ports[0].protocol: " + PROTOCOLS + "the string `grpc`; write `http`:"
                " it carries HTTP/2 and gRPC, and FSM ignores `grpc` in an Egress silently"
            ],
        ),
        (
            {"ports": [{"number": 80, "protocol": "udp"}, {"number": 80, "protocol": 6}]},
            [
                "spec.ports[0].protocol: "
                + PROTOCOLS
                + "the string `udp`: UDP passes by the sidecar, and no policy governs it",
                "spec.ports[1].protocol: " + PROTOCOLS + "the number `6`",
            ],
        ),
        (
            {"hosts": ["https://a.com/x", ""]},
            [
                (
                    "spec.hosts[0]: expected a DNS name or an IP address, without scheme, port or path,"
                    " found the string `https://a.com/x`; write `a.com`"
                ),
                (
                    "spec.hosts[1]: expected a DNS name or an IP address, without scheme, port or path,"
                    " found the string ``"
                ),
            ],
        ),
        ({"hosts": "a.com"}, ["spec.hosts: expected a list of hosts, found the string `a.com`"]),
        (
            {"matches": [{"kind": "HTTPRouteGroup", "name": "a"}]},
            ["spec.matches[0]: expected the field `apiGroup`, found none"],
        ),
        (
            {"matches": [{"apiGroup": "x", "kind": "HTTPRouteGroup", "name": "a"}]},
            [
                (
                    "spec.matches[0].apiGroup: expected `specs.smi-spec.io/v1alpha4`, found the string `x`;"
                    " write `specs.smi-spec.io/v1alpha4`"
                )
            ],
        ),
        (
            {"matches": [{"apiGroup": POLICY, "kind": "UpstreamTrafficSetting", "name": n} for n in "ab"]},
            ["spec.matches[1]: expected at most one `UpstreamTrafficSetting`, found 2 of them"],
        ),
        (
            {
                "sources": [
                    {**SOURCE, "name": "Curl"},
                    {"kind": "ServiceAccount", "name": "curl", "mtls": {"cert": {"sn": "1"}}},
                ]
            },
            [
                (
                    "spec.sources[0].name: expected a resource name of lower-case letters, digits, `-` and"
                    " `.`,"
                    " found the string `Curl`; write `curl`"
                ),
                "spec.sources[1]: expected the field `namespace`, found none",
                (
                    "spec.sources[1].mtls.cert.sn: expected a whole number of at most 64 bits,"
                    " found the string `1`; write `1`: without quotes"
                ),
            ],
        ),
    ],
)
def test_everything_that_is_wrong_is_said_with_its_place(spec: Any, problems: list[str]) -> None:
    assert said(egress(spec)) == [AT + problem for problem in problems]
    with pytest.raises(LoadError) as caught:
        structure(egress(spec))
    assert [problem.message for problem in caught.value.problems] == [
        problem.split(": ", 1)[1] for problem in problems
    ]


@pytest.mark.parametrize(("text", "length"), [("54.9.9.9", 32), ("2001:db8::1", 128)])
def test_a_bare_address_is_an_error_that_proposes_its_length(text: str, length: int) -> None:
    (problem,) = said(egress({"ipAddresses": [text]}))
    assert problem.startswith(AT + "spec.ipAddresses[0]: expected ")
    assert f"found the string `{text}`; write `{text}/{length}`" in problem


def test_a_plain_map_of_headers_is_an_error_that_shows_the_list() -> None:
    value = {
        "apiVersion": "specs.smi-spec.io/v1alpha4",
        "kind": "HTTPRouteGroup",
        "metadata": {"name": "x", "namespace": "shop"},
        "spec": {"matches": [{"headers": {"x-env": "^prod"}}]},
    }
    assert said(value) == [
        (
            "m: HTTPRouteGroup shop/x spec.matches[0].headers: expected a list of maps with one entry each,"
            " found a mapping; write `[{x-env: …}]`"
        )
    ]


def test_of_equal_header_names_the_last_counts() -> None:
    headers = [{"a": "1"}, {"b": "2"}, {"a": "3"}]
    value = {
        "apiVersion": "specs.smi-spec.io/v1alpha4",
        "kind": "HTTPRouteGroup",
        "metadata": {"name": "x", "namespace": "shop"},
        "spec": {"matches": [{"pathRegex": "/a.*", "headers": headers, "methods": ["*"]}]},
    }
    resource = structure(value)
    assert isinstance(resource, HTTPRouteGroup)
    assert to_mapping(resource)["spec"]["matches"][0]["headers"] == [{"a": "3"}, {"b": "2"}]


@pytest.mark.parametrize("value", [1, 0, "true", None, []])
def test_nothing_is_a_boolean_but_true_and_false(value: Any) -> None:
    said_of = said(mesh_config(traffic={"enableEgress": value}))
    proposal = "; write `true`: without quotes" if value == "true" else ""
    assert [text.partition(", found")[0] for text in said_of] == (
        []
        if value is None
        else ["m: MeshConfig fsm-system/fsm-mesh-config spec.traffic.enableEgress: expected a boolean"]
    )
    assert all(text.endswith(proposal) for text in said_of)


@pytest.mark.parametrize("namespace", [0, False, [], {}, 7])
def test_a_namespace_of_another_type_is_no_default(namespace: Any) -> None:
    (problem,) = said(egress(namespace=namespace))
    assert problem.startswith("m: Egress web metadata.namespace: expected a string, found ")


@pytest.mark.parametrize("metadata", [None, [], "x", {"namespace": "a"}, {"name": None}, {"name": 1}])
def test_a_resource_has_a_name(metadata: Any) -> None:
    (problem,) = said({**egress(), "metadata": metadata})
    assert problem.startswith("m: Egress ")
    assert "metadata" in problem


def test_a_null_document_part_is_a_missing_one() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": None}
    assert said(service) == ["m: Service default/web: expected the field `spec`, found `null`"]
    assert said({**egress(), "spec": None}) == []
    assert said(egress({"hosts": None, "ports": None, "sources": None})) == []


def test_problems_of_a_list_item_name_its_place_in_the_mapping() -> None:
    value = egress({"ports": 1})
    problems = read_resource(Document("m", {}, dict), value, "items[2]", None, lenient_fields=False)[1]
    assert [problem.path for problem in problems] == ["items[2].spec.ports"]
    problems = read_resource(Document("m", {}, dict), None, "items[2]", None, lenient_fields=False)[1]
    assert [problem.path for problem in problems] == ["items[2]"]


def test_problems_of_a_text_come_in_its_order() -> None:
    marks = {"": Mark(1, 1), "spec.hosts": Mark(5, 1), "spec.ports": Mark(3, 1)}
    with pytest.raises(LoadError) as caught:
        structure(egress({"hosts": 1, "ports": 2, "x": 3}), Source("a.yaml", marks))
    assert [str(problem).partition(": expected")[0] for problem in caught.value.problems] == [
        "a.yaml:1:1: Egress shop/web spec.x",
        "a.yaml:3:1: Egress shop/web spec.ports",
        "a.yaml:5:1: Egress shop/web spec.hosts",
    ]


@pytest.mark.parametrize("namespace", ["shop", "default", 1, ["x"]])
def test_a_namespace_stands_in_none(namespace: Any) -> None:
    value = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "namespace": namespace}}
    (problem,) = said(value)
    assert problem.partition(", found")[0].endswith(" metadata.namespace: expected no namespace")
    assert read({**value, "metadata": {"name": "shop", "namespace": ""}}) is not None


@pytest.mark.parametrize("value", [[{"x": "y"}], {}, 1, True])
def test_a_cluster_ip_of_any_type_is_a_problem(value: Any) -> None:
    (problem,) = said(core("Service", spec={"clusterIP": value}))
    assert "spec.clusterIP: expected an IP address or `None`" in problem


def test_half_a_character_is_a_problem_wherever_it_stands() -> None:
    half = "expected a string of Unicode characters, found half of one, a lone surrogate"
    rule = {"kind": "HTTPRouteGroup", "name": "\ud800"}
    value = {
        "apiVersion": "access.smi-spec.io/v1alpha3",
        "kind": "TrafficTarget",
        "metadata": {"name": "x", "namespace": "shop", "labels": {"a": "\udfff"}},
        "spec": {"destination": {"kind": "ServiceAccount", "name": "a"}, "rules": [rule]},
    }
    assert said(value) == [
        f"m: TrafficTarget shop/x metadata.labels.a: {half}",
        f"m: TrafficTarget shop/x spec.rules[0].name: {half}",
    ]


def test_a_resource_with_mistakes_without_end_names_some_of_them() -> None:
    assert len(said(egress({"ports": [{}] * 5_000}))) == MAX_PROBLEMS
    assert len(said(egress({"hosts": [""] * 5_000}))) == MAX_PROBLEMS
    assert len(said(core("Secret", data={str(key): "?" for key in range(5_000)}))) == MAX_PROBLEMS
    labels = {str(key): key for key in range(5_000)}
    assert len(said(egress(labels=labels))) == MAX_PROBLEMS


# --- unknown fields --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "ReplicaSet"])
@pytest.mark.parametrize("version", ["extensions/v1beta1", "apps/v1beta2"])
def test_what_makes_pods_is_not_passed_over_under_an_older_version(kind: str, version: str) -> None:
    document = {"apiVersion": version, "kind": kind, "metadata": {"name": "web", "namespace": "shop"}}
    (told,) = said(document)
    assert told.endswith(f"expected `apps/v1`, found the string `{version}`; write `apps/v1`")
    assert said({**document, "kind": "Ingress"})[0].endswith("which is skipped")


def test_no_field_that_is_there_is_proposed_for_another_word() -> None:
    port = {"number": 443, "protocol": "tcp", "name": "web"}
    assert said(egress({"ports": [port]})) == [
        AT + "spec.ports[0].name: expected a known field, found `name`"
    ]
    told = said(egress({"ports": [{"protocol": "tcp", "nomber": 443}]}))
    assert told[0].endswith("found `nomber`; write `number`")
    told = said(egress({"ports": [{"protocol": "tcp", "port": 443}]}))
    assert told[0].endswith("found `port`; write `number`")
    told = said(egress({"ports": [{"protocol": "tcp", "port": 443, "x": 1}]}))
    assert told[0].endswith("found `port`")


def test_unknown_fields_can_be_let_through_as_warnings_and_are_carried() -> None:
    value = egress(
        {"hosts": ["a.com"], "hostz": ["b.com"], "ports": [{"number": 80, "protocol": "tcp", "x": None}]}
    )
    assert (
        said(value, lenient=True)
        == said(value)
        == [
            AT + "spec.hostz: expected a known field, found `hostz`; write `hosts`",
            AT + "spec.ports[0].x: expected a known field, found `x`",
        ]
    )
    resource = read(value, lenient=True)
    assert resource is not None
    assert to_mapping(resource) == value
    assert read(value) is None


def test_leniency_lets_no_wrong_value_through() -> None:
    assert read(egress({"hostz": 1, "hosts": [1]}), lenient=True) is None
    assert read(egress({"hostz": {1: 2}}), lenient=True) is None


def test_unknown_fields_hide_no_other_mistake() -> None:
    match = {"apiGroup": "x", "kind": "HTTPRouteGroup", "name": "a", "nmae": "b"}
    assert [text.split(" ")[3] for text in said(egress({"matches": [match]}))] == [
        "spec.matches[0].nmae:",
        "spec.matches[0].apiGroup:",
    ]


@pytest.mark.parametrize(
    ("item", "found"),
    [
        (datetime(2001, 1, 1, tzinfo=timezone.utc), "a value of type `datetime`"),
        (b"x", "a value of type `bytes`"),
        ({1, 2}, "a value of type `set`"),
        (float("nan"), "the number `nan`"),
        (float("inf"), "the number `inf`"),
        pytest.param(10**64, f"the number `{10**64}`", id="65 digits"),
        pytest.param(-(10**5000), "the number `out of all bounds`", id="5,000 digits"),
    ],
)
def test_what_is_carried_is_json(item: Any, found: str) -> None:
    assert said(egress(owner=[{"x": item}])) == [
        AT + f"metadata.owner[0].x: expected a JSON value, found {found}"
    ]


@pytest.mark.parametrize("item", ["\ud800", {"a": "\udfff"}, {"\ud800": 1}, {1: 2}, {None: 2}])
def test_what_is_carried_has_whole_strings_as_keys_and_values(item: Any) -> None:
    (problem,) = said(egress(owner=item))
    assert problem.startswith(AT + "metadata.owner")


def test_carried_fields_survive_with_their_nulls() -> None:
    value = egress(creationTimestamp=None, managedFields=[{"a": {"b": None}, "c": 1.5, "d": False}])
    assert to_mapping(structure(value)) == value


def deep(levels: int) -> Any:
    """Mappings in mappings, so many of them."""
    value: Any = "x"
    for _ in range(levels):
        value = {"a": value}
    return value


def test_a_tree_has_so_many_levels() -> None:
    assert to_mapping(structure(egress(owner=deep(MAX_DEPTH - 2)))) == egress(owner=deep(MAX_DEPTH - 2))
    for levels in (MAX_DEPTH - 1, 500, 50_000):
        with pytest.raises(LoadError, match=r"^<mapping>: expected at most 64 levels, found more$"):
            structure(egress(owner=deep(levels)))


def test_a_mapping_that_holds_itself_is_refused() -> None:
    value = egress()
    value["metadata"]["owner"] = value
    with pytest.raises(LoadError, match=r"^a\.yaml: expected at most 64 levels, found more$"):
        structure(value, Source("a.yaml", {}))


# --- warnings --------------------------------------------------------------------------------------------


def test_what_is_read_otherwise_than_written_is_a_warning() -> None:
    value = egress({"hosts": ["A.com", "b.com"], "ipAddresses": ["10.0.0.0/8", "54.1.2.3/16"]})
    assert sorted(said(value)) == [
        AT + "spec.hosts[0]: expected a host in lower case, found the string `A.com`; write `a.com`:"
        " that is how it is read",
        AT + "spec.ipAddresses[1]: expected an address range without host bits, found the string"
        " `54.1.2.3/16`; write `54.1.0.0/16`: that is how it is read",
    ]
    resource = read(value)
    assert resource is not None
    assert to_mapping(resource)["spec"] == {
        "hosts": ["a.com", "b.com"],
        "ipAddresses": ["10.0.0.0/8", "54.1.0.0/16"],
    }


def test_a_mesh_config_warns_of_host_bits_too() -> None:
    (problem,) = said(mesh_config(traffic={"outboundIPRangeExclusionList": ["54.9.9.9", "10.1.2.3/8"]}))
    assert (
        "spec.traffic.outboundIPRangeExclusionList[1]: expected an address range without host bits" in problem
    )


# --- namespaces and secrets ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "metadata", [{"name": "web"}, {"name": "web", "namespace": ""}, {"name": "web", "namespace": None}]
)
def test_the_namespace_is_default_where_none_is_named(metadata: Any) -> None:
    assert structure({**egress(), "metadata": metadata}).namespace == "default"


def test_a_namespace_is_in_none() -> None:
    resource = structure({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    assert (resource.namespace, str(resource.ref)) == ("", "Namespace shop")


def test_string_data_of_a_secret_is_merged_into_its_data() -> None:
    resource = structure(core("Secret", data={"a": "MQ==", "b": "Mg=="}, stringData={"b": "zwei", "c": "é"}))
    assert isinstance(resource, Secret)
    assert resource.data == {"a": b"1", "b": b"zwei", "c": "é".encode()}
    assert to_mapping(resource) == core("Secret", data={"a": "MQ==", "b": "endlaQ==", "c": "w6k="})
    assert to_mapping(structure(core("Secret", stringData=None))) == core("Secret")
    assert to_mapping(structure(core("Secret", stringData={"a": "1"}))) == core("Secret", data={"a": "MQ=="})


SECRET = "hunter2!"


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        ({"data": {"a": SECRET}}, ["data.a: expected a base64 text"]),
        ({"data": {"a": 1}}, ["data.a: expected a base64 text"]),
        ({"data": SECRET}, ["data: expected a mapping of base64 texts"]),
        ({"data": SECRET, "stringData": {"a": SECRET}}, ["data: expected a mapping of base64 texts"]),
        ({"stringData": SECRET}, ["stringData: expected a mapping of strings"]),
        ({"stringData": {"a": [SECRET], "b": SECRET}}, ["stringData.a: expected a string"]),
        (
            {"stringData": {"a": 17, "b": "\ud800"}},
            ["stringData.a: expected a string", "stringData.b: expected a string"],
        ),
        (
            {"stringData": {"a": SECRET}, "type": 5},
            ['type: expected a string, found the number `5`; write `"5"`'],
        ),
    ],
)
def test_what_a_secret_holds_is_in_no_error(content: Any, problems: list[str]) -> None:
    assert said(core("Secret", **content)) == ["m: Secret shop/x " + problem for problem in problems]
    with pytest.raises(LoadError) as caught:
        structure(core("Secret", **content))
    assert SECRET not in repr(caught.value) + str(caught.value)


def test_what_a_secret_holds_is_in_no_repr() -> None:
    resource = structure(core("Secret", stringData={"a": SECRET}, data={"b": "aHVudGVyMiE="}))
    for text in (repr(resource), str(resource)):
        assert SECRET not in text
        assert "aHVudGVyMiE=" not in text


# --- what is read quickly --------------------------------------------------------------------------------


def test_the_quick_way_gives_a_resource_about_which_there_is_nothing_to_say() -> None:
    reading = Reading()
    read_good = good_reader(reading, "default")
    value: Any
    for value in (
        egress({"hosts": ["A.com"]}),
        egress({"ipAddresses": ["10.0.0.1/8"]}),
        egress({"hosts": [1]}),
        egress(namespace=""),
        core("Namespace"),
        core("Secret", stringData={"a": "b"}),
        core("ConfigMap"),
        {**egress(), "apiVersion": "v1"},
        [],
        None,
    ):
        with pytest.raises(UNREADABLE):
            read_good(value)
        assert read_good(egress({"hosts": ["a.com"]})) == structure(egress({"hosts": ["a.com"]}))
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    assert read_good(namespace) == structure(namespace)
    unnamed = {**egress(), "metadata": {"name": "web", "labels": {}}}
    assert read_good(unnamed) == structure(unnamed)
    assert read_good(unnamed).metadata.explicit == {"labels"}


# --- writing ---------------------------------------------------------------------------------------------


def test_an_installed_mesh_config_survives_unharmed() -> None:
    original = json.loads(INSTALLED.read_bytes())
    written = to_mapping(structure(original))
    assert written == original
    assert list(written) == ["apiVersion", "kind", "metadata", "spec"]


def test_defaults_that_are_written_out_are_written_again() -> None:
    value = mesh_config(
        traffic={"enableEgress": False, "outboundPortExclusionList": [], "serviceAccessNames": {}},
        sidecar={"sidecarTimeout": 60, "localDNSProxy": {"enable": False}},
        featureFlags={"enableEgressPolicy": True},
    )
    resource = structure(value)
    assert isinstance(resource, MeshConfig)
    assert to_mapping(resource) == value
    assert resource == MeshConfig(
        spec=MeshConfigSpec(feature_flags=FeatureFlags(enable_egress_policy=True))
    ), "equality looks at what a resource means"


def test_what_was_built_in_python_has_all_that_the_api_server_asks_for() -> None:
    assert to_mapping(MeshConfig()) == {key: value for key, value in mesh_config().items() if key != "spec"}
    switched = MeshConfig(spec=MeshConfigSpec(traffic=Traffic(enable_egress=True)))
    assert to_mapping(switched) == mesh_config(traffic={"enableEgress": True})


def test_what_is_written_is_a_copy_of_ones_own() -> None:
    resource = structure(egress(owner={"a": [1]}))
    to_mapping(resource)["metadata"]["owner"]["a"].append(2)
    assert to_mapping(resource) == egress(owner={"a": [1]})


def test_every_sort_of_value_is_written_as_it_was() -> None:
    value = egress(
        {
            "sources": [{**SOURCE, "mtls": {"issuer": "other", "cert": {"sn": 5, "subjectAltNames": ["a"]}}}],
            "hosts": ["a.com"],
            "ipAddresses": ["10.0.0.0/8", "2001:db8::/32"],
            "ports": [{"number": 80, "protocol": "http"}],
            "matches": [{"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "a"}],
        },
        labels={"a": "b"},
        annotations={"c/d": ""},
    )
    resource = structure({**value, "status": {"state": None}})
    assert isinstance(resource, EgressPolicy)
    assert to_mapping(resource) == {**value, "status": {"state": None}}
    endpoints = core("Endpoints", subsets=[{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}])
    assert to_mapping(structure(endpoints)) == endpoints


def test_a_name_in_no_namespace_is_written_without_one() -> None:
    resource = EgressPolicy(metadata=ObjectMeta("web"), spec=EgressSpec())
    assert to_mapping(resource) == {"apiVersion": POLICY, "kind": "Egress", "metadata": {"name": "web"}}


# --- laws ------------------------------------------------------------------------------------------------


@settings(max_examples=examples(25))
@given(meshes())
def test_law_a_mesh_survives_being_written(mesh: list[dict[str, Any]]) -> None:
    for document in mesh:
        resource = structure(document)
        written = to_mapping(resource)
        assert structure(written) == resource
        assert to_mapping(structure(written)) == written


wrong_values: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        0,
        1,
        -1,
        80.0,
        "",
        "x",
        "80",
        "A.com",
        "10.0.0.1/8",
        [],
        {},
        [1],
        ["x"],
        {"a": 1},
        [None],
        [[]],
        [{}],
    ]
)


def places(value: Any) -> list[Callable[[Any], Any]]:
    """The same tree with another value in one place: a function for each place."""
    if isinstance(value, dict):
        return [
            *(
                partial(lambda key, edit, new: {**value, key: edit(new)}, key, edit)
                for key in value
                for edit in places(value[key])
            ),
            lambda new: {**value, "extraField": new},
            lambda new: new,
        ]
    if isinstance(value, list):
        return [
            *(
                partial(
                    lambda index, edit, new: [*value[:index], edit(new), *value[index + 1 :]], index, edit
                )
                for index, item in enumerate(value)
                for edit in places(item)
            ),
            lambda new: new,
        ]
    return [lambda new: new]


@settings(max_examples=examples(60))
@given(st.data())
def test_law_the_quick_reading_refuses_what_the_slow_one_finds_wrong(data: st.DataObject) -> None:
    document = data.draw(st.sampled_from(data.draw(meshes())))
    broken = data.draw(st.sampled_from(places(document)))(data.draw(wrong_values))
    kind = next(
        (kind for kind in KINDS if isinstance(broken, dict) and broken.get("kind") == kind.kind), None
    )
    if kind is None or broken.get("apiVersion") not in kind.api_versions:
        assert read(broken) is None
        return
    prepared, wrong = manifest._prepared(kind, broken, "default")  # noqa: SLF001  # because both readings start from it
    problems = list(wrong_with(kind, prepared, "", lenient_fields=False))
    quick = made(kind, prepared)
    assert (quick is None) == bool(problems)
    assert (read(broken) is None) == bool(problems or wrong)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
known_heads = st.sampled_from([{"apiVersion": kind.api_versions[0], "kind": kind.kind} for kind in KINDS])
field_names = st.sampled_from(
    ["metadata", "spec", "data", "stringData", "subsets", "status", "name", "items", "type"]
)


@given(known_heads, st.dictionaries(field_names, json_values, max_size=4))
def test_law_any_content_is_read_or_refused(head: dict[str, str], content: dict[str, Any]) -> None:
    value = {**head, **content}
    resource, problems = read_resource(Document("m", value, dict), value, "", None, lenient_fields=False)
    assert (resource is None) == any(problem.severity is Severity.ERROR for problem in problems)
    if resource is not None:
        assert structure(to_mapping(resource)) == resource
