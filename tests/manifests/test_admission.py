"""What an API server with FSM's CRDs and webhook refuses is said; what it takes is read without a word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from as_server import flaw

import fsm_egress as fe
from fsm_egress.manifests.admission import refusals
from fsm_egress.values.errors import Severity

TRIED = json.loads((Path(__file__).parents[1] / "vectors" / "admission.json").read_text(encoding="utf-8"))
POLICY = "policy.flomesh.io/v1alpha1"
ACCOUNT = {"kind": "ServiceAccount", "name": "c", "namespace": "x"}
PORTS = [{"number": 80, "protocol": "http"}]
ACCESS = "access.smi-spec.io/v1alpha3"
TARGET = {"destination": ACCOUNT, "sources": [ACCOUNT], "rules": [{"kind": "TCPRoute", "name": "r"}]}


def said(*documents: Any) -> list[str]:
    mesh = fe.load(*documents, strict=False)
    problems = [*mesh.problems, *refusals(mesh)]
    return [str(it) for it in problems if it.severity is not Severity.INFO]


def document(kind: str, spec: Any, version: str = POLICY, **metadata: Any) -> Any:
    names = {"name": "a", "namespace": "x", **metadata}
    return {"apiVersion": version, "kind": kind, "metadata": names, "spec": spec}


def limited(status: int) -> Any:
    return {"local": {"http": {"requests": 1, "unit": "second", "responseStatusCode": status}}}


def gateway(name: str, services: Any = None) -> Any:
    services = [{"service": "s", "namespace": "x"}] if services is None else services
    return document("EgressGateway", {"global": services}, name=name)


def egress(source: Any = ACCOUNT, **spec: Any) -> Any:
    return document("Egress", {"sources": [source], "ports": PORTS, **spec})


@pytest.mark.parametrize("tried", TRIED, ids=lambda it: json.dumps(it["document"])[:100])
def test_law_a_document_is_judged_as_the_server_judged_it(tried: Any) -> None:
    assert flaw(tried["document"], tried["back"]) is None


@pytest.mark.parametrize("tried", [it["document"] for it in TRIED if it["taken"]])
def test_law_what_the_server_takes_is_written_as_it_is(tried: Any) -> None:
    for resource in fe.load(json.dumps(tried), strict=False):
        assert list(fe.loads(fe.dump_yaml(resource))) == [resource]


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        (egress(), []),
        (
            egress({**ACCOUNT, "kind": "serviceaccount"}),
            ["spec.sources[0].kind: expected `ServiceAccount`, found the string `serviceaccount`; write"],
        ),
        (
            egress(
                matches=[{"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "r"}]
            ),
            ["spec.matches[0].name: expected an HTTPRouteGroup, found none of the name `r`: it adds"],
        ),
        (
            document("Egress", {"sources": None}),
            ["spec: expected the fields `sources` and `ports`, found none: the API server refuses it"],
        ),
        (
            document("UpstreamTrafficSetting", {"host": "web"}),
            ["spec.host: expected a host of two names at least, found the string `web`: FSM's webhook"],
        ),
        (
            document("Service", {"ports": [{"port": 80, "protocol": "udp"}]}, "v1"),
            ["spec.ports[0].protocol: expected `TCP` or `UDP` or `SCTP`, found the string `udp`; write"],
        ),
        (
            document("Service", {"ports": [{"port": 80, "protocol": "X"}]}, "v1", uid="u"),
            ["spec.ports[0].protocol: expected `TCP` or `UDP` or `SCTP`, found the string `X`: the"],
        ),
        (
            document(
                "TrafficSplit",
                {"service": "a", "backends": [], "matches": [{"kind": "HTTPRouteGroup", "name": "g"}]},
                "split.smi-spec.io/v1alpha2",
            ),
            ["spec.matches: expected no field that this version lacks, found `matches`"],
        ),
        (
            document("TrafficTarget", {**TARGET, "destination": {**ACCOUNT, "namespace": "y"}}, ACCESS),
            [
                (
                    "spec.destination.namespace: expected its own namespace, `x`, found the string `y`;"
                    " write `x`: FSM's webhook refuses it"
                )
            ],
        ),
        (
            document("UpstreamTrafficSetting", {"host": "a.b", "rateLimit": limited(200)}),
            [],
        ),
        (
            document("UpstreamTrafficSetting", {"host": "a.b", "rateLimit": limited(299)}),
            [
                (
                    "spec.rateLimit.local.http.responseStatusCode: expected the code of a status, found the"
                    " number `299`: FSM's webhook refuses it"
                )
            ],
        ),
        (
            document(
                "UpstreamTrafficSetting",
                {
                    "host": "a.b",
                    "httpRoutes": [{"path": "/", "rateLimit": {"local": limited(418)["local"]["http"]}}],
                },
            ),
            ["spec.httpRoutes[0].rateLimit.local.responseStatusCode: expected the code of a status"],
        ),
        (
            egress(
                matches=[
                    {
                        "apiGroup": "policy.openservicemesh.io/v1alpha1",
                        "kind": "UpstreamTrafficSetting",
                        "name": "s",
                    }
                ]
            ),
            [
                (
                    "spec.matches[0].apiGroup: expected `policy.flomesh.io/v1alpha1`, found the string"
                    " `policy.openservicemesh.io/v1alpha1`; write `policy.flomesh.io/v1alpha1`: FSM's webhook"
                )
            ],
        ),
        (
            document("Service", {"ports": [{"port": 80, "name": "Http"}]}, "v1"),
            ["spec.ports[0].name: expected a name of lower-case letters, digits and `-`, found the"],
        ),
        (
            document("Service", {"type": "ExternalName"}, "v1"),
            ["spec: expected the field `externalName`, found none: the API server refuses it"],
        ),
        (
            document("Egress", {"sources": [ACCOUNT], "ports": PORTS}, annotations={"a": "x" * 2**18}),
            ["metadata.annotations: expected annotations of at most 262,144 bytes, found 262,145 bytes"],
        ),
    ],
)
def test_what_is_said(document: Any, problems: list[str]) -> None:
    found = said(document)
    assert len(found) == len(problems)
    for text, problem in zip(found, problems, strict=True):
        assert problem in text


@pytest.mark.parametrize(
    ("documents", "problems"),
    [
        ([gateway("a"), gateway("b", [])], []),
        (
            [gateway("a"), gateway("b"), gateway("c")],
            [
                (
                    "EgressGateway x/b spec.global: expected one EgressGateway with `global` in the mesh,"
                    " found another one, `x/a`: FSM's webhook refuses it"
                ),
                (
                    "EgressGateway x/c spec.global: expected one EgressGateway with `global` in the mesh,"
                    " found another one, `x/a`: FSM's webhook refuses it"
                ),
            ],
        ),
        (
            [document("UpstreamTrafficSetting", {"host": "a.b"}, name=name) for name in ("s", "t")],
            ["UpstreamTrafficSetting x/t spec.host: expected one setting for each host, found another one"],
        ),
        (
            [document("UpstreamTrafficSetting", {"host": host}, name=host) for host in ("a.b", "c.d")],
            [],
        ),
        (
            [document("UpstreamTrafficSetting", {"host": "a.b"}, namespace=space) for space in ("x", "y")],
            [],  # as the webhook compares names alone
        ),
    ],
)
def test_what_is_refused_beside_another(documents: list[Any], problems: list[str]) -> None:
    found = said(*documents)
    assert len(found) == len(problems)
    for text, problem in zip(found, problems, strict=True):
        assert problem in text


def test_of_a_mesh_config_that_is_not_whole_it_is_said_once_and_is_no_warning() -> None:
    config = document("MeshConfig", {"traffic": {"enableEgress": True}}, "config.flomesh.io/v1alpha3")
    (problem,) = refusals(fe.load(config))
    assert problem.severity is Severity.INFO
    assert str(problem) == (
        "MeshConfig x/a spec: expected every field that is required, found none of `spec.connector`,"
        " `spec.image`, `spec.misc`, `spec.traffic.enablePermissiveTrafficPolicyMode`,"
        " `spec.traffic.http1PerRequestLoadBalancing`, `spec.traffic.http2PerRequestLoadBalancing`,"
        " `spec.traffic.inboundPortExclusionList`, `spec.traffic.interceptionMode` and 4 more: the API server"
        " refuses it whole; `kubectl patch` changes the one that FSM was installed with"
    )
    few = document("MeshConfig", {"connector": {"lb": {}}}, "config.flomesh.io/v1alpha3")
    (problem,) = refusals(fe.load(few))
    assert problem.found == "none of `spec.image`, `spec.misc`, `spec.connector.viaGateway`"


def test_a_pod_that_is_not_whole_is_no_warning() -> None:
    bare = document("Pod", {"serviceAccountName": "c"}, "v1")
    nameless = document("Pod", {"containers": [{"args": ["a"]}]}, "v1", name="b")
    texts = [str(it) for it in refusals(fe.load(bare, nameless)) if it.severity is Severity.INFO]
    assert texts == [
        "Pod x/a spec: expected the field `containers`, found none: the API server refuses it",
        (
            "Pod x/b spec.containers[0]: expected the fields `name` and `image`, found none: the"
            " API server refuses it"
        ),
    ]


def test_what_is_said_has_its_place_and_is_a_warning() -> None:
    text = "apiVersion: policy.flomesh.io/v1alpha1\nkind: Egress\nmetadata: {name: b}\nspec:\n  sources: []\n"
    first = fe.loads(text, "b.yaml")
    (problem,) = refusals(first)
    assert str(problem) == (
        "b.yaml:4:1: Egress default/b spec: expected the field `ports`, found none: the API server refuses it"
    )
    assert problem.severity is Severity.WARNING


def test_of_what_is_whole_nothing_is_said() -> None:
    cert = {"sn": 1, "expiration": "2030-01-01", "subjectAltNames": ["a"], "secret": {"name": "s"}}
    match = {"apiGroup": "specs.smi-spec.io/v1alpha4", "kind": "HTTPRouteGroup", "name": "a"}
    policy = egress({**ACCOUNT, "mtls": {"issuer": "other", "cert": cert}}, matches=[match])
    group = document("HTTPRouteGroup", {"matches": [{"name": "m"}]}, "specs.smi-spec.io/v1alpha4")
    rules = [{"kind": "HTTPRouteGroup", "name": "a"}, {"kind": "TCPRoute", "name": "b"}]
    spec = {"destination": ACCOUNT, "sources": [ACCOUNT], "rules": rules}
    setting = {"host": "a.x", "connectionSettings": {"tcp": {"maxConnections": 1}}}
    bare = document("UpstreamTrafficSetting", {"host": "b.x"}, name="b")
    assert said(policy, group, document("UpstreamTrafficSetting", setting), bare) == []
    assert said(document("TrafficTarget", spec, "access.smi-spec.io/v1alpha3")) == []
