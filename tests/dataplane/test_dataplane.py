"""A real sidecar, where there is one: connections go where the model says, and with the module as decided."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from observe import connections_held, inside, observe, sidecar
from observed import explains, goes_as_due
from record import certificate, endpoints, meshes, outside_names, with_certificates
from small import WHO, config, egress, load, service

import fsm_egress as fe
from fsm_egress.pipy.enforcement import MODULE, module_source
from fsm_egress.verification.sides import Sides, intercepted, own_config

Wire = dict[str, Any]
NAMES = {"a.com": "54.1.1.2", "b.com": "54.1.1.3"}
POLICIES = (
    config({"enableEgress": True}, sidecar={"sidecarTimeout": 1}),
    egress("tls", "https 443", hosts=["a.com", "b.com"]),
    egress("web", "http 443", hosts=["a.com"]),
    egress("db", "tcp 3306", ipAddresses=["54.0.0.0/8"]),
    service("gone", "tcp-x 6379", pods=[]),
)


def files(wire: Wire) -> dict[str, bytes]:
    """A config and the module, as files of a codebase; with certificates that are none of a model's."""
    content = json.dumps(with_certificates(wire, certificate())).encode()
    return {"config.json": content, MODULE: module_source()}


def observed(wire: Wire, names: Wire, probes: list[Wire]) -> list[Wire]:
    """What a sidecar with this config does."""
    ports = {probe["connection"]["port"] for probe in probes} | {port for _, port in endpoints(wire)}
    return observe(files(wire), names, sorted(ports), probes)


@pytest.mark.parametrize("enforce", [True, False])
def test_random_meshes(*, enforce: bool) -> None:
    for documents, identity, connections in meshes(4, 5):
        sides = Sides.of(fe.load(documents), identity, enforce=enforce)
        seen = [
            wire
            for wire in connections
            if intercepted(sides.policy.interception, fe.Connection.from_mapping(wire))
        ]
        wire = own_config(fe.load(documents), sides.policy, enforce=enforce).to_mapping()
        wire["Spec"]["SidecarTimeout"] = 1
        names = outside_names(wire)
        found = observed(wire, names, [{"connection": each} for each in seen])
        for connection, what in zip(seen, found, strict=True):
            pair = {"connection": connection, "observed": what}
            it = fe.Connection.from_mapping(connection)
            assert explains(sides.sidecar.handle(it), it, what, names), pair
            assert not enforce or goes_as_due(sides, pair, names), pair


@pytest.mark.parametrize(
    ("connection", "how", "expected"),
    [
        (fe.tls("54.9.9.9", 443, "a.com"), {}, "54.1.1.2:443"),
        (fe.tls("54.9.9.9", 443, "B.com"), {}, "54.1.1.3:443"),
        (fe.tls("54.9.9.9", 443, "a.com"), {"split": 7}, "54.1.1.2:443"),
        (fe.tls("54.9.9.9", 443, "b.com"), {"padding": 12_000}, "54.1.1.3:443"),
        (fe.tls("54.9.9.9", 443, "a.com"), {"records": 100}, "54.1.1.2:443"),
        (fe.tls("54.9.9.9", 443, "b.com"), {"records": 3, "split": 50}, "54.1.1.3:443"),
        (fe.tls("54.9.9.9", 443, "b.com"), {"records": 4_000, "padding": 12_000}, "54.1.1.3:443"),
        (fe.tls("54.9.9.9", 443, "c.com"), {"records": 100}, "closed"),
        (fe.tls("54.9.9.9", 443, "a.com"), {"names": ["a.com"]}, "54.1.1.2:443"),
        (fe.tls("54.9.9.9", 443, "a.com"), {"names": ["a.com", "b.com"]}, "closed"),
        (fe.tls("54.9.9.9", 443, "c.com"), {"split": 100}, "closed"),
        (fe.tls("54.9.9.9", 443), {}, "closed"),
        (fe.tcp("54.9.9.9", 443), {}, "closed"),
        (fe.server_first("54.9.9.9", 443), {}, "closed"),
        (fe.http("54.9.9.9", 443, "GET", "a.com/"), {}, "54.1.1.2:443"),
        (fe.http("54.9.9.9", 443, "GET", "a.com/"), {"http2": True}, "54.1.1.2:443"),
        (fe.http("54.9.9.9", 443, "GET", "b.com/"), {"http2": True}, "answered"),
        (fe.http("54.9.9.9", 443, "GET", "b.com/"), {}, "answered"),
        (fe.server_first("54.9.9.9", 3306), {}, "54.9.9.9:3306"),
        (fe.tcp("10.96.0.1", 6379), {}, "closed"),
        (fe.tcp("10.96.0.2", 6379), {}, "10.96.0.2:6379"),
    ],
)
def test_what_clients_may_do(connection: fe.Connection, how: Wire, expected: str) -> None:
    sides = Sides.of(load(*POLICIES), WHO, enforce=True)
    wire = own_config(load(*POLICIES), sides.policy, enforce=True).to_mapping()
    (found,) = observed(wire, NAMES, [{"connection": connection.to_mapping(), **how}])
    assert found.get("address", found["outcome"]) == expected
    assert not found.get("identity")
    assert found.get("seconds", 0) < 2


PATIENT = own_config(load(*POLICIES), Sides.of(load(*POLICIES), WHO, enforce=True).policy, enforce=True)


def patient() -> Wire:
    """The config of a sidecar that waits for a minute, as FSM's does."""
    wire = PATIENT.to_mapping()
    wire["Spec"]["SidecarTimeout"] = 60
    return wire


@pytest.mark.parametrize(
    ("data", "most"),
    [
        ("", 3),  # SMTP, MySQL, SSH: the server speaks first
        ("\0\0\0\x08\x04\xd2\x16\x2f", 0.5),  # PostgreSQL asks for TLS
        ("\x30\x1d\x02\x01\x01\x77\x18\x80\x16", 0.5),  # LDAP does
        ("<?xml version='1.0'?><stream:stream>", 0.5),  # XMPP opens a stream
        ("STARTTLS\r\n", 0.5),
    ],
)
def test_what_is_no_tls_fails_at_once(data: str, most: float) -> None:
    connection = fe.tcp("54.9.9.9", 443).to_mapping()
    (found,) = observed(patient(), NAMES, [{"connection": connection, "data": data}])
    assert found["outcome"] == "closed"
    assert found["seconds"] < most


def test_what_is_slow_to_speak_is_waited_for() -> None:
    sent = {"connection": fe.tls("54.9.9.9", 443, "a.com").to_mapping(), "split": 300}
    (found,) = observed(patient(), NAMES, [{**sent, "pause": 1.4}])
    assert found["address"] == "54.1.1.2:443"


@pytest.mark.parametrize("said", ["", "\x16\x03\x01\x02", "GET / HT"])
def test_clients_that_leave_are_let_go_of(said: str) -> None:
    with sidecar(files(patient()), NAMES):
        task = {"do": "leave", "place": ["54.9.9.9", 443], "count": 100, "data": said, "seconds": 0.2}
        assert inside("peers.py", task) == {"connected": 100}
        for _ in range(20):
            held = connections_held()
            if not held:
                break
            time.sleep(0.1)
        assert held == 0
