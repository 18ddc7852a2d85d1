"""What an API server with FSM's CRDs and webhook refuses is said; what it takes is read without a word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import fsm_egress as fe
from fsm_egress.manifests.admission import REFUSED, refusals
from fsm_egress.values.errors import Severity

TRIED = json.loads((Path(__file__).parents[1] / "vectors" / "admission.json").read_text(encoding="utf-8"))
POLICY = "policy.flomesh.io/v1alpha1"
ACCOUNT = {"kind": "ServiceAccount", "name": "c", "namespace": "x"}
PORTS = [{"number": 80, "protocol": "http"}]
# Taken by the server, and an error here: without it nothing could be said of what the document does.
NEEDED_HERE = {("Egress", "spec"), ("Egress", "protocol"), ("Egress", "issuer")}
NEEDED_HERE |= {("UpstreamTrafficSetting", "spec")}


def said(*documents: Any) -> list[str]:
    mesh = fe.load(*documents, strict=False)
    problems = [*mesh.problems, *refusals(mesh)]
    return [str(it) for it in problems if it.severity is not Severity.INFO]


def document(kind: str, spec: Any, version: str = POLICY, **metadata: Any) -> Any:
    names = {"name": "a", "namespace": "x", **metadata}
    return {"apiVersion": version, "kind": kind, "metadata": names, "spec": spec}


def egress(source: Any = ACCOUNT, **spec: Any) -> Any:
    return document("Egress", {"sources": [source], "ports": PORTS, **spec})


def sent(*, taken: bool) -> pytest.MarkDecorator:
    tried = [it["document"] for it in TRIED if it["taken"] is taken]
    return pytest.mark.parametrize("tried", tried, ids=lambda it: json.dumps(it)[:100])


@sent(taken=False)
def test_what_the_server_refuses_is_said(tried: Any) -> None:
    mesh = fe.load(json.dumps(tried), strict=False)
    assert [*mesh.problems, *refusals(mesh)]


@sent(taken=True)
def test_law_what_the_server_takes_is_read_and_written_as_it_is(tried: Any) -> None:
    mesh = fe.load(json.dumps(tried), strict=False)
    errors = [problem for problem in mesh.problems if problem.severity is Severity.ERROR]
    if errors:
        assert any(name in str(errors[0]) for kind, name in NEEDED_HERE if kind == tried["kind"])
        return
    assert not [text for text in said(json.dumps(tried)) if REFUSED in text]
    (resource,) = mesh
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
            [
                "spec: expected the field `sources`, found none",
                "spec: expected the field `ports`, found none",
            ],
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
    ],
)
def test_what_is_said(document: Any, problems: list[str]) -> None:
    found = said(document)
    assert len(found) == len(problems)
    for text, problem in zip(found, problems, strict=True):
        assert problem in text


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
