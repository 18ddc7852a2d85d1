"""The third reading against the engine: what a solver says of connections that are fixed in a script."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import attrs
import pytest
import random_meshes
import small
from hypothesis import given
from hypothesis import strategies as st
from random_meshes import FLOMESH, resource
from small import WHO, config, egress, load, routes, service
from solving import Asking, asking, fate_of, in_turns, many
from universe import aimed, drawn

import fsm_egress as fe
from fsm_egress.certificates.connection import Vocabulary
from fsm_egress.certificates.reading import Fate, decided
from fsm_egress.certificates.trees import ends_of
from fsm_egress.policy.parts import Growth
from fsm_egress.resolution import resolve

PER_MESH = 60


@in_turns
@given(random_meshes.cases(PER_MESH // 2), drawn(PER_MESH // 2), st.data())
@many(4, 84)
def test_law_the_solver_agrees_with_the_engine_about_each_connection(
    case: tuple[list[Any], str, list[Any]], some: list[fe.Connection], data: st.DataObject
) -> None:
    mesh, identity, wires = case
    snapshot = fe.load(mesh)
    subjects = fe.subjects_of(snapshot)
    whom = data.draw(st.sampled_from((*subjects, *[it for it in subjects if str(it) == identity] * 3)))
    policy = resolve(snapshot, whom)
    engine, solver = fe.Engine.compile(policy), asking(policy)
    told = [(it, fate_of(engine.classify(it))) for it in (*aimed(wires), *some)]
    assert solver.wrong(told) == []


def asked_of(*documents: Any) -> tuple[fe.Engine, Asking[Fate]]:
    policy = resolve(load(*documents), WHO)
    return fe.Engine.compile(policy), asking(policy)


GROUP = [{"apiGroup": small.ROUTES, "kind": "HTTPRouteGroup", "name": "r"}]
LACKING = {"issuer": "other"}


def get(host: str, path: str = "/", method: str = "GET", **headers: str) -> fe.HTTPRequest:
    return fe.HTTPRequest(method, host, path, {name.replace("_", "-"): it for name, it in headers.items()})


@pytest.mark.parametrize(
    ("documents", "sent", "reason"),
    [
        pytest.param([egress("e", "tcp 80", mtls=LACKING)], fe.Sends.BYTES, "no_certificate", id="stream"),
        pytest.param(
            [egress("e", "tcp 80", mtls=LACKING)], fe.TLSClientHello("a.com"), "no_certificate", id="its TLS"
        ),
        pytest.param([egress("e", "tcp 80", mtls=LACKING)], get("a.com"), "no_certificate", id="its HTTP"),
        pytest.param(
            [egress("e", "https 80", mtls=LACKING)], fe.TLSClientHello(), "no_certificate", id="any TLS"
        ),
        pytest.param(
            [egress("e", "https 80", hosts=["a.com"], mtls=LACKING)],
            fe.TLSClientHello("A.com"),
            "no_certificate",
            id="a server name",
        ),
        pytest.param(
            [egress("e", "https 80", hosts=["a.com"], mtls=LACKING)],
            fe.TLSClientHello("b.com"),
            "no_server_name",
            id="another server name",
        ),
        pytest.param(
            [egress("e", "http 80", hosts=["a.com"], mtls=LACKING)],
            get("a.com:80"),
            "no_certificate",
            id="host",
        ),
        pytest.param(
            [
                egress("e", "http 80", hosts=["a.com"], mtls=LACKING, matches=GROUP),
                routes("r", {"pathRegex": "/x"}),
            ],
            get("a.com"),
            "no_route",
            id="another route",
        ),
        pytest.param(
            [egress("e", "http 80", hosts=["a.com"], mtls=LACKING)],
            get("b.com"),
            "no_host",
            id="another host",
        ),
        pytest.param([egress("e", "https 80")], get("a.com"), "protocol_mismatch", id="HTTP for TLS"),
        pytest.param([egress("e", "http 80")], fe.TLSClientHello(), "protocol_mismatch", id="TLS for HTTP"),
        pytest.param([egress("e", "https 80")], fe.TLSClientHello(), "tls_any", id="TLS at all"),
        pytest.param([egress("e", "http 80")], fe.Sends.DATAGRAM, "not_intercepted", id="UDP"),
        pytest.param(
            [
                config(featureFlags={"enableAutoDefaultRoute": True}),
                egress("e", "http 80", hosts=["b.com", "a.com"]),
            ],
            get("c.org"),
            "http_route",
            id="default",
        ),
        pytest.param(
            [
                config(featureFlags={"enableAutoDefaultRoute": True}),
                egress("e", "http 80", hosts=["a.com"], ipAddresses=["10.0.0.0/8"]),
                egress("f", "http 80", hosts=["b.com"]),
            ],
            get("c.org"),
            "http_route",
            id="the default that claims",
        ),
        pytest.param(
            [
                config(featureFlags={"enableAutoDefaultRoute": True}),
                service("s", "http-web 80", ip="54.9.9.9"),
            ],
            get("c.org"),
            "http_route",
            id="the default in the mesh",
        ),
        pytest.param(
            [service("s", "http-web 80", ip="54.9.9.9", pods=[])], get("s.shop"), "no_endpoints", id="no pods"
        ),
        pytest.param(
            [egress("e", "http 80", hosts=["::1", "::1:80"])],
            get("::1:80"),
            "http_route",
            id="a host with colons",
        ),
        pytest.param(
            [
                egress("e", "http 80", hosts=["a.com"], matches=GROUP),
                routes("r", {"headers": [{"Host": "^A"}, {"x-env": "^$"}, {"connection": "^$"}]}),
            ],
            get("A.com", connection="close"),
            "http_route",
            id="headers that are special",
        ),
        pytest.param(
            [
                egress("e", "http 80", hosts=["a.com"], matches=GROUP),
                routes("r", {"headers": [{"x" * 65: "z"}]}),
            ],
            get("a.com"),
            "no_route",
            id="a header that nobody can send",
        ),
        pytest.param(
            [
                egress("e", "http 80", hosts=["a.com"], matches=GROUP),
                routes("r", {"pathRegex": r"^/(?:\ba)*$", "headers": [{"x-a": r"^(?:\ba)*b"}]}),
            ],
            get("a.com", "/", x_a="b"),
            "http_route",
            id="what is left out",
        ),
    ],
)
def test_what_rules_seldom_come_to(documents: list[Any], sent: Any, reason: str) -> None:
    engine, solver = asked_of(*documents)
    connection = fe.Connection("54.9.9.9", 80, sent)
    decision = engine.classify(connection)
    assert decision.reason.value == reason
    assert solver.is_so(connection, fate_of(decision))
    assert not solver.is_so(connection, Fate(fe.Verdict.DENIED, fe.Reason.NO_ENDPOINTS))
    assert not any(solver.is_so(connection, fate) for fate in solver.ends if fate != fate_of(decision))


def test_a_pod_without_a_sidecar_is_let_out() -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "curl"},
        "spec": {"serviceAccountName": "curl", "hostNetwork": True},
    }
    engine, solver = asked_of(config(), egress("e", "tcp 25"), pod)
    for sent, reason in ((fe.Sends.BYTES, "no_sidecar"), (fe.Sends.DATAGRAM, "not_intercepted")):
        connection = fe.Connection("54.9.9.9", 26, sent)
        decision = engine.classify(connection)
        assert decision.reason.value == reason
        assert solver.is_so(connection, fate_of(decision))


def test_what_gateways_carry() -> None:
    ports = [{"name": "tcp-proxy", "port": 1080}]
    gateways = [
        resource(
            FLOMESH,
            "EgressGateway",
            "fsm",
            "g",
            spec={"global": [{"service": "gateway", "namespace": "fsm"}]},
        ),
        resource("v1", "Service", "fsm", "gateway", spec={"clusterIP": "None", "ports": ports}),
        resource(
            "v1", "Endpoints", "fsm", "gateway", subsets=[{"addresses": [{"ip": "10.0.9.1"}], "ports": ports}]
        ),
    ]
    engine, solver = asked_of(config({"enableEgress": True}), egress("e", "tcp 25"), *gateways)
    for port in (25, 26):
        connection = fe.Connection("54.9.9.9", port, fe.Sends.BYTES)
        decision = engine.classify(connection)
        assert [used.name for used in decision.gateways] == ["gateway.fsm"]
        assert solver.is_so(connection, fate_of(decision))


@pytest.mark.parametrize("port", ["tcp-x 80", "http-x 80"])
@pytest.mark.parametrize(
    "ages", [(0, 100, 0, 100), (0, 50, 20, 60), (10, 100, 0, 80)], ids=lambda it: "-".join(map(str, it))
)
def test_shares_by_age_are_those_of_the_engine(port: str, ages: tuple[int, ...]) -> None:
    policy = resolve(load(config(), service("s", port, pods=["10.0.0.1", "10.0.0.2"])), WHO)
    (cluster,) = policy.clusters
    young = tuple(
        attrs.evolve(it, weight=most, growth=Growth(least, most))
        for it, least, most in zip(cluster.endpoints, ages[::2], ages[1::2], strict=True)
    )
    policy = attrs.evolve(policy, clusters=(attrs.evolve(cluster, endpoints=young),))
    sent = fe.Sends.BYTES if port.startswith("tcp") else get("s.shop")
    connection = fe.Connection("10.0.0.1", 80, sent)
    fate = fate_of(fe.Engine.compile(policy).classify(connection))
    assert any(least < most for *_, least, most in fate.targets)
    assert asking(policy).is_so(connection, fate)


def test_fates_are_told_in_words() -> None:
    mesh = load(egress("e", "http 80", hosts=["a.com"]), egress("t", "tcp 25"))
    fates = ends_of(decided(resolve(mesh, WHO), Vocabulary()))
    assert {str(fate) for fate in fates} == {
        "DENIED 403",
        "DENIED and closed",
        "EGRESS_POLICY to a.com:80",
        "EGRESS_POLICY to the original destination",
        "PASSTHROUGH to the original destination",
    }
    gateway = ("g", "http2tunnel", ("10.0.0.1 80",), Fraction(1))
    whole = Fraction(1)
    targets = (("", 0, whole, whole, whole),)
    through = Fate(fe.Verdict.PASSTHROUGH, fe.Reason.EGRESS_ENABLED, None, targets, (gateway,))
    assert str(through) == "PASSTHROUGH to the original destination through g"
